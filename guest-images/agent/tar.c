/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-images/agent/tar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest-images/agent/spec.h"

#define BUF    (256 * 1024U)
#define XATTR  "SCHILY.xattr."
#define CUT    "the tar ends in the middle: it is cut"
#define BROKEN "this is no tar, or a broken one: the header at byte %llu is none"

/* Places in a header */
#define H_NAME   0, 100
#define H_MODE   100, 8
#define H_UID    108, 8
#define H_GID    116, 8
#define H_SIZE   124, 12
#define H_MTIME  136, 12
#define H_LINK   157, 100
#define H_MAJOR  329, 8
#define H_MINOR  337, 8
#define H_PREFIX 345, 155
#define AT_SUM   148
#define AT_TYPE  156
#define AT_MAGIC 257

bool tar_take(struct tar *t, const uint8_t **p, size_t *n)
{
	if (t->at == t->have) {
		size_t want = t->left < BUF ? (size_t)t->left : BUF;
		ssize_t got;

		do
			got = want ? read(t->fd, t->buf, want) : 0;
		while (got < 0 && errno == EINTR);
		if (got <= 0)
			return sentence(t->why,
					got < 0 ? "the tar cannot be read: %s" : CUT,
					strerror(errno));
		t->left -= (uint64_t)got;
		t->at = 0;
		t->have = (size_t)got;
	}
	*p = t->buf + t->at;
	if (*n > t->have - t->at)
		*n = t->have - t->at;
	t->at += *n;
	return true;
}

/* @len bytes of the archive, to @dst or to nowhere */
static bool get(struct tar *t, void *dst, uint64_t len)
{
	while (len) {
		size_t n = len < BUF ? (size_t)len : BUF;
		const uint8_t *p;

		if (!tar_take(t, &p, &n))
			return false;
		if (dst)
			dst = mempcpy(dst, p, n);
		len -= n;
	}
	return true;
}

static uint64_t padding(uint64_t size)
{
	return -size % TAR_BLOCK;
}

/* A number of a header: octal with blanks around, or GNU's big-endian one.  A negative one is 0. */
static uint64_t field(const uint8_t *h, size_t at, size_t len)
{
	const uint8_t *p = h + at, *end = p + len;
	uint64_t v = 0;

	if (*p & 0x80) {
		for (v = *p++ & 0x3f; p < end; p++)
			v = v >> 56 ? UINT64_MAX >> 1 : v << 8 | *p;
		return h[at] & 0x40 ? 0 : v;
	}
	while (p < end && *p == ' ')
		p++;
	for (; p < end && *p >= '0' && *p <= '7'; p++)
		v = v << 3 | (uint64_t)(*p - '0');
	return v;
}

static char *put_text(char *dst, const uint8_t *h, size_t at, size_t len)
{
	size_t n = strnlen((const char *)h + at, len);

	memcpy(dst, h + at, n);
	dst[n] = '\0';
	return dst + n;
}

/* The sum of a header's bytes, its own place taken for blanks; some took bytes for signed */
static bool sum_is_right(const uint8_t *h)
{
	uint64_t want = field(h, AT_SUM, 8);
	int64_t sum = 0, signed_sum = 0;

	for (size_t i = 0; i < TAR_BLOCK; i++) {
		uint8_t c = i >= AT_SUM && i < AT_SUM + 8 ? ' ' : h[i];

		sum += c;
		signed_sum += (int8_t)c;
	}
	return want == (uint64_t)sum || want == (uint64_t)signed_sum;
}

/* A header as it stands there, over what extended ones have said */
static void take_header(struct tar_member *m, const uint8_t *h)
{
	bool ustar = !memcmp(h + AT_MAGIC, "ustar\0", 6);
	char *p = m->name;

	m->type = (char)h[AT_TYPE];
	if (!*m->name) {
		if (ustar && h[345])
			p = put_text(p, h, H_PREFIX), *p++ = '/';
		p = put_text(p, h, H_NAME);
	}
	if (!*m->link)
		(void)put_text(m->link, h, H_LINK);
	m->mode = (uint32_t)field(h, H_MODE) & 07777;
	m->uid = (uint32_t)field(h, H_UID);
	m->gid = (uint32_t)field(h, H_GID);
	m->size = field(h, H_SIZE);
	m->mtime.tv_sec = (time_t)field(h, H_MTIME);
	m->major = (uint32_t)field(h, H_MAJOR);
	m->minor = (uint32_t)field(h, H_MINOR);
}

/* Step to the next record of a pax header, "LENGTH KEY=VALUE\n", in [*@at, @t->npax).
 * Return: 1; 0, that was all; -1, it is none */
static int next_record(struct tar *t, size_t *at, char **key, char **value, size_t *len)
{
	char *p = t->pax + *at, *end = t->pax + t->npax, *eq;
	size_t record = 0, head;

	if (p == end)
		return 0;
	for (head = 0; head < 8 && p + head < end && p[head] >= '0' && p[head] <= '9';
	     head++)
		record = record * 10 + (size_t)(p[head] - '0');
	if (p + head >= end || p[head] != ' ' || record < head + 4 ||
	    record > (size_t)(end - p) || p[record - 1] != '\n')
		return -1;
	*key = p + head + 1;
	eq = memchr(*key, '=', record - head - 2);
	if (!eq)
		return -1;
	*value = eq + 1;
	*len = (size_t)(p + record - 1 - *value);
	*at += record;
	return 1;
}

/* Is a record's key this one? */
static bool key_is(const char *key, const char *value, const char *name)
{
	size_t n = strlen(name);

	return (size_t)(value - 1 - key) == n && !memcmp(key, name, n);
}

static bool take_name(struct tar *t, char *dst, const char *p, size_t len)
{
	if (len >= TAR_NAME || memchr(p, '\0', len))
		return sentence(t->why, "the tar has a name that no file can have");
	memcpy(dst, p, len);
	dst[len] = '\0';
	return true;
}

static bool record_number(const char *p, size_t len, uint64_t max, uint64_t *v)
{
	char text[24];

	if (len >= sizeof(text))
		return false;
	memcpy(text, p, len);
	text[len] = '\0';
	return number(text, max, v);
}

/* What a pax record says of the member whose header has been taken */
static bool apply_record(struct tar *t, const char *key, const char *value, size_t len)
{
	struct tar_member *m = &t->m;
	uint64_t v;

	if (key_is(key, value, "size")) {
		if (!record_number(value, len, INT64_MAX, &m->size))
			return sentence(t->why, "the tar has a size that is no number");
	} else if (key_is(key, value, "uid")) {
		if (record_number(value, len, UINT32_MAX - 1, &v))
			m->uid = (uint32_t)v;
	} else if (key_is(key, value, "gid")) {
		if (record_number(value, len, UINT32_MAX - 1, &v))
			m->gid = (uint32_t)v;
	} else if (key_is(key, value, "mtime")) {
		const char *dot = memchr(value, '.', len);

		if (record_number(value, dot ? (size_t)(dot - value) : len, INT64_MAX,
				  &v))
			m->mtime.tv_sec = (time_t)v;
	} else if (!strncmp(key, "GNU.sparse.", 11)) {
		return sentence(
			t->why,
			"the tar has sparse files, which are not unpacked here: make it without --sparse");
	} else if (key_is(key, value, "path")) {
		return take_name(t, m->name, value, len);
	} else if (key_is(key, value, "linkpath")) {
		return take_name(t, m->link, value, len);
	}
	return true;
}

static bool apply_pax(struct tar *t)
{
	char *key, *value;
	size_t at = 0, len;
	int rc;

	if (!t->pax)
		return true;
	while ((rc = next_record(t, &at, &key, &value, &len)) == 1)
		if (!apply_record(t, key, value, len))
			return false;
	return rc == 0 || sentence(t->why, "the tar has an extended header that is none");
}

bool tar_next_xattr(struct tar *t, size_t *at, const char **name, const char **value,
		    size_t *len)
{
	char *key, *v;

	while (t->pax && next_record(t, at, &key, &v, len) == 1)
		if (!strncmp(key, XATTR, strlen(XATTR))) {
			v[-1] = '\0';
			*name = key + strlen(XATTR);
			*value = v;
			return true;
		}
	return false;
}

/* The payload of a header that is about the next one: pax's records, or GNU's long name */
static bool take_extension(struct tar *t, char type, uint64_t size)
{
	char *text;
	bool ok = true;

	if (size > TAR_PAX)
		return sentence(
			t->why,
			"the tar has an extended header of %llu bytes, and may have %u",
			(unsigned long long)size, TAR_PAX);
	text = malloc((size_t)size + 1);
	if (!text)
		return sentence(
			t->why,
			"there is no memory for the tar's names: give more by --memory");
	text[size] = '\0';
	if (!get(t, text, size) || !get(t, NULL, padding(size))) {
		free(text);
		return false;
	}
	if (type == 'x') {
		free(t->pax);
		t->pax = text;
		t->npax = (size_t)size;
		return true;
	}
	if (type == 'L' || type == 'K')
		ok = take_name(t, type == 'L' ? t->m.name : t->m.link, text,
			       strlen(text));
	free(text);
	return ok;
}

/* Return: 1, @t->m is the next member; 0, the archive has ended; -1 */
static int next_member(struct tar *t, uint64_t size)
{
	static const uint8_t zero[TAR_BLOCK];
	uint8_t h[TAR_BLOCK];

	memset(&t->m, 0, sizeof(t->m));
	free(t->pax);
	t->pax = NULL;
	for (;;) {
		unsigned long long at = size - t->left - (t->have - t->at);

		if (!get(t, h, sizeof(h)))
			return -1;
		if (!memcmp(h, zero, sizeof(h)))
			return 0;
		if (!sum_is_right(h)) {
			(void)sentence(t->why, BROKEN, at);
			return -1;
		}
		if (!memchr("xgLKV", h[AT_TYPE], 5))
			break;
		if (!take_extension(t, (char)h[AT_TYPE], field(h, H_SIZE)))
			return -1;
	}
	take_header(&t->m, h);
	if (!apply_pax(t))
		return -1;
	if (memchr("123456", t->m.type, 6))
		t->m.size = 0; /* whatever it says, no bytes follow */
	return 1;
}

/* A compressed one is the commonest mistake */
static bool refuse_packed(struct tar *t)
{
	static const struct {
		const char *magic, *name, *cure;
	} packed[] = {
		{"\x1f\x8b", "gzip", "gzip -dc"},
		{"\x28\xb5\x2f\xfd", "zstd", "zstd -dc"},
		{"\xfd"
		 "7zXZ",
		 "xz", "xz -dc"},
		{"BZh", "bzip2", "bzip2 -dc"},
	};
	size_t n = TAR_BLOCK;
	const uint8_t *p;

	if (!tar_take(t, &p, &n))
		return false;
	t->at -= n;
	for (size_t i = 0; i < sizeof(packed) / sizeof(packed[0]); i++)
		if (n >= 8 && !memcmp(p, packed[i].magic, strlen(packed[i].magic)))
			return sentence(
				t->why,
				"the tar is packed by %s: unpack it first, %s FILE | microvm run -",
				packed[i].name, packed[i].cure);
	return true;
}

bool tar_unpack(int fd, uint64_t size, int root, char why[AGENT_SENTENCE + 1])
{
	struct tar_place place = {.root = root, .dir = -1, .why = why};
	struct tar *t = calloc(1, sizeof(*t));
	int rc = -1;

	if (t)
		t->buf = malloc(BUF);
	if (!t || !t->buf) {
		free(t);
		return sentence(
			why,
			"there is no memory to unpack a tar in: give more by --memory");
	}
	t->fd = fd;
	t->left = size;
	t->why = why;
	if (refuse_packed(t))
		while ((rc = next_member(t, size)) == 1) {
			uint64_t data = t->m.size;

			if (!tar_put(&place, t, &data) || !get(t, NULL, data) ||
			    !get(t, NULL, padding(t->m.size))) {
				rc = -1;
				break;
			}
		}
	if (place.dir >= 0)
		close(place.dir);
	free(t->pax);
	free(t->buf);
	free(t);
	return rc == 0;
}
