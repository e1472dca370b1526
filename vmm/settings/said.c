/* SPDX-License-Identifier: Apache-2.0 */
/* said - see said.h. */
#include "vmm/settings/said.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/util.h"

#define SAID_ROOM 16 /* words at first: most machines have fewer */

static int said_no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "out of memory");
}

/* Room for one more word */
static int said_grow(struct config_said *s, struct err *e)
{
	unsigned int room = s->room ? 2 * s->room : SAID_ROOM;
	struct said_word *word;

	if (s->n < s->room)
		return 0;
	word = realloc(s->word, room * sizeof(*word));
	if (!word)
		return said_no_memory(e);
	s->word = word;
	s->room = room;
	return 0;
}

void said_forget(struct config *cfg, const struct setting *row)
{
	struct config_said *s = cfg->said;
	unsigned int kept = 0;

	for (unsigned int i = 0; s && i < s->n; i++)
		if (s->word[i].row == row)
			free(s->word[i].text);
		else
			s->word[kept++] = s->word[i];
	if (s)
		s->n = kept;
}

static int said_make(struct config *cfg, struct err *e)
{
	if (!cfg->said)
		cfg->said = calloc(1, sizeof(*cfg->said));
	return cfg->said ? 0 : said_no_memory(e);
}

static void said_not_none(struct config_said *s, const struct setting *row)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < s->nnone; i++)
		if (s->none[i] != row)
			s->none[kept++] = s->none[i];
	s->nnone = kept;
}

int said_none(struct config *cfg, const struct setting *row, struct err *e)
{
	if (said_make(cfg, e) < 0)
		return -e->code;
	said_forget(cfg, row);
	said_not_none(cfg->said, row);
	BUG_ON(cfg->said->nnone == SAID_NONES_MAX);
	cfg->said->none[cfg->said->nnone++] = row;
	return 0;
}

int said_begin(struct config *cfg, const struct setting *row, struct err *e)
{
	if (said_make(cfg, e) < 0)
		return -e->code;
	said_not_none(cfg->said, row);
	if (!row->repeats)
		said_forget(cfg, row);
	cfg->said->nvalue++;
	return 0;
}

int said_add(struct config *cfg, const struct setting *row,
	     const struct setting_part *part, const char *text, struct err *e)
{
	struct config_said *s = cfg->said;
	char *copy;

	if (said_grow(s, e) < 0)
		return -e->code;
	copy = strdup(text);
	if (!copy)
		return said_no_memory(e);
	s->word[s->n++] = (struct said_word){
		.row = row, .part = part, .value = s->nvalue, .text = copy};
	return 0;
}

void said_fini(struct config *cfg)
{
	for (unsigned int i = 0; cfg->said && i < cfg->said->n; i++)
		free(cfg->said->word[i].text);
	if (cfg->said)
		free(cfg->said->word);
	free(cfg->said);
	cfg->said = NULL;
}
