/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matrix - kernels, memory sizes, numbers of processors, command lines and roots, each with each
 * (--matrix FILE): JSON, an object whose keys are those of options and whose values are lists.
 */
#ifndef MICROVM_TEST_MATRIX_H
#define MICROVM_TEST_MATRIX_H

#include <jansson.h>
#include <stddef.h>

#include "vmm/core/err.h"
#include "vmm/job/job_options.h"

#define MATRIX_AXES 5

struct matrix {
	json_t *doc;
	json_t *axis[MATRIX_AXES]; /* lists in @doc; NULL: it has none */
	unsigned int n;            /* combinations; 1 without a file */
};

/* matrix_read() - @path, all of whose values are tried on @r, which is of no more use then; NULL: no matrix.
 * Return: 0, or -errno in @e; matrix_free() in either case
 */
int matrix_read(struct matrix *m, const char *path, struct job_reader *r, struct err *e);
void matrix_free(struct matrix *m);
/* matrix_apply() - the @nr-th combination, from 0, the last axis first: into what the options have set */
int matrix_apply(const struct matrix *m, unsigned int nr, struct job_reader *r,
		 struct err *e);
/* matrix_name() - it in words, like "kernel=a memory=1G"; printable; "" without a matrix */
void matrix_name(const struct matrix *m, unsigned int nr, char *buf, size_t len);

#endif
