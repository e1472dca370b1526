/* SPDX-License-Identifier: Apache-2.0 */
/* hello - prints its command line, and powers off; or ends as end= asks. */
#include "guest-images/payloads/rt/rt.h"
#include "vmm/core/layout_x86.h"

int main(void)
{
	print("hello from ring 3 by %s, %u regions of RAM\n", rt_boot.protocol,
	      rt_boot.nregion);
	print("command line: %s\n", rt_boot.cmdline);
	for (uint64_t i = 0, n = cmdline_u64("cases", 0); i < n; i++)
		print(i ? "ok\n" : "TAP version 13\nok\n");
	if (cmdline_is("end", "panic"))
		guest_panic();
	while (cmdline_is("end", "panics")) /* and it repeats that */
		outb(LAYOUT_PVPANIC, 1);
	if (cmdline_is("end", "words")) /* a kernel's last, but it works on */
		print("---[ end Kernel panic - not syncing: words ]---\n");
	while (cmdline_is("end", "words"))
		cpu_relax();
	if (cmdline_is("end", "exits")) /* by its exit port, with 32 bits */
		outl(0xf4, (uint32_t)cmdline_u64("value", 0));
	if (cmdline_is("end", "exits_by_a_byte"))
		outb(0xf5, (uint8_t)cmdline_u64("value", 0));
	if (cmdline_is("end", "reset"))
		power_reset();
	if (cmdline_is("end", "exception"))
		__asm__ volatile("ud2");
	return 0;
}
