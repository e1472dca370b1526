/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cases - the cases that a guest's tests had, each with its whole name: "suite.case".
 *
 * They come from several documents at once (ktap.h), and a test's name may come after those of its
 * cases. What a guest prints has no end, so there is one to what is kept; the rest is counted. One thread.
 */
#ifndef MICROVM_TEST_CASES_H
#define MICROVM_TEST_CASES_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/test/ktap.h"

#define CASES_MAX  8192
#define CASES_TEXT (320 << 10) /* bytes of all names and lines */

struct case_one {
	char *name;
	char *line; /* that says so, and the diagnostic line with it; NULL: it is ok */
	enum ktap_result result;
	unsigned int source; /* index of struct cases.source */
	uint32_t nr;         /* in its source, from 0 */
};

struct cases;

/* One of the documents' readers */
struct case_source {
	struct cases *all;
	uint32_t told;
};

struct cases {
	struct case_one *one;
	uint32_t n, room;
	uint32_t more; /* that are not kept */
	size_t text;
	struct case_source source[3];
};

/* cases_hear() - from now on @k, the @nr-th reader, tells @c of its cases. @c is zeroed before */
void cases_hear(struct cases *c, unsigned int nr, struct ktap *k);
void cases_free(struct cases *c);
/* case_result_name() - "ok", "failed", "skipped" or "failed as expected" */
const char *case_result_name(enum ktap_result r);

#endif
