# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# disk.sh - disks as a stock guest uses them: its programs' own checks, the host's view of the
# files, limits, other sizes, and what a kill leaves.
#
# In the environment besides: DISK_INITRD (with fio and the file systems' programs), empty
# where there is none.
#
# shellcheck disable=SC2016 # what stands in single quotes is for the guest's shell

# disk_guest COMMAND OPTION... - the guest runs COMMAND to its end
disk_guest()
{
	[ -n "$DISK_INITRD" ] || skip 'no programs of this architecture'
	INITRD=$DISK_INITRD
	stock 0 "$@" --memory 512M
}

# disk_start COMMAND OPTION... - the same in the background of ours, as $vmm
disk_start()
{
	[ -n "$DISK_INITRD" ] || skip 'no programs of this architecture'
	run=$1
	shift
	"$MICROVM" --timeout "$GUEST_TIMEOUT" --kernel "$KERNEL" --initrd "$DISK_INITRD" \
		--append "quiet microvm.run=\"$run\"" --memory 512M "$@" \
		>out 2>err </dev/null &
	vmm=$!
}

case_disk_verified_by_fio_in_each_way()
{
	random_file base.img 16
	before=$(md5sum <base.img)
	truncate -s 16M a.img b.img
	disk_guest "$(one_line <<-'END'
		echo queues=$(ls /sys/block/vda/mq | wc -l)
		echo vda=$(cat /sys/block/vda/queue/write_cache)
		echo vdb=$(cat /sys/block/vdb/queue/write_cache)
		for d in a b c d; do fio --name=$d --filename=/dev/vd$d --size=16m --rw=randrw --bsrange=512-64k --direct=1 --ioengine=libaio --iodepth=32 --verify=crc32c --verify_fatal=1 --end_fsync=1 >/fio.$d 2>&1 || cat /fio.$d & done; wait
		grep -l 'err= 0' /fio.* | wc -l
		echo write through >/sys/block/vda/cache_type; cat /sys/block/vda/queue/write_cache
	END
	)" --cpus 2 --disk a.img --disk b.img,cache=writethrough,io=sync \
		--disk base.img,overlay=c.cow --disk base.img,overlay=d.cow,io=sync --report report.json
	said queues=2
	said 'vda=write back'
	said 'vdb=write through'
	said 4
	said 'write through'
	[ "$(md5sum <base.img)" = "$before" ] || fail 'the base has changed'
	engines=$(grep -o '"engine":"[a-z]*"' report.json | cut -d'"' -f4 | tr '\n' ' ')
	[ "$engines" = 'uring sync uring sync ' ] || fail "engines: $engines"
}

# kib FILE - what it takes up on the host
kib()
{
	du -k "$1" | cut -f1
}

case_disk_discard_and_zeroes_to_the_byte()
{
	random_file a.img 8
	cp a.img want.img
	random_file base.img 8
	cp base.img seen.img
	for file in want.img seen.img; do
		dd if=/dev/zero of=$file bs=4096 seek=257 count=300 conv=notrunc 2>/dev/null
		dd if=/dev/zero of=$file bs=512 seek=12001 count=77 conv=notrunc 2>/dev/null
	done
	disk_guest "$(one_line <<-'END'
		for d in a b; do discard -o $((257 * 4096)) -l $((300 * 4096)) /dev/vd$d; discard -z -o $((12001 * 512)) -l $((77 * 512)) /dev/vd$d; done
		md5sum </dev/vdb; sync
	END
	)" --disk a.img --disk base.img,overlay=top.cow
	cmp a.img want.img || fail 'other bytes'
	[ "$(kib a.img)" -lt $((8192 - 1000)) ] || fail "$(kib a.img) KiB: no hole"
	said "$(md5sum <seen.img | cut -c1-32)  -"
}

case_disk_fstrim_shrinks_the_file()
{
	truncate -s 128M a.img
	disk_guest "$(one_line <<-'END'
		mkdir /m; mkfs.ext4 -q /dev/vda; mount /dev/vda /m; dd if=/dev/urandom of=/m/f bs=1M count=48 conv=fsync 2>/dev/null
		rm /m/f; sync; echo full; fstrim -v /m; umount /m; e2fsck -fn /dev/vda >/dev/null 2>&1 && echo clean
	END
	)" --disk a.img
	said clean
	[ "$(kib a.img)" -lt 20000 ] || fail "$(kib a.img) KiB are left of 48 MiB"
}

case_disk_two_overlays_on_one_base()
{
	cp "$ROOT" base.img
	before=$(md5sum <base.img)
	for n in 1 2; do
		mkdir $n
		(cd $n && guest 0 --kernel "$KERNEL" --initrd "$INITRD" --disk ../base.img,overlay=top \
			--append "quiet root=/dev/vda rw microvm.run=\"echo $n >/root/mine; sync; cat /root/mine; cat /bin/busybox | md5sum\"") &
	done
	wait
	for n in 1 2; do
		tr -d '\r' <$n/out | grep -qx $n || fail "guest $n: $(cat $n/out $n/err)"
	done
	[ "$(grep -h ' -' 1/out | tr -d '\r')" = "$(grep -h ' -' 2/out | tr -d '\r')" ] ||
		fail 'they do not agree'
	[ "$(md5sum <base.img)" = "$before" ] || fail 'the base has changed'
	truncate -s 0 2/top
	for n in 1 2; do
		guest 0 --kernel "$KERNEL" --initrd "$INITRD" --disk base.img,overlay=$n/top --append \
			'quiet root=/dev/vda rw microvm.run="echo was=$(cat /root/mine 2>/dev/null)"'
		said "was=$([ $n = 2 ] || echo 1)"
	done
	touch -d @1000000 base.img
	guest 1 --kernel "$KERNEL" --disk base.img,overlay=1/top
	complained 'has changed since'
}

case_disk_grows_and_shrinks_while_it_runs()
{
	truncate -s 4M a.img
	disk_start "$(one_line <<-'END'
		s=/sys/block/vda/size; echo size=$(cat $s)
		until [ $(cat $s) = 16384 ]; do usleep 50000; done
		echo size=$(cat $s); dd if=/dev/zero of=/dev/vda bs=1M seek=7 count=1 conv=fsync 2>/dev/null && echo written
		until [ $(cat $s) = 2048 ]; do usleep 50000; done
		echo size=$(cat $s); dd if=/dev/vda of=/dev/null bs=1M count=1 2>/dev/null && echo lives
	END
	)" --disk a.img
	wait_for out size=8192
	truncate -s 8M a.img
	kill -HUP $vmm
	wait_for out written
	truncate -s 1M a.img
	kill -HUP $vmm
	wait $vmm || fail "status $?"
	said size=16384
	said size=2048
	said lives
	complained 'was cut from 8388608 to 1048576 bytes'
}

# Coarse: the nested host's clock is as good as its time (tests/unit/test_rate.c is exact)
case_disk_limits_hold()
{
	truncate -s 16M a.img
	truncate -s 16M b.img
	disk_guest "$(one_line <<-'END'
		ms() { read up rest </proc/uptime; echo ${up%.*}${up#*.}0; }
		t=$(ms); dd if=/dev/vda of=/dev/null bs=4k count=200 iflag=direct 2>/dev/null; echo ops=$(($(ms) - t))
		t=$(ms); dd if=/dev/zero of=/dev/vdb bs=64k count=64 oflag=direct 2>/dev/null; echo bytes=$(($(ms) - t))
	END
	)" --disk a.img,iops=100 --disk b.img,bps=2M
	for what in ops bytes; do # two seconds each, and no more than the host needs besides
		took=$(tr -d '\r' <out | sed -n "s/^$what=//p")
		[ "$took" -ge 1850 ] || fail "$what: $took ms, not 2000"
		[ "$took" -le 6000 ] || fail "$what: $took ms, not 2000"
	done
}

# survives MKFS CHECK OPTION... - a file system is filled until microvm is killed, and all
# that the guest was told is safe is there at the next start
survives()
{
	mkfs=$1 check=$2
	shift 2
	disk_start "$(one_line <<-END
		mkdir /m; mkfs.$mkfs /dev/vda >/dev/null 2>&1; mount -t ${mkfs%% *} /dev/vda /m; n=0
		while [ \$n -lt 400 ]; do n=\$((n + 1)); dd if=/dev/urandom of=/m/\$n bs=8k count=1 conv=fsync 2>/dev/null; set -- \$(md5sum /m/\$n); echo safe \$n \$1; done
	END
	)" "$@"
	wait_for out 'safe 12 '
	kill -9 $vmm
	wait $vmm
	tr -d '\r' <out | sed -n 's/^safe \([0-9]*\) \([0-9a-f]\{32\}\)$/\2  \/m\/\1/p' | head -n 30 >safe
	disk_guest "$(one_line <<-END
		mkdir /m; mount -t ${mkfs%% *} /dev/vda /m && echo mounted; md5sum /m/* >/sums; umount /m
		$check >/check 2>&1 && echo clean; sort /sums | md5sum; cat /sums
	END
	)" "$@"
	said mounted
	said clean
	while read -r line; do
		tr -d '\r' <out | grep -qxF "$line" || fail "lost: $line"
	done <safe
}

case_disk_ext4_survives_a_kill()
{
	truncate -s 64M a.img
	survives 'ext4 -q' 'e2fsck -fn /dev/vda' --disk a.img
}

case_disk_xfs_survives_a_kill()
{
	truncate -s 320M base.img
	survives xfs 'xfs_repair -n /dev/vda' --disk base.img,overlay=top.cow
}
