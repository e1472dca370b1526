/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_agent_session - what a host says of its sessions to the agent in the guest, and what jobs do
 * with their streams.  The jobs are none: descriptors of ours, and a reaper that says anything.
 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest-images/agent/copy.h"
#include "guest-images/agent/job.h"
#include "guest-images/agent/session.h"
#include "vmm/core/util.h"

#define JOBS 64

/* A job's own ends; -1 where it has closed them */
struct fake {
	pid_t reaper;
	int ctl, in, out, err;
	bool over;
};

static struct fake jobs[JOBS];
static unsigned int njobs;
static uint16_t ids[UINT16_MAX + 1]; /* of sessions that the host has opened */
static unsigned int nids;
static struct agent_reader at_agent, at_host;
static struct agent_writer out;

void machine_flush(void)
{
}

bool cgroup_oom(unsigned int number)
{
	return number & 1;
}

void cgroup_remove(unsigned int number)
{
	(void)number;
}

unsigned long cgroup_limit(void)
{
	return 1;
}

bool copy_out(struct copy *c, char *const *src, unsigned int n)
{
	fuzz_check(n > 0 && src[n - 1]);
	c->begun = true;
	return false;
}

bool job_start(struct job *job, const struct spec *s, unsigned int number,
	       char why[AGENT_SENTENCE + 1])
{
	int in[2], o[2], e[2], ctl[2];

	if (njobs == JOBS)
		return sentence(why, "job %u is one too many", number);
	fuzz_check(s->nargs > 0 && !s->argv[s->nargs] && !s->env[s->nenv]);
	BUG_ON(pipe2(in, O_CLOEXEC | O_NONBLOCK) || pipe2(o, O_CLOEXEC | O_NONBLOCK) ||
	       pipe2(e, O_CLOEXEC | O_NONBLOCK) ||
	       socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
			  ctl));
	/* a process that never was: kill() finds nobody */
	jobs[njobs] = (struct fake){
		0x7fff0000 + (pid_t)njobs, ctl[1], in[0], o[1], e[1], false};
	*job = (struct job){jobs[njobs++].reaper, ctl[0], in[1], o[0], e[0], -1};
	return true;
}

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void end(struct fake *j, int status)
{
	shut(&j->ctl);
	shut(&j->in);
	shut(&j->out);
	shut(&j->err);
	if (!j->over)
		sessions_reaped(&out, j->reaper, status);
	j->over = true;
}

/* What the agent sends is within its rules, and within the credit that each stream had */
static void host_reads(void)
{
	struct agent_frame f;
	uint8_t *p;
	size_t n, room;
	const uint8_t *q;
	int rc;

	for (q = agent_unsent(&out, &n); n; q = agent_unsent(&out, &n)) {
		room = agent_room(&at_host, &p);
		room = MIN(room, n);
		memcpy(p, q, room);
		agent_got(&at_host, room);
		agent_wrote(&out, room);
		while ((rc = agent_next(&at_host, &f)) == 1)
			fuzz_check(f.session != 0);
		fuzz_check(rc == 0);
	}
}

static void job_does(struct fuzz_in *in)
{
	struct fake *j = &jobs[fuzz_u8(in) % MAX(njobs, 1U)];
	static char bytes[65536];
	struct note note;

	switch (fuzz_u8(in) % 8) {
	case 0:
		end(j, fuzz_u16(in));
		break;
	case 1:
		(void)!write(j->out, bytes, fuzz_u16(in));
		break;
	case 2:
		(void)!write(j->err, bytes, fuzz_u16(in));
		break;
	case 3:
		(void)!read(j->in, bytes, fuzz_u16(in));
		break;
	case 4:
		shut(&j->in);
		break;
	case 5:
		shut(fuzz_u8(in) & 1 ? &j->out : &j->err);
		break;
	case 6:
		fuzz_bytes(in, &note, sizeof(note));
		(void)send(j->ctl, &note, fuzz_u8(in) % 4 ? sizeof(note) : fuzz_u8(in),
			   MSG_NOSIGNAL);
		break;
	default:
		shut(&j->ctl);
		break;
	}
}

static int host_says(struct fuzz_in *in)
{
	size_t n = fuzz_u8(in), room;
	struct agent_frame f;
	uint8_t *p;
	int rc = 0;

	room = agent_room(&at_agent, &p);
	n = MIN(MIN(n, room), in->n);
	fuzz_bytes(in, p, n);
	agent_got(&at_agent, n);
	while (agent_space(&out) && (rc = agent_next(&at_agent, &f)) == 1)
		if (f.session) {
			if (f.type == AGENT_JOB && nids < ARRAY_SIZE(ids))
				ids[nids++] = f.session;
			sessions_frame(&out, &f);
		}
	return rc;
}

/* A frame that the host may send */
static void say(enum agent_type type, unsigned int id, unsigned int stream, uint32_t v)
{
	const uint8_t bytes[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16),
				  (uint8_t)(v >> 24)};
	struct agent_frame f = {type, (uint8_t)stream, (uint16_t)id, bytes,
				type == AGENT_CREDIT ? 4 : 0};

	sessions_frame(&out, &f);
	sessions_run(&out);
	host_reads();
}

/* Whatever was said, every session can end: started twice it is over when its job is, and with all the
 * credit that there is its streams end */
static void end_all(void)
{
	host_reads();
	for (unsigned int i = 0; i < nids; i++) {
		say(AGENT_START, ids[i], 0, 0);
		say(AGENT_START, ids[i], 0, 0);
	}
	for (unsigned int i = 0; i < njobs; i++)
		end(&jobs[i], 0);
	for (unsigned int i = 0; i < nids; i++)
		for (unsigned int stream = AGENT_STDOUT; stream <= AGENT_STDERR; stream++)
			for (uint32_t v = AGENT_WINDOW / 2; v; v /= 2)
				say(AGENT_CREDIT, ids[i], stream, v);
	fuzz_check(sessions_poll(&out, (struct pollfd[SESSION_POLLS]){{0}}) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	struct pollfd fds[SESSION_POLLS];
	int rc = 0;

	(void)signal(SIGPIPE, SIG_IGN); /* no default of PID 1 ends it */
	at_agent.begin = at_agent.end = at_host.begin = at_host.end = 0;
	at_agent.from = AGENT_HOST;
	at_host.from = AGENT_GUEST;
	out.begin = out.end = 0;
	njobs = nids = 0;
	while (in.n && rc >= 0) {
		if ((fuzz_u8(&in) & 1) && njobs)
			job_does(&in);
		else
			rc = host_says(&in);
		fuzz_check(sessions_poll(&out, fds) <= SESSION_POLLS);
		sessions_run(&out);
		if (fuzz_u8(&in) & 3)
			host_reads();
	}
	end_all();
	return 0;
}
