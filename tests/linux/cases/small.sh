# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# small.sh - the small kernel of guest-images/kernel/build-small, for jobs.
#
# In the environment besides: BOX, a directory with the kernel (if there is one), the agent for it, and
# root.img, which has a container engine and a bundle if there is one for this architecture here.
#
# shellcheck disable=SC2016 # what stands in single quotes is for the guest's shell

small_job()
{
	[ -e "$BOX/kernel" ] || skip "no small kernel has been built: guest-images/kernel/build-small --arch $ARCH"
	"$MICROVM" run --timeout $GUEST_TIMEOUT --kernel "$BOX/kernel" --agent "$BOX/agent" "$@" \
		>out 2>err </dev/null
	status=$?
	[ $status = 0 ] || fail "status $status: $(tail -n 5 err out)"
}

case_small_runs_a_job_in_24_mib()
{
	small_job -m 24M "$BOX/root.img" -- true
	small_job -m 24M --report report "$BOX/root.img" -- sh -c 'echo up'
	said up
	# and the report says when it came to what
	grep -q '"phases":{"agent_ns":[0-9]*,"ready_ns":[0-9]*,"started_ns":[0-9]*,"exited_ns":[0-9]*}' report ||
		fail "$(cat report)"
}

case_small_holds_a_container()
{
	[ -e "$BOX/engine" ] || skip 'no container engine for this architecture here'
	small_job "$BOX/root.img" -- sh -c '
		cd /bundle && runc run box &&
		ip link add br0 type bridge && ip link add v0 type veth peer name v1 &&
		nft add table ip t &&
		nft "add chain ip t out { type nat hook postrouting priority 100; }" &&
		nft "add rule ip t out ct state new oifname br0 masquerade" &&
		nft list ruleset'
	said 'in a container: [0-9]* filters: 2'
	said '.*masquerade'
}
