# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# runc.sh - a container of runc as the host of a jailed machine: root with three capabilities, without
# user namespaces where a filter forbids them; a piece of run, which sources it after jail.sh.
# shellcheck disable=SC2154 # work, payloads, microvm are run's

# A bundle of runc's own settings but for what cannot be without: /dev/kvm, a program without a
# terminal, and no mount of control groups, which a host with both versions of them refuses
runc_bundle() {
	mkdir -p "$work/bundle/rootfs" && cp -L "$microvm" "$payloads/hello" "$work/bundle/rootfs" &&
		(cd "$work/bundle" && rm -f config.json && runc spec) &&
		python3 - "$work/bundle/config.json" "$@" <<-'END'
			import json, os, sys

			path, word, files, namespaces = sys.argv[1:]
			with open(path) as f:
			    spec = json.load(f)
			kvm = os.stat("/dev/kvm").st_rdev
			device = {"type": "c", "major": os.major(kvm), "minor": os.minor(kvm)}
			spec["process"]["terminal"] = False
			spec["process"]["args"] = ["/microvm", "--kernel", "/hello", "--jail", word]
			spec["mounts"] = [m for m in spec["mounts"] if m["type"] != "cgroup"]
			spec["linux"]["devices"] = [{"path": "/dev/kvm", "fileMode": 0o666, **device}]
			spec["linux"]["resources"]["devices"].append({"allow": True, "access": "rw", **device})
			if files != "own":
			    spec["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "hard": int(files), "soft": 1024}]
			if namespaces == "no":  # as Docker's list of calls does it
			    deny = [{"names": ["unshare", "mount", "setns"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
			            {"names": ["clone"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "args":
			             [{"index": 0, "value": 0x10000000, "valueTwo": 0x10000000, "op": "SCMP_CMP_MASKED_EQ"}]},
			            {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]
			    spec["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": deny}
			with open(path, "w") as f:
			    json.dump(spec, f)
		END
}

# container NAME STATUS PATTERN WORD FILES NAMESPACES - a start with --jail WORD, one line on stderr;
# of FILES open at most (own: as runc has it), with user namespaces (yes) or without (no)
container() {
	local name=runc_$1
	wants "$name" || return 0
	runc_bundle "$4" "$5" "$6" || { not_ok "$name" 'no bundle' && return; }
	timeout -k 5 $LIMIT runc --root "$work/runc" run --bundle "$work/bundle" "microvm-$$-$1" </dev/null \
		>"$work/out" 2>"$work/err"
	status=$?
	if [ "$(wc -l <"$work/err")" != 1 ]; then
		not_ok "$name" 'not one line'
	elif [ $status = 1 ] && grep -q hello "$work/out"; then
		not_ok "$name" 'the guest ran'
	else
		judge "$name" $status "$2" "$3"
	fi
}

runc_test() {
	local warn='^microvm: warn: --jail auto: the guest runs without' no='^microvm: --jail strict: this host gives no'
	wants runc_own_files || wants runc_auto || wants runc_strict || wants runc_flat_auto || wants runc_flat_strict ||
		return 0
	if [ "$(id -u)" != 0 ] || ldd "$microvm" 2>/dev/null | grep -q '=>'; then
		skip runc 'needs root, and a microvm that is linked statically'
		return
	fi
	runc_bundle off own yes 2>"$work/err" &&
		runc --root "$work/runc" run --bundle "$work/bundle" "microvm-$$" </dev/null >"$work/out" 2>>"$work/err"
	if ! grep -q hello "$work/out"; then
		skip runc "no container: $(tail -n 1 "$work/err")"
		return
	fi
	container own_files 1 '^microvm: only 1024 files may be open .*raise ulimit -Hn to 4096' auto own yes
	container auto 0 "$warn pid namespace \(Operation not permitted\)" auto 4096 yes
	container strict 1 "$no pid namespace \(Operation not permitted\)" strict 4096 yes
	container flat_auto 0 "$warn user namespace, .*empty root.*\(Operation not permitted\)" auto 4096 no
	container flat_strict 1 "$no user namespace, " strict 4096 no
}
