# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# jail.sh - the jail on a stock host: with all of its layers, and without one.

# layers - those of ./report.json, a line each
layers()
{
	sed -n 's/.*"layers":\[\([^]]*\)\].*/\1/p' report.json | tr -d '"' | tr ',' '\n'
}

case_strict_jail_has_every_layer()
{
	"$MICROVM" --jail strict --kernel "$KERNEL" --dry-run >plan 2>err || fail "$(cat err)"
	sed -n 's/^  layers: //p' plan | sed 's/, /\n/g' >wanted
	[ "$(wc -l <wanted)" -ge 16 ] || fail "few layers: $(cat plan)"
	stock 0 'echo all is well' --jail strict --report report.json
	said 'all is well'
	[ ! -s err ] || fail "it says $(cat err)"
	# a mode of Linux 6.3, in place of which the filters refuse the same
	case $(uname -r) in
	[1-5].* | 6.[0-2].*) sed -i '/^no executable memory$/d' wanted ;;
	esac
	layers | grep -vx 'control group' >held # it is described by its limits
	cmp -s wanted held || fail "held: $(tr '\n' ' ' <held)"
}

case_host_without_landlock() # amd64 host: --append lsm=yama
{
	in_host --append lsm=yama
	stock 0 'echo all is well' --report report.json
	said 'all is well'
	complained '^microvm: warn: --jail auto: the guest runs without Landlock (.* between it and the host; boot a kernel with Landlock (lsm=landlock,...)$'
	[ "$(wc -l <err)" = 1 ] || fail 'it says more than that'
	! layers | grep -q Landlock || fail 'its report has it'
	stock 1 'echo all is well' --jail strict
	complained '^microvm: --jail strict: this host gives no Landlock (.*; boot a kernel with Landlock (lsm=landlock,...)$'
	[ ! -s out ] || fail 'the guest ran'
}
