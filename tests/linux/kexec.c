/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kexec - a guest's kernel starts another without a reset, or a triple fault.
 *
 * usage: kexec KERNEL INITRD COMMAND-LINE
 *        kexec triple
 */
#include <fcntl.h>
#include <linux/kexec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FAULT_AT 0x1000000UL /* in RAM, and nobody's at that moment */

static void kexec_fail(const char *what)
{
	perror(what);
	exit(1);
}

/* ud2, where the kernel has thrown its interrupt table away */
static void kexec_load_fault(void)
{
	static unsigned char code[4096] = {0x0f, 0x0b};
	struct kexec_segment s = {code, sizeof(code), (void *)FAULT_AT, sizeof(code)};

	if (syscall(SYS_kexec_load, FAULT_AT, 1UL, &s, KEXEC_ARCH_DEFAULT) < 0)
		kexec_fail("kexec_load");
}

static void kexec_load_kernel(const char *kernel, const char *initrd, const char *line)
{
	int k = open(kernel, O_RDONLY | O_CLOEXEC),
	    i = open(initrd, O_RDONLY | O_CLOEXEC);

	if (k < 0 || i < 0 ||
	    syscall(SYS_kexec_file_load, k, i, strlen(line) + 1, line, 0UL) < 0)
		kexec_fail("kexec_file_load");
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "triple") == 0) {
		kexec_load_fault();
	} else if (argc == 4) {
		kexec_load_kernel(argv[1], argv[2], argv[3]);
	} else {
		(void)fprintf(stderr,
			      "usage: kexec KERNEL INITRD COMMAND-LINE | kexec triple\n");
		return 2;
	}
	sync();
	(void)reboot(RB_KEXEC);
	kexec_fail("reboot");
}
