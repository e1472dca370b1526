/* SPDX-License-Identifier: Apache-2.0 */
/* who - which task a processor had when the kernel said last: "CPU: 1 PID: 7 Comm: sh". */
#ifndef MICROVM_TEST_WHO_H
#define MICROVM_TEST_WHO_H

#include <stdbool.h>

#define WHO_MAX  64 /* processors */
#define WHO_NAME 15 /* bytes of a name (TASK_COMM_LEN) */

struct who_task {
	bool known;
	unsigned int pid;
	char name[WHO_NAME + 1]; /* printable */
};

struct who {
	struct who_task task[WHO_MAX]; /* by the kernel's number of the processor */
};

/* who_line() - the kernel printed @message, after its time stamp (klog_message()) */
void who_line(struct who *w, const char *message);
/* who_is() - the task of processor @cpu; NULL: nothing was said of it */
const struct who_task *who_is(const struct who *w, unsigned int cpu);

#endif
