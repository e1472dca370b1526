/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_config_json - any bytes as a config file: read or refused, never leaked or crashed. */
#include <stddef.h>
#include <stdint.h>

#include "vmm/settings/config_life.h"
#include "vmm/settings/config_json.h"
#include "vmm/core/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = {0};
	struct config cfg;

	if (config_init(&cfg, &e) == 0 &&
	    config_json_parse(&cfg, (const char *)data, size, "fuzz", &e) == 0 &&
	    config_validate(&cfg, &e) == 0)
		BUG_ON(!cfg.kernel || cfg.ncpu == 0 || cfg.memory < CONFIG_MEMORY_MIN ||
		       cfg.memory % PAGE_SIZE);
	config_fini(&cfg);
	return 0;
}
