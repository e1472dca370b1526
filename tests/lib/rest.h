/* SPDX-License-Identifier: Apache-2.0 */
/* rest - what a machine does to a device that it stops, saves and loads; for unit tests. */
#ifndef MICROVM_TESTS_REST_H
#define MICROVM_TESTS_REST_H

#include "tests/lib/driver.h"

/* rest_reached() - the loop runs until it is.  Return: false, not within half a minute, or it holds
 * a chain all the same
 */
static inline bool rest_reached(struct driver *g)
{
	if (!driver_until(g, driver_rest(g)))
		return false;
	for (unsigned int i = 0; i < g->v->nvq; i++)
		if (g->v->vq[i].inflight)
			return false;
	return true;
}

/* rest_save() - the state of the device into @image.  Return: its length; 0: @why says why not */
static inline size_t rest_save(struct driver *g, void *image, size_t size,
			       const char **why)
{
	static struct state s; /* @why may point into it */

	state_saver(&s, image, size);
	pthread_mutex_lock(&g->dev->lock);
	g->dev->ops->state(g->dev, &s);
	pthread_mutex_unlock(&g->dev->lock);
	*why = s.why;
	return s.why ? 0 : s.pos;
}

/* rest_load() - Return: NULL, or why it cannot be loaded */
static inline const char *rest_load(struct driver *g, const void *image, size_t len)
{
	static struct state s; /* @why may point into it */

	state_loader(&s, image, len);
	pthread_mutex_lock(&g->dev->lock);
	g->dev->ops->state(g->dev, &s);
	pthread_mutex_unlock(&g->dev->lock);
	return s.why;
}

#endif
