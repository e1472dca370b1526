/* SPDX-License-Identifier: Apache-2.0 */
/* setting_parts - memory, and the setters that values with parts share. */
#include "vmm/settings/setting_parts.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/settings/config_life.h"
#include "vmm/core/util.h"
#include "vmm/settings/parse.h"

#define SETTING_BYTES_MIN 1024
#define SETTING_RATE_MAX  (INT64_MAX / 4) /* rate.h */

int parts_no_word(const char *value, const char *what, const char *words,
		  const char *cure, struct err *e)
{
	struct nearest n = {.given = value};
	char copy[128], *rest = copy, *word;

	(void)snprintf(copy, sizeof(copy), "%s", words);
	while ((word = strsep(&rest, " ")))
		nearest_offer(&n, word);
	if (n.best)
		return err_usage(e, "\"%.60s\" %s; did you mean %s?", value, what,
				 n.best);
	return err_usage(e, "\"%.60s\" %s; %s", value, what, cure);
}

int parts_switch(bool *out, const char *value, struct err *e)
{
	if (parse_switch(value, out) == 0)
		return 0;
	return parts_no_word(value, "is neither on nor off", "on off", "give one of them",
			     e);
}

int parts_id(char out[CONFIG_ID_MAX + 1], const char *value, struct err *e)
{
	static const char ok[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				 "0123456789_-";
	size_t len = strlen(value);

	if (len > CONFIG_ID_MAX || strspn(value, ok) != len)
		return err_usage(
			e,
			"\"%.60s\" cannot name a device; give at most %d letters, "
			"digits, dashes and underscores",
			value, CONFIG_ID_MAX);
	memcpy(out, value, len + 1);
	return 0;
}

int parts_fd(int *out, const char *value, struct err *e)
{
	uint64_t n;

	if (parse_uint(value, INT_MAX, &n) < 0 || n <= STDERR_FILENO)
		return err_usage(e,
				 "\"%.60s\" is not the number of a descriptor to pass; "
				 "give 3 or more (0 to 2 are stdin, stdout and stderr)",
				 value);
	*out = (int)n;
	return 0;
}

int parts_bytes(uint64_t *out, const char *value, struct err *e)
{
	int rc = parse_size(value, out);

	if (rc == 0 && *out >= SETTING_BYTES_MIN && *out <= SETTING_RATE_MAX)
		return 0;
	return err_usage(e,
			 "\"%.60s\" is not a number of bytes that can be kept; give %d "
			 "or more, like 100M",
			 value, SETTING_BYTES_MIN);
}

int parts_ops(uint64_t *out, const char *value, struct err *e)
{
	if (parse_uint(value, SETTING_RATE_MAX, out) == 0 && *out > 0)
		return 0;
	return err_usage(e,
			 "\"%.60s\" is not a number of operations that can be kept; give "
			 "1 or more, like 500",
			 value);
}

/* Does @path end in "_" and a port, as printf("%u") writes it, with a name before that? */
static bool parts_is_guests_port(const char *path)
{
	const char *port = strrchr(path, '_');
	uint64_t n;

	if (!port || port == path || port[-1] == '/')
		return false;
	port++;
	return (*port != '0' || !port[1]) && parse_uint(port, UINT32_MAX, &n) == 0;
}

int parts_socket(char **out, const char *value, size_t max, const char *why,
		 struct err *e)
{
	size_t len = strlen(value);

	if (len > max)
		return err_usage(
			e,
			"\"%.60s...\" is too long for a socket: give at most %zu "
			"bytes%s",
			value, max, why);
	if (parts_is_guests_port(value))
		return err_usage(e,
				 "\"%s\" is where the guest of a machine with --vsock "
				 "%.*s arrives that connects to port %s; end the name "
				 "otherwise, like %s.sock",
				 value, (int)(strrchr(value, '_') - value), value,
				 strrchr(value, '_') + 1, value);
	return config_string(out, value, e);
}

int parts_rate_end(const struct config_rate *r, const char *prefix, struct err *e)
{
	const char *unit = r->bytes_burst && !r->bytes ? "bps" : "iops";

	if ((r->bytes || !r->bytes_burst) && (r->ops || !r->ops_burst))
		return 0;
	return err_usage(e,
			 "%s%s-burst= is a part of a limit that is not there; give "
			 "%s%s=, too",
			 prefix, unit, prefix, unit);
}

/* --memory */

static int memory_begin(struct config *cfg, struct err *e)
{
	(void)e;
	cfg->memory = 0;
	cfg->hugepages = false;
	return 0;
}

static int memory_set_size(struct config *cfg, const char *value, struct err *e)
{
	uint64_t n;
	int rc = parse_size(value, &n);

	if (rc == -EINVAL)
		return err_usage(
			e,
			"\"%.60s\" is not a size; give a whole number with K, M, G "
			"or T, like 512M",
			value);
	if (rc < 0)
		return err_usage(e, "\"%.60s\" is more than any host has; give less",
				 value);
	if (n < CONFIG_MEMORY_MIN)
		return err_usage(
			e,
			"\"%.60s\" is %llu bytes, less than the 16 MiB a machine "
			"needs; give more, like 512M",
			value, (unsigned long long)n);
	cfg->memory = n;
	return 0;
}

static int memory_set_hugepages(struct config *cfg, const char *value, struct err *e)
{
	return parts_switch(&cfg->hugepages, value, e);
}

static int memory_end(struct config *cfg, struct err *e)
{
	if (!cfg->memory)
		return err_usage(e, "there is no size; give one, like size=512M");
	return 0;
}

static const struct setting_part memory_parts[] = {
	{"size", NULL, SETTING_QUANTITY, memory_set_size, "SIZE", "at least 16M"},
	{"hugepages", NULL, SETTING_SWITCH, memory_set_hugepages, NULL,
	 "from the host's pool of pages of 2 MiB"},
};

const struct setting_parts setting_memory = {
	.part = memory_parts,
	.n = ARRAY_SIZE(memory_parts),
	.bare = true,
	.begin = memory_begin,
	.end = memory_end,
};
