# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# net.sh - networks that a stock Linux can be given.
#
# shellcheck disable=SC2016 # what stands in single quotes is for the guest's shell

# a_way_out - a default route, as any host has that is on a network; 10.98.0.2 leads nowhere
a_way_out()
{
	! ip route | grep -q ^default || return 0
	tunctl -t way-out >/dev/null
	ip addr add 10.98.0.1/24 dev way-out
	ip link set way-out up
	ip route add default via 10.98.0.2
}

# as_nobody COMMAND - run it as somebody without rights, if we have any
as_nobody()
{
	if [ "$(id -u)" != 0 ]; then
		exec sh -c "$1"
	fi
	grep -qs ^nobody: /etc/passwd ||
		printf 'root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n' >/etc/passwd
	chmod 666 /dev/kvm
	exec su -s /bin/sh nobody -c "$1"
}

# end_passt - the one that publishes our port, and no other of this host
end_passt()
{
	for dir in /proc/[0-9]*; do
		! grep -qs '127.0.0.1/500[0]:5000' "$dir/cmdline" || kill "${dir#/proc/}"
	done
}

case_user_network_without_root()
{
	command -v passt >/dev/null || skip 'no passt'
	[ "$(id -u)" != 0 ] || [ -n "${MICROVM_NESTED-}" ] ||
		skip 'as root it would change the routes and users of this host'
	a_way_out
	gateway=$(ip route | sed -n 's/^default via \([0-9.]*\).*/\1/p' | head -n1)
	random_file blob 8
	chmod 755 . && chmod 644 blob
	mkfifo -m 666 going
	cat going >/dev/null &
	httpd -f -p 127.0.0.1:8000 -h . &
	server=$!
	as_nobody "'$MICROVM' --timeout $GUEST_TIMEOUT --kernel '$KERNEL' --initrd '$DHCP_INITRD' \
		--net user,host=on,publish=8080:80,publish=127.0.0.1:5000:5000 \
		--append 'quiet microvm.run=\"$(one_line <<-END
			ip link set eth0 up
			echo [ \\\$1 != bound ] \\|\\| ip addr add \\\$ip/\\\$mask dev eth0 >/script
			echo [ \\\$1 != bound ] \\|\\| ip route add default via \\\$router >>/script
			chmod 755 /script
			udhcpc -i eth0 -n -q -s /script
			wget -q -O /got $gateway:8000/blob
			md5sum </got
			mkdir /www
			echo from the guest >/www/page
			httpd -h /www
			echo serving
			nc -l -p 5000 </dev/null
			while [ \$(cat /sys/class/net/eth0/carrier) = 1 ]; do sleep 0.1; done
			echo carrier lost
		END
		)\"'" >out 2>err </dev/null &
	vmm=$!
	wait_for out serving
	wget -q -O page 127.0.0.1:8080/page || fail 'nobody answers at the published port'
	grep -qx 'from the guest' page || fail "the page: $(cat page)"
	nc 127.0.0.1 5000 </dev/null
	end_passt
	wait $vmm || fail "status $?"
	kill $server
	said "$(md5sum <blob)"
	said 'carrier lost'
	complained "the guest's link is down"
}

# announced TAP ADDRESS - the host learns ADDRESS by what the guest says unasked; before that it
# has forgotten it, and nobody asks
announced()
{
	tries=600
	until grep -q "^$2 .* 0x2 .* $1\$" /proc/net/arp; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || fail "the guest does not announce $2"
		sleep 0.1
	done
}

# Two vCPUs, so two pairs of queues; then its tap is set down, up again, and deleted
case_tap_with_and_without_each_offload()
{
	[ -c /dev/net/tun ] || skip 'no /dev/net/tun'
	command -v iperf3 >/dev/null || skip 'no iperf3'
	iperf3 -s >server 2>&1 &
	server=$!
	"$MICROVM" --timeout $GUEST_TIMEOUT --kernel "$KERNEL" --initrd "$LOAD_INITRD" --cpus 2 \
		--memory 512M --net tap=mvload0 --append 'quiet microvm.run="/net.guest"' \
		>out 2>err </dev/null &
	vmm=$!
	wait_for out queues
	ip addr add 10.95.0.1/24 dev mvload0 || fail 'microvm made no tap'
	wait_for out 'to be set down'
	echo 1 >/proc/sys/net/ipv4/conf/mvload0/arp_accept
	ip link set mvload0 down
	wait_for out 'is down'
	! grep -q '^10\.95\.0\.2 ' /proc/net/arp || fail 'the host remembers the guest'
	ip link set mvload0 up
	wait_for out 'is up'
	announced mvload0 10.95.0.2
	ping -c 1 -W 5 10.95.0.2 >pings 2>&1 || fail 'the guest does not answer pings'
	ip link del mvload0 || fail 'the tap cannot be deleted'
	wait $vmm || fail "status $?"
	kill $server
	said '2 receive queues'
	for offloads in all no-large-receive no-tso no-checksum; do
		said "$offloads 64 came through"
		said "$offloads 65536 came through"
	done
	! grep -q 'cannot be switched\|is not o' out || fail 'an offload was not switched'
	said 'carrier lost'
	[ "$(grep -c "the guest's link is down" err)" = 1 ] || fail 'it is not said once'
}
