/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse - the values an operator writes: numbers, sizes, durations, switches, MACs.
 *
 * All: the whole string counts, no white space, no sign.  Return: 0 and the value in
 * @out; -EINVAL if it is not one; -ERANGE if it is too large.  @out is then untouched.
 */
#ifndef MICROVM_PARSE_H
#define MICROVM_PARSE_H

#include <stdbool.h>
#include <stdint.h>

/* parse_uint() - a decimal number of at most @max */
int parse_uint(const char *s, uint64_t max, uint64_t *out);
/* parse_milli() - thousandths of a decimal number of at most @max, with three places at most */
int parse_milli(const char *s, uint64_t max, uint64_t *out);
/* parse_size() - bytes: a number with B, K, M, G, T (or KiB, MiB, GiB, TiB), either case;
 * always powers of 1024
 */
int parse_size(const char *s, uint64_t *out);
/* parse_duration() - nanoseconds: a number with ns, us, ms, s, m, h; without one, seconds */
int parse_duration(const char *s, uint64_t *out);
int parse_switch(const char *s, bool *out); /* "on" or "off" */
/* parse_mac() - six pairs of hexadecimal digits with colons between */
int parse_mac(const char *s, uint8_t out[6]);

/* Which of several valid names did the operator mean?  Start from {.given = ...}, offer
 * each valid name; @best is then the nearest, or NULL if none is near.
 */
struct nearest {
	const char *given;
	const char *best;
	unsigned int distance;
};
void nearest_offer(struct nearest *n, const char *name);

#endif
