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

# guest_cmdline - set root, type, flags, mode, init and run from the kernel's command line
# shellcheck disable=SC2034 # they are for whoever calls
guest_cmdline()
{
	root='' type='' flags='' mode='' init=/sbin/init run=''
	line=$(cat /proc/cmdline)
	while guest_word; do
		case $name in
		root) root=$value ;;
		rootfstype) type=$value ;;
		rootflags) flags=$value ;;
		init) init=$value ;;
		microvm.run) run=$value ;;
		rw | ro) mode=$name ;;
		esac
	done
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
		poweroff -f
	fi
	reboot -f
}

# guest_session - what the guest is there for: the command in $run, the program that was
# put in when the image was made, or else a shell
guest_session()
{
	shell='sh'
	[ ! -x /bin/bash ] || shell=bash
	if [ -z "$run" ] && [ ! -x /etc/microvm/run ]; then
		exec setsid cttyhack $shell
	fi
	if [ -n "$run" ]; then
		$shell -c "$run"
	else
		/etc/microvm/run
	fi
	status=$?
	[ $status = 0 ] || echo "init: ended with status $status"
	for port in /sys/class/virtio-ports/*; do
		[ "$(cat "$port/name" 2>/dev/null)" != status ] || echo $status >"/dev/${port##*/}"
	done
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
	guest_session <&0 &
	wait $!
	guest_end poweroff
}
