# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# memory.sh - memory that a guest gives back to the host, as the host sees it.
#
# shellcheck disable=SC2016 # what stands in single quotes is for the guest's shell

# rss - what the host holds for us and our guest now, in MiB
rss()
{
	echo $(($(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(machine_of $vmm)/status") / 1024))
}

# balloon COMMAND OPTION... - a guest with the balloon's driver runs COMMAND; we go on
balloon()
{
	INITRD=$BALLOON_INITRD
	start "$@"
}

# falls_by MIB - from $full MiB
falls_by()
{
	await has_at_most $((full - $1)) || fail "of $full MiB the host still holds $(rss)"
}

has_at_most()
{
	[ "$(rss)" -le "$1" ]
}

# ask - what the guest says of its memory now is in ./report.json
ask()
{
	await answered || fail 'the guest did not answer'
}

# answered - within the second that it has
answered()
{
	rm -f report.json
	kill -USR1 $vmm
	wait_for report.json '"cause":"running".*"free_bytes"'
	[ "$(field age_ns)" -lt 1000000000 ]
}

# The guest's own word, when it is asked, agrees with the host's
case_freed_memory_goes_to_the_host_by_itself()
{
	balloon "$(one_line <<-'END'
		mkdir /t; mount -t tmpfs -o size=100% t /t
		dd if=/dev/zero of=/t/f bs=1M count=128 2>/dev/null
		echo total=$(sed -n 's/MemTotal: *\([0-9]*\) .*/\1/p' /proc/meminfo)
		echo full; read go </dev/console; rm /t/f; echo freed; sleep 999
	END
	)" --memory 512M --balloon 0 --report report.json
	wait_for out full
	full=$(rss)
	[ "$full" -gt 128 ] || fail "the host holds $full MiB only"
	ask
	said "total=$(($(field total_bytes) / 1024))"
	free=$(field free_bytes)
	[ "$(field disk_caches_bytes)" -gt 134217728 ] || fail 'the file is in no cache'
	[ "$(field available_bytes)" -lt $((512 * 1048576)) ] || fail 'it has more than it was given'
	go
	wait_for out freed
	falls_by 110
	ask
	[ $(($(field free_bytes) - free)) -gt $((120 * 1048576)) ] ||
		fail "of $free bytes free it came to $(field free_bytes)"
	kill -HUP $vmm # at once: an orderly stop is another case
	wait $vmm
	[ $? = 143 ] || fail 'it did not end as it was told to'
	[ "$(field cause)" = sigterm ] && [ "$(field free_bytes)" -gt "$free" ] ||
		fail 'the last report does not say what the guest said'
	[ ! -s err ] || fail 'it had something to say'
}

# pool - huge pages that the host has free
pool()
{
	sed -n 's/^HugePages_Free: *//p' /proc/meminfo
}

# What the guest has no use for is still its own: a neighbour that takes every page of the pool gets
# none of them, and the guest uses them again
case_huge_pages_stay_with_their_guest()
{
	nr=/proc/sys/vm/nr_hugepages
	before=$(cat $nr 2>/dev/null) || skip 'this kernel has no huge pages'
	echo $((before + 140)) 2>/dev/null >$nr || skip 'no pool of huge pages may be made here'
	[ "$(pool)" -ge 130 ] || skip "the pool has $(pool) pages only"
	balloon "$(one_line <<-'END'
		mkdir /t; mount -t tmpfs -o size=100% t /t; fill() { dd if=/dev/zero of=/t/f bs=1M count=128 2>/dev/null; }
		fill; echo full; read go </dev/console; rm /t/f; sleep 10; echo freed; read go </dev/console
		fill; echo full again; sleep 999
	END
	)" --memory 256M,hugepages=on --balloon 0
	wait_for out full
	full=$(pool)
	go
	wait_for out freed
	[ "$(pool)" -le "$full" ] || fail "$(($(pool) - full)) pages went back to the pool"
	echo 0 >$nr # every page that nobody has reserved
	go
	wait_for out 'full again'
	kill -HUP $vmm
	wait $vmm
	echo "$before" >$nr
	complained 'with hugepages=on nothing goes back'
	[ "$(wc -l <err)" = 1 ] || fail 'it had something else to say'
}

# The driver is taken off while the guest uses its memory for the first time: what nobody has
# touched is not there to be given back.
case_balloon_takes_what_it_is_for()
{
	balloon "$(one_line <<-'END'
		cd /sys/bus/virtio/drivers/virtio_balloon; dev=$(ls -d virtio*); echo $dev >unbind
		total() { sed -n 's/MemTotal: *\([0-9]*\) .*/\1/p' /proc/meminfo; }
		mkdir /t; mount -t tmpfs -o size=100% t /t
		dd if=/dev/zero of=/t/f bs=1M count=300 2>/dev/null; rm /t/f
		before=$(total); echo full; read go </dev/console
		echo $dev >bind; while [ $((before - $(total))) -lt 262144 ]; do usleep 200000; done
		echo taken=$((before - $(total))); sleep 999
	END
	)" --memory 512M --balloon 256M,reporting=off,deflate-on-oom=off
	wait_for out full
	full=$(rss)
	[ "$full" -gt 300 ] || fail "the host holds $full MiB only"
	go
	wait_for out taken
	said taken=262144
	falls_by 220
	kill -HUP $vmm
	wait $vmm
	[ ! -s err ] || fail 'it had something to say'
}

case_balloon_gives_way_when_memory_is_short()
{
	[ "$ARCH" = amd64 ] || skip 'on arm64 this guest is not short of memory'
	balloon "$(one_line <<-'END'
		free() { sed -n 's/MemFree: *\([0-9]*\) .*/\1/p' /proc/meminfo; }
		until [ $(free) -lt 102400 ]; do usleep 100000; done
		mkdir /t; mount -t tmpfs -o size=100% t /t
		dd if=/dev/zero of=/t/f bs=1M count=100 2>/dev/null && echo size=$(stat -c %s /t/f)
	END
	)" --memory 256M --balloon 144M
	wait $vmm || fail "status $?"
	said size=104857600
}

# pmem_kib PID FIELD - of the image that it maps, in /proc's words
pmem_kib()
{
	sed -n "/pmem.img\$/,/^VmFlags/s/^$2: *\([0-9]*\) kB/\1/p" "/proc/$(machine_of "$1")/smaps"
}

# Two machines on one root: the second has no page of it for itself.
case_root_in_memory_that_guests_share()
{
	[ "$ARCH" = amd64 ] || skip 'this kernel has no CONFIG_FS_DAX'
	cp "$PMEM_ROOT" pmem.img
	before=$(md5sum <pmem.img)
	for n in 1 2; do
		"$MICROVM" --timeout "$GUEST_TIMEOUT" --kernel "$KERNEL" --initrd "$PMEM_INITRD" \
			--pmem pmem.img,ro --append 'quiet root=/dev/pmem0 ro rootflags=dax microvm.run="grep pmem0 /proc/mounts; cat /bin/busybox >/dev/null; echo up; sleep 999"' \
			>out$n 2>err </dev/null &
		eval "vmm$n=\$!"
		wait_for out$n '^up'
	done
	grep -q '^/dev/pmem0 / ext4 ro,.*dax' out2 || fail "no DAX: $(cat out2)"
	# shellcheck disable=SC2154
	set -- "$(pmem_kib $vmm2 Rss)" "$(pmem_kib $vmm2 Private_Clean)" "$(pmem_kib $vmm2 Private_Dirty)" "$(pmem_kib $vmm2 Pss)"
	echo "# of the image the second holds $1 KiB, $(($2 + $3)) alone; its share is $4"
	[ "$1" -gt 500 ] || fail "only $1 KiB of the image are used"
	[ $(($2 + $3)) -le $(($1 / 20)) ] || fail "of $1 KiB $2 and $3 are its own"
	# shellcheck disable=SC2154
	kill $vmm1 $vmm2
	wait $vmm1 $vmm2
	[ "$(md5sum <pmem.img)" = "$before" ] || fail 'the image changed'
}

case_written_memory_is_in_its_file()
{
	cp "$PMEM_ROOT" pmem.img
	[ "$ARCH" = amd64 ] && dax='rootflags=dax' || dax=''
	guest 0 --kernel "$KERNEL" --initrd "$PMEM_INITRD" --pmem pmem.img --report report.json --append \
		"quiet root=/dev/pmem0 rw $dax microvm.run=\"dd if=/dev/urandom of=/root/data bs=1M count=4 conv=fsync 2>/dev/null; md5sum </root/data\""
	sum=$(tr -d '\r' <out | sed -n 's/^\([0-9a-f]\{32\}\) .*/\1/p')
	[ -n "$sum" ] || fail 'no checksum was printed'
	grep -q '"pmem0": *{[^}]*"requests": *[1-9]' report.json || fail 'nothing was flushed'
	e2fsck -fn pmem.img >fsck 2>&1 || fail "the image is not clean: $(cat fsck)"
	guest 0 --kernel "$KERNEL" --initrd "$PMEM_INITRD" --pmem pmem.img,ro --append \
		'quiet root=/dev/pmem0 ro microvm.run="md5sum </root/data"'
	said "$sum  -"
}

case_image_in_memory_is_cut_short()
{
	cp "$PMEM_ROOT" pmem.img
	INITRD=$PMEM_INITRD
	start 'echo up; read go </dev/console; dd if=/dev/pmem0 of=/dev/null bs=1M; echo read' --pmem pmem.img,ro
	wait_for out '^up'
	: >pmem.img
	go
	wait $vmm
	status=$?
	[ $status = 72 ] || fail "status $status"
	complained 'KVM_RUN: Bad address'
	complained 'cut short'
}

case_readonly_memory_stays_as_it_is()
{
	cp "$PMEM_ROOT" pmem.img
	before=$(md5sum <pmem.img)
	guest 0 --kernel "$KERNEL" --initrd "$PMEM_INITRD" --pmem pmem.img,ro --append \
		'quiet microvm.run="dd if=/dev/urandom of=/dev/pmem0 bs=4k count=4 conv=fsync 2>/dev/null; echo after"'
	said after
	[ "$(md5sum <pmem.img)" = "$before" ] || fail 'the image changed'
}
