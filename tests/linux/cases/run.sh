# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# run.sh - `microvm run`: a job in a machine of its own.
#
# In the environment besides: RUN, a directory with kit/ (kernel and agent), perhaps quick/ (the
# small kernel and its agent), root/, root.tar and root.img; TERMINAL (terminal), with somebody who
# sits at it.
#
# shellcheck disable=SC2016 # what stands in single quotes is for the guest's shell

export MICROVM_RUN_DIR="${RUN-}/kit"

# quick - the small kernel, where there is one: the case is about us and the agent, not about drivers
quick()
{
	[ ! -d "$RUN/quick" ] || MICROVM_RUN_DIR=$RUN/quick
}

# job STATUS OPTION... - run one; what it printed is in ./out and ./err, but for the warning that a slow
# host is slow
job()
{
	want=$1
	shift
	"$MICROVM" run --timeout $GUEST_TIMEOUT "$@" >out 2>err
	status=$?
	LC_ALL=C sed -i '/^microvm: warn: the job has not begun yet: /d' err
	[ $status = "$want" ] || fail "status $status, not $want: $(head -c 300 err)"
}

# starts OPTION... - run one beside us, which says "ready"; $vmm is its process
starts()
{
	: >out # what an earlier one printed is not to be waited for
	"$MICROVM" run --timeout $GUEST_TIMEOUT "$@" >out 2>err &
	vmm=$!
	wait_for out ready
}

# ends STATUS - what was started ends with it
ends()
{
	wait $vmm
	status=$?
	[ $status = "$1" ] || fail "status $status, not $1: $(head -c 300 err)"
}

empty()
{
	[ ! -s "$1" ] || fail "$1 is not empty: $(head -c 300 "$1")"
}

case_run_ends_with_the_jobs_status()
{
	job 42 "$RUN/root.img" -- sh -c 'exit 42' </dev/null
	empty err
	quick
	job 143 "$RUN/root.img" -- sh -c 'kill -TERM $$' </dev/null
	job 127 "$RUN/root.img" -- nope </dev/null
	complained nope
	job 126 "$RUN/root.img" -- /etc/text </dev/null
	complained /etc/text
	# what the broker takes for its child's own end, and is the job's
	job 159 "$RUN/root.img" -- sh -c 'exit 159' </dev/null
	empty err
}

case_run_keeps_streams_apart_and_whole()
{
	quick
	random_file data 16
	job 0 "$RUN/root.img" -- cat <data
	cmp data out || fail 'what came back is not what was sent'
	empty err
	cat data | job 0 "$RUN/root.img" -- sh -c 'cat >&2; echo done' || exit 1
	cmp data err || fail 'stderr is not what was sent'
	said 'done'
}

case_run_gives_what_options_say()
{
	quick
	printf '# words\nC=three\n' >variables
	A=one job 0 -e A -e B=two -e B=too --env-file variables -w /tmp/x -u joe -h other \
		--ulimit nofile=77:88 --tmpfs '/t:size=1m' "$RUN/root.img" -- \
		sh -c 'echo $A $B $C; pwd; id -u; id -g; hostname; ulimit -n; ulimit -Hn; mount | grep -c " /t type tmpfs"; echo $HOME' </dev/null
	cat >want <<-END
		one too three
		/tmp/x
		1000
		1000
		other
		77
		88
		1
		/home/joe
	END
	cmp want out || fail "$(cat out)"
	job 0 -u 5:6 "$RUN/root.img" -- sh -c 'id -u; id -g' </dev/null
	printf '5\n6\n' | cmp - out || fail "$(cat out)"
	job 125 -u nobody "$RUN/root.img" -- true </dev/null
	complained nobody
}

case_run_shares_volumes()
{
	[ -x /usr/lib/qemu/virtiofsd ] || [ -x /usr/libexec/virtiofsd ] || skip 'no virtiofsd'
	mkdir 'a, b' c
	echo hello >'a, b/file'
	job 0 -v "$PWD/a, b:/in:ro" -v "$PWD/c:/new/out" "$RUN/root" -- \
		sh -c 'cat /in/file; touch /in/x 2>/dev/null || echo denied; echo bye >/new/out/file; touch /bin/x && echo written' </dev/null
	said hello
	said denied
	said written
	[ "$(cat c/file)" = bye ] || fail 'what the job wrote is not there'
	[ ! -e 'a, b/x' ] || fail 'it wrote what it may only read'
	[ ! -e "$RUN/root/bin/x" ] || fail 'it wrote into the root'
}

case_run_takes_a_tar()
{
	job 0 "$RUN/root.tar" -- sh -c 'touch /bin/x; ls /bin/x /etc/text' </dev/null
	said /bin/x
	quick
	job 0 - -- sh -c 'cat /etc/text; cat' <"$RUN/root.tar"
	said 'no program'
	printf 'no tar' | job 125 - -- true
	complained 'no directory, tar or image'
	gzip -c "$RUN/root.tar" >root.tgz
	job 125 root.tgz -- true </dev/null
	complained 'gzip -d'
	job 125 /nonexistent -- true </dev/null
	complained 'No such file'
}

case_run_takes_an_image_of_containers()
{
	quick
	unset MICROVM_CACHE
	export XDG_CACHE_HOME="$PWD/cache"
	mkfifo hold
	exec 3<>hold
	"$MICROVM" run --timeout $GUEST_TIMEOUT oci:"$RUN/oci" <&3 >out 2>err &
	vmm=$!
	wait_for out ready
	# it has the image until its end
	"$MICROVM" images prune >pruned 2>&1
	grep -q 'in use: 1' pruned || fail "$(cat pruned)"
	echo went on >&3
	ends 0
	cat >want <<-END
		from cmd hello
		1000
		1000
		/work
		/bin /caps /check /d /data /dev /etc /proc /readme /sys /text /work /d/up
		CapEff:	0000000000000400
		ours
		kept
		ready
		went on
	END
	cmp want out || fail "$(cat out)"
	# without a shell, and with a program that has root's rights by its mode
	job 0 oci:"$RUN/static" all alone </dev/null
	said 'by itself all alone'
	if [ -d "$RUN/debian" ]; then
		job 0 oci:"$RUN/debian" sh -c 'cat /etc/debian_version; echo $(id -u) $(/su/id -u)' </dev/null
		said '1000 0'
		said '1[0-9].*'
	fi
	"$MICROVM" images verify >out 2>err || fail "$(cat err)"
	grep -q oci: out || fail "$(cat out err)"
	"$MICROVM" images prune >out 2>err
	grep -q 'removed: [23],' out || fail "$(cat out err)"
}

case_run_passes_signals()
{
	quick
	starts "$RUN/root.img" -- sh -c 'trap "echo usr1" USR1; trap "exit 7" TERM; echo ready; while :; do sleep 0.1; done' </dev/null
	kill -USR1 $vmm
	wait_for out usr1
	kill -TERM $vmm
	ends 7
	starts "$RUN/root.img" -- sh -c 'echo ready; exec sleep 999' </dev/null
	kill -HUP $vmm # a script's & has its children ignore SIGINT
	ends 129
	starts "$RUN/root.img" -- sh -c 'trap "echo term" TERM; echo ready; while :; do sleep 0.1; done' </dev/null
	kill -TERM $vmm
	wait_for out term
	kill -TERM $vmm
	ends 143
	complained 'second SIGTERM'
	# in the boot
	"$MICROVM" run "$RUN/root.img" -- true >out 2>err &
	vmm=$!
	sleep 1
	kill -TERM $vmm
	ends 143
}

case_run_ends_what_takes_too_much()
{
	quick
	job 137 -m 128M "$RUN/root.img" -- sh -c 'tail /dev/zero' </dev/null
	complained memory
	"$MICROVM" run --timeout 1s --copy-out /etc/text:x "$RUN/root.img" -- sleep 999 >out 2>err </dev/null
	status=$?
	[ $status = 124 ] || fail "status $status after --timeout"
	complained '--timeout ran out after 1 seconds; nothing was copied out to x'
	# whose reader leaves
	"$MICROVM" run --timeout $GUEST_TIMEOUT "$RUN/root.img" -- yes 2>err </dev/null | head -n 1 >out
	said y
	job 0 "$RUN/root.img" -- sh -c 'sleep 999 & echo left' </dev/null
	said left
}

case_run_tells_what_ended_the_machine()
{
	cp "$RUN/kit/kernel" .
	echo nothing >agent
	job 125 --kernel kernel --agent agent --report report "$RUN/root.img" -- true </dev/null
	complained 'console: .*Kernel panic'
	complained 'the machine ended before its job began'
	grep -q '"cause":"panic","status":125' report || fail "$(cat report)"
	quick
	job 3 --report report "$RUN/root.img" -- sh -c 'exit 3' </dev/null
	grep -q '"cause":"job","status":3' report || fail "$(cat report)"
}

case_run_at_a_terminal()
{
	quick
	mkfifo in
	: >out
	"$TERMINAL" 40x132 "$MICROVM" run --timeout "$GUEST_TIMEOUT" "$RUN/root.img" -- sh <in >out 2>err &
	vmm=$!
	exec 3>in
	wait_for out '# '
	printf 'stty size; tty; echo on=$((40 + 2)); sleep 999\r' >&3
	wait_for out '^on=42'
	said '40 132'
	printf '\003' >&3
	printf 'echo ended=$?; exit 9\r' >&3
	wait_for out '^ended=130'
	ends 9
	exec 3>&-
}

case_run_with_a_network()
{
	command -v passt >/dev/null || skip 'no passt'
	[ -n "${MICROVM_NESTED-}" ] || skip 'it would change the routes of this host'
	a_way_out
	outside=$(outside)
	# passt becomes nobody
	grep -qs ^nobody: /etc/passwd || echo 'nobody:x:65534:65534::/:/bin/sh' >>/etc/passwd
	mkdir page
	echo 'from the host' >page/file
	httpd -f -p 8002 -h page &
	server=$!
	await listens 8002 || fail 'nobody listens here'
	"$MICROVM" run --timeout $GUEST_TIMEOUT --net user -p 8089:80 "$RUN/root.img" -- \
		sh -c "wget -q -O - http://$outside:8002/file; echo from the guest >/tmp/x; echo ready; nc -l -p 80 </tmp/x" \
		>out 2>err </dev/null &
	vmm=$!
	wait_for out ready
	said 'from the host'
	await nc_says || fail "nobody answers at the published port: $(cat got err)"
	ends 0
	kill $server
	quick
	job 0 "$RUN/root.img" -- sh -c "wget -q -T 5 -O - http://$outside:8002/file || echo none" </dev/null
	said none
}

# what the guest says at the published port
nc_says()
{
	nc -w 2 "$outside" 8089 </dev/null >got 2>/dev/null
	grep -qx 'from the guest' got
}

# traces - what a run could leave on this host: processes, files, mounts, network cards, cgroups
traces()
{
	for dir in /proc/[0-9]*; do
		name=$(tr '\0' ' ' <"$dir/cmdline") 2>/dev/null
		case $name in
		*microvm* | *virtiofsd* | *passt*) echo "process: $name" ;;
		esac
	done
	find / -xdev \( -path /proc -o -path /sys -o -path "$PWD" \) -prune -o -print
	find /tmp /run /dev /sys/fs/cgroup -type d 2>/dev/null
	cat /proc/mounts
	ls /sys/class/net
}

# nothing_new - what was not there before is gone, as it is in a moment; what an earlier machine had may
# have gone since
nothing_new()
{
	traces >after
	! diff before after | grep '^[+>][^+]' >out
}

# one_job N - a root of one kind or another, with what a run makes for it
one_job()
{
	case $(($1 % 4)) in
	0) set -- "$RUN/root.img" ;;
	1) set -- -v "$PWD/volume:/volume" "$RUN/root" ;;
	2) set -- --tmpfs /x "$RUN/root.tar" ;;
	3) set -- - ;;
	esac
	"$MICROVM" run --timeout $GUEST_TIMEOUT -m 96M "$@" -- echo done <"$RUN/root.tar" >>said 2>>words
}

# $JOBS in sequence, and up to twenty of them at once
case_run_leaves_nothing()
{
	quick
	mkdir volume
	one_job 0 # the first one as root makes the directory of the uids' locks, which stays
	traces >before
	i=1
	until [ $i -gt "$JOBS" ]; do
		one_job $i
		i=$((i + 1))
	done
	until [ $i -gt $((JOBS * 2)) ] || [ $i -gt $((JOBS + 20)) ]; do
		one_job $i &
		i=$((i + 1))
	done
	wait
	[ "$(sort said | uniq -c | tr -s ' ')" = " $i done" ] || fail "$(sort said words | uniq -c | head)"
	PATIENCE=20 await nothing_new || fail 'something is left: see out'
}

# nothing_left - no file of a copier that is not whole
nothing_left()
{
	[ -z "$(find . -name '.microvm-copy*')" ]
}

clean()
{
	nothing_left || fail "left behind: $(find . -name '.microvm-copy*')"
}

case_run_copies_in_and_out()
{
	odd=$(printf '\377 x')
	mkdir -p 'in dir/sub' results
	echo one >'in dir/sub/one'
	chmod 755 'in dir/sub/one'
	: >'in dir/empty'
	echo odd >"in dir/$odd"
	ln -s /etc/passwd 'in dir/link'
	dd if=/dev/urandom of=file bs=1000 count=1 2>/dev/null
	job 0 --copy-in 'in dir:/job' --copy-in file:/etc --copy-in file:/new/deep/name \
		--copy-out /job:results --copy-out /new/deep/name:back "$RUN/root.img" -- sh -c '
		cd /job && test -L link && test -x sub/one && test ! -s empty && cmp /etc/file /new/deep/name || exit 9
		echo two >sub/two; ln -s / up; chmod 6755 sub/one; echo done' </dev/null
	said 'done'
	cmp file back || fail 'the file came back as another'
	[ "$(cat results/job/sub/two)" = two ] || fail "what the job made did not come: $(find results)"
	[ "$(cat "results/job/$odd")" = odd ] || fail 'a name that is not UTF-8 did not come'
	[ "$(readlink results/job/up)" = / ] || fail 'a link came as something else'
	if [ -u results/job/sub/one ] || [ -g results/job/sub/one ]; then fail 'set-user-ID came out'; fi
	[ -x results/job/sub/one ] || fail 'a mode did not come'
	clean
	quick
	# a directory as the root, so that the disks have other names
	[ -x /usr/lib/qemu/virtiofsd ] || [ -x /usr/libexec/virtiofsd ] || skip 'no virtiofsd'
	scratch='--scratch 64M'
	command -v mkfs.ext4 >/dev/null || scratch=''
	# shellcheck disable=SC2086 # two words
	job 0 $scratch --copy-in "$PWD/in dir/.:/" --copy-out /sub/one:one "$RUN/root" -- \
		sh -c 'df / | tail -n 1; cat "$1"' sh "/$odd" </dev/null
	said odd
	[ "$(cat one)" = one ] || fail 'nothing came out of a directory'
	clean
}

case_run_says_what_cannot_be_copied()
{
	quick
	job 125 --copy-out /none:x "$RUN/root.img" -- true </dev/null
	complained '/none: No such file'
	job 3 --copy-out /none:x "$RUN/root.img" -- sh -c 'exit 3' </dev/null
	complained '/none: No such file'
	job 127 --copy-out /etc/text:x "$RUN/root.img" -- nope </dev/null
	[ ! -e x ] || fail 'something of a job that never was'
	job 125 --copy-out /deep:x "$RUN/root.img" -- sh -c \
		'mkdir /deep; cd /deep; i=0; while [ $i -lt 400 ]; do mkdir d; cd d; i=$((i + 1)); done' </dev/null
	complained 'in one another'
	[ ! -e x ] || fail 'a tree that is not whole'
	# it is the guest's link, followed there: DST is never one
	job 0 --copy-out /l:x "$RUN/root.img" -- sh -c 'echo text >/t; ln -s /t /l' </dev/null
	if [ -L x ] || [ "$(cat x)" != text ]; then fail 'DST is no file with what the link led to'; fi
	job 125 --copy-out /etc/nowhere:y "$RUN/root.img" -- ln -s /outside /etc/nowhere </dev/null
	[ ! -L y ] || fail 'DST is a link'
	starts --stop-timeout 0 --copy-out /etc/text:y "$RUN/root.img" -- sh -c 'echo ready; exec sleep 999' </dev/null
	kill -TERM $vmm
	ends 143
	complained 'nothing was copied out to y'
	job 125 --copy-out-limit 1M --copy-out /big:y "$RUN/root.img" -- dd if=/dev/zero of=/big bs=1M count=64 </dev/null
	complained 'takes more than 1 MiB; give more: --copy-out-limit'
	[ ! -e y ] || fail 'there is a part of it'
	job 125 --copy-in none:/x "$RUN/root.img" -- true </dev/null
	complained 'none: No such file'
	job 125 --copy-in /etc:/etc/text "$RUN/root.img" -- true </dev/null
	complained '/etc/text'
	job 125 --copy-out /x:none/x "$RUN/root.img" -- true </dev/null
	complained 'mkdir -p'
	clean
}

copying()
{
	! nothing_left
}

# sits_at OPTION... - run one at a terminal, where keys >&3 are typed; $vmm is the terminal's process
sits_at()
{
	[ -p keys ] || mkfifo keys
	: >out
	"$TERMINAL" 40x132 "$@" <keys >out 2>err &
	vmm=$!
	exec 3>keys
}

# While a file comes out, which takes seconds: an end in order, by Ctrl-C as well, and none
case_run_leaves_nothing_of_a_copy_that_ends()
{
	quick
	for signal in TERM INT KILL; do
		sits_at "$MICROVM" run --timeout $GUEST_TIMEOUT --copy-out /big:big "$RUN/root.img" -- \
			dd if=/dev/zero of=/big bs=1M count=100
		await copying || fail "nothing is copied: $(cat out)"
		if [ $signal = INT ]; then
			printf '\003' >&3
		else
			kill -$signal "$(machine_of $vmm)"
		fi
		exec 3>&-
		wait $vmm
		status=$?
		if [ $signal = KILL ]; then
			[ $status = 137 ] || fail "status $status after SIGKILL: $(cat out)"
		else
			[ $status = 125 ] || fail "status $status after SIG$signal: $(cat out)"
			grep -q 'copy-out' out || fail "$(cat out)"
		fi
		await nothing_left || fail "SIG$signal left something behind"
		[ ! -e big ] || fail 'it is there, and not whole'
	done
}

# Its root comes by stdin, into a file without a name
reads_stdin()
{
	ls -l "/proc/$(machine_of $vmm)/fd" 2>/dev/null | grep -q '(deleted)'
}

# More of its machine's memory is in use than a kernel takes
fills_memory()
{
	broker=$(machine_of $vmm) && [ "$broker" ] &&
		awk '/^Rss(Shmem|Anon)/ { n += $2 } END { exit n < 90000 }' \
			"/proc/$(machine_of "$broker")/status" 2>/dev/null
}

# key_ends STATUS - Ctrl-C ends it with that, and the copier leaves no file
key_ends()
{
	printf '\003' >&3
	exec 3>&-
	wait $vmm
	status=$?
	[ $status = "$1" ] || fail "status $status, not $1: $(head -c 300 out)"
	clean
}

# Before there is a machine; while its kernel boots; while files go in; while the job runs
case_run_ends_by_a_key_in_each_phase()
{
	quick
	job 0 "$RUN/root.img" -- true </dev/null # as in run_leaves_nothing
	traces >before
	mkfifo tar
	sits_at sh -c 'exec "$0" "$@" <tar' "$MICROVM" run --timeout $GUEST_TIMEOUT --copy-out /etc/text:x - -- true
	exec 4>tar
	await reads_stdin || fail 'stdin is not read'
	key_ends 130
	exec 4>&-
	# its initramfs has no agent, and waits for a word on its console
	sits_at "$MICROVM" run --timeout $GUEST_TIMEOUT --verbose --report report --kernel "$KERNEL" --agent "$INITRD" \
		--copy-out /etc/text:x "$RUN/root.img" -- true
	wait_for out '# '
	key_ends 130
	grep -q 'nothing was copied out to x' out || fail "$(cat out)"
	grep -q '"cause":"sigint","status":130' report || fail "$(cat report)"
	[ ! -e x ] || fail 'there is something'
	dd if=/dev/zero of=much bs=1M count=200 2>/dev/null
	sits_at "$MICROVM" run --timeout $GUEST_TIMEOUT --copy-in much:/much "$RUN/root.img" -- sleep 999
	await fills_memory || fail 'nothing goes in'
	key_ends 130
	# a job that has ended is one that ends in whatever way: what it made comes out
	sits_at "$MICROVM" run --timeout $GUEST_TIMEOUT --copy-out /etc/text:x "$RUN/root.img" -- sh -c 'echo ready; exec sleep 999'
	wait_for out ready
	key_ends 130
	[ -e x ] || fail 'what the job made did not come out'
	rm -f much x tar report
	PATIENCE=20 await nothing_new || fail 'something is left: see out'
}

case_run_writes_to_a_scratch_disk()
{
	command -v mkfs.ext4 >/dev/null || skip 'no mkfs.ext4'
	job 0 -m 128M --scratch 1G --copy-out /sum:sum "$RUN/root.img" -- sh -c \
		'dd if=/dev/zero of=/big bs=1M count=100 && test $(df -m / | tail -n 1 | while read -r a b c; do echo $b; done) -gt 900 && echo large >/sum' </dev/null
	[ "$(cat sum)" = large ] || fail "$(cat err)"
	quick
	job 1 --scratch 16M "$RUN/root.img" -- dd if=/dev/zero of=/big bs=1M count=64 </dev/null
	complained 'No space left'
	job 125 --scratch 1K "$RUN/root.img" -- true </dev/null
	complained '1M to 16T'
	TMPDIR=/nonexistent job 125 --scratch 1G "$RUN/root.img" -- true </dev/null
	complained 'set TMPDIR'
}
