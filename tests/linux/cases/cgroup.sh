# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# cgroup.sh - the control group of a machine: its limits hold, it goes, and a group that is not ours is
# refused. On a host of any kind; without cgroup v2, or as a user, there is nothing to see.
GROUPS_AT=/sys/fs/cgroup

freestanding() { [ "${PAYLOADS-}" ] || skip 'freestanding guests are for amd64'; }

# own_groups - a group to work in, as $parent, and no group of a machine in it
own_groups()
{
	[ "$(id -u)" = 0 ] || skip 'this takes root'
	grep -qsw memory $GROUPS_AT/cgroup.controllers || skip 'this host has no cgroup v2 with memory'
	parent=$GROUPS_AT/test-${PWD##*/}
	# systemd has done this where it runs
	echo '+memory +pids +cpu' >$GROUPS_AT/cgroup.subtree_control && mkdir $parent || fail 'no group can be made'
}

# says TEXT - $vmm's output has it, or $vmm ended
says()
{
	await sh -c "grep -qs '$1' out || ! kill -0 $vmm 2>/dev/null"
	grep -qs "$1" out || fail "no '$1'"
}

# grouped OPTION... - a machine in the background, as $vmm, with its group $group; what it prints goes
# into pipes, since a file in memory would be memory of its own
grouped()
{
	where=${CGROUP-$parent}
	# anew: who still reads those of an earlier machine would take what this one prints
	rm -f out err out.pipe err.pipe
	mkfifo out.pipe err.pipe
	cat out.pipe >out &
	cat err.pipe >err &
	"$MICROVM" --timeout $GUEST_TIMEOUT --cgroup "$where" "$@" >out.pipe 2>err.pipe </dev/null &
	vmm=$! group=$parent/microvm-$!.0
}

# hanging OPTION... - likewise, it spins
hanging()
{
	grouped --kernel "$PAYLOADS/hang" "$@"
	says '^hanging'
}

guest_ends()
{
	wait "$vmm"
	status=$?
	wait # for the rest of what it printed
	[ $status = "$1" ] || fail "status $status, not $1: $(cat err)"
}

# gone - no group of a machine is left, and $parent goes as well
gone()
{
	rmdir $parent 2>/dev/null || fail "left: $(find $parent -mindepth 1 -type d)"
}

# has FILE TEXT
has()
{
	[ "$(cat "$group/$1")" = "$2" ] || fail "$1 is $(cat "$group/$1"), not $2"
}

case_cgroup_has_its_limits()
{
	freestanding
	own_groups
	hanging --memory 64M --cpus 2 --cpu-limit 0.25
	has memory.max $(((64 + 2 + 128) << 20))
	has pids.max 260
	has cpu.max '25000 100000'
	[ ! -e "$group/memory.swap.max" ] || has memory.swap.max 0
	grep -qx "$(machine_of "$vmm")" "$group/cgroup.procs" || fail 'the machine is not in its group'
	! grep -qx "$vmm" "$group/cgroup.procs" || fail 'the broker is in it as well'
	tries=0
	until grep -q '^nr_throttled [1-9]' "$group/cpu.stat"; do
		[ $((tries += 1)) -lt $PATIENCE ] || fail 'the limit of processor time is not felt'
		sleep 1
	done
	kill "$vmm"
	guest_ends 143
	gone
}

# As root in a group that is delegated, here the root group, a machine has one unasked
case_cgroup_unasked()
{
	freestanding
	own_groups
	grep -qx '0::/' /proc/self/cgroup || skip 'this is not the root group'
	CGROUP=auto grouped --kernel "$PAYLOADS/hello" --report report.json
	guest_ends 0
	grep -q '"control group"' report.json || fail 'there was none'
	CGROUP=off grouped --kernel "$PAYLOADS/hello" --report report.json
	guest_ends 0
	! grep -q '"control group"' report.json || fail 'there was one'
	! ls -d $GROUPS_AT/microvm-* 2>/dev/null || fail 'a group is left'
	gone
}

# The guest has all of its memory, and no word of the limits
case_cgroup_leaves_the_guest_its_memory()
{
	freestanding
	own_groups
	grouped --kernel "$PAYLOADS/memsize" --memory 512M --report report.json
	guest_ends 0
	grep -q '^PASS' out || fail "the guest: $(cat out err)"
	grep -q '"control group"' report.json || fail 'the report does not name it'
	gone
}

# What grows in the group is killed, and the broker says why
case_cgroup_without_memory()
{
	freestanding
	own_groups
	hanging --memory 64M --report report.json
	echo 1 >"$group/memory.oom.group"
	sh -c "echo \$\$ >$group/cgroup.procs; exec tail /dev/zero" 2>hog
	guest_ends 1
	complained '^microvm: the machine.s control group ran out of memory (memory.max 194 MiB, .*--cgroup off'
	grep -q '"cause":"host-error","status":1,"detail":"the machine.s control group' report.json || fail 'the report'
	gone
}

# More than its memory is read from a cold cache, written and flushed: no reason to kill it, and the
# kernel's threads of io_uring find room
case_cgroup_of_a_large_disk() # amd64 host: --scratch 3000
{
	freestanding
	in_host --scratch 3000
	own_groups
	random_file disk 300
	sync
	echo 3 >/proc/sys/vm/drop_caches
	grouped --kernel "$KERNEL" --initrd "$INITRD" --memory 128M --disk disk --append "quiet microvm.run=\"dd if=/dev/vda of=/dev/null bs=1M && \
dd if=/dev/zero of=/dev/vda bs=1M count=300 conv=fsync && echo all; sleep 999\""
	says '^all'
	grep -qx 'oom_kill 0' "$group/memory.events" || fail "$(cat "$group/memory.events")"
	grep -qx 'max 0' "$group/pids.events" || fail 'a thread found no room'
	echo "# the most: $(($(cat "$group/memory.peak") >> 20)) of $(($(cat "$group/memory.max") >> 20)) MiB," \
		"$(cat "$group/pids.current") of $(cat "$group/pids.max") threads"
	kill -HUP "$vmm"
	guest_ends 143
	gone
}

# A broker that is killed leaves an empty group, and the next start removes it
case_cgroup_of_a_killed_broker()
{
	freestanding
	own_groups
	hanging
	left=$group
	kill -KILL "$vmm"
	wait 2>/dev/null # for those that read what it prints as well: then the machine has it open no more
	[ -d "$left" ] || fail 'nothing was left to be removed'
	await grep -qx 'populated 0' "$left/cgroup.events" || fail 'the machine does not end'
	hanging
	[ ! -d "$left" ] || fail 'the group of a killed broker stays'
	kill "$vmm"
	guest_ends 143
	gone
}

case_cgroup_of_twenty_at_once()
{
	freestanding
	own_groups
	pids=
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		"$MICROVM" --kernel "$PAYLOADS/hello" --memory 16M --cgroup $parent >out.$i 2>err.$i </dev/null &
		pids="$pids $!"
	done
	for i in $pids; do
		wait "$i" || fail "status $?: $(cat err.*)"
	done
	gone
}

# refused PATTERN COMMAND... - a start by COMMAND is, with this sentence
refused()
{
	pattern=$1
	shift
	"$@" "$MICROVM" --kernel "$PAYLOADS/hello" --cgroup $parent >out 2>err </dev/null
	status=$?
	[ $status = 1 ] || fail "status $status, not 1: $(cat err)"
	! grep -q hello out || fail 'the guest ran'
	complained "^microvm: no control group for the machine: .*$pattern"
}

case_cgroup_that_is_not_ours()
{
	freestanding
	own_groups
	chmod 666 /dev/kvm
	refused 'Permission denied.*Delegate=yes' "$SETPRIV" --reuid 65534 --regid 65534 --clear-groups
	sleep 999 &
	echo $! >$parent/cgroup.procs
	refused 'has processes of its own.*give one without' env
	kill $!
	wait $! 2>/dev/null
	mkdir $parent/low
	echo -memory >$parent/cgroup.subtree_control
	top=$parent parent=$parent/low
	refused 'no controller "memory"; write +memory to cgroup.subtree_control of the group above' env
	rmdir $parent
	parent=/tmp
	refused '/tmp is no control group of version 2; give a directory below /sys/fs/cgroup' env
	parent=$top/none
	refused 'cannot open .*/none: No such file' env
	parent=$top
	gone
}

# An ordinary user's: delegated to it, and the one that it is in, alone
case_cgroup_of_a_user()
{
	freestanding
	own_groups
	chmod 666 /dev/kvm
	mkdir $parent/user
	echo '+memory +pids' >$parent/cgroup.subtree_control
	chown 65534:65534 $parent/user $parent/user/cgroup.procs $parent/user/cgroup.subtree_control
	sh -c "echo \$\$ >$parent/user/cgroup.procs; exec $SETPRIV --reuid 65534 --regid 65534 --clear-groups \
		'$MICROVM' --kernel '$PAYLOADS/hello' --cgroup own --report /dev/stderr" >out 2>err </dev/null || fail "$(cat err)"
	grep -q '"control group"' err || fail 'the report does not name it'
	rmdir $parent/user/microvm-*.broker $parent/user
	gone
}
