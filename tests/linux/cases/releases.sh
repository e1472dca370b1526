# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# releases.sh - `microvm test` boots the stock kernels of other releases of Debian.
#
# In the environment besides: RELEASES, a directory with one for each release.

# release NAME - it boots to the agent, by its own drivers.  With what Linux 6.12 does against speculation
# QEMU 7.2, the nested host, puts noise into the upper half of RFLAGS once in five boots
release()
{
	[ "$ARCH" = amd64 ] || skip "for amd64"
	dir=$RELEASES/$1
	[ -s "$dir/vmlinuz" ] || skip "Debian's kernel of $1 could not be fetched: $(tail -n1 "$dir/why")"
	"$MICROVM" test --timeout $GUEST_TIMEOUT --kernel "$dir" --agent "$dir/agent" --verbose \
		--append "mitigations=off loglevel=5" >out 2>err </dev/null
	status=$?
	[ $status = 0 ] || fail "status $status: $(tail -n 3 err)"
	complained '^microvm: PASS$'
}

case_boots_debians_stable()
{
	release stable
}

case_boots_debians_stable_backports()
{
	release stable_backports
}

case_boots_debians_unstable()
{
	release unstable
}
