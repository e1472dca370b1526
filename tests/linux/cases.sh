#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# cases.sh - a stock Linux as our guest, case by case, from the files in cases/.  `run` calls
# it, on this host or in the nested one; see lib.sh for what it expects.
#
# usage: cases.sh --list | cases.sh CASE...
#
# What only one architecture has is in a file of its name, amd64.sh or arm64.sh.
here=$(dirname "$0")
# shellcheck source=tests/linux/lib.sh
. "$here/lib.sh"

for file in "$here"/cases/*.sh; do
	case ${file##*/} in
	amd64.sh | arm64.sh) [ "${file##*/}" = "$ARCH.sh" ] || continue ;;
	esac
	[ "${1-}" != --list ] || sed -n 's/^case_\([^()]*\)().*/\1/p' "$file"
	# shellcheck source=tests/linux/cases/boot.sh
	. "$file"
done
[ "${1-}" != --list ] || exit 0
for name; do
	run_case "$name"
done
