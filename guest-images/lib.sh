# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# lib.sh - what the image scripts share: how they speak, end and take turns, where things are kept,
# how a host package is asked for.  Source it; locks.sh, debs.sh and stage.sh come with it.
#
# Everything made or fetched is kept below $MICROVM_CACHE, by default ~/.cache/microvm.
# A file there is written beside its place and renamed into it, under a lock, so that any
# number of scripts may run at once; a note of its size says later whether it is whole.

[ -n "${HOME-}" ] || unset HOME
# Without HOME, ~ is the home of the password database: /tmp belongs to everybody
user_home=~
MICROVM_CACHE=${MICROVM_CACHE:-${XDG_CACHE_HOME:-$user_home/.cache}/microvm}
[[ $MICROVM_CACHE = /* ]] || MICROVM_CACHE=$PWD/$MICROVM_CACHE # some of us change directory
export MICROVM_CACHE
export PATH=$PATH:/usr/sbin:/sbin # depmod and mke2fs live there, and plain users lack it
# How the caller's shell is set decides neither what is in an image nor how we read what a
# program prints: TMOUT ends a `read` that waits, OMP_* is what nproc believes
export LC_ALL=C
unset CDPATH BASH_ENV ENV POSIXLY_CORRECT GREP_OPTIONS TAR_OPTIONS TMOUT OMP_NUM_THREADS OMP_THREAD_LIMIT
# Ours makes the files of the cache and of an image the same for every user.  What is made for the
# user has the user's: deliver(), and for_user() before all that is not of this script
users_umask=$(umask)
umask 022
failed_status=1 misused_status=2

# passes_on_status - what this script ends with is the status of what it runs: that it could not
# even do so is 125, whatever was the cause, as of timeout(1) and env(1)
passes_on_status()
{
	failed_status=125 misused_status=125
}

say()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die()
{
	say "$*"
	exit $failed_status
}

# misused WORDS - the command line is wrong: say so, and end with 2, as microvm does, not with 1
misused()
{
	say "$*"
	exit $misused_status
}

# for_user COMMAND... - run it with the user's umask: another script of ours, which would take ours
# for it, and what makes files for the user
for_user()
{
	(umask "$users_umask" && "$@")
}

# descendants PID - print the processes that descend from it
descendants()
{
	grep -s '^PPid:' /proc/[0-9]*/status | awk -F '[/:\t]+' -v top="$1" '
		{ parent[$3] = $NF }
		END {
			of[top] = 1
			do {
				more = 0
				for (p in parent)
					if (!(p in of) && (parent[p] in of))
						more = of[p] = 1
			} while (more)
			delete of[top]
			for (p in of)
				print p
		}'
}

# end_children - end all that this script has started, for its EXIT trap, which bash runs at once when
# a signal ends it: what it runs then would go on, and what runs beside it does not mind Ctrl-C
end_children()
{
	local IFS=$' \t\n' me=$BASHPID ours # a trap may find a read's
	mapfile -t ours < <(descendants "$me")
	# some have ended meanwhile, and under set -e a trap that fails is how the script ends
	[ ${#ours[@]} = 0 ] || kill "${ours[@]}" 2>/dev/null || true
}

# usage - print the calling script's opening comment, its "# name - ..." block, as help
usage()
{
	sed -n '2,/^[^#]/{/^# SPDX/d;/^# shellcheck/d;/^#/!d;s/^#$//;s/^# //;p}' "$0"
}

# busy WHAT COMMAND... - run a command that may be silent for long: after five seconds a terminal
# shows WHAT and a clock, and a log has a line, and one more each minute
busy()
{
	local what=$1 watcher status=0
	shift
	busy_clock "$what" $BASHPID </dev/null >/dev/null &
	watcher=$!
	"$@" || status=$?
	kill "$watcher" 2>/dev/null || true
	wait "$watcher" 2>/dev/null || true
	[ ! -t 2 ] || printf '\r\033[K' >&2
	return $status
}

# busy_clock WHAT PID - until we are killed, or process PID is gone
busy_clock()
{
	local s=0
	while kill -0 "$2" 2>/dev/null; do
		read -r -t 1 _ <> <(:) || true # a sleep that leaves no process behind
		s=$((s + 1))
		if [ $s -lt 5 ]; then
			continue
		elif [ -t 2 ]; then
			printf '\r%s: %s, %d s \033[K' "${0##*/}" "$1" $s >&2
		elif [ $((s % 60)) = 5 ]; then
			say "still $1 ($s s)"
		fi
	done
}

# need PACKAGE... - make sure that these host packages are installed: install them if we
# are root or may sudo without a password, and $MICROVM_NO_INSTALL is not set; else name them
# and stop
need()
{
	local p miss=() as=() status
	for p; do
		status=$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null) || status=
		[ "$status" = installed ] || miss+=("$p")
	done
	[ ${#miss[@]} -gt 0 ] || return 0
	[ -z "${MICROVM_NO_INSTALL-}" ] ||
		die "missing on this machine, and not to be installed: ${miss[*]}"
	if [ "$(id -u)" != 0 ]; then
		sudo -n true 2>/dev/null ||
			die "missing on this machine: run 'sudo apt-get install ${miss[*]}' and try again"
		as=(sudo -n)
	fi
	say "installing ${miss[*]}"
	as+=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300
		-o Dpkg::Options::=--force-confold) # a changed configuration file
	# A machine that never ran "update" knows no package: not worth a word
	"${as[@]}" install -y --no-install-recommends "${miss[@]}" </dev/null >/dev/null 2>&1 ||
		{ "${as[@]}" update </dev/null >/dev/null &&
			"${as[@]}" install -y --no-install-recommends "${miss[@]}" </dev/null >/dev/null; } ||
		die "apt-get could not install ${miss[*]}"
}

# no_nested PACKAGE - print why there is no nested host here (tests/nested), which takes PACKAGE of
# QEMU; fail if there is one
no_nested()
{
	local said
	if said=$( (need "$1" cpio) 2>&1); then
		return 1
	fi
	echo "no nested host: ${said##*$'\n'}"
}

# cache_lock NAME - wait until we are the only one at NAME; held until this shell ends
cache_lock()
{
	local fd
	mkdir -p "$MICROVM_CACHE/lock"
	exec {fd}>"$MICROVM_CACHE/lock/$1"
	flock -n "$fd" || { say "waiting for another who makes $1" && flock "$fd"; }
}

# cache_tmp - print a new directory inside the cache, so that a rename out of it is atomic. A
# killed script's directory is removed a day after the last write to a file in it: a machine may
# run for longer.
cache_tmp()
{
	local old
	mkdir -p "$MICROVM_CACHE/tmp"
	while IFS= read -r -d '' old; do
		[ -n "$(find "$old" -mmin -1440 -print -quit 2>&1)" ] || rm -rf "$old" 2>/dev/null || true
	done < <(find "$MICROVM_CACHE/tmp" -mindepth 1 -maxdepth 1 -mmin +1440 -print0 2>/dev/null)
	mktemp -d "$MICROVM_CACHE/tmp/${0##*/}.XXXXXX"
}

# deliver TMP OUT - move the file TMP of ours to OUT, where the user wants it, with the mode that the
# user's umask gives to files.  As root, mv would replace /dev/null
deliver()
{
	[ ! -d "$2" ] || die "$2 is a directory: name a file in it"
	[ ! -e "$2" ] || [ -f "$2" ] || die "$2 is no regular file, and is not replaced by one"
	chmod "$(printf %o $((0666 & ~users_umask)))" "$1"
	for_user mkdir -p "$(dirname "$2")"
	mv "$1" "$2"
}

# cache_keep TMP OUT - move TMP, a file or a directory of cache_tmp's, to OUT, which is its place
# in the cache, and note what it consists of.  In a command substitution nothing ends at a command
# that fails, `set -e` or not: so a function that makes something to keep says `|| exit` at each
cache_keep()
{
	{
		[ -e "$1" ] && cache_sizes "$1" >"$1.whole" && [ -s "$1.whole" ] &&
			mkdir -p "${2%/*}" && mv -f "$1.whole" "$2.whole" &&
			{ [ ! -d "$2" ] || rm -rf "$2"; } && mv -fT "$1" "$2"
	} || die "$2 could not be kept"
}

# cache_has OUT - is it in the cache, and whole?  A full disk or a crash can have cut it short
cache_has()
{
	[ -e "$1" ] && [ -f "$1.whole" ] || return 1
	[ ! -s "$1.whole" ] || [ -n "$(cache_sizes "$1" | LC_ALL=C comm -13 - "$1.whole")" ] || return 0
	say "$1 is not whole any more: it is made again"
	return 1
}

# cache_sizes PATH - print the size of each file there, a line each
cache_sizes()
{
	find "$1" -type f -printf '%s %P\n' | LC_ALL=C sort
}

host_arch()
{
	dpkg --print-architecture
}

# shellcheck source=guest-images/locks.sh
. "${BASH_SOURCE[0]%/*}/locks.sh"
# shellcheck source=guest-images/debs.sh
. "${BASH_SOURCE[0]%/*}/debs.sh"
# shellcheck source=guest-images/stage.sh
. "${BASH_SOURCE[0]%/*}/stage.sh"
