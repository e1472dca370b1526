/* SPDX-License-Identifier: Apache-2.0 */
/* hang - says so and never ends: for --timeout and signals. */
#include "guest-images/payloads/rt/rt.h"

int main(void)
{
	print("hanging\n");
	for (;;)
		cpu_relax();
}
