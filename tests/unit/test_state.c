/* SPDX-License-Identifier: Apache-2.0 */
/* test_state - saved fields and sections: their bytes, the way back, and states that lie. */
#include <check.h>
#include <string.h>

#include "tests/lib/unit.h"
#include "vmm/core/state.h"

struct fields {
	uint8_t a;
	uint16_t b;
	uint32_t c;
	uint64_t d;
	bool e;
	char f[3];
};

#define FIELDS_LEN (1 + 2 + 4 + 8 + 1 + 3)

static const struct fields sample = {1,    0x0203,         0x04050607, 0x08090a0b0c0d0e0f,
				     true, {'x', 'y', 'z'}};

static void fields_state(struct fields *f, struct state *s)
{
	state_u8(s, &f->a);
	state_u16(s, &f->b);
	state_u32(s, &f->c);
	state_u64(s, &f->d);
	state_bool(s, &f->e);
	state_bytes(s, f->f, sizeof(f->f));
}

static uint8_t buf[256];
static struct state s;

static void setup(void)
{
	struct fields f = sample;

	memset(buf, 0xee, sizeof(buf));
	state_saver(&s, buf, sizeof(buf));
	ck_assert(!state_loading(&s));
	fields_state(&f, &s);
	ck_assert_ptr_null(s.why);
	ck_assert_uint_eq(s.pos, FIELDS_LEN);
}

START_TEST(fields_are_little_endian_in_order)
{
	static const uint8_t want[] = {1,    3,    2,    7, 6, 5, 4,   0x0f, 0x0e, 0x0d,
				       0x0c, 0x0b, 0x0a, 9, 8, 1, 'x', 'y',  'z',  0xee};

	ck_assert_mem_eq(buf, want, sizeof(want));
}
END_TEST

START_TEST(what_was_saved_is_loaded)
{
	struct fields f = {0};

	state_loader(&s, buf, FIELDS_LEN);
	ck_assert(state_loading(&s));
	fields_state(&f, &s);
	ck_assert_ptr_null(s.why);
	ck_assert_uint_eq(f.a, sample.a);
	ck_assert_uint_eq(f.b, sample.b);
	ck_assert_uint_eq(f.c, sample.c);
	ck_assert_uint_eq(f.d, sample.d);
	ck_assert(f.e);
	ck_assert_mem_eq(f.f, sample.f, sizeof(f.f));
}
END_TEST

START_TEST(saving_changes_nothing)
{
	struct fields f = sample;

	state_saver(&s, buf, sizeof(buf));
	fields_state(&f, &s);
	ck_assert_mem_eq(f.f, sample.f, sizeof(f.f));
	ck_assert_uint_eq(f.d, sample.d);
	ck_assert(f.e);
}
END_TEST

START_TEST(truncated_state_is_refused_wherever_it_ends)
{
	for (size_t len = 0; len < FIELDS_LEN; len++) {
		struct fields f = {0};

		state_loader(&s, buf, len);
		fields_state(&f, &s);
		ck_assert_str_eq(s.why, "state ends too early");
		ck_assert_uint_le(s.pos, len);
	}
}
END_TEST

START_TEST(full_buffer_is_not_overrun)
{
	for (size_t cap = 0; cap < FIELDS_LEN; cap++) {
		struct fields f = sample;

		memset(buf, 0xee, sizeof(buf));
		state_saver(&s, buf, cap);
		fields_state(&f, &s);
		ck_assert_str_eq(s.why, "state buffer is full");
		for (size_t i = cap; i < sizeof(buf); i++)
			ck_assert_uint_eq(buf[i], 0xee);
	}
}
END_TEST

START_TEST(length_that_wraps_is_refused)
{
	char byte = 'q';

	state_loader(&s, buf, FIELDS_LEN);
	state_bytes(&s, &byte, 1);
	byte = 'q';
	state_bytes(&s, &byte, SIZE_MAX);
	ck_assert_ptr_nonnull(s.why);
	ck_assert_int_eq(byte, 'q');
}
END_TEST

START_TEST(first_error_sticks_and_the_rest_does_nothing)
{
	uint32_t v = 7;

	state_loader(&s, buf, FIELDS_LEN);
	state_fail(&s, "first");
	state_fail(&s, "second");
	state_u32(&s, &v);
	ck_assert_str_eq(s.why, "first");
	ck_assert_uint_eq(v, 7);
	ck_assert_uint_eq(s.pos, 0);
}
END_TEST

START_TEST(a_bool_that_is_neither_is_refused)
{
	bool b = true;

	buf[0] = 2;
	state_loader(&s, buf, 1);
	state_bool(&s, &b);
	ck_assert_ptr_nonnull(s.why);
	ck_assert(b);
}
END_TEST

/* Sections: a device with a part in it, as saved by parts_save() */

#define HEADER_LEN (STATE_NAME_SIZE + 4 + 8)
#define VERSION_AT STATE_NAME_SIZE
#define LENGTH_AT  (STATE_NAME_SIZE + 4)

struct parts {
	uint32_t a, b;
	uint8_t c;
};

static void parts_state(struct parts *p, struct state *st)
{
	state_begin(st, "blk0", 2);
	state_u32(st, &p->a);
	state_begin(st, "ring", 1);
	state_u32(st, &p->b);
	state_end(st);
	state_u8(st, &p->c);
	state_end(st);
}

#define PARTS_LEN (2 * HEADER_LEN + 4 + 4 + 1)

static void parts_save(void)
{
	struct parts p = {.a = 10, .b = 20, .c = 30};

	state_saver(&s, buf, sizeof(buf));
	parts_state(&p, &s);
	ck_assert_ptr_null(s.why);
	ck_assert_uint_eq(s.pos, PARTS_LEN);
	ck_assert_uint_eq(s.depth, 0);
}

static void parts_load(struct parts *p, size_t len)
{
	*p = (struct parts){0};
	state_loader(&s, buf, len);
	parts_state(p, &s);
	ck_assert_uint_eq(s.depth, 0);
}

START_TEST(sections_come_back)
{
	struct parts p;

	parts_save();
	parts_load(&p, PARTS_LEN);
	ck_assert(state_ok(&s));
	ck_assert_uint_eq(s.pos, PARTS_LEN);
	ck_assert_uint_eq(p.a, 10);
	ck_assert_uint_eq(p.b, 20);
	ck_assert_uint_eq(p.c, 30);
}
END_TEST

START_TEST(a_section_is_its_name_version_and_length)
{
	static const uint8_t want[] = {'b', 'l', 'k', '0', 0, 0, 0, 0, 0, 0,
				       0,   0,   0,   0,   0, 0, 2, 0, 0, 0, /* version */
				       37,  0,   0,   0,   0, 0, 0, 0};

	parts_save();
	ck_assert_mem_eq(buf, want, sizeof(want));
}
END_TEST

START_TEST(another_section_is_refused_with_both_names)
{
	parts_save();
	state_loader(&s, buf, PARTS_LEN);
	state_begin(&s, "net0", 2);
	state_end(&s);
	ck_assert(!state_ok(&s));
	ck_assert_ptr_nonnull(strstr(s.why, "net0: the state has 'blk0'"));
	/* and a name that a terminal would obey is not shown as it is */
	buf[1] = '\033';
	buf[2] = 0xff;
	memset(buf + 3, 'x', STATE_NAME_SIZE - 3);
	state_loader(&s, buf, PARTS_LEN);
	state_begin(&s, "net0", 2);
	ck_assert_ptr_nonnull(strstr(s.why, "has 'b??xxxxxxxxxxxx'"));
}
END_TEST

START_TEST(a_newer_version_is_refused_and_an_older_one_told)
{
	uint32_t a = 0;

	parts_save();
	state_loader(&s, buf, PARTS_LEN);
	ck_assert_uint_eq(state_begin(&s, "blk0", 3), 2);
	state_u32(&s, &a);
	ck_assert(state_ok(&s));
	ck_assert_uint_eq(a, 10);
	state_loader(&s, buf, PARTS_LEN);
	state_begin(&s, "blk0", 1);
	ck_assert_ptr_nonnull(strstr(s.why, "blk0: the state is of version 2"));
	buf[VERSION_AT] = 0;
	state_loader(&s, buf, PARTS_LEN);
	state_begin(&s, "blk0", 2);
	ck_assert_ptr_nonnull(strstr(s.why, "version 0"));
}
END_TEST

START_TEST(sections_that_are_cut_are_refused_wherever_they_end)
{
	struct parts p;

	parts_save();
	for (size_t len = 0; len < PARTS_LEN; len++) {
		parts_load(&p, len);
		ck_assert(!state_ok(&s));
		ck_assert_int_eq(strncmp(s.why, "blk0: ", 6), 0);
		ck_assert_uint_le(s.pos, len);
	}
}
END_TEST

/* The reader of a section does not get at what comes after it. */
START_TEST(a_section_is_not_read_beyond_its_end)
{
	struct parts p;

	parts_save();
	buf[HEADER_LEN + 4 + LENGTH_AT] = 3; /* of ring's four bytes */
	parts_load(&p, PARTS_LEN);
	ck_assert_str_eq(s.why, "blk0: ring: state ends too early");
	buf[HEADER_LEN + 4 + LENGTH_AT] = 6; /* more than blk0 has left */
	parts_load(&p, PARTS_LEN);
	ck_assert_str_eq(s.why, "blk0: ring: the state is cut short");
	memset(buf + HEADER_LEN + 4 + LENGTH_AT, 0xff, 8);
	parts_load(&p, PARTS_LEN);
	ck_assert_str_eq(s.why, "blk0: ring: the state is cut short");
}
END_TEST

START_TEST(bytes_that_nobody_reads_are_an_error)
{
	uint32_t a = 0;

	parts_save();
	state_loader(&s, buf, PARTS_LEN);
	state_begin(&s, "blk0", 2);
	state_u32(&s, &a);
	state_end(&s);
	ck_assert_str_eq(s.why, "blk0: 33 bytes of the state are left over");
}
END_TEST

START_TEST(an_error_in_a_section_names_it)
{
	state_saver(&s, buf, sizeof(buf));
	state_begin(&s, "net1", 1);
	state_failf(&s, "%d frames are held", 3);
	state_fail(&s, "second");
	state_end(&s);
	state_fail(&s, "third");
	ck_assert_str_eq(s.why, "net1: 3 frames are held");
}
END_TEST

static void identity_state(struct state *st, uint32_t queues, uint64_t sectors,
			   const char *id)
{
	state_begin(st, "blk0", 1);
	state_same_u32(st, queues, "queues");
	state_same_u64(st, sectors, "sectors");
	state_same_bytes(st, id, (uint32_t)strlen(id), "serial number");
	state_end(st);
}

static const char *identity_load(uint32_t queues, uint64_t sectors, const char *id)
{
	state_loader(&s, buf, sizeof(buf));
	identity_state(&s, queues, sectors, id);
	return s.why ? s.why : "";
}

START_TEST(identity_is_compared)
{
	state_saver(&s, buf, sizeof(buf));
	identity_state(&s, 4, UINT64_C(1) << 40, "disk");
	ck_assert(state_ok(&s));
	ck_assert_str_eq(identity_load(4, UINT64_C(1) << 40, "disk"), "");
	ck_assert_str_eq(identity_load(2, UINT64_C(1) << 40, "disk"),
			 "blk0: the state has 4 queues, this machine has 2");
	ck_assert_str_eq(
		identity_load(4, 8192, "disk"),
		"blk0: the state has 1099511627776 sectors, this machine has 8192");
	ck_assert_str_eq(
		identity_load(4, UINT64_C(1) << 40, "dish"),
		"blk0: the state has the serial number 'disk', this machine has 'dish'");
	ck_assert_str_eq(
		identity_load(4, UINT64_C(1) << 40, ""),
		"blk0: the state has the serial number 'disk', this machine has ''");
}
END_TEST

START_TEST(identity_of_other_bytes_is_shown_in_hexadecimal)
{
	static const uint8_t mac[] = {2, 0, 0, 0, 0, 0xa}, other[] = {2, 0, 0, 0, 0, 0xb};
	char longer[100];

	state_saver(&s, buf, sizeof(buf));
	state_same_bytes(&s, mac, sizeof(mac), "MAC address");
	state_loader(&s, buf, sizeof(buf));
	state_same_bytes(&s, other, sizeof(other), "MAC address");
	ck_assert_str_eq(s.why, "the state has the MAC address 02:00:00:00:00:0a, this "
				"machine has 02:00:00:00:00:0b");
	memset(longer, 1, sizeof(longer));
	state_loader(&s, buf, sizeof(buf));
	state_same_bytes(&s, longer, sizeof(longer), "MAC address");
	ck_assert_ptr_nonnull(strstr(s.why, "01:01..."));
	memset(buf, 0xff, 4); /* a length that is not there */
	state_loader(&s, buf, sizeof(buf));
	state_same_bytes(&s, mac, sizeof(mac), "MAC address");
	ck_assert_str_eq(s.why, "state ends too early");
}
END_TEST

START_TEST(a_collector_grows_and_what_it_has_is_loaded)
{
	static uint8_t big[100000], back[sizeof(big)];
	struct state load;

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 7);
	state_collector(&s);
	state_begin(&s, "ram", 1);
	for (size_t i = 0; i < sizeof(big); i += 1000)
		state_bytes(&s, big + i, 1000);
	state_end(&s);
	ck_assert(state_ok(&s));
	ck_assert_uint_eq(s.pos, HEADER_LEN + sizeof(big));
	state_loader(&load, s.buf, s.pos);
	state_begin(&load, "ram", 1);
	state_bytes(&load, back, sizeof(back));
	state_end(&load);
	ck_assert(state_ok(&load));
	ck_assert_mem_eq(back, big, sizeof(big));
	state_bytes(&s, big, SIZE_MAX - 8);
	ck_assert_str_eq(s.why, "no memory for the state");
	state_free(&s);
	ck_assert_ptr_null(s.buf);
}
END_TEST

UNIT_MAIN("state", setup, NULL, t)
{
	tcase_add_test(t, fields_are_little_endian_in_order);
	tcase_add_test(t, what_was_saved_is_loaded);
	tcase_add_test(t, saving_changes_nothing);
	tcase_add_test(t, truncated_state_is_refused_wherever_it_ends);
	tcase_add_test(t, full_buffer_is_not_overrun);
	tcase_add_test(t, length_that_wraps_is_refused);
	tcase_add_test(t, first_error_sticks_and_the_rest_does_nothing);
	tcase_add_test(t, a_bool_that_is_neither_is_refused);
	tcase_add_test(t, sections_come_back);
	tcase_add_test(t, a_section_is_its_name_version_and_length);
	tcase_add_test(t, another_section_is_refused_with_both_names);
	tcase_add_test(t, a_newer_version_is_refused_and_an_older_one_told);
	tcase_add_test(t, sections_that_are_cut_are_refused_wherever_they_end);
	tcase_add_test(t, a_section_is_not_read_beyond_its_end);
	tcase_add_test(t, bytes_that_nobody_reads_are_an_error);
	tcase_add_test(t, an_error_in_a_section_names_it);
	tcase_add_test(t, identity_is_compared);
	tcase_add_test(t, identity_of_other_bytes_is_shown_in_hexadecimal);
	tcase_add_test(t, a_collector_grows_and_what_it_has_is_loaded);
}
