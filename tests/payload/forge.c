/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forge - change the state of a saved machine, with the right checksums.
 *
 * usage: forge FILE format N               the header says format N
 *        forge FILE words OLD NEW          the first OLD becomes NEW, which is as long
 *        forge FILE bytes HEX HEX          likewise, in hexadecimal: 07000000
 *        forge FILE flip N                 N bits, anywhere, chosen by N
 *
 * Exit status: 0, or 1 and a sentence.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "vmm/snapshot/snapshot.h"

#define SIZE_MAX_HERE (16u << 20)
#define FORMAT_AT     16
#define SUM_AT        36

static uint8_t *file;
static size_t len;

static int fail(const char *why)
{
	(void)fprintf(stderr, "forge: %s\n", why);
	return 1;
}

static int replace(const void *from, const void *to, size_t n)
{
	uint8_t *at = n ? memmem(file + SNAPSHOT_HEADER, len - SNAPSHOT_HEADER, from, n)
			: NULL;

	if (!at)
		return fail("there is none");
	memcpy(at, to, n);
	return 0;
}

static size_t hex(const char *text, uint8_t out[64])
{
	size_t n = 0;
	unsigned int byte;

	for (; n < 64 && sscanf(text + 2 * n, "%2x", &byte) == 1; n++)
		out[n] = (uint8_t)byte;
	return n;
}

static int forge(int argc, char **argv)
{
	const char *what = argv[2];
	uint8_t a[64], b[64];
	size_t n;

	if (strcmp(what, "format") == 0)
		return 0; /* in the header, below */
	if (strcmp(what, "flip") == 0) {
		unsigned int seed = (unsigned int)atoi(argv[3]);

		for (int i = atoi(argv[3]); i > 0; i--)
			file[SNAPSHOT_HEADER +
			     (size_t)rand_r(&seed) % (len - SNAPSHOT_HEADER)] ^=
				(uint8_t)(1 << rand_r(&seed) % 8);
		return 0;
	}
	if (argc != 5)
		return fail("a word is missing");
	if (strcmp(what, "words") == 0)
		return strlen(argv[3]) == strlen(argv[4])
			       ? replace(argv[3], argv[4], strlen(argv[3]))
			       : fail("they are not as long");
	n = hex(argv[3], a);
	return hex(argv[4], b) == n ? replace(a, b, n) : fail("they are not as long");
}

int main(int argc, char **argv)
{
	FILE *f = argc >= 4 ? fopen(argv[1], "r+b") : NULL;
	uint32_t sum;

	file = malloc(SIZE_MAX_HERE);
	if (!f || !file)
		return fail(argc < 4 ? "words are missing" : strerror(errno));
	len = fread(file, 1, SIZE_MAX_HERE, f);
	if (len <= SNAPSHOT_HEADER || forge(argc, argv))
		return fail("nothing is changed");
	snapshot_header(file, file + SNAPSHOT_HEADER, len - SNAPSHOT_HEADER);
	if (strcmp(argv[2], "format") == 0) {
		file[FORMAT_AT] = (uint8_t)atoi(argv[3]);
		sum = (uint32_t)crc32_z(0, file, SUM_AT);
		memcpy(file + SUM_AT, &sum, sizeof(sum));
	}
	if (fseek(f, 0, SEEK_SET) || fwrite(file, 1, len, f) != len || fclose(f))
		return fail("it cannot be written");
	free(file);
	return 0;
}
