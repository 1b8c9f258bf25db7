/* Tests of worker/engine/record_buffer.c: what is kept, where it ends, and that nothing is lost or
 * changed when memory is short. */
#include "common/base/err.h"
#include "worker/engine/record_buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The n-th allocation from now on fails; 0: none. */
static unsigned fail_allocation;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
    return fail_allocation > 0 && --fail_allocation == 0 ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fail_allocation > 0 && --fail_allocation == 0 ? NULL : __real_realloc(old, size);
}

static struct record numbered(uint64_t number, const char *out, uint32_t out_len)
{
    return (struct record){.status = RECORD_OK, .run_us = number, .out = out, .out_len = out_len};
}

/* Takes the buffer's records: `count` of them, numbered from `first`. */
static void assert_takes(struct record_buffer *buffer, uint64_t first, uint64_t count)
{
    struct blob *blob = record_buffer_take(buffer);
    assert_non_null(blob);
    assert_true(records_valid(blob_bytes(blob), blob_len(blob), count));
    struct record_cursor cursor;
    struct record record;
    record_cursor_init(&cursor, blob_bytes(blob), count);
    for (uint64_t i = 0; i < count; i++) {
        assert_true(record_cursor_next(&cursor, &record));
        assert_int_equal(record.run_us, first + i);
    }
    blob_unref(blob);
    assert_int_equal(buffer->len, 0);
}

static void test_record_buffer_gives_what_was_added_in_order(void **state)
{
    (void)state;
    struct record_buffer buffer = {.len = 0};
    for (int round = 0; round < 3; round++) {
        record_buffer_begin(&buffer, 0);
        for (uint64_t i = 0; i < 500; i++) {
            struct record record = numbered(i, "some output", (uint32_t)(i % 12));
            assert_int_equal(record_buffer_add(&buffer, &record), 0);
        }
        assert_takes(&buffer, 0, 500);
    }
    assert_null(record_buffer_take(&buffer));
    record_buffer_deinit(&buffer);
}

static void test_record_buffer_begin_forgets_what_was_not_taken(void **state)
{
    (void)state;
    struct record_buffer buffer = {.len = 0};
    struct record record = numbered(7, "x", 1);
    assert_int_equal(record_buffer_add(&buffer, &record), 0);
    record_buffer_begin(&buffer, 0);
    assert_null(record_buffer_take(&buffer));
    record = numbered(8, "x", 1);
    assert_int_equal(record_buffer_add(&buffer, &record), 0);
    assert_takes(&buffer, 8, 1);
    record_buffer_deinit(&buffer);
}

static void test_record_buffer_has_enough_at_the_bound(void **state)
{
    (void)state;
    struct record_buffer buffer = {.len = 0};
    char *out = calloc(1, RECORDS_ENOUGH_BYTES);
    assert_non_null(out);
    struct record record = numbered(0, out, RECORDS_ENOUGH_BYTES - RECORD_HEAD_SIZE - 1);
    record_buffer_begin(&buffer, 0);
    assert_int_equal(record_buffer_add(&buffer, &record), 0);
    assert_false(record_buffer_enough(&buffer));

    /* With one byte more elsewhere it is enough. */
    record_buffer_begin(&buffer, 1);
    assert_int_equal(record_buffer_add(&buffer, &record), 0);
    assert_true(record_buffer_enough(&buffer));
    record_buffer_deinit(&buffer);
    free(out);
}

/* As large as a record may be, begun when there was not quite enough. */
static void test_record_buffer_has_room_for_the_largest_record_behind_nearly_enough(void **state)
{
    (void)state;
    char *large = calloc(1, RECORD_OUTPUT_MAX + 1);
    char *memory = malloc(RECORDS_MAX);
    assert_true(large != NULL && memory != NULL);
    struct record first = numbered(0, large, RECORDS_ENOUGH_BYTES - RECORD_HEAD_SIZE - 1);
    struct record largest = numbered(1, large, RECORD_OUTPUT_MAX + 1);
    largest.err = large;
    largest.err_len = RECORD_OUTPUT_MAX;
    largest.reason = large;
    largest.reason_len = 240;
    struct record_buffer buffers[2] = {{.len = 0}};
    record_buffer_init_fixed(&buffers[1], memory, RECORDS_MAX);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(record_buffer_add(&buffers[i], &first), 0);
        assert_int_equal(record_buffer_add(&buffers[i], &largest), 0);
        assert_true(records_valid(buffers[i].bytes, buffers[i].len, 2));
        /* A second one is beyond what a result may have. */
        size_t len = buffers[i].len;
        assert_int_equal(record_buffer_add(&buffers[i], &largest), ERR_NOMEM);
        assert_int_equal(buffers[i].len, len);
    }
    record_buffer_deinit(&buffers[0]);
    record_buffer_deinit(&buffers[1]);
    free(memory);
    free(large);
}

static void test_record_buffer_counts_what_is_elsewhere_against_the_maximum(void **state)
{
    (void)state;
    struct record_buffer buffer = {.len = 0};
    struct record record = numbered(0, "x", 1);
    record_buffer_begin(&buffer, RECORDS_MAX - RECORD_HEAD_SIZE - 1);
    assert_int_equal(record_buffer_add(&buffer, &record), 0);
    assert_int_equal(record_buffer_add(&buffer, &record), ERR_NOMEM);
    record_buffer_begin(&buffer, SIZE_MAX);
    assert_int_equal(record_buffer_add(&buffer, &record), ERR_NOMEM);
    record_buffer_deinit(&buffer);
}

static void test_record_buffer_fixed_stays_within_its_memory(void **state)
{
    (void)state;
    char memory[2 * RECORD_HEAD_SIZE + 3];
    struct record_buffer buffer;
    struct record record = numbered(0, "x", 1);
    memset(memory, 0x55, sizeof(memory));
    record_buffer_init_fixed(&buffer, memory, sizeof(memory) - 1);
    assert_int_equal(record_buffer_add(&buffer, &record), 0);
    record = numbered(1, "x", 1);
    assert_int_equal(record_buffer_add(&buffer, &record), 0);
    assert_int_equal(record_buffer_add(&buffer, &record), ERR_NOMEM);
    assert_ptr_equal(buffer.bytes, memory);
    assert_int_equal(memory[sizeof(memory) - 1], 0x55);
    record_buffer_begin(&buffer, 0);
    assert_int_equal(record_buffer_add(&buffer, &record), 0);
    record_buffer_deinit(&buffer); /* frees nothing */
}

static void test_record_buffer_repeats_until_enough(void **state)
{
    (void)state;
    struct record_buffer buffer = {.len = 0};
    struct record record = numbered(0, "", 0);
    assert_int_equal(record_buffer_repeat(&buffer, &record, 5), 5);
    uint64_t most = record_buffer_repeat(&buffer, &record, UINT64_MAX);
    assert_int_equal(buffer.len, (5 + most) * RECORD_HEAD_SIZE);
    assert_true(record_buffer_enough(&buffer));
    assert_true(buffer.len < RECORDS_ENOUGH_BYTES + RECORD_HEAD_SIZE);
    assert_int_equal(record_buffer_repeat(&buffer, &record, 1), 0);
    assert_true(records_valid(buffer.bytes, buffer.len, 5 + most));
    record_buffer_deinit(&buffer);
}

static void test_record_buffer_appends_only_what_is_valid(void **state)
{
    (void)state;
    struct record_buffer from = {.len = 0};
    struct record_buffer to = {.len = 0};
    for (uint64_t i = 0; i < 3; i++) {
        struct record record = numbered(i, "out", 3);
        assert_int_equal(record_buffer_add(i == 0 ? &to : &from, &record), 0);
    }
    size_t len = to.len;
    assert_int_equal(record_buffer_append(&to, from.bytes, from.len, 1), ERR_INVALID);
    assert_int_equal(record_buffer_append(&to, from.bytes, from.len, 3), ERR_INVALID);
    assert_int_equal(record_buffer_append(&to, from.bytes, from.len - 1, 2), ERR_INVALID);
    assert_int_equal(record_buffer_append(&to, from.bytes, 0, 2), ERR_INVALID);
    assert_int_equal(record_buffer_append(&to, from.bytes, (size_t)RECORDS_MAX + 1, 2),
                     ERR_INVALID);
    from.bytes[0] = 99; /* no status */
    assert_int_equal(record_buffer_append(&to, from.bytes, from.len, 2), ERR_INVALID);
    from.bytes[0] = RECORD_OK;
    assert_int_equal(to.len, len);
    assert_int_equal(record_buffer_append(&to, NULL, 0, 0), 0);
    assert_int_equal(record_buffer_append(&to, from.bytes, from.len, 2), 0);
    assert_takes(&to, 0, 3);
    record_buffer_deinit(&from);
    record_buffer_deinit(&to);
}

static void test_record_buffer_is_unchanged_without_memory(void **state)
{
    (void)state;
    struct record_buffer buffer = {.len = 0};
    struct record record = numbered(0, "x", 1);
    fail_allocation = 1;
    assert_int_equal(record_buffer_add(&buffer, &record), ERR_NOMEM);
    assert_int_equal(record_buffer_append(&buffer, "x", 1, 1), ERR_INVALID);
    assert_int_equal(buffer.len, 0);
    assert_int_equal(record_buffer_add(&buffer, &record), 0);
    uint64_t count = 1;
    for (;;) {
        fail_allocation = 1; /* the next growth fails */
        record = numbered(count, "x", 1);
        if (record_buffer_add(&buffer, &record) != 0) {
            break;
        }
        count++;
    }
    fail_allocation = 0;
    record = numbered(count, "x", 1);
    assert_int_equal(record_buffer_add(&buffer, &record), 0);

    fail_allocation = 1; /* giving memory back */
    assert_takes(&buffer, 0, count + 1);
    record = numbered(0, "x", 1);
    assert_int_equal(record_buffer_add(&buffer, &record), 0);
    fail_allocation = 2; /* the blob */
    assert_null(record_buffer_take(&buffer));
    assert_takes(&buffer, 0, 1);
    record_buffer_deinit(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record_buffer_gives_what_was_added_in_order),
        cmocka_unit_test(test_record_buffer_begin_forgets_what_was_not_taken),
        cmocka_unit_test(test_record_buffer_has_enough_at_the_bound),
        cmocka_unit_test(test_record_buffer_has_room_for_the_largest_record_behind_nearly_enough),
        cmocka_unit_test(test_record_buffer_counts_what_is_elsewhere_against_the_maximum),
        cmocka_unit_test(test_record_buffer_fixed_stays_within_its_memory),
        cmocka_unit_test(test_record_buffer_repeats_until_enough),
        cmocka_unit_test(test_record_buffer_appends_only_what_is_valid),
        cmocka_unit_test(test_record_buffer_is_unchanged_without_memory),
    };
    return cmocka_run_group_tests_name("record_buffer", tests, NULL, NULL) != 0;
}
