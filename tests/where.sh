# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# where.sh - for scripts whose guests are freestanding, so that a KVM of any kind runs them:
# this machine's if it has one, else the nested host's.  Source it; it sources what it needs.
top=$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/..")
# shellcheck source=guest-images/lib.sh
. "$top/guest-images/lib.sh"
# shellcheck source=tests/lines.sh
. "$top/tests/lines.sh"
where='' build=$top/build-release
nested_options=(--tools --scratch 8192 --memory 6144 --timeout 1500) # of tests/nested/run

# guest_option ARGUMENT... - take what all these scripts take, and set $build, $where or $wanted.
# Return: 1 if it was an option with a value, so two arguments
guest_option() {
	case $1 in
	-h | --help) usage && exit ;;
	--direct | --nested) where=${1#--} ;;
	--build)
		[ $# -ge 2 ] || misused "--build wants a directory"
		build=$(readlink -f "$2")
		[ -d "$build" ] || die "--build: there is no directory $2"
		return 1
		;;
	-*) misused "unknown option '$1': see --help" ;;
	*) wanted+=("$1") ;;
	esac
}

# kvm_here - is there a KVM that we may use?  A container can have the node, and no right to open it
kvm_here() {
	{ : <>/dev/kvm; } 2>/dev/null
}

# vmm_of PID - the process that is the machine: the one child of the broker that was started, which
# runs the same program; without a jail PID itself
vmm_of() {
	local child
	for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
		[ ! "/proc/$child/exe" -ef "/proc/$1/exe" ] || { echo "$child" && return; }
	done
	echo "$1"
}

# elsewhere - does this script have to run again in the nested host?
elsewhere() {
	[ "$where" != direct ] && { [ "$where" = nested ] || ! kvm_here; } &&
		[ -z "${MICROVM_NESTED-}" ]
}

# qemu_files - print what QEMU's microvm machine consists of, a line each
qemu_files() {
	local f
	for f in "$(command -v qemu-system-x86_64)" /usr/share/qemu/bios-microvm.bin \
		/usr/share/seabios/bios-microvm.bin /usr/share/qemu/linuxboot_dma.bin; do
		[ ! -e "$f" ] || echo "$f"
	done
}

# nested_again OPTION... -- COMMAND... - COMMAND, with these options for tests/nested/run; it prints
# lines as lines.sh has them.  If the nested host hangs (status 123, which no guest of ours can
# cause: QEMU does), another one starts over, and says what the first has not said.
nested_again() {
	local try status line name said=' '
	for try in 1 2 3; do
		name=''
		while IFS= read -r line; do
			case $line in
			'ok '* | 'not ok '* | 'skip '*)
				name=${line#not } name=${name#* } name=${name%%[: ]*}
				[[ $said != *" $name "* ]] || name=said
				[ "$name" = said ] || said+="$name "
				;;
			esac
			[ "$name" = said ] || printf '%s\n' "$line"
		done < <("$top/tests/nested/run" "${nested_options[@]}" "$@")
		status=0
		wait $! || status=$?
		[ "$status$try" = 1231 ] || [ "$status$try" = 1232 ] || break
		echo "# the nested host hung; another one starts over"
	done
	return $status
}

# in_nested NAME FILE... -- ARGUMENT... - this script, with these arguments, in the nested host, in
# place of it here, with these files, $build/microvm and the payloads; or a line that NAME is skipped
in_nested() {
	local name=$1 why f put=()
	shift
	if why=$(no_nested qemu-system-x86); then
		skip "$name" "/dev/kvm is not there or not permitted, and there is $why"
		lines_end
		exit
	fi
	for f in "$(dirname "$(readlink -f "$0")")" "$build/microvm" "$build/guest-images/payloads" \
		"$top"/tests/{lines,parts,where}.sh "$top"/guest-images/*.sh; do
		put+=(-f "$f")
	done
	while [ "$1" != -- ]; do
		put+=(-f "$1") && shift
	done
	shift
	trap end_children EXIT
	nested_again "${put[@]}" -- "$(readlink -f "$0")" --build "$build" "$@"
	exit
}
