/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command - the commands of the program: its first word, or none.
 *
 * A row of the table is a command: its syntax, its purpose, the function that runs it. A new
 * command is a function and a row.
 */
#ifndef MICROVM_COMMAND_H
#define MICROVM_COMMAND_H

#include <stdint.h>
#include <stdio.h>

#include "vmm/core/err.h"

struct command {
	const char *name;  /* the first word; NULL: of the command that has none */
	const char *usage; /* after "microvm", for --help */
	const char *help;  /* what it is for, in a few words */
	/* for `microvm NAME --help`: whole lines, or a function that prints them and leaves the words
	 * after the command's own options to it
	 */
	const char *more;
	void (*print)(FILE *out);
	/* run the command.  @argv[0] is the word before its own arguments; @start_ns: when the
	 * process began (CLOCK_MONOTONIC).  Return: the exit status, 0 to 255
	 */
	int (*run)(int argc, char **argv, uint64_t start_ns);
};

extern const struct command command_table[];
extern const unsigned int command_count;

/* command_find() - which command @argv asks for.  Return: its row; NULL with a usage error in @e:
 * the first word is almost the name of one
 */
const struct command *command_find(int argc, char **argv, struct err *e);
/* command_help() - the usage of @c: for a command with a name, that and @c->more; for the
 * nameless one, the usage of all commands and the options
 */
void command_help(const struct command *c, FILE *out);
/* command_main() - find the command of @argv and run it, or print its help.  Main thread.
 * Return: the exit status
 */
int command_main(int argc, char **argv, uint64_t start_ns);

/* For the output and the end of every command.
 *
 * command_complain() - print @sentence as a line on stderr, after our name
 */
void command_complain(const char *sentence);
/* command_fail() - say @e.  Return: exit status 2 for a usage error, else 1 */
int command_fail(const struct err *e);
/* command_flush() - Return: @status if all of our output reached stdout, else 1 */
int command_flush(int status);

/* command_more() - the lines of `microvm NAME --help` about @c */
void command_more(const struct command *c, FILE *out);

/* command_run(), command_run_help() - `microvm run` */
int command_run(int argc, char **argv, uint64_t start_ns);
void command_run_help(FILE *out);
/* command_images() - `microvm images` */
int command_images(int argc, char **argv, uint64_t start_ns);
/* command_test(), command_test_help() - `microvm test` */
int command_test(int argc, char **argv, uint64_t start_ns);
void command_test_help(FILE *out);
/* command_ctl(), command_ctl_help() - `microvm ctl` */
int command_ctl(int argc, char **argv, uint64_t start_ns);
void command_ctl_help(FILE *out);
/* command_ctl_name() - the @i-th of its commands; NULL: there is none */
const char *command_ctl_name(unsigned int i);
/* command_restore() - `microvm restore` */
int command_restore(int argc, char **argv, uint64_t start_ns);
/* command_machine() - the command without a name: run the machine that the options describe */
int command_machine(int argc, char **argv, uint64_t start_ns);

#endif
