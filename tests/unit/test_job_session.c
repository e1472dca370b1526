/* SPDX-License-Identifier: Apache-2.0 */
/* a job's session against an agent that follows a script: what it says, and what it does not believe */
#include <signal.h>
#include <stdlib.h>

#include "tests/unit/job_peer.h"
#include "tests/lib/unit.h"

static void setup(void)
{
	peer_open();
}

static void teardown(void)
{
	peer_close();
}

static void expect_next(enum agent_type type)
{
	struct agent_frame f;

	ck_assert(peer_hear(&f));
	ck_assert_int_eq(f.type, type);
}

static void say_exit(enum agent_how how, uint8_t status, const char *sentence)
{
	struct agent_exit x = {.how = how, .status = status};

	(void)snprintf(x.sentence, sizeof(x.sentence), "%s", sentence);
	for (unsigned int i = AGENT_STDOUT; i <= AGENT_STDERR; i++)
		ck_assert(agent_put(&said, AGENT_EOF, JOB_SESSION, i, NULL, 0));
	ck_assert(agent_put_exit(&said, JOB_SESSION, &x));
	peer_send();
}

static void greeted(void)
{
	struct agent_frame f;

	peer_greet();
	do
		ck_assert(peer_hear(&f));
	while (f.type != AGENT_START);
}

static void begun(void)
{
	peer_begin();
	greeted();
}

/* The session is over, and that is not the job's */
static void offended(const char *sentence)
{
	ck_assert(ended);
	ck_assert_int_eq(verdict.cause, CAUSE_HOST_ERROR);
	ck_assert_int_eq(verdict.status, 125);
	ck_assert_msg(strstr(verdict.detail, sentence) != NULL, "%s", verdict.detail);
}

static void expect_text(int fd, const char *text)
{
	char buf[256] = "";

	driver_settle(&d);
	ck_assert_int_eq(read(fd, buf, sizeof(buf) - 1), (ssize_t)strlen(text));
	ck_assert_str_eq(buf, text);
}

/* ---- the beginning ---- */

START_TEST(beginning_is_said_at_once_and_in_order)
{
	struct agent_hello hello;
	struct agent_frame f;

	peer_begin();
	ck_assert(peer_hear(&f));
	ck_assert_int_eq(f.type, AGENT_HELLO);
	agent_hello(&f, &hello);
	ck_assert_uint_eq(hello.version, AGENT_VERSION);
	ck_assert_uint_gt(hello.wall_ns, 0);
	ck_assert(peer_hear(&f));
	ck_assert_int_eq(f.type, AGENT_MACHINE);
	ck_assert_str_eq((const char *)f.payload, "root=virtiofs:root");
	expect_next(AGENT_MADE);
	ck_assert(peer_hear(&f));
	ck_assert_int_eq(f.type, AGENT_JOB);
	ck_assert_str_eq((const char *)f.payload, "arg=/bin/true");
	expect_next(AGENT_START);
	ck_assert(!peer_hear(&f));
}
END_TEST

/* More than a frame and a socket hold */
START_TEST(long_command_arrives_whole)
{
	static char word[200000];
	struct agent_frame f;
	size_t len = 0;

	memset(word, 'x', sizeof(word) - 1);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(job_text_add(&job, &err, "arg=%s", word), 0);
	peer_begin();
	do {
		ck_assert(peer_hear(&f));
		if (f.type == AGENT_JOB)
			len += f.len;
	} while (f.type != AGENT_START);
	ck_assert_uint_eq(len, job.len);
	ck_assert_int_lt(job_text_add(&job, &err, "arg=%s%s%s", word, word, word), 0);
	ck_assert_int_eq(err.usage, 1);
}
END_TEST

START_TEST(another_version_is_refused)
{
	const struct agent_hello hello = {.version = AGENT_VERSION + 1};

	peer_begin();
	ck_assert(agent_put_hello(&said, AGENT_GUEST, &hello));
	peer_send();
	offended("make it again");
}
END_TEST

START_TEST(machine_that_cannot_serve_says_why)
{
	peer_begin();
	ck_assert(agent_put_fail(&said, "no driver for squashfs"));
	peer_send();
	offended("no driver for squashfs");
}
END_TEST

START_TEST(phases_are_not_noted)
{
	struct agent_frame f;
	uint64_t before = monotonic_ns();

	begun();
	ck_assert_uint_ge(s.greeted_ns, before);
	ck_assert_uint_ge(s.ready_ns, s.greeted_ns);
	ck_assert_uint_ge(s.started_ns, s.ready_ns);
	ck_assert_uint_eq(s.exited_ns, 0);
	say_exit(AGENT_EXITED, 0, "");
	ck_assert_uint_ge(s.exited_ns, s.started_ns);
	ck_assert(!peer_hear(&f));
}
END_TEST

/* ---- streams ---- */

START_TEST(streams_are_mixed)
{
	begun();
	ck_assert(agent_put(&said, AGENT_DATA, JOB_SESSION, AGENT_STDOUT, "out", 3));
	ck_assert(agent_put(&said, AGENT_DATA, JOB_SESSION, AGENT_STDERR, "err", 3));
	ck_assert(agent_put(&said, AGENT_DATA, JOB_SESSION, AGENT_STDOUT, "put", 3));
	peer_send();
	expect_text(stdout_end, "output");
	expect_text(stderr_end, "err");
}
END_TEST

START_TEST(stdin_and_its_end_arrive)
{
	struct agent_frame f;

	begun();
	ck_assert_int_eq(write(stdin_end, "in\0put", 6), 6);
	ck_assert(peer_hear(&f));
	ck_assert_int_eq(f.type, AGENT_DATA);
	ck_assert_uint_eq(f.len, 6);
	ck_assert_int_eq(memcmp(f.payload, "in\0put", 6), 0);
	close(stdin_end);
	stdin_end = -1;
	expect_next(AGENT_EOF);
	ck_assert(!peer_hear(&f));
}
END_TEST

/* A shell's loop reads the rest of it */
START_TEST(stdin_is_left_alone_until_the_job_begins)
{
	struct agent_frame f;
	char byte;

	ck_assert_int_eq(write(stdin_end, "x", 1), 1);
	peer_begin();
	do
		ck_assert(peer_hear(&f));
	while (f.type != AGENT_START);
	ck_assert(!peer_hear(&f));
	ck_assert_int_eq(read(ours[0], &byte, 1), 1);
}
END_TEST

/* A file is read without being watched, and no further than there is credit */
START_TEST(stdin_goes_beyond_its_credit)
{
	static char block[AGENT_WINDOW];
	char name[] = "/tmp/test_job_session.XXXXXX";
	struct agent_frame f;
	size_t len = 0;
	int fd = mkstemp(name);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(unlink(name), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(write(fd, block, sizeof(block)), sizeof(block));
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	close(ours[0]);
	ours[0] = fd;
	begun();
	while (peer_hear(&f))
		len += f.type == AGENT_DATA ? f.len : 0;
	ck_assert_uint_eq(len, AGENT_WINDOW);
	ck_assert(agent_put_u32(&said, AGENT_CREDIT, JOB_SESSION, AGENT_STDIN, 1000));
	peer_send();
	while (peer_hear(&f))
		len += f.type == AGENT_DATA ? f.len : 0;
	ck_assert_uint_eq(len, AGENT_WINDOW + 1000);
}
END_TEST

/* @n bytes of stdout, in frames; the session takes them */
static void flood(size_t n)
{
	static const uint8_t zeroes[16384];

	while (n && !ended) {
		size_t k = MIN(n, sizeof(zeroes));

		ck_assert(agent_put(&said, AGENT_DATA, JOB_SESSION, AGENT_STDOUT, zeroes,
				    k));
		peer_send();
		n -= k;
	}
}

START_TEST(reader_that_is_stuck_stops_more_than_its_stream)
{
	struct agent_frame f;

	begun();
	flood(AGENT_WINDOW);
	ck_assert(!ended);
	ck_assert(agent_put(&said, AGENT_DATA, JOB_SESSION, AGENT_STDERR, "still", 5));
	peer_send();
	expect_text(stderr_end, "still");
	ck_assert(job_session_signal(&s, SIGUSR1));
	for (;;) { /* a pipe took some, so there is credit as well */
		ck_assert(peer_hear(&f));
		if (f.type == AGENT_SIGNAL)
			break;
		ck_assert_int_eq(f.type, AGENT_CREDIT);
	}
	ck_assert_int_eq(f.payload[0], SIGUSR1);
}
END_TEST

START_TEST(flood_grows_us)
{
	begun();
	flood(AGENT_WINDOW + 1); /* the pipe took some, but no credit was heard of */
	flood(AGENT_WINDOW);
	offended("more of a stream than it may");
}
END_TEST

START_TEST(credit_never_comes_back)
{
	static char buf[AGENT_WINDOW];
	struct agent_frame f;
	size_t credit = 0;

	begun();
	flood(AGENT_WINDOW);
	for (int i = 0; i < 100 && credit < AGENT_WINDOW; i++) {
		(void)!read(stdout_end, buf, sizeof(buf));
		while (peer_hear(&f))
			if (f.type == AGENT_CREDIT) {
				ck_assert_int_eq(f.stream, AGENT_STDOUT);
				credit += agent_u32(&f);
			}
	}
	ck_assert_uint_ge(credit, AGENT_WINDOW / 2);
	flood(AGENT_WINDOW / 2);
	ck_assert(!ended);
}
END_TEST

/* `microvm run … | head` */
START_TEST(reader_that_leaves_is_waited_for)
{
	struct agent_frame f;

	begun();
	close(stdout_end);
	stdout_end = -1;
	flood(10);
	ck_assert(peer_hear(&f));
	ck_assert_int_eq(f.type, AGENT_SIGNAL);
	ck_assert_int_eq(f.payload[0], SIGPIPE);
	flood(AGENT_WINDOW - 10);
	say_exit(AGENT_SIGNALLED, SIGPIPE, "");
	ck_assert(ended);
	ck_assert_int_eq(verdict.status, 128 + SIGPIPE);
}
END_TEST

/* ---- the end ---- */

START_TEST(status_is_another)
{
	begun();
	say_exit(AGENT_EXITED, 42, "");
	ck_assert(ended);
	ck_assert_int_eq(verdict.cause, CAUSE_JOB);
	ck_assert_int_eq(verdict.status, 42);
	ck_assert_str_eq(verdict.detail, "");
}
END_TEST

START_TEST(end_by_a_signal_or_out_of_memory)
{
	begun();
	say_exit(_i ? AGENT_OOM : AGENT_SIGNALLED, SIGSEGV,
		 _i ? "its memory is full" : "");
	ck_assert_int_eq(verdict.status, _i ? 137 : 128 + SIGSEGV);
	ck_assert_str_eq(verdict.detail, _i ? "its memory is full" : "");
}
END_TEST

START_TEST(command_that_is_not_there)
{
	begun();
	say_exit(AGENT_CANNOT, 127, "there is no program nope");
	ck_assert_int_eq(verdict.cause, CAUSE_JOB);
	ck_assert_int_eq(verdict.status, 127);
	ck_assert_str_eq(verdict.detail, "there is no program nope");
}
END_TEST

START_TEST(output_is_lost_at_the_end)
{
	static char buf[AGENT_WINDOW];
	size_t len = 0;
	ssize_t n;

	begun();
	flood(AGENT_WINDOW);
	say_exit(AGENT_EXITED, 0, "");
	ck_assert(!ended);
	for (int i = 0; i < 1000 && !ended; i++) {
		n = read(stdout_end, buf, sizeof(buf));
		len += n > 0 ? (size_t)n : 0;
		driver_settle(&d);
	}
	ck_assert(ended);
	n = read(stdout_end, buf, sizeof(buf));
	ck_assert_uint_eq(len + (n > 0 ? (size_t)n : 0), AGENT_WINDOW);
}
END_TEST

/* ---- signals ---- */

START_TEST(signal_before_the_job)
{
	static const struct {
		int sig, status;
		enum exit_cause cause;
	} ends[] = {{SIGINT, 130, CAUSE_SIGINT},
		    {SIGTERM, 143, CAUSE_SIGTERM},
		    {SIGHUP, 129, CAUSE_SIGTERM},
		    {SIGQUIT, 131, CAUSE_SIGTERM}};

	peer_begin();
	ck_assert(job_session_signal(&s, ends[_i].sig));
	ck_assert(ended);
	ck_assert_int_eq(verdict.cause, ends[_i].cause);
	ck_assert_int_eq(verdict.status, ends[_i].status);
}
END_TEST

START_TEST(signal_that_ends_nothing_waits_for_the_job)
{
	struct agent_frame f;

	peer_begin();
	ck_assert(job_session_signal(&s, SIGUSR2));
	ck_assert(!ended);
	peer_greet();
	do
		ck_assert(peer_hear(&f));
	while (f.type != AGENT_SIGNAL);
	ck_assert_int_eq(f.payload[0], SIGUSR2);
}
END_TEST

START_TEST(second_sigterm_is_the_jobs)
{
	struct agent_frame f;

	begun();
	ck_assert(job_session_signal(&s, SIGTERM));
	ck_assert(peer_hear(&f));
	ck_assert_int_eq(f.payload[0], SIGTERM);
	ck_assert(!ended);
	ck_assert(job_session_signal(&s, SIGTERM));
	ck_assert(ended);
	ck_assert_int_eq(verdict.status, 143);
}
END_TEST

START_TEST(job_that_ignores_sigterm_stays)
{
	start.stop_timeout_ns = 1000000;
	begun();
	ck_assert(job_session_signal(&s, SIGTERM));
	ck_assert(driver_until(&d, ended));
	ck_assert_int_eq(verdict.status, 143);
	ck_assert_ptr_nonnull(strstr(verdict.detail, "--stop-timeout"));
}
END_TEST

/* What the machine does with them is the machine's */
/* As on a host whose KVM interprets a kernel: minutes without a word */
START_TEST(job_that_never_begins_is_waited_for_in_silence)
{
	start.late_ns = 1000000;
	peer_begin();
	driver_until(&d, s.worried);
	peer_greet();
	ck_assert(!ended);
}
END_TEST

START_TEST(job_that_has_begun_is_called_late)
{
	start.late_ns = 50000000;
	peer_begin();
	peer_greet();
	driver_run(&d, 100);
	ck_assert(!s.worried);
}
END_TEST

START_TEST(stop_of_the_process_is_taken)
{
	begun();
	ck_assert(!job_session_signal(&s, SIGTSTP));
	ck_assert(!job_session_signal(&s, SIGXCPU));
}
END_TEST

/* ---- hostile agents ---- */

START_TEST(something_before_its_greeting)
{
	peer_begin();
	ck_assert(agent_put(&said, AGENT_DATA, JOB_SESSION, AGENT_STDOUT, "x", 1));
	peer_send();
	offended("before its greeting");
}
END_TEST

static const struct {
	const char *sentence;
	enum agent_type type;
	unsigned int session, stream;
	uint32_t value; /* of those that have one */
	bool twice;
} offences[] = {
	{"a second greeting", AGENT_HELLO, 0, 0, 0, false},
	{"a second start", AGENT_STARTED, JOB_SESSION, 0, 2, false},
	{"a job that there is not", AGENT_STARTED, JOB_SESSION + 1, 0, 2, false},
	{"more credit", AGENT_CREDIT, JOB_SESSION, AGENT_STDIN, 1, false},
	{"more credit", AGENT_CREDIT, JOB_SESSION, AGENT_STDIN, UINT32_MAX, false},
	{"a stream's end twice", AGENT_EOF, JOB_SESSION, AGENT_STDOUT, 0, true},
	/* what only a host says, or what there is not */
	{"a frame that there is not", AGENT_START, JOB_SESSION, 0, 0, false},
	{"a frame that there is not", AGENT_DATA, JOB_SESSION, AGENT_STDIN, 0, false},
	{"a frame that there is not", (enum agent_type)99, JOB_SESSION, 0, 0, false},
};

START_TEST(offence_is_believed)
{
	const struct agent_hello hello = {.version = AGENT_VERSION};
	enum agent_type type = offences[_i].type;
	bool number = type == AGENT_STARTED || type == AGENT_CREDIT;

	begun();
	for (int i = 0; i <= offences[_i].twice; i++)
		if (type == AGENT_HELLO)
			ck_assert(agent_put_hello(&said, AGENT_GUEST, &hello));
		else if (number)
			ck_assert(agent_put_u32(&said, type, offences[_i].session,
						offences[_i].stream, offences[_i].value));
		else
			ck_assert(agent_put(&said, type, offences[_i].session,
					    offences[_i].stream, "x",
					    type == AGENT_DATA));
	peer_send();
	offended(offences[_i].sentence);
}
END_TEST

START_TEST(more_after_a_streams_end)
{
	begun();
	ck_assert(agent_put(&said, AGENT_EOF, JOB_SESSION, AGENT_STDOUT, NULL, 0));
	ck_assert(agent_put(&said, AGENT_DATA, JOB_SESSION, AGENT_STDOUT, "x", 1));
	peer_send();
	offended("more of a stream than it may");
}
END_TEST

START_TEST(wire_that_is_gone)
{
	begun();
	close(peer);
	peer = -1;
	driver_settle(&d);
	offended("is gone");
}
END_TEST

/* ---- what is copied out ---- */

static struct job_copier copier;
static int files_end, answer_end;

static void opened_with_files(void)
{
	int pair[2], answer[2];

	ck_assert(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) &&
		  !pipe2(answer, O_CLOEXEC));
	copier.n = 1;
	copier.place[0].dst = "./out";
	copier.files = pair[0];
	files_end = pair[1];
	copier.answer = answer[0];
	answer_end = answer[1];
	start.copier = &copier;
	peer_begin();
}

static void begun_with_files(void)
{
	opened_with_files();
	greeted();
}

static void answers(const char *text)
{
	ck_assert_int_gt(write(answer_end, text, strlen(text) + 1), 0);
	driver_settle(&d);
}

START_TEST(end_waits_for_what_is_copied_out)
{
	static char much[AGENT_PAYLOAD];
	size_t n = 0;
	ssize_t k;

	begun_with_files();
	ck_assert(agent_put(&said, AGENT_DATA, JOB_SESSION, AGENT_FILES, much,
			    sizeof(much)));
	peer_send();
	ck_assert(agent_put(&said, AGENT_EOF, JOB_SESSION, AGENT_FILES, NULL, 0));
	say_exit(AGENT_EXITED, 0, "");
	ck_assert(!ended);
	while ((k = read(files_end, much, sizeof(much))) > 0) {
		n += (size_t)k;
		driver_settle(&d);
	}
	ck_assert_uint_eq(n, sizeof(much));
	answers("");
	ck_assert(ended);
	ck_assert_int_eq(verdict.cause, CAUSE_JOB);
	ck_assert_int_eq(verdict.status, 0);
}
END_TEST

/* That is 125, unless the job itself failed */
START_TEST(copy_that_failed_is_a_good_end)
{
	begun_with_files();
	say_exit(AGENT_EXITED, _i ? 3 : 0, "");
	ck_assert_int_eq(read(files_end, &verdict, 1), 0); /* no more comes */
	answers("--copy-out: disk full");
	ck_assert(ended);
	job_copied_tell(&s, &verdict);
	ck_assert_int_eq(verdict.status, _i ? 3 : 125);
	ck_assert_str_eq(verdict.detail, "--copy-out: disk full");
}
END_TEST

START_TEST(copier_that_died_is_waited_for)
{
	begun_with_files();
	if (_i) /* its filter's sentence */
		ck_assert_int_eq(write(answer_end, "it\033 was stopped\n", 16), 16);
	close(files_end);
	close(answer_end);
	ck_assert(agent_put(&said, AGENT_DATA, JOB_SESSION, AGENT_FILES, "x", 1));
	peer_send();
	say_exit(AGENT_EXITED, 0, "");
	job_copied_tell(&s, &verdict);
	offended(_i ? "it? was stopped" : "the process that writes the files has ended");
}
END_TEST

/* As when it has its limit: nobody reads what the guest still packs */
START_TEST(guest_packs_on_for_a_copier_that_has_answered)
{
	struct agent_frame f;

	begun_with_files();
	if (_i) {
		ck_assert(agent_put(&said, AGENT_DATA, JOB_SESSION, AGENT_FILES, "x", 1));
		peer_send();
	}
	answers("--copy-out: it is too much");
	ck_assert(!ended);
	ck_assert_int_eq(peer_hear(&f), _i); /* while its job runs, it is left alone */
	ck_assert(!_i || (f.type == AGENT_SIGNAL && f.payload[0] == SIGTERM));
	say_exit(AGENT_EXITED, 0, "");
	ck_assert(ended);
}
END_TEST

START_TEST(job_that_never_was_is_copied_out)
{
	struct agent_exit x = {.how = AGENT_CANNOT, .status = 127};

	begun_with_files();
	ck_assert(agent_put_exit(&said, JOB_SESSION, &x));
	peer_send();
	ck_assert(ended);
	job_copied_tell(&s, &verdict);
	ck_assert_int_eq(verdict.status, 127);
	ck_assert_str_eq(verdict.detail, "nothing was copied out to ./out");
}
END_TEST

START_TEST(files_that_nobody_asked_for)
{
	begun();
	ck_assert(agent_put(&said, AGENT_DATA, JOB_SESSION, AGENT_FILES, "x", 1));
	peer_send();
	offended("more of a stream than it may");
}
END_TEST

/* In each phase: before the job, in it, while the files come, while they are written */
START_TEST(cut_off_copy_goes_unsaid)
{
	struct exit_verdict v = exit_verdict(CAUSE_TIMEOUT);

	if (_i)
		begun_with_files();
	else
		opened_with_files();
	if (_i > 1)
		ck_assert(agent_put(&said, AGENT_DATA, JOB_SESSION, AGENT_FILES, "x", 1));
	peer_send();
	if (_i > 2) /* and the copier has not answered */
		say_exit(AGENT_EXITED, 0, "");
	ck_assert(!ended);
	copier.n = _i > 2 ? 3 : 1;
	(void)snprintf(v.detail, sizeof(v.detail), "it took too long");
	job_copied_tell(&s, &v);
	ck_assert_int_eq(v.cause, CAUSE_TIMEOUT);
	ck_assert_str_eq(
		v.detail,
		_i > 2   ? "it took too long; not all was copied out to ./out and 2 more"
		: _i > 1 ? "it took too long; not all was copied out to ./out"
			 : "it took too long; nothing was copied out to ./out");
}
END_TEST

UNIT_MAIN("job_session", setup, teardown, t)
{
	tcase_add_test(t, beginning_is_said_at_once_and_in_order);
	tcase_add_test(t, long_command_arrives_whole);
	tcase_add_test(t, another_version_is_refused);
	tcase_add_test(t, machine_that_cannot_serve_says_why);
	tcase_add_test(t, phases_are_not_noted);
	tcase_add_test(t, streams_are_mixed);
	tcase_add_test(t, stdin_and_its_end_arrive);
	tcase_add_test(t, stdin_is_left_alone_until_the_job_begins);
	tcase_add_test(t, stdin_goes_beyond_its_credit);
	tcase_add_test(t, reader_that_is_stuck_stops_more_than_its_stream);
	tcase_add_test(t, flood_grows_us);
	tcase_add_test(t, credit_never_comes_back);
	tcase_add_test(t, reader_that_leaves_is_waited_for);
	tcase_add_test(t, status_is_another);
	tcase_add_loop_test(t, end_by_a_signal_or_out_of_memory, 0, 2);
	tcase_add_test(t, command_that_is_not_there);
	tcase_add_test(t, output_is_lost_at_the_end);
	tcase_add_loop_test(t, signal_before_the_job, 0, 4);
	tcase_add_test(t, signal_that_ends_nothing_waits_for_the_job);
	tcase_add_test(t, second_sigterm_is_the_jobs);
	tcase_add_test(t, job_that_ignores_sigterm_stays);
	tcase_add_test(t, job_that_never_begins_is_waited_for_in_silence);
	tcase_add_test(t, job_that_has_begun_is_called_late);
	tcase_add_test(t, stop_of_the_process_is_taken);
	tcase_add_test(t, something_before_its_greeting);
	tcase_add_loop_test(t, offence_is_believed, 0, (int)ARRAY_SIZE(offences));
	tcase_add_test(t, more_after_a_streams_end);
	tcase_add_test(t, wire_that_is_gone);
	tcase_add_test(t, end_waits_for_what_is_copied_out);
	tcase_add_loop_test(t, copy_that_failed_is_a_good_end, 0, 2);
	tcase_add_loop_test(t, copier_that_died_is_waited_for, 0, 2);
	tcase_add_loop_test(t, guest_packs_on_for_a_copier_that_has_answered, 0, 2);
	tcase_add_test(t, job_that_never_was_is_copied_out);
	tcase_add_test(t, files_that_nobody_asked_for);
	tcase_add_loop_test(t, cut_off_copy_goes_unsaid, 0, 4);
}
