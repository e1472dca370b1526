# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# rare.sh - machines that make the system calls that others seldom do, so that a filter without a call
# is found out (tests/jail/needs); a piece of run, which sources it after jail.sh.
# shellcheck disable=SC2034,SC2154 # work, payloads, microvm, tools, apart, idle are run's

# typing COMMAND... - in the background as $pid, on whose stdin we type by `typed`
typing() {
	[ -p "$work/in" ] || mkfifo "$work/in"
	exec {keys}<>"$work/in"
	: >"$work/out"
	"$@" <"$work/in" >"$work/out" 2>"$work/err" {keys}<&- &
	pid=$!
}

# typed PATTERN N - a key is pressed; what is printed for it has PATTERN for the Nth time
typed() {
	printf x >&"$keys"
	await said "$1" "$2"
}

# ended_or_said PATTERN - on stderr
ended_or_said() { grep -q "$1" "$work/err" || ended "$pid"; }

# said PATTERN N - or nothing will be said any more
said() {
	[ "$(grep -c "$1" "$work/out")" -ge "$2" ] || ended "$pid"
}

# rare_end NAME WANTED-STATUS WHY [PATTERN]
rare_end() {
	exec {keys}>&-
	finish "$@"
}

# descriptors N - has the machine so many at least?
descriptors() { [ "$(find "/proc/$vmm/fd" -mindepth 1 2>/dev/null | wc -l)" -ge "$1" ] || ended "$pid"; }

# Hundreds of clients, each with a buffer, that a reset of the device lets go; and one of a port
rare_clients() {
	local name=rare_clients_and_a_reset clients=() n client bad=''
	wants $name || return 0
	if ! [ -x "$build/tests/linux/vsock-peer" ]; then
		skip $name 'tests/linux/vsock-peer is not built'
		return
	fi
	idle_machine
	typing "${apart[@]}" "${idle[@]}" --append typed=1
	await said '^idle, 3 disks' 1
	vmm=$(vmm_of "$pid")
	n=$(find "/proc/$vmm/fd" -mindepth 1 | wc -l)
	"$build/tests/linux/vsock-peer" hold "unix:$work/port" >/dev/null 2>&1 &
	clients+=($!)
	await descriptors $((n + 2))
	for ((client = 0; client < 400; client++)); do
		"$build/tests/linux/vsock-peer" hold "host:$work/vsock:5" >/dev/null 2>&1 &
		clients+=($!)
	done
	await descriptors $((n + 300))
	typed '^idle, 3 disks' 2
	await descriptors 1
	[ "$(find "/proc/$vmm/fd" -mindepth 1 2>/dev/null | wc -l)" -lt $((n + 100)) ] || bad='connections outlive a reset'
	rare_end $name 143 "$bad"
	kill "${clients[@]}" 2>/dev/null
	wait "${clients[@]}" 2>/dev/null
}

# Each thread that asks for the time makes a system call, and the broker if it writes a report
rare_clock() {
	local name=rare_host_without_a_vdso
	wants $name || wants ${name}_and_a_killed_machine || return 0
	if ! "$tools/no-vdso" true 2>"$work/err"; then
		skip $name 'no ptrace that works here'
		return
	fi
	if wants $name; then
		idle_machine
		typing "${apart[@]}" "$tools/no-vdso" "${idle[@]}" --append typed=1
		await said '^idle, 3 disks' 1
		typed '^idle, 3 disks' 2
		rare_end $name 143 ''
	fi
	name+=_and_a_killed_machine
	wants $name || return 0
	: >"$work/out"
	"$tools/no-vdso" "$microvm" --kernel "$payloads/hang" --timeout "${LIMIT}s" --report "$work/report" \
		</dev/null >"$work/out" 2>"$work/err" &
	pid=$!
	await grep -qs hanging "$work/out"
	killed
	finish $name 1 ''
}

# Its kernel's last words, and it works on: we look what its processor does
rare_words() {
	try rare_words_and_it_works_on 124 'end Kernel panic' hello --append end=words --timeout 4s
}

# A network of passt's comes to life
rare_passt() {
	local name=rare_network_of_passt
	wants $name || return 0
	if ! type -P passt >"$work/err"; then
		skip $name 'no passt'
		return
	fi
	try $name 124 '^idle, 0 disks' idle --net user --timeout 4s
}

# The program that serves an image ends
rare_daemon() {
	local name=rare_daemon_ends
	wants $name || return 0
	if ! qemu-img create -q -f qed "$work/image" 4M 2>"$work/err" ||
		[ ! -x "$(PATH=$PATH:/usr/lib/qemu:/usr/libexec type -P qemu-storage-daemon)" ]; then
		skip $name 'no qemu-img or no qemu-storage-daemon'
		return
	fi
	: >"$work/out"
	"$microvm" --kernel "$payloads/idle" --disk "$work/image,format=qed" --timeout "${LIMIT}s" \
		</dev/null >"$work/out" 2>"$work/err" &
	pid=$!
	await said '^idle, 1 disks' 1
	kill "$(pgrep -P "$(vmm_of "$pid")")"
	await ended_or_said 'qemu-storage-daemon'
	finish $name 143 '' 'qemu-storage-daemon.* ended'
}

# It does not answer, and is ended with the machine
rare_daemon_hung() {
	local name=rare_daemon_hangs server
	wants $name || return 0
	if ! qemu-img create -q -f qed "$work/image" 4M 2>"$work/err"; then
		skip $name 'no qemu-img'
		return
	fi
	: >"$work/out"
	"$microvm" --kernel "$payloads/idle" --disk "$work/image,format=qed" --stop-timeout 0 --timeout "${LIMIT}s" \
		</dev/null >"$work/out" 2>"$work/err" &
	pid=$!
	await said '^idle, 1 disks' 1
	server=$(pgrep -P "$(vmm_of "$pid")") && kill -STOP "$server"
	finish $name 143 ''
	ended "$server" || not_ok $name 'its server is left'
}

# report_in_place NAME STATUS CAUSE END... - a report whose directory takes no other file: written over, as
# the machine runs and when END has ended it
report_in_place() {
	local name=$1 status=$2 cause=$3 plain=(setpriv --bounding-set=-all --inh-caps=-all)
	wants "$name" || return 0
	mkdir -p "$work/closed" && : >"$work/closed/report" && chown 1 "$work/closed" 2>"$work/err"
	if ! "${plain[@]}" test ! -w "$work/closed" -a -w "$work/closed/report"; then
		skip "$name" 'every directory can be written here'
		return
	fi
	: >"$work/out"
	"${plain[@]}" "$microvm" --kernel "$payloads/hang" --timeout "${LIMIT}s" --report "$work/closed/report" \
		</dev/null >"$work/out" 2>"$work/err" &
	pid=$!
	await grep -qs hanging "$work/out"
	kill -USR1 "$pid"
	await grep -qs '"cause":"running".*"test":null}$' "$work/closed/report" || not_ok "$name" 'no report while it ran'
	"${@:4}"
	finish "$name" "$status" ''
	[ "$(grep -o '"cause":"[a-z-]*"' "$work/closed/report")" = "\"cause\":\"$cause\"" ] ||
		not_ok "$name" 'its last report'
}

# killed - its process, without a word
killed() { kill -KILL "$(vmm_of "$pid")" && await ended "$pid"; }

rare_report() {
	report_in_place rare_report_written_over 143 sigterm true
	report_in_place rare_report_of_a_killed_machine 1 host-error killed
}

# stopped_for_a_moment - the machine: what slept for a time goes on by another system call
stopped_for_a_moment() {
	kill -STOP "$vmm"
	await is_stopped "$vmm"
	kill -CONT "$vmm"
}

# Stopped while a helper waits for the program that serves an image
rare_stopped_helper() {
	local name=rare_stopped_in_a_question server
	wants $name || return 0
	if ! qemu-img create -q -f qed "$work/image" 4M 2>"$work/err"; then
		skip $name 'no qemu-img'
		return
	fi
	typing "$microvm" --kernel "$payloads/idle" --disk "$work/image,format=qed" --append late=1 --timeout "${LIMIT}s"
	await said '^waiting' 1
	vmm=$(vmm_of "$pid") && server=$(pgrep -P "$vmm")
	kill -STOP "$server"
	printf x >&"$keys"
	sleep 0.5 # until it is asked
	stopped_for_a_moment
	kill -CONT "$server"
	await said '^idle, 1 disks' 1
	rare_end $name 143 '' '^idle, 1 disks'
}

# Stopped while the end waits for a disk that hangs
rare_stopped_loop() {
	local name=rare_stopped_in_a_nap
	wants $name || return 0
	: >"$work/hung"
	if ! "$tools/hung-disk" --probe; then
		skip $name 'no FUSE'
		return
	fi
	hung_disk reading ',io=sync' --timeout "${LIMIT}s"
	vmm=$(vmm_of "$pid")
	kill -TERM "$pid"
	hung_disk_says
	stopped_for_a_moment
	sleep 0.2 # what it does wrong, it does at once
	kill -TERM "$pid"
	hung_disk_ends 250
	judge $name "$status" 143 'the host does not answer'
}

# in_call CALL - is $pid in that system call, as far as this host says?
in_call() { ! [ -r "/proc/$pid/syscall" ] || grep -qE "^$1 " "/proc/$pid/syscall" || ended "$pid"; }

# Stopped while the broker waits for a reader of its last words
rare_stopped_broker() {
	local name=rare_stopped_in_its_last_words full
	wants $name || return 0
	rm -f "$work/full" && mkfifo "$work/full" && exec {full}<>"$work/full"
	dd if=/dev/zero bs=4k count=10000 oflag=nonblock status=none >"$work/full" 2>/dev/null
	: >"$work/out" && : >"$work/err"
	"$microvm" --kernel "$payloads/hang" --timeout "${LIMIT}s" </dev/null >"$work/out" 2>"$work/full" {full}<&- &
	pid=$!
	await grep -qs hanging "$work/out"
	vmm=$(vmm_of "$pid")
	kill -KILL "$vmm"
	await in_call '(7|73)' # poll or ppoll
	vmm=$pid stopped_for_a_moment
	exec {full}>&-
	finish $name 1 ''
}

# A file is cut short under its disk: a worker says so
rare_cut() {
	local name=rare_disk_is_cut_short
	wants $name || return 0
	scratch_disk
	typing "$microvm" --kernel "$payloads/idle" --disk "$work/disk,io=sync" --append typed=1 --timeout "${LIMIT}s"
	await said '^idle, 1 disks' 1
	: >"$work/disk"
	typed 'FAIL: a read' 1
	await ended "$pid"
	rare_end $name 70 '' "$work/disk"
}

# A terminal's mode, and one that changes it
rare_terminal() {
	local name=rare_raw_terminal
	wants $name || return 0
	: >"$work/out"
	await grep -qs 'timeout ran out' "$work/out" |
		"$tools/terminal" "$microvm" --kernel "$payloads/hang" --timeout 1s >"$work/out" 2>"$work/err"
	status=${PIPESTATUS[1]}
	if grep 'the jail' "$work/out" "$work/err" >"$work/said"; then # the terminal has a status of its own
		not_ok $name "$(cat "$work/said")"
	else
		judge $name "$status" 0 'timeout ran out'
	fi
}

# Its tap is deleted as it runs
rare_tap() {
	local name=rare_tap_is_deleted
	wants $name || return 0
	idle_machine
	if [[ ${idle[*]} != *tap=idle0* ]] || ! type -P ip nsenter >"$work/err"; then
		skip $name 'no tap here'
		return
	fi
	typing "${apart[@]}" "${idle[@]}"
	await said '^idle, 3 disks' 1
	nsenter --preserve-credentials -U -n -t "$pid" ip link del idle0 2>/dev/null || nsenter -n -t "$pid" ip link del idle0
	await ended_or_said 'tap idle0 is gone'
	rare_end $name 143 '' 'tap idle0 is gone'
}

rare_test() {
	local vmm keys
	if grep -qE '__(asan|tsan)_init' "$microvm"; then
		skip rare 'a sanitizer has calls of its own'
		return
	fi
	rare_clients
	rare_clock
	rare_words
	rare_passt
	rare_daemon
	rare_daemon_hung
	rare_report
	rare_terminal
	rare_tap
	rare_stopped_helper
	rare_stopped_loop
	rare_stopped_broker
	rare_cut
}
