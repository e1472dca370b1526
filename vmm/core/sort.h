/* SPDX-License-Identifier: Apache-2.0 */
/* sort - in place, without a system call. */
#ifndef MICROVM_CORE_SORT_H
#define MICROVM_CORE_SORT_H

#include <stddef.h>

#define SORT_SIZE_MAX 64

/* sort_in_place() - as qsort(3), for a process that is locked up: the C library's asks the host how much
 * memory it has. @size is SORT_SIZE_MAX at most. n log n comparisons, whatever the order is (a heapsort)
 */
void sort_in_place(void *base, size_t n, size_t size,
		   int (*compare)(const void *a, const void *b));

#endif
