/* Frames that no honest peer sends: each is ERR_PROTOCOL with a text that quotes the value, none
 * aborts, and the decoder goes on. */
#include "common/base/chunk.h"
#include "common/base/rng.h"
#include "common/wire/wire.h"
#include "tests/wire/wire_equal.h"
#include "tests/wire/wire_samples.h"

#include <quartet.pb-c.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BYTES(literal)                                                                             \
    {                                                                                              \
        sizeof(literal) - 1, (uint8_t *)(uintptr_t)(literal)                                       \
    }

static int setup(void **state)
{
    *state = wire_decoder_new();
    return *state == NULL;
}

static int teardown(void **state)
{
    wire_decoder_free(*state);
    return 0;
}

/* The frame must be refused, with `why` somewhere in the text. */
static void assert_bytes_refused(struct wire_decoder *decoder,
                                 const void *bytes,
                                 size_t len,
                                 const char *why)
{
    struct err_text error = {""};
    struct wire_message message;
    memset(&message, 0x5a, sizeof(message));
    struct wire_message before = message;

    assert_int_equal(wire_decode(decoder, bytes, len, &error, &message), ERR_PROTOCOL);

    if (strstr(error.s, why) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error.s, why);
    }
    assert_memory_equal(&message, &before, sizeof(message));
}

/* The generated struct can say what our own encoder would not. */
static size_t pack(const Quartet__Header *header, unsigned char *ret_bytes, size_t size)
{
    size_t len = quartet__header__get_packed_size(header);
    assert_true(len <= size);
    return quartet__header__pack(header, ret_bytes);
}

static void assert_refused(void **state, const Quartet__Header *header, const char *why)
{
    static unsigned char bytes[WIRE_HEADER_MAX];
    size_t len = pack(header, bytes, sizeof(bytes));
    assert_bytes_refused(*state, bytes, len, why);
}

static Quartet__Header header_of(enum wire_type type)
{
    Quartet__Header header = QUARTET__HEADER__INIT;
    header.type = (uint32_t)type;
    header.session = 7;
    header.job = 2;
    return header;
}

static Quartet__Hello good_hello(void)
{
    Quartet__Hello hello = QUARTET__HELLO__INIT;
    hello.magic = WIRE_MAGIC;
    hello.protocol_major = WIRE_PROTOCOL_MAJOR;
    hello.cores = 1;
    hello.credit_max = 1;
    hello.strategies = 1 << STRATEGY_SERIAL;
    return hello;
}

static void test_wire_refuses_bytes_that_are_no_protobuf(void **state)
{
    assert_bytes_refused(*state, "\xff\xff\xff\xff", 4, "no protobuf of ours");
    assert_bytes_refused(*state, "GET / HTTP/1.1\r\n", 16, "no protobuf of ours");
}

static void test_wire_refuses_an_empty_frame(void **state)
{
    assert_bytes_refused(*state, "", 0, "type is 0, which is unknown");
}

static void test_wire_refuses_a_frame_beyond_the_limit(void **state)
{
    unsigned char *bytes = calloc(1, WIRE_HEADER_MAX + 1);
    assert_bytes_refused(*state, bytes, WIRE_HEADER_MAX + 1, "65537 bytes, at most 65536");
    free(bytes);
}

static void test_wire_refuses_an_unknown_type(void **state)
{
    Quartet__Header header = header_of(WIRE_ACK);
    header.type = WIRE_ECHO + 1;
    assert_refused(state, &header, "header: type is 19, which is unknown");
    header.type = UINT32_MAX;
    assert_refused(state, &header, "type is 4294967295");
}

static void test_wire_refuses_every_type_without_its_body(void **state)
{
    for (int type = WIRE_HELLO; type <= WIRE_ECHO; type++) {
        if (type != WIRE_ACK && type != WIRE_CANCEL && type != WIRE_DRAIN) {
            Quartet__Header header = header_of((enum wire_type)type);
            assert_refused(state, &header, "has no body");
        }
    }
}

static void test_wire_refuses_the_body_of_another_type(void **state)
{
    Quartet__Beat beat = QUARTET__BEAT__INIT;
    Quartet__Text bye = QUARTET__TEXT__INIT;
    Quartet__Header header = header_of(WIRE_HEARTBEAT);
    header.heartbeat = &beat;
    header.bye = &bye;
    assert_refused(state, &header, "HEARTBEAT: has the body of a BYE");
    header = header_of(WIRE_ACK);
    header.heartbeat = &beat;
    assert_refused(state, &header, "ACK: has the body of a HEARTBEAT");
}

static void test_wire_refuses_another_magic(void **state)
{
    Quartet__Hello hello = good_hello();
    Quartet__Header header = header_of(WIRE_HELLO);
    header.hello = &hello;
    hello.magic = 0xdead;
    assert_refused(state, &header, "HELLO: magic is 0x000000000000dead");
}

static void test_wire_reads_who_speaks_another_version(void **state)
{
    /* given a HELLO of protocol 2.9, whose other fields make no sense in ours */
    unsigned char bytes[256];
    Quartet__Hello hello = good_hello();
    Quartet__Header header = header_of(WIRE_HELLO);
    header.hello = &hello;
    hello.protocol_major = 2;
    hello.protocol_minor = 9;
    hello.cores = 0;
    hello.name = (ProtobufCBinaryData)BYTES("new\nworker");
    size_t len = pack(&header, bytes, sizeof(bytes));

    /* when it is decoded */
    struct wire_message message;
    assert_int_equal(wire_decode(*state, bytes, len, NULL, &message), 0);

    /* then there is enough to answer with */
    assert_int_equal(message.as.hello.protocol_major, 2);
    assert_int_equal(message.as.hello.protocol_minor, 9);
    assert_int_equal(message.as.hello.name.len, 10);
    assert_memory_equal(message.as.hello.name.s, "new?worker", 10);
    assert_int_equal(message.as.hello.workload_count, 0);
}

static void test_wire_refuses_a_hello_with_values_out_of_range(void **state)
{
    Quartet__Hello hello = good_hello();
    Quartet__Header header = header_of(WIRE_HELLO);
    header.hello = &hello;
    hello.cores = 0;
    assert_refused(state, &header, "HELLO: cores is 0, allowed is 1 to 65536");
    hello.cores = 65537;
    assert_refused(state, &header, "HELLO: cores is 65537");
    hello = good_hello();
    hello.credit_max = 0;
    assert_refused(state, &header, "HELLO: credit_max is 0");
    hello = good_hello();
    hello.strategies = 1U << 31;
    assert_refused(state, &header, "HELLO: strategies is 0x0, none that we know");
}

static void test_wire_refuses_names_that_are_none(void **state)
{
    Quartet__Hello hello = good_hello();
    Quartet__Header header = header_of(WIRE_HELLO);
    header.hello = &hello;
    static char long_name[WIRE_NAME_MAX + 2]; /* BYTES leaves the last one out */
    memset(long_name, 'n', sizeof(long_name));
    ProtobufCBinaryData names[] = {
        BYTES(""), BYTES("a\x1b[2J"), BYTES("\xc3\x28"), BYTES(long_name)};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        hello.n_workloads = 1;
        hello.workloads = &names[i];
        assert_refused(state, &header, "is no name: 1 to 256 bytes of printable UTF-8");
    }
}

static void test_wire_refuses_too_many_workloads(void **state)
{
    Quartet__Hello hello = good_hello();
    Quartet__Header header = header_of(WIRE_HELLO);
    header.hello = &hello;
    ProtobufCBinaryData names[WIRE_LIST_MAX + 1];
    for (size_t i = 0; i < WIRE_LIST_MAX + 1; i++) {
        names[i] = (ProtobufCBinaryData)BYTES("w");
    }
    hello.n_workloads = WIRE_LIST_MAX + 1;
    hello.workloads = names;
    assert_refused(state, &header, "number of workloads is 257, allowed is 0 to 256");
}

static void test_wire_refuses_a_session_or_job_of_zero(void **state)
{
    Quartet__Header header = header_of(WIRE_ACK);
    header.session = 0;
    assert_refused(state, &header, "ACK: session is 0");
    header = header_of(WIRE_CANCEL);
    header.job = 0;
    assert_refused(state, &header, "CANCEL: job is 0");
}

static void test_wire_refuses_a_heartbeat_period_that_is_absurd(void **state)
{
    Quartet__Welcome welcome = QUARTET__WELCOME__INIT;
    Quartet__Header header = header_of(WIRE_WELCOME);
    header.welcome = &welcome;
    assert_refused(state, &header, "WELCOME: heartbeat_ms is 0, allowed is 10 to 3600000");
    welcome.heartbeat_ms = 3600001;
    assert_refused(state, &header, "WELCOME: heartbeat_ms is 3600001");
    /* and one that comes later */
    Quartet__Beat beat = QUARTET__BEAT__INIT;
    header = header_of(WIRE_HEARTBEAT);
    header.heartbeat = &beat;
    beat.heartbeat_ms = 9;
    assert_refused(state, &header, "HEARTBEAT: heartbeat_ms is 9, allowed is 10 to 3600000");
    beat.heartbeat_ms = 3600001;
    assert_refused(state, &header, "HEARTBEAT: heartbeat_ms is 3600001");
}

static void test_wire_maps_a_reason_of_a_later_version_to_none(void **state)
{
    unsigned char bytes[64];
    Quartet__Text text = QUARTET__TEXT__INIT;
    Quartet__Header header = header_of(WIRE_REJECT);
    header.reject = &text;
    text.code = 77;
    text.text = (ProtobufCBinaryData)BYTES("caf\xc3\xa9 \x1b[31m");
    size_t len = pack(&header, bytes, sizeof(bytes));
    struct wire_message message;

    assert_int_equal(wire_decode(*state, bytes, len, NULL, &message), 0);

    assert_int_equal(message.as.reject.reason, WIRE_REASON_NONE);
    assert_int_equal(message.as.reject.text.len, 11);
    assert_memory_equal(message.as.reject.text.s, "caf\xc3\xa9 ?[31m", 11);
}

static void test_wire_refuses_a_job_with_bad_values(void **state)
{
    Quartet__Job job = QUARTET__JOB__INIT;
    Quartet__Header header = header_of(WIRE_JOB);
    header.job_spec = &job;
    assert_refused(state, &header, "JOB: workload \"\" is no name");
    job.workload = (ProtobufCBinaryData)BYTES("noop");
    assert_refused(state, &header, "JOB: strategy is 0, allowed is 1 to 4");
    job.strategy = 5;
    assert_refused(state, &header, "JOB: strategy is 5");
    job.strategy = 1;
    job.slots = 65537;
    assert_refused(state, &header, "JOB: slots is 65537");
    job.slots = 0;
    ProtobufCBinaryData names[] = {BYTES("a"), BYTES("b")};
    ProtobufCBinaryData values[] = {BYTES("1"), BYTES("x\0y")};
    job.n_param_names = 2;
    job.param_names = names;
    assert_refused(state, &header, "JOB: param_values has 0 values where 2 are due");
    job.n_param_values = 2;
    job.param_values = values;
    assert_refused(state, &header, "JOB: value \"x?y\" has a NUL byte in it");
}

static void test_wire_refuses_a_job_with_a_bad_plugin(void **state)
{
    Quartet__Job job = QUARTET__JOB__INIT;
    Quartet__Header header = header_of(WIRE_JOB);
    header.job_spec = &job;
    job.workload = (ProtobufCBinaryData)BYTES("thumbs");
    job.strategy = 1;
    job.plugin_size = 1;
    assert_refused(state, &header, "JOB: plugin_size without a plugin_hash is 1");
    job.plugin_hash = (ProtobufCBinaryData)BYTES("0123456789012345678901234567890");
    assert_refused(state, &header, "JOB: plugin_hash has 31 bytes, a SHA-256 has 32");
    job.plugin_hash = (ProtobufCBinaryData)BYTES("01234567890123456789012345678901");
    job.plugin_size = 0;
    assert_refused(state, &header, "JOB: plugin_size is 0, allowed is 1 to 268435456");
    job.plugin_size = (uint64_t)WIRE_PLUGIN_MAX + 1;
    assert_refused(state, &header, "JOB: plugin_size is 268435457");
}

static void test_wire_refuses_a_fetch_or_part_with_bad_values(void **state)
{
    Quartet__Fetch fetch = QUARTET__FETCH__INIT;
    Quartet__Header header = header_of(WIRE_FETCH);
    header.fetch = &fetch;
    assert_refused(state, &header, "FETCH: hash has 0 bytes, a SHA-256 has 32");
    fetch.hash = (ProtobufCBinaryData)BYTES("01234567890123456789012345678901");
    fetch.offset = WIRE_PLUGIN_MAX;
    assert_refused(state, &header, "FETCH: offset is 268435456, allowed is 0 to 268435455");
    fetch.offset = 0;
    header.job = 0;
    assert_refused(state, &header, "FETCH: job is 0");
    header = header_of(WIRE_PART);
    header.fetch = &fetch;
    assert_refused(state, &header, "PART: has the body of a FETCH");
    header.fetch = NULL;
    header.part = &fetch;
    header.session = 0;
    assert_refused(state, &header, "PART: session is 0");
}

static void test_wire_refuses_a_probe_or_echo_with_bad_values(void **state)
{
    Quartet__Probe probe = QUARTET__PROBE__INIT;
    Quartet__Echo echo = QUARTET__ECHO__INIT;
    Quartet__Header header = header_of(WIRE_PROBE);
    header.probe = &probe;
    assert_refused(state, &header, "PROBE: magic is 0x0000000000000000: this is not quartet");
    probe.magic = echo.magic = WIRE_MAGIC;
    probe.protocol_major = echo.protocol_major = WIRE_PROTOCOL_MAJOR;
    probe.want = WIRE_PROBE_MAX + 1;
    assert_refused(state, &header, "PROBE: want is 1048577, allowed is 0 to 1048576");
    header = header_of(WIRE_ECHO);
    header.echo = &echo;
    echo.got = WIRE_PROBE_MAX + 1;
    assert_refused(state, &header, "ECHO: got is 1048577, allowed is 0 to 1048576");
    echo.got = 0;
    echo.received_us = 1000;
    echo.sent_us = 999;
    assert_refused(state, &header, "ECHO: sent_us is 999, allowed is 1000 to");
    echo.sent_us = UINT64_MAX;
    assert_refused(state, &header, "ECHO: sent_us is 18446744073709551615");
}

/* So that it can be said which versions met. */
static void test_wire_reads_the_version_of_any_probe_and_echo(void **state)
{
    unsigned char bytes[256];
    struct wire_message message;
    Quartet__Probe probe = QUARTET__PROBE__INIT;
    Quartet__Echo echo = QUARTET__ECHO__INIT;
    Quartet__Header header = header_of(WIRE_PROBE);
    header.probe = &probe;
    probe.magic = echo.magic = WIRE_MAGIC;
    probe.protocol_major = echo.protocol_major = WIRE_PROTOCOL_MAJOR + 1;
    probe.want = UINT32_MAX; /* may mean another thing there */
    assert_int_equal(
        wire_decode(*state, bytes, pack(&header, bytes, sizeof(bytes)), NULL, &message), 0);
    assert_int_equal(message.as.probe.protocol_major, WIRE_PROTOCOL_MAJOR + 1);
    assert_int_equal(message.as.probe.want, 0);
    header = header_of(WIRE_ECHO);
    header.echo = &echo;
    echo.received_us = 7;
    echo.build = (ProtobufCBinaryData)BYTES("9.9\x1b[2J");
    assert_int_equal(
        wire_decode(*state, bytes, pack(&header, bytes, sizeof(bytes)), NULL, &message), 0);
    assert_int_equal(message.as.echo.protocol_major, WIRE_PROTOCOL_MAJOR + 1);
    assert_int_equal(message.as.echo.received_us, 0);
    assert_memory_equal(message.as.echo.build.s, "9.9?[2J", 7);
}

static void test_wire_refuses_a_ready_without_slots_or_error(void **state)
{
    Quartet__Ready ready = QUARTET__READY__INIT;
    Quartet__Header header = header_of(WIRE_READY);
    header.ready = &ready;
    assert_refused(state, &header, "READY: slots is 0, allowed is 1 to 65536");
    ready.slots = 1;
    ready.credit = 65537;
    assert_refused(state, &header, "READY: credit is 65537");
}

/* CHUNKS of two, whose arrays the tests then spoil one by one. */
struct two_chunks {
    uint64_t id[2], first[2], count[2];
    uint32_t attempt[2], payload_len[2];
    Quartet__Chunks body;
    Quartet__Header header;
};

static void two_chunks_init(struct two_chunks *c)
{
    *c = (struct two_chunks){.id = {1, 2}, .count = {1, 1}, .attempt = {1, 1}};
    quartet__chunks__init(&c->body);
    c->body.n_id = c->body.n_first = c->body.n_count = c->body.n_attempt = 2;
    c->body.n_payload_len = 2;
    c->body.id = c->id;
    c->body.first = c->first;
    c->body.count = c->count;
    c->body.attempt = c->attempt;
    c->body.payload_len = c->payload_len;
    c->header = header_of(WIRE_CHUNKS);
    c->header.chunks = &c->body;
}

static void test_wire_refuses_chunk_arrays_of_different_lengths(void **state)
{
    struct two_chunks c;
    two_chunks_init(&c);
    c.body.n_first = 1;
    assert_refused(state, &c.header, "CHUNKS: first has 1 values where 2 are due");
    two_chunks_init(&c);
    c.body.n_count = 0;
    assert_refused(state, &c.header, "CHUNKS: count has 0 values where 2 are due");
    two_chunks_init(&c);
    c.body.n_attempt = 1;
    assert_refused(state, &c.header, "CHUNKS: attempt has 1 values where 2 are due");
    two_chunks_init(&c);
    c.body.n_payload_len = 1;
    assert_refused(state, &c.header, "CHUNKS: payload_len has 1 values where 2 are due");
}

static void test_wire_refuses_chunks_with_bad_values(void **state)
{
    struct two_chunks c;
    two_chunks_init(&c);
    c.id[1] = 0;
    assert_refused(state, &c.header, "CHUNKS: id[1] is 0");
    two_chunks_init(&c);
    c.attempt[0] = 0;
    assert_refused(state, &c.header, "CHUNKS: attempt[0] is 0");
    two_chunks_init(&c);
    c.count[1] = 0;
    assert_refused(state, &c.header, "CHUNKS: count[1] is 0");
    two_chunks_init(&c);
    c.first[1] = UINT64_MAX;
    c.count[1] = 1;
    assert_refused(state, &c.header, "CHUNKS: count[1] is 1, which from 18446744073709551615 on");
    two_chunks_init(&c);
    c.payload_len[0] = c.payload_len[1] = UINT32_MAX;
    assert_refused(state, &c.header, "CHUNKS: sum of payload_len is 8589934590");
}

static void test_wire_refuses_no_chunks_and_too_many(void **state)
{
    static uint64_t id[WIRE_CHUNKS_MAX + 1];
    static uint32_t attempt[WIRE_CHUNKS_MAX + 1];
    Quartet__Chunks body = QUARTET__CHUNKS__INIT;
    Quartet__Header header = header_of(WIRE_CHUNKS);
    header.chunks = &body;
    assert_refused(state, &header, "CHUNKS: number of chunks is 0, allowed is 1 to 896");
    body.n_id = body.n_first = body.n_count = body.n_attempt = WIRE_CHUNKS_MAX + 1;
    body.id = body.first = body.count = id;
    body.attempt = attempt;
    assert_refused(state, &header, "CHUNKS: number of chunks is 897");
}

static void test_wire_refuses_holding_with_bad_values(void **state)
{
    static const char *const texts[] = {
        "HOLDING: id[0] is 0",
        "HOLDING: attempt[1] is 0",
        "HOLDING: count[0] is 0",
        "HOLDING: count[1] is 2, which from 18446744073709551614 on passes 2^64",
        "HOLDING: first has 1 values where 2 are due",
        "HOLDING: attempt has 0 values where 2 are due",
        "HOLDING: has a payload_len, and nothing of it travels",
        "HOLDING: session is 0",
        "HOLDING: job is 0",
        "HOLDING: has no body",
        "HOLDING: has the body of a CHUNKS",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct two_chunks c;
        two_chunks_init(&c);
        c.header.type = WIRE_HOLDING;
        c.header.chunks = NULL;
        c.header.holding = &c.body;
        c.body.n_payload_len = i == 6 ? 2 : 0;
        c.id[0] = i == 0 ? 0 : 1;
        c.attempt[1] = i == 1 ? 0 : 1;
        c.count[0] = i == 2 ? 0 : 1;
        c.first[1] = i == 3 ? UINT64_MAX - 1 : 0;
        c.count[1] = i == 3 ? 2 : 1;
        c.body.n_first = i == 4 ? 1 : 2;
        c.body.n_attempt = i == 5 ? 0 : 2;
        c.header.session = i == 7 ? 0 : 7;
        c.header.job = i == 8 ? 0 : 2;
        c.header.holding = i == 9 ? NULL : &c.body;
        c.header.chunks = i == 10 ? &c.body : NULL;
        assert_refused(state, &c.header, texts[i]);
    }
}

static void test_wire_refuses_no_holding_and_too_much(void **state)
{
    static uint64_t one[WIRE_CHUNKS_MAX + 1];
    static uint32_t attempt[WIRE_CHUNKS_MAX + 1];
    Quartet__Chunks body = QUARTET__CHUNKS__INIT;
    Quartet__Header header = header_of(WIRE_HOLDING);
    header.holding = &body;
    assert_refused(state, &header, "HOLDING: number of chunks is 0, allowed is 1 to 896");
    body.n_id = body.n_first = body.n_count = body.n_attempt = WIRE_CHUNKS_MAX + 1;
    body.id = body.first = body.count = one;
    body.attempt = attempt;
    assert_refused(state, &header, "HOLDING: number of chunks is 897");
}

static void test_wire_refuses_a_heartbeat_before_more_than_a_payload(void **state)
{
    Quartet__Beat beat = QUARTET__BEAT__INIT;
    Quartet__Header header = header_of(WIRE_HEARTBEAT);
    header.heartbeat = &beat;
    beat.coming = (uint64_t)WIRE_PAYLOAD_MAX + 1;
    assert_refused(state, &header, "HEARTBEAT: coming is 16777217, allowed is 0 to 16777216");
    beat.coming = UINT64_MAX;
    assert_refused(state, &header, "HEARTBEAT: coming is 18446744073709551615");
}

/* RESULTS of two with one error, likewise. */
struct two_results {
    uint64_t id[2], ok[2], failed[2], checksum[2], run_us[2], error_index[2];
    uint32_t attempt[2], error_at[2], records_len[2];
    ProtobufCBinaryData error_text[2];
    Quartet__Results body;
    Quartet__Header header;
};

static void two_results_init(struct two_results *t)
{
    *t = (struct two_results){.id = {1, 2}, .attempt = {1, 1}, .error_at = {0, 1}};
    quartet__results__init(&t->body);
    t->body.seq = 1;
    t->body.n_id = t->body.n_attempt = t->body.n_ok = t->body.n_failed = 2;
    t->body.n_checksum = t->body.n_run_us = 2;
    t->body.n_error_at = t->body.n_error_index = t->body.n_error_text = 2;
    t->body.id = t->id;
    t->body.attempt = t->attempt;
    t->body.ok = t->ok;
    t->body.failed = t->failed;
    t->body.checksum = t->checksum;
    t->body.run_us = t->run_us;
    t->body.error_at = t->error_at;
    t->body.error_index = t->error_index;
    t->body.error_text = t->error_text;
    t->body.n_records_len = 2;
    t->body.records_len = t->records_len;
    t->header = header_of(WIRE_RESULTS);
    t->header.results = &t->body;
}

static void test_wire_refuses_result_arrays_of_different_lengths(void **state)
{
    struct two_results t;
    two_results_init(&t);
    size_t *lengths[] = {&t.body.n_attempt,
                         &t.body.n_ok,
                         &t.body.n_failed,
                         &t.body.n_checksum,
                         &t.body.n_run_us,
                         &t.body.n_records_len,
                         &t.body.n_error_index,
                         &t.body.n_error_text};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        two_results_init(&t);
        *lengths[i] = 1;
        assert_refused(state, &t.header, "has 1 values where 2 are due");
    }
}

static void test_wire_refuses_results_with_bad_values(void **state)
{
    struct two_results t;
    two_results_init(&t);
    t.body.seq = 0;
    assert_refused(state, &t.header, "RESULTS: seq is 0");
    two_results_init(&t);
    t.body.credit = 65537;
    assert_refused(state, &t.header, "RESULTS: credit is 65537");
    two_results_init(&t);
    t.id[0] = 0;
    assert_refused(state, &t.header, "RESULTS: id[0] is 0");
    two_results_init(&t);
    t.attempt[1] = 0;
    assert_refused(state, &t.header, "RESULTS: attempt[1] is 0");
    two_results_init(&t);
    t.ok[1] = UINT64_MAX;
    t.failed[1] = 1;
    assert_refused(state, &t.header, "RESULTS: failed[1] is 1, which with ok 18446744073709551615");
}

static void test_wire_refuses_records_beyond_a_payload_frame(void **state)
{
    struct two_results t;
    two_results_init(&t);
    t.records_len[0] = WIRE_PAYLOAD_MAX;
    t.records_len[1] = 1;
    assert_refused(state, &t.header, "RESULTS: sum of records_len is 16777217, allowed is 0 to");
    t.records_len[0] = UINT32_MAX;
    t.records_len[1] = UINT32_MAX;
    assert_refused(state, &t.header, "RESULTS: sum of records_len is 8589934590");
}

static void test_wire_refuses_results_with_bad_errors(void **state)
{
    struct two_results t;
    two_results_init(&t);
    t.error_at[1] = 2;
    assert_refused(state, &t.header, "RESULTS: error_at[1] is 2, beyond the results");
    two_results_init(&t);
    t.error_at[1] = 0;
    assert_refused(state, &t.header, "RESULTS: error_at[1] is 0, not above the one before");
}

static void test_wire_cuts_and_cleans_an_error_text(void **state)
{
    /* given an error text of one byte too many, the last of which allowed begins a character */
    static unsigned char bytes[1024];
    char long_text[WIRE_ERROR_TEXT_MAX + 1];
    struct two_results t;
    two_results_init(&t);
    memset(long_text, 'x', sizeof(long_text));
    long_text[0] = '\r';
    memcpy(long_text + WIRE_ERROR_TEXT_MAX - 1, "\xc3\xa9", 2);
    t.error_text[0] = (ProtobufCBinaryData){sizeof(long_text), (uint8_t *)long_text};
    size_t len = pack(&t.header, bytes, sizeof(bytes));
    struct wire_message message;

    assert_int_equal(wire_decode(*state, bytes, len, NULL, &message), 0);

    const struct wire_text *text = &message.as.results.error_text[0];
    assert_int_equal(text->len, WIRE_ERROR_TEXT_MAX);
    assert_memory_equal(text->s, "?xx", 3);
    assert_int_equal(text->s[WIRE_ERROR_TEXT_MAX - 1], '?');
}

static void test_wire_merges_a_body_that_comes_twice_and_checks_the_whole(void **state)
{
    /* given a frame that is two good CHUNKS frames behind each other, as protobuf allows */
    unsigned char bytes[512];
    struct two_chunks c;
    two_chunks_init(&c);
    size_t len = pack(&c.header, bytes, sizeof(bytes));
    memcpy(bytes + len, bytes, len);
    struct wire_message message;

    /* when it is decoded, then it has the chunks of both, and all were checked */
    assert_int_equal(wire_decode(*state, bytes, 2 * len, NULL, &message), 0);
    assert_int_equal(message.as.chunks.count, 4);
    assert_int_equal(message.as.chunks.id[3], 2);

    /* given that the second alone lacks an array */
    two_chunks_init(&c);
    c.body.n_payload_len = 0;
    size_t more = pack(&c.header, bytes + len, sizeof(bytes) - len);
    assert_bytes_refused(*state, bytes, len + more, "payload_len has 2 values where 4 are due");
}

static void test_wire_passes_over_unknown_fields(void **state)
{
    /* given an ACK with field 99 of a later minor version behind it */
    const unsigned char bytes[] = {
        0x08, WIRE_ACK, 0x11, 7, 0, 0, 0, 0, 0, 0, 0, 0x9a, 0x06, 3, 'n', 'e', 'w'};
    struct wire_message message;
    assert_int_equal(wire_decode(*state, bytes, sizeof(bytes), NULL, &message), 0);
    assert_int_equal(message.type, WIRE_ACK);
}

static void test_wire_refuses_a_frame_that_would_cost_much_memory(void **state)
{
    /* given 32,768 fields of two bytes each */
    unsigned char *bytes = malloc(WIRE_HEADER_MAX);
    for (size_t i = 0; i < WIRE_HEADER_MAX; i += 2) {
        bytes[i] = 0x28; /* field 5, a number */
        bytes[i + 1] = 1;
    }
    assert_bytes_refused(*state, bytes, WIRE_HEADER_MAX, "too many fields to be one of ours");
    free(bytes);
}

static void test_wire_survives_every_cut_and_every_flipped_bit(void **state)
{
    unsigned char bytes[1024];
    struct wire_message message;
    for (size_t i = 0; i < wire_sample_count; i++) {
        size_t len = wire_sample_golden(&wire_samples[i], bytes, sizeof(bytes));
        for (size_t cut = 0; cut < len; cut++) {
            (void)wire_decode(*state, bytes, cut, NULL, &message);
        }
        for (size_t bit = 0; bit < len * 8; bit++) {
            bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
            (void)wire_decode(*state, bytes, len, NULL, &message);
            bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
        }
        /* the decoder is as good as new */
        assert_int_equal(wire_decode(*state, bytes, len, NULL, &message), 0);
        assert_true(wire_equal(&message, &wire_samples[i].message));
    }
}

static void test_wire_survives_random_bytes(void **state)
{
    unsigned char bytes[256];
    struct rng rng;
    rng_init(&rng, 1);
    for (int round = 0; round < 100000; round++) {
        struct wire_message message;
        size_t len = (size_t)rng_below(&rng, sizeof(bytes));
        for (size_t i = 0; i < len; i++) {
            bytes[i] = (unsigned char)rng_next(&rng);
        }
        (void)wire_decode(*state, bytes, len, NULL, &message);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_wire_refuses_bytes_that_are_no_protobuf),
        TEST(test_wire_refuses_an_empty_frame),
        TEST(test_wire_refuses_a_frame_beyond_the_limit),
        TEST(test_wire_refuses_an_unknown_type),
        TEST(test_wire_refuses_every_type_without_its_body),
        TEST(test_wire_refuses_the_body_of_another_type),
        TEST(test_wire_refuses_another_magic),
        TEST(test_wire_reads_who_speaks_another_version),
        TEST(test_wire_refuses_a_hello_with_values_out_of_range),
        TEST(test_wire_refuses_names_that_are_none),
        TEST(test_wire_refuses_too_many_workloads),
        TEST(test_wire_refuses_a_session_or_job_of_zero),
        TEST(test_wire_refuses_a_heartbeat_period_that_is_absurd),
        TEST(test_wire_maps_a_reason_of_a_later_version_to_none),
        TEST(test_wire_refuses_a_job_with_bad_values),
        TEST(test_wire_refuses_a_job_with_a_bad_plugin),
        TEST(test_wire_refuses_a_fetch_or_part_with_bad_values),
        TEST(test_wire_refuses_a_probe_or_echo_with_bad_values),
        TEST(test_wire_reads_the_version_of_any_probe_and_echo),
        TEST(test_wire_refuses_a_ready_without_slots_or_error),
        TEST(test_wire_refuses_chunk_arrays_of_different_lengths),
        TEST(test_wire_refuses_chunks_with_bad_values),
        TEST(test_wire_refuses_no_chunks_and_too_many),
        TEST(test_wire_refuses_holding_with_bad_values),
        TEST(test_wire_refuses_no_holding_and_too_much),
        TEST(test_wire_refuses_a_heartbeat_before_more_than_a_payload),
        TEST(test_wire_refuses_result_arrays_of_different_lengths),
        TEST(test_wire_refuses_results_with_bad_values),
        TEST(test_wire_refuses_records_beyond_a_payload_frame),
        TEST(test_wire_refuses_results_with_bad_errors),
        TEST(test_wire_cuts_and_cleans_an_error_text),
        TEST(test_wire_merges_a_body_that_comes_twice_and_checks_the_whole),
        TEST(test_wire_passes_over_unknown_fields),
        TEST(test_wire_refuses_a_frame_that_would_cost_much_memory),
        TEST(test_wire_survives_every_cut_and_every_flipped_bit),
        TEST(test_wire_survives_random_bytes),
    };
    return cmocka_run_group_tests_name("wire_hostile", tests, NULL, NULL);
}
