/* SPDX-License-Identifier: Apache-2.0 */
/* string - the functions that a compiler calls by itself, and two more. */
#include "guest-images/payloads/rt/rt.h"

void *memset(void *dst, int c, size_t len)
{
	void *d = dst;

	__asm__ volatile("rep stosb" : "+D"(d), "+c"(len) : "a"(c) : "memory");
	return dst;
}

void *memcpy(void *dst, const void *src, size_t len)
{
	void *d = dst;

	__asm__ volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(len) : : "memory");
	return dst;
}

void *memmove(void *dst, const void *src, size_t len)
{
	char *d = dst;
	const char *s = src;

	if (d <= s || d >= s + len)
		return memcpy(dst, src, len);
	while (len--) {
		d[len] = s[len];
		__asm__ volatile("" ::: "memory"); /* not to be made a memmove() */
	}
	return dst;
}

int memcmp(const void *a, const void *b, size_t len)
{
	const uint8_t *p = a, *q = b;

	for (; len; len--, p++, q++)
		if (*p != *q)
			return *p < *q ? -1 : 1;
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n]) {
		n++;
		__asm__ volatile("" : "+r"(n)); /* not to be made a strlen() */
	}
	return n;
}

int strcmp(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	return (unsigned char)*a - (unsigned char)*b;
}
