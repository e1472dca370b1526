# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash disable=SC2034,SC2154 # INITRD and vmm are of lib.sh
#
# pause.sh - a stock guest that loads all of its devices is stopped by SIGTSTP and continued, again
# and again: nothing that it does goes wrong, and nothing is lost.
#
# In the environment besides: PAUSE_INITRD, and PAUSES, how often.

# is_stopped - $vmm is, or is no more
is_stopped()
{
	read -r stat 2>/dev/null <"/proc/$vmm/stat" || return 0
	stat=${stat##*) }
	[ "${stat%% *}" = T ]
}

# pauses COUNT - of $vmm.  No nap between looks: a pause takes less than one
pauses()
{
	n=0
	while [ $n -lt "$1" ]; do
		kill -TSTP "$vmm" 2>/dev/null || fail "it ended at pause $n"
		looks=0
		until is_stopped; do
			looks=$((looks + 1))
			[ $looks -lt 200 ] || await is_stopped || fail "pause $n does not come"
		done
		kill -CONT "$vmm"
		n=$((n + 1))
	done
}

case_pauses_under_load_of_every_device()
{
	INITRD=$PAUSE_INITRD
	truncate -s 8M a.img b.img base.img
	random_file blob 1
	card=
	[ ! -c /dev/net/tun ] || card='--net tap=mvpause0'
	# shellcheck disable=SC2086 # words, or none
	start "/pause.guest $(md5sum <blob | cut -c-32)" --cpus 2 --memory 512M --disk a.img --disk b.img,io=sync,iops=3000 \
		--disk base.img,overlay=cow --balloon 0 --vsock v.sock --port out,file=port.out $card --report report.json
	if [ "$card" ]; then
		await ip addr add 10.93.0.1/24 dev mvpause0 2>/dev/null || fail 'microvm made no tap'
		httpd -f -p 10.93.0.1:8003 -h . &
		server=$!
	fi
	wait_for out '^up'
	pauses "$PAUSES"
	go
	wait "$vmm" || fail "status $?"
	[ -z "$card" ] || kill $server
	said over
	! grep -q BAD out || fail "$(grep BAD out | head -n1)"
	for what in vda vdb vdc timer ${card:+net}; do
		said "$what went on"
	done
	awk '$0 != "line " NR { print "line " NR " is: " $0; exit 1 }' port.out >wrong ||
		fail "the port: $(cat wrong)"
	! grep -q 'cannot pause' err || fail "$(grep 'cannot pause' err | head -n1)"
}
