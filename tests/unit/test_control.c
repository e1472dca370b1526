/* SPDX-License-Identifier: Apache-2.0 */
/* test_control - a control socket with clients of all kinds, and a machine that is none. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "vmm/control/control.h"
#include "vmm/control/control_request.h"
#include "vmm/core/unix_socket.h"
#include "vmm/core/util.h"

static char dir[64], path[96];
static struct loop *loop;
static struct control *control;
static struct err e;

/* ---- a machine ---- */

static struct {
	bool paused, refuses;
	unsigned int statuses, forgotten, reports;
	uint64_t balloon;
	struct machine_asker *asker; /* that waits */
} m;

static char fake_name[] = "fake";

static void fake_status(void *machine, struct machine_status *s)
{
	m.statuses++;
	*s = (struct machine_status){.name = machine,
				     .state = m.paused ? "paused" : "running",
				     .uptime_ns = 5,
				     .cpus = 2,
				     .memory = 64 * MIB,
				     .has_balloon = true,
				     .balloon_asked = m.balloon,
				     .ndisk = 2,
				     .disk = {{"blk0", 4096}, {"far", 0}}};
}

static int fake_pause(void *machine, struct machine_asker *a, struct err *why)
{
	(void)machine;
	if (m.refuses)
		return err_set(why, EBUSY, "it is busy");
	m.paused = true;
	m.asker = a;
	return 0;
}

static int fake_resume(void *machine, struct err *why)
{
	(void)machine, (void)why;
	m.paused = false;
	return 0;
}

static int fake_balloon(void *machine, uint64_t bytes, struct err *why)
{
	(void)machine;
	if (bytes > 64 * MIB)
		return err_set(why, EINVAL, "too much, said the \xff machine");
	m.balloon = bytes;
	return 0;
}

static int fake_resize(void *machine, const char *id, uint64_t bytes, uint64_t *now,
		       struct err *why)
{
	(void)machine;
	if (strcmp(id, "blk0") != 0)
		return err_set(why, ENOENT, "no disk %s", id);
	*now = bytes ? bytes : 4096;
	return 0;
}

static void fake_report(void *machine, struct machine_asker *a)
{
	(void)machine;
	m.reports++;
	m.asker = a;
}

static void fake_forget(void *machine, struct machine_asker *a)
{
	(void)machine;
	ck_assert_ptr_eq(a, m.asker);
	m.asker = NULL;
	m.forgotten++;
}

static int fake_save(void *saver, const int fd[MACHINE_SAVE_FDS], struct machine_asker *a,
		     struct err *why)
{
	(void)saver, (void)why;
	close(fd[0]);
	close(fd[1]);
	m.asker = a;
	return 0;
}

static const struct machine_ops ops = {.machine = fake_name,
				       .status = fake_status,
				       .pause = fake_pause,
				       .resume = fake_resume,
				       .balloon = fake_balloon,
				       .resize_disk = fake_resize,
				       .report = fake_report,
				       .save = fake_save,
				       .forget_save = fake_forget,
				       .forget = fake_forget};

static void tell(const struct err *why, const char *text)
{
	struct machine_asker *a = m.asker;

	ck_assert_ptr_nonnull(a);
	m.asker = NULL;
	a->told(a, why, text, text ? strlen(text) : 0);
}

/* ---- a loop that runs for a while, and clients ---- */

static struct loop_source timer;

static void on_timer(struct loop_source *s, uint32_t events)
{
	uint64_t n;

	(void)events;
	ck_assert_int_eq(read(s->fd, &n, sizeof(n)), sizeof(n));
	loop_stop(loop);
}

static void turns(unsigned int ms)
{
	struct itimerspec it = {.it_value = {.tv_nsec = ms * 1000000L}};

	ck_assert_int_eq(timerfd_settime(timer.fd, 0, &it, NULL), 0);
	ck_assert_int_eq(loop_run(loop), 0);
}

static void setup(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	(void)snprintf(dir, sizeof(dir), "/tmp/control-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/c", dir);
	memset(&m, 0, sizeof(m));
	loop = loop_create();
	timer = (struct loop_source){.fd = timerfd_create(CLOCK_MONOTONIC, 0),
				     .events = EPOLLIN,
				     .fn = on_timer};
	ck_assert_int_eq(loop_add(loop, &timer), 0);
	ck_assert_int_eq(control_open(&control, path, &ops, loop, 77, &e), 0);
}

static void teardown(void)
{
	control_close(control);
	loop_destroy(loop);
	close(timer.fd);
	ck_assert_int_eq(rmdir(dir), 0);
}

static int client(void)
{
	int fd = unix_connect(path);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void say(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* What came; "" for nothing, if that is what is expected; "gone" for a connection that ended */
static const char *heard(int fd, bool nothing)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	static char buf[65536];
	ssize_t n;

	for (int i = 0; i < (nothing ? 10 : 2000) && poll(&p, 1, 0) == 0; i++)
		turns(1);
	n = read(fd, buf, sizeof(buf) - 1);
	buf[MAX(n, 0)] = '\0';
	return n == 0 || (n < 0 && errno != EAGAIN) ? "gone" : buf;
}

static void hears(int fd, const char *answer)
{
	const char *is = heard(fd, !*answer);

	ck_assert_msg(*answer ? strstr(is, answer) == is : !*is, "%s is not %s", is,
		      answer);
}

static void expect(int fd, const char *question, const char *answer)
{
	say(fd, question);
	hears(fd, answer);
}

/* ---- answers ---- */

#define OK(result) "{\"protocol\":1,\"ok\":true,\"result\":" result
#define NO(code)   "{\"protocol\":1,\"ok\":false,\"error\":{\"code\":\"" code "\""
#define COMMAND(c) "{\"command\":\"" c "\"}\n"
#define MANY       200

START_TEST(each_command_has_its_answer)
{
	int fd = client();

	expect(fd, COMMAND("status"),
	       OK("{\"version\":\"" MICROVM_VERSION "\",\"name\":\"fake\",\"state\":"
		  "\"running\",\"pid\":77,\"uptime_ns\":5,\"cpus\":2,\"memory_bytes\":"
		  "67108864,\"balloon\":{\"asked_bytes\":0,\"given_bytes\":0},\"disks\":"
		  "{\"blk0\":4096,\"far\":null}}}\n"));
	expect(fd, "{\"command\":\"balloon\",\"bytes\":1048576}\n",
	       OK("{\"asked_bytes\":1048576,\"given_bytes\":0}}\n"));
	expect(fd, "{\"command\":\"resize-disk\",\"disk\":\"blk0\"}\n",
	       OK("{\"disk\":\"blk0\",\"bytes\":4096}}\n"));
	expect(fd, "{\"command\":\"resize-disk\",\"disk\":\"blk0\",\"bytes\":8192}\n",
	       OK("{\"disk\":\"blk0\",\"bytes\":8192}}\n"));
	expect(fd, COMMAND("pause"), "");
	tell(NULL, NULL);
	hears(fd, OK("{\"state\":\"paused\"}}\n"));
	expect(fd, COMMAND("resume"), OK("{\"state\":\"running\"}}\n"));
	expect(fd, "{\"command\":\"report\",\"id\":\"r\"}\n", "");
	tell(NULL, "{\"a\":1}");
	hears(fd, "{\"protocol\":1,\"ok\":true,\"id\":\"r\",\"result\":{\"a\":1}}\n");
	close(fd);
}
END_TEST

START_TEST(what_is_not_done_is_refused_with_a_code_and_the_connection_stays)
{
	int fd = client();

	expect(fd, COMMAND("stop"), NO("argument"));
	expect(fd, "{}\n", NO("argument"));
	expect(fd, "{\"command\":5}\n", NO("argument"));
	expect(fd, "{\"command\":\"status\",\"protocol\":2}\n", NO("argument"));
	expect(fd, "{\"command\":\"status\",\"x\":2}\n", NO("argument"));
	expect(fd, "{\"command\":\"status\",\"bytes\":2}\n", NO("argument"));
	expect(fd, "{\"command\":\"status\",\"id\":[2]}\n", NO("argument"));
	expect(fd, COMMAND("balloon"), NO("argument"));
	expect(fd, "{\"command\":\"balloon\",\"bytes\":-1}\n", NO("argument"));
	expect(fd, "{\"command\":\"balloon\",\"bytes\":1.5}\n", NO("argument"));
	/* the sentence is no UTF-8 */
	expect(fd, "{\"command\":\"balloon\",\"bytes\":99999999999}\n",
	       NO("argument") ",\"message\":\"Invalid argument\"}}\n");
	expect(fd, COMMAND("resize-disk"), NO("argument"));
	expect(fd, "{\"command\":\"resize-disk\",\"disk\":\"blk0\",\"bytes\":0}\n",
	       NO("argument"));
	expect(fd, "{\"command\":\"resize-disk\",\"disk\":\"0123456789abcdef\"}\n",
	       NO("argument"));
	expect(fd, "{\"command\":\"resize-disk\",\"disk\":\"x\",\"id\":7}\n",
	       NO("absent") ",\"message\":\"no disk x\"},\"id\":7}\n");
	m.refuses = true;
	expect(fd, COMMAND("pause"), NO("busy"));
	m.refuses = false;
	expect(fd, COMMAND("pause"), "");
	(void)err_set(&e, ETIMEDOUT, "blk0 waits");
	tell(&e, NULL);
	hears(fd, NO("timeout") ",\"message\":\"blk0 waits\"}}\n");
	close(fd);
}
END_TEST

/* A stream without lines: who knows what comes next? */
START_TEST(garbage_is_answered_once_and_ends_the_connection)
{
	static const char *const garbage[] = {
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"[1]\n",
		"{\"command\":\"status\"\n",
		"{\"command\":\"status\",\"command\":\"pause\"}\n",
		"{\"x\":[[[[[[[[1]]]]]]]]}\n",
		"\xff\xfe\n",
		"{\"command\":\"sta\\u0000tus\"}\n"};

	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		int fd = client();

		expect(fd, garbage[i], NO("syntax"));
		hears(fd, "gone");
		close(fd);
	}
	ck_assert_uint_eq(m.statuses, 0);
}
END_TEST

START_TEST(line_that_is_too_long_is_refused_and_no_byte_of_it_is_obeyed)
{
	static char much[CONTROL_LINE_MAX];
	int fd = client();

	memset(much, ' ', sizeof(much));
	ck_assert_int_eq(write(fd, much, sizeof(much)), sizeof(much));
	say(fd, COMMAND("pause"));
	expect(fd, "", NO("syntax"));
	hears(fd, "gone");
	ck_assert(!m.paused);
	close(fd);
}
END_TEST

START_TEST(requests_come_in_pieces_or_together_and_the_last_needs_no_line_feed)
{
	int fd = client();

	say(fd, "\r\n{\"comm");
	turns(10);
	say(fd, "and\":\"resume\"}\r\n"
		"{\"command\":\"resume\"}");
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	turns(20);
	hears(fd, OK("{\"state\":\"running\"}}\n") OK("{\"state\":\"running\"}}\n"));
	hears(fd, "gone");
	close(fd);
}
END_TEST

static void say_with(int to, char *line, const int *fd, size_t n)
{
	_Alignas(struct cmsghdr) char space[CMSG_SPACE(2 * sizeof(int))] = {0};
	struct iovec iov = {line, strlen(line)};
	struct msghdr h = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = space,
			   .msg_controllen = CMSG_SPACE(n * sizeof(int))};

	CMSG_FIRSTHDR(&h)->cmsg_level = SOL_SOCKET;
	CMSG_FIRSTHDR(&h)->cmsg_type = SCM_RIGHTS;
	CMSG_FIRSTHDR(&h)->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&h)), fd, n * sizeof(int));
	ck_assert_int_eq(sendmsg(to, &h, 0), (ssize_t)strlen(line));
}

START_TEST(descriptors_that_come_along_are_not_kept)
{
	char line[] = COMMAND("status");
	int fd = client(), pair[2];

	ck_assert_int_eq(pipe(pair), 0);
	say_with(fd, line, &pair[1], 1);
	close(pair[1]);
	hears(fd, OK(""));
	ck_assert_int_eq(read(pair[0], line, 1), 0); /* nobody has it open for writing */
	close(pair[0]);
	close(fd);
}
END_TEST

/* ---- clients that are in the way ---- */

/* Once it reads, it has an answer to each question */
START_TEST(client_that_does_not_read_stops_itself_alone)
{
	const size_t len = strlen(COMMAND("status"));
	unsigned int asked = 0, answers = 0;
	int deaf = client(), fd = client();
	const char *is;

	for (int i = 0; i < MANY; i++) {
		while (write(deaf, COMMAND("status"), len) == (ssize_t)len)
			asked++;
		turns(5);
	}
	ck_assert_uint_gt(asked, 100);
	for (int i = 0; i < MANY && (i == 0 || m.statuses); i++) {
		m.statuses = 0;
		turns(50);
	}
	ck_assert_uint_eq(m.statuses, 0);
	expect(fd, COMMAND("resume"), OK(""));
	while (answers < asked && strcmp(is = heard(deaf, false), "gone") && *is)
		for (; *is; is++)
			answers += *is == '\n';
	ck_assert_uint_eq(answers, asked);
	close(deaf);
	close(fd);
}
END_TEST

START_TEST(clients_that_ask_for_ever_have_a_small_part_of_the_loop)
{
	uint64_t start = monotonic_ns(), ms;
	int fd = client(), other = client();
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char buf[4096];

	for (int i = 0; i < MANY; i++) {
		while (write(fd, COMMAND("resume"), strlen(COMMAND("resume"))) > 0)
			;
		turns(2);
		while (poll(&p, 1, 0) == 1 && read(fd, buf, sizeof(buf)) > 0)
			;
	}
	ms = (monotonic_ns() - start) / 1000000;
	ck_assert_uint_le(m.statuses, (ms / 10 + 2) * 32); /* CONTROL_REQUESTS */
	ck_assert_uint_ge(m.statuses, 100);
	expect(other, COMMAND("status"), OK(""));
	close(fd);
	close(other);
}
END_TEST

START_TEST(idle_clients_make_room_and_one_that_waits_does_not)
{
	int waits = client(), idle[CONTROL_CLIENTS];

	expect(waits, COMMAND("pause"), "");
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		idle[i] = client();
		expect(idle[i], COMMAND("status"), OK(""));
	}
	hears(idle[0], "gone"); /* the longest idle one */
	expect(idle[1], COMMAND("status"), OK(""));
	tell(NULL, NULL);
	hears(waits, OK("{\"state\":\"paused\"}}\n"));
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		close(idle[i]);
	close(waits);
}
END_TEST

START_TEST(hundreds_may_come_and_go_and_the_next_is_served)
{
	int last;

	for (int i = 0; i < MANY; i++) {
		int fd = client();

		if (i % 2)
			say(fd, i % 3 ? COMMAND("status") : "{\"comma");
		close(fd);
		if (i % 10 == 0)
			turns(5);
	}
	last = client();
	expect(last, COMMAND("status"), OK(""));
	close(last);
}
END_TEST

START_TEST(client_that_vanishes_is_forgotten_and_what_it_asked_for_is_done)
{
	int fd = client();

	expect(fd, COMMAND("pause"), "");
	close(fd);
	turns(5);
	tell(NULL, NULL); /* into nothing */
	turns(5);
	ck_assert(m.paused);
	fd = client();
	expect(fd, COMMAND("report"), "");
	control_close(control); /* the machine ends */
	ck_assert_uint_eq(m.forgotten, 1);
	hears(fd, "gone");
	control = NULL;
	close(fd);
}
END_TEST

/* Half of a connection that ends is none that left */
START_TEST(save_whose_client_left_is_forgotten)
{
	char line[] = COMMAND("save") COMMAND("status");
	int fd = client(), pair[2];

	ck_assert_int_eq(pipe(pair), 0);
	say_with(fd, line, pair, 2);
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	turns(5);
	ck_assert_uint_eq(m.forgotten, 0);
	ck_assert_ptr_nonnull(m.asker);
	close(fd);
	turns(5);
	ck_assert_uint_eq(m.forgotten, 1);
	fd = client();
	expect(fd, COMMAND("status"), OK(""));
	close(fd);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

/* ---- the socket ---- */

START_TEST(socket_is_private_and_one_that_is_in_use_is_refused)
{
	struct control *other;
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(control_open(&other, path, &ops, loop, 1, &e), -EADDRINUSE);
	ck_assert_ptr_null(other);
	ck_assert_msg(strstr(e.msg, "--control") && strstr(e.msg, path), "%s", e.msg);
	control_close(control);
	control = NULL;
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

UNIT_MAIN("control", setup, teardown, t)
{
	tcase_add_test(t, each_command_has_its_answer);
	tcase_add_test(t,
		       what_is_not_done_is_refused_with_a_code_and_the_connection_stays);
	tcase_add_test(t, garbage_is_answered_once_and_ends_the_connection);
	tcase_add_test(t, line_that_is_too_long_is_refused_and_no_byte_of_it_is_obeyed);
	tcase_add_test(
		t, requests_come_in_pieces_or_together_and_the_last_needs_no_line_feed);
	tcase_add_test(t, descriptors_that_come_along_are_not_kept);
	tcase_add_test(t, client_that_does_not_read_stops_itself_alone);
	tcase_add_test(t, clients_that_ask_for_ever_have_a_small_part_of_the_loop);
	tcase_add_test(t, idle_clients_make_room_and_one_that_waits_does_not);
	tcase_add_test(t, hundreds_may_come_and_go_and_the_next_is_served);
	tcase_add_test(t,
		       client_that_vanishes_is_forgotten_and_what_it_asked_for_is_done);
	tcase_add_test(t, save_whose_client_left_is_forgotten);
	tcase_add_test(t, socket_is_private_and_one_that_is_in_use_is_refused);
}
