/* Tests of common/base/record.c. */
#include "common/base/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct record full = {
    .status = RECORD_TIMED_OUT,
    .flags = RECORD_HAS_VALUE,
    .exit_status = 255,
    .signal = 9,
    .start_us = UINT64_C(0x0102030405060708),
    .run_us = 12345,
    .value = UINT64_MAX,
    .out = "o\0ut",
    .out_len = 4,
    .err = "err",
    .err_len = 3,
    .reason = "took too long",
    .reason_len = 13,
};

static void assert_same(const struct record *a, const struct record *b)
{
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->exit_status, b->exit_status);
    assert_int_equal(a->signal, b->signal);
    assert_true(a->start_us == b->start_us && a->run_us == b->run_us && a->value == b->value);
    assert_int_equal(a->out_len, b->out_len);
    assert_int_equal(a->err_len, b->err_len);
    assert_int_equal(a->reason_len, b->reason_len);
    assert_memory_equal(a->out, b->out, b->out_len);
    assert_memory_equal(a->err, b->err, b->err_len);
    assert_memory_equal(a->reason, b->reason, b->reason_len);
}

static void test_record_comes_back_as_it_was_written(void **state)
{
    (void)state;
    static const struct record empty = {.status = RECORD_OK, .out = "", .err = "", .reason = ""};
    char bytes[256];
    size_t first = record_size(&full);
    record_write(&full, bytes);
    record_write(&empty, bytes + first);
    size_t len = first + record_size(&empty);
    assert_int_equal(len, 2 * RECORD_HEAD_SIZE + 20);
    assert_true(records_valid(bytes, len, 2));

    struct record_cursor cursor;
    struct record record;
    record_cursor_init(&cursor, bytes, 2);
    assert_true(record_cursor_next(&cursor, &record));
    assert_same(&record, &full);
    assert_true(record_cursor_next(&cursor, &record));
    assert_same(&record, &empty);
    assert_false(record_cursor_next(&cursor, &record));
}

static void test_records_that_are_cut_or_too_many_are_not_valid(void **state)
{
    (void)state;
    char bytes[256];
    size_t len = record_size(&full);
    record_write(&full, bytes);
    for (size_t cut = 0; cut < len; cut++) {
        assert_false(records_valid(bytes, cut, 1));
    }
    assert_false(records_valid(bytes, len, 0));
    assert_false(records_valid(bytes, len, 2));
    assert_false(records_valid(bytes, len + 1, 1));
    assert_true(records_valid(bytes, 0, 0));
}

static void test_records_with_unknown_values_are_not_valid(void **state)
{
    (void)state;
    char bytes[256];
    size_t len = record_size(&full);
    record_write(&full, bytes);
    bytes[0] = RECORD_CRASHED + 1;
    assert_false(records_valid(bytes, len, 1));
    record_write(&full, bytes);
    bytes[1] = (char)0x80;
    assert_false(records_valid(bytes, len, 1));
    record_write(&full, bytes);
    memset(bytes + 32, 0xff, 4); /* the length of `out` */
    assert_false(records_valid(bytes, len, 1));
}

static void test_output_beyond_the_limit_is_cut_and_marked(void **state)
{
    (void)state;
    uint32_t len = RECORD_OUTPUT_MAX + 1;
    char *output = calloc(1, len);
    struct record record = {.out = output, .out_len = len, .err = "", .reason = ""};
    char *bytes = malloc(record_size(&record));
    assert_non_null(output);
    assert_non_null(bytes);
    record_write(&record, bytes);
    assert_true(records_valid(bytes, record_size(&record), 1));

    struct record_cursor cursor;
    struct record back;
    record_cursor_init(&cursor, bytes, 1);
    assert_true(record_cursor_next(&cursor, &back));
    assert_int_equal(back.out_len, RECORD_OUTPUT_MAX);
    assert_int_equal(back.flags, RECORD_OUT_TRUNCATED);
    free(bytes);
    free(output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record_comes_back_as_it_was_written),
        cmocka_unit_test(test_records_that_are_cut_or_too_many_are_not_valid),
        cmocka_unit_test(test_records_with_unknown_values_are_not_valid),
        cmocka_unit_test(test_output_beyond_the_limit_is_cut_and_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
