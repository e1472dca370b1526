# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# pause.sh - machines that are paused again and again; a piece of run, which sources it.
# shellcheck disable=SC2154 # work, tools, payloads, microvm, pid are run's

# paused NAME COUNT PATTERN PAYLOAD OPTION... - paused from within, and looked at each time
paused() {
	local name=$1 count=$2 pattern=$3 payload=$4
	shift 4
	wants "$name" || return 0
	timeout -k 5 "$LIMIT" "$tools/pauses" "$count" --kernel "$payloads/$payload" "$@" \
		</dev/null >"$work/out" 2>"$work/err"
	judge "$name" $? 0 "$pattern" '^pauses: all are done'
}

# paused_net NAME COUNT PATTERN FRAMES PAYLOAD OPTION... - the same, with a tap and a peer behind it
paused_net() {
	local name=$1 count=$2 pattern=$3 frames=$4 payload=$5
	shift 5
	wants "$name" || return 0
	[ -x "$tools/tap-peer" ] && ! "$tools/tap-peer" --probe 2>"$work/err" && {
		skip "$name" "$(cat "$work/err")"
		return 0
	}
	timeout -k 5 "$LIMIT" "$tools/tap-peer" "$frames" "$tools/pauses" "$count" \
		--kernel "$payloads/$payload" --net fd=@FD@ "$@" </dev/null >"$work/out" 2>"$work/err"
	judge "$name" $? 0 "$pattern" '^pauses: all are done'
}

# state [PID] - of it, or of $pid: a letter, as ps has it, or nothing
state() {
	local stat=''
	read -r stat 2>/dev/null <"/proc/${1-$pid}/stat"
	stat=${stat##*) }
	echo "${stat%% *}"
}

is_stopped() { [ "$(state "$@")" = T ]; }

# pauses_by_signal COUNT - of $pid; it may end meanwhile
pauses_by_signal() {
	local i
	for ((i = 0; i < $1; i++)); do
		kill -TSTP "$pid" 2>/dev/null && await is_stopped || return
		kill -CONT "$pid"
	done
}

# A machine that is stopped by SIGTSTP and continued does all that it did before
pause_signal_test() {
	local name=pause_by_sigtstp_and_an_orderly_stop
	wants $name || return 0
	: >"$work/out"
	"$microvm" --kernel "$payloads/button" --timeout "${LIMIT}s" --stop-timeout "${LIMIT}s" \
		</dev/null >"$work/out" 2>"$work/err" &
	pid=$!
	await grep -qs listening "$work/out"
	if ! pauses_by_signal 50; then
		not_ok $name 'it did not stop'
		kill -KILL "$pid"
		wait "$pid"
		return
	fi
	kill "$pid"
	wait "$pid"
	judge $name $? 0 'the guest ended by itself, [0-9.]+ seconds after SIGTERM'
}

# A disk that the host does not answer keeps the machine from resting: it is named, and the machine
# goes on
pause_hung_disk_test() {
	local name=pause_of_a_hung_disk_is_given_up
	wants $name || return 0
	: >"$work/hung"
	if ! "$tools/hung-disk" --probe; then
		skip $name 'no FUSE'
		return
	fi
	hung_disk reading ,io=sync --timeout "${LIMIT}s"
	sleep 0.5
	kill -TSTP "$pid"
	await grep -qs 'cannot pause: blk0 waits' "$work/err"
	kill -TERM "$pid"
	hung_disk_says
	kill -TERM "$pid"
	hung_disk_ends
	judge $name "$status" 143 'SIGTSTP: the machine cannot pause: blk0 waits for the host'
}

pause_tests() {
	local disk=$work/paused-disk
	truncate -s 4M "$disk"
	paused pauses_of_a_busy_vcpu 50 '^PASS: [0-9]+ accesses' hostile-regs \
		--append 'until=told count=1000 seed=7'
	for e in uring sync; do
		paused "pauses_of_a_busy_disk_$e" 200 'iops=' blk --disk "$disk,io=$e" --cpus 2 \
			--append 'until=told mode=load rw=write depth=16 count=1000'
	done
	paused pauses_with_a_limit 100 'iops=' blk --disk "$disk,iops=2000" \
		--append 'until=told mode=load depth=8 count=100'
	# each frame of them has a number, and comes back as it was
	paused_net pauses_of_a_busy_card 200 '20000 frames came back' 20000 net \
		--append 'until=told count=20000'
	paused_net pauses_of_a_card_that_sends 100 frames_per_s --flood net \
		--append 'until=told mode=transmit count=1000'
	paused_net pauses_of_a_card_that_is_lied_to 20 'cases well' --flood hostile-rings \
		--append until=told
	paused pauses_of_sockets_that_are_lied_to 50 'cases well' hostile-rings --vsock "$work/pvsock" \
		--append until=told
	paused pauses_of_a_console_that_is_lied_to 50 '' hostile-rings --console virtio \
		--append until=told
	pause_signal_test
	pause_hung_disk_test
}
