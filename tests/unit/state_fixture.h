/* SPDX-License-Identifier: Apache-2.0 */
/* state_fixture - save a live device, load it, and what every device must refuse. */
#ifndef MICROVM_TESTS_STATE_FIXTURE_H
#define MICROVM_TESTS_STATE_FIXTURE_H

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "vmm/core/device.h"
#include "vmm/core/util.h"

#define STATE_VERSION_AT STATE_NAME_SIZE
#define STATE_LENGTH_AT  (STATE_NAME_SIZE + 4)
#define STATE_FIELDS     (STATE_NAME_SIZE + 4 + 8) /* where a section's fields begin */
#define STATE_IMAGE_MAX  4096

struct state_image {
	size_t len;
	uint8_t byte[STATE_IMAGE_MAX];
};

static inline void state_save(struct device *d, struct state_image *im)
{
	struct state s;

	state_saver(&s, im->byte, sizeof(im->byte));
	d->ops->state(d, &s);
	ck_assert_msg(state_ok(&s), "%s", s.why);
	im->len = s.pos;
}

/* Return: "", or why it was refused, until the next call */
static inline const char *state_load(struct device *d, const struct state_image *im)
{
	static struct state s;

	state_loader(&s, im->byte, im->len);
	d->ops->state(d, &s);
	if (state_ok(&s))
		ck_assert_uint_eq(s.pos, im->len);
	return s.why ? s.why : "";
}

/* @im is refused with the device's name, and the device is as after a reset */
static inline void state_refuse(struct device *d, const struct state_image *im,
				const char *word)
{
	struct state_image left, reset;
	char name[sizeof(d->name) + 2];
	const char *why = state_load(d, im);

	(void)snprintf(name, sizeof(name), "%s: ", d->name);
	ck_assert_msg(strncmp(why, name, strlen(name)) == 0, "'%s' of %s", why, name);
	ck_assert_msg(strstr(why, word), "'%s' without '%s'", why, word);
	state_save(d, &left);
	d->ops->reset(d);
	state_save(d, &reset);
	ck_assert_uint_eq(left.len, reset.len);
	ck_assert_mem_eq(left.byte, reset.byte, reset.len);
}

/* Of a state of @d that is good: each cut, a byte too many, another name and a newer version are
 * refused.  @im is loaded before each, so that there is something to forget.
 */
static inline void state_refuse_damaged(struct device *d, const struct state_image *im)
{
	struct state_image bad;

	for (size_t len = 0; len < im->len; len++) {
		ck_assert_str_eq(state_load(d, im), "");
		bad = *im;
		bad.len = len;
		state_refuse(d, &bad, "state");
	}
	ck_assert_str_eq(state_load(d, im), "");
	bad = *im;
	bad.byte[bad.len++] = 0;
	bad.byte[STATE_LENGTH_AT]++;
	ck_assert_uint_ne(bad.byte[STATE_LENGTH_AT], 0);
	state_refuse(d, &bad, "left over");
	ck_assert_str_eq(state_load(d, im), "");
	bad = *im;
	bad.byte[0] ^= 1;
	state_refuse(d, &bad, "in its place");
	ck_assert_str_eq(state_load(d, im), "");
	bad = *im;
	bad.byte[STATE_VERSION_AT]++;
	state_refuse(d, &bad, "version");
	ck_assert_str_eq(state_load(d, im), "");
}

#endif
