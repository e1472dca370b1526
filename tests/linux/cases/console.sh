# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# console.sh - consoles that go elsewhere, and ports beside them, with the stock guest's
# drivers.
#
# In the environment besides: CARRY (carry), which plays the other end.
#
# shellcheck disable=SC2016 # what stands in single quotes is for the guest's shell

# elsewhere OPTION... - a guest with a shell on its console, in our background as $vmm
elsewhere()
{
	: >out
	"$MICROVM" --timeout "$GUEST_TIMEOUT" --kernel "$KERNEL" --initrd "$INITRD" \
		--append quiet "$@" >out 2>err </dev/null &
	vmm=$!
}

# session PATH TTY [LINES] - type at the console's other end, read there, leave, come back and end
# it; before that print LINES lines, while nobody reads for two seconds
session()
{
	mkfifo in
	"$CARRY" "$1" 0 <in >first &
	carrier=$!
	exec 3>in
	wait_for first '# '
	printf 'echo on=$(cat /sys/class/tty/console/active); echo sum=$((40 + 2))\n' >&3
	wait_for first 'sum=42'
	tr -d '\r' <first | grep -q "^on=.*$2" || fail "the console is not $2"
	exec 3>&-
	kill $carrier
	wait $carrier 2>/dev/null
	"$CARRY" "$1" 0 <in >second &
	carrier=$!
	exec 3>in
	printf 'echo again=$((6 * 7))\n' >&3
	wait_for second 'again=42'
	if [ -n "${3-}" ]; then
		printf 'sleep 1; yes nobody reads this yet | head -n %s; echo all=$((1 + 1))\n' "$3" >&3
		wait_for second "head -n $3"
		kill -STOP $carrier
		sleep 2
		kill -CONT $carrier
		wait_for second '^all=2'
	fi
	printf 'poweroff\n' >&3
	wait "$vmm" || fail "status $?"
	exec 3>&-
	kill $carrier 2>/dev/null
	[ ! -s out ] || fail 'something came to our stdout'
}

case_console_serial_on_a_pty()
{
	elsewhere --console pty
	wait_for err 'the console is /dev/pts/'
	session "$(sed -n 's/.*the console is //p' err)" ttyS0
}

case_console_virtio_on_a_socket()
{
	elsewhere --console virtio,unix=con.sock
	session con.sock hvc0 500
	[ "$(tr -d '\r' <second | grep -c '^nobody reads this yet$')" = 500 ] ||
		fail 'lines are missing'
	[ ! -e con.sock ] || fail 'the socket is still there'
}

case_console_in_a_file_is_complete()
{
	echo before >log
	stock 0 'i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i + 1)); done; exit 7' \
		--console virtio,file=log --port status,file=status
	[ "$(cat status)" = 7 ] || fail "the port status has: $(cat status)"
	[ "$(head -n1 log)" = before ] || fail 'it was not appended'
	[ "$(tr -d '\r' <log | grep -c '^line [0-9]*$')" = 2000 ] || fail 'lines are missing'
}

# Both carry 2 MiB to the guest and back at once, and one's peer rests for a while; a third has a
# peer that reads nothing, and a fourth is a terminal that nobody has open.
case_ports_carry_both_ways_beside_a_stuck_one()
{
	random_file a 2
	random_file b 2
	stock_in_background --port one,unix=a.sock --port two,unix=b.sock \
		--port stuck,unix=c.sock --port lone,pty
	"$CARRY" c.sock stuck &
	stuck=$!
	"$CARRY" a.sock 2097152 <a >a.back &
	carrier=$!
	{ sleep 0.3; kill -STOP $carrier; sleep 1; kill -CONT $carrier; } &
	"$CARRY" b.sock 2097152 <b >b.back || fail 'port two failed'
	wait $carrier || fail 'port one failed'
	wait "$vmm" || fail "status $?"
	kill $stuck
	said 'names=one two stuck lone'
	said "one=$(md5sum <a | tr -s " ")"
	said "two=$(md5sum <b | tr -s " ")"
	said 'stuck=alive'
	said 'lone=done'
	cmp -s a a.back || fail 'port one brought something else back'
	cmp -s b b.back || fail 'port two brought something else back'
}

stock_in_background()
{
	"$MICROVM" --timeout "$GUEST_TIMEOUT" --kernel "$KERNEL" --initrd "$INITRD" \
		--append "quiet microvm.run=\"$(one_line <<-'END'
			until [ -e /dev/vport1p4 ] || [ -e /dev/vport0p4 ]; do usleep 10000; done
			cd /sys/class/virtio-ports
			echo names=$(cat */name)
			port() { echo /dev/$(basename $(dirname $(grep -l ^$1$ */name))); }
			one=$(port one); two=$(port two); stuck=$(port stuck)
			dd if=/dev/zero of=$(port lone) bs=64k count=16 2>/dev/null && echo lone=done
			turn() { exec 5<>$2; head -c 2097152 <&5 >/$1; echo $1=$(md5sum </$1); cat /$1 >&5; }
			{ dd if=/dev/zero of=$stuck bs=64k count=64 2>/dev/null & } 
			writer=$!
			{ turn one $one & } 
			first=$!
			turn two $two
			wait $first
			[ ! -d /proc/$writer ] || echo stuck=alive
		END
		)\"" "$@" >out 2>err </dev/null &
	vmm=$!
}
