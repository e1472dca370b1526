/* SPDX-License-Identifier: Apache-2.0 */
/* replay - a fuzz target without libFuzzer: run it once on each file of a directory. */
#include <dirent.h>
#include <stdbool.h>

#include "tests/fuzz/fuzz.h"

#define REPLAY_MAX (1 << 20)

/* Return: did @path go through? */
static bool replay(const char *path, uint8_t *buf)
{
	FILE *f = fopen(path, "rb");
	uint8_t *exact;
	size_t n;

	if (!f)
		return false;
	n = fread(buf, 1, REPLAY_MAX, f);
	(void)fclose(f);
	exact = malloc(n ? n : 1); /* so that a sanitizer sees a read past it */
	if (!exact)
		return false;
	memcpy(exact, buf, n);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	return true;
}

int main(int argc, char **argv)
{
	uint8_t *buf = malloc(REPLAY_MAX);
	DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
	unsigned int n = 0;
	struct dirent *de;
	char path[4096];

	if (!dir || !buf) {
		(void)fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", argv[0]);
		return EXIT_FAILURE;
	}
	while ((de = readdir(dir))) {
		if (de->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", argv[1], de->d_name);
		if (!replay(path, buf)) {
			(void)fprintf(stderr, "%s: unreadable\n", path);
			return EXIT_FAILURE;
		}
		n++;
	}
	(void)closedir(dir);
	free(buf);
	printf("%u inputs\n", n);
	return n ? EXIT_SUCCESS : EXIT_FAILURE; /* an empty corpus tests nothing */
}
