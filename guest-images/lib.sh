# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# lib.sh - what the image scripts share: where things are kept, how a host package is
# asked for, how a Debian package is fetched without being installed.  Source it.
#
# Everything made or fetched is kept below $MICROVM_CACHE, by default ~/.cache/microvm.
# A file there is written beside its place and renamed into it, under a lock, so that any
# number of scripts may run at once; a note of its size says later whether it is whole.

MICROVM_CACHE=${MICROVM_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/microvm}
[[ $MICROVM_CACHE = /* ]] || MICROVM_CACHE=$PWD/$MICROVM_CACHE # some of us change directory
export MICROVM_CACHE
export PATH=$PATH:/usr/sbin:/sbin # depmod and mke2fs live there, and plain users lack it
# How the caller's shell is set decides neither what is in an image nor how we read what a
# program prints: TMOUT ends a `read` that waits, OMP_* is what nproc believes
export LC_ALL=C
unset CDPATH BASH_ENV ENV POSIXLY_CORRECT GREP_OPTIONS TAR_OPTIONS TMOUT OMP_NUM_THREADS OMP_THREAD_LIMIT
users_umask=$(umask)
umask 022

say()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die()
{
	say "$*"
	exit 1
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
		-o Dpkg::Options::=--force-confold) # a configuration file that somebody changed
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

# cache_tmp - print a new directory inside the cache, so that a rename out of it is atomic.
# What a killed script left behind goes a day after the last file in it was written: a machine
# may run for longer.
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
# user's umask gives to files
deliver()
{
	chmod "$(printf %o $((0666 & ~users_umask)))" "$1"
	mkdir -p "$(dirname "$2")"
	mv "$1" "$2"
}

# cache_keep TMP OUT - move TMP, a file or a directory of cache_tmp's, to OUT, which is its place in
# the cache, and note what it consists of.  In a command substitution nothing ends at a command
# that fails, `set -e` or not: so whoever makes something to keep says `|| exit` at each
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

# apt_private ARCH - fill $apt_opts so that apt works for ARCH with lists of its own in
# the cache: for foreign architectures, for plain users, for a machine whose lists are
# old.  Sources and keys stay those of the machine; nothing of it is changed.
apt_private()
{
	local d=$MICROVM_CACHE/apt/$1
	mkdir -p "$d/state/lists/partial" "$d/cache/archives/partial"
	: >>"$d/state/status"
	apt_opts=(-o "APT::Architecture=$1" -o "APT::Architectures::=$1"
		-o "Dir::State=$d/state" -o "Dir::State::status=$d/state/status"
		-o "Dir::Cache=$d/cache" -o APT::Sandbox::User=)
	[ "$(id -u)" != 0 ] || apt_opts+=(-o APT::Sandbox::User=root)
	(
		# apt itself does not wait for another who updates
		exec 9>"$d/lock" && flock 9 || exit
		[ -z "$(find "$d/updated" -mmin -1440 2>/dev/null)" ] || exit 0
		apt-get -qq "${apt_opts[@]}" update >&2 9>&- ||
			die "apt-get update failed for $1: see above for the source that did not answer"
		touch "$d/updated"
	) || exit 1
}

# apt_select PACKAGE ARCH - choose $apt_opts with which apt can fetch PACKAGE: the lists
# the machine has, else private ones
apt_select()
{
	apt_opts=()
	[ "$(id -u)" != 0 ] || apt_opts+=(-o APT::Sandbox::User=root)
	if [ "$2" = "$(host_arch)" ] &&
		[ -n "$(apt-cache "${apt_opts[@]}" show "$1" 2>/dev/null)" ]; then
		return
	fi
	apt_private "$2"
	[ -n "$(apt-cache "${apt_opts[@]}" show "$1" 2>/dev/null)" ] ||
		die "apt knows no package $1 for $2: these scripts want the package sources of Debian 12"
}

# apt_depends PACKAGE ARCH PATTERN - print the first dependency whose name matches
apt_depends()
{
	local apt_opts
	apt_select "$1" "$2"
	apt-cache "${apt_opts[@]}" --no-all-versions show "$1" |
		sed -n 's/^Depends: //p' | sed 's/[,|]/\n/g' | sed 's/ *(.*//;s/ //g' |
		grep -m1 -E "^($3)\$"
}

# apt_deb PACKAGE ARCH DIR - download PACKAGE's .deb into the directory DIR; print its path
apt_deb()
{
	local apt_opts
	apt_select "$1" "$2"
	(cd "$3" && busy "fetching $1" apt-get -qq "${apt_opts[@]}" download "$1" >&2) || {
		# Old lists name packages that are gone from the mirror
		apt_private "$2"
		rm -f "$MICROVM_CACHE/apt/$2/updated"
		apt_private "$2"
		(cd "$3" && busy "fetching $1" apt-get -qq "${apt_opts[@]}" download "$1" >&2) ||
			die "apt-get could not download $1 for $2"
	}
	find "$3" -maxdepth 1 -name "$1_*.deb" -print -quit
}

# static_program PACKAGE ARCH NAME - print the path of the program NAME in PACKAGE for ARCH,
# fetched if need be
static_program()
{
	local out=$MICROVM_CACHE/$3-$2
	cache_has "$out" || (
		cache_lock "program-$3-$2"
		! cache_has "$out" 2>/dev/null || exit 0
		need dpkg xz-utils
		tmp=$(cache_tmp) || exit
		trap 'rm -rf "$tmp"' EXIT
		deb=$(apt_deb "$1" "$2" "$tmp") && dpkg-deb -x "$deb" "$tmp/x" &&
			mv "$(find "$tmp/x" -type f -path "*bin/$3" -print -quit)" "$tmp/program" ||
			die "$3 for $2 could not be had from the package $1"
		cache_keep "$tmp/program" "$out"
	) || exit 1
	printf '%s\n' "$out"
}

# foreign_tree PACKAGE ARCH - print the directory into which PACKAGE for ARCH and all that it
# depends on are unpacked, fetched if need be; nothing of it is installed or set up
foreign_tree()
{
	local out=$MICROVM_CACHE/tree-$1-$2 tmp deb apt_opts
	cache_lock "tree-$1-$2"
	if ! cache_has "$out"; then
		need dpkg xz-utils
		say "fetching $1 for $2, with its libraries"
		apt_private "$2"
		tmp=$(cache_tmp) && mkdir -p "$tmp/tree" "$tmp/archives/partial" || exit
		apt-get -qq "${apt_opts[@]}" -o "Dir::Cache::archives=$tmp/archives" \
			-o Debug::NoLocking=1 --no-install-recommends --download-only -y \
			install "$1" >&2 || die "apt-get could not download $1 for $2"
		for deb in "$tmp"/archives/*.deb; do
			dpkg-deb -x "$deb" "$tmp/tree" || die "${deb##*/} could not be unpacked"
		done
		cache_keep "$tmp/tree" "$out"
		rm -rf "$tmp"
	fi
	printf '%s\n' "$out"
}

# foreign_program TREE PATH - print the program PATH of that tree and what it is run with,
# its dynamic linker and its libraries, each as FILE:PATH for `stage`.  That linker itself is
# asked, in QEMU's user emulation.
foreign_program()
{
	local tree=$1 path=$2 linker dirs
	need qemu-user-static
	linker=$(readlink -f "$(find "$tree/lib" -maxdepth 1 -name 'ld-linux-*' -print -quit)")
	dirs=$(find "$tree/lib" "$tree/usr/lib" -maxdepth 3 -name '*.so*' -printf '%h\n' |
		sort -u | paste -sd:)
	printf '%s:%s\n' "$tree$path" "$path"
	qemu-aarch64-static "$linker" --library-path "$dirs" \
		--list "$tree$path" |
		sed -n "s|^[[:space:]]*\(.*\) => $tree\(/[^ ]*\) .*|\1 \2|p" |
		while read -r name path; do
			[[ $name = /* ]] || name=$path
			printf '%s:%s\n' "$tree$path" "$name"
		done
}

# busybox_static ARCH - print the path of a static busybox for ARCH, fetched if need be
busybox_static()
{
	static_program busybox-static "$1" busybox
}

# busybox_commands - print what busybox can do: Debian's is alike on all architectures, and
# this machine's is the one that runs here
busybox_commands()
{
	"$(busybox_static "$(host_arch)")" --list
}

# stage ROOT SRC[:DST] - copy a file or a directory into the tree ROOT, by default to the
# path it has here, with what its programs need: shared libraries and interpreters
stage()
{
	local root=$1 src=$2 dst f
	if [ ! -e "$src" ] && [ "${src%:*}" != "$src" ]; then
		dst=${src##*:}
		src=${src%:*}
	fi
	[ -e "$src" ] || die "no such file: $src"
	[ -r "$src" ] || die "cannot read $src"
	dst=$root$(realpath -sm "/${dst:-$(realpath -s "$src")}")
	mkdir -p "${dst%/*}"
	if [ -d "$src" ]; then
		mkdir -p "$dst"
		cp -a --reflink=auto "$src/." "$dst/" || die "cannot copy $src"
		while IFS= read -r -d '' f; do
			stage_needs "$root" "$f"
		done < <(find "$src/" -type f -perm /111 -print0)
	else
		cp -L --preserve=mode,timestamps --reflink=auto "$src" "$dst" || die "cannot copy $src"
		[ ! -x "$src" ] || stage_needs "$root" "$src"
	fi
}

# stage_needs ROOT PROGRAM - put in the libraries or the interpreter of PROGRAM
stage_needs()
{
	local magic lib line
	IFS= LC_ALL=C read -r -N 4 magic <"$2" || true
	case $magic in
	$'\177ELF')
		while read -r lib; do
			case $lib in
			*'not found'*) die "$2 needs a library that is not here: $lib" ;;
			esac
			lib=$(sed -n 's/^\(.*=> *\)\{0,1\}\(\/[^ ]*\) (0x.*/\2/p' <<<"$lib")
			[ -z "$lib" ] || stage_once "$1" "$lib"
		done < <(LC_ALL=C ldd "$2" 2>/dev/null || true)
		;;
	'#!'*)
		IFS= read -r line <"$2" || true
		line=${line#\#!}
		read -r -a line <<<"$line"
		# busybox is the image's own /bin/sh
		[ "${line[0]}" = /bin/sh ] || stage_once "$1" "${line[0]}"
		[ "${line[0]##*/}" != env ] || stage_once "$1" "$(command -v "${line[1]}")"
		;;
	esac
}

# run_by PROGRAM - print what runs it, the interpreter in its #! line, or of env's its name; nothing
# for a compiled program.  Refuse what no kernel runs
run_by()
{
	local magic line words
	[ -f "$1" ] || die "no such program: $1"
	IFS= LC_ALL=C read -r -N 4 magic <"$1" || true
	case $magic in
	$'\177ELF') return ;;
	'#!'*) ;;
	*) die "$1 is no program, nor has it a #! line: begin it with #!/bin/sh, or with what runs it" ;;
	esac
	IFS= read -r line <"$1" || true
	read -r -a words <<<"${line#\#!}"
	[ ${#words[@]} != 0 ] || die "$1: its #! line names nothing that runs it"
	[ "${words[0]##*/}" = env ] || { printf '%s\n' "${words[0]}" && return; }
	words=("${words[@]:1}")
	[ "${words[0]-}" != -S ] || words=("${words[@]:1}")
	printf '%s\n' "${words[0]-env}"
}

# run_by_busybox PROGRAM ARCH - can an image of busybox for ARCH run it?  If not, say what can.  An
# interpreter of this machine goes in with its shared libraries, but not with modules of its own
run_by_busybox()
{
	local by
	by=$(run_by "$1")
	case ${by##*/} in
	python* | perl* | ruby* | node* | php* | tclsh* | guile* | Rscript | lua*)
		die "$1 is run by $by, which is not in this image: mkrootfs --package ${by##*/} --run $1 makes a disk that has it"
		;;
	esac
	[ -n "$by" ] || return 0
	[[ $by = */* && $by != /bin/* ]] || ! grep -qx -e "${by##*/}" <<<"$(busybox_commands)" || return 0
	[ "$2" = "$(host_arch)" ] ||
		die "$1 is run by $by, which is not in this image: for $2 it has to be /bin/sh"
	command -v -- "$by" >/dev/null ||
		die "$1 is run by $by, which is not on this machine: mkrootfs --package NAME --run $1, with the package that has it, makes a disk for it"
}

stage_once()
{
	[ -e "$1$2" ] || [ ! -e "$2" ] || stage "$1" "$2"
}

# stage_cpio ROOT - write the tree as an initramfs to stdout, all of it root's, without
# anything in it that would differ the next time
stage_cpio()
{
	(cd "$1" && find . -exec touch -hd @0 {} + &&
		find . -mindepth 1 -print0 | LC_ALL=C sort -z |
		cpio --null --create --format=newc --owner=0:0 --reproducible --quiet)
}
