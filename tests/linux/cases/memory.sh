# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# memory.sh - memory that a guest gives back to the host, as the host sees it.
#
# shellcheck disable=SC2016 # what stands in single quotes is for the guest's shell

# rss - what the host holds for us and our guest now, in MiB
rss()
{
	echo $(($(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$vmm/status") / 1024))
}

# balloon COMMAND OPTION... - a guest with the balloon's driver runs COMMAND; we go on
balloon()
{
	run=$1
	shift
	"$MICROVM" --timeout $GUEST_TIMEOUT --kernel "$KERNEL" --initrd "$BALLOON_INITRD" \
		--append "quiet microvm.run=\"$run\"" "$@" >out 2>err </dev/null &
	vmm=$!
}

# falls_by MIB - from $full MiB, within half a minute
falls_by()
{
	tries=300
	until [ "$(rss)" -le $((full - $1)) ]; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || fail "of $full MiB the host still holds $(rss)"
		sleep 0.1
	done
}

case_freed_memory_goes_to_the_host_by_itself()
{
	balloon "$(one_line <<-'END'
		mkdir /t; mount -t tmpfs -o size=100% t /t
		dd if=/dev/zero of=/t/f bs=1M count=128 2>/dev/null; echo full; sleep 2
		rm /t/f; echo freed; sleep 100
	END
	)" --memory 512M --balloon 0
	wait_for out full
	full=$(rss)
	[ "$full" -gt 128 ] || fail "the host holds $full MiB only"
	wait_for out freed
	falls_by 110
	kill $vmm
	wait $vmm
	[ $? = 143 ] || fail 'it did not end as it was told to'
	[ ! -s err ] || fail 'it had something to say'
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
		before=$(total); echo full; sleep 2
		echo $dev >bind; i=0
		while [ $((before - $(total))) -lt 262144 ] && [ $i -lt 60 ]; do sleep 1; i=$((i + 1)); done
		echo taken=$((before - $(total))); sleep 100
	END
	)" --memory 512M --balloon 256M,reporting=off,deflate-on-oom=off
	wait_for out full
	full=$(rss)
	[ "$full" -gt 300 ] || fail "the host holds $full MiB only"
	wait_for out taken
	said taken=262144
	falls_by 220
	kill $vmm
	wait $vmm
	[ ! -s err ] || fail 'it had something to say'
}

case_balloon_gives_way_when_memory_is_short()
{
	balloon "$(one_line <<-'END'
		sleep 3; mkdir /t; mount -t tmpfs -o size=100% t /t
		echo left=$(sed -n 's/MemFree: *\([0-9]*\) .*/\1/p' /proc/meminfo)
		dd if=/dev/zero of=/t/f bs=1M count=100 2>/dev/null && echo size=$(stat -c %s /t/f)
	END
	)" --memory 256M --balloon 128M
	wait $vmm || fail "status $?"
	said size=104857600
	left=$(sed -n 's/^left=\([0-9]*\).*/\1/p' out)
	[ "$left" -lt 102400 ] || fail "there were $left KiB: memory was not short"
}
