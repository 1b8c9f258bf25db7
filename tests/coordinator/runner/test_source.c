/* The source of items: ranges, files and pipes, their payloads and their refusals. */
#include "common/base/items.h"
#include "coordinator/runner/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct items_spec range(const char *text)
{
    struct items_spec spec = {.fd = -1};
    assert_int_equal(items_parse_range(text, &spec, NULL), 0);
    return spec;
}

/* A spec that reads `len` bytes of `text` from an unlinked file. */
static struct items_spec file_of(const char *text, size_t len, char separator)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fflush(file), 0);
    struct items_spec spec = {.fd = dup(fileno(file)), .path = "items", .separator = separator};
    (void)fclose(file);
    return spec;
}

static struct source *open_source(const struct items_spec *spec)
{
    struct source *source = NULL;
    struct err_text error = {{0}};
    assert_int_equal(source_open(spec, &error, &source), 0);
    return source;
}

static void read_all(struct source *source)
{
    struct err_text error = {{0}};
    while (!source_is_final(source)) {
        assert_int_equal(source_read(source, &error), 0);
    }
}

static void assert_next(struct items_cursor *cursor, const char *expected)
{
    const char *bytes = NULL;
    size_t len = 0;
    assert_true(items_cursor_next(cursor, &bytes, &len));
    assert_int_equal(len, strlen(expected));
    assert_string_equal(bytes, expected);
}

static void test_range_is_two_integers_however_long(void **state)
{
    (void)state;
    struct items_spec spec = range("1:1000000000000");
    struct source *source = open_source(&spec);
    struct blob *payload = NULL;

    assert_true(source_is_final(source));
    assert_int_equal(source_available(source), UINT64_C(1000000000000));
    assert_int_equal(source_chunk_items_max(source), 0);
    assert_int_equal(source_take(source, 0, UINT64_C(999999999999), &payload), 0);
    assert_null(payload);
    source_close(source);
}

static void test_range_reaches_the_largest_number(void **state)
{
    (void)state;
    struct items_spec spec = range("18446744073709551614:18446744073709551615");
    uint64_t count = 0;
    assert_int_equal(items_count(&spec, NULL, &count, NULL), 0);
    assert_int_equal(count, 2);
}

static void test_range_refuses_what_is_not_one_and_quotes_it(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "5",
        ":",
        "1:",
        ":9",
        "9:1",
        "1:2:3",
        "-1:5",
        "1:x",
        "0x1:5",
        "1 :5",
        "1.5:2",
        "1:18446744073709551616",
        "0:18446744073709551615",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct items_spec spec = {.fd = -1};
        struct err_text error = {{0}};
        char quoted[64];
        assert_int_equal(items_parse_range(wrong[i], &spec, &error), ERR_INVALID);
        (void)snprintf(quoted, sizeof(quoted), "'%s'", wrong[i]);
        assert_non_null(strstr(error.s, quoted));
    }
}

static void test_lines_become_items_in_order(void **state)
{
    (void)state;
    const char text[] = "alpha\n\nbeta gamma\nlast";
    struct items_spec spec = file_of(text, strlen(text), '\n');
    struct source *source = open_source(&spec);
    struct blob *payload = NULL;
    struct items_cursor cursor;

    read_all(source);
    assert_int_equal(source_available(source), 4);
    assert_int_equal(source_take(source, 0, 4, &payload), 0);
    assert_true(items_payload_valid(blob_bytes(payload), blob_len(payload), 4));
    items_cursor_init(&cursor, blob_bytes(payload), 4);
    assert_next(&cursor, "alpha");
    assert_next(&cursor, "");
    assert_next(&cursor, "beta gamma");
    assert_next(&cursor, "last");

    blob_unref(payload);
    source_close(source);
    (void)close(spec.fd);
}

static void test_trailing_newline_is_no_item(void **state)
{
    (void)state;
    struct items_spec spec = file_of("a\nb\n", 4, '\n');
    uint64_t count = 0;
    assert_int_equal(items_count(&spec, NULL, &count, NULL), 0);
    assert_int_equal(count, 2);
    (void)close(spec.fd);
}

static void test_empty_file_has_no_items(void **state)
{
    (void)state;
    struct items_spec spec = file_of("", 0, '\n');
    uint64_t count = 7;
    assert_int_equal(items_count(&spec, NULL, &count, NULL), 0);
    assert_int_equal(count, 0);
    (void)close(spec.fd);
}

static void test_null_separated_items_may_hold_newlines(void **state)
{
    (void)state;
    struct items_spec spec = file_of("a\nb\0c", 5, '\0');
    struct source *source = open_source(&spec);
    struct blob *payload = NULL;
    struct items_cursor cursor;

    read_all(source);
    assert_int_equal(source_available(source), 2);
    assert_int_equal(source_take(source, 0, 1, &payload), 0);
    items_cursor_init(&cursor, blob_bytes(payload), 1);
    assert_next(&cursor, "a\nb");
    blob_unref(payload);
    assert_int_equal(source_take(source, 1, 1, &payload), 0);
    items_cursor_init(&cursor, blob_bytes(payload), 1);
    assert_next(&cursor, "c");

    blob_unref(payload);
    source_close(source);
    (void)close(spec.fd);
}

static void test_same_spec_is_read_again_from_its_start(void **state)
{
    (void)state;
    struct items_spec spec = file_of("a\nb\nc\n", 6, '\n');
    for (int i = 0; i < 3; i++) {
        uint64_t count = 0;
        assert_int_equal(items_count(&spec, NULL, &count, NULL), 0);
        assert_int_equal(count, 3);
    }
    (void)close(spec.fd);
}

static void test_items_that_were_counted_are_those_that_are_read(void **state)
{
    (void)state;
    struct items_spec spec = file_of("a\nb\nc", 5, '\n');
    struct err_text error = {{0}};
    for (spec.count = 1; spec.count <= 3; spec.count++) {
        struct source *source = open_source(&spec);
        read_all(source);
        assert_int_equal(source_available(source), spec.count);
        struct blob *payload = NULL;
        assert_int_equal(source_take(source, 0, spec.count, &payload), 0);
        blob_unref(payload);
        source_close(source);
    }
    struct source *source = open_source(&spec);
    int rc = 0;
    while (rc == 0 && !source_is_final(source)) {
        rc = source_read(source, &error);
    }
    assert_int_equal(rc, ERR_IO);
    assert_string_equal(error.s,
                        "the items 'items' changed meanwhile: 4 when they were counted, 3 now");
    source_close(source);
    (void)close(spec.fd);
}

static void test_item_across_many_reads_stays_whole(void **state)
{
    (void)state;

    enum { LEN = 500 * 1000 };

    char *text = malloc(LEN + 3);
    assert_non_null(text);
    memset(text, 'x', LEN);
    memcpy(text + LEN, "\nz\n", 3);
    struct items_spec spec = file_of(text, LEN + 3, '\n');
    struct source *source = open_source(&spec);
    struct blob *payload = NULL;
    const char *bytes = NULL;
    size_t len = 0;
    struct items_cursor cursor;

    read_all(source);
    assert_int_equal(source_available(source), 2);
    assert_int_equal(source_chunk_items_max(source), 1);
    assert_int_equal(source_take(source, 0, 1, &payload), 0);
    items_cursor_init(&cursor, blob_bytes(payload), 1);
    assert_true(items_cursor_next(&cursor, &bytes, &len));
    assert_int_equal(len, LEN);
    assert_memory_equal(bytes, text, LEN);

    blob_unref(payload);
    source_close(source);
    (void)close(spec.fd);
    free(text);
}

static void test_item_over_the_limit_is_refused_by_number(void **state)
{
    (void)state;
    size_t len = ITEM_LEN_MAX + 3;
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, 'x', len);
    text[1] = '\n';
    struct items_spec spec = file_of(text, len, '\n');
    struct err_text error = {{0}};
    uint64_t count = 0;
    assert_int_equal(items_count(&spec, &error, &count, NULL), ERR_INVALID);
    assert_non_null(strstr(error.s, "item 2 of 'items'"));
    (void)close(spec.fd);
    free(text);
}

static void test_reading_ahead_is_bounded(void **state)
{
    (void)state;

    enum { LINES = 100 * 1000, LINE = 100 };

    char *text = malloc((size_t)LINES * LINE);
    assert_non_null(text);
    for (size_t i = 0; i < LINES; i++) {
        memset(text + i * LINE, 'y', LINE - 1);
        text[i * LINE + LINE - 1] = '\n';
    }
    struct items_spec spec = file_of(text, (size_t)LINES * LINE, '\n');
    struct source *source = open_source(&spec);
    struct err_text error = {{0}};
    while (!source_is_full(source)) {
        assert_int_equal(source_read(source, &error), 0);
    }
    assert_false(source_is_final(source));
    assert_true(source_available(source) <= (SOURCE_AHEAD_BYTES + 128 * 1024) / LINE);

    struct blob *payload = NULL;
    assert_int_equal(source_take(source, 0, source_available(source), &payload), 0);
    blob_unref(payload);
    assert_false(source_is_full(source));

    source_close(source);
    (void)close(spec.fd);
    free(text);
}

static void test_pipe_is_polled_and_read_as_it_comes(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct items_spec spec = {.fd = -1, .separator = '\n'};
    char path[64];
    (void)snprintf(path, sizeof(path), "/dev/fd/%d", fds[0]);
    spec.path = path;
    struct source *source = open_source(&spec);
    struct err_text error = {{0}};

    assert_true(source_poll_fd(source) >= 0);
    assert_int_equal(write(fds[1], "one\ntw", 6), 6);
    assert_int_equal(source_read(source, &error), 0);
    assert_int_equal(source_available(source), 1);
    assert_int_equal(write(fds[1], "o\n", 2), 2);
    (void)close(fds[1]);
    read_all(source);
    assert_int_equal(source_available(source), 2);

    source_close(source);
    (void)close(fds[0]);
}

static void test_missing_file_and_directory_are_refused_by_name(void **state)
{
    (void)state;
    struct items_spec spec = {.fd = -1, .path = "/nonexistent/items.txt", .separator = '\n'};
    struct err_text error = {{0}};
    struct source *source = NULL;
    assert_int_equal(source_open(&spec, &error, &source), ERR_IO);
    assert_non_null(strstr(error.s, "'/nonexistent/items.txt'"));
    spec.path = "/";
    assert_int_equal(source_open(&spec, &error, &source), ERR_IO);
    assert_non_null(strstr(error.s, "directory"));
}

static void test_source_fingerprint_tells_inputs_apart(void **state)
{
    (void)state;
    const char *inputs[] = {"a\nb\n", "a\nc\n", "a\nb\n\n", "ab\n", "a\nb"};
    char prints[5][ITEMS_PRINT_SIZE];
    for (size_t i = 0; i < 5; i++) {
        uint64_t count = 0;
        struct items_spec spec = file_of(inputs[i], strlen(inputs[i]), '\n');
        assert_int_equal(items_count(&spec, NULL, &count, prints[i]), 0);
        (void)close(spec.fd);
        for (size_t j = 0; j < i; j++) {
            /* A last line without its end is the same line. */
            assert_int_equal(strcmp(prints[i], prints[j]) == 0, i == 4 && j == 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_range_is_two_integers_however_long),
        cmocka_unit_test(test_range_reaches_the_largest_number),
        cmocka_unit_test(test_range_refuses_what_is_not_one_and_quotes_it),
        cmocka_unit_test(test_lines_become_items_in_order),
        cmocka_unit_test(test_trailing_newline_is_no_item),
        cmocka_unit_test(test_empty_file_has_no_items),
        cmocka_unit_test(test_null_separated_items_may_hold_newlines),
        cmocka_unit_test(test_same_spec_is_read_again_from_its_start),
        cmocka_unit_test(test_items_that_were_counted_are_those_that_are_read),
        cmocka_unit_test(test_item_across_many_reads_stays_whole),
        cmocka_unit_test(test_item_over_the_limit_is_refused_by_number),
        cmocka_unit_test(test_reading_ahead_is_bounded),
        cmocka_unit_test(test_pipe_is_polled_and_read_as_it_comes),
        cmocka_unit_test(test_missing_file_and_directory_are_refused_by_name),
        cmocka_unit_test(test_source_fingerprint_tells_inputs_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
