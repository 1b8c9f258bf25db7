/* Tests of coordinator/payloads.c. */
#include "common/base/err.h"
#include "common/base/items.h"
#include "coordinator/runner/payloads.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A payload of `count` items of one byte, 'a' + index. */
static struct blob *letters(uint64_t first, uint64_t count)
{
    size_t size = items_payload_size(count, count);
    char *bytes = calloc(1, size);
    assert_non_null(bytes);
    for (uint64_t i = 0; i < count; i++) {
        bytes[4 * i] = 1;
        bytes[4 * count + 2 * i] = (char)('a' + (first + i) % 26);
    }
    struct blob *blob = blob_new(bytes, size, NULL, NULL);
    assert_non_null(blob);
    return blob;
}

static void assert_letters(struct blob *payload, uint64_t first, uint64_t count)
{
    struct items_cursor cursor;
    const char *bytes;
    size_t len;
    assert_true(items_payload_valid(blob_bytes(payload), blob_len(payload), count));
    items_cursor_init(&cursor, blob_bytes(payload), count);
    for (uint64_t i = 0; i < count; i++) {
        assert_true(items_cursor_next(&cursor, &bytes, &len));
        assert_int_equal(bytes[0], 'a' + (first + i) % 26);
    }
    blob_unref(payload);
}

static void test_payload_comes_back_whole_and_in_parts(void **state)
{
    (void)state;
    struct payloads payloads = {.ring = NULL};
    struct blob *got = NULL;
    struct blob *whole = letters(10, 5);
    assert_int_equal(payloads_add(&payloads, 10, 5, whole), 0);
    assert_int_equal(payloads_get(&payloads, 10, 5, &got), 0);
    assert_ptr_equal(got, whole);
    blob_unref(got);
    assert_int_equal(payloads_get(&payloads, 12, 2, &got), 0);
    assert_letters(got, 12, 2);
    assert_int_equal(payloads_get(&payloads, 9, 1, &got), ERR_NOT_FOUND);
    assert_int_equal(payloads_get(&payloads, 14, 2, &got), ERR_NOT_FOUND);
    payloads_deinit(&payloads);
}

static void test_payload_goes_when_its_last_item_is_accounted_for(void **state)
{
    (void)state;
    struct payloads payloads = {.ring = NULL};
    assert_int_equal(payloads_add(&payloads, 0, 3, letters(0, 3)), 0);
    payloads_done(&payloads, 2, 1);
    payloads_done(&payloads, 0, 1);
    assert_non_null(payloads_find(&payloads, 1));
    payloads_done(&payloads, 1, 1);
    assert_null(payloads_find(&payloads, 1));
    assert_int_equal(payloads.count, 0);
    payloads_done(&payloads, 1, 1); /* known no more: nothing happens */
    payloads_deinit(&payloads);
}

static void test_payload_that_stays_does_not_keep_places_of_those_behind_it(void **state)
{
    (void)state;
    struct payloads payloads = {.ring = NULL};
    struct blob *got = NULL;
    assert_int_equal(payloads_add(&payloads, 0, 2, letters(0, 2)), 0);
    for (uint64_t i = 1; i < 10000; i++) {
        assert_int_equal(payloads_add(&payloads, 2 * i, 2, letters(2 * i, 2)), 0);
        if (i > 3) {
            payloads_done(&payloads, 2 * (i - 3), 2);
        }
    }
    assert_int_equal(payloads.live, 4); /* the first and the last three */
    assert_true(payloads.capacity <= 128);
    assert_int_equal(payloads_get(&payloads, 0, 1, &got), 0);
    assert_letters(got, 0, 1);
    assert_int_equal(payloads_get(&payloads, 19998, 2, &got), 0);
    assert_letters(got, 19998, 2);
    payloads_deinit(&payloads);
}

static void test_payload_of_several_entries_is_put_together(void **state)
{
    (void)state;
    struct payloads payloads = {.ring = NULL};
    struct blob *got = NULL;
    assert_int_equal(payloads_add(&payloads, 0, 3, letters(0, 3)), 0);
    assert_int_equal(payloads_add(&payloads, 3, 1, letters(3, 1)), 0);
    assert_int_equal(payloads_add(&payloads, 4, 4, letters(4, 4)), 0);
    assert_int_equal(payloads_add(&payloads, 9, 2, letters(9, 2)), 0);
    assert_int_equal(payloads_get(&payloads, 1, 5, &got), 0);
    assert_letters(got, 1, 5);
    assert_int_equal(payloads_get(&payloads, 0, 8, &got), 0);
    assert_letters(got, 0, 8);
    assert_int_equal(payloads_get(&payloads, 7, 3, &got), ERR_NOT_FOUND); /* item 8 is not here */
    payloads_deinit(&payloads);
}

static void test_payloads_that_are_done_with_in_one_go(void **state)
{
    (void)state;
    struct payloads payloads = {.ring = NULL};
    for (uint64_t first = 0; first < 12; first += 3) {
        assert_int_equal(payloads_add(&payloads, first, 3, letters(first, 3)), 0);
    }
    payloads_done(&payloads, 4, 1);
    payloads_done(&payloads, 3, 1);
    payloads_done(
        &payloads, 5, 5); /* the end of the second, all of the third, the start of the last */
    assert_null(payloads_find(&payloads, 5));
    assert_null(payloads_find(&payloads, 7));
    assert_int_equal(payloads.live, 2);
    assert_int_equal(payloads_find(&payloads, 11)->left, 2);
    payloads_done(&payloads, 0, 3);
    assert_int_equal(payloads.live, 1);
    payloads_deinit(&payloads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payload_comes_back_whole_and_in_parts),
        cmocka_unit_test(test_payload_of_several_entries_is_put_together),
        cmocka_unit_test(test_payloads_that_are_done_with_in_one_go),
        cmocka_unit_test(test_payload_goes_when_its_last_item_is_accounted_for),
        cmocka_unit_test(test_payload_that_stays_does_not_keep_places_of_those_behind_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
