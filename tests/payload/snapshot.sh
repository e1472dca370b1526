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

# goes_on DIR OPTION... - does it, restored so?  Its end is ours
goes_on() {
	restored "$@"
	sleep 0.2 # and write
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

snapshot_test() {
	snapshot_devices_test
	snapshot_disks_test
	snapshot_overlay_test
	snapshot_count_test snapshot_of_a_guest_that_counts 30 --cpus 2 --balloon 0
	snapshot_count_test snapshot_without_acpi 3 --acpi off
	snapshot_wrong_test
}
