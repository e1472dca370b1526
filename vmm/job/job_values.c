/* SPDX-License-Identifier: Apache-2.0 */
/* job_values - the values of `microvm run` that a machine has no setting for. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/util.h"
#include "vmm/job/job_options.h"
#include "vmm/settings/parse.h"

#define ENV_FILE_MAX (1 << 20)

int job_list_add(struct job_list *l, const char *word, struct err *e)
{
	char **more = realloc(l->word, (l->n + 1) * sizeof(*more));

	if (more)
		l->word = more;
	if (!more || !(more[l->n] = strdup(word)))
		return err_set(e, ENOMEM, "out of memory");
	l->n++;
	return 0;
}

/* ---- variables ---- */

int job_set_env(struct job_options *o, const char *value, struct err *e)
{
	size_t len = strcspn(value, "=");
	const char *ours;
	char *word = NULL;
	int rc;

	if (!len)
		return err_usage(e,
				 "\"%.60s\" names no variable; give NAME=VALUE, or NAME "
				 "for the value that it has here",
				 value);
	if (value[len])
		return job_list_add(&o->env, value, e);
	ours = getenv(value);
	if (!ours) /* as docker has it: then it has none in the job */
		return 0;
	if (asprintf(&word, "%s=%s", value, ours) < 0)
		return err_set(e, ENOMEM, "out of memory");
	rc = job_list_add(&o->env, word, e);
	free(word);
	return rc;
}

static int env_line(struct job_options *o, char *line, size_t n, struct err *e)
{
	if (memchr(line, '\0', n))
		return err_usage(e, "it has a byte 0, which no variable can hold");
	line[strcspn(line, "\r\n")] = '\0';
	line += strspn(line, " \t");
	if (!*line || *line == '#')
		return 0;
	if (line[strcspn(line, "= \t")] != '=' && line[strcspn(line, " \t")])
		return err_usage(e, "\"%.60s\" is no variable; write NAME=VALUE", line);
	return job_set_env(o, line, e);
}

int job_set_env_file(struct job_options *o, const char *path, struct err *e)
{
	FILE *f = fopen(path, "re");
	size_t cap = 0, total = 0;
	char *line = NULL;
	unsigned int at = 0;
	ssize_t n;
	int rc = 0;

	if (!f)
		return err_usage(e,
				 "%s: %s; check the path, or write the file, with "
				 "NAME=VALUE a line",
				 path, strerror(errno));
	while (rc == 0 && (n = getline(&line, &cap, f)) > 0) {
		at++;
		total += (size_t)n;
		if (total > ENV_FILE_MAX)
			rc = err_usage(e, "it is larger than 1 MiB; no environment is");
		else
			rc = env_line(o, line, (size_t)n, e);
	}
	if (rc == 0 && ferror(f))
		rc = err_set(e, errno, "%s: %s", path, strerror(errno));
	else if (rc < 0)
		rc = err_wrap(e, "%s, line %u", path, at);
	free(line);
	(void)fclose(f);
	return rc;
}

/* ---- limits ---- */

static const char ulimit_names[] =
	"as core cpu data fsize locks memlock msgqueue nice nofile "
	"nproc rss rtprio rttime sigpending stack";

static bool is_word_of(const char *words, const char *word, size_t len)
{
	for (const char *p = words; *p; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");

		if (n == len && strncmp(p, word, n) == 0)
			return true;
		p += n;
	}
	return false;
}

static int ulimit_number(const char *text, size_t len, char out[32])
{
	uint64_t n;

	if (len >= 32)
		return -EINVAL;
	memcpy(out, text, len);
	out[len] = '\0';
	if (strcmp(out, "-1") == 0 || strcmp(out, "unlimited") == 0) {
		memcpy(out, "unlimited", sizeof("unlimited"));
		return 0;
	}
	return parse_uint(out, UINT64_MAX - 1, &n);
}

/* Is the soft limit below the hard one? */
static bool ulimit_in_order(const char *soft, const char *hard)
{
	if (strcmp(hard, "unlimited") == 0)
		return true;
	return strcmp(soft, "unlimited") != 0 &&
	       strtoull(soft, NULL, 10) <= strtoull(hard, NULL, 10);
}

int job_set_ulimit(struct job_options *o, const char *value, struct err *e)
{
	size_t len = strcspn(value, "="), n;
	char soft[32], hard[32], word[128];
	const char *p = value + len + 1;

	if (!value[len] || !is_word_of(ulimit_names, value, len))
		return err_usage(e,
				 "\"%.60s\" names no limit; give NAME=SOFT[:HARD], where "
				 "NAME is one of: %s",
				 value, ulimit_names);
	n = strcspn(p, ":");
	if (ulimit_number(p, n, soft) < 0 ||
	    ulimit_number(p[n] ? p + n + 1 : p, p[n] ? strlen(p + n + 1) : n, hard) < 0)
		return err_usage(e,
				 "\"%.60s\" is no limit; give whole numbers, or "
				 "unlimited, like nofile=1024:4096",
				 value);
	if (!ulimit_in_order(soft, hard))
		return err_usage(
			e,
			"\"%.60s\": the first number, which counts, is above the "
			"second, up to which a job may raise it; exchange them",
			value);
	(void)snprintf(word, sizeof(word), "%.*s=%s:%s", (int)len, value, soft, hard);
	return job_list_add(&o->ulimit, word, e);
}

/* ---- directories ---- */

/* A place in the job's root: absolute, no "..", not the root itself unless @root */
static int place_check(const char *dst, bool root, const char *option, struct err *e)
{
	const char *p = dst;

	if (*p != '/' || (!root && !p[strspn(p, "/")]))
		return err_usage(e,
				 "\"%.60s\" is no place in the job's root; give a "
				 "path that begins with /, like %s",
				 dst, option);
	while (*p) {
		size_t n;

		p += strspn(p, "/");
		n = strcspn(p, "/");
		if (n == 2 && strncmp(p, "..", 2) == 0)
			return err_usage(e,
					 "\"%.60s\" has a \"..\" in it; write the place "
					 "without",
					 dst);
		p += n;
	}
	return 0;
}

static int volume_check_source(const char *src, struct err *e)
{
	struct stat st;

	if (stat(src, &st) < 0)
		return err_usage(e,
				 "%.200s: %s; check the path, or make it: mkdir %.200s",
				 src, strerror(errno), src);
	if (!S_ISDIR(st.st_mode))
		return err_usage(e,
				 "%.200s is no directory; give the directory that it is "
				 "in",
				 src);
	if (access(src, R_OK | X_OK) < 0)
		return err_usage(e,
				 "%.200s: this user may not read it; change its "
				 "permissions, or run as a user who may",
				 src);
	return 0;
}

int job_set_volume(struct job_options *o, const char *value, struct err *e)
{
	struct job_volume *v = &o->volume[o->nvolume];
	char *copy, *dst, *mode;
	int rc;

	if (o->nvolume == JOB_VOLUMES_MAX)
		return err_usage(e, "this is one too many; a job has at most %d volumes",
				 JOB_VOLUMES_MAX);
	*v = (struct job_volume){.src = copy = strdup(value)};
	if (!copy)
		return err_set(e, ENOMEM, "out of memory");
	o->nvolume++; /* so that it is freed */
	dst = strchr(copy, ':');
	if (!dst || dst == copy)
		return err_usage(e,
				 "\"%.60s\" has no place for it; give SRC:DST, like "
				 "./src:/src or ./src:/src:ro",
				 value);
	*dst++ = '\0';
	mode = strchr(dst, ':');
	if (mode) {
		*mode++ = '\0';
		if (strcmp(mode, "ro") != 0 && strcmp(mode, "rw") != 0)
			return err_usage(e, "\"%.60s\": \"%.20s\" is neither ro nor rw",
					 value, mode);
		v->readonly = strcmp(mode, "ro") == 0;
	}
	v->dst = dst;
	rc = place_check(dst, false, "./src:/src", e);
	for (unsigned int i = 0; rc == 0 && i + 1 < o->nvolume; i++)
		if (strcmp(o->volume[i].dst, dst) == 0)
			rc = err_usage(e, "two have the place %.100s; give each its own",
				       dst);
	return rc < 0 ? rc : volume_check_source(copy, e);
}

int job_set_tmpfs(struct job_options *o, const char *value, struct err *e)
{
	char *dst = strndup(value, strcspn(value, ":"));
	int rc = dst ? place_check(dst, false, "/scratch", e)
		     : err_set(e, ENOMEM, "out of memory");

	free(dst);
	return rc < 0 ? rc : job_list_add(&o->tmpfs, value, e);
}

/* ---- copies and their room ---- */

static int size_read(const char *value, uint64_t *size, struct err *e)
{
	if (parse_size(value, size) < 0 || *size < JOB_SIZE_MIN || *size > JOB_SIZE_MAX)
		return err_usage(e,
				 "\"%.60s\" is no size for it; give 1M to 16T, like 10G",
				 value);
	*size = ALIGN_UP(*size, (uint64_t)4096);
	return 0;
}

int job_set_scratch(struct job_options *o, const char *value, struct err *e)
{
	return size_read(value, &o->scratch, e);
}

int job_set_copy_out_limit(struct job_options *o, const char *value, struct err *e)
{
	return size_read(value, &o->out_most, e);
}

/* SRC and DST, parted at the colon that @find finds */
static int copies_add(struct job_copies *c, const char *value,
		      char *(*find)(const char *s, int c), const char *like,
		      struct err *e)
{
	char *copy, *colon;

	if (c->n == JOB_COPIES_MAX)
		return err_usage(e,
				 "this is one too many; give at most %d, or directories",
				 JOB_COPIES_MAX);
	copy = strdup(value);
	if (!copy)
		return err_set(e, ENOMEM, "out of memory");
	c->copy[c->n].src = copy;
	c->n++; /* so that it is freed */
	colon = find(copy, ':');
	if (!colon || colon == copy || !colon[1])
		return err_usage(e, "\"%.60s\" is not SRC:DST; give both, like %s", value,
				 like);
	*colon = '\0';
	c->copy[c->n - 1].dst = colon + 1;
	return 0;
}

int job_set_copy_in(struct job_options *o, const char *value, struct err *e)
{
	static const char like[] = "./input:/input";
	int rc = copies_add(&o->in, value, strrchr, like, e);

	return rc < 0 ? rc : place_check(o->in.copy[o->in.n - 1].dst, true, like, e);
}

int job_set_copy_out(struct job_options *o, const char *value, struct err *e)
{
	static const char like[] = "/output:./output";
	int rc = copies_add(&o->out, value, strchr, like, e);

	return rc < 0 ? rc : place_check(o->out.copy[o->out.n - 1].src, false, like, e);
}
