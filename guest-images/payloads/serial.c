/* SPDX-License-Identifier: Apache-2.0 */
/* serial - gives back what is typed on COM1, a line at a time, until the line "bye". */
#include <linux/serial_reg.h>

#include "guest-images/payloads/rt/rt.h"
#include "vmm/core/layout_x86.h"

static char serial_byte(void)
{
	while (!(inb(LAYOUT_COM1 + UART_LSR) & UART_LSR_DR))
		cpu_relax();
	return (char)inb(LAYOUT_COM1 + UART_RX);
}

int main(void)
{
	char line[256];

	print("hello from COM1\n");
	for (;;) {
		size_t n = 0;

		do
			line[n++] = serial_byte();
		while (line[n - 1] != '\n' && n < sizeof(line) - 1);
		line[n] = '\0';
		print("got: %s", line);
		if (!strcmp(line, "bye\n"))
			return 0;
	}
}
