/* SPDX-License-Identifier: Apache-2.0 */
/* spec - what a JOB's text asks for */
#ifndef MICROVM_AGENT_SPEC_H
#define MICROVM_AGENT_SPEC_H

#include <stdint.h>
#include <sys/resource.h>

#include "guest-images/agent/agent.h"

struct spec {
	char **copy; /* @ncopy of them, to be copied out; in the text */
	unsigned int ncopy;
	char **argv, **env; /* end with NULL; what they point to is in the text */
	unsigned int nargs, nenv;
	const char *workdir, *user; /* or NULL */
	struct rlimit limits[RLIM_NLIMITS];
	uint32_t limited; /* bit n: @limits[n] is to be set */
	bool terminal, has_stdin;
	uint16_t rows, cols;
};

/* Take a text apart, which is written to and has to stay as long as @s.
 * Return: is it one?  If not, @why says what is wrong with it.  spec_free() is due in both cases. */
bool spec_parse(struct spec *s, char *text, size_t len, char why[AGENT_SENTENCE + 1]);
void spec_free(struct spec *s);

/* A decimal number, all of @text, up to @max.  Return: is it one? */
bool number(const char *text, uint64_t max, uint64_t *v);

#endif
