# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# test.sh - `microvm test`: each verdict that a stock kernel can have, and no other. The functions of run.sh
# are there as well.
#
# In the environment besides: TEST_INITRD, an initramfs with /bin/kexec.
#
# shellcheck disable=SC2016 # what stands in single quotes is for the guest's shell

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

# init STATUS WORDS COMMAND OPTION... - COMMAND is run by an init of its own, and prints on the console
init()
{
	want=$1 words=$2 run=$3
	shift 3
	verdict "$want" "$words" --initrd "$TEST_INITRD" --append "microvm.run=\"$run\"" "$@"
}

# kernel_says TEXT - a command that has the kernel say so, by the way that /dev/kmsg is
kernel_says()
{
	echo "echo '<3>$1' >/dev/kmsg"
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
	verdict 1 'FAIL: the command ended with status 3' --root "$RUN/root.img" -- sh -c 'exit 3'
	verdict 125 'ERROR: .*nope' --root "$RUN/root.img" -- nope
	verdict 1 'FAIL: the machine ended before the command did' --root "$RUN/root.img" -- \
		sh -c 'echo b >/proc/sysrq-trigger; sleep 999'
}

case_test_counts_cases()
{
	verdict 0 'PASS (cases: 1 ok, 0 failed, 1 skipped, 0 failed as expected, 0 missing)' \
		--root "$RUN/root.img" -- sh -c 'printf "TAP version 13\n1..2\nok 1 a\nok 2 b # SKIP c\n"'
	verdict 1 'FAIL: its tests ended too early: 1 that their plan has did not run' \
		--root "$RUN/root.img" -- sh -c 'printf "KTAP version 1\n1..2\nok 1 a\n"'
	# KUnit's go by the kernel's log
	init 1 'FAIL: 1 of its cases failed, the first is "b"' \
		"$(for line in 'KTAP version 1' 1..1 '    KTAP version 1' '    1..2' '    ok 1 a' '    not ok 2 b' 'not ok 1 s'; do
			kernel_says "$line"
			echo ';'
		done | tr -d '\n' | sed 's/;$//')"
}

case_test_tells_a_panic()
{
	init 70 'PANIC: Kernel panic - not syncing: ' 'echo c >/proc/sysrq-trigger; sleep 999'
	verdict 70 'PANIC: Kernel panic - not syncing: ' --initrd "$TEST_INITRD" --cmdline \
		'console=ttyS0 reboot=k panic=1 pci=off microvm.run="echo c >/proc/sysrq-trigger; sleep 999"'
	verdict 70 'PANIC: Kernel panic - not syncing: ' --root "$RUN/root.img" -- \
		sh -c 'echo c >/proc/sysrq-trigger; sleep 999'
	# no init
	verdict 70 'PANIC: Kernel panic - not syncing: ' --initrd none
}

# It stands for a kernel that really has them: these are its own lines
case_test_tells_an_oops_in_a_good_test()
{
	init 73 'OOPS: BUG: kernel NULL pointer dereference, address: 0 (cases: 1 ok' \
		"echo TAP version 13; echo 1..1; echo ok 1 a; $(kernel_says 'BUG: kernel NULL pointer dereference, address: 0')"
	init 75 'LOCKUP: INFO: task sh:1 blocked for more than 120 seconds.' \
		"$(kernel_says 'INFO: task sh:1 blocked for more than 120 seconds.')"
	init 74 'WARN: WARNING: CPU: 0 PID: 1 at a.c:1' "$(kernel_says 'WARNING: CPU: 0 PID: 1 at a.c:1')" --warn-fails
	init 0 'PASS (the kernel warned: 1)' "$(kernel_says 'WARNING: CPU: 0 PID: 1 at a.c:1')"
}

case_test_takes_no_programs_words_for_the_kernels()
{
	init 0 PASS 'echo BUG: unable to handle page fault; echo Kernel panic - not syncing: x; echo Oops: 0002'
	verdict 0 PASS --root "$RUN/root.img" -- echo '[    1.234567] BUG: kernel NULL pointer dereference'
}

case_test_tells_silence()
{
	init 76 'HANG: nothing came from the guest for 20 seconds' 'echo up; sleep 999' --hang 20s
	init 0 PASS 'echo up; sleep 999' --expect '^up$'
}

case_test_tells_a_processor_that_stands()
{
	[ "$ARCH" = amd64 ] || skip 'kexec of bare code is for amd64'
	init 71 'CRASH: ' 'kexec triple'
	init 76 'HANG: the guest stands for good' 'kexec still'
	init 76 'HANG: nothing came from the guest' 'kexec spin' --hang 20s
}

case_test_takes_a_package()
{
	export MICROVM_RUN_DIR="$RUN/none"
	test_kernel=$RUN/linux.deb
	verdict 0 PASS --root "$RUN/root.img" -- cat /proc/modules
	grep -q '^virtio_blk ' out || fail "virtio_blk is no module of the guest's: $(head -n 3 out)"
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
