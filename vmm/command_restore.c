/* SPDX-License-Identifier: Apache-2.0 */
/* command_restore - `microvm restore`: a machine that was saved goes on. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/command.h"
#include "vmm/command_machine.h"
#include "vmm/core/log.h"
#include "vmm/settings/cli.h"
#include "vmm/settings/config_json.h"
#include "vmm/settings/config_life.h"
#include "vmm/snapshot/snapshot.h"

static int restore_run(const struct snapshot *s, int argc, char **argv,
		       struct config *cfg, uint64_t start_ns)
{
	enum cli_action action;
	struct err e = {0};

	if (config_json_parse(cfg, s->settings, strlen(s->settings), s->path, &e) < 0 ||
	    cli_parse(argc, argv, cfg, &action, &e) < 0)
		return command_fail(&e);
	cfg->load = &s->load;
	config_console_reader(cfg, isatty(STDIN_FILENO), isatty(STDOUT_FILENO));
	log_threshold = cfg->log_level;
	log_set_name(strcmp(cfg->name, CONFIG_NAME) == 0 ? NULL : cfg->name);
	return command_machine_run(cfg, NULL, start_ns);
}

int command_restore(int argc, char **argv, uint64_t start_ns)
{
	struct snapshot s = {.load.memory = -1};
	struct config cfg;
	struct err e = {0};
	int status;

	if (argc < 2 || argv[1][0] == '-') {
		err_usage(&e, "there is no directory; give the one that ctl save made");
		return command_fail(&e);
	}
	if (config_init(&cfg, &e) < 0 || snapshot_open(&s, argv[1], &e) < 0)
		status = command_fail(&e);
	else
		status = restore_run(&s, argc - 1, argv + 1, &cfg, start_ns);
	snapshot_close(&s);
	config_fini(&cfg);
	return status;
}
