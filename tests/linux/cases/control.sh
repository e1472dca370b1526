# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# control.sh - a stock guest while its machine is asked by the control socket.
#
# shellcheck disable=SC2016,SC2034,SC2154 # what stands in single quotes is for the guest's shell

# ctl WORD... - what is answered is in ./ctl
ctl()
{
	"$MICROVM" ctl control.sock "$@" --json >ctl 2>ctl.err || fail "ctl $*: $(cat ctl.err)"
}

# gave BYTES - has the guest given so many?
gave()
{
	ctl status
	grep -q "\"given_bytes\":$1[,}]" ctl
}

# Its balloon and its disk change, and after a pause its clock is right
case_control_of_a_stock_guest()
{
	INITRD=$BALLOON_INITRD
	truncate -s 8M disk.img
	start "$(one_line <<-'END'
		secs() { cut -d. -f1 /proc/uptime; }
		echo up; read go </dev/console; before=$(secs); echo before; read go </dev/console
		echo slept=$(($(secs) - before)) date=$(date +%s) sectors=$(cat /sys/block/vda/size)
		dmesg | grep -v microvm.run | grep -i 'lockup\|stall\|blocked for more' | sed 's/^/BAD /'; echo over
	END
	)" --memory 256M --balloon 0 --disk disk.img --control control.sock
	wait_for out '^up'
	ctl balloon 64M
	await gave 67108864 || fail "the guest has not given it: $(cat ctl)"
	ctl balloon 0
	await gave 0 || fail "the guest has not got it back: $(cat ctl)"
	ctl resize-disk blk0 16M
	go
	wait_for out '^before'
	ctl pause
	go
	sleep 3
	ctl status
	grep -q '"state":"paused"' ctl || fail "it is not paused: $(cat ctl)"
	! grep -q slept out || fail 'it goes on while it is paused'
	then=$(date +%s)
	ctl resume
	wait_for out '^over'
	now=$(date +%s)
	wait "$vmm" || fail "status $?"
	! grep -q BAD out || fail "$(grep BAD out | head -n1)"
	# shellcheck disable=SC2046 # words
	set -- $(tr -d '\r' <out | sed -n 's/^slept=\([0-9]*\) date=\([0-9]*\) sectors=\([0-9]*\)$/\1 \2 \3/p')
	[ $# = 3 ] && [ "$1" -ge 3 ] || fail "it thinks that it slept for ${1-nothing} s"
	[ "$2" -ge $((then - 1)) ] && [ "$2" -le $((now + 1)) ] || fail "its clock says $2, and here it was $then to $now"
	[ "$3" = 32768 ] || fail "its disk has $3 sectors"
}
