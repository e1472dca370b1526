# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# jail.sh - what a machine that runs still has of its host, looked at from outside, and the ends of
# its two processes; a piece of run, which sources it after idle.sh.
# shellcheck disable=SC2034,SC2154 # work, payloads, microvm, tools, apart, idle are run's

# jailed OPTION... - the machine of idle.sh in the background, as $pid, and $vmm, its jailed process; with
# descriptors and variables open to it that are none of its business
jailed() {
	local i
	rm -rf "$work/report"* && : >"$work/out" && : >"$work/alien"
	SECRET=of-the-operator "${apart[@]}" "${idle[@]}" --report "$work/report" --pidfile "$work/pid" "$@" \
		</dev/null >"$work/out" 2>"$work/err" 77</ 78>>"$work/alien" &
	pid=$!
	await grep -qs '^idle, 3 disks' "$work/out"
	vmm=$(vmm_of "$pid")
}

# finish NAME WANTED-STATUS WHY [PATTERN] - end the machine; WHY is what was wrong so far
finish() {
	kill "$pid" 2>/dev/null
	wait "$pid"
	status=$? pid=''
	if [ "$3" ]; then not_ok "$1" "$3"; else judge "$1" "$status" "$2" "${4-}"; fi
}

# Each thread has a filter and no right of its own
jail_threads() {
	local name=jail_of_each_thread task bad=''
	wants $name || return 0
	jailed
	for task in /proc/"$vmm"/task/*; do
		# KVM's own worker has no filter, and makes no system call
		case $(cat "$task/comm") in kvm-nx-lpage* | vhost-*) continue ;; esac
		[ "$(grep -cE '^(Seccomp:.2|NoNewPrivs:.1|Cap(Inh|Prm|Eff|Bnd|Amb):.0{16})$' "$task/status")" = 7 ] ||
			bad="$(cat "$task/comm"): $(grep -E '^(Seccomp|NoNew|Cap)' "$task/status" | tr '\t\n' '  ')"
	done
	# the broker keeps four capabilities, of which root has more
	[ "$(grep -cE '^(Seccomp:.2|NoNewPrivs:.1|Cap(Prm|Eff):.0{14}[0-9a-f]{2})$' "/proc/$pid/status")" = 4 ] ||
		bad="the broker: $(grep -E '^(Seccomp|NoNew|Cap)' "/proc/$pid/status" | tr '\t\n' '  ')"
	[ "$(find /proc/"$vmm"/task -mindepth 1 -maxdepth 1 | wc -l)" -gt 5 ] || bad='few threads were seen'
	finish $name 143 "$bad"
}

# Which filters leave a thread its speculation: those of vCPUs
jail_speculation() {
	local name=jail_leaves_vcpus_their_speculation of
	wants $name || return 0
	if ! strace -qq -o /dev/null true 2>"$work/err"; then
		skip $name 'no strace that works here'
		return
	fi
	strace -f -qq -Y -o "$work/calls" -e trace=seccomp "$microvm" --kernel "$payloads/smp" --cpus 2 \
		--append cpus=2 </dev/null >"$work/out" 2>"$work/err"
	status=$?
	of=$(sed -nE 's/^[0-9]+<([a-z]+)[0-9]*> +seccomp\(SECCOMP_SET_MODE_FILTER, .*SPEC_ALLOW.*/\1/p' "$work/calls" |
		sort | uniq -c)
	if [ "${of//  /}" = '2 vcpu' ]; then judge $name $status 0; else not_ok $name "they are: $of"; fi
}

jail_surroundings() {
	local name=jail_has_nothing_of_the_host ns bad='' them=''
	wants $name || return 0
	jailed
	them=$(find "/proc/$vmm/root/" -mindepth 1) # ls of the link itself would show one
	[ -z "$them" ] && [ "/proc/$vmm/cwd/." -ef "/proc/$vmm/root/." ] || bad="in its root: $them"
	! touch "/proc/$vmm/root/x" 2>/dev/null || bad='its root can be written'
	for ns in cgroup ipc mnt pid user uts; do
		! [ "/proc/$vmm/ns/$ns" -ef "/proc/$pid/ns/$ns" ] || bad="the $ns namespace of its broker"
	done
	! tr '\0' '\n' <"/proc/$vmm/environ" | grep -q . || bad='it has an environment'
	grep -qE '^Max core file size +0 +0 ' "/proc/$vmm/limits" || bad='it may dump core'
	[ "$(awk '/^Max processes/ { print ($3 == $4 && $3 < 1000) }' "/proc/$vmm/limits")" = 1 ] ||
		bad='it may have any number of processes'
	[ "$(awk '/^Max open files/ { print ($4 == $5) }' "/proc/$vmm/limits")" = 1 ] ||
		bad='it may raise its number of files'
	finish $name 143 "$bad"
}

# fd_wrong NUMBER TARGET - why this is no descriptor that a jailed machine may have; nothing if it is
fd_wrong() {
	local role first count pages block='' allowed
	while read -r role first count pages; do
		[ $(($1 % 1024)) -lt "$first" ] || [ $(($1 % 1024)) -ge $((first + count)) ] ||
			{ [ "$pages" = 1 ] && [ "$1" -ge 1024 ]; } || block=$role
	done < <(sed -nE 's/^\tX\((FD_[A-Z]+), ([0-9]+), ([0-9]+), (\w+)\).*/\1 \2 \3 \4/p' "$here/../../vmm/core/fds.h")
	case $block in
	FD_STDIO) allowed="^(/dev/null|$work/(out|err))$" ;;
	FD_TAP) allowed='^/dev/net/tun$' ;;
	FD_VHOST) allowed='^/dev/vhost-net$' ;;
	FD_DISK) allowed='^/dev/(loop|vd|sd|nvme)' ;;
	FD_VM) allowed='^anon_inode:kvm-vm$' ;;
	FD_CONSOLE) allowed="^(/dev/ptmx|socket:.*|$work/port\.log)$" ;;
	FD_VCPU) allowed='^anon_inode:kvm-vcpu:' ;;
	FD_WAKE) allowed='^anon_inode:\[eventfd\]$' ;;
	*)
		allowed='^(anon_inode:\[(eventfd|eventpoll|timerfd|io_uring)\]|socket:\[[0-9]+\]|/dev/(null|ptmx|pts/[0-9]+)'
		allowed+="|/memfd:.*|$payloads/idle|$work/(disk2?|base|cow|pmem|report\.[0-9a-f]+\.tmp))$"
		;;
	esac
	[[ $2 =~ $allowed ]] || echo "$1 (${block:-no block}) is $2"
}

jail_descriptors() {
	local name=jail_has_descriptors_by_their_table fd n=0 bad=''
	wants $name || return 0
	jailed
	for fd in /proc/"$vmm"/fd/*; do
		bad+=$(fd_wrong "${fd##*/}" "$(readlink "$fd" | sed 's/ (deleted)$//')")
		n=$((n + 1))
	done
	[ $n -gt 30 ] || bad+="only $n were seen"
	[ -e "/proc/$pid/fd/77" ] || bad+='the test passes none on'
	finish $name 143 "$bad"
}

# file_limit OPTION... - the largest file that a machine with a console in a file may write
file_limit() {
	rm -f "$work/log"
	"$microvm" --kernel "$payloads/hang" --timeout ${LIMIT}s --console "file=$work/log,file-size=3M" --pidfile "$work/pid" \
		"$@" </dev/null >"$to" 2>/dev/null &
	pid=$!
	await grep -qs hanging "$work/log"
	awk '/^Max file size/ { if ($4 == $5) print $4 }' "/proc/$(vmm_of "$pid")/limits"
	kill $pid
	wait $pid
}

# As runc has it by default, but with more devices; and one that would need more
jail_files() {
	local name=jail_of_1024_files i disks=()
	wants $name || return 0
	for ((i = 0; i < 16; i++)); do
		truncate -s 1M "$work/few$i" && disks+=(--disk "$work/few$i")
	done
	(ulimit -Sn 64 && ulimit -Hn 1024 && run hello --cpus 4 "${disks[@]}" && exit $status) && status=0 || status=$?
	judge $name $status 0 hello
	(ulimit -n 1024 && run hello --cpus 16 "${disks[@]}" && exit $status) && status=0 || status=$?
	judge ${name}_is_too_few $status 1 '^microvm: blk.*Too many open files; raise ulimit -n$'
}

# What a UART prints after its file began anew is written as well
jail_uart() {
	local name=jail_of_a_uart_in_a_file
	wants $name || return 0
	head -c 65500 /dev/zero >"$work/uart"
	run exits --console "file=$work/uart,file-size=64K"
	if [ "$(stat -c %s "$work/uart.1")" = 65536 ] && [ "$(tail -n 1 "$work/uart")" = PASS ]; then
		judge $name $status 0
	else
		not_ok $name "$(cat "$work/err")"
	fi
}

# It is that of the largest log or overlay, where no file may grow without a limit
jail_file_size() {
	local name=jail_has_a_limit_of_file_sizes to=/dev/null said
	wants $name || return 0
	rm -f "$work/small" "$work/over" && truncate -s 16M "$work/small"
	said=$(
		file_limit --disk "$work/small,ro"
		file_limit --disk "$work/small,overlay=$work/over"
		file_limit --disk "$work/small"
		to=$work/out
		file_limit
	)
	rm -f "$work/small" "$work/over"
	if [ "${said//$'\n'/ }" = "3145728 16842752 unlimited unlimited" ]; then # an overlay adds 64 KiB
		ok $name
	else
		not_ok $name "they are $said"
	fi
}

# left - of a machine that ended: processes, sockets, reports that were not finished
left() {
	! [ -e "/proc/$1/exe" ] || echo 'a process'
	find "$work" \( -name 'report.*.tmp' -o -name vsock -o -name port -o -name pid \) -printf '%f '
}

# woken_or_ended - has $pid ended? If not, its loop goes round once
woken_or_ended() { ! kill -USR2 "$pid" 2>/dev/null || ended "$pid"; }

ended() { ! [ -e "/proc/$1/exe" ]; }

jail_kills() {
	local name=jail_ends_with_its_machine them
	if wants $name; then
		jailed
		kill -KILL "$vmm"
		finish $name 1 "$(await ended "$pid" && left "$vmm")" 'was killed by signal 9'
		grep -q '"cause":"host-error","status":1,.*"seccomp"' "$work/report" || not_ok $name 'its report'
	fi
	name=jail_ends_with_its_broker
	wants $name || return 0
	jailed
	kill -KILL "$pid"
	await ended "$vmm"
	finish $name 137 '' 2>/dev/null
	rm -f "$work/vsock" "$work/port" "$work/pid" "$work"/report.*
}

# A call that no filter allows, put in place of the loop's next one
jail_forbidden_call() {
	local name=jail_stops_a_call tracer
	wants $name || return 0
	if ! strace -qq -o /dev/null true 2>"$work/err"; then
		skip $name 'no strace that works here'
		return
	fi
	jailed
	ASAN_OPTIONS=detect_leaks=0 strace -qq -o /dev/null -p "$vmm" -e trace=epoll_wait,epoll_pwait \
		-e inject=epoll_wait,epoll_pwait:error=EPERM 2>/dev/null &
	tracer=$!
	await woken_or_ended
	finish $name 1 "$(left "$vmm")" "stopped thread microvm's system call [0-9]+ "
	wait $tracer
	grep -q '"cause":"host-error","status":1,"detail":"the jail ended' "$work/report" || not_ok $name 'its report'
}

stopped_both() { is_stopped "$1" && is_stopped "$2"; }
going_both() { ! is_stopped "$1" && ! is_stopped "$2"; }

# Ctrl-Z, fg and Ctrl-C at a terminal that is not the guest's: both processes stop, and go on
jail_terminal() {
	local name=jail_on_a_terminal
	wants $name || return 0
	if ! [ -x "$tools/terminal" ]; then
		skip $name 'tests/payload/terminal is not built'
		return
	fi
	rm -f "$work/pid" "$work/said"
	{
		echo "'$microvm' --kernel '$payloads/hang' --timeout ${LIMIT}s --pidfile '$work/pid' </dev/null"
		await grep -qs hanging "$work/said" && set -- "$(cat "$work/pid")" && set -- "$1" "$(vmm_of "$1")"
		printf '\032' && await stopped_both "$@" && echo 'echo "stop""ped"' && await grep -q ^stopped "$work/said"
		echo fg && await going_both "$@" && sleep 0.5 && printf '\003' && await ended "$1"
		echo 'echo "status=$?"' && await grep -q ^status= "$work/said"
	} | "$tools/terminal" env -i TERM=dumb bash --norc --noprofile -i >"$work/said" 2>&1
	if grep -q '^status=130' "$work/said" && grep -q ^stopped "$work/said"; then
		ok $name
	else
		not_ok $name "$(tail -n 5 "$work/said")"
	fi
}

# host NAME STATUS PATTERN WORD COMMAND... - a start with --jail WORD by COMMAND, on stderr one line
# with PATTERN, or nothing
host() {
	local name=jail_$1 want=$2 pattern=$3 word=$4
	wants "$name" || return 0
	shift 4
	timeout -k 5 $LIMIT "$@" "$microvm" --kernel "$payloads/hello" --jail "$word" \
		</dev/null >"$work/out" 2>"$work/err"
	status=$?
	if [ "$(wc -l <"$work/err")" != $((${#pattern} > 0)) ]; then
		not_ok "$name" 'not one line'
	elif [ $status = 1 ] && grep -q hello "$work/out"; then
		not_ok "$name" 'the guest ran'
	else
		judge "$name" $status "$want" "$pattern"
	fi
}

jail_hosts() {
	local word warn='^microvm: warn: --jail auto: the guest runs without' no='^microvm: --jail strict: this host gives no'
	local user=(setpriv "--reuid=65534" "--regid=$(stat -c %g /dev/kvm)" --clear-groups)
	local none=(setpriv --bounding-set=-all --inh-caps=-all)
	local container=(setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin)
	# shellcheck disable=SC2016 # for that shell
	local flat=(unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"' sh)
	try jail_word_unknown 2 '--jail: "maybe" is not a kind of jail; give auto, strict or off' hello --jail maybe
	if wants jail_hosts && ! { "${flat[@]}" "${none[@]}" true && [ "$(id -u)" = 0 ]; } 2>"$work/err"; then
		skip jail_hosts "$(tail -n 1 "$work/err")"
		return
	fi
	for word in auto strict; do
		host "root_$word" 0 '' $word
		"${user[@]}" test -x "$microvm" -a -r "$payloads/hello" -a -w /dev/kvm 2>/dev/null && host "user_$word" 0 '' $word "${user[@]}"
		host "no_capabilities_$word" 0 '' $word "${none[@]}"
	done
	host container_auto 0 "$warn pid namespace \(.*start it with CAP_SYS_ADMIN" auto "${container[@]}"
	host container_strict 1 "$no pid namespace \(.*start it with CAP_SYS_ADMIN" strict "${container[@]}"
	"${container[@]}" "$microvm" --kernel "$payloads/hello" --dry-run >"$work/out" 2>"$work/err"
	status=$?
	if wants jail_container_dry; then
		if [ $status = 0 ] && grep -q 'layers: ' "$work/out" && ! grep -q 'user of its own' "$work/out"; then
			ok jail_container_dry
		else
			not_ok jail_container_dry 'a user of its own is promised'
		fi
	fi
	host flat_root_auto 0 "$warn user namespace \(No space.*user.max_user_namespaces" auto "${flat[@]}"
	host flat_root_strict 1 "$no user namespace" strict "${flat[@]}"
	host flat_user_auto 0 "$warn user namespace, .*empty root.*\(.*user.max_user_namespaces" auto "${flat[@]}" "${none[@]}"
	host flat_user_strict 1 "$no user namespace" strict "${flat[@]}" "${none[@]}"
	host first_process 0 '' auto unshare -pf --mount-proc
}

# The report's directory gets another name, and stays the one that is written to; that it is gone is said
jail_renamed() {
	local name=jail_of_a_renamed_directory jail said=()
	wants $name || return 0
	for jail in auto off; do
		rm -rf "$work/was" "$work/is" && mkdir "$work/was"
		hanging --jail $jail --report "$work/was/report"
		mv "$work/was" "$work/is" && mkdir "$work/was"
		kill -USR1 "$pid"
		await grep -qs '"running"' "$work/is/report"
		rm -r "$work/is"
		kill -USR1 "$pid"
		await grep -q 'cannot write .*/was/report: No such file' "$work/err"
		kill "$pid"
		wait "$pid"
		said+=("$? $(ls "$work/was") $(sed "s/.*was.report/report/" "$work/err")")
	done
	if [ "${said[0]}" = "${said[1]}" ]; then
		ok $name
	else
		not_ok $name "jailed '${said[0]}', else '${said[1]}'"
	fi
}

# Its directory cannot be written, the report can, again and again; root without capabilities is such
# a user
jail_in_place() {
	local name=jail_report_in_place none=(setpriv --bounding-set=-all --inh-caps=-all)
	wants $name || return 0
	if ! "${none[@]}" true 2>/dev/null; then
		skip $name 'capabilities cannot be dropped here'
		return
	fi
	rm -rf "$work/fixed" && mkdir "$work/fixed" && : >"$work/fixed/report" && chmod 555 "$work/fixed"
	: >"$work/out" # what an earlier machine said is no sign of this one
	"${none[@]}" "$microvm" --kernel "$payloads/hang" --timeout ${LIMIT}s --report "$work/fixed/report" \
		</dev/null >"$work/out" 2>"$work/err" &
	pid=$!
	await grep -qs hanging "$work/out"
	kill -USR1 "$pid"
	await grep -qs '"running"' "$work/fixed/report"
	kill "$pid"
	wait "$pid"
	status=$? pid=''
	if [ "$(wc -l <"$work/fixed/report")" = 1 ] && grep -q '"sigterm"' "$work/fixed/report"; then
		judge $name $status 143
	else
		not_ok $name "$(cat "$work/fixed/report")"
	fi
}

# A block device that grows is looked at again
jail_device() {
	local name=jail_of_a_device_that_grows loop
	wants $name || return 0
	truncate -s 32M "$work/device"
	if ! loop=$(losetup -f --show "$work/device" 2>/dev/null); then
		skip $name 'there is no loop device'
		return
	fi
	: >"$work/out" # what an earlier machine said is no sign of this one
	"$microvm" --kernel "$payloads/idle" --disk "$loop" --stop-timeout 0 </dev/null >"$work/out" 2>"$work/err" &
	pid=$!
	await grep -qs '^idle, 1 disks' "$work/out"
	truncate -s 48M "$work/device"
	losetup -c "$loop"
	kill -USR2 "$pid"
	sleep 0.5 # what it does wrong, it does at once
	finish $name 143 ''
	losetup -d "$loop"
}

jail_test() {
	local vmm
	if grep -qE '__(asan|tsan)_init' "$microvm"; then
		skip jail 'a sanitizer has calls of its own'
		return
	fi
	if [ "$(id -u)" != 0 ]; then
		skip jail 'only root may look at it'
		return
	fi
	idle_machine
	jail_threads
	jail_speculation
	jail_surroundings
	jail_file_size
	jail_files
	jail_uart
	jail_descriptors
	jail_kills
	jail_forbidden_call
	jail_terminal
	jail_hosts
	jail_renamed
	jail_in_place
	jail_device
}
