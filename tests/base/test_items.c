/* The payload of items that are bytes: what is read back, and every way in which it can be wrong. */
#include "common/base/items.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Two items, "ab" and "". */
static const char two[] = "\x02\0\0\0\0\0\0\0ab\0";

enum { TWO_LEN = sizeof(two) }; /* with the literal's own NUL as the one of the empty item */

static void test_items_reads_back_what_was_written(void **state)
{
    (void)state;
    struct items_cursor cursor;
    const char *bytes;
    size_t len;
    assert_true(items_payload_valid(two, TWO_LEN, 2));
    items_cursor_init(&cursor, two, 2);
    assert_true(items_cursor_next(&cursor, &bytes, &len));
    assert_string_equal(bytes, "ab");
    assert_int_equal(len, 2);
    assert_true(items_cursor_next(&cursor, &bytes, &len));
    assert_string_equal(bytes, "");
    assert_int_equal(len, 0);
    assert_false(items_cursor_next(&cursor, &bytes, &len));
}

static void test_items_payload_size_is_that_of_a_valid_payload(void **state)
{
    (void)state;
    assert_int_equal(items_payload_size(2, 2), TWO_LEN);
    assert_int_equal(items_payload_size(0, 0), 0);
    assert_true(items_payload_valid("", 0, 0));
}

static void test_items_keeps_bytes_that_are_nul(void **state)
{
    (void)state;
    static const char payload[] = "\x03\0\0\0a\0b"; /* one item of three bytes */
    struct items_cursor cursor;
    const char *bytes;
    size_t len;
    assert_true(items_payload_valid(payload, sizeof(payload), 1));
    items_cursor_init(&cursor, payload, 1);
    assert_true(items_cursor_next(&cursor, &bytes, &len));
    assert_int_equal(len, 3);
    assert_memory_equal(bytes, "a\0b", 4);
}

static void test_items_slice_is_a_payload_of_the_items_between(void **state)
{
    (void)state;
    char slice[TWO_LEN];
    struct items_cursor cursor;
    const char *bytes;
    size_t len;
    for (uint64_t skip = 0; skip <= 2; skip++) {
        for (uint64_t taken = 0; taken <= 2 - skip; taken++) {
            size_t size = items_slice_size(two, 2, skip, taken);
            assert_true(size <= sizeof(slice));
            items_slice(two, 2, skip, taken, slice);
            assert_true(items_payload_valid(slice, size, taken));
            items_cursor_init(&cursor, slice, taken);
            for (uint64_t i = skip; i < skip + taken; i++) {
                assert_true(items_cursor_next(&cursor, &bytes, &len));
                assert_string_equal(bytes, i == 0 ? "ab" : "");
            }
        }
    }
}

static void test_items_refuses_another_count(void **state)
{
    (void)state;
    assert_false(items_payload_valid(two, TWO_LEN, 0));
    assert_false(items_payload_valid(two, TWO_LEN, 1));
    assert_false(items_payload_valid(two, TWO_LEN, 3));
    assert_false(items_payload_valid(two, TWO_LEN, UINT64_MAX));
    assert_false(items_payload_valid(two, TWO_LEN, UINT64_MAX / 4 + 1));
}

/* From memory of exactly that size, so that a sanitizer sees a read behind its end. */
static bool valid_cut(const char *payload, size_t len, uint64_t count)
{
    char *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, payload, len);
    bool valid = items_payload_valid(copy, len, count);
    free(copy);
    return valid;
}

static void test_items_refuses_every_cut(void **state)
{
    (void)state;
    for (size_t len = 0; len < TWO_LEN; len++) {
        assert_false(valid_cut(two, len, 2));
    }
}

static void test_items_refuses_every_changed_length(void **state)
{
    (void)state;
    for (size_t at = 0; at < 8; at++) {
        for (int bit = 0; bit < 8; bit++) {
            char changed[TWO_LEN];
            memcpy(changed, two, TWO_LEN);
            changed[at] = (char)(changed[at] ^ (1 << bit));
            assert_false(valid_cut(changed, TWO_LEN, 2));
        }
    }
}

static void test_items_refuses_a_missing_nul(void **state)
{
    (void)state;
    char changed[TWO_LEN];
    memcpy(changed, two, TWO_LEN);
    changed[TWO_LEN - 1] = 'x';
    assert_false(items_payload_valid(changed, TWO_LEN, 2));
    changed[TWO_LEN - 1] = '\0';
    changed[TWO_LEN - 2] = 'x';
    assert_false(items_payload_valid(changed, TWO_LEN, 2));
}

static void test_items_refuses_an_item_that_is_too_long(void **state)
{
    (void)state;
    for (uint32_t over = 0; over < 2; over++) {
        uint32_t item_len = ITEM_LEN_MAX + over;
        size_t size = items_payload_size(1, item_len);
        unsigned char *payload = calloc(1, size);
        assert_non_null(payload);
        for (size_t i = 0; i < 4; i++) {
            payload[i] = (unsigned char)(item_len >> (8 * i));
        }
        assert_int_equal(items_payload_valid(payload, size, 1), over == 0);
        free(payload);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items_reads_back_what_was_written),
        cmocka_unit_test(test_items_payload_size_is_that_of_a_valid_payload),
        cmocka_unit_test(test_items_keeps_bytes_that_are_nul),
        cmocka_unit_test(test_items_slice_is_a_payload_of_the_items_between),
        cmocka_unit_test(test_items_refuses_another_count),
        cmocka_unit_test(test_items_refuses_every_cut),
        cmocka_unit_test(test_items_refuses_every_changed_length),
        cmocka_unit_test(test_items_refuses_a_missing_nul),
        cmocka_unit_test(test_items_refuses_an_item_that_is_too_long),
    };
    return cmocka_run_group_tests_name("items", tests, NULL, NULL) != 0;
}
