/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_session - frames of jobs, whose commands are plain processes of this host */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest-images/agent/copy.h"
#include "guest-images/agent/job.h"
#include "guest-images/agent/session.h"
#include "tests/lib/unit.h"

/* What comes of a session, as the host sees it */
struct seen {
	size_t bytes[AGENT_STREAMS], credit;
	char text[AGENT_STREAMS][4096];
	bool eof[AGENT_STREAMS], started, over;
	struct agent_exit exit;
};

static struct agent_writer from_host, out;
static struct agent_reader at_agent, at_host;
static struct seen seen[100];
static bool oom, give_credit, cannot_start;
static unsigned int flushed;

/* The rest of the agent, as far as sessions call it */
void machine_flush(void)
{
	flushed++;
}

bool cgroup_oom(unsigned int number)
{
	(void)number;
	return oom;
}

void cgroup_remove(unsigned int number)
{
	(void)number;
}

unsigned long cgroup_limit(void)
{
	return 64UL << 20;
}

/* A reaper without namespaces: its command is a shell's */
static _Noreturn void reap(const struct spec *s, int ctl, int in, int outfd, int err)
{
	struct note note = {.what = NOTE_STARTED};
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		dup2(in, 0);
		dup2(outfd, 1);
		dup2(err, 2);
		execv("/bin/sh", s->argv);
		_exit(126);
	}
	close(in);
	close(outfd);
	close(err);
	(void)send(ctl, &note, sizeof(note), 0);
	while (waitpid(pid, &status, WNOHANG) != pid) {
		struct pollfd p = {ctl, POLLIN, 0};
		uint8_t signal;

		(void)poll(&p, 1, 5);
		if (recv(ctl, &signal, 1, MSG_DONTWAIT) == 1)
			(void)kill(pid, signal);
	}
	note.what = NOTE_ENDED;
	note.status = (uint32_t)status;
	(void)send(ctl, &note, sizeof(note), 0);
	_exit(0);
}

bool job_start(struct job *job, const struct spec *s, unsigned int number,
	       char why[AGENT_SENTENCE + 1])
{
	int in[2], o[2], e[2], ctl[2];

	(void)number;
	if (cannot_start)
		return sentence(why, "there is no way to start it");
	ck_assert(!pipe2(in, O_CLOEXEC) && !pipe2(o, O_CLOEXEC) && !pipe2(e, O_CLOEXEC));
	ck_assert(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ctl));
	job->reaper = fork();
	if (job->reaper == 0) {
		close(in[1]);
		close(ctl[0]);
		reap(s, ctl[1], in[0], o[1], e[1]);
	}
	close(in[0]);
	close(o[1]);
	close(e[1]);
	close(ctl[1]);
	*job = (struct job){job->reaper, ctl[0], in[1], o[0], e[0], -1};
	ck_assert(!fcntl(in[1], F_SETFL, O_NONBLOCK) &&
		  !fcntl(o[0], F_SETFL, O_NONBLOCK) && !fcntl(e[0], F_SETFL, O_NONBLOCK));
	return true;
}

/* What packs is a shell that writes a little, or waits for its end */
bool copy_out(struct copy *c, char *const *src, unsigned int n)
{
	int fds[2];

	c->begun = true;
	if (!n || pipe2(fds, O_CLOEXEC) < 0)
		return false;
	c->pid = fork();
	if (c->pid == 0) {
		dup2(fds[1], 1);
		execl("/bin/sh", "sh", "-c", src[0], NULL);
		_exit(126);
	}
	close(fds[1]);
	c->fd = fds[0];
	ck_assert(!fcntl(c->fd, F_SETFL, O_NONBLOCK));
	return true;
}

static void setup(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	memset(seen, 0, sizeof(seen));
	at_agent.from = AGENT_HOST;
	at_host.from = AGENT_GUEST;
	give_credit = true;
	oom = cannot_start = false;
}

static void carry(struct agent_writer *w, struct agent_reader *r)
{
	size_t n, room;
	const uint8_t *p = agent_unsent(w, &n);
	uint8_t *q;

	room = agent_room(r, &q);
	n = n < room ? n : room;
	memcpy(q, p, n);
	agent_got(r, n);
	agent_wrote(w, n);
}

static void host_takes(const struct agent_frame *f)
{
	struct seen *s = &seen[f->session];

	ck_assert(!s->over);
	if (f->type == AGENT_DATA) {
		ck_assert(!s->eof[f->stream]);
		if (s->bytes[f->stream] + f->len < sizeof(s->text[0]))
			memcpy(s->text[f->stream] + s->bytes[f->stream], f->payload,
			       f->len);
		s->bytes[f->stream] += f->len;
		if (give_credit)
			ck_assert(agent_put_u32(&from_host, AGENT_CREDIT, f->session,
						f->stream, f->len));
	} else if (f->type == AGENT_CREDIT) {
		s->credit += agent_u32(f);
	} else if (f->type == AGENT_EOF) {
		s->eof[f->stream] = true;
	} else if (f->type == AGENT_STARTED) {
		s->started = true;
	} else if (f->type == AGENT_EXIT) {
		s->over = true;
		agent_exit(f, &s->exit);
	}
}

/* A turn of the agent's loop, with the host's side of it; it waits for @ms at most */
static void turn(int ms)
{
	struct pollfd fds[SESSION_POLLS];
	struct agent_frame f;
	int status, rc = 0;
	pid_t pid;

	carry(&from_host, &at_agent);
	while (agent_space(&out) && (rc = agent_next(&at_agent, &f)) == 1)
		sessions_frame(&out, &f);
	ck_assert_int_ge(rc, 0);
	(void)poll(fds, sessions_poll(&out, fds), ms);
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		sessions_reaped(&out, pid, status);
	sessions_run(&out);
	carry(&out, &at_host);
	while ((rc = agent_next(&at_host, &f)) == 1)
		host_takes(&f);
	ck_assert_int_ge(rc, 0);
}

static void until(const bool *what)
{
	while (!*what)
		turn(10);
}

static void say(enum agent_type type, unsigned int id, const void *p, size_t n)
{
	while (!agent_put(&from_host, type, id, 0, p, n))
		turn(10);
}

static void start(unsigned int id, const char *command, bool with_stdin)
{
	char text[1000];
	int n = snprintf(text, sizeof(text), "arg=sh%carg=-c%carg=%s%c%s", 0, 0, command,
			 0, with_stdin ? "stdin=open" : "env=A=");

	say(AGENT_JOB, id, text, (size_t)n + 1);
	say(AGENT_START, id, NULL, 0);
}

static const struct agent_exit *ends(unsigned int id)
{
	until(&seen[id].over);
	return &seen[id].exit;
}

START_TEST(a_job_ends_as_it_ended)
{
	start(1, "echo out; echo err >&2; exit 7", false);
	ck_assert_int_eq(ends(1)->how, AGENT_EXITED);
	ck_assert_int_eq(seen[1].exit.status, 7);
	ck_assert_str_eq(seen[1].text[AGENT_STDOUT], "out\n");
	ck_assert_str_eq(seen[1].text[AGENT_STDERR], "err\n");
	ck_assert(seen[1].started && seen[1].eof[1] && seen[1].eof[2]);
	ck_assert_uint_gt(flushed, 0);
	start(2, "kill -USR1 $$", false);
	ck_assert_int_eq(ends(2)->how, AGENT_SIGNALLED);
	ck_assert_int_eq(seen[2].exit.status, SIGUSR1);
}
END_TEST

static void start_and_copy(unsigned int id, const char *command, const char *packs)
{
	char text[1000];
	int n = snprintf(text, sizeof(text), "arg=sh%carg=-c%carg=%s%ccopy=%s", 0, 0,
			 command, 0, packs);

	say(AGENT_JOB, id, text, (size_t)n + 1);
	say(AGENT_START, id, NULL, 0);
}

/* More than a window, and after all that the job has to say */
START_TEST(files_come_between_the_streams_and_the_end)
{
	start_and_copy(1, "echo out; exit 7", "yes | head -c 600000");
	while (!seen[1].bytes[AGENT_FILES])
		turn(10);
	ck_assert(seen[1].eof[AGENT_STDOUT] && seen[1].eof[AGENT_STDERR]);
	ck_assert_int_eq(ends(1)->status, 7);
	ck_assert_uint_eq(seen[1].bytes[AGENT_FILES], 600000);
	ck_assert(seen[1].eof[AGENT_FILES]);
	/* nothing of a job that never was */
	cannot_start = true;
	start_and_copy(2, "true", "echo x");
	ck_assert_int_eq(ends(2)->how, AGENT_CANNOT);
	ck_assert(!seen[2].eof[AGENT_FILES]);
}
END_TEST

START_TEST(copying_out_is_ended_by_a_signal_that_ends)
{
	const uint8_t usr1 = SIGUSR1, intr = SIGINT;

	start_and_copy(1, "exit 3", "echo x; exec sleep 999");
	while (!seen[1].bytes[AGENT_FILES])
		turn(10);
	say(AGENT_SIGNAL, 1, &usr1, 1);
	for (int i = 0; i < 5; i++)
		turn(5);
	ck_assert(!seen[1].over);
	say(AGENT_SIGNAL, 1, &intr, 1);
	ck_assert_int_eq(ends(1)->status, 3);
}
END_TEST

START_TEST(only_a_kill_can_be_for_want_of_memory)
{
	oom = true;
	start(1, "kill -KILL $$", false);
	ck_assert_int_eq(ends(1)->how, AGENT_OOM);
	ck_assert_ptr_nonnull(strstr(seen[1].exit.sentence, "64 MiB"));
	start(2, "exit 137", false);
	ck_assert_int_eq(ends(2)->how, AGENT_OOM);
	start(3, "exit 3", false);
	ck_assert_int_eq(ends(3)->how, AGENT_EXITED);
	start(4, "kill -TERM $$", false);
	ck_assert_int_eq(ends(4)->how, AGENT_SIGNALLED);
	oom = false;
	start(5, "kill -KILL $$", false);
	ck_assert_int_eq(ends(5)->how, AGENT_SIGNALLED);
}
END_TEST

START_TEST(signals_reach_the_job)
{
	const uint8_t usr1 = SIGUSR1, kill = SIGKILL;

	start(1, "trap 'exit 9' USR1; echo ready; while :; do sleep 0.01; done", false);
	while (!seen[1].bytes[AGENT_STDOUT])
		turn(10);
	say(AGENT_SIGNAL, 1, &usr1, 1);
	ck_assert_int_eq(ends(1)->status, 9);
	/* here the reaper has no namespace that ends with it */
	start(2, "exec 1>&- 2>&-; trap '' TERM; sleep 0.3", false);
	until(&seen[2].started);
	oom = true;
	say(AGENT_SIGNAL, 2, &kill, 1);
	ck_assert_int_eq(ends(2)->how, AGENT_SIGNALLED);
	ck_assert_int_eq(seen[2].exit.status, SIGKILL);
}
END_TEST

/* 300 kB are more than the window and more than the pipes hold */
START_TEST(stdin_comes_out_whole_and_its_credit_back)
{
	static uint8_t bytes[300000];
	size_t sent = 0;

	start(1, "cat", true);
	while (sent < sizeof(bytes)) {
		size_t may = AGENT_WINDOW + seen[1].credit - sent,
		       n = sizeof(bytes) - sent;

		n = n < may ? n : may;
		n = n < AGENT_PAYLOAD ? n : AGENT_PAYLOAD;
		if (n)
			say(AGENT_DATA, 1, bytes + sent, n);
		sent += n;
		turn(10);
	}
	say(AGENT_EOF, 1, NULL, 0);
	ck_assert_int_eq(ends(1)->status, 0);
	ck_assert_uint_eq(seen[1].bytes[AGENT_STDOUT], sizeof(bytes));
	ck_assert_uint_eq(seen[1].credit, sizeof(bytes));
}
END_TEST

START_TEST(a_stream_that_nobody_reads_stops_itself_alone)
{
	give_credit = false;
	start(1, "yes | head -c 1000000 & echo err >&2; wait", false);
	start(2, "echo beside", false);
	ck_assert_int_eq(ends(2)->status, 0);
	while (seen[1].bytes[AGENT_STDOUT] < AGENT_WINDOW || !seen[1].bytes[AGENT_STDERR])
		turn(10);
	for (int i = 0; i < 20; i++)
		turn(5);
	ck_assert_uint_eq(seen[1].bytes[AGENT_STDOUT], AGENT_WINDOW);
	ck_assert(!seen[1].over);
	give_credit = true;
	ck_assert(agent_put_u32(&from_host, AGENT_CREDIT, 1, AGENT_STDOUT, AGENT_WINDOW));
	ck_assert_int_eq(ends(1)->status, 0);
	ck_assert_uint_eq(seen[1].bytes[AGENT_STDOUT], 1000000);
}
END_TEST

START_TEST(what_a_job_left_in_its_streams_comes_after_its_end)
{
	give_credit = false;
	start(1, "yes | head -c 262144; yes | head -c 60000; exit 5", false);
	while (seen[1].bytes[AGENT_STDOUT] < AGENT_WINDOW)
		turn(10);
	for (int i = 0; i < 20; i++)
		turn(5);
	ck_assert_uint_eq(seen[1].bytes[AGENT_STDOUT], AGENT_WINDOW);
	ck_assert(!seen[1].over);
	ck_assert(agent_put_u32(&from_host, AGENT_CREDIT, 1, AGENT_STDOUT, AGENT_WINDOW));
	ck_assert_int_eq(ends(1)->status, 5);
	ck_assert_uint_eq(seen[1].bytes[AGENT_STDOUT], AGENT_WINDOW + 60000);
}
END_TEST

START_TEST(a_job_that_closes_its_streams_takes_stdin_nowhere)
{
	static uint8_t bytes[AGENT_PAYLOAD];

	start(1, "exec <&- >&- 2>&-; sleep 0.2; exit 4", true);
	for (int i = 0; i < 20; i++) {
		while (AGENT_WINDOW + seen[1].credit < (size_t)(i + 1) * sizeof(bytes))
			turn(10);
		say(AGENT_DATA, 1, bytes, sizeof(bytes));
	}
	ck_assert_int_eq(ends(1)->status, 4);
}
END_TEST

START_TEST(what_the_host_may_not_ends_the_session_alone)
{
	static uint8_t bytes[AGENT_PAYLOAD];

	start(9, "sleep 0.5; exit 1", false);
	start(1, "exec >&- 2>&-; sleep 0.1", false);
	say(AGENT_DATA, 1, "x", 1); /* it has no stdin */
	start(2, "exec >&- 2>&-; sleep 0.1", false);
	say(AGENT_START, 2, NULL, 0);
	start(3, "exec >&- 2>&-; sleep 0.1", false);
	ck_assert(agent_put_u32(&from_host, AGENT_CREDIT, 3, AGENT_STDOUT, 1));
	start(4, "exec >&- 2>&-; sleep 0.1", true);
	say(AGENT_EOF, 4, NULL, 0);
	say(AGENT_DATA, 4, "x", 1);
	start(5, "exec >&- 2>&-; sleep 0.1", true);
	for (unsigned int i = 0; i < AGENT_WINDOW / AGENT_PAYLOAD + 2; i++)
		say(AGENT_DATA, 5, bytes, sizeof(bytes));
	say(AGENT_JOB, 6, "cut", 3);
	say(AGENT_START, 6, NULL, 0);
	for (unsigned int i = 1; i <= 6; i++) {
		ck_assert_int_eq(ends(i)->how, AGENT_CANNOT);
		ck_assert_int_eq(seen[i].exit.status, 125);
		ck_assert_uint_gt(strlen(seen[i].exit.sentence), 10);
	}
	ck_assert_int_eq(ends(9)->status, 1);
}
END_TEST

START_TEST(a_job_that_cannot_start_says_why)
{
	cannot_start = true;
	start(1, "true", false);
	ck_assert_int_eq(ends(1)->how, AGENT_CANNOT);
	ck_assert_str_eq(seen[1].exit.sentence, "there is no way to start it");
}
END_TEST

START_TEST(one_session_too_many_is_refused)
{
	for (unsigned int i = 1; i <= AGENT_SESSIONS + 1; i++)
		start(i, "read x; exit 2", true);
	ck_assert_int_eq(ends(AGENT_SESSIONS + 1)->how, AGENT_CANNOT);
	for (unsigned int i = 1; i <= AGENT_SESSIONS; i++) {
		ck_assert(!seen[i].over);
		say(AGENT_EOF, i, NULL, 0);
	}
	for (unsigned int i = 1; i <= AGENT_SESSIONS; i++)
		ck_assert_int_eq(ends(i)->status, 2);
	/* and what crosses the end is nothing to anybody */
	say(AGENT_DATA, 1, "late", 4);
	say(AGENT_START, 1, NULL, 0);
	start(50, "exit 3", false);
	ck_assert_int_eq(ends(50)->status, 3);
}
END_TEST

UNIT_MAIN("agent_session", setup, NULL, t)
{
	tcase_add_test(t, a_job_ends_as_it_ended);
	tcase_add_test(t, files_come_between_the_streams_and_the_end);
	tcase_add_test(t, copying_out_is_ended_by_a_signal_that_ends);
	tcase_add_test(t, only_a_kill_can_be_for_want_of_memory);
	tcase_add_test(t, signals_reach_the_job);
	tcase_add_test(t, stdin_comes_out_whole_and_its_credit_back);
	tcase_add_test(t, a_stream_that_nobody_reads_stops_itself_alone);
	tcase_add_test(t, what_a_job_left_in_its_streams_comes_after_its_end);
	tcase_add_test(t, a_job_that_closes_its_streams_takes_stdin_nowhere);
	tcase_add_test(t, what_the_host_may_not_ends_the_session_alone);
	tcase_add_test(t, a_job_that_cannot_start_says_why);
	tcase_add_test(t, one_session_too_many_is_refused);
}
