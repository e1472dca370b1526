# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# files.sh - files of any size for the nested host, on a disk, and files out of it.  For run, whose
# variables these are: $tmp, what --get and --on-disk say, and $status.
# shellcheck disable=SC2154

# hold_files - keep others from what comes back to here at our end, and from changing what goes in on
# a disk, until then
hold_files()
{
	local n path f
	for n in "${!on_disk[@]}"; do
		path=${on_disk[n]}
		[ -z "${back[n]-}" ] || hold_back "$path"
		[ ! -f "$path" ] || [ ! -r "$path" ] ||
			hold_file "$path" "$([ -n "${back[n]-}" ] && echo write || echo read)" ||
			die "$path is in use by another process, probably a microvm: wait until that one has ended, or name a copy"
	done
	for f in "${gets[@]}"; do
		[ -e "$f" ] || [[ $f != *:* ]] || f=${f##*:}
		hold_back "$f"
	done
}

hold_back()
{
	hold_name "$1" || [ $? != 1 ] ||
		die "$1 is in use by another run in a nested host, which writes it back when it ends: wait until that one has ended, or name a copy"
}

# disk_image - make the file "on-disk", an ext4 file system with what --on-disk names, each by its number
disk_image()
{
	local n size inodes
	mkdir "$tmp/tree" "$tmp/links"
	for n in "${!on_disk[@]}"; do
		[ -r "${on_disk[n]}" ] || die "cannot read ${on_disk[n]}"
		if [ -d "${on_disk[n]}" ]; then
			cp -a --reflink=auto "${on_disk[n]}" "$tmp/tree/$n"
		else
			ln -s "$(realpath "${on_disk[n]}")" "$tmp/links/$n"
		fi
	done
	# with room to grow: it is as sparse as they are
	size=$(du -Lsc --apparent-size -B1M "$tmp/links" "$tmp/tree" | tail -n1 | cut -f1)
	inodes=$(find "$tmp/tree" | wc -l)
	truncate -s $((size + size / 10 + 16384))M "$tmp/on-disk"
	mke2fs -q -t ext4 -m 0 -O ^has_journal -E lazy_itable_init=1 -N $((inodes + 65536)) \
		-d "$tmp/tree" "$tmp/on-disk"
	for n in "$tmp"/links/*; do
		[ ! -e "$n" ] || echo "write links/${n##*/} ${n##*/}"
	done >"$tmp/writes"
	(cd "$tmp" && debugfs -w -f writes on-disk >/dev/null 2>debugfs.err) || true
	! grep -v '^debugfs [0-9]' "$tmp/debugfs.err" >&2 || die "what --on-disk names could not be put in"
	rm -rf "$tmp/tree"
}

# disk_back - what became of it, to where it belongs: a file takes its old one's place when it is whole
disk_back()
{
	local n to new
	for n in "${!back[@]}"; do
		to=$(realpath "${on_disk[n]}")
		if [ -d "$to" ]; then
			mkdir -p "$tmp/back"
			(cd "$tmp" && debugfs -R "rdump $n back" on-disk >/dev/null 2>&1)
			cp -a "$tmp/back/$n/." "$to/"
			continue
		fi
		new=$(mktemp "$to.XXXXXX") && back_files+=("$new")
		(cd "$tmp" && debugfs -R "cat $n" on-disk 2>/dev/null) |
			dd of="$new" iflag=fullblock bs=64k conv=sparse status=none
		[ "$(stat -c %s "$new")" != 0 ] || [ ! -s "$to" ] || die "$to did not come back: is the disk full?"
		if cmp -s "$new" "$to"; then
			rm -f "$new"
			continue
		fi
		chmod --reference="$to" "$new"
		chown --reference="$to" "$new" 2>/dev/null || true
		mv -f "$new" "$to"
	done
}

# get_back - what --get names, out of the tar that the nested host sent
get_back()
{
	local f dst
	[ ${#gets[@]} -gt 0 ] || return 0
	mkdir "$tmp/files"
	tar -x -p -f "$tmp/get" -C "$tmp/files" 2>/dev/null || true
	for f in "${gets[@]}"; do
		dst=$f
		[ ! -e "$tmp/files$(realpath -sm "$f")" ] && [[ $f = *:* ]] && dst=${f##*:} f=${f%:*}
		f=$tmp/files$(realpath -sm "$f")
		if [ ! -e "$f" ]; then
			say "the command left nothing at ${f#"$tmp/files"}"
			[ "$status" != 0 ] || status=125
		elif [ -d "$f" ]; then
			for_user mkdir -p "$dst" && cp -a "$f/." "$dst/"
		elif [ -e "$dst" ]; then
			cp "$f" "$dst"
		else # with the mode that COMMAND gave it, under the user's umask
			for_user mkdir -p "$(dirname "$dst")" && cp --preserve=mode "$f" "$dst"
		fi
	done
}
