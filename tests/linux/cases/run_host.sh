# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
#
# run_host.sh - `microvm run` and the users of this host: who a job's are in a volume, and what it
# sees of a root that is the host's own. The functions of run.sh are there as well.
#
# shellcheck disable=SC2016 # what stands in single quotes is for the guest's shell

# host_has_users - what a host has in which an ordinary user, joe, runs jobs, and secrets. In the
# nested host alone
host_has_users()
{
	[ -n "${MICROVM_NESTED-}" ] || skip 'it would change the users of this host'
	[ -x /usr/lib/qemu/virtiofsd ] || [ -x /usr/libexec/virtiofsd ] || skip 'no virtiofsd'
	[ -x /usr/bin/newuidmap ] || skip 'no newuidmap'
	printf 'root:x:0:0::/root:/bin/sh\njoe:x:1000:1000::/home/joe:/bin/sh\n' >/etc/passwd
	printf 'root:x:0:\njoe:x:1000:\n' >/etc/group
	mkdir -p /home/joe /var/lib /root /opt
	for file in ~joe/secret /var/lib/secret /root/secret /opt/joes /etc/shadow; do
		echo secret >$file
		chmod 600 $file
	done
	echo public >/opt/public
	cp "$RUN/root/bin/busybox" /opt/suid
	chmod 4755 /opt/suid
	chown -R joe /opt/joes /home/joe
	chmod 666 /dev/kvm
	chmod 755 .
	rm -f /etc/subuid /etc/subgid
}

# subordinate - joe has ids besides
subordinate()
{
	chmod 4755 /usr/bin/newuidmap /usr/bin/newgidmap
	echo joe:100000:65536 | tee /etc/subuid >/etc/subgid
}

# as_joe STATUS OPTION... - job, of joe's
as_joe()
{
	want=$1
	shift
	printf 'MICROVM_RUN_DIR=%s exec %s run --timeout %s' "$MICROVM_RUN_DIR" "$MICROVM" "$GUEST_TIMEOUT" >joes
	printf " '%s'" "$@" >>joes
	su -s /bin/sh joe -c ". $PWD/joes" >out 2>err </dev/null
	status=$?
	[ $status = "$want" ] || fail "status $status, not $want: $(head -c 300 err)"
}

# no_word_of_users - as there may be one of a slow host
no_word_of_users()
{
	! grep -e '--user' -e newuidmap err >why || fail "$(cat why)"
}

# users_of FILE USER GROUP
users_of()
{
	[ "$(stat -c '%u %g' "$1")" = "$2 $3" ] || fail "$1 is $(stat -c '%u %g' "$1")'s"
}

case_run_has_several_users_in_a_volume()
{
	host_has_users
	quick
	mkdir v && chown joe:joe v
	as_joe 0 -v "$PWD/v:/v" -u 1000 "$RUN/root.img" -- sh -c 'echo x >/v/x || echo denied'
	said denied
	complained 'user 1000 can make no file in a volume'
	complained 'usermod --add-subuids 100000-165535 --add-subgids 100000-165535 joe'
	subordinate
	as_joe 0 -v "$PWD/v:/v" "$RUN/root.img" -- sh -c \
		'mkdir /v/own && chown 1000:1001 /v/own; echo x >/v/roots'
	no_word_of_users
	users_of v/own 100999 101000
	users_of v/roots 1000 1000
	as_joe 0 -v "$PWD/v/own:/v" -u 1000:1001 "$RUN/root.img" -- sh -c \
		'echo x >/v/file; mkdir /v/dir; echo x >/v/dir/file; echo y >>/v/file; ls -ln /v/file'
	no_word_of_users
	said '.* 1000  *1001 .*/v/file'
	users_of v/own/file 100999 101000
	users_of v/own/dir/file 100999 101000
	! su -s /bin/sh joe -c "rm -r $PWD/v/own" 2>/dev/null || fail 'joe removes what is not his'
	as_joe 0 -v "$PWD/v:/v" "$RUN/root.img" -- /bin/busybox rm -r /v/own
	[ ! -e v/own ] || fail 'a job of root does not remove it'
	# what is joe's is root's there
	as_joe 0 -v "$PWD/v:/v" -u 1000 "$RUN/root.img" -- sh -c 'echo x >/v/x 2>/dev/null || echo denied'
	said denied
	complained 'user 1000 may not write to /v'
	# programs that refuse
	chmod 755 /usr/bin/newuidmap
	as_joe 0 -v "$PWD/v:/v" "$RUN/root.img" -- sh -c 'echo x >/v/alone'
	complained 'one user alone, the others were not given: .*newuidmap'
	users_of v/alone 1000 1000
	# root has the host's own
	mkdir mine && chown 1000 mine
	job 0 -v "$PWD/mine:/v" -u 1000:1001 "$RUN/root.img" -- sh -c 'echo x >/v/file' </dev/null
	no_word_of_users
	users_of mine/file 1000 1001
}

# hosts_files - all that a job could change here
hosts_files()
{
	for dir in /bin /etc /home /opt /root /usr /var; do
		[ ! -d $dir ] || find $dir -exec stat -c '%n %a %u %g %s %Y %Z' {} +
	done
}

# hosts_root COMMAND... - what a job that COMMAND starts finds in the host's root
hosts_root()
{
	mkdir -p look
	cat >look/script <<-'END'
		cat /opt/public
		for file in /etc/shadow /opt/joes; do
			cat $file 2>/dev/null && echo "$file is readable"
		done
		ls -A /home /var/lib /root /tmp | grep -v -e ':$' -e '^$'
		for dir in /tmp /var/tmp /run /home /var/lib /root /opt /etc $HOME; do
			echo x >$dir/written || echo "$dir is not writable"
		done
		rm /opt/public
		[ ! -e /opt/public ] || echo 'it is still there'
		chmod 666 /etc/shadow 2>/dev/null && cat /etc/shadow
		[ -u /opt/suid ] && su -s /bin/sh joe -c '/opt/suid cat /opt/joes; echo x >/run/joes; echo joe >/tmp/joes' 2>/dev/null
		cat /tmp/joes /run/joes 2>/dev/null
		exit 0
	END
	hosts_files >before
	"$@" --root host -v "$PWD/look:/look" -- sh /look/script
	hosts_files >after
	cmp before after || fail "the host has changed: $(diff before after | head -n 5)"
	printf 'public\njoe\n' | cmp - out || fail "$(head -c 500 out)"
}

case_run_has_the_hosts_root()
{
	host_has_users
	hosts_root job 0 </dev/null
	quick
	job 0 --root host -u joe -- sh -c 'echo x >$HOME/x && ls -l $HOME/x' </dev/null
	said '.* joe  *joe .*joe/x'
	as_joe 125 --root host -- true
	complained 'usermod --add-subuids 100000-165535 --add-subgids 100000-165535 joe'
	subordinate
	hosts_root as_joe 0
	as_joe 125 --jail off --root host -- true
	complained 'leave out --jail off'
	as_joe 125 --root host "$RUN/root.img" -- true
	complained 'ROOT is given twice'
}
