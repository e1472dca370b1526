/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot - the file `state`: its header, and the sections before those of the machine. */
#include "vmm/snapshot/snapshot.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "vmm/core/arch.h"
#include "vmm/core/util.h"
#include "vmm/snapshot/snapshot_parts.h"

#define SNAPSHOT_FORMAT   1
#define SNAPSHOT_ALIGN    (2 * MIB)
#define SNAPSHOT_TEXT_MAX (16 * MIB)

struct snapshot_head {
	char magic[16];
	uint32_t format;
	uint32_t unused; /* 0 */
	uint64_t len;    /* of the sections */
	uint32_t crc;    /* of the sections */
	uint32_t head_crc;
};
_Static_assert(sizeof(struct snapshot_head) == SNAPSHOT_HEADER, "no padding");

static const char snapshot_magic[16] = "microvm snapshot";

static uint32_t snapshot_crc(const void *p, size_t len)
{
	return (uint32_t)crc32_z(0, p, len);
}

void snapshot_header(uint8_t h[SNAPSHOT_HEADER], const void *p, size_t len)
{
	struct snapshot_head head = {.format = htole32(SNAPSHOT_FORMAT),
				     .len = htole64(len),
				     .crc = htole32(snapshot_crc(p, len))};

	memcpy(head.magic, snapshot_magic, sizeof(head.magic));
	head.head_crc =
		htole32(snapshot_crc(&head, offsetof(struct snapshot_head, head_crc)));
	memcpy(h, &head, sizeof(head));
}

int snapshot_check(const uint8_t *p, size_t len, struct err *e)
{
	struct snapshot_head head;

	if (len < sizeof(head) || memcmp(p, snapshot_magic, sizeof(snapshot_magic)) != 0)
		return err_set(e, EINVAL, "is no saved machine");
	memcpy(&head, p, sizeof(head));
	if (le32toh(head.head_crc) !=
	    snapshot_crc(p, offsetof(struct snapshot_head, head_crc)))
		return err_set(e, EINVAL,
			       "is damaged: its first bytes are not those "
			       "that were written; save the machine again");
	if (le32toh(head.format) != SNAPSHOT_FORMAT)
		return err_set(
			e, EINVAL,
			"has format %u, and this microvm reads %d; restore it with "
			"the microvm that saved it",
			le32toh(head.format), SNAPSHOT_FORMAT);
	if (le64toh(head.len) != len - sizeof(head))
		return err_set(e, EINVAL,
			       "has %zu bytes and should have %llu; was it copied whole?",
			       len, (unsigned long long)le64toh(head.len) + sizeof(head));
	if (le32toh(head.crc) != snapshot_crc(p + sizeof(head), len - sizeof(head)))
		return err_set(
			e, EINVAL,
			"is damaged: its checksum is another one; save the machine "
			"again");
	return 0;
}

uint64_t snapshot_region_at(const struct gmem *m, unsigned int i)
{
	uint64_t at = 0;

	for (unsigned int k = 0; k < i; k++)
		at += ALIGN_UP(m->region[k].len, SNAPSHOT_ALIGN);
	return at;
}

void snapshot_settings_state(char **text, struct state *s)
{
	uint32_t n = state_loading(s) ? 0 : (uint32_t)strlen(*text);

	state_begin(s, "settings", 1);
	state_same_bytes(s, arch_name, (uint32_t)strlen(arch_name), "architecture");
	state_u32(s, &n);
	if (state_loading(s)) {
		*text = state_ok(s) && n < SNAPSHOT_TEXT_MAX ? calloc(1, (size_t)n + 1)
							     : NULL;
		if (!*text)
			state_fail(s, "no memory for so much");
	}
	if (state_ok(s))
		state_bytes(s, *text, n);
	state_end(s);
}

void snapshot_layout_state(const struct gmem *m, struct state *s)
{
	state_begin(s, "layout", 1);
	state_same_u32(s, m->n, "regions of memory");
	for (unsigned int i = 0; i < m->n; i++) {
		state_same_u64(s, m->region[i].gpa / KIB,
			       "KiB of address before a region of memory");
		state_same_u64(s, m->region[i].len / KIB, "KiB of memory");
		state_same_u64(s, snapshot_region_at(m, i) / KIB,
			       "KiB of the file before a region of memory");
	}
	state_end(s);
}
