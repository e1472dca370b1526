/* SPDX-License-Identifier: Apache-2.0 */
/* microvm - prepares the process and runs its command. */
#include <fcntl.h>
#include <unistd.h>

#include "vmm/command.h"
#include "vmm/core/limits.h"
#include "vmm/core/signals.h"
#include "vmm/core/util.h"

/* Descriptors 0, 1 and 2 are what their names say or fail as if closed: with one closed, the next
 * file opened, say the report, would become standard output.
 */
static void main_hold_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/", O_PATH);
}

int main(int argc, char **argv)
{
	uint64_t start_ns = monotonic_ns();
	struct err e = {0};

	signals_init();
	main_hold_streams();
	return limits_init(&e) < 0 ? command_fail(&e)
				   : command_main(argc, argv, start_ns);
}
