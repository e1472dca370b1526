/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_proto - what microvm and the agent say to each other, as both ends read and write it */
#include <check.h>
#include <string.h>

#include "guest-images/agent/proto.h"
#include "tests/lib/unit.h"

static struct agent_reader r;
static struct agent_writer w;
static struct agent_frame f;

static void setup(void)
{
	memset(&r, 0, sizeof(r));
	memset(&w, 0, sizeof(w));
}

/* Bring what @w holds to @r, at most @max bytes */
static void carry(size_t max)
{
	uint8_t *p;
	size_t n, room = agent_room(&r, &p);
	const uint8_t *q = agent_unsent(&w, &n);

	n = n < max ? n : max;
	n = n < room ? n : room;
	memcpy(p, q, n);
	agent_got(&r, n);
	agent_wrote(&w, n);
}

/* What a reader of @from says to a frame of these bytes */
static int says(enum agent_side from, const void *bytes, size_t n)
{
	uint8_t *p;

	setup();
	r.from = from;
	ck_assert_uint_ge(agent_room(&r, &p), n);
	memcpy(p, bytes, n);
	agent_got(&r, n);
	return agent_next(&r, &f);
}

static int says_head(enum agent_side from, uint32_t len, uint8_t type, uint8_t stream,
		     uint16_t session)
{
	uint8_t b[AGENT_HEAD + 600] = {(uint8_t)len,
				       (uint8_t)(len >> 8),
				       (uint8_t)(len >> 16),
				       (uint8_t)(len >> 24),
				       type,
				       stream,
				       (uint8_t)session,
				       (uint8_t)(session >> 8)};

	return says(from, b, len < 600 ? AGENT_HEAD + len : sizeof(b));
}

START_TEST(frames_come_out_as_they_went_in)
{
	struct agent_hello h = {AGENT_VERSION, 0x0123456789abcdefULL, {1, 2, 3}}, got;
	uint16_t rows, cols;

	ck_assert(agent_put_hello(&w, AGENT_HOST, &h));
	ck_assert(agent_put(&w, AGENT_JOB, 7, 0, "arg=true", 9));
	ck_assert(agent_put_winsize(&w, 7, 25, 300));
	ck_assert(agent_put_u32(&w, AGENT_CREDIT, 7, AGENT_STDERR, 70000));
	carry(SIZE_MAX);
	ck_assert_int_eq(agent_next(&r, &f), 1);
	agent_hello(&f, &got);
	ck_assert_mem_eq(&got, &h, sizeof(h));
	ck_assert_int_eq(agent_next(&r, &f), 1);
	ck_assert_int_eq(f.type, AGENT_JOB);
	ck_assert_uint_eq(f.session, 7);
	ck_assert_uint_eq(f.len, 9);
	ck_assert_str_eq((const char *)f.payload, "arg=true");
	ck_assert_int_eq(agent_next(&r, &f), 1);
	agent_winsize(&f, &rows, &cols);
	ck_assert_uint_eq(rows, 25);
	ck_assert_uint_eq(cols, 300);
	ck_assert_int_eq(agent_next(&r, &f), 1);
	ck_assert_uint_eq(f.stream, AGENT_STDERR);
	ck_assert_uint_eq(agent_u32(&f), 70000);
	ck_assert_int_eq(agent_next(&r, &f), 0);
}
END_TEST

START_TEST(a_frame_that_comes_byte_by_byte_is_whole_at_its_last)
{
	static uint8_t big[AGENT_PAYLOAD];

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 7);
	for (int round = 0; round < 3; round++) {
		ck_assert(agent_put(&w, AGENT_DATA, 1, AGENT_STDIN, big, sizeof(big)));
		for (size_t i = 0; i < AGENT_HEAD + sizeof(big); i++) {
			ck_assert_int_eq(agent_next(&r, &f), 0);
			carry(1);
		}
		ck_assert_int_eq(agent_next(&r, &f), 1);
		ck_assert_uint_eq(f.len, sizeof(big));
		ck_assert_mem_eq(f.payload, big, sizeof(big));
	}
}
END_TEST

/* Frames that do not end where the buffer does: the reader always has room for the next bytes */
START_TEST(a_long_stream_of_odd_pieces_stays_in_step)
{
	uint32_t sent = 0, got = 0, wrong = 0;
	uint8_t *p;

	r.from = AGENT_GUEST;
	for (int i = 0; i < 500; i++) {
		size_t n = agent_space(&w) * (size_t)(i % 5) / 4;

		agent_data(&w, &p);
		for (size_t j = 0; j < n; j++)
			p[j] = (uint8_t)sent++;
		agent_data_done(&w, 1, AGENT_STDOUT, n);
		carry(60001);
		while (agent_next(&r, &f) == 1)
			for (uint32_t j = 0; j < f.len; j++)
				wrong += f.payload[j] != (uint8_t)got++;
		ck_assert_uint_gt(agent_room(&r, &p), 0);
	}
	ck_assert_uint_gt(got, 5000000);
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

START_TEST(a_full_writer_still_says_how_each_session_ended)
{
	struct agent_exit e = {.how = AGENT_CANNOT, .status = 127};
	size_t n;

	memset(e.sentence, 'x', AGENT_SENTENCE);
	while ((n = agent_space(&w)) != 0) {
		uint8_t *p;

		agent_data(&w, &p);
		agent_data_done(&w, 1, AGENT_STDOUT, n);
	}
	for (unsigned int i = 1; i <= AGENT_SESSIONS; i++) {
		ck_assert(agent_put_u32(&w, AGENT_STARTED, i, 0, i));
		ck_assert(agent_put(&w, AGENT_EOF, i, AGENT_STDOUT, NULL, 0));
		ck_assert(agent_put(&w, AGENT_EOF, i, AGENT_STDERR, NULL, 0));
		ck_assert(agent_put_exit(&w, i, &e));
	}
}
END_TEST

START_TEST(what_does_not_fit_leaves_the_writer_as_it_was)
{
	static uint8_t big[AGENT_PAYLOAD + 1];
	size_t before, after;

	ck_assert(!agent_put(&w, AGENT_DATA, 1, 0, big, sizeof(big)));
	while (agent_put(&w, AGENT_DATA, 1, 0, big, AGENT_PAYLOAD))
		;
	(void)agent_unsent(&w, &before);
	ck_assert(!agent_put(&w, AGENT_DATA, 1, 0, big, AGENT_PAYLOAD));
	(void)agent_unsent(&w, &after);
	ck_assert_uint_eq(before, after);
	ck_assert_uint_eq(agent_space(&w), 0);
}
END_TEST

START_TEST(a_type_that_is_none_is_refused)
{
	ck_assert_int_eq(says_head(AGENT_HOST, 0, 0, 0, 0), -1);
	ck_assert_int_eq(says_head(AGENT_HOST, 0, 11, 0, 1), -1);
	ck_assert_int_eq(says_head(AGENT_GUEST, 0, 20, 0, 0), -1);
	ck_assert_int_eq(says_head(AGENT_GUEST, 0, 255, 0, 0), -1);
}
END_TEST

START_TEST(what_only_the_other_end_says_is_refused)
{
	ck_assert_int_eq(says_head(AGENT_GUEST, 0, AGENT_START, 0, 1), -1);
	ck_assert_int_eq(says_head(AGENT_HOST, 0, AGENT_START, 0, 1), 1);
	ck_assert_int_eq(says_head(AGENT_HOST, 0, AGENT_READY, 0, 0), -1);
	ck_assert_int_eq(says_head(AGENT_GUEST, 0, AGENT_READY, 0, 0), 1);
	ck_assert_int_eq(says_head(AGENT_GUEST, 4, AGENT_HELLO, 0, 0), 1);
	ck_assert_int_eq(says_head(AGENT_HOST, 4, AGENT_HELLO, 0, 0), -1);
	ck_assert_int_eq(says_head(AGENT_HOST, 44, AGENT_HELLO, 0, 0), 1);
	ck_assert_int_eq(says_head(AGENT_GUEST, 44, AGENT_HELLO, 0, 0), -1);
}
END_TEST

START_TEST(a_stream_goes_one_way_and_its_credit_the_other)
{
	for (uint8_t s = 0; s < 6; s++) {
		bool in = s == AGENT_STDIN, out = s >= AGENT_STDOUT && s <= AGENT_FILES;

		ck_assert_int_eq(says_head(AGENT_HOST, 5, AGENT_DATA, s, 1), in ? 1 : -1);
		ck_assert_int_eq(says_head(AGENT_HOST, 0, AGENT_EOF, s, 1), in ? 1 : -1);
		ck_assert_int_eq(says_head(AGENT_HOST, 4, AGENT_CREDIT, s, 1),
				 out ? 1 : -1);
		ck_assert_int_eq(says_head(AGENT_GUEST, 5, AGENT_DATA, s, 1),
				 out ? 1 : -1);
		ck_assert_int_eq(says_head(AGENT_GUEST, 0, AGENT_EOF, s, 1),
				 out ? 1 : -1);
		ck_assert_int_eq(says_head(AGENT_GUEST, 4, AGENT_CREDIT, s, 1),
				 in ? 1 : -1);
	}
	ck_assert_int_eq(says_head(AGENT_GUEST, 4, AGENT_STARTED, 1, 1), -1);
}
END_TEST

START_TEST(a_length_that_a_type_does_not_have_is_refused_at_its_head)
{
	ck_assert_int_eq(says_head(AGENT_HOST, 0, AGENT_DATA, 0, 1), -1);
	ck_assert_int_eq(says_head(AGENT_HOST, AGENT_PAYLOAD + 1, AGENT_DATA, 0, 1), -1);
	ck_assert_int_eq(says_head(AGENT_HOST, UINT32_MAX, AGENT_JOB, 0, 1), -1);
	ck_assert_int_eq(says_head(AGENT_HOST, AGENT_PAYLOAD, AGENT_JOB, 0, 1), 0);
	ck_assert_int_eq(says_head(AGENT_HOST, 2, AGENT_SIGNAL, 0, 1), -1);
	ck_assert_int_eq(says_head(AGENT_HOST, 3, AGENT_WINSIZE, 0, 1), -1);
	ck_assert_int_eq(says_head(AGENT_GUEST, 1, AGENT_EXIT, 0, 1), -1);
	ck_assert_int_eq(says_head(AGENT_GUEST, AGENT_SENTENCE + 3, AGENT_EXIT, 0, 1),
			 -1);
	ck_assert_int_eq(says_head(AGENT_GUEST, AGENT_SENTENCE + 1, AGENT_FAIL, 0, 0),
			 -1);
}
END_TEST

START_TEST(the_machine_is_session_0_and_no_job_is)
{
	ck_assert_int_eq(says_head(AGENT_HOST, 1, AGENT_MACHINE, 0, 1), -1);
	ck_assert_int_eq(says_head(AGENT_HOST, 1, AGENT_JOB, 0, 0), -1);
	ck_assert_int_eq(says_head(AGENT_HOST, 1, AGENT_DATA, 0, 0), -1);
	ck_assert_int_eq(says_head(AGENT_GUEST, 2, AGENT_EXIT, 0, 0), -1);
	ck_assert_int_eq(says_head(AGENT_GUEST, 0, AGENT_FAIL, 0, 3), -1);
}
END_TEST

START_TEST(a_job_that_ended_in_no_known_way_is_refused)
{
	const uint8_t b[] = {2, 0, 0, 0, AGENT_EXIT, 0, 1, 0, AGENT_HOWS, 0};

	ck_assert_int_eq(says(AGENT_GUEST, b, sizeof(b)), -1);
}
END_TEST

START_TEST(a_sentence_is_cut_and_cannot_write_to_a_terminal)
{
	struct agent_exit e = {.how = AGENT_CANNOT,
			       .status = 126,
			       .sentence = "a\033[2Jb\n\xff"},
			  got;
	char long_one[AGENT_SENTENCE + 50], fail[AGENT_SENTENCE + 1];

	memset(long_one, 'y', sizeof(long_one));
	long_one[sizeof(long_one) - 1] = '\0';
	ck_assert(agent_put_exit(&w, 1, &e));
	ck_assert(agent_put_fail(&w, long_one));
	r.from = AGENT_GUEST;
	carry(SIZE_MAX);
	ck_assert_int_eq(agent_next(&r, &f), 1);
	agent_exit(&f, &got);
	ck_assert_int_eq(got.how, AGENT_CANNOT);
	ck_assert_str_eq(got.sentence, "a?[2Jb??");
	ck_assert_int_eq(agent_next(&r, &f), 1);
	agent_fail(&f, fail);
	ck_assert_uint_eq(strlen(fail), AGENT_SENTENCE);
}
END_TEST

START_TEST(statuses_are_those_of_a_shell)
{
	ck_assert_int_eq(agent_status(&(struct agent_exit){AGENT_EXITED, 3, ""}), 3);
	ck_assert_int_eq(agent_status(&(struct agent_exit){AGENT_SIGNALLED, 15, ""}),
			 143);
	ck_assert_int_eq(agent_status(&(struct agent_exit){AGENT_OOM, 9, ""}), 137);
	ck_assert_int_eq(agent_status(&(struct agent_exit){AGENT_CANNOT, 127, ""}), 127);
}
END_TEST

START_TEST(text_is_names_with_values)
{
	char text[] = "arg=a=b\0env=\0=x", bad[] = "arg\0", open[] = {'a', '=', 'b'};
	const char *name, *value;
	size_t at = 0;

	ck_assert_int_eq(agent_text_next(text, sizeof(text), &at, &name, &value), 1);
	ck_assert_str_eq(name, "arg");
	ck_assert_str_eq(value, "a=b");
	ck_assert_int_eq(agent_text_next(text, sizeof(text), &at, &name, &value), 1);
	ck_assert_str_eq(name, "env");
	ck_assert_str_eq(value, "");
	ck_assert_int_eq(agent_text_next(text, sizeof(text), &at, &name, &value), 1);
	ck_assert_str_eq(name, "");
	ck_assert_int_eq(agent_text_next(text, sizeof(text), &at, &name, &value), 0);
	at = 0;
	ck_assert_int_eq(agent_text_next(bad, 4, &at, &name, &value), -1);
	at = 0;
	ck_assert_int_eq(agent_text_next(open, 3, &at, &name, &value), -1);
}
END_TEST

UNIT_MAIN("agent_proto", setup, NULL, t)
{
	tcase_add_test(t, frames_come_out_as_they_went_in);
	tcase_add_test(t, a_frame_that_comes_byte_by_byte_is_whole_at_its_last);
	tcase_add_test(t, a_long_stream_of_odd_pieces_stays_in_step);
	tcase_add_test(t, a_full_writer_still_says_how_each_session_ended);
	tcase_add_test(t, what_does_not_fit_leaves_the_writer_as_it_was);
	tcase_add_test(t, a_type_that_is_none_is_refused);
	tcase_add_test(t, what_only_the_other_end_says_is_refused);
	tcase_add_test(t, a_stream_goes_one_way_and_its_credit_the_other);
	tcase_add_test(t, a_length_that_a_type_does_not_have_is_refused_at_its_head);
	tcase_add_test(t, the_machine_is_session_0_and_no_job_is);
	tcase_add_test(t, a_job_that_ended_in_no_known_way_is_refused);
	tcase_add_test(t, a_sentence_is_cut_and_cannot_write_to_a_terminal);
	tcase_add_test(t, statuses_are_those_of_a_shell);
	tcase_add_test(t, text_is_names_with_values);
}
