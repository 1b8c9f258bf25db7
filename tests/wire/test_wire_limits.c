/* The largest messages that the constants of wire.h allow fit one header frame, whatever their
 * values, and survive the way there. What does not fit is refused in words. */
#include "common/wire/wire.h"
#include "tests/wire/wire_equal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Where a message is built and brought over. */
struct fixture {
    struct wire_encoder *encoder;
    struct wire_decoder *decoder;
    unsigned char bytes[WIRE_HEADER_MAX];
    uint64_t id[WIRE_CHUNKS_MAX];
    uint64_t most[WIRE_CHUNKS_MAX]; /* UINT64_MAX each */
    uint64_t
        half[WIRE_CHUNKS_MAX]; /* 2^63: the most that ok may be when failed has ten bytes too */
    uint64_t one[WIRE_CHUNKS_MAX];
    uint32_t attempt[WIRE_CHUNKS_MAX];
    uint32_t payload_len[WIRE_CHUNKS_MAX];
    uint32_t
        records_len[WIRE_CHUNKS_MAX]; /* as many bytes of varint as their sum leaves room for */
    uint32_t error_at[WIRE_ERRORS_MAX];
    struct wire_text texts[WIRE_LIST_MAX];
    char text[WIRE_VALUE_MAX + 1];
};

static int setup(void **state)
{
    static struct fixture f;
    f.encoder = wire_encoder_new();
    f.decoder = wire_decoder_new();
    for (size_t i = 0; i < WIRE_CHUNKS_MAX; i++) {
        f.id[i] = UINT64_MAX - i;
        f.most[i] = UINT64_MAX;
        f.half[i] = UINT64_C(1) << 63;
        f.one[i] = 1;
        f.attempt[i] = UINT32_MAX;
        f.payload_len[i] = WIRE_PAYLOAD_MAX / WIRE_CHUNKS_MAX;
    }
    /* Three bytes of varint each, and four of one: 16 MiB of records leave no room for more. */
    for (size_t i = 0; i < WIRE_CHUNKS_MAX; i++) {
        f.records_len[i] = i == 0 ? 1 << 21 : 1 << 14;
    }
    for (uint32_t i = 0; i < WIRE_ERRORS_MAX; i++) {
        f.error_at[i] = WIRE_CHUNKS_MAX - WIRE_ERRORS_MAX + i;
    }
    memset(f.text, 'x', sizeof(f.text));
    *state = &f;
    return f.encoder == NULL || f.decoder == NULL;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    wire_encoder_free(f->encoder);
    wire_decoder_free(f->decoder);
    return 0;
}

static void fill_texts(struct fixture *f, size_t count, size_t len)
{
    for (size_t i = 0; i < count; i++) {
        f->texts[i] = (struct wire_text){f->text, len};
    }
}

/* Returns the size of the frame. */
static size_t assert_arrives(struct fixture *f, const struct wire_message *message)
{
    struct wire_message arrived;
    struct err_text error = {""};
    size_t len = wire_size(f->encoder, message);
    assert_in_range(len, 1, WIRE_HEADER_MAX);
    wire_write(f->encoder, f->bytes);
    if (wire_decode(f->decoder, f->bytes, len, &error, &arrived) != 0) {
        fail_msg("%s", error.s);
    }
    assert_true(wire_equal(message, &arrived));
    return len;
}

static void test_wire_largest_chunks_and_holding_fit(void **state)
{
    struct fixture *f = *state;
    struct wire_message message = {
        .type = WIRE_CHUNKS,
        .session = UINT64_MAX,
        .job = UINT64_MAX,
        .ack = UINT64_MAX,
        .as.chunks = {.count = WIRE_CHUNKS_MAX,
                      .id = f->id,
                      .first = f->half,
                      .items = f->half,
                      .attempt = f->attempt,
                      .payload_len = f->payload_len},
    };
    for (size_t i = 0; i < WIRE_CHUNKS_MAX; i++) {
        f->half[i]--; /* first + count reaches 2^64 - 2 */
        f->most[i] = f->half[i];
    }
    (void)assert_arrives(f, &message);
    message.type = WIRE_HOLDING;
    message.as.chunks.payload_len = NULL;
    (void)assert_arrives(f, &message);
}

static void test_wire_largest_results_fit_with_every_error_text(void **state)
{
    struct fixture *f = *state;
    fill_texts(f, WIRE_ERRORS_MAX, WIRE_ERROR_TEXT_MAX);
    for (size_t i = 0; i < WIRE_CHUNKS_MAX; i++) {
        f->one[i] = UINT64_MAX - f->half[i]; /* nine bytes: ok + failed does not wrap */
    }
    struct wire_message message = {
        .type = WIRE_RESULTS,
        .session = UINT64_MAX,
        .job = UINT64_MAX,
        .ack = UINT64_MAX,
        .as.results = {.seq = UINT64_MAX,
                       .credit = 65536,
                       .count = WIRE_CHUNKS_MAX,
                       .id = f->id,
                       .attempt = f->attempt,
                       .ok = f->half,
                       .failed = f->one,
                       .checksum = f->most,
                       .bytes_out = f->most,
                       .run_us = f->most,
                       .error_count = WIRE_ERRORS_MAX,
                       .error_at = f->error_at,
                       .error_index = f->most,
                       .error_text = f->texts,
                       .cpu_us = UINT64_MAX,
                       .records_len = f->records_len},
    };
    size_t len = assert_arrives(f, &message);
    /* A constant that is needlessly small would show here. */
    assert_in_range(len, WIRE_HEADER_MAX - 4096, WIRE_HEADER_MAX);
}

static void test_wire_largest_returned_fits(void **state)
{
    struct fixture *f = *state;
    struct wire_message message = {
        .type = WIRE_RETURNED,
        .session = 1,
        .as.returned = {.id = f->id, .count = WIRE_CHUNKS_MAX},
    };
    (void)assert_arrives(f, &message);
}

static void test_wire_job_with_every_parameter_arrives(void **state)
{
    struct fixture *f = *state;
    fill_texts(f, WIRE_LIST_MAX, 100);
    struct wire_message message = {
        .type = WIRE_JOB,
        .session = 1,
        .job = 1,
        .as.job_spec = {.workload = f->texts[0],
                        .param_names = f->texts,
                        .param_values = f->texts,
                        .param_count = WIRE_LIST_MAX,
                        .strategy = 1,
                        .slots = 65536,
                        .range_first = UINT64_MAX,
                        .credit_fixed = 65536},
    };
    (void)assert_arrives(f, &message);
}

static void test_wire_check_refuses_a_job_that_does_not_fit(void **state)
{
    struct fixture *f = *state;
    struct err_text error = {""};
    struct wire_text name = wire_text("n");
    const struct wire_text names[] = {name, name};
    fill_texts(f, 2, WIRE_VALUE_MAX);
    struct wire_message message = {
        .type = WIRE_JOB,
        .session = 1,
        .job = 1,
        .as.job_spec = {.workload = name,
                        .param_names = names,
                        .param_values = f->texts,
                        .param_count = 2,
                        .strategy = 1},
    };

    int rc = wire_check(f->encoder, &message, &error);

    assert_int_equal(rc, ERR_INVALID);
    assert_string_equal(error.s, "JOB: 65572 bytes together, at most 65536 fit one message");
}

static void test_wire_check_refuses_a_value_that_is_too_long(void **state)
{
    struct fixture *f = *state;
    struct err_text error = {""};
    struct wire_text name = wire_text("url");
    fill_texts(f, 1, WIRE_VALUE_MAX + 1);
    struct wire_message message = {
        .type = WIRE_JOB,
        .session = 1,
        .job = 1,
        .as.job_spec = {.workload = name,
                        .param_names = &name,
                        .param_values = f->texts,
                        .param_count = 1,
                        .strategy = 1},
    };

    assert_int_equal(wire_check(f->encoder, &message, &error), ERR_INVALID);
    assert_non_null(strstr(error.s, "has 32769 bytes, at most 32768 are allowed"));
}

static void test_wire_cuts_long_texts_for_people(void **state)
{
    struct fixture *f = *state;
    struct wire_message message = {.type = WIRE_BYE,
                                   .as.reject.text = {f->text, WIRE_TEXT_MAX + 1}};
    struct wire_message arrived;

    size_t len = wire_size(f->encoder, &message);
    wire_write(f->encoder, f->bytes);

    assert_int_equal(wire_decode(f->decoder, f->bytes, len, NULL, &arrived), 0);
    assert_int_equal(arrived.as.reject.text.len, WIRE_TEXT_MAX);
}

static void test_wire_describes_in_one_line(void **state)
{
    (void)state;
    char line[256];
    const uint64_t id = 11;
    const uint64_t first = 5;
    const uint64_t items = 30;
    const uint32_t attempt = 2;
    struct wire_message message = {
        .type = WIRE_CHUNKS,
        .session = 7,
        .job = 2,
        .as.chunks = {.count = 1, .id = &id, .first = &first, .items = &items, .attempt = &attempt},
    };
    assert_string_equal(wire_describe(&message, line, sizeof(line)),
                        "CHUNKS session=7 job=2 n=1 first=#11.2[5+30] payload=0");
    message.type = WIRE_HOLDING;
    assert_string_equal(wire_describe(&message, line, sizeof(line)),
                        "HOLDING session=7 job=2 n=1 first=#11.2[5+30]");
    message.type = WIRE_HEARTBEAT;
    message.as.heartbeat = (struct wire_heartbeat){.items_done = 1, .held = 2, .cpu_us = 3};
    assert_string_equal(wire_describe(&message, line, sizeof(line)),
                        "HEARTBEAT session=7 job=2 items_done=1 held=2 cpu_us=3");
    message.as.heartbeat.coming = 300000;
    assert_string_equal(wire_describe(&message, line, sizeof(line)),
                        "HEARTBEAT session=7 job=2 items_done=1 held=2 cpu_us=3 coming=300000");
    message.as.heartbeat = (struct wire_heartbeat){.heartbeat_ms = 2000};
    assert_string_equal(wire_describe(&message, line, sizeof(line)),
                        "HEARTBEAT session=7 job=2 items_done=0 held=0 cpu_us=0 heartbeat_ms=2000");
}

static void test_wire_describes_plugins_and_records(void **state)
{
    (void)state;
    char line[256];
    const uint64_t id = 11;
    const uint32_t records_len = 48;
    const char hash[] = "\x01\xab\x00\xff"
                        "5678901234567890123456789012";
    struct wire_message message = {
        .type = WIRE_PART,
        .session = 7,
        .job = 2,
        .as.fetch = {.hash = {hash, WIRE_HASH_SIZE}, .offset = 1048576},
    };
    assert_string_equal(wire_describe(&message, line, sizeof(line)),
                        "PART session=7 job=2 plugin=01ab00ff offset=1048576");
    message.type = WIRE_JOB;
    message.as.job_spec = (struct wire_job){.workload = wire_text("thumbs"),
                                            .strategy = 1,
                                            .records = true,
                                            .plugin_hash = {hash, WIRE_HASH_SIZE},
                                            .plugin_size = 12};
    assert_string_equal(wire_describe(&message, line, sizeof(line)),
                        "JOB session=7 job=2 workload=\"thumbs\" strategy=serial slots=0 "
                        "range_first=0 credit_fixed=0 records plugin=01ab00ff plugin_size=12");
    message.type = WIRE_RESULTS;
    message.as.results = (struct wire_results){.seq = 1,
                                               .count = 1,
                                               .id = &id,
                                               .attempt = (const uint32_t[]){1},
                                               .ok = &id,
                                               .run_us = &id,
                                               .records_len = &records_len};
    assert_string_equal(wire_describe(&message, line, sizeof(line)),
                        "RESULTS session=7 job=2 seq=1 credit=0 n=1 first=#11.1 ok=11 failed=0 "
                        "run_us=11 records=48");
}

static void test_wire_describes_probes_and_echoes(void **state)
{
    (void)state;
    char line[256];
    struct wire_message message = {
        .type = WIRE_PROBE,
        .as.probe = {.protocol_major = 1, .protocol_minor = 3, .host = wire_text("h1"), .seq = 5},
    };
    assert_string_equal(wire_describe(&message, line, sizeof(line)),
                        "PROBE session=0 protocol=1.3 host=\"h1\" seq=5 want=0");
    message.type = WIRE_ECHO;
    message.as.echo = (struct wire_echo){.protocol_major = 1,
                                         .host = wire_text("head"),
                                         .seq = 5,
                                         .got = 9,
                                         .workers = 2,
                                         .workers_max = 16,
                                         .running = true};
    assert_string_equal(
        wire_describe(&message, line, sizeof(line)),
        "ECHO session=0 protocol=1.0 host=\"head\" seq=5 got=9 workers=2/16 running");
}

static void test_wire_describe_cuts_at_the_size_given(void **state)
{
    (void)state;
    char line[12];
    struct wire_message message = {.type = WIRE_ACK, .session = 1234567, .ack = 89};
    assert_string_equal(wire_describe(&message, line, sizeof(line)), "ACK session");
    assert_string_equal(wire_describe(&message, line, 1), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_wire_largest_chunks_and_holding_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_wire_largest_results_fit_with_every_error_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wire_largest_returned_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_wire_job_with_every_parameter_arrives, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_wire_check_refuses_a_job_that_does_not_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_wire_check_refuses_a_value_that_is_too_long, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wire_cuts_long_texts_for_people, setup, teardown),
        cmocka_unit_test(test_wire_describes_in_one_line),
        cmocka_unit_test(test_wire_describes_plugins_and_records),
        cmocka_unit_test(test_wire_describes_probes_and_echoes),
        cmocka_unit_test(test_wire_describe_cuts_at_the_size_given),
    };
    return cmocka_run_group_tests_name("wire_limits", tests, NULL, NULL);
}
