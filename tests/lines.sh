# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # $work is the script's
#
# lines.sh - how a script of tests says what it found, a line a test, as tests/run adds them
# up:  ok NAME [(… T s)]   not ok NAME: why   skip NAME: why.  Source it.
#
# Counts $passed, $failed and $skipped.  $work is a directory for files, $wanted the beginnings
# of the names that are asked for (none: all).
passed=0 failed=0 skipped=0 wanted=()
lines_since=$EPOCHSECONDS

# lines_took - set $took to "T s", the time since the last line, if it is a second or more
lines_took() {
	took=$((EPOCHSECONDS - lines_since))
	if [ "$took" = 0 ]; then took=''; else took+=' s'; fi
	lines_since=$EPOCHSECONDS
}

# ok NAME [WORDS]
ok() {
	local took words=${2-}
	lines_took
	[ -z "$took" ] || words+=${words:+, }$took
	echo "ok $1${words:+ ($words)}"
	passed=$((passed + 1))
}

# not_ok NAME WHY - with the end of what was printed to $work/out and $work/err
not_ok() {
	local took
	lines_took
	failed=$((failed + 1))
	# all of it at once: others print at the same time
	printf '%s\n' "not ok $1: $2$(
		tail -n 20 "$work/out" "$work/err" 2>/dev/null | cut -c 1-300 | sed 's/^/  | /;1s/^/\n/'
	)"
}

skip() {
	local took
	lines_took
	echo "skip $1: $2"
	skipped=$((skipped + 1))
}

# wants NAME - is this test asked for?
wants() {
	local w
	for w in "${wanted[@]}"; do
		[[ $1 != "$w"* ]] || return 0
	done
	[ ${#wanted[@]} = 0 ]
}

# await COMMAND... - until it succeeds; after five minutes, or $AWAIT seconds, nobody is that slow, and it
# fails
await() {
	local end=$((EPOCHSECONDS + ${AWAIT:-300}))
	until "$@"; do
		[ $EPOCHSECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

# lines_end - the sum.  Fails if a test did, or if none has the name that was asked for
lines_end() {
	if [ $((passed + failed + skipped)) = 0 ]; then
		echo "${0##*/}: no test is named ${wanted[*]-}" >&2
		return 2
	fi
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ]
}
