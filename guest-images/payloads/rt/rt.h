/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rt - the runtime of a payload guest: it runs in ring 3 with IOPL 3, one flat address space
 * (virtual = physical), no interrupts. A payload is `int main(void)`; what it returns is the
 * verdict: 0 powers off (microvm exits 0), anything else is a guest panic (microvm exits 70).
 */
#ifndef PAYLOAD_RT_H
#define PAYLOAD_RT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int main(void);

/* Ports */
static inline void outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory");
}
static inline void outw(uint16_t port, uint16_t v)
{
	__asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port) : "memory");
}
static inline void outl(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port) : "memory");
}
static inline uint8_t inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}
static inline uint16_t inw(uint16_t port)
{
	uint16_t v;

	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}
static inline uint32_t inl(uint16_t port)
{
	uint32_t v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

/* Device registers, and memory that the device or another processor writes: one plain mov each,
 * which every emulator knows. Little-endian.
 */
#define RT_MMIO(bits, reg)                                                            \
	static inline uint##bits##_t read##bits(uint64_t addr)                        \
	{                                                                             \
		uint##bits##_t v;                                                     \
                                                                                      \
		__asm__ volatile("mov (%1), %0" : "=" reg(v) : "r"(addr) : "memory"); \
		return v;                                                             \
	}                                                                             \
	static inline void write##bits(uint64_t addr, uint##bits##_t v)               \
	{                                                                             \
		__asm__ volatile("mov %0, (%1)" : : reg(v), "r"(addr) : "memory");    \
	}
RT_MMIO(8, "q")
RT_MMIO(16, "r")
RT_MMIO(32, "r")
RT_MMIO(64, "r")

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}
static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}
static inline void cpuid(uint32_t leaf, uint32_t r[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
			 : "a"(leaf), "c"(0));
}

/* string.c */
void *memset(void *dst, int c, size_t len);
void *memcpy(void *dst, const void *src, size_t len);
void *memmove(void *dst, const void *src, size_t len);
int memcmp(const void *a, const void *b, size_t len);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);

/* print.c - COM1, polled.  Knows %s %c %d %u %x %ld %lu %lx %%, width and 0-padding */
void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void print_bytes(const char *p, size_t n);

/* power.c */
_Noreturn void power_off(void);
_Noreturn void power_reset(void);
/* guest_panic() - reset with the mark that a panicking Linux leaves: "FAIL" */
_Noreturn void guest_panic(void);

/* boot.c - what the VMM told us */
#define RT_REGIONS_MAX 32
struct rt_region {
	uint64_t base, len;
};
struct rt_boot {
	const char *protocol; /* "PVH" or "64-bit" */
	const char *cmdline;
	unsigned int nregion; /* RAM */
	struct rt_region region[RT_REGIONS_MAX];
};
extern struct rt_boot rt_boot;

/* cmdline_value() - "name=value" on the command line, copied to @buf (@len > 0).
 * Return: false if it is not there or does not fit
 */
bool cmdline_value(const char *name, char *buf, size_t len);
/* cmdline_u64() - the same as a number, decimal or 0x; @otherwise if not there.  Anything
 * else than a number is a panic: a test must not run with another count than it says
 */
uint64_t cmdline_u64(const char *name, uint64_t otherwise);
bool cmdline_is(const char *name, const char *value);

/* memory.c */
/* rt_alloc() - zeroed memory, never freed.  @align a power of two.  Panics when RAM ends */
void *rt_alloc(size_t len, size_t align);
/* rt_alloc_top() - first address that rt_alloc() has not given away yet */
uint64_t rt_alloc_top(void);
/* rt_let_go() - may the guest end? With until=told on the command line not before the host has
 * written RT_TOLD (told.h); without it, at any time
 */
bool rt_let_go(void);
/* rt_map() - make [@base, @base + @len) above 4 GiB accessible, 1:1 */
void rt_map(uint64_t base, uint64_t len);

/* clock.c */
uint64_t tsc_khz(void);
uint64_t now_ns(void); /* since some moment in the past */

/* random.c - xorshift64*: the same numbers for the same seed, everywhere */
struct prng {
	uint64_t s;
};
void prng_seed(struct prng *p, uint64_t seed);
uint64_t prng_next(struct prng *p);
uint64_t prng_below(struct prng *p, uint64_t n); /* 0 .. n-1 */

/* smp.c - run @fn on another processor.  Return: false if it does not come up */
bool rt_ap_start(unsigned int apic_id, void (*fn)(void));

#endif
