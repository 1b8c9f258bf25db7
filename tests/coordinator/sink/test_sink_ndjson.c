/* NDJSON: what is written is read back with a JSON library. */
#include "common/base/rng.h"
#include "tests/coordinator/sink/sink_fixture.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct text_fixture fixture;
static struct sink_style style;

static int setup(void **state)
{
    (void)state;
    text_fixture_init(&fixture);
    style = (struct sink_style){.separator = '\n'};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    text_fixture_clear(&fixture);
    return 0;
}

/* A plain item that succeeded; tests change what they are about. */
static struct sink_item plain(void)
{
    return (struct sink_item){
        FIXTURE_ITEM("a.txt"),
        .index = 3,
        .attempt = 1,
        .worker = "w1",
        .record = {.start_us = UINT64_C(1764010223000001),
                   .run_us = 1234,
                   FIXTURE_OUT(""),
                   FIXTURE_ERR(""),
                   FIXTURE_REASON("")},
    };
}

/* The line as it is written, without its newline, which must be the only one. */
static const char *line_of(const struct sink_item *item)
{
    text_fixture_clear(&fixture);
    sink_ndjson_ops.put_item(&fixture.text, &style, item);
    size_t len;
    (void)text_fixture_all(&fixture, &len);
    assert_ptr_equal(memchr(fixture.all, '\n', len), fixture.all + len - 1);
    fixture.all[len - 1] = '\0';
    return fixture.all;
}

static json_t *object_of(const struct sink_item *item)
{
    json_error_t error;
    json_t *object = json_loads(line_of(item), JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
    if (object == NULL) {
        fail_msg("%s: %s", error.text, fixture.all);
    }
    return object;
}

static void assert_text(const json_t *object, const char *key, const char *bytes, size_t len)
{
    const json_t *value = json_object_get(object, key);
    assert_non_null(value);
    assert_int_equal(json_string_length(value), len);
    assert_memory_equal(json_string_value(value), bytes, len);
}

/* Under `key` as text or under `key`_base64, whichever it has to be. */
static void assert_bytes(const json_t *object, const char *key, const char *bytes, size_t len)
{
    char key_base64[64];
    (void)snprintf(key_base64, sizeof(key_base64), "%s_base64", key);
    if (sink_text_utf8(bytes, len) == len) {
        assert_null(json_object_get(object, key_base64));
        assert_text(object, key, bytes, len);
        return;
    }
    assert_null(json_object_get(object, key));
    const char *text = json_string_value(json_object_get(object, key_base64));
    assert_non_null(text);
    char *back = malloc(strlen(text) + 4);
    assert_non_null(back);
    assert_int_equal(base64_fixture(text, back), len);
    assert_memory_equal(back, bytes, len);
    free(back);
}

static void test_sink_ndjson_writes_an_item_as_documented(void **state)
{
    (void)state;
    struct sink_item item = plain();
    item.attempt = 2;
    item.record = (struct record){.status = RECORD_FAILED,
                                  .flags = RECORD_HAS_VALUE,
                                  .exit_status = 3,
                                  .signal = 9,
                                  .start_us = UINT64_C(1764010223000001),
                                  .run_us = 2001234,
                                  .value = 42,
                                  FIXTURE_OUT("o\n"),
                                  FIXTURE_ERR("e"),
                                  FIXTURE_REASON("killed")};
    assert_string_equal(
        line_of(&item),
        "{\"index\":3,\"item\":\"a.txt\",\"status\":\"failed\",\"attempt\":2,\"worker\":\"w1\","
        "\"start\":\"2025-11-24T18:50:23.000001Z\",\"seconds\":2.001234,\"exit\":3,\"signal\":9,"
        "\"value\":42,\"stdout\":\"o\\n\",\"stderr\":\"e\",\"reason\":\"killed\"}");
}

static void test_sink_ndjson_leaves_out_what_does_not_apply(void **state)
{
    (void)state;
    struct sink_item item = plain();
    item.worker = "";
    item.record.start_us = 0;
    assert_string_equal(line_of(&item),
                        "{\"index\":3,\"item\":\"a.txt\",\"status\":\"ok\",\"attempt\":1,"
                        "\"seconds\":0.001234}");
}

static void test_sink_ndjson_writes_exit_0_of_commands_that_succeeded(void **state)
{
    (void)state;
    struct sink_item item = plain();
    style.exits = true;
    json_t *object = object_of(&item);
    assert_int_equal(json_integer_value(json_object_get(object, "exit")), 0);
    assert_non_null(json_object_get(object, "exit"));
    json_decref(object);

    item.record.status = RECORD_TIMED_OUT; /* it never exited */
    item.record.signal = 15;
    object = object_of(&item);
    assert_null(json_object_get(object, "exit"));
    assert_int_equal(json_integer_value(json_object_get(object, "signal")), 15);
    json_decref(object);
}

static void test_sink_ndjson_names_every_status(void **state)
{
    (void)state;
    static const char *const names[] = {"ok", "failed", "timeout", "crashed"};
    struct sink_item item = plain();
    for (int status = RECORD_OK; status <= RECORD_CRASHED; status++) {
        item.record.status = (uint8_t)status;
        json_t *object = object_of(&item);
        assert_text(object, "status", names[status], strlen(names[status]));
        json_decref(object);
    }
}

static void test_sink_ndjson_says_of_a_lost_item_why_and_nothing_of_a_run(void **state)
{
    (void)state;
    struct sink_item item = plain();
    style.exits = true;
    item.is_lost = true;
    item.record = (struct record){.status = RECORD_FAILED,
                                  FIXTURE_OUT(""),
                                  FIXTURE_ERR(""),
                                  FIXTURE_REASON("worker \"w1\" died")};
    assert_string_equal(line_of(&item),
                        "{\"index\":3,\"item\":\"a.txt\",\"status\":\"lost\",\"attempt\":1,"
                        "\"worker\":\"w1\",\"reason\":\"worker \\\"w1\\\" died\"}");
}

static void test_sink_ndjson_writes_items_of_a_range_as_numbers(void **state)
{
    (void)state;
    struct sink_item item = plain();
    item.bytes = NULL;
    item.number = 1234567890123;
    json_t *object = object_of(&item);
    assert_true(json_is_integer(json_object_get(object, "item")));
    assert_int_equal(json_integer_value(json_object_get(object, "item")), 1234567890123);
    json_decref(object);
    item.number = UINT64_MAX; /* beyond what the library reads */
    assert_non_null(strstr(line_of(&item), "\"item\":18446744073709551615,"));
}

static void test_sink_ndjson_marks_outputs_that_were_cut(void **state)
{
    (void)state;
    struct sink_item item = plain();
    item.record.flags = RECORD_OUT_TRUNCATED | RECORD_ERR_TRUNCATED;
    item.record.out = "\xc3\xa9\xe2\x82"; /* the cut went through a euro sign */
    item.record.out_len = 4;
    item.record.err = "\xff\xe2\x82";
    item.record.err_len = 3;
    json_t *object = object_of(&item);
    assert_text(object, "stdout", "\xc3\xa9", 2);
    assert_true(json_is_true(json_object_get(object, "stdout_truncated")));
    assert_bytes(object, "stderr", item.record.err, 3);
    assert_true(json_is_true(json_object_get(object, "stderr_truncated")));
    json_decref(object);

    item.record.flags = 0; /* not cut: then these are the bytes */
    object = object_of(&item);
    assert_bytes(object, "stdout", item.record.out, 4);
    assert_null(json_object_get(object, "stdout_truncated"));
    json_decref(object);
}

static void test_sink_ndjson_keeps_names_and_reasons_readable_whatever_is_in_them(void **state)
{
    (void)state;
    struct sink_item item = plain();
    item.worker = "w\xff\"\n";
    item.record.status = RECORD_FAILED;
    item.record.reason = "no \xe2\x82";
    item.record.reason_len = 5;
    json_t *object = object_of(&item);
    assert_text(object, "worker", "w\xef\xbf\xbd\"\n", 6);
    assert_text(object, "reason", "no \xef\xbf\xbd\xef\xbf\xbd", 9);
    json_decref(object);
}

static void test_sink_ndjson_outputs_of_megabytes_come_back(void **state)
{
    (void)state;

    enum { LEN = 3 * 1024 * 1024 + 1 };

    char *bytes = malloc(LEN);
    assert_non_null(bytes);
    memset(bytes, '\n', LEN);
    struct sink_item item = plain();
    item.record.out = bytes;
    item.record.out_len = LEN;
    item.record.err = bytes;
    item.record.err_len = LEN;
    json_t *object = object_of(&item);
    assert_bytes(object, "stdout", bytes, LEN);
    json_decref(object);
    bytes[LEN / 2] = (char)0xff;
    object = object_of(&item);
    assert_bytes(object, "stdout", bytes, LEN);
    assert_bytes(object, "stderr", bytes, LEN);
    json_decref(object);
    free(bytes);
}

/* Bytes of three kinds: anything, hardly anything that is not ASCII, text of two-byte letters. */
static size_t random_bytes(struct rng *rng, char *bytes, size_t size)
{
    size_t len = rng_below(rng, size);
    uint64_t kind = rng_below(rng, 3);
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (char)(kind == 0 || rng_below(rng, 100) == 0 ? rng_next(rng)
                                                                : rng_below(rng, 128));
        if (kind == 2 && i > 0 && i % 2 == 1) {
            bytes[i - 1] = (char)0xc3;
            bytes[i] = (char)(0x80 + rng_below(rng, 64));
        }
    }
    return len;
}

static void test_sink_ndjson_random_bytes_come_back(void **state)
{
    (void)state;
    char bytes[3][1200];
    struct rng rng;
    rng_init(&rng, 20221122);
    for (int i = 0; i < 3000; i++) {
        struct sink_item item = plain();
        item.bytes = bytes[0];
        item.len = random_bytes(&rng, bytes[0], sizeof(bytes[0]));
        item.record.out = bytes[1];
        item.record.out_len = 1 + (uint32_t)random_bytes(&rng, bytes[1] + 1, sizeof(bytes[1]) - 1);
        item.record.err = bytes[2];
        item.record.err_len = 1 + (uint32_t)random_bytes(&rng, bytes[2] + 1, sizeof(bytes[2]) - 1);
        bytes[1][0] = (char)rng_below(&rng, 128);
        bytes[2][0] = (char)rng_next(&rng);
        json_t *object = object_of(&item);
        assert_bytes(object, "item", item.bytes, item.len);
        assert_bytes(object, "stdout", item.record.out, item.record.out_len);
        assert_bytes(object, "stderr", item.record.err, item.record.err_len);
        json_decref(object);
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_sink_ndjson_writes_an_item_as_documented),
        CASE(test_sink_ndjson_leaves_out_what_does_not_apply),
        CASE(test_sink_ndjson_writes_exit_0_of_commands_that_succeeded),
        CASE(test_sink_ndjson_names_every_status),
        CASE(test_sink_ndjson_says_of_a_lost_item_why_and_nothing_of_a_run),
        CASE(test_sink_ndjson_writes_items_of_a_range_as_numbers),
        CASE(test_sink_ndjson_marks_outputs_that_were_cut),
        CASE(test_sink_ndjson_keeps_names_and_reasons_readable_whatever_is_in_them),
        CASE(test_sink_ndjson_outputs_of_megabytes_come_back),
        CASE(test_sink_ndjson_random_bytes_come_back),
    };
    return cmocka_run_group_tests_name("sink_ndjson", tests, NULL, NULL);
}
