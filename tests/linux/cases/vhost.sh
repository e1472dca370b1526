# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# vhost.sh - disks, directories and network cards that another process serves, or the
# kernel.
#
# shellcheck disable=SC2016 # what stands in single quotes is for the guest's shell

# vhost STATUS COMMAND OPTION... - the stock kernel runs COMMAND with what it mounts shares with
vhost()
{
	[ -n "$VHOST" ] || skip 'no daemons for this architecture'
	INITRD=$VHOST/initrd${fio:+-fio}
	stock "$@"
}

# boots_from FORMAT - a root file system in an image of that format comes up, takes what is
# written to it, and is clean afterwards
boots_from()
{
	[ -n "$VHOST" ] || skip 'no daemons for this architecture'
	cp "$VHOST/root.$1" "root.$1"
	guest 0 --kernel "$KERNEL" --initrd "$INITRD" --cpus 2 --disk "root.$1" --append \
		'quiet root=/dev/vda rw microvm.run="dd if=/dev/urandom of=/root/data bs=1M count=8 2>/dev/null; md5sum </root/data; ls /sys/block/vda/mq | wc -l"'
	said 2
	mv out out1
	qemu-img convert -O raw "root.$1" raw.img || fail 'the image is damaged'
	e2fsck -fn raw.img >out 2>&1 || fail 'the disk is not clean afterwards'
}

case_root_in_a_qcow2_image()
{
	boots_from qcow2
	sum=$(tr -d '\r' <out1 | sed -n 's/^\([0-9a-f]\{32\}\) .*/\1/p')
	[ -n "$sum" ] || fail 'no checksum was printed'
	guest 0 --kernel "$KERNEL" --initrd "$INITRD" --disk "root.qcow2,ro" --append \
		'quiet root=/dev/vda ro microvm.run="md5sum </root/data; echo ro=$(cat /sys/block/vda/ro)"'
	said "$sum  -"
	said ro=1
}

case_root_in_a_vmdk_image()
{
	boots_from vmdk
}

case_root_in_a_vdi_image()
{
	boots_from vdi
}

case_root_in_a_vhdx_image()
{
	[ "$ARCH" = amd64 ] || skip 'the same daemon as for amd64'
	boots_from vhdx
}

# Each format, and what qemu-storage-daemon is told besides
case_images_verified_by_fio()
{
	[ "$ARCH" = amd64 ] || skip 'the same daemon as for amd64'
	[ -n "$VHOST" ] || skip 'no daemons for this architecture'
	for format in qcow2 vmdk vdi vhdx vhd qed; do
		cp "$VHOST/empty.$format" a.$format
	done
	fio=yes
	vhost 0 "$(one_line <<-'END'
		set -- --size=1m --rw=randrw --bsrange=4k-64k --direct=1 --ioengine=libaio --iodepth=8 --verify=crc32c --verify_fatal=1 --end_fsync=1
		for d in a b c d e f; do set -- $* --name=$d --filename=/dev/vd$d; done
		fio $* >/fio 2>&1 || cat /fio; grep -c 'err= 0' /fio
		blkdiscard /dev/vda && echo discarded
	END
	)" --memory 512M --disk a.qcow2,bps=32M,iops=4000 --disk a.vmdk,cache=writethrough --disk a.vdi \
		--disk a.vhdx --disk a.vhd --disk a.qed
	said 6
	said discarded
	[ "$(kib a.qcow2)" -lt 700 ] || fail "$(kib a.qcow2) KiB are left of 1 MiB"
	for image in a.qcow2 a.vhdx a.qed; do
		qemu-img check -q $image || fail "$image is damaged"
	done
}

case_raw_disk_that_looks_like_qcow2_stays_raw()
{
	[ -n "$VHOST" ] || skip 'no daemons for this architecture'
	cp "$VHOST/root.qcow2" disk.img
	size=$(stat -c %s disk.img)
	stock 0 'echo size=$(($(cat /sys/block/vda/size) * 512))' --disk disk.img,ro
	said "size=$((size / 512 * 512))"
}

# exercise - what the guest does to a share: a few operations of each of stress-ng's file-system
# stressors that a share is for.  (link and symlink have no few: they make 8192 at a time.)
exercise()
{
	cat <<-'END'
		cd /mnt/dir
		set -- --fallocate-bytes 1M --seek-size 1M --hdd-bytes 1M --dentries 5
		for n in dir=5 dentry=5 dirmany=3 rename=5 chmod=1 chown=1 utime=5 touch=3 access=1 \
			fstat=1 getdent=1 mknod=1 fallocate=1 seek=5 hdd=2 lockf=2 locka=1 flock=2 fcntl=2; do
			set -- "$@" --${n%=*} 1 --${n%=*}-ops ${n#*=}
		done
		export LD_LIBRARY_PATH=/stress
		/stress/stress-ng --temp-path . --verify --timeout 2 "$@" && echo exercised
	END
}

case_shared_directory()
{
	mkdir share
	exercise >share/exercise
	stress=''
	[ ! -d "$VHOST/stress" ] || stress="--cpus 2 --share $VHOST/stress,tag=stress,ro"
	echo hello >share/file
	echo mine >'share/a name with spaces'
	fio=yes
	# shellcheck disable=SC2086 # options, or none
	vhost 0 "$(one_line <<-'END'
		mkdir /mnt /stress; mount -t virtiofs stress /stress 2>/dev/null; mount -t virtiofs share0 /mnt; cat /mnt/file; cat /mnt/a*
		echo guest >/mnt/new; ln -s new /mnt/link; mkdir /mnt/dir; mv /mnt/new /mnt/dir
		chmod 4711 /mnt/file; rm /mnt/link
		fio --name=v --directory=/mnt/dir --size=4m --rw=randwrite --bs=4k --verify=crc32c --fallocate=none --end_fsync=1 >/fio 2>&1 && echo verified
		[ ! -f /stress/stress-ng ] || sh /mnt/exercise >/mnt/said 2>&1
	END
	)" --share share --memory 512M $stress
	said hello
	said mine
	said verified
	[ "$(cat share/dir/new)" = guest ] || fail 'what the guest wrote is not there'
	[ "$(stat -c %a share/file)" = 4711 ] || fail 'the mode is another'
	[ ! -e share/link ] || fail 'what the guest removed is there'
	[ -n "$stress" ] || return 0
	grep -q '^exercised' share/said || fail "stress-ng: $(grep -v 'info:' share/said)"
	grep -i skip share/said >skipped && fail "$(cat skipped)"
	find share/dir -name '*stress*' | grep . >left && fail "left over: $(cat left)"
	true
}

case_shared_directory_readonly_and_named()
{
	mkdir share
	echo hello >share/file
	vhost 0 "$(one_line <<-'END'
		mkdir /mnt; mount -t virtiofs data /mnt; cat /mnt/file
		echo x 2>/dev/null >/mnt/new || echo refused; chmod 777 /mnt/file 2>/dev/null || echo refused-mode
		rm /mnt/file 2>/dev/null || echo refused-rm
	END
	)" --share share,tag=data,ro
	said hello
	said refused
	said refused-mode
	said refused-rm
	[ "$(cat share/file)" = hello ] || fail 'the file changed'
}

# To virtiofsd's options the first would be share/../secret, writable, and the second be without
# a sandbox; to qemu-storage-daemon's, the image would be another
case_names_that_are_options()
{
	[ -n "$VHOST" ] || skip 'no daemons for this architecture'
	mkdir share secret 'share\057..\057secret' 'a,sandbox=none'
	echo secret >secret/file
	echo mine >'share\057..\057secret/file'
	echo other >'a,sandbox=none/file'
	qemu-img create -q -f qcow2 'a,read-only=on,b\054.qcow2' 1M
	vhost 0 "$(one_line <<-'END'
		mkdir /mnt /other; mount -t virtiofs share0 /mnt; mount -t virtiofs share1 /other
		cat /mnt/file /other/file; echo x 2>/dev/null >/mnt/new || echo refused
		echo guest >/other/new; echo written | dd of=/dev/vda bs=512 conv=sync,fsync 2>/dev/null
	END
	)" --share 'share\057..\057secret,ro' --share 'a,,sandbox=none' \
		--disk 'a,,read-only=on,,b\054.qcow2'
	said mine
	said other
	said refused
	[ "$(ls secret)" = file ] || fail 'the guest reached another directory'
	[ "$(cat 'a,sandbox=none/new')" = guest ] || fail 'what the guest wrote is not there'
	qemu-img convert -O raw 'a,read-only=on,b\054.qcow2' raw.img ||
		fail 'the image is damaged'
	[ "$(head -n 1 raw.img)" = written ] || fail 'what the guest wrote is not in the image'
}

# kill_virtiofsd DIRECTORY - those whose root it is
kill_virtiofsd()
{
	want=$(stat -L -c %d:%i "$1")
	for dir in /proc/[0-9]*; do
		! grep -qs '^virtiofsd' "$dir/cmdline" ||
			[ "$(stat -L -c %d:%i "$dir/root/." 2>&1)" != "$want" ] ||
			kill -9 "${dir#/proc/}" 2>/dev/null || true # its parent took it along
	done
}

# The processes of a disk and of a directory die: these are lost, the rest is not.
case_daemon_killed_in_mid_run()
{
	[ -n "$VHOST" ] || skip 'no daemons for this architecture'
	await no_daemons || fail "an earlier guest's daemons live: $(cat pids)"
	qemu-img create -q -f qcow2 a.qcow2 64M
	random_file b.img 4
	mkdir share other
	echo mine >other/file
	INITRD=$VHOST/initrd
	start "$(one_line <<-'END'
			mkdir /mnt /other; mount -t virtiofs share0 /mnt && mount -t virtiofs share1 /other
			dd if=/dev/zero of=/dev/vda bs=1M count=8 conv=fsync 2>/dev/null && echo before
			{ (while :; do echo x >/mnt/file; done) & }
			(while :; do dd if=/dev/zero of=/dev/vda bs=64k count=16 oflag=direct 2>/dev/null; done) & echo go
			read go </dev/console
			dd if=/dev/vdb of=/dev/null bs=1M 2>/dev/null && echo after
			dd if=/dev/vdb of=/dev/vdb bs=1M conv=notrunc,fsync 2>/dev/null && echo written
			cat /other/file
			poweroff -n -f
		END
	)" --disk a.qcow2 --disk b.img --share share --share other
	wait_for out go
	pidof qemu-storage-daemon >pids || fail 'no daemon runs'
	kill -9 "$(cat pids)"
	kill_virtiofsd "$PWD/share"
	wait_for err 'qemu-storage-daemon was killed'
	wait_for err 'virtiofsd was killed'
	go
	wait $vmm
	status=$?
	[ $status = 0 ] || fail "status $status"
	said mine
	complained 'fs0: virtiofsd was killed by signal 9'
	said before
	said after
	said written
	complained 'blk0: qemu-storage-daemon was killed by signal 9'
	complained 'blk0: nobody serves it any more'
}

case_daemons_end_with_us()
{
	[ -n "$VHOST" ] || skip 'no daemons for this architecture'
	await no_daemons || fail "an earlier guest's daemons live: $(cat pids)"
	qemu-img create -q -f qcow2 a.qcow2 64M
	mkdir share
	INITRD=$VHOST/initrd
	start 'mkdir /mnt; mount -t virtiofs share0 /mnt && echo go; sleep 999' \
		--disk a.qcow2 --share share
	wait_for out go
	pidof qemu-storage-daemon virtiofsd >pids || fail 'no daemon runs'
	kill -9 $vmm
	await no_daemons || fail "still there: $(cat pids)"
}

no_daemons()
{
	! pidof qemu-storage-daemon virtiofsd >pids
}

# 16 MiB there and back, by the kernel's thread and not by us; then its tap is set down and up
case_network_by_vhost_net()
{
	[ -c /dev/net/tun ] && [ -c /dev/vhost-net ] || skip 'no /dev/net/tun or no /dev/vhost-net'
	# busybox's nc leaves when its input ends or the peer's does: keep one open
	mkfifo open
	sleep 999 >open &
	opener=$!
	random_file blob 16
	sum=$(md5sum <blob)
	"$MICROVM" --timeout $GUEST_TIMEOUT --kernel "$KERNEL" --initrd "$INITRD" --memory 512M \
		--net tap=mvvhost0,vhost=on --append "quiet microvm.run=\"$(one_line <<-'END'
			mkfifo /open; (sleep 999 >/open &)
			ip addr add 10.96.0.2/24 dev eth0
			ip link set eth0 up
			echo ready
			nc -l -p 5000 </open >/blob
			md5sum </blob
			ping -c 2 -W 30 10.96.0.1 && echo ping
			until nc 10.96.0.1 5001 </blob; do usleep 100000; done
			while [ $(cat /sys/class/net/eth0/carrier) = 1 ]; do sleep 0.1; done; echo carrier down
			while [ $(cat /sys/class/net/eth0/carrier) = 0 ]; do sleep 0.1; done; echo carrier up
		END
		)\"" >out 2>err </dev/null &
	vmm=$!
	wait_for out ready
	ip addr add 10.96.0.1/24 dev mvvhost0 || fail 'microvm made no tap'
	ip link set mvvhost0 up
	ping -c 2 -W 30 10.96.0.2 >pings 2>&1 || fail 'the guest does not answer pings'
	machine=$(machine_of $vmm) || fail 'the broker has no child'
	grep -hq "^vhost-$machine" /proc/[0-9]*/comm "/proc/$machine/task/"*/comm ||
		fail 'no thread of the kernel serves it'
	dial 10.96.0.2 5000 <blob
	nc -l -p 5001 <open >back
	kill $opener
	ip link set mvvhost0 down
	wait_for out 'carrier down'
	ip link set mvvhost0 up
	wait $vmm || fail "status $?"
	said ping
	said 'carrier up'
	said "$sum"
	[ "$(md5sum <back)" = "$sum" ] || fail 'what came back is something else'
	[ ! -s err ] || fail 'it had something to say'
}
