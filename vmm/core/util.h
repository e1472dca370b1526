/* SPDX-License-Identifier: Apache-2.0 */
/* util - the few helpers that every room uses. */
#ifndef MICROVM_CORE_UTIL_H
#define MICROVM_CORE_UTIL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a)         (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)             ((a) < (b) ? (a) : (b))
#define MAX(a, b)             ((a) > (b) ? (a) : (b))
#define KIB                   (UINT64_C(1) << 10)
#define MIB                   (UINT64_C(1) << 20)
#define GIB                   (UINT64_C(1) << 30)
#define PAGE_SIZE             UINT64_C(4096)
#define ALIGN_UP(x, a)        (((x) + ((a)-1)) & ~((a)-1)) /* @a a power of two */
#define ALIGN_DOWN(x, a)      ((x) & ~((a)-1))
#define container_of(p, T, m) ((T *)(void *)((char *)(p)-offsetof(T, m)))

/* BUG_ON() - our own mistake, never guest data or operator input: say where and abort */
#define BUG_ON(x)                                    \
	do {                                         \
		if (__builtin_expect(!!(x), 0))      \
			bug(#x, __FILE__, __LINE__); \
	} while (0)
_Noreturn void bug(const char *what, const char *file, int line);

/* Scope-bound clean-up for locals: close an fd that is >= 0, free a pointer. */
#define cleanup_close __attribute__((cleanup(cleanup_close_fd)))
#define cleanup_free  __attribute__((cleanup(cleanup_free_ptr)))
void cleanup_close_fd(int *fd);
void cleanup_free_ptr(void *pp);

/* read_full(), write_full() - the whole of @len, over short counts and EINTR.
 * Return: bytes moved (short only at end of file), or -errno
 */
long read_full(int fd, void *buf, size_t len);
long pread_full(int fd, void *buf, size_t len, uint64_t off);
long write_full(int fd, const void *buf, size_t len);

/* write_unless_stuck() - one write(2) to a stream that is not ours, if it takes something within
 * @ms milliseconds. Return: bytes taken; -EAGAIN: it takes none; -errno
 */
long write_unless_stuck(int fd, const void *buf, size_t len, int ms);

/* signals_block() - for the calling thread, and those it starts, before pthread_create(): the
 * main thread gets every signal, except that a crash is handled on the thread that crashed (a
 * blocked one kills without a handler, and the terminal would stay raw). The previous mask is in
 * @old, for pthread_sigmask()
 */
void signals_block(sigset_t *old);

/* copied_grown() - malloc() of @new_len bytes, the first @old_len of them from @old, which is freed: realloc()
 * moves much by mremap(2), which a process that is locked up does not have.
 * Return: NULL: no memory, and @old is as it was
 */
void *copied_grown(void *old, size_t old_len, size_t new_len);

/* text_control() - how many bytes at @text, UTF-8, are a control character, which a terminal might obey; 0: it
 * is another one, or the NUL at the end
 */
unsigned int text_control(const char *text);
/* text_printable() - in @text, what is not printable ASCII, which a terminal might obey, becomes '?' */
void text_printable(char *text, size_t n);

/* monotonic_ns() - CLOCK_MONOTONIC in nanoseconds */
uint64_t monotonic_ns(void);

/* edit_distance() - Levenshtein distance, for "did you mean"; for strings over 63 bytes a large
 * number
 */
unsigned int edit_distance(const char *a, const char *b);

#endif
