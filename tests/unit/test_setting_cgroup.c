/* SPDX-License-Identifier: Apache-2.0 */
/* test_setting_cgroup - --cgroup and --cpu-limit: what is understood, what is said of the rest, and
 * which limits a machine gets
 */
#include <check.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/setting.h"
#include "tests/lib/unit.h"
#include "vmm/command_jail.h"
#include "vmm/core/util.h"

static int group(const char *value)
{
	return setting_option("--cgroup", value);
}

static int cpus(const char *value)
{
	return setting_option("--cpu-limit", value);
}

START_TEST(value_is_understood)
{
	cfg.jail = JAIL_AUTO; /* whatever the build's default is */
	ck_assert_ptr_null(cfg.cgroup);
	ck_assert_int_eq(group("/sys/fs/cgroup/a"), 0);
	ck_assert_str_eq(cfg.cgroup, "/sys/fs/cgroup/a");
	ck_assert_int_eq(group("auto"), 0);
	ck_assert_ptr_null(cfg.cgroup);
	ck_assert_int_eq(cpus("1.5"), 0);
	ck_assert_uint_eq(cfg.cpu_limit, 1500);
	ck_assert_int_eq(setting_json("{\"cpu-limit\": 2, \"cgroup\": \"own\"}"), 0);
	ck_assert_uint_eq(cfg.cpu_limit, 2000);
	ck_assert_str_eq(cfg.cgroup, "own");
}
END_TEST

/* A start does not look for a group in vain, and an operator who asks for one is not left without */
START_TEST(group_is_wanted_wrongly)
{
	struct cgroup_want w;

	cfg.jail = JAIL_AUTO;
	(void)command_cgroup(&cfg, &w);
	ck_assert(w.delegated && !w.must && !w.dir);
	cfg.cpu_limit = 1500;
	ck_assert(command_cgroup(&cfg, &w));
	ck_assert(w.delegated && w.must && !w.dir);
	ck_assert_uint_eq(w.cpus_milli, 1500);
	ck_assert_int_eq(group("own"), 0);
	ck_assert(command_cgroup(&cfg, &w));
	ck_assert(!w.delegated && w.must && !w.dir);
	ck_assert_int_eq(group("/sys/fs/cgroup/a"), 0);
	ck_assert(command_cgroup(&cfg, &w));
	ck_assert(!w.delegated && w.must);
	ck_assert_str_eq(w.dir, "/sys/fs/cgroup/a");
	cfg.jail = JAIL_OFF;
	ck_assert(!command_cgroup(&cfg, &w));
	cfg.jail = JAIL_STRICT;
	cfg.cpu_limit = 0;
	ck_assert_int_eq(setting_json("{\"cgroup\": \"off\"}"), 0);
	ck_assert(!command_cgroup(&cfg, &w));
}
END_TEST

START_TEST(limit_without_a_group_is_believed)
{
	cfg.jail = JAIL_OFF;
	ck_assert_int_eq(cpus("1"), -EINVAL);
	ck_assert_ptr_nonnull(strstr(e.msg, "which --jail off does not make"));
	setting_teardown();
	setting_setup();
	ck_assert_int_eq(setting_json("{\"cgroup\": \"off\"}"), 0);
	ck_assert_int_eq(cpus("1"), -EINVAL);
	ck_assert_ptr_nonnull(strstr(e.msg, "which --cgroup off does not make"));
	setting_teardown();
	setting_setup();
	cfg.jail = JAIL_OFF;
	ck_assert_int_eq(group("own"), -EINVAL);
	ck_assert_ptr_nonnull(strstr(e.msg, "--jail off jails none"));
}
END_TEST

/* Room for what runs beside the guest */
START_TEST(limits_leave_no_room)
{
	struct cgroup_want w, more;

	cfg.jail = JAIL_AUTO;
	ck_assert_int_eq(group("own"), 0);
	ck_assert(command_cgroup(&cfg, &w));
	ck_assert_uint_ge(w.memory, (256 + 8 + 128) * MIB);
	ck_assert_uint_eq(w.tasks, 258);
	cfg.ncpu = 4;
	cfg.share[0].path = strdup("/usr");
	cfg.share[0].readonly = true;
	cfg.nshare = 1;
	ck_assert(command_cgroup(&cfg, &more));
	ck_assert_uint_eq(more.memory - w.memory, 128 * MIB);
	ck_assert_uint_eq(more.tasks, 258 + 6 + 128);
}
END_TEST

static const struct setting_wrong wrong[] = {
	{group, "", "--cgroup: the value is empty", "give one"},
	{group, "slice", "--cgroup: \"slice\" is not a control group", "/sys/fs/cgroup/"},
	{group, "outo", "--cgroup: \"outo\"", "auto"},
	{group, "./own", "--cgroup: \"./own\"", "own"},
	{cpus, "", "--cpu-limit: the value is empty", "give one"},
	{cpus, "0", "--cpu-limit: \"0\" is not a number of processors", "0.01"},
	{cpus, "0.009", "--cpu-limit: \"0.009\"", "like 0.5 or 2"},
	{cpus, "-1", "--cpu-limit: \"-1\"", "0.5"},
	{cpus, "1.5000", "--cpu-limit: \"1.5000\"", "0.5"},
	{cpus, "50%", "--cpu-limit: \"50%\"", "0.5"},
	{cpus, "all", "--cpu-limit: \"all\"", "0.5"},
	{cpus, "65537", "--cpu-limit: \"65537\"", "65536"},
	{setting_json, "{\"cpu-limit\": true}", "cpu-limit: it is", "number"},
	{setting_json, "{\"cgroup\": 1}", "cgroup: it is", "string"},
};

START_TEST(wrong_value_is_told)
{
	setting_is_refused(&wrong[_i]);
}
END_TEST

UNIT_MAIN("setting_cgroup", setting_setup, setting_teardown, t)
{
	tcase_add_test(t, value_is_understood);
	tcase_add_test(t, group_is_wanted_wrongly);
	tcase_add_test(t, limit_without_a_group_is_believed);
	tcase_add_test(t, limits_leave_no_room);
	tcase_add_loop_test(t, wrong_value_is_told, 0, (int)ARRAY_SIZE(wrong));
}
