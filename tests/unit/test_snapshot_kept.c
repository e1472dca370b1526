/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_snapshot_kept - states of whole machines: those that earlier versions wrote are loaded by this one, for
 * ever (tests/fuzz/corpus/kept); and what this one writes, with a bit turned over or cut, by none.
 *
 * With KEEP=FILE it writes such a state, of this version.
 */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>

#include "tests/lib/plain_machine.h"
#include "tests/lib/unit.h"
#include "vmm/core/arch.h"

#define KEPT     SOURCE_ROOT "/tests/fuzz/corpus/kept"
#define KEPT_MAX (1u << 20)

static uint8_t file[KEPT_MAX];
static size_t len;

static void setup(void)
{
	plain_build();
}

/* What @s has, with its header, in @file */
static void written(const struct state *s)
{
	ck_assert_msg(state_ok(s), "%s", s->why);
	len = SNAPSHOT_HEADER + s->pos;
	ck_assert_uint_lt(len, sizeof(file));
	memcpy(file + SNAPSHOT_HEADER, s->buf, s->pos);
	snapshot_header(file, s->buf, s->pos);
}

static int load(void)
{
	struct snapshot s = {
		.load.memory = -1, .path = (char *)"kept", .file = file, .len = len};
	int rc = snapshot_take(&s, &e);

	if (rc == 0)
		rc = s.load.state(&s.load, &m, &e);
	free(s.settings);
	return rc;
}

static void live_state(struct state *s)
{
	plain_live();
	plain_collect(s);
	plain_reset();
	written(s);
}

START_TEST(all_that_was_kept_is_loaded)
{
	DIR *d = opendir(KEPT);
	struct dirent *entry;
	unsigned int n = 0;

	while (d && (entry = readdir(d))) {
		int fd;

		if (strncmp(entry->d_name, arch_name, strlen(arch_name)) != 0)
			continue;
		fd = openat(dirfd(d), entry->d_name, O_RDONLY | O_CLOEXEC);
		len = (size_t)read_full(fd, file, sizeof(file));
		close(fd);
		ck_assert_msg(load() == 0, "%s: %s", entry->d_name, e.msg);
		plain_reset();
		n++;
	}
	ck_assert(d && (n > 0 || strcmp(arch_name, "x86-64") != 0));
	closedir(d);
}
END_TEST

START_TEST(a_live_machine_is_loaded_whole)
{
	const char *keep = getenv("KEEP");
	struct state s, again;
	FILE *f;

	live_state(&s);
	f = keep ? fopen(keep, "wb") : NULL;
	if (f)
		ck_assert(fwrite(file, 1, len, f) == len && fclose(f) == 0);
	ck_assert_msg(load() == 0, "%s", e.msg);
	plain_collect(&again);
	ck_assert_msg(state_ok(&again), "%s", again.why);
	ck_assert_uint_eq(again.pos, s.pos);
	for (unsigned int i = 0; i < m.ndev; i++) {
		uint64_t at = m.dev[i]->base + VIRTIO_MMIO_STATUS;

		if (plain_is_virtio(i))
			ck_assert_msg(bus_read(&m.mmio, at, 4) == 15, "%s: %x",
				      m.dev[i]->name,
				      (unsigned int)bus_read(&m.mmio, at, 4));
	}
	state_free(&s);
	state_free(&again);
}
END_TEST

START_TEST(every_bit_and_every_cut_is_refused)
{
	struct state s;
	size_t whole;

	live_state(&s);
	whole = len;
	for (size_t bit = 0; bit < len * 8; bit++) {
		file[bit / 8] ^= (uint8_t)(1U << bit % 8);
		ck_assert_msg(snapshot_check(file, len, &e) < 0, "bit %zu", bit);
		file[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	for (len = 0; len < whole; len++)
		ck_assert_msg(load() < 0, "cut at %zu", len);
	len = whole;
	ck_assert_int_eq(load(), 0);
	state_free(&s);
}
END_TEST

/* One that ends early, with the right checksum, is refused wherever that is, and leaves the devices as after a
 * reset: the whole one is loaded after it
 */
START_TEST(every_end_is_refused)
{
	struct state s;

	live_state(&s);
	for (size_t n = 0; n < s.pos; n += 1 + n / 40) {
		len = SNAPSHOT_HEADER + n;
		snapshot_header(file, s.buf, n);
		ck_assert_msg(load() < 0, "cut at %zu", n);
		plain_reset();
	}
	written(&s);
	ck_assert_msg(load() == 0, "%s", e.msg);
	state_free(&s);
}
END_TEST

UNIT_MAIN("snapshot_kept", setup, NULL, t)
{
	tcase_add_test(t, all_that_was_kept_is_loaded);
	tcase_add_test(t, a_live_machine_is_loaded_whole);
	tcase_add_test(t, every_bit_and_every_cut_is_refused);
	tcase_add_test(t, every_end_is_refused);
}
