#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# cases.sh - a stock Linux as our guest, case by case, from the files in cases/.  `run` calls
# it, on this host or in the nested one; see lib.sh for what it expects.
#
# usage: cases.sh --list | cases.sh CASE...
here=$(dirname "$0")
# shellcheck source=tests/linux/lib.sh
. "$here/lib.sh"

if [ "${1-}" = --list ]; then
	exec sed -n 's/^case_\(.*\)()$/\1/p' "$here"/cases/*.sh
fi
for file in "$here"/cases/*.sh; do
	# shellcheck source=tests/linux/cases/boot.sh
	. "$file"
done
for name; do
	run_case "$name"
done
