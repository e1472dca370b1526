# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# amd64.sh - what only x86-64 has: the small kernel, ELF kernels, the old entry, ACPI or not.
#
# shellcheck disable=SC2016 # what stands in single quotes is for the guest's shell

case_memory_64m()
{
	guest 0 --kernel "$SMALL/bzImage" --disk "$ROOT,ro" --memory 64M \
		--append 'quiet microvm.run="grep MemTotal /proc/meminfo; echo up"'
	said up
}

case_small_kernel_root_on_disk()
{
	cp "$ROOT" root.img
	guest 0 --kernel "$SMALL/bzImage" --disk root.img \
		--append 'quiet microvm.run="touch /root/x && echo writable"'
	said writable
}

case_elf_vmlinux()
{
	guest 0 --kernel "$VMLINUX" --initrd "$INITRD" --cpus 2 \
		--append 'quiet microvm.run="echo cpus=$(nproc)"'
	said cpus=2
}

case_bzimage_by_the_32_bit_entry()
{
	# Without XLF_KERNEL_64 in its header a kernel is entered the old way.
	cp "$KERNEL" bzImage
	printf '\000' | dd of=bzImage bs=1 seek=$((0x236)) conv=notrunc 2>/dev/null
	guest 0 --kernel bzImage --initrd "$INITRD" --append 'quiet microvm.run="echo up"'
	said up
}

case_small_kernel_without_acpi()
{
	guest 0 --kernel "$SMALL/bzImage" --disk "$ROOT,ro" --acpi off \
		--append 'quiet microvm.run="[ -d /sys/firmware/acpi ] || echo no-acpi; cat /proc/interrupts"'
	said no-acpi
}

# A kernel complains where an MSR that it does not doubt is not there, or where one leaf of its
# processor contradicts another.
case_stock_kernel_believes_its_processor()
{
	stock 0 "$(one_line <<-'END'
		dmesg | grep -v 'ommand line' >/log
		grep -E 'unchecked MSR|WARNING: CPU|BUG:|mismatch|[Bb]roken|Hardware Error' /log
		grep -qw -e svm -e vmx -e perfctr_core -e sgx -e rtm -e monitor /proc/cpuinfo || echo kept
	END
	)" --cpus 2
	said kept
	! grep -v 'Command line' out | grep -E 'MSR|WARNING|BUG|mismatch|roken|Error' ||
		fail 'it complains'
}

case_small_kernel_vmlinux()
{
	guest 0 --kernel "$SMALL/vmlinux" --disk "$ROOT,ro" --cpus 2 \
		--append 'quiet microvm.run="echo cpus=$(nproc)"'
	said cpus=2
}
