/* SPDX-License-Identifier: Apache-2.0 */
/* test_snapshot_save - what is asked of a machine, and what becomes of it, while it is being saved. */
#include <check.h>
#include <errno.h>

#include "tests/lib/plain_machine.h"
#include "tests/lib/unit.h"
#include "vmm/machine/machine_ops.h"

static struct snapshot_saver *saver;
static struct machine_ops ops;
static struct machine_asker asker;
static struct err why; /* what @asker was told */
static unsigned int told;
static int fd[MACHINE_SAVE_FDS];

static void on_told(struct machine_asker *a, const struct err *failed, const char *json,
		    size_t len)
{
	(void)a, (void)json, (void)len;
	why = failed ? *failed : (struct err){0};
	told++;
}

static void setup(void)
{
	plain_build();
	ck_assert_int_eq(machine_watch_life(&m, &e), 0);
	/* it has no KVM to prepare */
	(void)snapshot_saver_open(&saver, &m, strdup("{}"), &e);
	ops = machine_ops(&m);
	asker.told = on_told;
	for (size_t i = 0; i < MACHINE_SAVE_FDS; i++)
		fd[i] = memfd_create("saved", MFD_CLOEXEC);
}

/* It is at rest, and a worker writes it; @asker is told by the loop, which does not run yet */
static void begin_save(void)
{
	for (unsigned int i = 0; i < 1000 && m.life.phase != MACHINE_PAUSED; i++) {
		if (m.life.phase == MACHINE_RUNS)
			ck_assert_int_eq(snapshot_save(saver, fd, &asker, &e), 0);
		else
			plain_pump();
	}
	ck_assert_uint_eq(told, 0);
	ck_assert(m.life.held);
}

static void end_save(void)
{
	for (unsigned int i = 0; i < 5000 && !told; i++) {
		plain_pump();
		(void)usleep(1000);
	}
	ck_assert_uint_eq(told, 1);
	ck_assert(!m.life.held);
}

START_TEST(it_goes_on_afterwards)
{
	begin_save();
	end_save();
	ck_assert_msg(!why.code, "%s", why.msg);
	ck_assert_int_eq(m.life.phase, MACHINE_RUNS);
}
END_TEST

/* A client that was told of the pause may copy the disks */
START_TEST(a_pause_that_is_asked_for_meanwhile_stays)
{
	struct machine_asker other = {.told = on_told};

	begin_save();
	ck_assert_int_eq(ops.pause(&m, &other, &e), 0);
	ck_assert_uint_eq(told, 1);
	told = 0;
	end_save();
	ck_assert_int_eq(m.life.phase, MACHINE_PAUSED);
	ck_assert_int_eq(ops.resume(&m, &e), 0);
	ck_assert_int_eq(m.life.phase, MACHINE_RUNS);
}
END_TEST

START_TEST(a_disk_keeps_its_size_meanwhile)
{
	uint64_t now = 0;

	begin_save();
	ck_assert_int_eq(ops.resize_disk(&m, "blk0", 2 * MIB, &now, &e), -EBUSY);
	end_save();
	ck_assert_msg(!why.code, "%s", why.msg);
	ck_assert_int_eq(ops.resize_disk(&m, "blk0", 2 * MIB, &now, &e), 0);
}
END_TEST

START_TEST(a_disk_that_grew_untold_is_named)
{
	ck_assert_int_eq(truncate(cfg.disk[0].path, 2 * MIB), 0);
	begin_save();
	end_save();
	ck_assert_msg(strstr(why.msg, "blk0: ") && strstr(why.msg, "resize-disk"), "%s",
		      why.msg);
}
END_TEST

START_TEST(an_end_ends_it)
{
	begin_save();
	machine_end(&m, CAUSE_SIGINT, "%s", "");
	end_save();
	ck_assert_int_eq(why.code, ECANCELED);
}
END_TEST

START_TEST(one_that_ends_is_not_saved)
{
	m.ends.witness.panicked = true;
	ck_assert_int_eq(snapshot_save(saver, fd, &asker, &e), -EBUSY);
	ck_assert_msg(strstr(e.msg, "at its end"), "%s", e.msg);
}
END_TEST

UNIT_MAIN("snapshot_save", setup, NULL, t)
{
	tcase_add_test(t, it_goes_on_afterwards);
	tcase_add_test(t, a_pause_that_is_asked_for_meanwhile_stays);
	tcase_add_test(t, a_disk_keeps_its_size_meanwhile);
	tcase_add_test(t, a_disk_that_grew_untold_is_named);
	tcase_add_test(t, an_end_ends_it);
	tcase_add_test(t, one_that_ends_is_not_saved);
}
