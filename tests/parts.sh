# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# parts.sh - groups of tests beside one another, for scripts that say what they found by
# lines.sh.  Source it after that.

at_once=$(nproc)

# parts COMMAND... - run them, $at_once at a time; each is a function and its arguments, and
# has a shell of its own, where $work is a directory of its own, and $pid, if one is left, is
# killed at the end.  What is to stay together on stdout has to be written at once
parts()
{
	local i sum list=("$@")
	for i in "${!list[@]}"; do
		while [ "$(jobs -rp | wc -l)" -ge "$at_once" ]; do
			wait -n
		done
		part "$i" "${list[i]}" &
	done
	wait
	for i in "${!list[@]}"; do
		read -r -a sum <"$work/$i.sum" || {
			echo "not ok ${list[i]%% *}: it ended in the middle"
			sum=(0 1 0)
		}
		passed=$((passed + sum[0])) failed=$((failed + sum[1]))
		skipped=$((skipped + sum[2]))
	done
}

part()
{
	local counts=$work/$1.sum
	# shellcheck disable=SC2034 # lines.sh reads it
	work=$work/$1 passed=0 failed=0 skipped=0 pid='' lines_since=$EPOCHSECONDS
	trap '[ -z "$pid" ] || kill -KILL $pid 2>/dev/null' EXIT
	# shellcheck disable=SC2086 # a function and its arguments
	mkdir "$work" && { $2 || true; } && echo "$passed $failed $skipped" >"$counts"
}
