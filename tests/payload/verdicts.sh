# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# verdicts.sh - `microvm test` of guests that are no Linux: each verdict that one can have, and each
# mistake of an operator; a piece of run, which sources it.
# shellcheck disable=SC2034,SC2154 # work, payloads, microvm, LIMIT are run's

# verdict NAME WANTED-STATUS PATTERN PAYLOAD [OPTION...] - PATTERN is the whole of what we say, after our name
verdict() {
	local name=verdict_$1 want=$2 pattern=$3 payload=$4
	shift 4
	wants "$name" || return 0
	timeout -k 5 300 "$microvm" test --kernel "$payloads/$payload" --initrd none \
		--timeout "${LIMIT}s" "$@" </dev/null >"$work/out" 2>"$work/err"
	judge "$name" $? "$want" "^microvm: $pattern\$"
}

# The command line is what hello prints; a time stamp makes its end a line of a kernel's
stamp='[    1.234567] '

verdict_tests() {
	verdict pass 0 PASS hello
	verdict pass_of_a_reset 0 PASS hello --append end=reset
	verdict of_a_programs_words 0 PASS hello --append 'Oops: 0002 [#1] BUG: WARNING: Kernel panic'
	verdict warned 0 'PASS \(the kernel warned: 1\)' hello --cmdline "$stamp""WARNING: x"
	verdict warn 74 'WARN: WARNING: x' hello --cmdline "$stamp""WARNING: x" --warn-fails
	verdict oops 73 'OOPS: Oops: 0002 \[#1\]' hello --cmdline "$stamp""Oops: 0002 [#1]"
	verdict oops_ignored 0 PASS hello --cmdline "$stamp""Oops: 0002 [#1]" --ignore 'Oops: 0002'
	verdict lockup 75 'LOCKUP: watchdog: BUG: soft lockup - x' hello \
		--cmdline "$stamp""watchdog: BUG: soft lockup - x"
	verdict panic 70 "PANIC: the guest's kernel panicked" hello --append end=panic
	verdict panic_that_goes_on 70 "PANIC: the guest's kernel panicked" hello --append end=panics
	verdict exit_port 0 PASS hello --exit-port 0xf4 --append end=exits
	verdict exit_port_of_another_value 1 'FAIL: the guest wrote 0x7 to its exit port' hello \
		--exit-port 0xf4 --append 'end=exits value=7'
	verdict exit_port_by_a_byte 0 PASS hello --exit-port 0xf4,good=0x10 --append 'end=exits_by_a_byte value=16'
	verdict exit_port_that_is_taken 125 'ERROR: --exit-port: other devices are on its four ports from 0x3f8 on; .*' \
		hello --exit-port 0x3f8
	verdict panic_by_its_words 70 'PANIC: Kernel panic - not syncing: x' hello \
		--cmdline "$stamp""Kernel panic - not syncing: x"
	verdict crash 71 "CRASH: the guest's processor shut down \(triple fault\)" fault
	LIMIT=1 verdict timeout 124 'TIMEOUT: --timeout ran out after 1 seconds' hang
	verdict silence 76 'HANG: nothing came from the guest for 0.3 seconds \(--hang\)' hang --hang 300ms
	verdict stands_still 76 'HANG: the guest stands for good: .*' still --artifacts "$work/still"
	verdict_cpus_test
	verdict expected 0 PASS hang --expect '^hanging$'
	verdict expected_in_vain 1 'FAIL: no line matched --expect "nope"' hello --expect nope
	verdict forbidden 1 'FAIL: a forbidden line: hello from ring 3 .*' hello --forbid 'ring \d'
	verdict endless_expression 125 'ERROR: the regular expression .* takes too many steps .*' hello \
		--cmdline "$(printf 'a%.0s' {1..100})!" --expect '(a+)+$'
	verdict wrong_expression 125 '--expect: "a\(b" is no regular expression: at character 4, .*' hello \
		--expect 'a(b'
	verdict wrong_time 125 '--hang: "soon" is no time; give one like 30s or 5m' hello --hang soon
	verdict wrong_option 125 'unknown option --expct; did you mean --expect\?' hello --expct a
	verdict command_without_agent 125 '--initrd boots without our agent, .*' hello -- true
	verdict volume_without_agent 125 '--initrd boots without our agent, .*' hello -v /tmp:/x
	verdict another_kernel 125 'ERROR: kernel .*hello.c: .*' ../../../guest-images/payloads/hello.c
	verdict wrong_repeat 125 '--repeat: "0" is no number; give 1 to 100000' hello --repeat 0
	verdict_agent_test
	verdict_stopped_test
	verdict_artifacts_test
	verdict_full_disk_test
	verdict_report_test
	verdict_repeat_test
	verdict_junit_test
	verdict_many_cases_test
	verdict_many_symbols_test
	verdict_repeat_cut_test
	verdict_repeat_stopped_test
	verdict_repeat_rests_test
	verdict_matrix_test
}

# A kernel that ends by itself before the agent that it was given
verdict_agent_test() {
	wants verdict_without_its_agent || return 0
	echo agent >"$work/agent"
	"$microvm" test --kernel "$payloads/hello" --agent "$work/agent" </dev/null >"$work/out" 2>"$work/err"
	judge verdict_without_its_agent $? 1 \
		'^microvm: FAIL: the machine ended before its agent spoke \(poweroff\)$'
}

# What stands_still has left: the kernel is an ELF file with symbols
verdict_cpus_test() {
	wants verdict_stands_still || return 0
	grep -qF "symbols: $(realpath "$payloads")/still; the kernel lies where it was linked" "$work/still/cpus.txt" &&
		grep -qxE 'vCPU 0: kernel' "$work/still/cpus.txt" &&
		grep -qxE '  at     0x[0-9a-f]{16}  still\+0x[12]' "$work/still/cpus.txt" &&
		grep -qxE '  stack  0x[0-9a-f]{16}  calls\+0x2' "$work/still/cpus.txt"
	judge verdict_stands_still_somewhere $? 0
}

# What is there when we are killed in the middle
verdict_artifacts_test() {
	local name=verdict_artifacts dir=$work/artifacts
	wants $name || return 0
	rm -rf "$dir"
	"$microvm" test --kernel "$payloads/hang" --initrd none --artifacts "$dir" \
		</dev/null >"$work/out" 2>"$work/err" &
	pid=$!
	await grep -qs hanging "$dir/console.log"
	kill -s KILL "$pid"
	wait "$pid" 2>/dev/null
	if ! grep -qE '^ +[0-9]+\.[0-9]{6} hanging$' "$dir/console.log"; then
		not_ok $name "the console: $(head -c 200 "$dir/console.log")"
	elif ! grep -q '^microvm test --kernel .*/hang --initrd none --artifacts ' "$dir/command"; then
		not_ok $name "the command line: $(cat "$dir/command")"
	else
		verdict artifacts_of_an_oops 73 'OOPS: Oops: 0002 \[#1\]' hello \
			--cmdline "$stamp""Oops: 0002 [#1]" --artifacts "$dir"
		grep -qE '^\[\{"vcpu":0,"rip":"0x[0-9a-f]+",.*"gs_base":"0x[0-9a-f]+"\}\]$' "$dir/vcpus.json" &&
			grep -q '"test":{"verdict":"OOPS","line":"Oops: 0002 \[#1\]"' "$dir/report.json"
		judge $name $? 0
	fi
	verdict artifacts_in_a_file 125 '--artifacts: cannot write .*' hello --artifacts "$payloads/hello"
}

# full_disk PAGES COMMAND... - run it where $work/full is a directory of so many pages; what is there then is
# copied to $work/left
full_disk() {
	local pages=$1
	shift
	rm -rf "$work/full" "$work/left" && mkdir "$work/full" "$work/left"
	# shellcheck disable=SC2016 # for the inner shell
	unshare -Urm sh -c 'mount -t tmpfs -o "size=$(($1 * 4))k" none "$2/full" || exit 99
		dirs=$2; shift 2; "$@" >"$dirs/out" 2>"$dirs/err" </dev/null
		status=$?; cp -r "$dirs/full/." "$dirs/left"; exit $status' sh "$pages" "$work" "$@"
}

# The verdict is what it would be, each loss is said once, and what was written before is whole
verdict_full_disk_test() {
	local name=verdict_full_disk hello=("$payloads/hello" --initrd none) much
	wants $name || return 0
	if ! unshare -Urm true 2>/dev/null; then
		skip $name 'no user namespaces'
		return
	fi
	much=$(printf '%s\n' x "$stamp"'Oops: 0002 [#1]' && yes | head -n 900) # a line has its time in front
	full_disk 3 "$microvm" test --kernel "${hello[@]}" --cmdline "$much" --artifacts "$work/full/a"
	judge $name $? 73 '^microvm: OOPS: Oops: 0002 \[#1\]$' \
		'^microvm: warn: --artifacts: console.log takes no more: No space left on device$'
	[ "$(grep -c 'console.log takes no more' "$work/err")" = 1 ] || not_ok $name 'it warns more than once'
	{ grep -qE '^ +[0-9.]+ hello from ring 3' "$work/left/a/console.log" &&
		grep -q '^microvm test ' "$work/left/a/command"; } || not_ok $name 'what there was is lost'
	full_disk 1 "$microvm" test --kernel "${hello[@]}" --artifacts "$work/full/a"
	judge ${name}_of_a_pass $? 0 '^microvm: PASS$' '^microvm: --report: cannot write .*: No space left on device'
	full_disk 2 "$microvm" test --kernel "${hello[@]}" --artifacts "$work/full/a" --repeat 2
	judge ${name}_of_two $? 0 '^ +2  PASS'
	full_disk 1 sh -c 'mount -o remount,ro "$1"; shift; exec "$@"' sh "$work/full" \
		"$microvm" test --kernel "${hello[@]}" --artifacts "$work/full/a"
	judge ${name}_that_is_read_only $? 125 '^microvm: --artifacts: cannot write .*: Read-only file system; give a .*'
}

# A report that fails when the machine is gone: nothing is read of that any more
verdict_report_test() {
	local name=verdict_report_in_vain
	wants $name || return 0
	"$microvm" test --kernel "$payloads/hello" --initrd none --jail off --report /dev/full \
		--artifacts "$work/vain" </dev/null >"$work/out" 2>"$work/err"
	judge $name $? 125 '^microvm: --report: cannot write /dev/full: No space left on device'
	[ ! -s "$work/vain/vcpus.json" ] || not_ok $name "registers of no machine: $(cat "$work/vain/vcpus.json")"
}

# No result is lost, and nothing is left
verdict_repeat_test() {
	local name=verdict_repeat n
	wants $name || return 0
	"$microvm" test --kernel "$payloads/hello" --initrd none --repeat 100 --jobs 2 --tap \
		--junit "$work/junit" </dev/null >"$work/out" 2>"$work/err"
	judge $name $? 0 '^1\.\.100$' '^ok 100 - run 100$' '^ +100  PASS$'
	n=$(grep -c '<testcase .*/>' "$work/junit")
	[ "$n" = 100 ] || not_ok $name "of 100 results JUnit's file has $n"
}

# Each case of a guest's tests, and those of two runs
verdict_junit_test() {
	local name=verdict_junit n
	wants $name || return 0
	"$microvm" test --kernel "$payloads/hello" --initrd none --junit "$work/junit" --repeat 2 \
		--cmdline $'\nKTAP version 1\n1..2\n  KTAP version 1\n  1..2\n  ok 1 a\n  not ok 2 b\nnot ok 1 s\nok 2 c # SKIP d' \
		</dev/null >"$work/out" 2>"$work/err"
	judge $name $? 1 '^microvm: run 2: FAIL: 1 of its cases failed, the first is "b"$'
	n=$(grep -cE '<testcase .* name="s\.a"/>|<failure message="not ok 2 b"/>|<skipped message="ok 2 c # SKIP d"/>' "$work/junit")
	[ "$n" = 6 ] || not_ok $name "of 6 lines about cases JUnit's file has $n"
}

# Many cases: a jailed process has few calls to get memory by
verdict_many_cases_test() {
	local name=verdict_many_cases
	wants $name || return 0
	"$microvm" test --kernel "$payloads/hello" --initrd none --append cases=4200 --report "$work/report" \
		</dev/null >"$work/out" 2>"$work/err"
	judge $name $? 0 '^microvm: PASS \(cases: 4200 ok, '
	grep -q '"each_more":0,' "$work/report" || not_ok $name 'the report has not all'
}

# A kernel without symbols, and a System.map of many beside it
verdict_many_symbols_test() {
	local name=verdict_many_symbols dir=$work/symbols
	wants $name || return 0
	rm -rf "$dir" && mkdir "$dir" && cp "$payloads/hello" "$dir/kernel"
	# no sections: e_shnum
	printf '\0\0' | dd of="$dir/kernel" bs=1 seek=60 conv=notrunc status=none
	{
		echo 0000000000100000 T all_of_it
		printf 'ffffffff81%06x t f\n' {1..30000}
	} >"$dir/System.map"
	"$microvm" test --kernel "$dir/kernel" --initrd none --append 'nokaslr end=panics' --artifacts "$dir/a" \
		</dev/null >"$work/out" 2>"$work/err"
	judge $name $? 70
	grep -qE '^  at     0x[0-9a-f]{16}  all_of_it\+0x[0-9a-f]+$' "$dir/a/cpus.txt" || not_ok $name "$(cat "$dir/a/cpus.txt")"
}

# One that cannot begin ends them all, and what there is by then is told
verdict_repeat_cut_test() {
	local name=verdict_repeat_cut_short
	wants $name || return 0
	rm -rf "$work/cut" && mkdir "$work/cut" && : >"$work/cut/3"
	"$microvm" test --kernel "$payloads/hello" --initrd none --repeat 4 --artifacts "$work/cut" \
		--junit "$work/junit" </dev/null >"$work/out" 2>"$work/err"
	judge $name $? 125 '^ +2  PASS$' '^ +2  not run$' '^microvm: no process for run 3, or no file .*'
	[ "$(grep -c '<testcase ' "$work/junit")" = 4 ] || not_ok $name "JUnit's file has not all"
}

# Two kernels, and each of them twice: the first bad one is the status
verdict_matrix_test() {
	local name=verdict_matrix
	wants $name || return 0
	echo "{\"kernel\": [\"$payloads/hello\", \"$payloads/fault\"], \"cpus\": [1]}" >"$work/matrix"
	"$microvm" test --initrd none --matrix "$work/matrix" --repeat 2 --jobs 2 --tap \
		</dev/null >"$work/out" 2>"$work/err"
	judge $name $? 71 '^ok 3 - run 3: kernel=.*/hello cpus=1$' '^not ok 4 - run 4: kernel=.*/fault cpus=1$' \
		'^ +2  PASS$' '^ +2  CRASH: '
	[ "$(grep -c '^1\.\.4$' "$work/out")" = 1 ] || not_ok $name 'TAP has not one plan'
}

verdict_repeat_stopped_test() {
	local name=verdict_repeat_stopped
	wants $name || return 0
	rm -rf "$work/many"
	env --default-signal=INT "$microvm" test --kernel "$payloads/hang" --initrd none --repeat 5 --jobs 2 \
		--artifacts "$work/many" </dev/null >"$work/out" 2>"$work/err" &
	pid=$!
	await grep -qs hanging "$work/many/1/console.log" && await grep -qs hanging "$work/many/2/console.log"
	kill -s INT "$pid"
	wait "$pid"
	judge $name $? 130 '^ +2  STOPPED: sigint$' '^ +3  not run$'
}

# Ctrl-Z: all of it stops, or no shell would have its terminal again; and a run that is stopped ends
verdict_repeat_rests_test() {
	local name=verdict_repeat_rests run
	wants $name || return 0
	rm -rf "$work/rests"
	env --default-signal=INT "$microvm" test --kernel "$payloads/hang" --initrd none --repeat 2 \
		--artifacts "$work/rests" </dev/null >"$work/out" 2>"$work/err" &
	pid=$!
	await grep -qs hanging "$work/rests/1/console.log"
	run=$(pgrep -P "$pid")
	kill -s TSTP "$pid"
	await grep -qs '^State:.T' "/proc/$pid/status" && await grep -qs '^State:.T' "/proc/$run/status" ||
		not_ok $name 'it does not stop'
	kill -s CONT "$pid"
	await grep -qs '^State:.S' "/proc/$pid/status" && await grep -qs '^State:.S' "/proc/$run/status"
	kill -s STOP "$run"
	kill -s INT "$pid"
	wait "$pid"
	judge $name $? 130 '^ +1  STOPPED: sigint$' '^ +1  not run$'
}

verdict_stopped_test() {
	wants verdict_stopped || return 0
	: >"$work/out"
	env --default-signal=INT "$microvm" test --kernel "$payloads/hang" --initrd none --verbose \
		</dev/null >"$work/out" 2>"$work/err" &
	pid=$!
	await grep -qs hanging "$work/err"
	kill -s INT "$pid"
	wait "$pid"
	judge verdict_stopped $? 130 '^microvm: STOPPED: sigint$'
}
