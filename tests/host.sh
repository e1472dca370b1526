# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# host.sh - what the two commands of README.md share: packages and builds.  Source it.
top=$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=guest-images/lib.sh
. "$top/guest-images/lib.sh"

# packages GROUP... - print the names of these groups in tests/packages.txt
packages()
{
	local group
	for group; do
		awk -v group="$group" '!/^#/ && $2 == group { print $1 }' "$top/tests/packages.txt"
	done
}

# host_install GROUP... - install what is missing of them; fail, with the names said, where
# we may not.  On a machine without dpkg the names are all we can offer.
host_install()
{
	local list
	mapfile -t list < <(packages "$@")
	if command -v dpkg-query >/dev/null; then
		(need "${list[@]}")
		return
	fi
	say "this is no Debian: see to it that what these packages hold is there: ${list[*]}"
}

# turn_in N - a number below N, another one after most commits, and for one commit always the same
turn_in()
{
	local head
	head=$(git -c safe.directory='*' -C "$top" rev-parse HEAD 2>/dev/null) || head=0
	echo $((0x${head:0:8} % $1))
}

# build_alone NAME COMMAND... - run it, which makes build-NAME, when no other process does: a test run, or
# boot-linux
build_alone()
{
	local lock status=0 name=$1
	shift
	exec {lock}>"$top/build-$name.lock" || return
	flock "$lock"
	# what a compiler may leave running, a cache's server, say, does not hold it
	(eval "exec $lock>&-" && "$@") || status=$?
	exec {lock}>&-
	return $status
}

# host_first NAME - words for the first build of build-NAME, which takes longest
host_first()
{
	[ -f "$top/build-$1/build.ninja" ] || echo ', the first time: half a minute on two processors'
}

# configured DIR OPTION... - has that build directory these options already?  Set once more they would
# make ninja look at all of the build again
configured()
{
	python3 - "$1/meson-info/intro-buildoptions.json" "${@:2}" 2>/dev/null <<-'END'
		import json, sys
		def text(value):
		    if isinstance(value, list):
		        return ",".join(value)
		    return str(value).lower() if isinstance(value, bool) else str(value)
		have = {option["name"]: text(option["value"]) for option in json.load(open(sys.argv[1]))}
		for option in sys.argv[2:]:
		    name, value = option.removeprefix("-D").removeprefix("--").split("=", 1)
		    if have.get(name) != value:
		        sys.exit(1)
	END
}

# host_build NAME CC [OPTION...] [-- TARGET...] - bring the build directory build-NAME, or
# these targets of it, up to date, with warnings as errors; the log, printed if it fails, is
# build-NAME.log
host_build()
{
	local dir=$top/build-$1 cc=$2 log=$top/build-$1.log options=(-Dwerror=true)
	shift 2
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		options+=("$1") && shift
	done
	[ $# = 0 ] || shift
	if [ ! -f "$dir/build.ninja" ]; then
		rm -rf "$dir"
		CC=$cc for_user meson setup "$dir" "$top" "${options[@]}"
	elif ! configured "$dir" "${options[@]}"; then
		for_user meson configure "$dir" "${options[@]}"
	fi >"$log" 2>&1 && for_user ninja -C "$dir" "$@" >>"$log" 2>&1 && return
	cat "$log"
	return 1
}

# host_build_release [TARGET...] - build-release/microvm, as it is meant to be used, and its tests, or
# these targets alone
host_build_release()
{
	host_build release "${CC:-gcc}" --buildtype=release -- "$@"
}

# host_build_arm64 gcc|clang [TARGET...] - build-arm64/microvm, and its tests, by the cross compiler,
# or build-arm64-clang by clang; the log, printed if it fails, is beside it
host_build_arm64()
{
	local dir=$top/build-arm64 log option=()
	[ "$1" = gcc ] || dir+=-$1 option=("--$1")
	log=$dir.log
	shift
	# which libraries it wants is said by setup
	[ "$dir/build.ninja" -nt "$top/tests/cross/setup" ] || rm -rf "$dir"
	{
		[ -f "$dir/build.ninja" ] ||
			for_user "$top/tests/cross/setup" "${option[@]}" "$dir" -Dwerror=true --buildtype=release
	} >"$log" 2>&1 && for_user ninja -C "$dir" "$@" >>"$log" 2>&1 && return
	cat "$log"
	return 1
}
