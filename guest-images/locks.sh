# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# locks.sh - locks of the kind that microvm has on its disks, so that a script and a microvm also
# keep each other out.  lib.sh sources it.

# ofd_lock FD read|write|none [START LENGTH] - lock what is open there (fcntl(2), "Open file description
# locks"): in all that inherits FD, until the last of them has closed it.  Waits a second for one
# that is going.  Return: 1 if another has it, 2 if it cannot be locked
ofd_lock()
{
	perl -e '
		my ($fd, $how, $start, $length) = (@ARGV, 0, 0);
		my $type = {read => 0, write => 1, none => 2}->{$how};
		open(my $file, $how eq "write" ? "+<&=" : "<&=", $fd) or exit 2;
		for (1 .. 20) {
			my $flock = pack("s s x4 q q l x4", $type, 0, $start, $length, 0);
			exit 0 if fcntl($file, 37, $flock);
			exit 2 unless $! == 11 || $! == 13; # EAGAIN, EACCES
			select(undef, undef, undef, 0.05);
		}
		exit 1' "$@"
}

# disk_in_use FILE - does a microvm, or another program with such locks, write to it?
disk_in_use()
{
	local fd status=0
	exec {fd}<"$1" || return 1
	ofd_lock "$fd" read || status=$?
	exec {fd}<&-
	[ $status = 1 ]
}

# hold_name PATH - lock the name PATH, which need not be there, until this script has ended.  Return: 1
# if another has it
hold_name()
{
	local hash
	if [ -z "${held_names-}" ]; then
		mkdir -p "$MICROVM_CACHE/lock"
		exec {held_names}<>"$MICROVM_CACHE/lock/names"
	fi
	# a byte of that file stands for a name
	hash=$(realpath -m "$1" | sha256sum)
	ofd_lock "$held_names" write $((16#${hash:0:15})) 1
}

# hold_file FILE read|write - lock FILE as microvm does, until this script has ended.  Return: 1 if
# another has it; what cannot be locked is let be
hold_file()
{
	local fd status=0
	if [ "$2" = read ]; then
		exec {fd}<"$1" || return 0
	else
		[ -w "$1" ] || return 0
		exec {fd}<>"$1" || return 0
	fi
	ofd_lock "$fd" "$2" || status=$?
	[ $status != 1 ]
}
