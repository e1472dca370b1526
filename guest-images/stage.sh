# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# stage.sh - fill the tree of an image: files with what they need to run, a kernel's modules, and the
# refusal of what cannot run there.  lib.sh sources it.

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
		[ "${line[0]}" = /bin/sh ] || stage_interpreter "$1" "${line[0]}"
		[ "${line[0]##*/}" != env ] || stage_interpreter "$1" "$(command -v "${line[1]}")"
		;;
	esac
}

# stage_interpreter ROOT PROGRAM - put it in, unless the image has one of that name by the file
# $stage_commands, a name a line: its own fits its modules and its /sbin/init, this machine's may not
stage_interpreter()
{
	if [ -z "${stage_commands-}" ] || ! grep -qxF -e "${2##*/}" "$stage_commands"; then
		stage_once "$1" "$2"
	fi
}

# run_by PROGRAM - print what runs it, the interpreter in its #! line, or of env's its name; nothing
# for a compiled program.  Refuse what no kernel runs
run_by()
{
	local magic line words
	[ ! -d "$1" ] || die "$1 is a directory: name a program in it"
	[ -f "$1" ] || die "no such program: $1"
	[ -r "$1" ] || die "cannot read $1"
	IFS= LC_ALL=C read -r -N 4 magic <"$1" || true
	case $magic in
	$'\177ELF') return ;;
	'#!'*) ;;
	*) die "$1 is no program, nor has it a #! line: begin it with #!/bin/sh, or with what runs it" ;;
	esac
	IFS= read -r line <"$1" || true
	[[ $line != *$'\r' ]] ||
		die "$1: its lines end with CR LF, as on Windows, and no kernel finds what runs it: sed -i 's/\r\$//' $1"
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

# find_modules DIR - print where its modules.dep is
find_modules()
{
	local found
	for found in "$1/modules" "$1"; do
		[ ! -f "$found/modules.dep" ] || { printf '%s\n' "$found" && return; }
	done
	mapfile -t found < <(find "$1"/lib/modules "$1"/usr/lib/modules -mindepth 2 -maxdepth 2 \
		-name modules.dep -printf '%h\n' 2>/dev/null)
	[ ${#found[@]} -lt 2 ] || die "$1 holds modules of several kernels: name one, like ${found[0]}"
	[ ${#found[@]} = 1 ] ||
		die "$1 holds no modules.dep: give a directory from fetch-debian, or the INSTALL_MOD_PATH of make modules_install (depmod makes the file)"
	printf '%s\n' "${found[0]}"
}

# modules_in_order MODULES_DIR NAME... - paths below it, each after what it depends on; NAME? if
# there is one.  Fail at one that there is not, whose name is the last line
modules_in_order()
{
	awk -v want="${*:2}" '
	function name(path)
	{
		sub(/.*\//, "", path)
		sub(/\.ko.*/, "", path)
		gsub(/-/, "_", path)
		return path
	}
	FILENAME ~ /builtin$/ { builtin[name($1)] = 1; next }
	{
		# A line names a module, then all it needs, nearest first
		file = $1
		sub(/:$/, "", file)
		list = file
		for (i = 2; i <= NF; i++)
			list = $i " " list
		line[name(file)] = list
	}
	END {
		n = split(want, names, " ")
		for (i = 1; i <= n; i++) {
			key = name(names[i])
			optional = sub(/\?$/, "", key)
			if (!(key in line)) {
				if (key in builtin || optional)
					continue
				print names[i]
				exit 1
			}
			m = split(line[key], part, " ")
			for (j = 1; j <= m; j++)
				if (!(part[j] in done)) {
					done[part[j]] = 1
					print part[j]
				}
		}
	}' "$1/modules.builtin" "$1/modules.dep"
}

# module_file PATH - print the name of a module's file in an image, where none is packed
module_file()
{
	local name=${1##*/}
	printf '%s\n' "${name%%.ko*}.ko"
}

# stage_module FILE DST - copy a module, unpacked
stage_module()
{
	case $1 in
	*.xz) xz -dc "$1" >"$2" ;;
	*.gz) gzip -dc "$1" >"$2" ;;
	*.zst) need zstd && zstd -dcq "$1" >"$2" ;;
	*) cp "$1" "$2" ;;
	esac
}
