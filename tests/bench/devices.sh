# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# devices.sh - ten disks and four network cards, for what they cost.
#
# devices DIR [DISKS CARDS] - sets the array $devices to microvm's options for so many, else ten and
# four; images and nothing else in DIR. Each call makes others: a machine that has just ended keeps
# its own for a few milliseconds. The cards are left out, with a word on stderr, where no taps can
# be made.
devices() {
	local disks=${2:-10} cards=${3:-4} i at
	devices=()
	for ((i = 0; i < disks; i++)); do
		at=$1/many$((ndisk++))
		truncate -s 4M "$at"
		devices+=(--disk "$at")
	done
	for ((i = 0; i < cards; i++)); do
		at=mvbench$((ncard++))
		ip tuntap add mode tap name "$at" vnet_hdr 2>/dev/null &&
			ip link set "$at" up &&
			devices+=(--net "tap=$at")
	done
	[ ${#devices[@]} = $((2 * (disks + cards))) ] ||
		echo 'left out: cards, for no taps can be made here' >&2
}
ndisk=0 ncard=0

# devices_end - the taps are gone again
devices_end() {
	local i
	for ((i = 0; i < ncard; i++)); do ip link del "mvbench$i" 2>/dev/null; done
	return 0
}
