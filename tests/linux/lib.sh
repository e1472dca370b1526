# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# lib.sh - what the Linux cases stand on.  POSIX shell: the nested host has busybox only.
# Each case is a function; `run_cases` runs them in a directory of their own and prints
# `ok NAME`, `not ok NAME: why` or `skip NAME: why`.
#
# In the environment: MICROVM, ARCH (amd64 or arm64), KILLS (how often a case about kills kills
# its guest), and the files KERNEL INITRD ROOT; on amd64 also VMLINUX SMALL (a directory); HOST, the
# options of a nested host that one case has for itself.

# Nobody is that slow, however busy the machine
GUEST_TIMEOUT=600s PATIENCE=600

# guest STATUS OPTION... - run a guest, whose console goes to ./out and our words to ./err;
# fail unless it ends with STATUS
guest()
{
	want=$1
	shift
	"$MICROVM" --timeout $GUEST_TIMEOUT "$@" >out 2>err </dev/null
	status=$?
	[ $status = "$want" ] || fail "status $status, not $want"
}

# stock STATUS COMMAND OPTION... - the stock kernel and its initramfs run COMMAND
stock()
{
	want=$1 run=$2
	shift 2
	guest "$want" --kernel "$KERNEL" --initrd "$INITRD" --append "quiet microvm.run=\"$run\"" \
		"$@"
}

# start COMMAND OPTION... - the stock kernel and its initramfs run COMMAND, and we go on; $vmm is its
# process.  Where COMMAND says `read go </dev/console`, it waits for go().
start()
{
	run=$1
	shift
	[ -p in ] || mkfifo in
	exec 3<>in
	: >out # what an earlier one printed is not to be waited for
	"$MICROVM" --timeout $GUEST_TIMEOUT --kernel "$KERNEL" --initrd "$INITRD" \
		--append "quiet microvm.run=\"$run\"" "$@" <in >out 2>err 3<&- &
	# shellcheck disable=SC2034 # for the case
	vmm=$!
}

# machine_of PID - the process that has the guest: the only child of the broker PID
machine_of()
{
	child=
	read -r child <"/proc/$1/task/$1/children" # a line without an end
	[ "$child" ] && echo "$child"
}

go()
{
	echo go >&3
}

# one_line - a script on stdin as one line; it may hold no double quote, the kernel's own
one_line()
{
	sed -e 's/^[[:space:]]*//' -e '$!s/$/;/' | tr '\n' ' '
}

# said TEXT - the guest printed a line that is TEXT (a basic regular expression)
said()
{
	tr -d '\r' <out | grep -q "^$1\$" || fail "the guest did not print: $1"
}

# complained TEXT - we wrote a line in which TEXT stands
complained()
{
	grep -q -e "$1" err || fail "no such words on stderr: $1"
}

fail()
{
	echo "$*" >why
	exit 1
}

skip()
{
	echo "$*" >why
	exit 77
}

# in_host OPTION... - skip the rest of a case that is about another nested host than this
in_host()
{
	[ "${HOST-}" = "$*" ] || skip "for the nested host with $*"
}

# await COMMAND... - until it succeeds; fails when nobody would wait any longer
await()
{
	tries=$((PATIENCE * 10))
	until "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.1
	done
}

# wait_for FILE TEXT - until TEXT stands in FILE
wait_for()
{
	await grep -qs "$2" "$1" || fail "no '$2' in $PATIENCE s: $(tail -c 300 err 2>/dev/null)"
}

# listens PORT - does a process here listen on that port of TCP's?
listens()
{
	grep -qs "^.*: [0-9A-F]*:$(printf %04X "$1") [0-9A-F]*:0000 0A " /proc/net/tcp /proc/net/tcp6
}

# dial ADDRESS PORT - nc, as soon as somebody listens there; stdin is sent
dial()
{
	await nc "$1" "$2" || fail "nobody listens at $1:$2"
}

# random_file FILE MIB
random_file()
{
	dd if=/dev/urandom of="$1" bs=1M count="$2" 2>/dev/null
}

# field NAME - a field in ./report.json
# shellcheck disable=SC2020
field()
{
	tr ',{}' '\n\n\n' <report.json | sed -n "s/.*\"$1\": *\"\{0,1\}\([^\"]*\)\"\{0,1\}.*/\1/p" |
		head -n1
}

# run_case NAME - in a directory and a shell of its own
run_case()
{
	dir=$(mktemp -d) || exit 1
	start=$(date +%s)
	(cd "$dir" && "case_$1")
	status=$?
	case $status in
	0) echo "ok $1 ($(($(date +%s) - start)) s)" ;;
	77) echo "skip $1: $(cat "$dir/why")" ;;
	*)
		echo "not ok $1: $(cat "$dir/why" 2>/dev/null || echo "status $status")"
		for file in err out; do
			# a last line may have no end
			[ ! -s "$dir/$file" ] || { tail -n 25 "$dir/$file" && echo; } | sed "s/^/# $file: /"
		done
		;;
	esac
	rm -rf "$dir"
}
