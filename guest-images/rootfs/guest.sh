# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# guest.sh - what our two inits have in common, the one in the initramfs and the one on a
# root disk: /etc/microvm/guest.sh in the guest.  For busybox's shell.
export PATH=/sbin:/bin:/usr/sbin:/usr/bin HOME=/root TERM="${TERM:-linux}"

# guest_mount - the file systems that nothing works without, where they are missing
guest_mount()
{
	# busybox finds its own commands through /proc/self/exe, so this one needs its path
	[ -e /proc/self/exe ] || /bin/busybox mount -t proc proc /proc
	[ -d /sys/kernel ] || mount -t sysfs sys /sys
	[ -c /dev/null ] || mount -t devtmpfs dev /dev
	mkdir -p /dev/pts /dev/shm
	[ -c /dev/pts/ptmx ] || mount -t devpts -o ptmxmode=666 devpts /dev/pts
	[ -e /dev/fd ] || ln -s /proc/self/fd /dev/fd
	for fd in 0:stdin 1:stdout 2:stderr; do
		[ -e "/dev/${fd#*:}" ] || ln -s "/proc/self/fd/${fd%:*}" "/dev/${fd#*:}"
	done
}

# guest_console - take the console as stdin, stdout and stderr.  The kernel does so for
# the first process, but the driver of a virtio console may be loaded later than that.
guest_console()
{
	if (: </dev/console) 2>/dev/null; then
		exec </dev/console >/dev/console 2>&1
	else
		exec </dev/null >/dev/null 2>&1
	fi
}

# guest_word - take the first word off $line as the kernel does: blanks between quotation
# marks part nothing, and marks around a word or its value are not of it.  Sets name and
# value; fails if there is no word, or if "--" says that the rest is for init alone.
guest_word()
{
	line=${line#"${line%%[![:space:]]*}"}
	[ -n "$line" ] || return 1
	word='' marked=''
	while :; do
		piece=${line%%[\"[:space:]]*}
		line=${line#"$piece"}
		word=$word$piece
		[ "${line#\"}" != "$line" ] || break
		line=${line#\"}
		piece=${line%%\"*}
		line=${line#"$piece"}
		word="$word\"$piece${line:+\"}"
		line=${line#\"}
	done
	case $word in \"*) marked=y ;; esac
	word=${word#\"}
	name=${word%%=*} value=''
	[ "$name" = "$word" ] || value=${word#*=}
	case $value in \"*) marked=y ;; esac
	value=${value#\"}
	[ -z "$marked" ] || value=${value%\"} name=${name%\"}
	[ "$name" != -- ] || [ "${word%\"}" != -- ]
}

# guest_cmdline - set root, type, flags, mode, init, run, quiet and console from the kernel's
# command line.  console is what microvm says of it: "terminal", "plain" (a pipe or a file), or
# nothing where it does not know.
# shellcheck disable=SC2034 # they are for the caller
guest_cmdline()
{
	root='' type='' flags='' mode='' init=/sbin/init run='' quiet='' console=''
	line=$(cat /proc/cmdline)
	while guest_word; do
		case $name in
		root) root=$value ;;
		rootfstype) type=$value ;;
		rootflags) flags=$value ;;
		init) init=$value ;;
		microvm.run) run=$value ;;
		microvm.console) console=$value ;;
		quiet) quiet=y ;;
		rw | ro) mode=$name ;;
		esac
	done
}

# guest_say WORDS - on the console; where a program reads that, to the kernel's log, which `quiet`
# keeps from it
guest_say()
{
	if [ "$console" = plain ]; then
		echo "<5>init: $*" 2>/dev/null >/dev/kmsg
	else
		echo "init: $*"
	fi
}

# guest_fail WORDS - the machine cannot do what it is there for: say so, and end as a kernel does
# that finds no root, by a panic, so that this is no success
guest_fail()
{
	echo "init: $*"
	sync
	exit 1
}

# guest_end HOW - stop everything and leave the machine: HOW is poweroff or reboot
guest_end()
{
	trap '' TERM USR1 USR2
	kill -TERM -1 2>/dev/null && usleep 50000
	kill -KILL -1 2>/dev/null
	sync
	mount -o remount,ro / 2>/dev/null
	# Without ACPI or a device tree the kernel knows no way to switch off, and would stop
	# with the machine running: a reset ends that too.
	if [ "$1" = poweroff ] &&
		{ [ -d /sys/firmware/acpi ] || [ -d /sys/firmware/devicetree ]; }; then
		# "reboot: Power down" is an emergency to Linux, and quiet does not hide it.  A
		# reset's words stay: microvm reads them (docs/exit-status.md).
		[ -z "$quiet" ] || echo 0 2>/dev/null >/proc/sys/kernel/printk
		poweroff -f
	fi
	reboot -f
}

# guest_ports - /dev/virtio-ports/NAME for each port, as udev makes it.  Their device says how many
# there are and what they are called a moment after its driver is there, all at once.
guest_ports()
{
	multiport=''
	for device in /sys/bus/virtio/devices/*; do
		# virtio 1.2, 5.3.3: a console's second feature bit
		[ "$(cat "$device/device" 2>/dev/null)" != 0x0003 ] || [ ! -e "$device/driver" ] ||
			case $(cat "$device/features") in ?1*) multiport=y ;; esac
	done
	[ -n "$multiport" ] || return
	before='' tries=100
	while [ $tries -gt 0 ]; do
		names=$(cat /sys/class/virtio-ports/*/name 2>/dev/null)
		if [ -n "$names" ] && [ "$names" = "$before" ]; then break; fi
		before=$names
		usleep 10000
		tries=$((tries - 1))
	done
	mkdir -p /dev/virtio-ports
	for port in /sys/class/virtio-ports/*; do
		name=$(cat "$port/name" 2>/dev/null)
		[ -z "$name" ] || ln -sf "../${port##*/}" "/dev/virtio-ports/$name"
	done
}

# guest_port NAME - print the device of that port, if there is one
guest_port()
{
	[ ! -e "/dev/virtio-ports/$1" ] || echo "/dev/virtio-ports/$1"
}

# guest_stream NAME - if there is a port of that name, set stream to a pipe whose reader, added to
# readers, writes to it.  A port itself cannot be opened twice, as /dev/stderr would.
guest_stream()
{
	stream='' device=$(guest_port "$1")
	[ -n "$device" ] || return
	rm -f "/run/microvm.$1"
	mkfifo "/run/microvm.$1" || return
	stream=/run/microvm.$1
	cat <"$stream" >"$device" 8>&- &
	readers="$readers $!"
}

# guest_ask_size - ask the terminal once where its cursor is when it is as far down and right as it
# goes; one that says nothing for two seconds has no size
guest_ask_size()
{
	saved=$(stty -g) answer=''
	stty -icanon -echo
	printf '\0337\033[999;999H\033[6n\0338'
	# shellcheck disable=SC3045 # busybox' can
	while IFS= read -r -n 1 -t 2 char && [ "$char" != R ] && [ ${#answer} -lt 16 ]; do
		answer=$answer$char
	done
	stty "$saved"
	answer=${answer##*[}
	[ "${answer#*;}" = "$answer" ] ||
		stty rows "${answer%;*}" cols "${answer#*;}" 2>/dev/null
}

# guest_tty - the console as its reader needs it: a program gets the bytes that the job wrote; a
# terminal is asked for its size, if we were not told
guest_tty()
{
	[ -t 0 ] || return
	case $console in
	plain) stty -onlcr ;;
	# busybox' stty has no word for the size 0 x 0
	terminal) [ -n "$(stty size 2>/dev/null)" ] || guest_ask_size ;;
	esac
}

# guest_job PROGRAM... - run it, and say how it ended: on the port "status", and in our own status.
# What it prints goes to the ports "stdout" and "stderr" where they exist, else to the console.
guest_job()
{
	readers='' out='' err=''
	guest_stream stdout && out=$stream
	guest_stream stderr && err=$stream
	(
		exec 8>&-
		[ -z "$out" ] || exec >"$out"
		[ -z "$err" ] || exec 2>"$err"
		exec "$@"
	)
	status=$?
	if [ -n "$readers" ]; then
		# What the job left running may hold a pipe open for ever: it gets a second
		# shellcheck disable=SC2086 # numbers
		{ (sleep 1; kill $readers) & wait $readers; } 2>/dev/null
	fi
	[ $status = 0 ] || guest_say "ended with status $status"
	port=$(guest_port status)
	[ -z "$port" ] || echo $status >"$port"
	return $status
}

# guest_session - what the guest is there for: the command in $run, the program that was
# put in when the image was made, or else a login shell.  Its status goes to descriptor 8.
guest_session()
{
	# Ctrl-C and its like are for what is in the foreground.  Caught, not ignored: that would be
	# inherited.
	trap : INT QUIT TSTP HUP
	guest_cmdline
	guest_tty
	shell='sh'
	[ ! -x /bin/bash ] || shell=bash
	if [ -n "$run" ]; then
		guest_job $shell -c "$run"
	elif [ -x /etc/microvm/run ]; then
		guest_job /etc/microvm/run
	else
		cd "$HOME" || cd /
		$shell -l 8>&-
	fi
	echo $? >&8
}

# guest_button - tell the first process to switch off when the machine's power button is pressed,
# by which SIGTERM to microvm asks for that.  An event is 24 bytes: a time, then type (1: a key),
# code (116: power) and value (1: pressed)
guest_button()
{
	for device in /dev/input/event*; do
		[ -c "$device" ] || continue
		while :; do
			# shellcheck disable=SC2046 # twelve numbers of 16 bits
			set -- $(dd bs=24 count=1 2>/dev/null | od -An -v -tu2)
			[ $# = 12 ] || break
			[ "$9 ${10} ${11}" != '1 116 1' ] || kill -USR2 1
		done <"$device" &
	done
}

# guest_main - the session, then the end; poweroff, halt and reboot tell the first
# process by these signals
guest_main()
{
	trap 'guest_end poweroff' USR1 USR2
	trap 'guest_end reboot' TERM
	guest_button
	guest_ports
	# The pipe of an earlier boot may be there, and the root may not be for writing
	rm -f /run/microvm.session 2>/dev/null
	mkfifo /run/microvm.session 2>/dev/null || {
		mount -t tmpfs run /run
		mkfifo /run/microvm.session || guest_fail 'no pipe can be made in /run'
	}
	# A shell's background process ignores Ctrl-C and Ctrl-\, and so does all that it starts.
	# setsid's does not: the second one leads a session already, so it forks and returns. Its
	# last words have a reader, for which we wait, because the signals above interrupt only
	# `wait`.
	cat </run/microvm.session >/dev/null &
	tty=''
	[ ! -t 0 ] || tty=cttyhack
	setsid setsid $tty /bin/busybox sh -c '. /etc/microvm/guest.sh; guest_session' \
		8>/run/microvm.session
	wait $!
	guest_end poweroff
}
