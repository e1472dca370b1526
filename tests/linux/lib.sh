# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# lib.sh - what the Linux cases stand on.  POSIX shell: the nested host has busybox only.
# Each case is a function; `run_cases` runs them in a directory of their own and prints
# `ok NAME`, `not ok NAME: why` or `skip NAME: why`.
#
# In the environment: MICROVM, ARCH (amd64 or arm64), KILLS (how often a case about kills kills
# its guest), and the files KERNEL INITRD ROOT; on amd64 also VMLINUX SMALL (a directory); HOST, the options of a nested host that one case has
# for itself.

GUEST_TIMEOUT=120s

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

# wait_for FILE TEXT - until TEXT stands in FILE, for a minute
wait_for()
{
	tries=600
	until grep -q "$2" "$1" 2>/dev/null; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || fail "no '$2' in a minute"
		sleep 0.1
	done
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
			[ ! -s "$dir/$file" ] || tail -n 25 "$dir/$file" | sed "s/^/# $file: /"
		done
		;;
	esac
	rm -rf "$dir"
}
