/* SPDX-License-Identifier: Apache-2.0 */
/* matrix - kernels, memory sizes, numbers of processors, command lines and roots, each with each. */
#include "vmm/test/matrix.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/core/util.h"
#include "vmm/settings/parse.h"
#include "vmm/test/test_options.h"

static int set_kernel(struct job_reader *r, const char *value, struct err *e)
{
	return job_setting(r, "kernel", value, e);
}

static int set_memory(struct job_reader *r, const char *value, struct err *e)
{
	return job_setting(r, "memory", value, e);
}

static int set_cpus(struct job_reader *r, const char *value, struct err *e)
{
	return job_setting(r, "cpus", value, e);
}

static int set_append(struct job_reader *r, const char *value, struct err *e)
{
	struct test_options *o = r->ctx;

	(void)e;
	o->append = value;
	return 0;
}

static int set_root(struct job_reader *r, const char *value, struct err *e)
{
	(void)e;
	r->o->root = value;
	r->o->host = strcmp(value, "host") == 0;
	return 0;
}

static const struct {
	const char *name;
	int (*set)(struct job_reader *r, const char *value, struct err *e);
} axes[] = {{"kernel", set_kernel},
	    {"memory", set_memory},
	    {"cpus", set_cpus},
	    {"append", set_append},
	    {"root", set_root}};
_Static_assert(ARRAY_SIZE(axes) == MATRIX_AXES, "a list for each");

/* A whole number in JSON is the same as its text */
static int axis_set(unsigned int axis, const json_t *v, struct job_reader *r,
		    struct err *e)
{
	char number[32];

	if (json_is_string(v) && (*json_string_value(v) || axes[axis].set == set_append))
		return axes[axis].set(r, json_string_value(v), e);
	if (!json_is_integer(v) || axes[axis].set == set_append ||
	    axes[axis].set == set_root)
		return err_usage(e, "is no text; give one like \"512M\"");
	(void)snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(v));
	return axes[axis].set(r, number, e);
}

static int axis_try(const struct matrix *m, unsigned int axis, struct job_reader *r,
		    struct err *e)
{
	size_t n = json_array_size(m->axis[axis]);

	if (!n)
		return err_usage(e,
				 "%s: is no list, or empty; give one like [\"a\", \"b\"]",
				 axes[axis].name);
	for (size_t i = 0; i < n; i++)
		if (axis_set(axis, json_array_get(m->axis[axis], i), r, e) < 0)
			return err_wrap(e, "%s[%zu]", axes[axis].name, i);
	return 0;
}

static int matrix_key(struct matrix *m, const char *key, json_t *value, struct err *e)
{
	struct nearest near = {.given = key};

	for (unsigned int i = 0; i < MATRIX_AXES; i++) {
		if (strcmp(key, axes[i].name) == 0) {
			m->axis[i] = value;
			return 0;
		}
		nearest_offer(&near, axes[i].name);
	}
	return err_usage(e, "there is no \"%.60s\"; %s%s", key,
			 near.best ? "did you mean " : "",
			 near.best ? near.best
				   : "there are kernel, memory, cpus, append and root");
}

static int matrix_check(struct matrix *m, struct job_reader *r, struct err *e)
{
	const char *key;
	json_t *value;

	if (!json_is_object(m->doc))
		return err_usage(
			e, "is no object; give one like {\"kernel\": [\"a\", \"b\"]}");
	json_object_foreach(m->doc, key,
			    value) if (matrix_key(m, key, value, e) < 0) return -e->code;
	for (unsigned int i = 0; i < MATRIX_AXES; i++) {
		if (!m->axis[i])
			continue;
		if (axis_try(m, i, r, e) < 0)
			return -e->code;
		if (json_array_size(m->axis[i]) > TEST_REPEAT_MAX / m->n)
			return err_usage(e, "has more than %d combinations; divide it",
					 TEST_REPEAT_MAX);
		m->n *= (unsigned int)json_array_size(m->axis[i]);
	}
	return 0;
}

int matrix_read(struct matrix *m, const char *path, struct job_reader *r, struct err *e)
{
	json_error_t why;

	*m = (struct matrix){.n = 1};
	if (!path)
		return 0;
	m->doc = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
	if (!m->doc)
		return err_usage(e, "--matrix: %.200s: line %d: %.160s", path,
				 MAX(why.line, 0), why.text);
	return matrix_check(m, r, e) < 0 ? err_wrap(e, "--matrix: %.200s", path) : 0;
}

void matrix_free(struct matrix *m)
{
	json_decref(m->doc);
	m->doc = NULL;
}

/* @nr's value on @axis; @nr is then that of the axes which are left.  NULL: there is none */
static const json_t *matrix_value(const struct matrix *m, unsigned int axis,
				  unsigned int *nr)
{
	unsigned int n = (unsigned int)json_array_size(m->axis[axis]), at;

	if (!n)
		return NULL;
	at = *nr % n;
	*nr /= n;
	return json_array_get(m->axis[axis], at);
}

int matrix_apply(const struct matrix *m, unsigned int nr, struct job_reader *r,
		 struct err *e)
{
	for (unsigned int i = MATRIX_AXES; i-- > 0;) {
		const json_t *v = matrix_value(m, i, &nr);

		if (v && axis_set(i, v, r, e) < 0)
			return -e->code;
	}
	return 0;
}

void matrix_name(const struct matrix *m, unsigned int nr, char *buf, size_t len)
{
	const json_t *v[MATRIX_AXES];
	size_t n = 0;

	buf[0] = '\0';
	for (unsigned int i = MATRIX_AXES; i-- > 0;)
		v[i] = matrix_value(m, i, &nr);
	for (unsigned int i = 0; i < MATRIX_AXES && n < len; i++) {
		if (json_is_string(v[i]))
			n += (size_t)snprintf(buf + n, len - n, "%s%s=%s", n ? " " : "",
					      axes[i].name, json_string_value(v[i]));
		else if (v[i])
			n += (size_t)snprintf(buf + n, len - n, "%s%s=%lld", n ? " " : "",
					      axes[i].name,
					      (long long)json_integer_value(v[i]));
	}
	text_printable(buf, strlen(buf));
}
