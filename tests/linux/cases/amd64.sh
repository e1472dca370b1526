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

# Its drivers are built in: the ACPI button's, and the virtio one's that is there without ACPI
case_stop_of_the_small_kernel()
{
	for acpi in on off; do
		rm -f out
		: >out
		"$MICROVM" --timeout $GUEST_TIMEOUT --kernel "$SMALL/bzImage" --disk "$ROOT,ro" \
			--acpi $acpi --stop-timeout 120s \
			--append 'quiet microvm.run="echo up; sleep 999"' >out 2>err </dev/null &
		vmm=$!
		wait_for out '^up'
		kill "$vmm"
		wait "$vmm"
		status=$?
		[ $status = 0 ] || fail "with --acpi $acpi status $status, not 0"
		complained '^microvm: the guest ended by itself, .* seconds after SIGTERM'
	done
}

case_words_that_take_interrupts_or_time_leave_a_guest_that_works()
{
	# a disk that is read and a timer that wakes, by what is left: the other interrupts, the other
	# timer, the other clock
	for word in noapic nosmp nolapic nolapic_timer no-kvmclock nopv; do
		guest 0 --kernel "$SMALL/bzImage" --disk "$ROOT,ro" --append \
			"quiet $word microvm.run=\"dd if=/dev/vda of=/dev/null bs=1M count=8 2>/dev/null && sleep 0.1 && echo works\""
		said works
		complained "word $word switches off .* leave the word $word out"
	done
}

case_firecrackers_words_boot()
{
	guest 0 --kernel "$SMALL/bzImage" --disk "$ROOT,ro" --append \
		'console=ttyS0 noapic reboot=k panic=1 pci=off nomodules rw quiet microvm.run="echo up"'
	said up
}

case_stock_kernel_without_acpi_is_told_what_it_lacks()
{
	guest 0 --kernel "$KERNEL" --initrd "$INITRD" --disk "$ROOT,ro" --cpus 2 --append \
		'quiet noapic microvm.run="sleep 0.1; echo cpus=$(nproc) disks=$(ls /sys/class/block | wc -l)"'
	said 'cpus=1 disks=0'
	complained '--cpus 2: a guest without ACPI finds one vCPU only'
	complained 'CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES; kernels of distributions lack that'
}

case_words_inside_others_change_nothing()
{
	guest 0 --kernel "$KERNEL" --initrd "$INITRD" --cpus 2 --append \
		'quiet microvm.run="echo acpi=off cpus=$(nproc)" other="a noapic b" -- nosmp'
	said 'acpi=off cpus=2'
	[ ! -s err ] || fail "we said: $(cat err)"
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

is_awake()
{
	tr -d '\r' <out | grep -q '^awake$'
}

# key_wakes - one that came before it slept wakes nobody: another one
key_wakes()
{
	go
	sleep 1
	is_awake
}

case_key_wakes_a_suspended_guest()
{
	start "$(one_line <<-'END'
		echo enabled >/sys/class/tty/ttyS0/power/wakeup
		echo asleep
		until echo freeze 2>/dev/null >/sys/power/state; do :; done; echo awake
	END
	)"
	wait_for out asleep
	sleep 3
	! is_awake || fail 'it did not sleep'
	await key_wakes || fail 'no key wakes it'
	wait $vmm || fail "status $?"
	said awake
}

case_small_kernel_vmlinux()
{
	guest 0 --kernel "$SMALL/vmlinux" --disk "$ROOT,ro" --cpus 2 \
		--append 'quiet microvm.run="echo cpus=$(nproc)"'
	said cpus=2
}

# Stopped for longer than its watchdog is patient (20 s), a busy guest learns that it was, and goes on
case_stopped_for_long_is_no_lockup()
{
	mkfifo in
	exec 3<>in
	: >out
	"$MICROVM" --timeout "$GUEST_TIMEOUT" --kernel "$KERNEL" --initrd "$INITRD" \
		--append 'quiet softlockup_panic=1 microvm.run="while :; do :; done & echo begun; read go </dev/console; echo lives"' \
		<in >out 2>err 3<&- &
	vmm=$!
	wait_for out '^begun'
	sleep 4
	machine=$(machine_of "$vmm") || fail 'the broker has no child'
	kill -STOP "$machine"
	sleep 30
	kill -CONT "$machine"
	sleep 2
	go
	wait "$vmm" || fail "status $?"
	said lives
	! grep -q 'soft lockup' out || fail 'it took the stop for a hang'
}

# It draws its screen on a terminal, by escape sequences, until it is told to stop
case_memtest_runs_on_the_console()
{
	[ "$MEMTEST" ] || skip "the package memtest86+ could not be fetched"
	"$MICROVM" --timeout $GUEST_TIMEOUT --kernel "$MEMTEST" --memory 64M \
		--append 'console=ttyS0,115200' >out 2>err </dev/null &
	vmm=$!
	wait_for out 'Memtest86+'
	wait_for out 'Using: Core #0'
	kill -HUP "$vmm"
	wait "$vmm" || true
}

# By the generation id, which the small kernel knows: what is read first in each of 20 machines that one
# snapshot becomes is something else
case_snapshot_forks_have_other_random_numbers()
{
	asked=0
	mkfifo in
	exec 3<>in
	"$MICROVM" --timeout $GUEST_TIMEOUT --kernel "$SMALL/bzImage" --disk "$ROOT,ro" --memory 64M --control control.sock \
		--append 'quiet microvm.run="echo up; while read -r word id </dev/console; do
			echo $word-$id $(head -c 16 /dev/urandom | md5sum | cut -c-32) $(dmesg | grep -v microvm.run | grep -c machine.fork); done"' \
		<in >out 2>err 3<&- &
	vmm=$!
	wait_for out '^up'
	saved saved
	while [ $asked -lt 20 ]; do
		restored saved
		query random
		[ "${answer#* }" = 1 ] || fail "the guest does not know that it is another: $answer"
		echo "$answer" >>answers
		kill -HUP "$vmm"
		wait "$vmm"
	done
	[ "$(sort -u answers | wc -l)" = 20 ] || fail "the same numbers: $(sort answers | uniq -d)"
}
