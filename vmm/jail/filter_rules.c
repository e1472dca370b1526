/* SPDX-License-Identifier: Apache-2.0 */
/* filter_rules - which system calls a thread may make once the machine is locked. */
#include "vmm/jail/filter_rules.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/vhost.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "vmm/core/fds.h"
#include "vmm/core/util.h"
#include "vmm/jail/filter.h"

/* The order within a kind of thread is the order of how often it calls. Not here, whatever a
 * feature asks for: a call that takes a path or an address of a socket, that makes a process, a
 * thread, a ring or memory that can be executed, or that reaches another process.
 */
#define WAIT  (FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME) /* with any operation */
#define SPACE (FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)

static const struct filter_rule filter_rules[] = {
	/* ---- the guest runs ---- */
	IOCTL(KVM_RUN, FD_VCPU, VCPU, "the guest runs"),
	IOCTL(KVM_GET_MP_STATE, FD_VCPU, VCPU, "does it halt, or can KVM not run it"),
	ARGS("write", VCPU, 0, "an interrupt; a kick; the loop wakes up", ON(0, FD_WAKE)),
	ARGS("write", VCPU, 0, "a UART's output", ON(0, FD_CONSOLE)),
	ARGS("write", VCPU, 0, "a UART's output; a last sentence", ON(0, FD_STDIO)),

	/* ---- the loop, and what all threads do ---- */
	ANY("epoll_wait|epoll_pwait", LOOP, 0, "the loop sleeps"),
	ANY("read", LOOP | HELPER, 0, "eventfds, timers, signals, taps, terminals"),
	ANY("write", LOOP | HELPER | WORKER, 0, "eventfds, taps, consoles, sentences"),
	ANY("readv", LOOP | HELPER, 0, "a frame, or a console's bytes, for the guest"),
	ANY("writev", LOOP, 0, "the same the other way"),
	ANY("io_uring_enter", LOOP | HELPER, 0, "requests of disks and cards"),
	ARGS("futex", ALL, 0, "locks, waits, wakes", INT_IN(1, WAIT | FUTEX_WAKE)),
	ARGS("futex", ALL, 0, "the same, until a time",
	     {FILTER_INT & ~(uint64_t)WAIT, FUTEX_WAIT_BITSET, 1}),
	ANY("epoll_ctl", LOOP | HELPER, 0, "a source wakes up or falls asleep"),
	ANY("timerfd_settime", LOOP | HELPER, 0, "rates, deadlines, a clock's alarm"),
	ANY("clock_gettime", ALL, 0, "a thread's own time; all clocks without a vDSO"),
	ANY("poll|ppoll", LOOP | HELPER | WORKER, 0,
	    "is a peer there; would a line of the log wait"),
	ANY("sched_yield", LOOP, 0, "the holder of a lock waits for the host"),
	ANY("getrandom", LOOP, 0, "entropy for the guest"),
	ANY("close", LOOP | HELPER | WORKER, 0,
	    "a connection is over, a ring ends; a report is written"),
	ANY("rt_sigreturn", LOOP | VCPU, 0, "the end of a signal's handler"),
	ANY("rt_sigprocmask", LOOP, 0, "a terminal's mode is set in the background"),
	ANY("restart_syscall", LOOP | HELPER | WORKER, 0,
	    "goes on with a sleep after SIGSTOP and SIGCONT"),
	ANY("clock_nanosleep", LOOP | VCPU, 0, "a nap before another try"),
	ANY("exit_group", ALL, 0, "the program's end, and this filter's sentence"),
	ARGS("tgkill", LOOP, 0, "a vCPU leaves the guest", INT(0, FILTER_PID),
	     INT(2, SIGURG)),
	ANY("getrusage", LOOP | WORKER, 0, "a report says how much was used"),
	ARGS("ftruncate", LOOP | WORKER, 0, "a report over one that cannot be replaced",
	     LONG(1, 0)),

	/* ---- memory: never executable, never a file ---- */
	ARGS("mmap", LOOP, 0, "malloc(), of much", LONG_IN(2, PROT_READ | PROT_WRITE),
	     LONG_BUT(3, MAP_NORESERVE, MAP_PRIVATE | MAP_ANONYMOUS)),
	ANY("munmap", LOOP | HELPER, 0, "free(), of much"),
	ANY("brk", LOOP | HELPER | WORKER, 0, "malloc()"),
	ARGS("madvise", WORKER, 0, "pages that a balloon gave back",
	     INT(2, MADV_DONTNEED)),
	ARGS("mmap", WORKER, 0, "the same, of a machine that was saved",
	     LONG(2, PROT_READ | PROT_WRITE),
	     LONG(3, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)),

	/* ---- disks ---- */
	ANY("preadv2", LOOP | WORKER, 0, "a disk without io_uring; an overlay's bits"),
	ANY("pwritev2", LOOP | WORKER, 0, "the same"),
	ANY("fdatasync", LOOP | WORKER, 0, "a flush"),
	ARGS("fallocate", WORKER, 0, "a discard; shared memory given back",
	     INT_IN(1, SPACE)),
	{FSTAT,
	 LOOP | WORKER,
	 0,
	 {{FSTAT_FLAGS, AT_EMPTY_PATH, 3}},
	 "how long is a file"},
	ARGS("fcntl", LOOP, 0, "a disk's lock is let go", INT(1, F_OFD_SETLK)),
	IOCTL(BLKDISCARD, FD_DISK, WORKER, "a discard of a device"),
	IOCTL(BLKGETSIZE64, FD_DISK, LOOP, "has a device grown (SIGUSR2)"),
	ANY("ftruncate", LOOP, JAIL_EXTRA_CONTROL, "a disk is told to grow"),

	/* ---- a device comes to life, or is reset ---- */
	IOCTL(KVM_IOEVENTFD, FD_VM, HELPER, "a doorbell"),
	IOCTL(KVM_SET_USER_MEMORY_REGION, FD_VM, HELPER, "registers that a guest reads"),
	IOCTL(KVM_IRQFD, FD_VM, HELPER, "a pin is unmasked"),
	IOCTL(KVM_SET_GSI_ROUTING, FD_VM, HELPER, "where a pin's interrupt goes"),
	IOCTL(TUNSETOFFLOAD, FD_TAP, LOOP | HELPER, "a driver's features"),
	IOCTL(TUNSETQUEUE, FD_TAP, LOOP | HELPER, "pairs of queues"),
	IOCTL(TUNGETIFF, FD_TAP, LOOP | HELPER, "is the tap still there"),
	ARGS("ioctl", LOOP, 0, "a console's size, whichever terminal it is",
	     INT(1, TIOCGWINSZ)),
	IOCTL(TCGETS, FD_STDIO, LOOP, "the terminal's mode"),
	IOCTL(TCSETS, FD_STDIO, LOOP, "raw while the guest has it"),
	IOCTL(VHOST_SET_MEM_TABLE, FD_VHOST, LOOP | HELPER, "vhost-net comes to life"),
	IOCTL(VHOST_SET_FEATURES, FD_VHOST, LOOP | HELPER, "the same"),
	IOCTL(VHOST_SET_VRING_NUM, FD_VHOST, LOOP | HELPER, "the same"),
	IOCTL(VHOST_SET_VRING_BASE, FD_VHOST, LOOP | HELPER, "the same"),
	IOCTL(VHOST_SET_VRING_ADDR, FD_VHOST, LOOP | HELPER, "the same"),
	IOCTL(VHOST_SET_VRING_CALL, FD_VHOST, LOOP | HELPER, "the same"),
	IOCTL(VHOST_SET_VRING_ERR, FD_VHOST, LOOP | HELPER, "the same"),
	IOCTL(VHOST_SET_VRING_KICK, FD_VHOST, LOOP | HELPER, "the same"),
	IOCTL(VHOST_NET_SET_BACKEND, FD_VHOST, LOOP | HELPER,
	      "its tap; none, for a rest"),

	/* ---- sockets: consoles and ports, vsock, passt, back ends, a tap's news ---- */
	ANY("accept4", LOOP, JAIL_EXTRA_SOCKETS | JAIL_EXTRA_CONTROL,
	    "a client of a socket of ours"),
	ANY("recvfrom", LOOP | HELPER, JAIL_EXTRA_SOCKETS | JAIL_EXTRA_DAEMONS,
	    "a look, or bytes, of a peer; has a back end hung up"),
	ANY("sendto", LOOP | HELPER, JAIL_EXTRA_SOCKETS, "bytes, without a SIGPIPE"),
	ANY("recvmsg", LOOP | HELPER | WORKER, 0,
	    "the broker's answer, its signals; an answer of a back end"),
	ANY("sendmsg", LOOP | HELPER | WORKER, 0,
	    "a question to the broker; frames; a back end's descriptors"),
	ANY("shutdown", LOOP, JAIL_EXTRA_SOCKETS, "half of a connection is over"),
	ARGS("fcntl", LOOP, JAIL_EXTRA_SOCKETS,
	     "a client's two directions are two sources", INT(1, F_DUPFD_CLOEXEC)),
	ARGS("setsockopt", LOOP, JAIL_EXTRA_SOCKETS,
	     "what the host keeps of a connection", INT(1, SOL_SOCKET),
	     INT(2, SO_SNDBUF)),
	ARGS("wait4", LOOP, JAIL_EXTRA_DAEMONS, "has a back end ended", INT(2, WNOHANG)),
};

const struct filter_rule *filter_rule(unsigned int i)
{
	if (i < ARRAY_SIZE(filter_rules))
		return &filter_rules[i];
	i -= (unsigned int)ARRAY_SIZE(filter_rules);
	if (i < filter_rules_arch_n)
		return &filter_rules_arch[i];
	i -= filter_rules_arch_n;
	if (i < filter_rules_broker_n)
		return &filter_rules_broker[i];
	i -= filter_rules_broker_n;
	if (i < filter_rules_copier_n)
		return &filter_rules_copier[i];
	i -= filter_rules_copier_n;
	if (i < filter_rules_reader_n)
		return &filter_rules_reader[i];
	i -= filter_rules_reader_n;
	return i < filter_rules_importer_n ? &filter_rules_importer[i] : NULL;
}

bool filter_rule_allows(const struct filter_rule *r, enum thread_kind kind,
			unsigned int extras, const uint64_t args[FILTER_SYS_ARGS],
			uint32_t pid)
{
	if (!(r->threads & 1U << kind) || (r->extra && !(r->extra & extras)))
		return false;
	for (unsigned int i = 0; i < FILTER_ARGS_MAX && r->arg[i].mask; i++) {
		const struct filter_arg *a = &r->arg[i];
		uint64_t value = a->value == FILTER_PID ? pid : a->value;

		if ((args[a->nr] & a->mask) != value)
			return false;
	}
	return true;
}

/* FNV-1a over 64-bit words */
static void filter_sum_add(uint64_t *sum, uint64_t v)
{
	*sum = (*sum ^ v) * UINT64_C(0x100000001b3);
}

uint64_t filter_rules_sum(void)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (unsigned int i = 0; filter_rule(i); i++) {
		const struct filter_rule *r = filter_rule(i);

		filter_sum_add(&sum, (uint64_t)r->threads << 32 | r->extra);
		for (unsigned int j = 0; j < FILTER_ARGS_MAX; j++) {
			filter_sum_add(&sum, r->arg[j].mask);
			filter_sum_add(&sum, r->arg[j].value);
			filter_sum_add(&sum, r->arg[j].nr);
		}
	}
	return sum;
}
