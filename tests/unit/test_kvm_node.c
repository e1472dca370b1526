/* SPDX-License-Identifier: Apache-2.0 */
/* kvm_node - what is said to a user who may not open /dev/kvm would let him. */
#include "vmm/kvm/kvm_node.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/kvm_node.XXXXXX", node[64], groups[64], tool[64];
static char cure[160];

static void put(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	(void)fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(path, mode), 0);
}

/* A node of a group that is not root's, which nobody but its owner and that may open */
static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(node, sizeof(node), "%s/kvm", dir);
	(void)snprintf(groups, sizeof(groups), "%s/group", dir);
	(void)snprintf(tool, sizeof(tool), "%s/setfacl", dir);
	put(node, "", 0660);
	if (getuid() == 0)
		ck_assert_int_eq(chown(node, (uid_t)-1, 4711), 0);
	ck_assert_int_eq(setenv("PATH", dir, 1), 0);
}

static void teardown(void)
{
	unlink(tool);
	unlink(groups);
	unlink(node);
	rmdir(dir);
}

static void list_groups(void)
{
	struct stat st;
	char text[256];

	ck_assert_int_eq(stat(node, &st), 0);
	(void)snprintf(text, sizeof(text),
		       "root:x:0:\nkvm:x:%u1:\nbroken\nalso:broken\nvirt:x:%u:a,b\n",
		       (unsigned int)st.st_gid, (unsigned int)st.st_gid);
	put(groups, text, 0644);
}

START_TEST(group_is_called_otherwise)
{
	list_groups();
	kvm_node_cure(node, groups, cure, sizeof(cure));
	ck_assert_str_eq(
		cure, "join its group: sudo usermod -aG virt $USER, then log in again");
}
END_TEST

static void says_chmod_or_setfacl(void)
{
	kvm_node_cure(node, groups, cure, sizeof(cure));
	ck_assert_ptr_nonnull(strstr(cure, "sudo chmod 0666 "));
	ck_assert_ptr_nonnull(strstr(cure, node));
	put(tool, "#!/bin/sh\n", 0755);
	kvm_node_cure(node, groups, cure, sizeof(cure));
	ck_assert_ptr_nonnull(strstr(cure, "sudo setfacl -m u:$USER:rw "));
	ck_assert_ptr_nonnull(strstr(cure, node));
}

START_TEST(group_has_no_name_here)
{
	put(groups, "root:x:0:\nkvm:x:1:\n", 0644);
	says_chmod_or_setfacl();
}
END_TEST

START_TEST(there_is_no_list_of_groups)
{
	says_chmod_or_setfacl();
}
END_TEST

START_TEST(group_may_not_open_it_either)
{
	list_groups();
	ck_assert_int_eq(chmod(node, 0600), 0);
	says_chmod_or_setfacl();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("kvm_node");
	TCase *tc = tcase_create("kvm_node");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, group_is_called_otherwise);
	tcase_add_test(tc, group_has_no_name_here);
	tcase_add_test(tc, there_is_no_list_of_groups);
	tcase_add_test(tc, group_may_not_open_it_either);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
