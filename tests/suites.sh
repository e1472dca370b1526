# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# suites.sh - what tests/run runs: a row for each suite, and a function suite_NAME that prints
# the lines of its tests.  Source it after builds.sh; $tmp is a directory of the suite's own,
# $where the options for scripts that can run in the nested host.
# shellcheck disable=SC2034,SC2154

# name, what it is; in the order in which they begin, so that the longest do not end alone
suites=(
	'unit     the modules and the saved fuzz inputs: gcc, release, static'
	'linux    stock Linux kernels, here or in the nested host'
	'clang    the modules and the saved fuzz inputs built by clang'
	'asan     the same under AddressSanitizer and UBSan'
	'tsan     the same under ThreadSanitizer'
	'arm64    the cross build for arm64, by gcc and clang, and its unit tests'
	'linux-arm64  stock Linux kernels on arm64, in its nested host'
	'jail     every filter of system calls, as this kernel runs it: each call, each ioctl'
	'walk     Debian disks with systemd, the appliance of docs/sharing.md among them, to a login'
	'lint     layout, clang-tidy, includes, scripts, documents'
	'fuzz     a few seconds of libFuzzer for each target'
	'payload  freestanding guests on the KVM of this machine, or in the nested host'
	'asan-payload  the same guests, the VMM under AddressSanitizer and UBSan'
	'hostile  guests, operators and a host that mean harm: storms, stuck pipes, failing calls'
	'kill     kill -9 while a guest writes: nothing that it was told is safe is lost'
	'replant  bugs of others, put into our code: a sample, each of which a test has to notice'
	'images   the scripts that make kernels, initramfs and disks: what they make and refuse'
	'nested   the nested host keeps its promises'
	'start    the first command of README.md'
	'pages    the three pages of docs/ to begin with, each command as it stands there'
	'runner   tests/run and the scripts below it, where something is missing or broken'
)

unit_at_once=$(($(nproc) * 4)) # most of their time they wait
fuzz_seconds=2 replant_sample=10 needs_sample=6

# Of what takes most of a run's time only a part, another one after each commit; tests/run --all sets these
# to 1, and has all suites.  Of the rows of $turns, one runs
linux_one_in=4 linux_arm64_one_in=6 arm64_one_in=3 tidy_one_in=4 walk_one_in=2
turns=('tsan asan-payload' 'fuzz')

# turn_of N - of the lines on stdin each Nth, those whose turn it is
turn_of() {
	awk -v n="$1" -v i="$(turn_in "$1")" 'i++ % n == 0'
}

# meson_suite BUILD [TEST...] - run what `meson test` runs there, or these tests, and print it as lines
meson_suite() {
	local dir=$top/build-$1 fixed=() status=0 log=testlog-$BASHPID
	# With the largest address randomization, sanitizers of 2022 find no room to shadow
	! setarch -R true 2>/dev/null || fixed=(setarch -R)
	# A busy machine is no failure.  The log has a name of its own: what an earlier run found, or
	# another one that runs now, is not ours
	CK_VERBOSITY=verbose CK_TIMEOUT_MULTIPLIER=5 "${fixed[@]}" \
		meson test -C "$dir" --no-rebuild --quiet --timeout-multiplier 5 \
		--num-processes "$unit_at_once" --logbase "$log" "${@:2}" \
		>"$tmp/meson-test.log" 2>&1 || status=$?
	if [ -s "$dir/meson-logs/$log.json" ]; then
		"$here/meson-lines" "$dir/meson-logs/$log.json" || status=$?
	else
		cat "$tmp/meson-test.log"
		status=1
	fi
	rm -f "$dir/meson-logs/$log".*
	return $status
}

# with BUILD COMMAND... - if BUILD could be made; if not, a line has said so
with() {
	built "$1" || return 0
	"${@:2}"
}

suite_unit() { with release meson_suite release; }

suite_clang() { with clang meson_suite clang; }

suite_asan() { with asan meson_suite asan; }

suite_tsan() { with tsan meson_suite tsan; }

suite_lint() {
	# what clang-tidy looks at is what clang builds, and documents speak of the program
	built clang && built release || return 0
	# what is wrong with this one is told by the suite arm64
	[ -z "$(command -v aarch64-linux-gnu-gcc)" ] || build arm64-clang >/dev/null
	"$here/lint" --one-in $tidy_one_in
}

suite_fuzz() {
	local target
	built fuzz || return 0
	for target in "$top"/build-fuzz/tests/fuzz/fuzz_*; do
		[ ! -f "$target" ] || printf '%s\0' "$target"
	done | xargs -0 -P "$(nproc)" -n 1 "$here/fuzz/few" --seconds $fuzz_seconds
}

suite_payload() { with release again "$here/payload/run" "${where[@]}" --build "$top/build-release"; }

suite_kill() { with release "$here/payload/kill" "${where[@]}" --build "$top/build-release"; }

suite_asan-payload() { with asan again "$here/payload/run" "${where[@]}" --build "$top/build-asan"; }

suite_hostile() { with release "$here/hostile/run" "${where[@]}" --build "$top/build-release"; }

suite_replant() { "$here/replant/run" --sample $replant_sample; }

suite_runner() { "$here/runner/test"; }

suite_images() {
	local status=0
	"$here/images/test" || status=$?
	"$here/images/boot" || status=$?
	return $status
}

suite_nested() { "$here/nested/test"; }

suite_linux() { with release again "$here/linux/run" --one-in $linux_one_in --microvm "$top/build-release/microvm"; }

suite_start() {
	local said="$tmp/start.log" why status=0
	built release || return 0
	if ! "$top/build-release/microvm" doctor >/dev/null && why=$(no_nested qemu-system-x86); then
		echo "skip boot-linux: this machine's KVM boots no stock kernel, and there is $why"
		return
	fi
	# shellcheck disable=SC2016 # for the guest's shell
	echo 'echo "$((40 + 2)) $(mount | grep -c "^/dev/vda on / ")"; exit 7' |
		"$top/guest-images/boot-linux" >"$said" 2>&1 || status=$?
	if [ $status = 7 ] && grep -q '^42 1' "$said"; then
		echo 'ok boot-linux'
	else
		echo "not ok boot-linux: status $status instead of 7, or its shell did not run the commands"
		sed 's/^/  | /' "$said"
	fi
}

suite_jail() {
	built release || return 0
	"$here/jail/ioctls" >"$tmp/ioctls"
	if [ "$(wc -l <"$tmp/ioctls")" -lt 1000 ]; then
		echo 'not ok ioctls: fewer than 1000 were found in the headers of the kernel'
		return 1
	fi
	local status=0
	"$top/build-release/tests/jail/probe" "$tmp/ioctls" || status=$?
	"$here/jail/needs" --sample $needs_sample || status=$?
	return $status
}

suite_walk() {
	with release again "$here/walk" --one-in $walk_one_in --microvm "$top/build-release/microvm"
}

suite_pages() { with release again "$here/pages" --microvm "$top/build-release/microvm"; }

suite_arm64() {
	local tests
	built arm64 || return 0
	mapfile -t tests < <(meson test -C "$top/build-arm64" --no-rebuild --list 2>/dev/null |
		sed -n 's|.* / ||p' | turn_of $arm64_one_in)
	meson_suite arm64 "${tests[@]}"
	[ -z "$(command -v clang)" ] || ! built arm64-clang build-clang || echo 'ok build-clang'
}

suite_linux-arm64() {
	with arm64 again "$here/linux/run" --arch arm64 --one-in $linux_arm64_one_in --microvm "$top/build-arm64/microvm"
}
