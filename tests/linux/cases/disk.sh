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
	INITRD=$DISK_INITRD
	start "$@" --memory 512M
}

# direct_disk FILE - print what --disk takes for it past the host's page cache: where a file
# cannot be made so, the block device on it
direct_disk()
{
	truncate -s 16M "$1"
	if dd if="$1" of=/dev/null bs=4096 count=1 iflag=direct 2>/dev/null; then
		echo "$1,direct"
	else
		dev=$(losetup -f) && losetup "$dev" "$1" && echo "$dev,direct"
	fi
}

case_disk_verified_by_fio_in_each_way()
{
	random_file base.img 16
	before=$(md5sum <base.img)
	truncate -s 16M a.img b.img limited.img
	e=$(direct_disk e.img) f=$(direct_disk f.img)
	disk_guest "$(one_line <<-'END'
		echo queues=$(ls /sys/block/vda/mq | wc -l)
		echo vda=$(cat /sys/block/vda/queue/write_cache)
		echo vdb=$(cat /sys/block/vdb/queue/write_cache)
		set -- --size=8m --rw=randrw --bsrange=512-64k --direct=1 --ioengine=libaio --iodepth=32 --verify=crc32c --verify_fatal=1 --end_fsync=1
		for d in a b c d e f g; do set -- $* --name=$d --filename=/dev/vd$d; done
		fio $* >/fio 2>&1 || cat /fio; grep -c 'err= 0' /fio
		echo write through >/sys/block/vda/cache_type; cat /sys/block/vda/queue/write_cache
	END
	)" --cpus 2 --disk a.img --disk b.img,cache=writethrough,io=sync \
		--disk base.img,overlay=c.cow --disk base.img,overlay=d.cow,io=sync \
		--disk "$e" --disk "$f,io=sync" \
		--disk limited.img,bps=32M,iops=4000 --report report.json
	for dev in "${e%,direct}" "${f%,direct}"; do
		[ ! -b "$dev" ] || losetup -d "$dev"
	done
	said queues=2
	said 'vda=write back'
	said 'vdb=write through'
	said 7
	said 'write through'
	[ "$(md5sum <base.img)" = "$before" ] || fail 'the base has changed'
	engines=$(grep -o '"engine":"[a-z]*"' report.json | cut -d'"' -f4 | tr '\n' ' ')
	[ "$engines" = 'uring sync uring sync uring sync uring ' ] || fail "engines: $engines"
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
	kill -USR2 $vmm
	wait_for out written
	truncate -s 1M a.img
	kill -USR2 $vmm
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
	for what in ops bytes; do # two seconds each, and what a busy host needs besides
		took=$(tr -d '\r' <out | sed -n "s/^$what=//p")
		[ "$took" -ge 1850 ] || fail "$what: $took ms, not 2000"
		[ "$took" -le 30000 ] || fail "$what: $took ms, not 2000"
	done
}

# No space left, under a plain disk and under an overlay, and a file cut short: each costs its
# disk those requests, and comes to an end when there is space again
case_disk_faults_of_the_host_are_its_own()
{
	[ -n "$DISK_INITRD" ] || skip 'no programs of this architecture'
	[ -n "${MICROVM_NESTED-}" ] || skip 'it would mount a file system here'
	mkdir small && mount -t tmpfs -o size=6M small small || fail 'nothing can be mounted'
	truncate -s 16M small/a.img
	random_file base.img 16
	random_file c.img 4
	random_file d.img 4
	dd if=base.img of=small/filler bs=1M count=2 2>/dev/null
	disk_start "$(one_line <<-'END'
		fill() { dd if=/dev/zero of=/dev/$1 bs=64k count=$2 conv=notrunc oflag=direct 2>/dev/null && echo $1 took $2 || echo $1 refused $2; }
		fill vda 200; fill vdb 200; echo full
		until fill vdb 16 | grep took; do usleep 100000; done; fill vda 16
		dd if=/dev/vdb bs=1M skip=15 2>/dev/null | md5sum
		dd if=/dev/vdc of=/dev/null bs=1M iflag=direct 2>/dev/null && echo whole
		echo cut; usleep 500000; until ! dd if=/dev/vdc of=/dev/null bs=1M iflag=direct 2>/dev/null; do usleep 100000; done; echo short
		dd if=/dev/vdd of=/dev/vdd bs=1M conv=notrunc,fsync 2>/dev/null && md5sum </dev/vdd
	END
	)" --disk small/a.img --disk base.img,overlay=small/top.cow --disk c.img --disk d.img
	wait_for out '^full'
	rm small/filler
	wait_for out '^cut'
	: >c.img
	wait $vmm || fail "status $?"
	umount -l small
	said 'vda refused 200'
	said 'vdb refused 200'
	said 'vdb took 16'
	said 'vda took 16'
	said "$(dd if=base.img bs=1M skip=15 2>/dev/null | md5sum)"
	said whole
	said short
	said "$(md5sum <d.img)"
}

# all_safe - what the guest was told is safe, ./safe, it now finds
all_safe()
{
	while read -r line; do
		tr -d '\r' <out | grep -qxF "$line" || fail "kill $kill of $KILLS: lost: $line"
	done <safe
}

# survives MKFS CHECK OPTION... - a file system is filled until microvm is killed, and all
# that the guest was told is safe is there at the next start, which fills it until it is
# killed, $KILLS times
survives()
{
	mkfs=$1 check=$2 kill=0
	shift 2
	: >safe
	until [ $kill = "$KILLS" ]; do
		make=true
		[ $kill != 0 ] || make="mkfs.$mkfs /dev/vda >/dev/null 2>&1"
		disk_start "$(one_line <<-END
			$make; mkdir /m; mount -t ${mkfs%% *} /dev/vda /m; md5sum /m/* 2>/dev/null; rm -f /m/*; n=0
			while [ \$n -lt 400 ]; do n=\$((n + 1)); f=/m/$kill.\$n; dd if=/dev/urandom of=\$f bs=8k count=1 conv=fsync 2>/dev/null; set -- \$(md5sum \$f); echo safe \$1 \$f; done
		END
		)" "$@"
		wait_for out "safe .*$kill\\.12[^0-9]*\$"
		kill -9 $vmm
		wait $vmm
		all_safe
		kill=$((kill + 1))
		tr -d '\r' <out | sed -n 's/^safe \([0-9a-f]\{32\}\) \(.*\.[0-9]*\)$/\1  \2/p' | head -n 30 >safe
	done
	disk_guest "$(one_line <<-END
		mkdir /m; mount -t ${mkfs%% *} /dev/vda /m && echo mounted; md5sum /m/* >/sums; umount /m
		$check >/check 2>&1 && echo clean; sort /sums | md5sum; cat /sums
	END
	)" "$@"
	said mounted
	said clean
	all_safe
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
