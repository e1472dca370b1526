/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init - the guest's first process in tests/bench/boot: says that it runs, and reboots.
 *
 * A reboot, because every VMM can be told to end at one.
 */
#include <sys/reboot.h>
#include <unistd.h>

int main(void)
{
	static const char up[] = "init: up\n";

	if (write(STDOUT_FILENO, up, sizeof(up) - 1) != (ssize_t)sizeof(up) - 1)
		return 1; /* the kernel panics: no measurement */
	reboot(RB_AUTOBOOT);
	return 1;
}
