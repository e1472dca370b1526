# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# snapshot.sh - machines that are saved and go on in another process; a piece of run, which sources it
# after control.sh.
# shellcheck disable=SC2154 # work, tools, payloads, microvm, pid are run's

# restored DIR OPTION... - in the background as $pid, once it answers
restored() {
	local dir=$1
	shift
	rm -f "$work/control"
	"$microvm" restore "$dir" --control "$work/control" --timeout "${LIMIT}s" "$@" \
		</dev/null >>"$work/out" 2>>"$work/err" &
	pid=$!
	await answers
}

answers() { ctl status || ended "$pid"; }

# generations COUNT OPTION... - a guest that counts is saved, its process ended, and it goes on in
# another, so often; then it is let go.  $bad is what went wrong, $status how the last one ended
generations() {
	local count=$1 i
	shift
	bad='' status=1
	rm -rf "$work/saved"* "$work/counted" && truncate -s 4M "$work/counted"
	controlled count counting --disk "$work/counted" --timeout "${LIMIT}s" "$@"
	for ((i = 0; i < count; i++)); do
		ctl pause && ctl save "$work/saved$i" || bad="save $i: $(cat "$work/ctl")"
		kill -HUP "$pid"
		wait "$pid"
		[ ! "$bad" ] || return
		restored "$work/saved$i"
		rm -rf "$work/saved$((i - 1))"
	done
	ctl resize-disk blk0 8M || bad=$(cat "$work/ctl")
	[ ! "$bad" ] || kill -HUP "$pid"
	wait "$pid"
	status=$?
}

snapshot_count_test() {
	local name=$1 bad status
	wants "$name" || return 0
	shift
	generations "$@"
	if [ "$bad" ]; then not_ok "$name" "$bad"; else judge "$name" "$status" 0 '^PASS' ' steps, 16384 sectors'; fi
}

# flipped DIR BYTE - its state with a bit of that byte turned over
flipped() {
	local byte
	byte=$(od -An -tu1 -j"$2" -N1 "$1/state")
	# shellcheck disable=SC2059 # made of a number
	printf "\\x$(printf %x $((byte ^ 1 << ($2 % 8))))" |
		dd of="$1/state" bs=1 seek="$2" conv=notrunc status=none
}

# What is not what was saved is refused before anything runs
snapshot_wrong_test() {
	local name=snapshot_of_wrong_inputs size byte bad=''
	wants $name || return 0
	rm -rf "$work/saved"* "$work/counted" && truncate -s 4M "$work/counted"
	controlled count counting --disk "$work/counted" --timeout "${LIMIT}s"
	ctl save "$work/saved" || bad=$(cat "$work/ctl")
	if ctl save "$work/saved" || ! grep -q 'saved is there; give another' "$work/ctl"; then
		bad='it is saved over what is there'
	fi
	[ "$(find "$work" -name 'saved.*')" = '' ] || bad='a directory stays'
	kill -HUP "$pid"
	wait "$pid"
	size=$(stat -c %s "$work/saved/state")
	for ((byte = 0; byte < size; byte += 1 + size / 40)); do
		cp -r "$work/saved" "$work/saved.flipped" && flipped "$work/saved.flipped" "$byte"
		! "$microvm" restore "$work/saved.flipped" >"$work/out" 2>"$work/err" </dev/null &&
			grep -q '^microvm: .*/state: is ' "$work/err" || bad="byte $byte: $(cat "$work/err")"
		rm -rf "$work/saved.flipped"
		cp -r "$work/saved" "$work/saved.cut" && truncate -s "$byte" "$work/saved.cut/state"
		! "$microvm" restore "$work/saved.cut" >"$work/out" 2>"$work/err" </dev/null &&
			grep -qE '^microvm: .*/state: (is no saved|has [0-9]* bytes and should)' "$work/err" ||
			bad="cut at $byte: $(cat "$work/err")"
		rm -rf "$work/saved.cut"
	done
	if [ "$bad" ]; then not_ok $name "$bad"; else ok $name; fi
	"$microvm" restore "$work/saved" --memory 128M >"$work/out" 2>"$work/err" </dev/null
	judge ${name}_memory $? 1 'its memory has 268435456 bytes, and this machine.s would have 134217728'
	"$microvm" restore "$work/saved" --cpus 2 >"$work/out" 2>"$work/err" </dev/null
	judge ${name}_cpus $? 1 "vcpu0: its processor's CPUID leaf"
	"$microvm" restore "$work/none" >"$work/out" 2>"$work/err" </dev/null
	judge ${name}_none $? 1 'none: no saved machine is there'
}

# writes - has one of $work/kept* been written to since, or did $pid end?
writes() { [ "$(find "$work" -name 'kept*' -newer "$work/mark")" ] || ended "$pid"; }

# goes_on DIR OPTION... - does it, restored so?  Its end is ours
goes_on() {
	touch "$work/mark"
	restored "$@"
	await writes
	kill -HUP "$pid" 2>/dev/null
	wait "$pid"
	[ $? = 143 ]
}

# A guest that writes to its disk all the time, and what becomes of the disk
snapshot_disks_test() {
	local name=snapshot_and_its_disks d=$work/kept bad='' first
	wants $name || return 0
	rm -rf "$work/saved"* "$work/kept"* && truncate -s 4M "$d"
	rm -f "$work/control"
	"$microvm" --kernel "$payloads/blk" --disk "$d" --control "$work/control" --timeout "${LIMIT}s" \
		--append 'until=told mode=load rw=write depth=16 count=100000000' \
		</dev/null >"$work/out" 2>"$work/err" &
	pid=$!
	await answers && sleep 0.2
	ctl pause && ctl save "$work/saved" || bad=$(cat "$work/ctl")
	first=$pid
	! "$microvm" restore "$work/saved" >"$work/out" 2>&1 </dev/null && grep -q 'is in use by another' "$work/out" ||
		bad='two write to one disk'
	kill -HUP "$first"
	wait "$first"
	cp "$d" "$d.copy"
	goes_on "$work/saved" --disk "blk0=$d.copy" || bad="a copy: $(cat "$work/err")"
	goes_on "$work/saved" --disk "$d,overlay=$d.one" || bad="an overlay: $(cat "$work/err")"
	goes_on "$work/saved" --disk "$d,id=blk0,overlay=$d.two" || bad="another: $(cat "$work/err")"
	! goes_on "$work/saved" --disk "$d,overlay=$d.one" && grep -q 'is not empty; name a new file' "$work/err" ||
		bad='an overlay of another'
	printf x | dd of="$d.copy" bs=1 seek=4194303 conv=notrunc status=none
	! goes_on "$work/saved" --disk "blk0=$d.copy" && grep -q 'first or last bytes are others' "$work/err" ||
		bad='another end of a copy'
	goes_on "$work/saved" || bad="as it was: $(cat "$work/err")"
	! goes_on "$work/saved" && grep -q 'was written to after the machine was saved' "$work/err" ||
		bad='a disk that was written'
	if [ "$bad" ]; then not_ok $name "$bad"; else ok $name; fi
}

# An overlay belongs to the moment as well
snapshot_overlay_test() {
	local name=snapshot_and_its_overlay d=$work/kept bad=''
	wants $name || return 0
	rm -rf "$work/saved"* "$work/kept"* && truncate -s 4M "$d"
	rm -f "$work/control"
	"$microvm" --kernel "$payloads/blk" --disk "$d,overlay=$d.top" --control "$work/control" \
		--timeout "${LIMIT}s" --append 'until=told mode=load rw=write depth=16 count=100000000' \
		</dev/null >"$work/out" 2>"$work/err" &
	pid=$!
	await answers && sleep 0.2
	ctl pause && ctl save "$work/saved" && cp --sparse=always "$d.top" "$d.copy" || bad=$(cat "$work/ctl")
	kill -HUP "$pid"
	wait "$pid"
	! goes_on "$work/saved" --disk "$d,overlay=$d.new" && grep -q 'it was saved with an overlay\|is not what' "$work/err" ||
		bad='without what it wrote'
	goes_on "$work/saved" || bad="as it was: $(cat "$work/err")"
	! goes_on "$work/saved" && grep -q 'top was written to after' "$work/err" || bad='its overlay was written'
	goes_on "$work/saved" --disk "$d,overlay=$d.copy" || bad="a copy: $(cat "$work/err")"
	if [ "$bad" ]; then not_ok $name "$bad"; else ok $name; fi
}

# Every device alive, in the middle of nothing: each goes on, comes to life once more when a key is typed, and
# the balloon's page, which comes from the file, reads as zeroes
snapshot_devices_test() {
	local name=snapshot_of_every_device bad='' i
	wants $name || return 0
	idle_machine
	rm -rf "$work/saved"* "$work/control" "$work/keys"
	mkfifo "$work/keys" && exec {keys}<>"$work/keys"
	: >"$work/out"
	"${apart[@]}" "${idle[@]}" --control "$work/control" --append typed=9 <"$work/keys" >"$work/out" 2>"$work/err" &
	pid=$!
	await grep -qs '^idle, 3 disks' "$work/out"
	for i in 1 2 3; do
		ctl pause && ctl save "$work/saved$i" || bad="save $i: $(cat "$work/ctl")"
		kill -HUP "$pid"
		wait "$pid"
		rm -f "$work/control"
		: >"$work/out"
		"${apart[@]}" "$microvm" restore "$work/saved$i" --control "$work/control" <"$work/keys" >"$work/out" 2>>"$work/err" &
		pid=$!
		await answers
		printf x >&"$keys"
		await eval 'grep -qs "^idle, 3 disks" "$work/out" || ended "$pid"'
		! grep -q FAIL "$work/out" || bad=$(grep FAIL "$work/out")
	done
	kill "$pid"
	wait "$pid"
	status=$?
	exec {keys}>&-
	if [ "$bad" ]; then not_ok $name "$bad"; else judge $name $status 143 '^idle, 3 disks'; fi
}

# refuses NAME PATTERN OPTION... - $work/saved is not restored
refuses() {
	local name=$1 pattern=$2
	shift 2
	"$microvm" restore "$work/saved" "$@" >"$work/out" 2>"$work/err" </dev/null
	judge "snapshot_with_$name" $? 1 "$pattern"
}

# forged NAME PATTERN WORD... - a state with right checksums that says something else
forged() {
	local name=$1 pattern=$2
	shift 2
	cp "$work/saved/state" "$work/state" && "$tools/forge" "$work/saved/state" "$@" || not_ok "snapshot_with_$name" 'it is not forged'
	refuses "$name" "$pattern"
	mv "$work/state" "$work/saved/state"
}

# What is no snapshot of this machine's, or none any more
snapshot_forged_test() {
	local i bad=''
	wants snapshot_with || return 0
	rm -rf "$work/saved"* "$work/counted" && truncate -s 4M "$work/counted"
	controlled count counting --disk "$work/counted" --timeout "${LIMIT}s"
	ctl save "$work/saved" || {
		not_ok snapshot_with "$(cat "$work/ctl")"
		return
	}
	kill -HUP "$pid"
	wait "$pid"
	forged another_format 'has format 2, and this microvm reads 1' format 2
	forged another_architecture 'architecture' words "$(uname -m | tr _ -)" "$(uname -m | tr '[:lower:]_' '[:upper:]-')"
	if [ "$(uname -m)" = x86_64 ]; then
		# the bit of bmi1 in leaf 7
		i=$(od -An -v -tx1 -w1 "$work/saved/state" | tr -d ' \n' | grep -o '070000000000000000000000........' | head -1)
		forged another_processor 'its processor (has|lacks) bmi1, which this host' bytes "$i" \
			"${i:0:24}$(printf %02x $((0x${i:24:2} ^ 8)))${i:26}"
	fi
	forged an_unknown_section 'machinE' words machine machinE
	for ((i = 1; i <= 60; i++)); do
		cp "$work/saved/state" "$work/state" && "$tools/forge" "$work/saved/state" flip "$i"
		timeout 5 "$microvm" restore "$work/saved" --timeout 100ms >"$work/out" 2>"$work/err" </dev/null
		[ $? -lt 128 ] && ! grep -qE 'Sanitizer|runtime error' "$work/err" || bad="flips $i: $(cat "$work/err")"
		mv "$work/state" "$work/saved/state"
	done
	if [ "$bad" ]; then not_ok snapshot_with_flips "$bad"; else ok snapshot_with_flips; fi
	cp -r "$work/saved" "$work/kept-saved"
	truncate -s -4K "$work/saved/memory" && refuses a_shorter_memory 'its memory has'
	rm "$work/saved/memory" && refuses no_memory 'cannot read memory: No such'
	mkfifo "$work/saved/memory" && refuses a_pipe_for_memory 'its memory is no file'
	rm "$work/saved/state" && refuses no_state 'cannot read state: No such'
	mkfifo "$work/saved/state" && refuses a_pipe_for_a_state 'state is no saved machine'
	rm "$work/saved/state" && mkdir "$work/saved/state" && refuses a_directory_for_a_state 'state is no saved machine'
	rmdir "$work/saved/state" && ln -s loop "$work/saved/loop" && ln -s loop "$work/saved/state" && refuses a_loop 'levels of symbolic links'
	rm -rf "$work/saved" && touch "$work/saved" && refuses no_directory 'no saved machine is there: Not a directory'
	rm -f "$work/saved" && mv "$work/kept-saved" "$work/saved"
	restored "$work/saved"
	truncate -s 0 "$work/saved/memory"
	wait "$pid"
	status=$?
	# a guest that finds nothing where its code was; or we do
	[ $status = 71 ] || [ $status = 72 ] || [ $status = 1 ] || bad="status $status"
	if [ "$bad" ]; then not_ok snapshot_with_a_memory_that_is_cut "$bad"; else ok snapshot_with_a_memory_that_is_cut; fi
}

# whole_or_none - is there no $work/saved, or one that goes on?  What has another name is not counted, and goes
whole_or_none() {
	local rc=0
	rm -rf "$work/saved".*
	[ ! -e "$work/saved" ] || "$microvm" restore "$work/saved" --disk "blk0=$work/counted.copy" --timeout 50ms >"$work/out" 2>"$work/killed" </dev/null
	rc=$?
	[ $rc = 124 ] || [ ! -e "$work/saved" ]
}

# No room, at each write in turn; descriptors that are no files; kills of either side at any time
snapshot_failing_test() {
	local name=snapshot_that_fails bad='' i client saved=0
	wants $name || return 0
	rm -rf "$work/saved"* "$work/small" "$work/counted" && truncate -s 4M "$work/counted" "$work/counted.copy"
	controlled count counting --disk "$work/counted" --timeout "${LIMIT}s"
	if mkdir "$work/small" && mount -t tmpfs -o size=4K small "$work/small" 2>/dev/null; then
		for ((i = 4; i <= 200 && !saved; i += 4)); do
			mount -o "remount,size=${i}K" "$work/small"
			if ctl save "$work/small/saved"; then
				saved=$i
			elif ! grep -qE 'No space left' "$work/ctl" || [ "$(ls "$work/small")" ]; then
				bad="in $i KiB: $(cat "$work/ctl") $(ls "$work/small")"
			fi
		done
		[ "$bad" ] || [ "$saved" -gt 20 ] || bad="it is saved in $saved KiB"
		umount "$work/small"
	fi
	"$tools/controls" "$work/control" saves "$work/saved.1" "$work/saved.2" >"$work/ctl" 2>&1 || bad=$(cat "$work/ctl")
	rm -f "$work/saved".*
	for ((i = 0; i < 20; i++)); do
		"$microvm" ctl "$work/control" save "$work/saved" >"$work/ctl" 2>&1 &
		client=$!
		sleep "0.0$(printf %02d $i)"
		kill -KILL $client 2>/dev/null
		{ wait $client; } 2>/dev/null
		whole_or_none || bad="a client killed after $i ms: $(cat "$work/killed")"
		rm -rf "$work/saved"
		ctl status || bad='the machine is gone'
	done
	"$microvm" ctl "$work/control" save "$work/saved" >"$work/ctl" 2>&1 &
	sleep 0.005 # or it is this script yet, which has a trap
	kill -TERM $!
	wait $! && [ ! -e "$work/saved" ] && bad='a client that was told to end says that all is well'
	rm -rf "$work/saved" && [ "$(echo "$work/saved"*)" = "$work/saved*" ] || bad="it leaves $(echo "$work/saved"*)"
	kill -HUP "$pid"
	wait "$pid"
	for ((i = 0; i < 10; i++)); do
		controlled count counting --disk "$work/counted" --timeout "${LIMIT}s"
		"$microvm" ctl "$work/control" save "$work/saved" >"$work/ctl" 2>&1 &
		client=$!
		sleep "0.0$(printf %02d $((2 * i)))"
		kill -KILL "$pid" 2>/dev/null
		{ wait "$pid" $client; } 2>/dev/null
		whole_or_none || bad="a machine killed after $i ms: $(cat "$work/killed")"
		rm -rf "$work/saved" "$work/control"
	done
	if [ "$bad" ]; then not_ok $name "$bad"; else ok $name; fi
}

# Its session with microvm would end
snapshot_job_test() {
	local name=snapshot_of_a_job
	wants $name || return 0
	rm -rf "$work/saved"*
	"$microvm" test --kernel "$payloads/hang" --initrd none --control "$work/control" --timeout "${LIMIT}s" \
		</dev/null >"$work/out" 2>"$work/err" &
	pid=$!
	await answers
	ctl save "$work/saved"
	status=$?
	kill "$pid"
	wait "$pid"
	if [ $status = 1 ] && grep -q "job's session with microvm would end" "$work/ctl" && [ ! -e "$work/saved" ]; then
		ok $name
	else
		not_ok $name "$(cat "$work/ctl")"
	fi
}

snapshot_test() {
	snapshot_job_test
	snapshot_devices_test
	snapshot_forged_test
	snapshot_failing_test
	snapshot_disks_test
	snapshot_overlay_test
	snapshot_count_test snapshot_of_a_guest_that_counts 30 --cpus 2 --balloon 0
	snapshot_count_test snapshot_without_acpi 3 --acpi off
	snapshot_wrong_test
}
