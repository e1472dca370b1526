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

# outside - an address of this host that is no loopback and no way out
outside()
{
	tunctl -t outside >/dev/null
	ip addr add 10.97.0.1/24 dev outside
	ip link set outside up
	echo 10.97.0.1
}

case_user_network_without_root()
{
	command -v passt >/dev/null || skip 'no passt'
	[ "$(id -u)" != 0 ] || [ -n "${MICROVM_NESTED-}" ] ||
		skip 'as root it would change the routes and users of this host'
	a_way_out
	gateway=$(ip route | sed -n 's/^default via \([0-9.]*\).*/\1/p' | head -n1)
	outside=$gateway loopback=127.0.0.1
	[ "$(id -u)" != 0 ] || outside=$(outside)
	random_file blob 4
	head -c 200000 blob >little
	chmod 755 . && chmod 644 blob little
	mkfifo -m 666 going
	cat going >/dev/null &
	httpd -f -p 127.0.0.1:8000 -h . &
	servers=$!
	httpd -f -p 8001 -h . &
	servers="$servers $!"
	iperf3 -s -p 5202 >server 2>&1 &
	servers="$servers $!"
	for port in 8000 8001 5202; do
		await listens $port || fail "nobody listens at port $port here"
	done
	as_nobody "'$MICROVM' --timeout $GUEST_TIMEOUT --kernel '$KERNEL' --initrd '$DHCP_INITRD' \
		--net user,host=on,publish=8080:80,publish=127.0.0.1:5000:5000,publish=5201:5201,publish=5201:5201/udp \
		--append 'quiet microvm.run=\"/user.guest $gateway $outside\"'" >out 2>err </dev/null &
	vmm=$!
	wait_for out serving
	[ "$outside" = "$gateway" ] || loopback=$outside
	wget -q -O page "$loopback:8080/page" || fail 'nobody answers at the published port'
	grep -qx 'from the guest' page || fail "the page: $(cat page)"
	iperf3 -c "$loopback" -u -b 2M -l 64 -n 10K >client 2>&1 || fail "UDP: $(cat client)"
	wait_for out 'datagrams come in'
	wait_for out 'port 5000 is open'
	! nc -w 2 "$outside" 5000 </dev/null 2>/dev/null ||
		[ "$outside" = "$gateway" ] || fail 'what is published to the loopback is open to all'
	dial 127.0.0.1 5000 </dev/null
	end_passt
	wait $vmm || fail "status $?"
	# shellcheck disable=SC2086 # several
	kill $servers
	said "loopback $(md5sum <blob)"
	said "outside $(md5sum <little)"
	said 'datagrams go out'
	said 'datagrams come in'
	said 'carrier lost'
	complained "the guest's link is down"
}

# announced TAP ADDRESS - the host learns ADDRESS by what the guest says unasked; before that it
# has forgotten it, and nobody asks
announced()
{
	await grep -q "^$2 .* 0x2 .* $1\$" /proc/net/arp || fail "the guest does not announce $2"
}

# Two vCPUs, so two pairs of queues; then its tap is set down, up again, and deleted
case_tap_with_and_without_each_offload()
{
	[ -c /dev/net/tun ] || skip 'no /dev/net/tun'
	command -v iperf3 >/dev/null || skip 'no iperf3'
	iperf3 -s >server 2>&1 &
	server=$!
	await listens 5201 || fail 'no server here'
	set -- --net tap=mvload0
	if [ -n "${MICROVM_NESTED-}" ]; then # another network's, and slow
		unshare -n sleep 999 &
		else=$!
		set -- "$@" --net "tap=mvslow0,netns=/proc/$else/ns/net,tx-bps=1M"
	fi
	"$MICROVM" --timeout 900s --kernel "$KERNEL" --initrd "$LOAD_INITRD" --cpus 2 \
		--memory 512M "$@" --append 'quiet microvm.run="/net.guest"' \
		>out 2>err </dev/null &
	vmm=$!
	wait_for out queues
	echo 0 2>/dev/null >/proc/sys/net/ipv6/conf/mvload0/accept_dad
	ip -6 addr add fd95::1/64 dev mvload0
	ip addr add 10.95.0.1/24 dev mvload0 || fail 'microvm made no tap'
	if [ -n "${else-}" ]; then
		! ip link show mvslow0 >/dev/null 2>&1 || fail 'the other tap is here'
		nsenter -t "$else" -n ip addr add 10.94.0.1/24 dev mvslow0 || fail 'no other tap'
		mkfifo open
		nsenter -t "$else" -n nc -l -p 5001 <open >slow & # it leaves when its input ends
		sink=$!
		sleep 999 >open &
		opener=$!
		nsenter -t "$else" -n ip link set mvslow0 up
	fi
	wait_for out 'to be set down'
	echo 1 >/proc/sys/net/ipv4/conf/mvload0/arp_accept
	ip link set mvload0 down
	wait_for out 'is down'
	! grep -q '^10\.95\.0\.2 ' /proc/net/arp || fail 'the host remembers the guest'
	ip link set mvload0 up
	wait_for out 'is up'
	announced mvload0 10.95.0.2
	ping -c 1 -W 30 10.95.0.2 >pings 2>&1 || fail 'the guest does not answer pings'
	ip link del mvload0 || fail 'the tap cannot be deleted'
	wait $vmm || fail "status $?"
	kill $server
	said '2 receive queues'
	for offloads in all all-ipv6 no-large-receive no-tso no-tso-ipv6 no-checksum; do
		[ "${offloads%ipv6}" != "$offloads" ] || said "$offloads 64 came through"
		said "$offloads 65536 came through"
	done
	if [ -n "${else-}" ]; then
		kill $opener
		wait $sink
		kill $else
		[ "$(wc -c <slow)" = 1048576 ] || fail "$(wc -c <slow) bytes came by the slow card"
		took=$(tr -d '\r' <out | sed -n 's/^slow=//p')
		[ "$took" -ge 900 ] || fail "1 MiB at 1 MiB a second took $took ms"
	fi
	! grep -q 'cannot be switched\|is not o' out || fail 'an offload was not switched'
	said 'carrier lost'
	[ "$(grep -c "the guest's link is down" err)" = 1 ] || fail 'it is not said once'
}
