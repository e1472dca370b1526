/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job_options - what the words after `microvm run` say: one table of options, named as docker's.
 *
 * Settings of the machine (memory, network, report and so on) are read by the settings' own rows
 * (vmm/settings/setting.h), so a value means the same to both commands and has the same sentences.
 */
#ifndef MICROVM_JOB_OPTIONS_H
#define MICROVM_JOB_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "vmm/core/config.h"
#include "vmm/core/err.h"

#define JOB_VOLUMES_MAX (CONFIG_SHARES_MAX - 1) /* the root may be one more */

/* A directory of the host, and where the job has it */
struct job_volume {
	char *src;
	const char *dst;
	bool readonly;
};

#define JOB_COPIES_MAX 32
#define JOB_SIZE_MIN   (UINT64_C(1) << 20) /* of --scratch and --copy-out-limit */
#define JOB_SIZE_MAX   (UINT64_C(1) << 44)
#define JOB_COPY_MOST  (UINT64_C(16) << 30) /* --copy-out-limit, unless it is said */

/* What goes in, or comes out: from and to */
struct job_copies {
	struct {
		char *src;
		const char *dst;
	} copy[JOB_COPIES_MAX];
	unsigned int n;
};

/* Words that were given, in order. Strings are argv's, unless @owned */
struct job_list {
	char **word;
	unsigned int n;
};

struct job_options {
	const char *root;        /* ROOT as it was written */
	bool host;               /* it is --root host */
	char *const *argv;       /* COMMAND and its arguments */
	int argc;                /* 0: none was given */
	struct job_list env;     /* NAME=VALUE, the last of a name counts */
	struct job_list ulimit;  /* NAME=SOFT:HARD as numbers, or "unlimited" */
	struct job_list tmpfs;   /* DST[:OPTIONS] */
	struct job_list publish; /* as --net user,publish= takes it */
	struct job_volume volume[JOB_VOLUMES_MAX];
	unsigned int nvolume;
	struct job_copies in, out;
	uint64_t out_most; /* bytes that all of @out may take; 0: not said */
	uint64_t scratch; /* bytes of a disk for what the job writes; 0: that is memory */
	const char *workdir, *user, *hostname, *net;
	const char *entrypoint; /* before COMMAND; "": none; NULL: the image's */
	int stop_signal;        /* 0: the image's, or SIGTERM */
	const char *agent;      /* NULL: looked for, as is cfg->kernel */
	const char *
		modules; /* a directory; NULL: those of the agent's image, or the kernel's */
	bool terminal; /* -t: the job gets a terminal even if we have none */
	bool quiet, verbose;
	bool help;
};

/* While the words are read; @ctx is that of the command's own options */
struct job_reader {
	struct job_options *o;
	struct config *cfg;
	void *ctx;
};

/* A row of the table */
struct job_option {
	char letter; /* 0: none */
	bool repeats;
	const char *name;
	const char *arg;  /* NULL: it takes no value */
	const char *help; /* NULL: it is for our own processes */
	int (*set)(struct job_reader *r, const char *value, struct err *e);
};

extern const struct job_option job_option_table[];
extern const unsigned int job_option_count;

/* Another command that runs jobs: the options that it has besides */
struct job_command {
	const char *name;
	const struct job_option *option;
	unsigned int n;
	void *ctx;
};

/* job_options_read() - fill @o and @cfg, which config_init() has made ready, from @argv[1] on.
 * @c NULL: of `microvm run`, whose ROOT may be the first word that is no option. Of another
 * command all words but options are the job's, and there need be no root.
 * Return: 0, or -errno in @e; job_options_fini() in either case
 */
int job_options_read(struct job_options *o, struct config *cfg,
		     const struct job_command *c, int argc, char **argv, struct err *e);
void job_options_fini(struct job_options *o);
/* job_options_help() - a line for each option of `microvm run`, in 80 columns; job_option_help(): for the
 * @n at @opt
 */
void job_options_help(FILE *out);
void job_option_help(const struct job_option *opt, size_t n, FILE *out);
/* job_setting() - a row of the machine's settings, by the name of an option */
int job_setting(struct job_reader *r, const char *row, const char *value, struct err *e);
/* job_option_name() - of the @i-th option; NULL: there is none. For the completion */
const char *job_option_name(unsigned int i);

/* Values (job_values.c).  Each adds to @o.  Return: 0, or a usage error in @e */
int job_set_env(struct job_options *o, const char *value, struct err *e);
int job_set_env_file(struct job_options *o, const char *path, struct err *e);
int job_set_ulimit(struct job_options *o, const char *value, struct err *e);
int job_set_volume(struct job_options *o, const char *value, struct err *e);
int job_set_tmpfs(struct job_options *o, const char *value, struct err *e);
int job_set_scratch(struct job_options *o, const char *value, struct err *e);
int job_set_copy_in(struct job_options *o, const char *value, struct err *e);
int job_set_copy_out(struct job_options *o, const char *value, struct err *e);
int job_set_copy_out_limit(struct job_options *o, const char *value, struct err *e);
/* job_list_add() - a copy of @word.  Return: 0, or -ENOMEM in @e */
int job_list_add(struct job_list *l, const char *word, struct err *e);

#endif
