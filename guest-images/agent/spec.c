/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-images/agent/spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	int resource;
} limit_names[] = {
	{"as", RLIMIT_AS},
	{"core", RLIMIT_CORE},
	{"cpu", RLIMIT_CPU},
	{"data", RLIMIT_DATA},
	{"fsize", RLIMIT_FSIZE},
	{"locks", RLIMIT_LOCKS},
	{"memlock", RLIMIT_MEMLOCK},
	{"msgqueue", RLIMIT_MSGQUEUE},
	{"nice", RLIMIT_NICE},
	{"nofile", RLIMIT_NOFILE},
	{"nproc", RLIMIT_NPROC},
	{"rss", RLIMIT_RSS},
	{"rtprio", RLIMIT_RTPRIO},
	{"rttime", RLIMIT_RTTIME},
	{"sigpending", RLIMIT_SIGPENDING},
	{"stack", RLIMIT_STACK},
};

bool number(const char *text, uint64_t max, uint64_t *v)
{
	uint64_t n = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		if (*text < '0' || *text > '9' || digit > max || n > (max - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*v = n;
	return true;
}

static bool limit_value(const char *text, rlim_t *v)
{
	uint64_t n;

	if (!strcmp(text, "unlimited") || !strcmp(text, "-1")) {
		*v = RLIM_INFINITY;
		return true;
	}
	if (!number(text, INT64_MAX, &n))
		return false;
	*v = n;
	return true;
}

/* "nofile=1024:4096"; one number is both */
static bool take_limit(struct spec *s, const char *value)
{
	char text[80], *soft, *hard;

	if (strlen(value) >= sizeof(text))
		return false;
	strcpy(text, value);
	soft = strchr(text, '=');
	if (!soft)
		return false;
	*soft++ = '\0';
	hard = strchr(soft, ':');
	if (hard)
		*hard++ = '\0';
	for (size_t i = 0; i < sizeof(limit_names) / sizeof(limit_names[0]); i++) {
		struct rlimit *l = &s->limits[limit_names[i].resource];

		if (strcmp(text, limit_names[i].name) != 0)
			continue;
		s->limited |= 1U << limit_names[i].resource;
		return limit_value(soft, &l->rlim_cur) &&
		       limit_value(hard ? hard : soft, &l->rlim_max) &&
		       l->rlim_cur <= l->rlim_max;
	}
	return false;
}

static bool take_size(struct spec *s, const char *value)
{
	unsigned int rows, cols;
	char end;

	if (sscanf(value, "%5u %5u%c", &rows, &cols, &end) != 2 || rows > UINT16_MAX ||
	    cols > UINT16_MAX)
		return false;
	s->terminal = true;
	s->rows = (uint16_t)rows;
	s->cols = (uint16_t)cols;
	return true;
}

static bool take(struct spec *s, const char *name, const char *value)
{
	if (!strcmp(name, "arg"))
		s->argv[s->nargs++] = (char *)value;
	else if (!strcmp(name, "env"))
		s->env[s->nenv++] = (char *)value;
	else if (!strcmp(name, "copy"))
		s->copy[s->ncopy++] = (char *)value;
	else if (!strcmp(name, "workdir"))
		s->workdir = value;
	else if (!strcmp(name, "user"))
		s->user = value;
	else if (!strcmp(name, "stdin"))
		s->has_stdin = true;
	else if (!strcmp(name, "terminal"))
		return take_size(s, value);
	else if (!strcmp(name, "ulimit"))
		return take_limit(s, value);
	else
		return false;
	return true;
}

bool spec_parse(struct spec *s, char *text, size_t len, char why[AGENT_SENTENCE + 1])
{
	const char *name, *value;
	size_t at = 0, strings = 1;
	int rc;

	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < len; i++)
		strings += !text[i];
	/* TERM, HOME, PATH and HOSTNAME may join it */
	s->argv = calloc(strings, sizeof(*s->argv));
	s->env = calloc(strings + 4, sizeof(*s->env));
	s->copy = calloc(strings, sizeof(*s->copy));
	if (!s->argv || !s->env || !s->copy)
		return sentence(why, "the agent has no memory for the job's words");
	while ((rc = agent_text_next(text, len, &at, &name, &value)) == 1)
		if (!take(s, name, value))
			return sentence(why, "the agent does not understand %.40s=%.200s",
					name, value);
	if (rc < 0)
		return sentence(why, "the agent got a job's text that is cut");
	if (!s->nargs || !*s->argv[0])
		return sentence(why, "there is no command: name one after --");
	return true;
}

void spec_free(struct spec *s)
{
	free(s->argv);
	free(s->env);
	free(s->copy);
	memset(s, 0, sizeof(*s));
}
