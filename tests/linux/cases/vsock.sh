# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# vsock.sh - sockets between the stock guest's driver and processes of the host: both ways,
# many, stuck, half-closed, and let go.
#
# In the environment besides: PEER (vsock-peer) and VSOCK_INITRD (with it, and the driver).
#
# shellcheck disable=SC2016 # what stands in single quotes is for the guest's shell

# sock_guest COMMAND OPTION... - the guest runs COMMAND in the background of ours, as $vmm
sock_guest()
{
	INITRD=$VSOCK_INITRD
	start "$@" --vsock v.sock,cid=42
}

# peer NAME ARGUMENT... - on the host, its words in ./NAME
peer()
{
	name=$1
	shift
	"$PEER" "$@" >"$name" 2>&1 || fail "$1 $2 on the host: $(cat "$name")"
}

# ended - the guest is through, and our socket with it
ended()
{
	wait "$vmm" || fail "status $?"
	[ ! -e v.sock ] || fail 'the socket is still there'
}

# counted NAME - read and written bytes of a device in ./report.json
counted()
{
	sed -n "s/.*\"$1\":{\"read_bytes\":\([0-9]*\),\"written_bytes\":\([0-9]*\),.*/\1 \2/p" \
		report.json
}

case_vsock_echo_both_ways()
{
	"$PEER" serve unix:v.sock_1234 4 >server 2>&1 &
	wait_for server ready
	sock_guest "$(one_line <<-'END'
		{ vsock-peer serve vsock:4294967295:5000 4 >/serve & }
		until grep -q ready /serve; do usleep 10000; done
		vsock-peer echo vsock:2:1234 4 1000000 || echo failed
		vsock-peer echo vsock:2:1235 1 1 || echo nobody
		echo mine
		wait
	END
	)" --report report.json
	wait_for out mine
	[ "$(stat -c %a v.sock)" = 600 ] || fail 'the socket is open to others'
	peer client echo host:v.sock:5000 4 1000000
	! "$PEER" echo host:v.sock:5001 1 1 >refused 2>&1 || fail 'nobody answered'
	ended
	said 'echoed 4 times 1000000 bytes'
	said nobody
	grep -q 'echoed 4 times 1000000 bytes' client || fail "$(cat client)"
	# 4 MB there and back, twice
	[ "$(counted vsock0)" = '8000000 8000000' ] || fail "counted: $(counted vsock0)"
}

case_vsock_thousand_connections_and_a_stuck_reader()
{
	"$PEER" serve unix:v.sock_1234 1001 >server 2>&1 &
	wait_for server ready
	sock_guest "$(one_line <<-'END'
		ulimit -n 4096
		vsock-peer stuck vsock:2:1234 1000 5000 || echo failed
		{ vsock-peer serve vsock:4294967295:5000 1001 >/serve & }
		until grep -q ready /serve; do usleep 10000; done
		echo mine
		wait
	END
	)"
	wait_for out mine
	said 'echoed 1000 times 5000 bytes'
	said 'the stuck one is complete'
	peer client stuck host:v.sock:5000 1000 5000
	ended
	grep -q 'echoed 1000 times 5000 bytes' client || fail "$(cat client)"
	grep -q 'the stuck one is complete' client || fail "$(cat client)"
}

pushes()
{
	"$PEER" push "host:v.sock:$1" 1000 >again 2>&1
}

# A driver that lets go of the device, and a guest that ends, end their connections.
case_vsock_hosts_are_let_go()
{
	sock_guest "$(one_line <<-'END'
		cd /sys/bus/virtio/drivers/vmw_vsock_virtio_transport
		dev=$(echo virtio*)
		{ vsock-peer sink vsock:4294967295:5000 >/dev/null 2>&1 & }
		vsock-peer sink vsock:4294967295:5001
		echo $dev >unbind
		echo $dev >bind
		echo bound
		vsock-peer sink vsock:4294967295:5002
		{ vsock-peer sink vsock:4294967295:5003 >/sunk & }
		until grep -q ready /sunk; do usleep 10000; done
		echo last
		sleep 999
	END
	)"
	wait_for out ready
	"$PEER" hold host:v.sock:5000 >held 2>&1 &
	holder=$!
	wait_for held held
	peer go push host:v.sock:5001 1
	wait $holder || fail "held: $(cat held)"
	grep -q 'let go' held || fail "held: $(cat held)"
	wait_for out bound
	await pushes 5002 || fail "again: $(cat again)"
	wait_for out last
	said 'sank 1000 bytes'
	"$PEER" hold host:v.sock:5003 >held_on 2>&1 &
	holder=$!
	wait_for held_on held
	kill $vmm
	wait $holder || fail "held: $(cat held_on)"
	wait "$vmm"
	[ ! -e v.sock ] || fail 'the socket is still there'
}
