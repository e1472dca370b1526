# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# wrapped.sh - the stock kernel in what kernels come in.

case_kernel_packed_by_xz()
{
	guest 0 --kernel "$PACKED" --initrd "$INITRD" --append 'quiet microvm.run="echo up"'
	said up
}

case_unified_kernel_image()
{
	[ "$UKI" ] || skip "the package systemd-boot-efi could not be fetched"
	guest 0 --kernel "$UKI" --append 'last=word'
	said 'quiet microvm.run=.* inside=1 console=ttyS0 .* last=word'
}

case_unified_kernel_image_of_ukify()
{
	[ "$BY_UKIFY" ] || skip "ukify could not be fetched"
	guest 0 --kernel "$BY_UKIFY" --append 'last=word'
	said 'quiet microvm.run=.* inside=2 console=ttyS0 .* last=word'
}
