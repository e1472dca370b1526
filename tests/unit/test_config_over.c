/* SPDX-License-Identifier: Apache-2.0 */
/* test_config_over - an operator's words over the settings of a machine that was saved */
#include "vmm/settings/config_over.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/unit.h"
#include "vmm/core/util.h"
#include "vmm/settings/cli.h"
#include "vmm/settings/config_life.h"

#define WORDS_MAX 16

static const char settings[] =
	"{\"kernel\":\"/k\",\"cpus\":2,"
	"\"disk\":[{\"path\":\"/a\",\"id\":\"root\",\"overlay\":\"/o\",\"serial\":\"7\"},{\"path\":\"/b\"}],"
	"\"pmem\":[{\"path\":\"/p\",\"readonly\":true}],"
	"\"net\":[{\"tap\":\"t0\"}],"
	"\"port\":[{\"name\":\"x\",\"unix\":\"/x\"},{\"name\":\"y\",\"pty\":true}],"
	"\"console\":{\"device\":\"virtio\",\"pty\":true},"
	"\"vsock\":{\"path\":\"/v\",\"cid\":7}}";

static struct config over;
static json_t *saved;
static struct err e;

static void setup(void)
{
	ck_assert_int_eq(config_init(&over, &e), 0);
	saved = json_loads(settings, 0, NULL);
	ck_assert_ptr_nonnull(saved);
}

static void teardown(void)
{
	json_decref(saved);
	config_fini(&over);
}

/* @words, separated by spaces, over the settings. Return: as config_over() */
static int says(const char *words)
{
	char *copy = strdup(words), *rest = copy, *word;
	char *argv[WORDS_MAX] = {(char *)"microvm"};
	enum cli_action action;
	int argc = 1, rc;

	while ((word = strsep(&rest, " ")))
		argv[argc++] = word;
	ck_assert_int_eq(cli_read(argc, argv, &over, &action, &e), 0);
	rc = config_over(saved, &over, &e);
	free(copy);
	return rc;
}

/* Is the member @key of @saved what the text @want has? */
static void is(const char *key, const char *want)
{
	json_t *v = json_loads(want, JSON_DECODE_ANY, NULL);
	char *has = json_dumps(json_object_get(saved, key),
			       JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);

	ck_assert_msg(json_equal(json_object_get(saved, key), v), "%s", has);
	json_decref(v);
	free(has);
}

static void refused(const char *words, const char *why)
{
	ck_assert_int_lt(says(words), 0);
	ck_assert_msg(strstr(e.msg, why), "%s", e.msg);
}

START_TEST(a_disk_is_moved)
{
	ck_assert_int_eq(says("--disk root=/new,,a --disk=blk1=/c"), 0);
	is("disk",
	   "[{\"path\":\"/new,a\",\"id\":\"root\",\"overlay\":\"/o\",\"serial\":\"7\"},"
	   "{\"path\":\"/c\"}]");
}
END_TEST

START_TEST(a_disk_is_replaced)
{
	ck_assert_int_eq(says("--disk /new,id=root,overlay=/p --disk /c,ro,id=blk1"), 0);
	is("disk", "[{\"path\":\"/new\",\"id\":\"root\",\"overlay\":\"/p\"},"
		   "{\"path\":\"/c\",\"readonly\":true,\"id\":\"blk1\"}]");
}
END_TEST

START_TEST(one_of_each_needs_no_name)
{
	ck_assert_int_eq(says("--net tap=t1,mtu=1500 --pmem pmem0=/q --pmem /r"), 0);
	is("net", "[{\"tap\":\"t1\",\"mtu\":1500}]");
	is("pmem", "[{\"path\":\"/r\"}]");
}
END_TEST

START_TEST(a_path_may_look_like_a_move)
{
	ck_assert_int_eq(says("--disk /a=b,id=root --disk /root=/c,id=blk1"), 0);
	is("disk", "[{\"path\":\"/a=b\",\"id\":\"root\"},"
		   "{\"path\":\"/root=/c\",\"id\":\"blk1\"}]");
}
END_TEST

START_TEST(ports_go_by_their_names)
{
	ck_assert_int_eq(says("--port y,file=/f"), 0);
	is("port", "[{\"name\":\"x\",\"unix\":\"/x\"},{\"name\":\"y\",\"file\":\"/f\"}]");
}
END_TEST

START_TEST(what_the_guest_knows_stays)
{
	ck_assert_int_eq(says("--console file=/log --vsock /w --name n"), 0);
	is("console", "{\"device\":\"virtio\",\"file\":\"/log\"}");
	is("vsock", "{\"path\":\"/w\",\"cid\":7}");
	is("name", "\"n\"");
	is("cpus", "2");
	is("kernel", "\"/k\"");
}
END_TEST

START_TEST(which_one_has_to_be_said)
{
	refused("--disk /new", "several; say with id=");
}
END_TEST

START_TEST(none_can_be_added)
{
	refused("--disk /new,id=data", "no disk \"data\"; it has root, blk1");
}
END_TEST

START_TEST(none_of_a_kind_can_be_added)
{
	json_object_del(saved, "net");
	refused("--net tap=t1", "saved without a card");
}
END_TEST

START_TEST(what_nobody_reads_is_refused)
{
	refused("--append quiet", "--append: the guest has booted");
}
END_TEST

START_TEST(no_words_change_nothing)
{
	json_t *was = json_deep_copy(saved);

	ck_assert_int_eq(config_over(saved, &over, &e), 0);
	ck_assert(json_equal(saved, was));
	json_decref(was);
}
END_TEST

START_TEST(nothing_can_be_taken_away)
{
	refused("--net none", "--net none: the machine was saved with it");
}
END_TEST

START_TEST(what_it_lacks_may_be_none)
{
	ck_assert_int_eq(says("--balloon none"), 0);
	ck_assert_ptr_null(json_object_get(saved, "balloon"));
}
END_TEST

START_TEST(where_it_was_asked_and_wrote_to_is_not_taken_over)
{
	static const char *const own[] = {"control", "report", "pidfile", "jail"};

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		json_object_set_new(saved, own[i], json_string("/of/another"));
	ck_assert_int_eq(says("--report /mine"), 0);
	is("report", "\"/mine\"");
	ck_assert_ptr_null(json_object_get(saved, "control"));
	ck_assert_ptr_null(json_object_get(saved, "pidfile"));
	ck_assert_ptr_null(json_object_get(saved, "jail"));
}
END_TEST

UNIT_MAIN("config_over", setup, teardown, t)
{
	tcase_add_test(t, a_disk_is_moved);
	tcase_add_test(t, a_disk_is_replaced);
	tcase_add_test(t, one_of_each_needs_no_name);
	tcase_add_test(t, a_path_may_look_like_a_move);
	tcase_add_test(t, ports_go_by_their_names);
	tcase_add_test(t, what_the_guest_knows_stays);
	tcase_add_test(t, which_one_has_to_be_said);
	tcase_add_test(t, none_can_be_added);
	tcase_add_test(t, none_of_a_kind_can_be_added);
	tcase_add_test(t, what_nobody_reads_is_refused);
	tcase_add_test(t, nothing_can_be_taken_away);
	tcase_add_test(t, what_it_lacks_may_be_none);
	tcase_add_test(t, where_it_was_asked_and_wrote_to_is_not_taken_over);
	tcase_add_test(t, no_words_change_nothing);
}
