# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# idle.sh - a machine with every device, all alive and with nothing to do; a piece of run, which
# sources it.
# shellcheck disable=SC2054,SC2154 # commas of options; work, payloads, microvm are run's

# slept PID - how often the threads of it and of its machine have gone to sleep so far: as often as they
# were woken
slept() {
	cat "/proc/$1/task/"*/status "/proc/$(vmm_of "$1")/task/"*/status |
		awk '/^voluntary_ctxt/ { n += $2 } END { print n }'
}

# idle_machine - sets apart, in front of which it runs, and idle, its command line
idle_machine() {
	local cards=() direct='' i
	apart=()
	scratch_disk
	cp "$work/disk" "$work/disk2"
	truncate -s 2M "$work/base" "$work/pmem"
	rm -f "$work/cow" "$work/port.log"
	for i in '-n' '-Urn'; do
		unshare "$i" true 2>/dev/null && apart=(unshare "$i") && break
	done
	[ ${#apart[@]} -gt 0 ] && [ -w /dev/net/tun ] &&
		cards=(--net tap=idle0 --net "tap=idle1,tx-bps=1M,rx-iops=99")
	! direct_here || direct=,direct
	idle=("$microvm" --kernel "$payloads/idle" --disk "$work/disk" --timeout "${LIMIT}s"
		--disk "$work/disk2,io=sync$direct" "${cards[@]}" --balloon 0 --vsock "$work/vsock"
		--disk "$work/base,overlay=$work/cow,bps=16M,iops=5000" --pmem "$work/pmem,ro"
		--port a,unix="$work/port" --port b,pty --port c,file="$work/port.log")
}

# Every device alive and nothing to do: no thread is woken, by a timer or otherwise.  The
# guest's processor does not sleep either.
idle_sleeps_test() {
	local pid i before=-1 after=0 name=idle_machine_sleeps
	wants $name || return 0
	idle_machine
	: >"$work/out" # what an earlier machine said is no sign of this one
	"${apart[@]}" "${idle[@]}" </dev/null >"$work/out" 2>"$work/err" &
	pid=$!
	await grep -qs '^idle, 3 disks' "$work/out"
	for ((i = 0; i < 10 && before != after; i++)); do # what has begun ends
		before=$(slept "$pid")
		sleep 0.5
		after=$(slept "$pid")
	done
	before=$(slept "$pid") && sleep 3 && after=$(slept "$pid")
	kill "$pid"
	wait "$pid"
	status=$?
	[ "$before" = "$after" ] || {
		not_ok $name "$((after - before)) wake-ups in 3 s"
		return
	}
	judge $name $status 143 '^idle, 3 disks'
}

# What makes a descriptor or a thread: not ioctl, by which a device's registers and doorbells are bound
OPENS=open,openat,rename,unlink,clone,clone3,fork,vfork,socket,socketpair,accept,accept4,bind,listen,io_uring_setup,eventfd
OPENS+=,eventfd2,timerfd_create,epoll_create,epoll_create1,memfd_create,signalfd,signalfd4,pipe,pipe2
OPENS+=,dup,dup2,dup3,inotify_init,inotify_init1,userfaultfd

# calls_of TRACE LIST - which of its calls after the first KVM_RUN does LIST (calls, beside this file) not
# give to the kind of thread that makes it?  A sanitizer's are not ours
calls_of() {
	! grep -qa '__[at]san_init' "$microvm" || return 0
	awk 'NR == FNR { sub(/#.*/, ""); for (i = 2; i <= NF; i++) may[$i, $1]; next }
		/KVM_RUN/ { runs = 1 }
		!runs || / <\.\.\. | --- | \+\+\+ / { next }
		{ kind = $1; call = $0
		gsub(/^[0-9]+<|[0-9]*>$/, "", kind); sub(/^microvm$/, "loop", kind)
		sub(/^[^>]*> */, "", call); sub(/\(.*/, "", call) }
		!((kind, call) in may) { print "a thread of kind " kind " calls " call }' "$2" "$1" | sort -u
}

# With --early on, nothing is opened after the first KVM_RUN by any device, and each kind of thread makes
# its own calls alone
early_test() {
	local name=early_machine_opens_nothing_later later
	wants $name || return 0
	if ! strace -qq -o /dev/null true 2>"$work/err"; then
		skip $name 'no strace that works here'
		return
	fi
	idle_machine
	# whose leaks are looked for by ptrace, which strace has
	: >"$work/out" # what an earlier machine said is no sign of this one
	ASAN_OPTIONS=detect_leaks=0 "${apart[@]}" strace -f -qq -Y -o "$work/calls" "${idle[@]}" --early on \
		--pidfile "$work/pid" \
		</dev/null >"$work/out" 2>"$work/err" &
	pid=$!
	await grep -qs '^idle, 3 disks' "$work/out"
	# what it does at its end is not looked at
	later=$(awk -v opens="$OPENS" 'BEGIN { n = split(opens, o, ","); for (i = 1; i <= n; i++) is[o[i]] }
		/KVM_RUN/ { runs = 1 }
		{ call = $0; sub(/^[^>]*> */, "", call); sub(/\(.*/, "", call) }
		runs && call in is' "$work/calls"
		calls_of "$work/calls" "$here/calls")
	kill "$(cat "$work/pid")"
	wait "$pid"
	status=$?
	if [ "$later" ]; then
		not_ok $name "$(wc -l <<<"$later") calls, of which the first are:"
		head -n 20 <<<"$later"
	else
		judge $name $status 143 '^idle, 3 disks'
	fi
}

idle_test() {
	idle_sleeps_test
	early_test
}
