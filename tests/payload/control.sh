# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# control.sh - machines that are asked by their control socket; a piece of run, which sources it after
# pause.sh.
# shellcheck disable=SC2154 # work, tools, payloads, microvm, pid are run's

# controlled PAYLOAD WORD OPTION... - in the background as $pid, once it has said WORD
controlled() {
	local payload=$1 word=$2
	shift 2
	: >"$work/out"
	env --default-signal=INT "$microvm" --kernel "$payloads/$payload" --control "$work/control" "$@" \
		</dev/null >"$work/out" 2>"$work/err" &
	pid=$!
	await grep -qs "$word" "$work/out"
}

# ctl WORD... - what is said goes to $work/ctl
ctl() { timeout 60 "$microvm" ctl "$work/control" "$@" >"$work/ctl" 2>&1; }

# A guest goes on as if it had not been paused a thousand times; other sizes reach it
control_count_test() {
	local name=control_of_a_guest_that_counts bad=''
	wants $name || return 0
	rm -f "$work/counted" && truncate -s 4M "$work/counted"
	controlled count counting --disk "$work/counted" --balloon 0 --timeout "${LIMIT}s"
	"$tools/controls" "$work/control" pauses 1000 >"$work/ctl" 2>&1 || bad=$(cat "$work/ctl")
	[ "$bad" ] || ctl balloon 32M || bad=$(cat "$work/ctl")
	await grep -qs 'asked for 8192 pages' "$work/out"
	[ "$bad" ] || ! ctl resize-disk blk0 1M || bad='a disk is made shorter'
	[ "$bad" ] || ctl resize-disk blk0 8M || bad=$(cat "$work/ctl")
	[ ! "$bad" ] || kill "$pid"
	wait "$pid"
	status=$?
	[ "$bad" ] || [ "$(stat -c %s "$work/counted")" = 8388608 ] || bad='its file has another size'
	if [ "$bad" ]; then not_ok $name "$bad"; else judge $name $status 0 '^PASS' ' steps, 16384 sectors'; fi
}

# Clients that are in the way, on one machine
control_clients_test() {
	local name how bad
	wants control_clients || return 0
	controlled hang hanging --disk "$work/counted" --report "$work/controlled" --timeout "${LIMIT}s"
	for how in stalled 'flood 500' 'vanish 200' 'two 50' 'reports 50'; do
		name=control_clients_${how% *} bad=''
		# shellcheck disable=SC2086 # words
		"$tools/controls" "$work/control" $how >"$work/ctl" 2>&1 || bad=$(cat "$work/ctl")
		if [ "$bad" ]; then not_ok "$name" "$bad"; else ok "$name"; fi
	done
	kill "$pid"
	wait "$pid"
	judge control_clients_and_an_end $? 143
	[ ! -e "$work/control" ] || not_ok control_clients_and_an_end 'its socket stays'
}

# The report by the socket, and by a signal to its file, at the same time
control_report_test() {
	local name=control_report
	wants $name || return 0
	controlled hang hanging --balloon 0 --report "$work/controlled" --timeout "${LIMIT}s"
	rm -f "$work/controlled"
	kill -USR1 "$pid"
	ctl report --json && ctl report --json
	await grep -qs '"cause":"running"' "$work/controlled"
	kill "$pid"
	wait "$pid"
	status=$?
	cp "$work/ctl" "$work/err"
	judge $name $status 143 '^{"version":.*"cause":"running","status":null.*"test":null}$'
}

# control_end NAME WANTED-STATUS PATTERN SIGNAL PAYLOAD WORD OPTION... - a machine that is paused is sent
# SIGNAL, or none
control_end() {
	local name=$1 want=$2 pattern=$3 signal=$4 bad=''
	shift 4
	wants "$name" || return 0
	controlled "$@"
	ctl pause || bad=$(cat "$work/ctl")
	[ ! "$signal" ] || kill -s "$signal" "$pid"
	wait "$pid"
	status=$?
	if [ "$bad" ]; then not_ok "$name" "$bad"; else judge "$name" $status "$want" "$pattern"; fi
}

# One that is paused stands, in its kernel or not: that is no panic, whatever a program has printed. Another
# look is taken each tenth of a second, and twenty would be enough
control_words_test() {
	local name=control_pause_of_a_guest_with_a_kernels_last_words bad=''
	wants $name || return 0
	controlled words 'end Kernel panic' --timeout "${LIMIT}s"
	ctl pause || bad=$(cat "$work/ctl")
	[ "$bad" ] || sleep 3
	[ "$bad" ] || { ctl status && grep -q '^state  *paused' "$work/ctl"; } || bad=$(cat "$work/ctl" "$work/err")
	[ "$bad" ] || ctl resume || bad=$(cat "$work/ctl")
	[ ! "$bad" ] || kill "$pid" 2>/dev/null
	wait "$pid"
	status=$?
	if [ "$bad" ]; then not_ok $name "$bad"; else judge $name $status 70 "^microvm: the guest's kernel panicked"; fi
}

control_stop_test() {
	local name=control_pause_and_sigtstp bad='it did not stop'
	wants $name || return 0
	controlled hang hanging --timeout "${LIMIT}s"
	if ctl pause && kill -TSTP "$pid" && await is_stopped; then
		kill -CONT "$pid"
		bad='it goes on by SIGCONT alone'
		! ctl status || ! grep -q '^state  *paused' "$work/ctl" || bad='it does not go on'
		! ctl resume || ! ctl status || ! grep -q '^state  *running' "$work/ctl" || bad=''
	fi
	kill "$pid"
	wait "$pid"
	status=$?
	if [ "$bad" ]; then not_ok $name "$bad"; else judge $name $status 143; fi
}

# What is in the way of the socket, and of a client
control_wrong_test() {
	local name=control_wrong_inputs
	wants $name || return 0
	controlled hang hanging --timeout "${LIMIT}s" --disk "$work/base,overlay=$work/top"
	run hang --control "$work/control"
	judge ${name}_taken "$status" 1 '^microvm: --control: .*/control is taken: another process listens'
	ctl resize-disk blk0 8M
	status=$?
	cp "$work/ctl" "$work/err"
	judge ${name}_overlay $status 1 '^microvm: blk0: an overlay fits only the base'
	ctl balloon 1M
	status=$?
	cp "$work/ctl" "$work/err"
	judge ${name}_balloon $status 1 '^microvm: the machine has no balloon; start it with --balloon 0'
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null
	await gone_socket
	ctl status
	status=$?
	cp "$work/ctl" "$work/err"
	judge ${name}_killed $status 1 'no machine listens at .*/control any more|there is no socket'
	: >"$work/file"
	run hang --control "$work/file"
	judge ${name}_file "$status" 1 '/file exists and is no socket'
}

# the machine's process ends some time after the one that was killed
gone_socket() { ! ctl status; }

control_test() {
	truncate -s 4M "$work/counted" "$work/base"
	control_count_test
	control_clients_test
	control_report_test
	control_end control_pause_and_sigterm 0 'the guest ended by itself, [0-9.]+ seconds after SIGTERM' TERM \
		button listening --stop-timeout "${LIMIT}s"
	control_end control_pause_and_sigint 130 '' INT button listening
	control_end control_pause_and_timeout 124 '--timeout ran out' '' hang hanging --timeout 6s
	control_words_test
	control_stop_test
	control_wrong_test
}
