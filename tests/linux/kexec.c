/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kexec - a guest's kernel starts another without a reset, or a triple fault, or code that stands or
 * spins with interrupts off.
 *
 * usage: kexec KERNEL INITRD COMMAND-LINE
 *        kexec triple|still|spin
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

/* Where the kernel has thrown its interrupt table away, and interrupts are off */
static const struct {
	const char *how;
	unsigned char code[4];
} kexec_ends[] = {
	{"triple", {0x0f, 0x0b}},           /* ud2 */
	{"still", {0xf4, 0xeb, 0xfd}},      /* hlt, and again */
	{"spin", {0xf3, 0x90, 0xeb, 0xfc}}, /* pause, and again */
};

static void kexec_load_end(const unsigned char *end)
{
	static unsigned char code[4096];
	struct kexec_segment s = {code, sizeof(code), (void *)FAULT_AT, sizeof(code)};

	memcpy(code, end, sizeof(kexec_ends[0].code));
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

/* Return: is @how one? */
static int kexec_end(const char *how)
{
	for (size_t i = 0; i < sizeof(kexec_ends) / sizeof(kexec_ends[0]); i++)
		if (strcmp(how, kexec_ends[i].how) == 0) {
			kexec_load_end(kexec_ends[i].code);
			return 1;
		}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4) {
		kexec_load_kernel(argv[1], argv[2], argv[3]);
	} else if (argc != 2 || !kexec_end(argv[1])) {
		(void)fprintf(stderr, "usage: kexec KERNEL INITRD COMMAND-LINE | kexec "
				      "triple|still|spin\n");
		return 2;
	}
	sync();
	(void)reboot(RB_KEXEC);
	kexec_fail("reboot");
}
