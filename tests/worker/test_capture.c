/* What is kept of a stream: up to the limit, or up to where memory ended, and which of the two it
 * was. */
#include "worker/workloads/capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { LIMIT = 200 * 1000, PART = 10 * 1000 };

static size_t fail_size; /* allocations from so many bytes on fail; 0: none */

void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_realloc(void *old, size_t size)
{
    return fail_size > 0 && size >= fail_size ? NULL : __real_realloc(old, size);
}

static void feed(struct capture *capture, char byte, size_t len)
{
    char bytes[PART];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    memset(bytes, byte, sizeof(bytes));
    for (size_t fed = 0; fed < len; fed += PART) {
        uint64_t before = capture->total;
        assert_int_equal(write(ends[1], bytes, PART), PART);
        while (capture->total < before + PART) {
            assert_true(capture_read(capture, ends[0]));
        }
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void test_capture_keeps_all_that_the_limit_allows(void **state)
{
    (void)state;
    struct capture capture = {.limit = LIMIT};
    feed(&capture, 'a', LIMIT);
    assert_int_equal(capture.len, LIMIT);
    assert_false(capture_is_cut(&capture));
    assert_false(capture_is_short(&capture));
    capture_deinit(&capture);
}

static void test_capture_beyond_its_limit_is_cut_and_not_short(void **state)
{
    (void)state;
    struct capture capture = {.limit = LIMIT};
    feed(&capture, 'a', LIMIT + PART);
    assert_int_equal(capture.len, LIMIT);
    assert_int_equal(capture.total, LIMIT + PART);
    assert_true(capture_is_cut(&capture));
    assert_false(capture_is_short(&capture));
    capture_deinit(&capture);
}

static void test_capture_without_memory_is_short_and_has_no_hole_when_there_is_some_again(
    void **state)
{
    (void)state;
    for (size_t size = 1; size < LIMIT; size *= 8) {
        struct capture capture = {.limit = LIMIT};
        fail_size = size;
        feed(&capture, 'a', LIMIT);
        fail_size = 0;
        assert_true(capture_is_short(&capture));
        size_t kept = capture.len;
        feed(&capture, 'b', PART);
        assert_int_equal(capture.len, kept);
        assert_int_equal(capture.total, LIMIT + PART);
        assert_true(capture_is_short(&capture));
        for (size_t i = 0; i < kept; i++) {
            assert_int_equal(capture.bytes[i], 'a');
        }
        capture_begin(&capture);
        feed(&capture, 'c', PART);
        assert_int_equal(capture.len, PART);
        assert_false(capture_is_cut(&capture));
        capture_deinit(&capture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_capture_keeps_all_that_the_limit_allows),
        cmocka_unit_test(test_capture_beyond_its_limit_is_cut_and_not_short),
        cmocka_unit_test(
            test_capture_without_memory_is_short_and_has_no_hole_when_there_is_some_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
