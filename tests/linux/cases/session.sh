# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# session.sh - what our images give to whom they were booted for: a shell to a person at a terminal,
# a job's bytes and its status to a program, and no success where there was none.
#
# In the environment besides: TERMINAL (terminal), with somebody who sits at it.
#
# shellcheck disable=SC2016 # what stands in single quotes is for the guest's shell

# sit OPTION... - at a terminal, which shows what is in ./out; types what press() says
sit()
{
	[ -p in ] || mkfifo in
	: >out
	"$TERMINAL" 40x132 "$MICROVM" --timeout "$GUEST_TIMEOUT" --kernel "$KERNEL" \
		--initrd "$INITRD" "$@" <in >out 2>err &
	vmm=$!
	exec 3>in
}

# press KEYS - as printf takes them
press()
{
	# shellcheck disable=SC2059
	printf "$1" >&3
}

# jobs_obey KEY STATUS - something in the foreground ends by that key
jobs_obey()
{
	turn=$((${turn-0} + 1))
	press 'sh -c "echo on=$(('$turn' + 100)); exec sleep 999"\r'
	wait_for out "^on=$((turn + 100))"
	press "$1"
	press 'echo ended'$turn'=$?\r'
	wait_for out "^ended$turn=$2"
}

# shell OPTION... - a person uses the shell, and leaves it
shell()
{
	sit "$@"
	wait_for out '# '
	press 'stty size; echo home=$PWD; echo there=$((40 + 2))\r'
	wait_for out '^there=42'
	said '40 132'
	said home=/root
	jobs_obey '\003' 130 # Ctrl-C
	jobs_obey '\034' 131 # Ctrl-\
	press 'sh -c "trap '\''echo back'\'' CONT; echo on=$((40 + 3)); while :; do sleep 1; done"\r'
	wait_for out '^on=43'
	press '\032' # Ctrl-Z
	press 'jobs; echo listed=$((40 + 4))\r'
	wait_for out '^listed=44'
	tr -d '\r' <out | grep -q '^\[1\]+ *Stopped' || fail 'Ctrl-Z stopped nothing'
	press 'fg\r'
	wait_for out '^back' # only now it is in the foreground
	press '\003'
	press 'echo ended=$?\r'
	wait_for out '^ended=130'
	press 'exit\r'
	wait "$vmm" || fail "status $?"
	exec 3>&-
}

case_session_of_a_person_on_the_serial_console()
{
	shell --append quiet
}

case_session_of_a_person_on_the_virtio_console()
{
	shell --append quiet --console virtio
}

case_session_of_a_person_on_a_disk()
{
	cp "$ROOT" root.img
	shell --disk root.img --append 'quiet root=/dev/vda rw'
}

# A job at a terminal has lines that end as a terminal wants it, and Ctrl-C
case_session_of_a_job_at_a_terminal()
{
	sit --port status,file=status --append 'quiet microvm.run="echo up; stty size; sleep 999"'
	wait_for out up
	wait_for out '40 132'
	press '\003'
	wait "$vmm" || fail "status $?"
	exec 3>&-
	grep -q "up$(printf '\r')$" out || fail 'a terminal got no CR'
	[ "$(cat status)" = 130 ] || fail "the port status has: $(cat status)"
	wait_for out 'init: ended with status 130'
}

# bytes WORDS OPTION... - of a job, and nothing besides, in ./got; WORDS are the kernel's
bytes()
{
	words=$1
	shift
	printf 'one\ntwo\r\nthree\tend' >want
	guest 0 --kernel "$KERNEL" --initrd "$INITRD" --port status,file=status --append \
		"quiet $words microvm.run=\"printf %b one\\\\ntwo\\\\r\\\\n; printf %b three\\\\tend; exit 4\"" "$@"
	[ -e got ] || cp out got
	cmp want got >why || fail "$(cat why)"
	[ "$(cat status)" = 4 ] || fail "the port status has: $(cat status)"
	rm -f got status
}

case_session_has_the_bytes_of_the_job_alone()
{
	bytes ''
	bytes '' --console virtio
	bytes '' --console file=got
	cp "$ROOT" root.img
	bytes 'root=/dev/vda rw' --disk root.img
	bytes 'root=/dev/vda ro' --disk root.img,ro
}

case_session_without_acpi_has_the_bytes_of_the_job()
{
	[ "$ARCH" = amd64 ] || skip 'only a PC can be without ACPI'
	stock 0 'echo one' --acpi off
	[ "$(sed -n 1p out)" = one ] || fail 'a CR, or a word before it'
}

case_session_keeps_stdout_and_stderr_apart()
{
	stock 0 'echo out; echo err >&2; echo more >/dev/stderr; (sleep 99 & ); exit 3' \
		--port stdout,file=o --port stderr,file=e --port status,file=status
	[ ! -s out ] || fail 'something came on the console'
	[ "$(cat o)" = out ] || fail "stdout: $(cat o)"
	printf 'err\nmore\n' | cmp - e || fail "stderr: $(cat e)"
	[ "$(cat status)" = 3 ] || fail "the port status has: $(cat status)"
}

case_session_has_ports_by_their_names()
{
	stock 0 'echo hello >/dev/virtio-ports/agent; ls -1 /dev/virtio-ports' --port agent,file=a \
		--port other,file=b --console virtio
	[ "$(cat a)" = hello ] || fail "the port has: $(cat a)"
	printf 'agent\nother\n' | cmp - out || fail 'other names'
}

case_session_ends_when_all_of_it_was_killed()
{
	stock 0 'kill -9 -1; sleep 999' --port status,file=status
	[ ! -s status ] || fail "a status: $(cat status)"
}

case_session_ends_by_a_poweroff_inside()
{
	stock 0 'poweroff; sleep 999' --port status,file=status
	[ ! -s status ] || fail "a status: $(cat status)"
}

# rootless WORDS OPTION... - the kernel has these words, and its job does not run
rootless()
{
	words=$1
	shift
	guest 70 --kernel "$KERNEL" --initrd "$INITRD" --append "quiet microvm.run=\"echo job\" $words" "$@"
	! grep -q '^job' out || fail 'the job ran on something else'
}

# A root that is not there, or no file system, or has no init
case_session_needs_the_root_that_was_named()
{
	random_file none.img 1
	rootless root=/dev/vdx --disk none.img
	grep -q 'init: no disk is root=/dev/vdx; there are: vda 1M' out || fail 'nobody said why'
	grep -q 'init: waiting for root=/dev/vdx' out || fail 'nobody said that it waits'
	rootless root=/dev/vda --disk none.img
	grep -q 'init: root=/dev/vda cannot be mounted (Invalid argument); there are: vda 1M' out ||
		fail 'nobody said why'
	cp "$ROOT" root.img
	rootless 'root=/dev/vda init=/sbin/none' --disk root.img
	grep -q 'init: root=/dev/vda has no /sbin/none' out || fail 'nobody said why'
}

case_session_without_a_root_says_what_there_is()
{
	cp "$ROOT" root.img
	sit --disk root.img --append quiet
	wait_for out 'init: this is the initramfs, for root= is not given; there are: vda 64M'
	wait_for out '# '
	press 'exit\r'
	wait "$vmm" || fail "status $?"
	exec 3>&-
}
