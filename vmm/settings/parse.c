/* SPDX-License-Identifier: Apache-2.0 */
/* parse - the values an operator writes. */
#include "vmm/settings/parse.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "vmm/core/util.h"

struct parse_unit {
	const char *name;
	uint64_t factor;
};

/* The digits at the start of @s; @end is what follows them.  strtoull() will not do: it
 * takes white space, signs and 0x.
 */
static int parse_digits(const char *s, uint64_t *out, const char **end)
{
	uint64_t v = 0;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	for (; isdigit((unsigned char)*s); s++)
		if (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return -ERANGE;
	*out = v;
	*end = s;
	return 0;
}

int parse_uint(const char *s, uint64_t max, uint64_t *out)
{
	const char *end;
	uint64_t v;
	int rc = parse_digits(s, &v, &end);

	if (rc == -EINVAL || (rc == 0 && *end != '\0'))
		return -EINVAL;
	if (rc < 0 || v > max)
		return -ERANGE;
	*out = v;
	return 0;
}

int parse_milli(const char *s, uint64_t max, uint64_t *out)
{
	const char *end;
	uint64_t v, part = 0;
	int rc = parse_digits(s, &v, &end);

	if (rc < 0)
		return rc;
	if (*end == '.') {
		s = end + 1;
		rc = parse_digits(s, &part, &end);
		if (rc < 0 || end - s > 3)
			return -EINVAL;
		for (long n = end - s; n < 3; n++)
			part *= 10;
	}
	if (*end != '\0')
		return -EINVAL;
	if (v > max || (v == max && part))
		return -ERANGE;
	*out = v * 1000 + part;
	return 0;
}

static int parse_scaled(const char *s, const struct parse_unit *units, unsigned int n,
			uint64_t *out)
{
	const char *end;
	uint64_t v;
	int rc = parse_digits(s, &v, &end);

	if (rc < 0)
		return rc;
	for (unsigned int i = 0; i < n; i++) {
		if (strcasecmp(end, units[i].name) != 0)
			continue;
		if (__builtin_mul_overflow(v, units[i].factor, &v))
			return -ERANGE;
		*out = v;
		return 0;
	}
	return -EINVAL;
}

int parse_size(const char *s, uint64_t *out)
{
	static const struct parse_unit units[] = {
		{"", 1},          {"b", 1},           {"k", KIB}, {"kib", KIB},
		{"m", MIB},       {"mib", MIB},       {"g", GIB}, {"gib", GIB},
		{"t", KIB * GIB}, {"tib", KIB * GIB},
	};

	return parse_scaled(s, units, ARRAY_SIZE(units), out);
}

int parse_duration(const char *s, uint64_t *out)
{
	static const struct parse_unit units[] = {
		{"", UINT64_C(1000000000)},
		{"ns", 1},
		{"us", 1000},
		{"ms", 1000000},
		{"s", UINT64_C(1000000000)},
		{"m", UINT64_C(60000000000)},
		{"h", UINT64_C(3600000000000)},
	};

	return parse_scaled(s, units, ARRAY_SIZE(units), out);
}

int parse_switch(const char *s, bool *out)
{
	if (strcmp(s, "on") != 0 && strcmp(s, "off") != 0)
		return -EINVAL;
	*out = s[1] == 'n';
	return 0;
}

static int parse_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int parse_mac(const char *s, uint8_t out[6])
{
	uint8_t mac[6];

	if (strlen(s) != 17)
		return -EINVAL;
	for (unsigned int i = 0; i < 6; i++, s += 3) {
		int hi = parse_hex_digit(s[0]), lo = parse_hex_digit(s[1]);

		if (hi < 0 || lo < 0 || s[2] != (i < 5 ? ':' : '\0'))
			return -EINVAL;
		mac[i] = (uint8_t)(hi << 4 | lo);
	}
	memcpy(out, mac, sizeof(mac));
	return 0;
}

void nearest_offer(struct nearest *n, const char *name)
{
	size_t len = strlen(n->given);
	unsigned int d = edit_distance(n->given, name);

	/* A prefix also counts as a typing error: "mem" means "memory". */
	if (len > 0 && strncmp(n->given, name, len) == 0)
		d = MIN(d, 1);
	if (d > 1 + len / 4 || (n->best && d >= n->distance))
		return;
	n->best = name;
	n->distance = d;
}
