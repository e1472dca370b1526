/* SPDX-License-Identifier: Apache-2.0 */
/* job_kernel - the kernel of a job's machine, and its modules, in whatever form they are given. */
#ifndef MICROVM_JOB_KERNEL_H
#define MICROVM_JOB_KERNEL_H

#include "vmm/archive/reader.h"
#include "vmm/core/config.h"
#include "vmm/core/err.h"
#include "vmm/job/job_file.h"
#include "vmm/job/job_options.h"

struct job_kernel {
	struct job_file kernel;  /* out of a package */
	struct job_file modules; /* an initramfs with those that the agent needs */
	/* of the process that reads a package, with the config; NULL, and with --jail off: it is not locked
	 * up. A caller sets it before
	 */
	reader_lock *lock;
};

/* job_kernel_find() - make cfg->kernel the file of a kernel: what was given, or found; what is in a package or
 * in the directory that is given. Unless @bare, the agent of @o goes to the machine, and the modules of
 * @o, or else of the kernel. Before there are threads.
 * Return: 0, or -errno with a sentence in @e; job_kernel_close() in either case
 */
int job_kernel_find(struct job_kernel *k, struct config *cfg, const struct job_options *o,
		    bool bare, struct err *e);
void job_kernel_close(struct job_kernel *k);

#endif
