# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# boot.sh - a stock Linux comes up with all that it should have, and ends as it should.
#
# shellcheck disable=SC2016 # what stands in single quotes is for the guest's shell

# Processors

case_one_vcpu()
{
	stock 0 'echo cpus=$(nproc)'
	said cpus=1
}

case_two_vcpus()
{
	stock 0 'echo cpus=$(nproc)' --cpus 2
	said cpus=2
}

case_four_vcpus_in_one_package()
{
	stock 0 'cd /sys/devices/system/cpu; echo cpus=$(nproc); echo siblings=$(cat cpu3/topology/core_siblings_list); echo threads=$(cat cpu3/topology/thread_siblings_list); echo clock=$(cat ../clocksource/clocksource0/current_clocksource)' --cpus 4
	said cpus=4
	said siblings=0-3
	said threads=3
	case $ARCH in
	amd64) said clock=kvm-clock ;;
	arm64) said clock=arch_sys_counter ;;
	esac
}

# Memory

case_memory_256m()
{
	stock 0 'echo total=$(($(sed -n s/MemTotal:[^0-9]*//p /proc/meminfo | cut -d\  -f1) / 1024))' --memory 256M
	said 'total=2[0-9][0-9]'
}

case_memory_5g_is_used_above_4g()
{
	# A file of 96 MiB comes from the highest zone, which begins at 4 GiB.
	stock 0 "$(one_line <<-'END'
		free() { sed -n '/zone *Normal/,/zone/s/^ *nr_free_pages *//p' /proc/zoneinfo | head -n1; }
		before=$(free); mkdir /t; mount -t tmpfs t /t
		dd if=/dev/zero of=/t/f bs=1M count=96 2>/dev/null
		[ $((before - $(free))) -lt 16000 ] || echo high=used
		grep 'System RAM' /proc/iomem | tail -n1
	END
	)" --memory 5G
	said high=used
	case $ARCH in
	amd64) said '100000000-1[78]fffffff : System RAM' ;;
	arm64) said '40000000-17fffffff : System RAM' ;;
	esac
}

# Disks

case_root_on_disk()
{
	cp "$ROOT" root.img
	guest 0 --kernel "$KERNEL" --initrd "$INITRD" --disk root.img --append \
		'quiet root=/dev/vda rw microvm.run="echo root=$(grep -c ^/dev/vda /proc/mounts); echo hello >/root/hello"'
	said root=1
	e2fsck -fn root.img >out 2>&1 || fail 'the disk is not clean afterwards'
}

case_two_disks_one_readonly()
{
	random_file a.img 4
	random_file b.img 4
	before=$(md5sum <b.img)
	stock 0 'cmp -s /dev/vda /dev/vdb; echo differ=$?; echo ro=$(cat /sys/block/vdb/ro); echo serial=$(cat /sys/block/vda/serial); dd if=/dev/vdb of=/dev/vda bs=1M 2>/dev/null; cmp /dev/vda /dev/vdb && echo same; dd if=/dev/zero of=/dev/vdb bs=512 count=1 conv=fsync 2>/dev/null || echo refused' \
		--disk a.img,serial=first --disk b.img,ro
	said differ=1
	said ro=1
	said serial=first
	said same
	said refused
	[ "$(md5sum <b.img)" = "$before" ] || fail 'the read-only disk changed'
	cmp -s a.img b.img || fail 'what was written is not there'
}

case_written_data_is_there_after_a_restart()
{
	cp "$ROOT" root.img
	boot='--kernel '$SMALL'/bzImage --disk root.img' words=''
	if [ "$ARCH" != amd64 ]; then
		boot="--kernel $KERNEL --initrd $INITRD --disk root.img"
		words='root=/dev/vda rw '
	fi
	# shellcheck disable=SC2086
	guest 0 $boot --append "$words"'quiet microvm.run="dd if=/dev/urandom of=/root/data bs=1M count=8 2>/dev/null; md5sum </root/data >/root/sum; cat /root/sum"'
	sum=$(tr -d '\r' <out | sed -n 's/^\([0-9a-f]\{32\}\) .*/\1/p')
	# shellcheck disable=SC2086
	guest 0 $boot --append "$words"'quiet microvm.run="echo 3 >/proc/sys/vm/drop_caches; md5sum </root/data"'
	[ -n "$sum" ] || fail 'no checksum was printed'
	said "$sum  -"
}

# Network

case_ping_and_32_mb_over_tap()
{
	[ -c /dev/net/tun ] || skip 'no /dev/net/tun'
	random_file blob 32
	sum=$(md5sum <blob)
	"$MICROVM" --timeout "$GUEST_TIMEOUT" --kernel "$KERNEL" --initrd "$INITRD" --memory 512M \
		--report report.json --net tap=mvtest0,mac=02:00:00:00:00:07 \
		--append "quiet microvm.run=\"$(one_line <<-'END'
			ip addr add 10.97.0.2/24 dev eth0
			ip link set eth0 up
			echo mac=$(cat /sys/class/net/eth0/address)
			echo ready
			nc -l -p 5000 </dev/null
			mkdir /www
			wget -q -O /www/blob 10.97.0.1:5001/blob
			md5sum </www/blob
			ping -c 2 -W 30 10.97.0.1 && echo ping
			httpd -h /www
			echo serving
			nc -l -p 5000 </dev/null
		END
		)\"" >out 2>err </dev/null &
	vmm=$!
	wait_for out ready
	ip addr add 10.97.0.1/24 dev mvtest0 || fail 'microvm made no tap'
	ip link set mvtest0 up
	ping -c 2 -W 30 10.97.0.2 >pings 2>&1 || fail 'the guest does not answer pings'
	httpd -f -p 10.97.0.1:5001 -h . &
	server=$!
	await listens 5001 || fail 'no server here'
	dial 10.97.0.2 5000 </dev/null
	wait_for out serving
	wget -q -O back 10.97.0.2/blob
	dial 10.97.0.2 5000 </dev/null
	kill $server
	wait $vmm || fail "status $?"
	said mac=02:00:00:00:00:07
	said ping
	said "$sum"
	[ "$(md5sum <back)" = "$sum" ] || fail 'what came back is something else'
	[ "$(field cause)" = poweroff ] || fail 'no report'
}

# Consoles

# typed CONSOLE TTY - a shell on that console does what is typed
typed()
{
	mkfifo in
	: >out
	"$MICROVM" --timeout "$GUEST_TIMEOUT" --kernel "$KERNEL" --initrd "$INITRD" --console "$1" \
		--append quiet <in >out 2>err &
	vmm=$!
	exec 3>in
	wait_for out '# '
	printf 'echo on=$(cat /sys/class/tty/console/active); echo sum=$((40 + 2))\n' >&3
	wait_for out 'sum=42'
	printf 'poweroff\n' >&3
	wait $vmm || fail "status $?"
	exec 3>&-
	tr -d '\r' <out | grep -q "^on=.*$2" || fail "the console is not $2"
}

case_typing_on_the_serial_console()
{
	typed serial ttyS0
}

case_typing_on_the_virtio_console()
{
	typed virtio hvc0
}

case_large_output_is_complete()
{
	stock 0 'i=0; while [ $i -lt 4000 ]; do echo line $i; i=$((i + 1)); done' --console virtio
	[ "$(tr -d '\r' <out | grep -c '^line [0-9]*$')" = 4000 ] || fail 'lines are missing'
}

# Ends

case_poweroff()
{
	stock 0 'poweroff; sleep 999' --report report.json
	[ "$(field cause)" = poweroff ] || fail "cause $(field cause)"
}

case_reboot()
{
	stock 0 'reboot; sleep 999' --report report.json
	[ "$(field cause)" = reboot ] || fail "cause $(field cause)"
}

case_panic()
{
	stock 70 'echo c >/proc/sysrq-trigger; sleep 999' --report report.json
	[ "$(field cause)" = panic ] || fail "cause $(field cause)"
}

case_panic_without_a_root()
{
	guest 70 --kernel "$KERNEL" --append quiet
}

case_timeout()
{
	GUEST_TIMEOUT=8s
	stock 124 'sleep 999'
}

# ended_by SIGNAL STATUS OPTION...
ended_by()
{
	signal=$1 want=$2
	shift 2
	: >out
	"$MICROVM" --timeout "$GUEST_TIMEOUT" --kernel "$KERNEL" --initrd "$INITRD" \
		--append 'quiet microvm.run="echo up; sleep 999"' "$@" >out 2>err </dev/null &
	vmm=$!
	wait_for out up
	kill -"$signal" $vmm
	wait $vmm
	status=$?
	[ $status = "$want" ] || fail "status $status, not $want"
}

case_sigterm()
{
	ended_by TERM 143 --stop-timeout 0
}

# which is no request: it does not wait for the guest
case_sighup()
{
	ended_by HUP 143
	[ ! -s err ] || fail 'it had something to say'
}

# Kernels

case_two_initrds()
{
	mkdir extra && echo one-more >extra/more
	(cd extra && echo more | cpio -o -H newc) >extra.cpio 2>/dev/null
	guest 0 --kernel "$KERNEL" --initrd "$INITRD" --initrd extra.cpio \
		--append 'quiet microvm.run="cat /more"'
	said one-more
}

# The data path

case_no_exits_on_the_data_path()
{
	random_file a.img 64
	for mib in 1 33; do
		stock 0 "dd if=/dev/vda of=/dev/null bs=64k count=$((mib * 16)) iflag=direct 2>/dev/null; echo done" \
			--disk a.img,ro --report report.json
		said 'done'
		eval "exits_$mib=\$(field mmio)"
	done
	# 32 MiB more in 512 requests may cost a few exits (timers of Linux), not one each.
	# shellcheck disable=SC2154
	more=$((exits_33 - exits_1))
	[ $more -lt 50 ] || fail "$more MMIO exits for 512 requests"
}
