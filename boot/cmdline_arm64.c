/* SPDX-License-Identifier: Apache-2.0 */
/* cmdline_arm64 - arm64's part of the command line; devices are in the device tree. */
#include "boot/cmdline_arch.h"

/* A panic resets the machine at once, and warmly.  Linux (drivers/firmware/psci/psci.c)
 * then calls PSCI's SYSTEM_RESET2 instead of SYSTEM_RESET, which KVM has since 5.18 and
 * passes on as KVM_SYSTEM_EVENT_RESET with KVM_SYSTEM_EVENT_RESET_FLAG_PSCI_RESET2: so
 * that flag means a panic.  An older Linux knows no panic_warm (before 5.1) or no
 * SYSTEM_RESET2 (before 5.3) and its panics look like reboots.
 */
void cmdline_arch_add(struct cmdline *c, const struct platform *p)
{
	(void)p;
	cmdline_add(c, "panic=-1 reboot=panic_warm");
}
