# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash disable=SC2034,SC2154 # INITRD and vmm are of lib.sh
#
# snapshot.sh - a stock guest that loads its devices is saved, its process ended, and it goes on in
# another, again and again: each generation is saved from the one before.
#
# In the environment besides: PEER and SNAPSHOT_INITRD; GENERATIONS, how many.

# query WORD - the guest's answer to it is a line `WORD-NUMBER...`, of which $answer gets what follows
query()
{
	asked=$((asked + 1))
	echo "$1 $asked" >&3
	await grep -q "^$1-$asked" out || fail "no answer to $1: $(tail -c 300 err)"
	answer=$(tr -d '\r' <out | sed -n "s/^$1-$asked *//p")
}

# answers - does $vmm?
answers()
{
	"$MICROVM" ctl control.sock status >/dev/null 2>&1
}

# restored DIR OPTION... - the guest goes on from there, as $vmm
restored()
{
	dir=$1
	shift
	rm -f control.sock
	"$MICROVM" restore "$dir" --control control.sock --timeout $GUEST_TIMEOUT "$@" <in >>out 2>>err 3<&- &
	vmm=$!
	await answers || fail "it is not restored: $(tail -c 300 err)"
}

# saved DIR - $vmm, which ends
saved()
{
	ctl pause
	ctl save "$1"
	kill -HUP "$vmm"
	wait "$vmm"
}

# micros - the time of day
micros()
{
	adjtimex | awk '/tv_sec/ { s = $2 } /tv_usec/ { printf "%s%06d\n", s, $2 }'
}

# clock_is_right - the guest's, to 50 ms. At once after it is restored: the time-stamp counters of a nested host
# run a percent fast or slow, and those of a guest that was never saved as well
clock_is_right()
{
	before=$(micros)
	query date
	after=$(micros)
	if [ "$answer" -lt $((before - 50000)) ] || [ "$answer" -gt $((after + 50000)) ]; then
		fail "the guest's clock says $answer, and here it was $before to $after"
	fi
}

# generations COUNT OPTION... - of a guest with those
generations()
{
	count=$1 asked=0
	shift
	INITRD=$SNAPSHOT_INITRD
	truncate -s 8M a.img b.img
	head -c 50000 /dev/urandom >blob
	card=
	if [ -c /dev/net/tun ] && tunctl -t mvsnap0 >/dev/null; then
		ip addr add 10.93.0.1/24 dev mvsnap0
		ip link set mvsnap0 up
		echo 1 >/proc/sys/net/ipv4/conf/mvsnap0/arp_accept
		httpd -f -p 10.93.0.1:8003 -h . &
		servers=$!
		card='--net tap=mvsnap0'
	fi
	"$PEER" serve unix:v.sock_1234 1000 >server 2>&1 &
	servers="${servers-} $!"
	# shellcheck disable=SC2086 # words, or none
	start "/snapshot.guest $(md5sum <blob | cut -c-32)" --memory 256M --disk a.img --disk b.img,io=sync \
		--balloon 0 --vsock v.sock,cid=42 $card --control control.sock "$@"
	wait_for out '^up'
	n=0
	while [ $n -lt "$count" ]; do
		n=$((n + 1))
		: >held
		"$PEER" hold host:v.sock:5000 >held 2>&1 &
		holder=$!
		wait_for held held
		saved saved$n
		wait $holder
		[ ! "$card" ] || ip neigh flush dev mvsnap0 >neighbours 2>&1
		restored saved$n
		rm -rf saved$((n - 1))
		clock_is_right
		query look
		"$PEER" echo host:v.sock:5000 2 50000 >client 2>&1 || fail "vsock: $(cat client)"
		[ ! "$card" ] || await grep -q '^10\.93\.0\.2 .* 0x2 .* mvsnap0$' /proc/net/arp ||
			fail 'the host does not know the card'
	done
	query module
	go
	wait "$vmm" || fail "status $?"
	# shellcheck disable=SC2086 # several
	kill $servers
	[ ! "$card" ] || ip link del mvsnap0
	said over
	! grep -q BAD out || fail "$(grep BAD out | head -n1)"
}

case_snapshot_generations_of_four_processors()
{
	generations "$GENERATIONS" --cpus 4
}

# The console and a port are virtio's
case_snapshot_generations_of_one_processor()
{
	generations 2 --cpus 1 --console virtio --port out,file=port.out
	awk 'NR > 1 && $0 != "line " was + 1 { print "after line " was " is: " $0; exit 1 } { was = $2 }' port.out >wrong ||
		fail "the port: $(cat wrong)"
}
