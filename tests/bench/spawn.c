/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawn - times whole processes, from before exec to reaped, several commands in turn.
 *
 * usage: bench-spawn ROUNDS SAMPLES (-- NAME STATUS COMMAND [ARGUMENT...])...
 *
 * A sample of each command, then the next of each: what disturbs the machine disturbs all.
 * A command whose exit status is not STATUS ends it all: a failing start is no fast start.
 * Prints for each command the minimum, median and 99th percentile in microseconds, over all
 * rounds, and the ratio of its median to the first command's; then the medians by round.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS_MAX 16
#define SAMPLES_MAX  100000
#define WARM_UP      3

struct command {
	const char *name;
	int status;
	char **argv;
	uint64_t *ns; /* of all rounds, in order */
};

extern char **environ;

static uint64_t spawn_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* spawn_once() - Return: nanoseconds.  The command's output goes nowhere */
static uint64_t spawn_once(const struct command *c)
{
	static posix_spawn_file_actions_t quiet;
	static bool made;
	uint64_t t;
	pid_t pid;
	int status, rc;

	if (!made) {
		posix_spawn_file_actions_init(&quiet);
		posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null", O_RDONLY, 0);
		posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
		posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);
	}
	made = true;
	t = spawn_clock();
	rc = posix_spawnp(&pid, c->argv[0], &quiet, NULL, c->argv, environ);
	if (rc || waitpid(pid, &status, 0) < 0) {
		(void)fprintf(stderr, "bench-spawn: %s: %s\n", c->name,
			      strerror(rc ? rc : errno));
		exit(1);
	}
	t = spawn_clock() - t;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != c->status) {
		(void)fprintf(stderr, "bench-spawn: %s: wait status 0x%x, not exit %d\n",
			      c->name, (unsigned int)status, c->status);
		exit(1);
	}
	return t;
}

static int spawn_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* spawn_percentile() - of @n sorted samples, in microseconds */
static double spawn_percentile(const uint64_t *sorted, size_t n, unsigned int p)
{
	return (double)sorted[(n - 1) * p / 100] / 1000;
}

static double spawn_round_median(const uint64_t *ns, size_t n)
{
	uint64_t *copy = malloc(n * sizeof(*copy));
	double m;

	if (!copy)
		exit(1);
	memcpy(copy, ns, n * sizeof(*copy));
	qsort(copy, n, sizeof(*copy), spawn_compare);
	m = spawn_percentile(copy, n, 50);
	free(copy);
	return m;
}

static void spawn_print(struct command *c, unsigned int n, size_t rounds, size_t samples)
{
	size_t all = rounds * samples;
	double first = 0;

	(void)printf("%-24s %9s %9s %9s %7s %8s   median by round\n", "", "min us",
		     "p50 us", "p99 us", "ratio", "p99/p50");
	for (unsigned int i = 0; i < n; i++) {
		double p50 = spawn_round_median(c[i].ns, all), p99, min;
		double by_round[64];

		for (size_t r = 0; r < rounds; r++)
			by_round[r] = spawn_round_median(c[i].ns + r * samples, samples);
		qsort(c[i].ns, all, sizeof(*c[i].ns), spawn_compare);
		min = spawn_percentile(c[i].ns, all, 0);
		p99 = spawn_percentile(c[i].ns, all, 99);
		if (i == 0)
			first = p50;
		(void)printf("%-24s %9.0f %9.0f %9.0f %7.2f %8.2f  ", c[i].name, min, p50,
			     p99, p50 / first, p99 / p50);
		for (size_t r = 0; r < rounds; r++)
			(void)printf(" %.0f", by_round[r]);
		(void)printf("\n");
	}
}

/* spawn_parse() - cut argv at each "--".  Return: how many commands */
static unsigned int spawn_parse(char **argv, struct command *c)
{
	unsigned int n = 0;

	for (; *argv; argv++) {
		if (strcmp(*argv, "--") != 0)
			continue;
		*argv = NULL;
		if (n == COMMANDS_MAX || !argv[1] || !argv[2] || !argv[3])
			return 0;
		c[n++] = (struct command){
			.name = argv[1], .status = atoi(argv[2]), .argv = argv + 3};
		argv += 2;
	}
	return n;
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 4 ? strtoul(argv[1], NULL, 10) : 0;
	size_t samples = argc > 4 ? strtoul(argv[2], NULL, 10) : 0;
	struct command c[COMMANDS_MAX];
	unsigned int n = argc > 4 ? spawn_parse(argv + 3, c) : 0;

	if (!n || !rounds || rounds > 64 || !samples || samples > SAMPLES_MAX) {
		(void)fprintf(stderr, "usage: bench-spawn ROUNDS SAMPLES "
				      "(-- NAME STATUS COMMAND [ARGUMENT...])...\n");
		return 2;
	}
	(void)close_range(3, ~0U,
			  0); /* they inherit what a shell leaves open, not our caller */
	for (unsigned int i = 0; i < n; i++) {
		c[i].ns = calloc(rounds * samples, sizeof(*c[i].ns));
		if (!c[i].ns)
			return 1;
		for (unsigned int w = 0; w < WARM_UP; w++)
			(void)spawn_once(&c[i]);
	}
	for (size_t s = 0; s < rounds * samples; s++)
		for (unsigned int i = 0; i < n; i++)
			c[i].ns[s] = spawn_once(&c[i]);
	spawn_print(c, n, rounds, samples);
	return 0;
}
