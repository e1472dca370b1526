# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# test.sh - `microvm test`: each verdict that a stock kernel can have, and no other. The functions of run.sh
# are there as well.
#
# In the environment besides: TEST_INITRD, an initramfs with /bin/kexec and the modules of module/ in
# /test; TEST_ROOT, an image with /ends_badly.ko and /kselftest.
#
# shellcheck disable=SC2016 # what stands in single quotes is for the guest's shell

# What the kernel says of three faults, in front of what differs
case ${ARCH-} in
amd64)
	NULL_POINTER='BUG: kernel NULL pointer dereference, address: 0000000000000000'
	WILD_POINTER='general protection fault, probably for non-canonical address 0x5a5a5a5a5a5a5a58: 0000 \[#1\]'
	FULL_STACK='BUG: TASK stack guard page was hit at '
	;;
*)
	NULL_POINTER='Unable to handle kernel NULL pointer dereference at virtual address 0000000000000000'
	WILD_POINTER='Unable to handle kernel paging request at virtual address '
	FULL_STACK='Insufficient stack space to handle exception!'
	;;
esac

# On an emulated serial port each byte is dear, and what a boot says there is two thirds of its time: so
# most are told to print warnings and what is worse. The others have the line that users get.
BRIEF=loglevel=5 # after our own word, so it holds

# verdict STATUS WORDS OPTION... - test the stock kernel, or $test_kernel; WORDS begin what we say of it
verdict()
{
	want=$1 words=$2
	shift 2
	"$MICROVM" test --timeout $GUEST_TIMEOUT --kernel "${test_kernel:-$RUN/kit/kernel}" "$@" >out 2>err </dev/null
	status=$?
	[ $status = "$want" ] || fail "status $status, not $want: $(tail -n 3 err)"
	grep -q "^microvm: $words" err || fail "not $words: $(tail -n 3 err)"
}

# brief STATUS WORDS OPTION... - likewise, with few words of the kernel's
brief()
{
	want=$1 words=$2
	shift 2
	verdict "$want" "$words" --append $BRIEF "$@"
}

# init STATUS WORDS COMMAND OPTION... - COMMAND is run by an init of its own, and prints on the console
init()
{
	want=$1 words=$2 run=$3
	shift 3
	verdict "$want" "$words" --initrd "$TEST_INITRD" --append "$BRIEF microvm.run=\"$run\"" "$@"
}

# bad HOW - a command by which the kernel has that bug (module/ends_badly), told early by its detectors
bad()
{
	case $1 in
	soft) echo "echo 1 >/proc/sys/kernel/watchdog_thresh" ;;
	rcu) echo "echo 3 >/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout" ;;
	hung) echo "echo 1 >/proc/sys/kernel/hung_task_timeout_secs" ;;
	*_panics) echo "echo 1 >/proc/sys/kernel/panic_on_oops" ;;
	esac
	echo "insmod /test/ends_badly.ko how=${1%_panics}"
}

# has_bug STATUS WORDS HOW OPTION... - WORDS begin what we say of a kernel that has it, by our command line
has_bug()
{
	want=$1 words=$2 run=$(bad "$3" | one_line)
	shift 3
	init "$want" "$words" "$run" "$@"
}

# has_bug_under_firecracker STATUS WORDS HOW OPTION... - likewise, by the line that Firecracker has by default
has_bug_under_firecracker()
{
	want=$1 words=$2 run=$(bad "$3" | one_line)
	shift 3
	verdict "$want" "$words" --initrd "$TEST_INITRD" --cmdline \
		"console=ttyS0 reboot=k panic=1 pci=off $BRIEF microvm.run=\"$run\"" "$@"
}

case_test_passes_a_kernel_that_boots()
{
	verdict 0 PASS
	init 0 PASS true
	[ ! -s out ] || fail "it prints: $(head -n 3 out)"
}

case_test_has_the_commands_status()
{
	verdict 0 PASS --root "$RUN/root.img" -- echo hello
	said hello
	brief 1 'FAIL: the command ended with status 3' --root "$RUN/root.img" -- sh -c 'exit 3'
	brief 125 'ERROR: .*nope' --root "$RUN/root.img" -- nope
	brief 1 'FAIL: the machine ended before the command did' --root "$RUN/root.img" -- \
		sh -c 'echo b >/proc/sysrq-trigger; sleep 999'
}

case_test_counts_cases()
{
	brief 0 'PASS (cases: 1 ok, 0 failed, 1 skipped, 0 failed as expected, 0 missing)' \
		--root "$RUN/root.img" -- sh -c 'printf "TAP version 13\n1..2\nok 1 a\nok 2 b # SKIP c\n"'
	brief 1 'FAIL: its tests ended too early: 1 that their plan has did not run' \
		--root "$RUN/root.img" -- sh -c 'printf "KTAP version 1\n1..2\nok 1 a\n"'
}

# Of Debian's linux-source, as modules: their results go by the kernel's log
case_test_counts_kunits_cases()
{
	init 0 'PASS (cases: 59 ok, 0 failed, 2 skipped, 0 failed as expected, 0 missing)' \
		'echo 7 >/proc/sys/kernel/printk; cd /test; insmod kunit.ko enable=1; insmod kunit-example-test.ko; insmod list-test.ko'
}

# Without huge pages, and without O_TMPFILE on an overlay. Twice: by its runner a program is a case, and what it prints is a comment; by itself it has its own
case_test_counts_kselftests_cases()
{
	brief 0 'PASS (cases: 18 ok, 0 failed, 2 skipped, 0 failed as expected, 0 missing)' \
		--root "$TEST_ROOT" -- sh -c 'cd /kselftest; sh ./run_kselftest.sh
			mincore/mincore_selftest && membarrier/membarrier_test_single_thread'
}

case_test_tells_a_panic()
{
	init 70 'PANIC: Kernel panic - not syncing: ' 'echo c >/proc/sysrq-trigger; sleep 999'
	verdict 70 'PANIC: Kernel panic - not syncing: ' --initrd "$TEST_INITRD" --cmdline \
		'console=ttyS0 reboot=k panic=1 pci=off microvm.run="echo c >/proc/sysrq-trigger; sleep 999"'
	brief 70 'PANIC: Kernel panic - not syncing: ' --root "$RUN/root.img" -- \
		sh -c 'echo c >/proc/sysrq-trigger; sleep 999'
	# no init
	brief 70 'PANIC: Kernel panic - not syncing: ' --initrd none
}

case_test_tells_an_oops()
{
	has_bug 73 "OOPS: $NULL_POINTER" oops
	# what comes first is the verdict
	has_bug_under_firecracker 73 "OOPS: $NULL_POINTER" oops_panics --verbose
	complained 'Kernel panic - not syncing: .*Fatal exception'
}

case_test_tells_a_bug()
{
	has_bug 73 'OOPS: kernel BUG at .*ends_badly.c:' bug
	has_bug 73 "OOPS: $FULL_STACK" stack
	has_bug 73 'OOPS: BUG: scheduling while atomic: insmod/' atomic
}

case_test_tells_a_fault()
{
	has_bug 73 "OOPS: $WILD_POINTER" wild
	[ "$ARCH" = amd64 ] || return 0 # a division by zero is 0
	has_bug 73 'OOPS: divide error: 0000 \[#1\]' divide
}

case_test_tells_a_warning()
{
	has_bug 74 'WARN: WARNING: CPU: 0 PID: .*ends_badly.c:' warn --warn-fails
	has_bug 0 'PASS (the kernel warned: 1)' warn
}

case_test_tells_a_soft_lockup()
{
	has_bug 75 'LOCKUP: watchdog: BUG: soft lockup - CPU#0 stuck for .*insmod' soft
}

case_test_tells_a_hung_task()
{
	has_bug 75 'LOCKUP: INFO: task insmod:[0-9]* blocked for more than 1 seconds' hung
}

case_test_tells_an_rcu_stall()
{
	has_bug 75 'LOCKUP: rcu: INFO: rcu_[a-z]* .*stall' rcu --cpus 2
}

# COMMAND goes on as if nothing was, and its status is 0
case_test_tells_an_oops_in_a_good_test()
{
	brief 73 "OOPS: $NULL_POINTER.* (cases: 1 ok" --root "$TEST_ROOT" -- sh -c \
		'printf "TAP version 13\n1..1\nok 1 a\nPASS\n"; insmod /ends_badly.ko how=oops; exit 0'
	said PASS
}

case_test_takes_no_programs_words_for_the_kernels()
{
	init 0 PASS 'echo BUG: unable to handle page fault; echo Kernel panic - not syncing: x; echo Oops: 0002'
	brief 0 PASS --root "$RUN/root.img" -- echo '[    1.234567] BUG: kernel NULL pointer dereference'
}

case_test_tells_silence()
{
	init 76 'HANG: nothing came from the guest for 20 seconds' 'echo up; sleep 999' --hang 20s
	init 0 PASS 'echo up; sleep 999' --expect '^up$'
}

# With interrupts off on all of them no detector of the guest's runs; that they spin, and do not wait,
# is known by silence alone
case_test_tells_a_machine_without_interrupts()
{
	# with all of its words: a boot is no silence
	BRIEF='' has_bug 76 'HANG: nothing came from the guest for 20 seconds' interrupts --cpus 2 --hang 20s --verbose
	complained 'ends_badly: loading'
	[ "$ARCH" = amd64 ] || return 0 # an interrupt that waits wakes an arm64 one, masked or not
	has_bug 76 'HANG: the guest stands for good' stand --cpus 2
}

case_test_tells_a_processor_that_stands()
{
	[ "$ARCH" = amd64 ] || skip 'kexec of bare code is for amd64'
	init 71 'CRASH: ' 'kexec triple'
	init 76 'HANG: the guest stands for good' 'kexec still'
	has_bug_under_firecracker 71 'CRASH: .*triple fault' triple
}

case_test_takes_a_package()
{
	export MICROVM_RUN_DIR="$RUN/none"
	test_kernel=$RUN/linux.deb
	brief 0 PASS --root "$RUN/root.img" -- cat /proc/modules
	grep -q '^virtio_blk ' out || fail "virtio_blk is no module of the guest's: $(head -n 3 out)"
}

# What a processor was at is a function and an offset in it, wherever the kernel lies: as the kernel itself has
# them in its call trace. Its symbols are from /proc/kallsyms, when it lay where it was linked
case_test_names_what_a_processor_was_at()
{
	case $ARCH in
	amd64) entry=entry_SYSCALL_64 ;;
	*) entry=vectors ;;
	esac
	verdict 0 PASS --initrd "$TEST_INITRD" --append \
		"nokaslr microvm.run=\"grep -A 1 -E ' [tT] (.*sysrq.*|.*sys_[a-f].*|$entry)$' /proc/kallsyms\"" --artifacts linked
	tr -d '\r' <linked/console.log | grep -o '[0-9a-f]\{16\} [tT] [^ ]*$' | sort -u >System.map-it
	cp "$RUN/kit/kernel" vmlinuz-it
	test_kernel=vmlinuz-it
	init 70 'PANIC: Kernel panic' 'echo c >/proc/sysrq-trigger; sleep 999' --artifacts left
	crash=$(tr -d '\r' <left/console.log | sed -n "s/.* \(write_sysrq_trigger+0x[0-9a-f]*\).*/\1/p" | head -n 1)
	[ "$crash" ] || fail "the kernel does not say where it crashed: $(tail -n 40 left/console.log)"
	grep -q "^  stack  0x[0-9a-f]*  $crash\$" left/cpus.txt || fail "no $crash in $(cat left/cpus.txt)"
	grep -q ' above where it was linked (KASLR)$' left/cpus.txt || fail "$(head -n 1 left/cpus.txt)"
}

case_test_takes_what_was_built()
{
	export MICROVM_RUN_DIR="$RUN/none"
	test_kernel=$RUN/tree
	verdict 0 PASS
	# as after a build of another commit's kernel alone
	cp -R "$RUN/tree" tree
	test_kernel=tree
	sed -i 's/vermagic=[0-9]/vermagic=x/' tree/drivers/virtio/virtio_mmio.ko
	verdict 125 'kernel tree: its module virtio_mmio is of kernel x.*; build both: make all'
	rm tree/drivers/virtio/virtio_mmio.ko
	verdict 125 'kernel tree: its module virtio_mmio is not there, but listed'
}
