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

# host_build NAME CC [OPTION...] [-- TARGET...] - bring the build directory build-NAME, or
# these targets of it, up to date, with warnings as errors; the log, printed if it fails, is
# build-NAME.log
host_build()
{
	local dir=$top/build-$1 cc=$2 log=$top/build-$1.log options=()
	shift 2
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		options+=("$1") && shift
	done
	[ $# = 0 ] || shift
	if [ -f "$dir/build.ninja" ]; then
		meson configure "$dir" -Dwerror=true "${options[@]}"
	else
		rm -rf "$dir"
		CC=$cc meson setup "$dir" "$top" -Dwerror=true "${options[@]}"
	fi >"$log" 2>&1 && ninja -C "$dir" "$@" >>"$log" 2>&1 && return
	cat "$log"
	return 1
}

# host_build_release - build-release/microvm, as it is meant to be used
host_build_release()
{
	host_build release "${CC:-gcc}" --buildtype=release
}

# host_build_arm64 gcc|clang - build-arm64/microvm, and its tests, by the cross compiler, or
# build-arm64-clang by clang; the log, printed if it fails, is beside it
host_build_arm64()
{
	local dir=$top/build-arm64 log option=()
	[ "$1" = gcc ] || dir+=-$1 option=("--$1")
	log=$dir.log
	# which libraries it wants is said by setup
	[ "$dir/build.ninja" -nt "$top/tests/cross/setup" ] || rm -rf "$dir"
	{
		[ -f "$dir/build.ninja" ] ||
			"$top/tests/cross/setup" "${option[@]}" "$dir" -Dwerror=true --buildtype=release
	} >"$log" 2>&1 && ninja -C "$dir" >>"$log" 2>&1 && return
	cat "$log"
	return 1
}
