# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# runc.sh - a container of runc as the host of a jailed machine: of root's, with three capabilities,
# without user namespaces where a filter forbids them, and of a user; a piece of run, which sources it
# after jail.sh.
# shellcheck disable=SC2154 # microvm, payloads, work are run's

runc_user=65534 # has no files, and is no user of a test

# A bundle in $room of runc's own settings, limits included, but for what cannot be without: /dev/kvm,
# a program without a terminal, and no mount of control groups, which a host with both versions of
# them refuses. The user gets it when it is whole
runc_bundle() {
	local spec=(runc spec)
	[[ $2 != user* ]] || spec+=(--rootless)
	rm -rf "$room"
	room=$(mktemp -d) && mkdir "$room/run" "$room/rootfs" && cp -L "$microvm" "$payloads/hello" "$room/rootfs" &&
		mknod -m 600 "$room/kvm" c $((0x$(stat -Lc %t /dev/kvm))) $((0x$(stat -Lc %T /dev/kvm))) &&
		(cd "$room" && "${spec[@]}") && python3 - "$room" $runc_user "$@" <<-'END' &&
			import json, os, sys

			room, user, word, host = sys.argv[1:]
			path = os.path.join(room, "config.json")
			with open(path) as f:
			    spec = json.load(f)
			kvm = os.stat("/dev/kvm").st_rdev
			device = {"type": "c", "major": os.major(kvm), "minor": os.minor(kvm)}
			spec["process"]["terminal"] = False
			spec["process"]["args"] = ["/microvm", "--kernel", "/hello", "--jail", word]
			spec["mounts"] = [m for m in spec["mounts"] if m["type"] != "cgroup"]
			for mapping in spec["linux"].get("uidMappings", []) + spec["linux"].get("gidMappings", []):
			    mapping["hostID"] = int(user)
			if host.startswith("user"):  # it makes no device, and limits none
			    spec["mounts"].append({"destination": "/dev/kvm", "type": "bind",
			                           "source": os.path.join(room, "kvm"), "options": ["bind"]})
			else:
			    spec["linux"]["devices"] = [{"path": "/dev/kvm", "fileMode": 0o666, **device}]
			    spec["linux"]["resources"]["devices"].append({"allow": True, "access": "rw", **device})
			if host == "user_without_capabilities":
			    spec["process"]["capabilities"] = {}
			if host == "flat":  # as Docker's list of calls does it
			    deny = [{"names": ["unshare", "mount", "setns"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
			            {"names": ["clone"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "args":
			             [{"index": 0, "value": 0x10000000, "valueTwo": 0x10000000, "op": "SCMP_CMP_MASKED_EQ"}]},
			            {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]
			    spec["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": deny}
			with open(path, "w") as f:
			    json.dump(spec, f)
		END
		if [[ $2 = user* ]]; then chown -R $runc_user:$runc_user "$room"; fi
}

# runc_start NAME WORD HOST - a start with --jail WORD in a container
runc_start() {
	local by=()
	runc_bundle "$2" "$3" >"$work/out" 2>"$work/err" || return
	[[ $3 != user* ]] ||
		by=(setpriv "--reuid=$runc_user" "--regid=$runc_user" --clear-groups env "XDG_RUNTIME_DIR=$room/run")
	timeout -k 5 "$LIMIT" "${by[@]}" runc --root "$room/run" run --bundle "$room" "microvm-$$-$1" </dev/null \
		>"$work/out" 2>"$work/err"
}

# container NAME STATUS PATTERN WORD HOST - what it says on stderr: one line with PATTERN, or nothing
container() {
	local name=runc_$1
	wants "$name" || return 0
	runc_start "$1" "$4" "$5"
	status=$?
	if [ "$(wc -l <"$work/err")" != $((${#3} > 0)) ]; then
		not_ok "$name" 'not one line'
	elif [ $status = 1 ] && grep -q hello "$work/out"; then
		not_ok "$name" 'the guest ran'
	else
		judge "$name" $status "$2" "$3"
	fi
}

# containers HOST LACKS - both words, on a host that lacks these layers, or none
containers() {
	local warn='^microvm: warn: --jail auto: the guest runs without' no='^microvm: --jail strict: this host gives no'
	wants "runc_${1}_auto" || wants "runc_${1}_strict" || return 0
	if [ "$(id -u)" != 0 ] || ldd "$microvm" 2>/dev/null | grep -q '=>'; then
		skip "runc_$1" 'needs root, and a microvm that is linked statically'
		return
	fi
	runc_start "$1" off "$1"
	if ! grep -q hello "$work/out"; then
		skip "runc_$1" "no container: $(tail -n 1 "$work/err")"
		return
	fi
	container "${1}_auto" 0 "${2:+$warn $2}" auto "$1"
	container "${1}_strict" $((${#2} > 0)) "${2:+$no $2}" strict "$1"
}

runc_test() {
	local pid_ns='pid namespace \(Operation not permitted\).*CAP_SYS_ADMIN, or without any capability'
	room=''
	trap 'rm -rf "$room"' EXIT
	containers root "$pid_ns"
	containers flat 'user namespace, .*empty root.*\(Operation not permitted\)'
	containers user "$pid_ns"
	containers user_without_capabilities ''
}
