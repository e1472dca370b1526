# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# ends.sh - however a guest ends, and whatever its command line says, the status is the one
# that docs/exit-status.md promises.

# ends_all - every row that there can be, in the form of ends.table
ends_all()
{
	kernels='small stock' acpis='on off' triple=triple
	[ "$ARCH" = amd64 ] || kernels=stock acpis=on triple=
	for kernel in $kernels; do
		for acpi in $acpis; do
			for line in ours bare k t acpi bios efi warm cold hard panic_warm k,bare t,bare warm,bare; do
				for end in off reboot halt panic=1 panic=-1 panic=0 $triple; do
					for kexec in - kexec; do
						case $kernel,$end,$kexec in
						small,triple,* | small,*,kexec) continue ;;
						esac
						echo "$ARCH $kernel $acpi $line $end $kexec"
					done
				done
			done
		done
	done
}

# ends_expect END ACPI - the cause in the report, and the status
ends_expect()
{
	case $1 in
	off) [ "$2" = on ] && echo poweroff 0 || echo halt 0 ;;
	reboot) echo reboot 0 ;;
	halt) echo halt 0 ;;
	panic*) echo panic 70 ;;
	triple) echo triple-fault 71 ;;
	esac
}

# ends_words LINE - the options that make it
ends_words()
{
	case $1 in
	ours) echo --append quiet ;;
	bare) echo --cmdline console=ttyS0 quiet ;;
	*,bare) echo --cmdline console=ttyS0 quiet "reboot=${1%,bare}" ;;
	*) echo --append quiet "reboot=$1" ;;
	esac
}

# ends_one KERNEL ACPI LINE END KEXEC - Return: did it end as it should?
ends_one()
{
	kernel=$KERNEL initrd=$ENDS_STOCK option=$(ends_words "$3")
	[ "$1" = stock ] || kernel=$SMALL/bzImage initrd=$ENDS_SMALL
	words=${option#* }
	option=${option%% *}
	case $4 in
	panic=*) words="$words $4" ;;
	esac
	words="$words ends=${4%=*}"
	[ "$5" = - ] || words="$words ends.kexec"
	[ "$2" = on ] || set -- "$@" --acpi off
	[ "$2" = on ] || words="$words acpi=off"
	expect=$(ends_expect "$4" "$2")
	row="$1 $2 $3 $4 $5"
	shift 5
	"$MICROVM" --timeout $GUEST_TIMEOUT --kernel "$kernel" --initrd "$initrd" --memory 384M --report report.json \
		"$option" "$words" "$@" >out 2>err </dev/null
	status=$?
	got="$(field cause) $status"
	[ "$got" = "$expect" ] && return
	echo "$row: $got, not $expect" >>wrong
	tail -n 8 out err >>outputs
}

# ends_part N - every sixth row of the table
ends_part()
{
	if [ "${ENDS_ALL-}" ]; then
		ends_all
	else
		grep "^$ARCH " "$(dirname "$0")/cases/ends.table"
	fi | awk -v n="$1" 'NR % 6 == n % 6' >rows
	[ -s rows ] || fail 'there are no rows'
	while read -r _ kernel acpi line end kexec <&4; do
		ends_one "$kernel" "$acpi" "$line" "$end" "$kexec"
	done 4<rows
	[ ! -s wrong ] || { cat outputs >out; fail "$(tr '\n' ';' <wrong)"; }
}

case_ends_1() { ends_part 1; }
case_ends_2() { ends_part 2; }
case_ends_3() { ends_part 3; }
case_ends_4() { ends_part 4; }
case_ends_5() { ends_part 5; }
case_ends_6() { ends_part 6; }

# Anybody can print them.
case_words_alone_end_nothing()
{
	stock 0 "$(one_line <<-'END'
		echo '[    1.2] reboot: System halted'
		sleep 2
		echo '---[ end Kernel panic - not syncing: of old ]---'
		sleep 2
		echo went on
	END
	)" --cpus 2
	said 'went on'
}
