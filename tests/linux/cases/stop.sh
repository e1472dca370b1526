# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# stop.sh - SIGTERM presses the power button: a guest that handles it shuts down, another has
# --stop-timeout.

# running COMMAND OPTION... - as start(), and it has printed a line `up`
running()
{
	start "$@"
	wait_for out '^up'
}

# stopped STATUS - $vmm has
stopped()
{
	wait "$vmm"
	status=$?
	[ $status = "$1" ] || fail "status $status, not $1"
}

case_stop_in_time()
{
	running 'echo up; sleep 999' --report report.json --pidfile pid --stop-timeout 120s
	[ "$(cat pid)" = "$vmm" ] || fail "the pid file has $(cat pid), not $vmm"
	kill "$vmm"
	stopped 0
	complained '^microvm: the guest ended by itself, .* seconds after SIGTERM'
	[ "$(field cause)" = poweroff ] || fail "the cause is $(field cause)"
	[ ! -e pid ] || fail 'the pid file is left'
}

# What is not on the disk yet gets there, and the file system is clean
case_stop_keeps_the_disk()
{
	cp "$ROOT" disk
	: >out
	"$MICROVM" --timeout $GUEST_TIMEOUT --kernel "$KERNEL" --initrd "$INITRD" --disk disk \
		--stop-timeout 120s --append 'quiet root=/dev/vda rw microvm.run="echo kept >/kept; echo up; sleep 999"' \
		>out 2>err </dev/null &
	vmm=$!
	wait_for out '^up'
	kill "$vmm"
	stopped 0
	e2fsck -fn disk >check 2>&1 || fail "e2fsck: $(tail -n 1 check)"
	! grep -q recover check || fail 'its journal was not written back'
	guest 0 --kernel "$KERNEL" --initrd "$INITRD" --disk disk \
		--append 'quiet root=/dev/vda microvm.run="cat /kept"'
	said kept
}

# Nobody in this guest reads the button
case_stop_not_in_time()
{
	running 'killall dd; echo up; sleep 999' --stop-timeout 2s --name deaf
	kill "$vmm"
	stopped 143
	complained '^microvm deaf: .* in the 2 seconds after SIGTERM pressed'
}

case_stop_second_signal()
{
	running 'killall dd; echo up; sleep 999' --stop-timeout 300s --log-level info
	kill "$vmm"
	wait_for err 'power button was pressed'
	kill "$vmm"
	stopped 143
	complained 'a second signal ended the guest'
}
