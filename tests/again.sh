# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# again.sh - a second chance for cases that run on emulated processors.  Source it.
#
# In the nested host a guest's second is a minute now and then, when other suites want the same
# processors: what a case waits for comes too late, and nothing is wrong.  So a case that failed runs
# once more, alone.  What is wrong in earnest fails again; and a run in which many fail is no
# busy machine.
MOST_AGAIN=3

# again COMMAND... - run it: a script that prints lines as lines.sh has them, and takes names of
# tests.  One that failed is told as a comment, and COMMAND runs it once more, alone, after all
# others; that is what counts, unless more than $MOST_AGAIN have failed.  Fails if one did
again() {
	local line name status=0 again_status=0 names=() whys=()
	while IFS= read -r line; do
		case $line in
		'not ok '*)
			line=${line#not ok }
			name=${line%%[: ]*}
			names+=("$name") whys+=("${line#"$name"}")
			echo "# $name failed, and is to run once more${line#"$name"}"
			;;
		*) printf '%s\n' "$line" ;;
		esac
	done < <("$@")
	wait $! || status=$?
	[ ${#names[@]} -gt 0 ] || return $status
	if [ ${#names[@]} -gt $MOST_AGAIN ]; then
		for line in "${!names[@]}"; do
			echo "not ok ${names[line]}${whys[line]}"
		done
		echo "# more than $MOST_AGAIN failed: none of them runs again"
		return $status
	fi
	for name in "${names[@]}"; do
		once_more "$name" "$@" || again_status=1
	done
	# 1 is for what failed, and has run again
	[ "$status" = 1 ] || [ "$again_status" != 0 ] || return $status
	return $again_status
}

# once_more NAME COMMAND... - of what COMMAND prints now, a line for NAME counts
once_more() {
	local name=$1 line result=''
	shift
	while IFS= read -r line; do
		case $line in
		"ok $name" | "ok $name "*) result=ok ;;
		"not ok $name"[:\ ]* | "not ok $name") result='not ok' ;;
		'ok '* | 'not ok '* | 'skip '*) line="# $line" ;; # of another whose name begins so
		esac
		printf '%s\n' "$line"
	done < <("$@" "$name" 2>&1)
	case $result in
	ok) echo "# $name failed once and passed when it ran again" ;;
	'not ok') return 1 ;;
	*)
		echo "not ok $name: it failed, and alone it does not run"
		return 1
		;;
	esac
}
