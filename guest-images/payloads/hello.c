/* SPDX-License-Identifier: Apache-2.0 */
/* hello - says what it was told, and powers off; or what end= asks for. */
#include "guest-images/payloads/rt/rt.h"
#include "vmm/core/layout_x86.h"

int main(void)
{
	print("hello from ring 3 by %s, %u regions of RAM\n", rt_boot.protocol,
	      rt_boot.nregion);
	print("command line: %s\n", rt_boot.cmdline);
	if (cmdline_is("end", "panic"))
		guest_panic();
	while (cmdline_is("end", "panics")) /* and it does not stop saying so */
		outb(LAYOUT_PVPANIC, 1);
	if (cmdline_is("end", "reset"))
		power_reset();
	if (cmdline_is("end", "exception"))
		__asm__ volatile("ud2");
	return 0;
}
