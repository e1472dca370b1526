/* SPDX-License-Identifier: Apache-2.0 */
/* command_restore - `microvm restore`: a machine that was saved goes on. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "vmm/command.h"
#include "vmm/command_machine.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"
#include "vmm/settings/cli.h"
#include "vmm/settings/config_json.h"
#include "vmm/settings/config_life.h"
#include "vmm/settings/config_over.h"
#include "vmm/snapshot/snapshot.h"

/* The settings that were saved with those of the command line in their place.  Return: a text of the
 * caller's; NULL: why is in @e
 */
static char *restore_settings(const struct snapshot *s, const struct config *over,
			      struct err *e)
{
	json_t *saved = json_loads(s->settings, JSON_REJECT_DUPLICATES, NULL);
	char *text = NULL;

	if (!json_is_object(saved))
		err_set(e, EINVAL, "%s: its settings are no JSON; save the machine again",
			s->path);
	else if (config_over(saved, over, e) == 0 &&
		 !(text = json_dumps(saved, JSON_COMPACT)))
		err_set(e, ENOMEM, "no memory for the settings");
	json_decref(saved);
	return text;
}

static int restore_print(const char *settings)
{
	json_t *o = json_loads(settings, 0, NULL);

	(void)json_dumpf(o, stdout, JSON_INDENT(2));
	(void)fputc('\n', stdout);
	json_decref(o);
	return command_flush(0);
}

/* restore's own option is taken out of the others. Return: how many are left */
static int restore_options(int argc, char **argv, bool *keep_time)
{
	int n = 1;

	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--keep-time") == 0)
			*keep_time = true;
		else
			argv[n++] = argv[i];
	argv[n] = NULL;
	return n;
}

static int restore_run(struct snapshot *s, const struct config *over, struct config *cfg,
		       uint64_t start_ns)
{
	struct err e = {0};
	cleanup_free char *text = restore_settings(s, over, &e);

	if (!text || config_json_parse(cfg, text, strlen(text), s->path, &e) < 0 ||
	    config_validate(cfg, &e) < 0)
		return command_fail(&e);
	if (over->dry_run)
		return restore_print(text);
	cfg->load = &s->load;
	config_console_reader(cfg, isatty(STDIN_FILENO), isatty(STDOUT_FILENO));
	log_threshold = cfg->log_level;
	log_set_name(strcmp(cfg->name, CONFIG_NAME) == 0 ? NULL : cfg->name);
	return command_machine_run(cfg, NULL, start_ns);
}

static int restore_read(int argc, char **argv, struct config *over, bool *keep_time,
			struct err *e)
{
	enum cli_action action;

	if (argc < 2 || argv[1][0] == '-')
		return err_usage(
			e, "there is no directory; give the one that ctl save made");
	argc = restore_options(argc - 1, argv + 1, keep_time);
	if (config_init(over, e) < 0 || cli_read(argc, argv + 1, over, &action, e) < 0)
		return -e->code;
	if (action == CLI_VERSION || over->dry_run != over->json)
		return err_usage(e, "restore prints what it would run as settings only; "
				    "give --dry-run --json");
	return 0;
}

int command_restore(int argc, char **argv, uint64_t start_ns)
{
	struct snapshot s = {.load.memory = -1};
	struct config cfg = {0}, over = {0};
	struct err e = {0};
	bool keep_time = false;
	int status;

	if (restore_read(argc, argv, &over, &keep_time, &e) < 0 ||
	    config_init(&cfg, &e) < 0 || snapshot_open(&s, argv[1], &e) < 0)
		status = command_fail(&e);
	else {
		s.load.keep_time = keep_time;
		status = restore_run(&s, &over, &cfg, start_ns);
	}
	snapshot_close(&s);
	config_fini(&cfg);
	config_fini(&over);
	return status;
}
