# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# builds.sh - the builds that tests are made from, each in a directory of its own, build-NAME,
# with warnings as errors.  Source it after host.sh; call it for as many suites at once as you
# like: a build is made by one of them, and the others wait.
#
# shellcheck disable=SC2054,SC2154 # a comma is meson's; $top is host.sh's
sanitizers=(-Db_sanitize=address,undefined -Db_lundef=false)

# build NAME - bring build-NAME up to date; if it fails, its log is on stdout
build() { build_alone "$1" "build_$1"; }

build_release() { host_build_release; }

build_clang() { host_build clang clang; }

# no more than is run of it, here and below
build_asan() {
	host_build asan "${CC:-gcc}" "${sanitizers[@]}" -- \
		meson-test-prereq payloads tests/payload/tap-peer tests/payload/hung-disk tests/payload/peer \
		tests/payload/trip tests/payload/pauses tests/payload/controls tests/payload/forge
}

build_tsan() { host_build tsan clang -Db_sanitize=thread -Db_lundef=false -- meson-test-prereq; }

build_fuzz() { host_build fuzz clang -Dfuzz=true "${sanitizers[@]}" -- fuzzers; }

build_arm64() { host_build_arm64 gcc; }

build_arm64-clang() { host_build_arm64 clang microvm; }

# compiler_of NAME - the compiler of build-NAME
compiler_of() {
	case $1 in
	clang | tsan | fuzz) echo clang ;;
	arm64*) echo aarch64-linux-gnu-gcc ;;
	*) echo "${CC:-gcc}" ;;
	esac
}

# built NAME [LINE-NAME] - build(), for a suite: a line says what is wrong
built() {
	local log cc
	cc=$(compiler_of "$1")
	# it may be several words, as in CC='ccache gcc'
	if ! command -v "${cc%% *}" >/dev/null; then
		if [ "$cc" = "${CC-}" ]; then
			echo "not ok ${2:-build}: there is no compiler '$cc', which CC asks for"
		else
			echo "skip ${2:-build}: no $cc"
		fi
		return 1
	fi
	log=$(build "$1") && return
	echo "not ok ${2:-build}: see below"
	printf '%s\n' "$log" | sed 's/^/  | /'
	return 1
}
