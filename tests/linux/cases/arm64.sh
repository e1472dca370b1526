# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# arm64.sh - what only arm64 has: other processors and interrupt controllers of the host,
# and what of them a guest sees.
#
# shellcheck disable=SC2016 # what stands in single quotes is for the guest's shell

# image FILE FLAGS CODE - an Image of a header and a little code (both as printf has them):
# little-endian and anywhere in memory by its flags, 4 KiB long
image()
{
	{
		printf '\020\000\000\024\000\000\000\000' # b .+64
		head -c 8 /dev/zero
		printf '\000\020\000\000\000\000\000\000'
		printf '%b\000\000\000\000\000\000\000' "$2"
		head -c 24 /dev/zero
		printf 'ARM\144\000\000\000\000%b' "$3"
	} >"$1"
}

# features FILE - the processor's, one a line, in a file like /proc/cpuinfo
features()
{
	tr -d '\r' <"$1" | sed -n 's/^Features[^:]*: *//p' | head -n1 | tr ' ' '\n' | sort
}

case_the_guests_processor_is_the_hosts()
{
	stock 0 'cat /proc/cpuinfo; echo pmu=$(ls /sys/bus/event_source/devices | grep -c armv8)' \
		--cpus 2
	features /proc/cpuinfo >theirs
	features out >ours
	[ -s ours ] || fail 'the guest names no features'
	grep -qx paca ours || fail 'no pointer authentication'
	cmp -s theirs ours || fail "other features: $(diff theirs ours | grep '^[<>]' | tr '\n' ' ')"
	said pmu=1
}

case_vectors_of_sve() # arm64 host: --processor max,pauth-impdef=on,sve=on
{
	in_host --processor max,pauth-impdef=on,sve=on
	stock 0 'cat /proc/cpuinfo; cat /proc/sys/abi/sve_default_vector_length'
	features out | grep -qx sve2 || fail 'the guest has no SVE'
	said '[1-9][0-9]*'
}

case_gic_of_version_2() # arm64 host: --gic 2
{
	in_host --gic 2
	guest 1 --kernel "$KERNEL" --cpus 9
	complained '--cpus 9: this host.s KVM allows 8'
	random_file a.img 4
	sum=$(md5sum <a.img)
	stock 0 'cat /proc/interrupts; md5sum </dev/vda; echo cpus=$(nproc)' --cpus 4 \
		--disk a.img
	tr -d '\r' <out | grep -q 'GIC-0 .*virtio' || fail 'no interrupts by a GICv2'
	said "$sum"
	said cpus=4
}

# trip - a guest's registers, timer and interrupts, saved in one machine and loaded in another
trip()
{
	"$TRIP" >out 2>&1 || fail "$(cat out)"
}

case_state_goes_to_another_machine()
{
	trip
}

case_state_with_sve() # arm64 host: --processor max,pauth-impdef=on,sve=on
{
	in_host --processor max,pauth-impdef=on,sve=on
	trip
}

case_state_of_gic_2() # arm64 host: --gic 2
{
	in_host --gic 2
	trip
	said 'skip guest: .*'
}

case_no_virtual_interrupt_controller() # arm64 host: --gic none
{
	in_host --gic none
	guest 1 --kernel "$KERNEL"
	complained 'no virtual interrupt controller (neither GICv3 nor GICv2)'
	"$MICROVM" doctor >out && fail 'doctor finds nothing wrong'
	said 'no  /dev/kvm .*no virtual interrupt controller.*'
}

# An old processor: without VHE, pages of 16 KiB, FEAT_S2FWB and pointer authentication
case_an_old_processor() # arm64 host: --processor cortex-a57
{
	in_host --processor cortex-a57
	image Image '\014' ''
	guest 1 --kernel Image
	complained 'is built for pages of 16 KiB, which this host.s processor does not have'
	"$MICROVM" doctor >out || fail 'doctor finds something wrong'
	said '--  register reads .* cost an exit each: .*FEAT_S2FWB.*'
	said '--  pointer authentication .*'
	cp "$ROOT" root.img
	guest 0 --kernel "$KERNEL" --initrd "$INITRD" --disk root.img --cpus 2 --append \
		'quiet root=/dev/vda rw microvm.run="echo cpus=$(nproc); echo hello >/root/hello"'
	said cpus=2
	e2fsck -fn root.img >out 2>&1 || fail 'the disk is not clean afterwards'
}

# `wfi` for ever: it starts, and nothing else is asked
case_pages_of_64_kib_are_no_hindrance()
{
	image Image '\016' '\177\040\003\325\377\377\377\027'
	# shellcheck disable=SC2034 # lib.sh's
	GUEST_TIMEOUT=2s
	guest 124 --kernel Image
}

case_access_that_kvm_cannot_emulate()
{
	# with the serial port's address: vectors at 0x40000800; movz x1, #0x900, lsl #16;
	# ldp x2, x3, [x1]; b .
	image Image '\012' '\000\000\250\322\000\001\201\362\000\300\030\325\337\077\003\325\001\040\241\322\042\014\100\251\000\000\000\024'
	# the one for an exception of EL1's own: SYSTEM_OFF by hvc #0
	printf '\000\001\200\122\000\200\260\162\002\000\000\324' |
		dd of=Image bs=512 seek=5 2>/dev/null
	guest 0 --kernel Image --report report.json
	[ "$(field cause)" = poweroff ] || fail "cause $(field cause)"
	complained 'access to 0x9000000 that KVM cannot emulate'
	complained 'instruction a9400c22; the guest gets an external abort'
}

case_alarm_of_the_clock()
{
	stock 0 "$(one_line <<-'END'
		alarms() { grep rtc-pl031 /proc/interrupts | tr -s ' ' | cut -d' ' -f3; }
		echo +2 >/sys/class/rtc/rtc0/wakealarm
		until [ $(alarms) != 0 ]; do usleep 100000; done
		sleep 1; echo alarms=$(alarms)
	END
	)"
	said alarms=1
}

case_alarm_wakes_a_suspended_guest()
{
	stock 0 "$(one_line <<-'END'
		seconds() { cut -d. -f1 /proc/uptime; }
		before=$(seconds)
		echo +3 >/sys/class/rtc/rtc0/wakealarm
		echo freeze >/sys/power/state && [ $(($(seconds) - before)) -ge 2 ] && echo slept
	END
	)"
	said slept
}

case_memory_64m()
{
	stock 0 'echo up' --memory 64M
	said up
}

case_gzipped_image()
{
	gzip -c "$KERNEL" >Image.gz
	guest 0 --kernel Image.gz --initrd "$INITRD" --append 'quiet microvm.run="echo up"'
	said up
}

# Debian 12 has no kernel in this wrapper: one is made as Linux' makefile does
case_efi_zboot()
{
	gzip -c "$KERNEL" >Image.gz
	len=$(stat -c %s Image.gz)
	# shellcheck disable=SC2059 # the length, as four bytes
	{
		printf 'MZ\000\000zimg\100\000\000\000'
		printf "$(printf '\\%03o\\%03o\\%03o\\%03o' $((len & 255)) $((len >> 8 & 255)) \
			$((len >> 16 & 255)) $((len >> 24)))"
		head -c 8 /dev/zero
		printf gzip
		head -c 36 /dev/zero
		cat Image.gz
	} >vmlinuz.efi
	guest 0 --kernel vmlinuz.efi --initrd "$INITRD" --append 'quiet microvm.run="echo up"'
	said up
}

case_overlay_of_the_device_tree()
{
	guest 1 --kernel "$KERNEL" --dtb-overlay "$INITRD"
	complained 'is longer than the 2 MiB that a device tree'
	stock 0 'echo model=$(cat /proc/device-tree/model)' --dump-dtb dtb
	said model=microvm
	guest 1 --kernel "$KERNEL" --dtb-overlay dtb
	complained 'has nothing to apply'
}
