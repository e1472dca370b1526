# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# debs.sh - packages of Debian for the image scripts, and programs out of them, fetched by apt and not
# installed.  lib.sh sources it.

# Of this suite, like unstable, are packages; '': of what the machine's sources name
apt_suite=''

# apt_private ARCH - fill $apt_opts so that apt works for ARCH with lists of its own in
# the cache: for foreign architectures, for plain users, for a machine whose lists are
# old, for $apt_suite.  Sources (of a suite, the mirror) and keys stay those of the machine; nothing of
# it is changed.
apt_private()
{
	local d=$MICROVM_CACHE/apt/$1${apt_suite:+-$apt_suite}
	mkdir -p "$d/state/lists/partial" "$d/cache/archives/partial"
	: >>"$d/state/status"
	apt_opts=(-o "APT::Architecture=$1" -o "APT::Architectures::=$1"
		-o "Dir::State=$d/state" -o "Dir::State::status=$d/state/status"
		-o "Dir::Cache=$d/cache" -o APT::Sandbox::User=
		# which a container's configuration may have turned off: a second at each call
		-o Dir::Cache::pkgcache=pkgcache.bin -o Dir::Cache::srcpkgcache=srcpkgcache.bin)
	[ "$(id -u)" != 0 ] || apt_opts+=(-o APT::Sandbox::User=root)
	if [ "$apt_suite" ]; then
		printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' \
			"$(apt_mirror)" "$apt_suite" >"$d/sources.list"
		apt_opts+=(-o "Dir::Etc::sourcelist=$d/sources.list" -o Dir::Etc::sourceparts=-
			-o Acquire::Languages=none)
	fi
	(
		# apt itself does not wait for another update
		exec 9>"$d/lock" && flock 9 || exit
		[ -z "$(find "$d/updated" -mmin -1440 2>/dev/null)" ] || exit 0
		apt-get -qq "${apt_opts[@]}" update >&2 9>&- ||
			die "apt-get update failed for $1: see above for the source that did not answer"
		touch "$d/updated"
	) || exit 1
}

# apt_mirror - print where this machine has Debian from
apt_mirror()
{
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' 2>/dev/null |
		grep -m1 . || echo http://deb.debian.org/debian
}

# apt_select PACKAGE ARCH - choose $apt_opts with which apt can fetch PACKAGE: the lists
# the machine has, else private ones
apt_select()
{
	apt_opts=()
	[ "$(id -u)" != 0 ] || apt_opts+=(-o APT::Sandbox::User=root)
	if [ -z "$apt_suite" ] && [ "$2" = "$(host_arch)" ] &&
		[ -n "$(apt-cache "${apt_opts[@]}" show "$1" 2>/dev/null)" ]; then
		return
	fi
	apt_private "$2"
	[ -n "$(apt-cache "${apt_opts[@]}" show "$1" 2>/dev/null)" ] ||
		die "apt knows no package $1 for $2${apt_suite:+ in $apt_suite}: these scripts want the package sources of Debian 12"
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

# linux_source - print the path of the package with Debian's sources of Linux 6.1, fetched if need be
linux_source()
{
	local deb
	deb=$(find "$MICROVM_CACHE" -maxdepth 1 -name 'linux-source-6.1_*.deb' | sort -V | tail -n1)
	[ -n "$deb" ] && cache_has "$deb" || (
		cache_lock linux-source
		tmp=$(cache_tmp) || exit
		trap 'rm -rf "$tmp"' EXIT
		deb=$(apt_deb linux-source-6.1 "$(host_arch)" "$tmp") || exit
		cache_keep "$deb" "$MICROVM_CACHE/${deb##*/}"
	) || exit 1
	find "$MICROVM_CACHE" -maxdepth 1 -name 'linux-source-6.1_*.deb' | sort -V | tail -n1
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
