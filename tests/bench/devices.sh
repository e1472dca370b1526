# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# devices.sh - ten disks and four network cards, for what they cost.
#
# devices DIR - sets the array $devices to microvm's options; images and nothing else in DIR.
# The cards are left out, with a word on stderr, where no taps can be made.
devices() {
	local i
	devices=()
	for ((i = 0; i < 10; i++)); do
		truncate -s 4M "$1/many$i"
		devices+=(--disk "$1/many$i")
	done
	for ((i = 0; i < 4; i++)); do
		ip tuntap add mode tap name "mvbench$i" vnet_hdr 2>/dev/null &&
			ip link set "mvbench$i" up &&
			devices+=(--net "tap=mvbench$i")
	done
	[ ${#devices[@]} = 28 ] || echo 'left out: cards, for no taps can be made here' >&2
}

# devices_end - the taps are gone again
devices_end() {
	local i
	for ((i = 0; i < 4; i++)); do ip link del "mvbench$i" 2>/dev/null; done
	return 0
}
