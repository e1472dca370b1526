/* SPDX-License-Identifier: Apache-2.0 */
/* job_image - ROOT that is an image of containers, and what its config says of the job. */
#ifndef MICROVM_JOB_IMAGE_H
#define MICROVM_JOB_IMAGE_H

#include "vmm/core/err.h"
#include "vmm/image/image.h"
#include "vmm/job/job_options.h"
#include "vmm/job/job_root.h"
#include "vmm/job/job_text.h"

/* The image; @cached.fd is -1 where ROOT is none */
struct job_image {
	struct cached cached;
	struct image_how how; /* its lock: set by the command, before job_plan() */
	char path[32];        /* by which the machine opens it */
};

/* job_image_find() - is ROOT an image?  Then it is in the cache, locked, and @r is its squashfs.
 * Before there is a second thread; it reads an archive on stdin to its end.
 * Return: 1, it is; 0, it is something else; -errno in @e.  job_image_close() in any case
 */
int job_image_find(struct job_image *i, struct job_root *r, const struct job_options *o,
		   struct err *e);
void job_image_close(struct job_image *i);
/* job_image_words() - what the agent is told of the command: the options', else the image's, else a shell;
 * then the image's variables, which come before the options'. Return: 0, or -errno in @e
 */
int job_image_words(const struct job_image *i, const struct job_options *o,
		    struct job_text *t, struct err *e);
/* job_image_user(), job_image_workdir() - what the options say, else the image, else NULL. The latter is
 * written to @path where the image has one that does not begin with /
 */
const char *job_image_user(const struct job_image *i, const struct job_options *o);
const char *job_image_workdir(const struct job_image *i, const struct job_options *o);
/* job_image_stop() - which signal the job gets for the first SIGTERM, by the options, else by the image.
 * Return: its number; -errno in @e: the image names none that there is
 */
int job_image_stop(const struct job_image *i, const struct job_options *o, struct err *e);
/* job_signal_number() - "SIGTERM", "TERM", "15", "SIGRTMIN+3".  Return: 1 to 63, or 0: none */
int job_signal_number(const char *name);

#endif
