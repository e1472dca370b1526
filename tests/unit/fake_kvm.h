/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_kvm - KVM's file descriptors without KVM: open() and ioctl() here replace the
 * C library's, and a function of the test's answers for KVM.  For one .c file a program.
 */
#ifndef MICROVM_TESTS_FAKE_KVM_H
#define MICROVM_TESTS_FAKE_KVM_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FAKE_KVM_FD 100000 /* the device, a VM and a vCPU alike; never open */

/* The test's, to be set before anything else.  Return: as ioctl() does */
static int (*fake_kvm)(unsigned long request, void *arg);

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	return fd == FAKE_KVM_FD ? fake_kvm(request, arg)
				 : (int)syscall(SYS_ioctl, fd, request, arg);
}

int open(const char *path, int flags, ...)
{
	va_list ap;
	unsigned int mode;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, unsigned int) : 0;
	va_end(ap);
	return strcmp(path, "/dev/kvm") == 0
		       ? FAKE_KVM_FD
		       : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

#endif
