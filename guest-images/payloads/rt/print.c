/* SPDX-License-Identifier: Apache-2.0 */
/* print - a small printf on COM1.  A port access can cost 40 us: we look at the line
 * status once a FIFO, not once a byte.
 */
#include <linux/serial_reg.h>
#include <stdarg.h>

#include "guest-images/payloads/rt/rt.h"
#include "vmm/core/layout_x86.h"

#define UART_FIFO 16

void print_bytes(const char *p, size_t n)
{
	static unsigned int room;
	static bool fifo;

	if (!fifo)
		outb(LAYOUT_COM1 + UART_FCR, UART_FCR_ENABLE_FIFO);
	fifo = true;
	for (; n; n--, p++, room--) {
		if (!room) {
			while (!(inb(LAYOUT_COM1 + UART_LSR) & UART_LSR_THRE))
				cpu_relax();
			room = UART_FIFO;
		}
		outb(LAYOUT_COM1 + UART_TX, (uint8_t)*p);
	}
}

struct spec {
	bool zero, wide;
	unsigned int width;
};

static void print_padded(const struct spec *s, const char *p, size_t n)
{
	for (size_t pad = n; pad < s->width; pad++)
		print_bytes(s->zero ? "0" : " ", 1);
	print_bytes(p, n);
}

static void print_number(const struct spec *s, uint64_t v, unsigned int base, bool minus)
{
	char buf[24];
	size_t i = sizeof(buf);

	do {
		buf[--i] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	if (minus)
		buf[--i] = '-';
	print_padded(s, buf + i, sizeof(buf) - i);
}

static const char *print_spec(const char *f, struct spec *s)
{
	*s = (struct spec){.zero = *f == '0'};
	for (; *f >= '0' && *f <= '9'; f++)
		s->width = s->width * 10 + (unsigned int)(*f - '0');
	for (; *f == 'l' || *f == 'z'; f++)
		s->wide = true;
	return f;
}

static void print_arg(char conv, const struct spec *s, va_list *ap)
{
	const char *str;
	int64_t d;
	char c;

	switch (conv) {
	case 's':
		str = va_arg(*ap, const char *);
		print_padded(s, str, strlen(str));
		break;
	case 'c':
		c = (char)va_arg(*ap, int);
		print_padded(s, &c, 1);
		break;
	case 'd':
		d = s->wide ? va_arg(*ap, int64_t) : va_arg(*ap, int);
		print_number(s, d < 0 ? -(uint64_t)d : (uint64_t)d, 10, d < 0);
		break;
	case 'u':
	case 'x':
		print_number(s, s->wide ? va_arg(*ap, uint64_t) : va_arg(*ap, uint32_t),
			     conv == 'u' ? 10 : 16, false);
		break;
	default:
		print_bytes(&conv, 1);
	}
}

void print(const char *fmt, ...)
{
	struct spec s;
	va_list ap;

	va_start(ap, fmt);
	while (*fmt) {
		size_t n = 0;

		while (fmt[n] && fmt[n] != '%')
			n++;
		print_bytes(fmt, n);
		fmt += n;
		if (!*fmt)
			break;
		fmt = print_spec(fmt + 1, &s);
		print_arg(*fmt++, &s, &ap);
	}
	va_end(ap);
}
