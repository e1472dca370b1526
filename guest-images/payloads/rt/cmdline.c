/* SPDX-License-Identifier: Apache-2.0 */
/* cmdline - how a test tells its payload what to do: name=value, split at blanks. */
#include "guest-images/payloads/rt/rt.h"

bool cmdline_value(const char *name, char *buf, size_t len)
{
	size_t nlen = strlen(name);
	const char *p = rt_boot.cmdline;

	while (*p) {
		size_t word = 0;

		while (p[word] && p[word] != ' ')
			word++;
		if (word > nlen && p[nlen] == '=' && !memcmp(p, name, nlen)) {
			size_t vlen = word - nlen - 1;

			if (vlen >= len)
				return false;
			memcpy(buf, p + nlen + 1, vlen);
			buf[vlen] = '\0';
			return true;
		}
		p += word;
		while (*p == ' ')
			p++;
	}
	return false;
}

static bool cmdline_parse(const char *s, uint64_t *v)
{
	unsigned int base = 10;

	if (s[0] == '0' && s[1] == 'x') {
		base = 16;
		s += 2;
	}
	if (!*s)
		return false;
	for (*v = 0; *s; s++) {
		unsigned int digit = *s >= 'a' ? (unsigned int)(*s - 'a') + 10
					       : (unsigned int)(*s - '0');

		if (digit >= base)
			return false;
		*v = *v * base + digit;
	}
	return true;
}

uint64_t cmdline_u64(const char *name, uint64_t otherwise)
{
	uint64_t v = otherwise;
	char buf[24];

	if (cmdline_value(name, buf, sizeof(buf)) && !cmdline_parse(buf, &v)) {
		print("FAIL: %s=%s is not a number\n", name, buf);
		guest_panic();
	}
	return v;
}

bool cmdline_is(const char *name, const char *value)
{
	char buf[64];

	return cmdline_value(name, buf, sizeof(buf)) && !strcmp(buf, value);
}
