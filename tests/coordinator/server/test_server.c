/* The server against a worker that says what the test wants: records of single items, plugins, and
 * what is refused of both. Both ends are real sockets on the loopback; the worker is a thread. */
#include "common/base/check.h"
#include "common/base/record.h"
#include "coordinator/runner/job_plugin.h"
#include "coordinator/server/server.h"
#include "tests/coordinator/server/fake_worker.h"
#include "worker/workloads/params.h"
#include "worker/workloads/registry.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    ITEMS = 30,
    CHUNK_ITEMS = 10,
    REGISTER_LIMIT_US = 20 * 1000 * 1000,
    CHUNK_RECORDS_MAX = CHUNK_ITEMS * (RECORD_HEAD_SIZE + 4),
    PLUGIN_SIZE = WIRE_PART_MAX + WIRE_PART_MAX / 2,
};

struct scene {
    struct stage stage;
    struct server *server;
    struct params params;
    struct job job;
    struct job_plugin plugin;
    char plugin_path[64];
    struct job_result result;
    struct fake_worker fake;
    uint32_t minor;
    void (*play)(struct scene *scene); /* the worker's part, once it is registered */
    char reject[WIRE_TEXT_MAX + 1];    /* why it was refused */
    unsigned char *fetched;
    size_t fetched_len;
    unsigned char hash[HASH_SIZE]; /* of the job's plugin, once wait_for_job() is over */
};

/* What the runner was given, by all results of a test. */
static struct {
    uint64_t results;
    uint64_t records;
    uint64_t value_sum;
    size_t offset_max;
} seen;

__typeof__(runner_results) __real_runner_results;
__typeof__(runner_results) __wrap_runner_results;

int __wrap_runner_results(struct runner *runner,
                          uint64_t now_us,
                          struct worker_id worker,
                          const char *worker_name,
                          const struct chunk_result *results,
                          size_t count,
                          uint32_t credit)
{
    for (size_t i = 0; i < count; i++) {
        const struct chunk_result *result = &results[i];
        struct record_cursor cursor;
        struct record record;
        seen.results++;
        if (result->records == NULL) {
            continue;
        }
        const char *bytes = blob_bytes(result->records);
        CHECK(result->records_offset + result->records_len <= blob_len(result->records));
        record_cursor_init(
            &cursor, bytes + result->records_offset, result->tally.ok + result->tally.failed);
        while (record_cursor_next(&cursor, &record)) {
            seen.records++;
            seen.value_sum += record.value;
        }
        seen.offset_max = result->records_offset > seen.offset_max ? result->records_offset
                                                                   : seen.offset_max;
    }
    return __real_runner_results(runner, now_us, worker, worker_name, results, count, credit);
}

/* --- the stage --- */

static int setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    struct err_text error = {{0}};
    const struct server_options options = {
        .endpoint = "tcp://127.0.0.1:*",
        .heartbeat_ms = 1000,
        .workers_max = 4,
        .quiet = true,
    };
    memset(&seen, 0, sizeof(seen));
    assert_non_null(scene);
    assert_int_equal(stage_init(&scene->stage, NULL, &error), 0);
    assert_int_equal(server_new(&scene->stage, &options, &error, &scene->server), 0);
    scene->minor = WIRE_PROTOCOL_MINOR;
    scene->job = (struct job){
        .workload = workload_find("noop"),
        .params = &scene->params,
        .items = {.is_range = true, .range_first = 0, .range_last = ITEMS - 1, .fd = -1},
        .strategy = STRATEGY_SERIAL,
        .chunk_items = CHUNK_ITEMS,
        .records = true,
    };
    assert_int_equal(
        params_resolve(
            &scene->params, scene->job.workload->params, scene->job.workload->param_count, &error),
        0);
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    server_free(scene->server);
    stage_deinit(&scene->stage);
    if (scene->job.plugin != NULL) {
        job_plugin_close(&scene->plugin);
        (void)unlink(scene->plugin_path);
    }
    params_deinit(&scene->params);
    free(scene->fetched);
    free(scene);
    return 0;
}

static void *be_worker(void *arg)
{
    struct scene *scene = arg;
    fake_worker_open(&scene->fake, server_endpoint(scene->server));
    fake_worker_register(&scene->fake, scene->minor);
    scene->play(scene);
    fake_worker_close(&scene->fake);
    return NULL;
}

static bool is_registered(void *arg)
{
    const struct scene *scene = arg;
    return server_workers(scene->server) == 1;
}

/* Run the job with one worker that plays its part. When it is dropped the run ends. */
static void run(struct scene *scene, void (*play)(struct scene *scene))
{
    pthread_t thread;
    scene->play = play;
    assert_int_equal(pthread_create(&thread, NULL, be_worker, scene), 0);
    assert_int_equal(stage_wait(&scene->stage, is_registered, scene, REGISTER_LIMIT_US), 0);
    server_no_more_workers(scene->server, true);
    server_run(scene->server, &scene->job, &scene->result);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void assert_refused(const struct scene *scene, const char *why)
{
    assert_string_equal(scene->reject, why);
    assert_int_equal(scene->result.outcome, RUNNER_STALLED);
    assert_int_equal(scene->result.sample.ok, 0);
    assert_int_equal(scene->result.sample.workers_lost, 1);
    assert_int_equal(seen.results, 0);
}

static void expect_reject(struct scene *scene)
{
    struct wire_message message;
    do {
        fake_worker_wait_for(&scene->fake, WIRE_REJECT, &message);
    } while (message.as.reject.reason != WIRE_REASON_MALFORMED);
    (void)snprintf(scene->reject,
                   sizeof(scene->reject),
                   "%.*s",
                   (int)message.as.reject.text.len,
                   message.as.reject.text.s);
}

/* --- records --- */

/* Records of `count` items from `first` on; returns their bytes. */
static size_t put_records(unsigned char *to, uint64_t first, uint64_t count)
{
    size_t len = 0;
    for (uint64_t i = 0; i < count; i++) {
        const struct record record = {.status = RECORD_OK,
                                      .flags = RECORD_HAS_VALUE,
                                      .value = first + i,
                                      .out = "out",
                                      .out_len = (uint32_t)(i % 4)};
        record_write(&record, to + len);
        len += record_size(&record);
    }
    return len;
}

/* One RESULTS about these chunks, with `records_len` bytes said of each, and `payload` behind it. */
static void send_results(struct fake_worker *fake,
                         const struct wire_chunks *chunks,
                         const uint32_t *records_len,
                         const void *payload,
                         size_t len)
{
    uint64_t zeros[WIRE_CHUNKS_MAX] = {0};
    struct wire_message message = {.type = WIRE_RESULTS};
    message.as.results = (struct wire_results){
        .seq = 1,
        .count = chunks->count,
        .id = chunks->id,
        .attempt = chunks->attempt,
        .ok = chunks->items,
        .checksum = zeros,
        .run_us = zeros,
        .records_len = records_len,
    };
    fake_worker_send(fake, &message, payload, len);
}

/* Wait until all three chunks are there: they come in one message, against credit for four. */
static struct wire_chunks take_chunks(struct scene *scene, struct wire_message *message)
{
    fake_worker_get_ready(&scene->fake, 4);
    fake_worker_wait_for(&scene->fake, WIRE_CHUNKS, message);
    return message->as.chunks;
}

/* The chunks come, and RESULTS of the first alone: `said` bytes of records are said of it, and `len` come. */
static void answer_first_chunk(struct scene *scene, uint32_t said, const void *payload, size_t len)
{
    struct wire_message message;
    struct wire_chunks chunks = take_chunks(scene, &message);
    chunks.count = 1;
    send_results(&scene->fake, &chunks, &said, payload, len);
    expect_reject(scene);
}

static void answer_with_records(struct scene *scene)
{
    static unsigned char payload[ITEMS * (RECORD_HEAD_SIZE + 4)];
    struct wire_message message;
    struct wire_chunks chunks = take_chunks(scene, &message);
    uint32_t records_len[WIRE_CHUNKS_MAX];
    uint64_t seq = 0;
    for (uint64_t done = 0; done < ITEMS;) {
        size_t len = 0;
        for (size_t i = 0; i < chunks.count; i++) {
            size_t more = put_records(payload + len, chunks.first[i], chunks.items[i]);
            records_len[i] = (uint32_t)more;
            len += more;
            done += chunks.items[i];
        }
        uint64_t zeros[WIRE_CHUNKS_MAX] = {0};
        struct wire_message answer = {.type = WIRE_RESULTS};
        answer.as.results = (struct wire_results){.seq = ++seq,
                                                  .credit = 4,
                                                  .count = chunks.count,
                                                  .id = chunks.id,
                                                  .attempt = chunks.attempt,
                                                  .ok = chunks.items,
                                                  .checksum = zeros,
                                                  .run_us = zeros,
                                                  .records_len = records_len};
        fake_worker_send(&scene->fake, &answer, payload, len);
        if (done < ITEMS) {
            fake_worker_wait_for(&scene->fake, WIRE_CHUNKS, &message);
            chunks = message.as.chunks;
        }
    }
    fake_worker_wait_for(&scene->fake, WIRE_CANCEL, &message);
}

static void test_server_hands_records_to_the_runner(void **state)
{
    struct scene *scene = *state;
    run(scene, answer_with_records);
    assert_int_equal(scene->result.outcome, RUNNER_DONE);
    assert_int_equal(scene->result.sample.ok, ITEMS);
    assert_int_equal(seen.results, ITEMS / CHUNK_ITEMS);
    assert_int_equal(seen.records, ITEMS);
    assert_int_equal(seen.value_sum, ITEMS * (ITEMS - 1) / 2);
    /* Those of several chunks came in one payload, one behind the other. */
    assert_true(seen.offset_max > 0);
}

static void leave_records_out(struct scene *scene)
{
    struct wire_message message;
    struct wire_chunks chunks = take_chunks(scene, &message);
    send_results(&scene->fake, &chunks, NULL, NULL, 0);
    expect_reject(scene);
}

static void test_server_drops_a_worker_that_leaves_records_out(void **state)
{
    struct scene *scene = *state;
    run(scene, leave_records_out);
    assert_refused(scene, "RESULTS: records[0] has 0 bytes, which are not records of 10 items");
}

static void count_a_byte_too_few(struct scene *scene)
{
    unsigned char payload[CHUNK_RECORDS_MAX + 1] = {0};
    uint32_t len = (uint32_t)put_records(payload, 0, CHUNK_ITEMS);
    answer_first_chunk(scene, len, payload, len + 1);
}

static void test_server_drops_a_worker_whose_payload_has_another_length(void **state)
{
    struct scene *scene = *state;
    run(scene, count_a_byte_too_few);
    assert_refused(scene, "RESULTS: records_len comes to 493 bytes, and the payload has 494");
}

static void send_no_payload(struct scene *scene)
{
    answer_first_chunk(scene, 480, NULL, 0);
}

static void test_server_drops_a_worker_that_counts_records_it_does_not_send(void **state)
{
    struct scene *scene = *state;
    run(scene, send_no_payload);
    assert_refused(scene, "RESULTS: records_len comes to 480 bytes, and the payload has 0");
}

static void send_a_broken_record(struct scene *scene)
{
    unsigned char payload[CHUNK_RECORDS_MAX];
    uint32_t len = (uint32_t)put_records(payload, 0, CHUNK_ITEMS);
    payload[0] = 200; /* no such status */
    answer_first_chunk(scene, len, payload, len);
}

static void test_server_drops_a_worker_with_a_broken_record(void **state)
{
    struct scene *scene = *state;
    run(scene, send_a_broken_record);
    assert_refused(scene, "RESULTS: records[0] has 493 bytes, which are not records of 10 items");
}

static void send_one_record_too_few(struct scene *scene)
{
    unsigned char payload[CHUNK_RECORDS_MAX];
    uint32_t len = (uint32_t)put_records(payload, 0, CHUNK_ITEMS - 1);
    answer_first_chunk(scene, len, payload, len);
}

static void test_server_drops_a_worker_with_fewer_records_than_items(void **state)
{
    struct scene *scene = *state;
    run(scene, send_one_record_too_few);
    assert_refused(scene, "RESULTS: records[0] has 444 bytes, which are not records of 10 items");
}

static void send_good_records(struct scene *scene)
{
    unsigned char payload[CHUNK_RECORDS_MAX];
    uint32_t len = (uint32_t)put_records(payload, 0, CHUNK_ITEMS);
    answer_first_chunk(scene, len, payload, len);
}

static void test_server_drops_a_worker_with_records_that_nobody_asked_for(void **state)
{
    struct scene *scene = *state;
    scene->job.records = false;
    run(scene, send_good_records);
    assert_refused(scene, "RESULTS: has records, which no job asked for");
}

static void wait_for_cancel(struct scene *scene)
{
    struct wire_message message;
    fake_worker_wait_for(&scene->fake, WIRE_CANCEL, &message);
}

static void test_server_sends_no_job_with_records_to_an_older_worker(void **state)
{
    struct scene *scene = *state;
    scene->minor = 0;
    run(scene, wait_for_cancel);
    assert_int_equal(scene->result.outcome, RUNNER_FAILED);
    assert_string_equal(scene->result.error,
                        "worker fake@nowhere speaks protocol 1.0, which has no results of single "
                        "items: install the same version of quartet on both");
}

/* --- plugins --- */

static unsigned char byte_at(size_t at)
{
    return (unsigned char)(at * 7 + at / 1000);
}

/* The job's workload comes out of a file of PLUGIN_SIZE bytes, which teardown() removes. */
static void write_plugin(struct scene *scene)
{
    struct err_text error = {{0}};
    unsigned char *bytes = malloc(PLUGIN_SIZE);
    (void)snprintf(scene->plugin_path, sizeof(scene->plugin_path), "/tmp/quartet-test-XXXXXX");
    int fd = mkstemp(scene->plugin_path);
    assert_true(fd >= 0 && bytes != NULL);
    for (size_t i = 0; i < PLUGIN_SIZE; i++) {
        bytes[i] = byte_at(i);
    }
    assert_int_equal(write(fd, bytes, PLUGIN_SIZE), PLUGIN_SIZE);
    assert_int_equal(close(fd), 0);
    free(bytes);
    assert_int_equal(job_plugin_open(scene->plugin_path, &error, &scene->plugin), 0);
    scene->job.plugin = &scene->plugin;
    scene->job.records = false;
}

/* Ask for the part from `offset` on. */
static void send_fetch(struct scene *scene, uint64_t offset)
{
    struct wire_message message = {.type = WIRE_FETCH};
    message.as.fetch.hash = (struct wire_text){(const char *)scene->hash, HASH_SIZE};
    message.as.fetch.offset = offset;
    fake_worker_send(&scene->fake, &message, NULL, 0);
}

static void say_failed(struct scene *scene, const char *why)
{
    struct wire_message message = {.type = WIRE_READY};
    message.as.ready.error = wire_text(why);
    fake_worker_send(&scene->fake, &message, NULL, 0);
    wait_for_cancel(scene);
}

static void wait_for_job(struct scene *scene)
{
    struct wire_message message;
    fake_worker_wait_for(&scene->fake, WIRE_JOB, &message);
    scene->fake.job = message.job;
    CHECK(message.as.job_spec.plugin_size == PLUGIN_SIZE);
    CHECK(message.as.job_spec.plugin_hash.len == HASH_SIZE);
    memcpy(scene->hash, message.as.job_spec.plugin_hash.s, HASH_SIZE);
}

static void fetch_all(struct scene *scene)
{
    wait_for_job(scene);
    scene->fetched = malloc(PLUGIN_SIZE);
    CHECK(scene->fetched != NULL);
    while (scene->fetched_len < PLUGIN_SIZE) {
        struct wire_message message;
        send_fetch(scene, scene->fetched_len);
        fake_worker_wait_for(&scene->fake, WIRE_PART, &message);
        CHECK(message.as.fetch.offset == scene->fetched_len);
        CHECK(memcmp(message.as.fetch.hash.s, scene->hash, HASH_SIZE) == 0);
        CHECK(scene->fake.payload_len > 0 &&
              scene->fake.payload_len <= PLUGIN_SIZE - scene->fetched_len);
        memcpy(scene->fetched + scene->fetched_len, scene->fake.payload, scene->fake.payload_len);
        scene->fetched_len += scene->fake.payload_len;
    }
    say_failed(scene, "it was only a test");
}

static void test_server_gives_a_plugin_part_by_part(void **state)
{
    struct scene *scene = *state;
    write_plugin(scene);
    run(scene, fetch_all);
    assert_int_equal(scene->fetched_len, PLUGIN_SIZE);
    for (size_t i = 0; i < PLUGIN_SIZE; i++) {
        assert_int_equal(scene->fetched[i], byte_at(i));
    }
    assert_string_equal(scene->result.error, "worker fake@nowhere: it was only a test");
}

static void fetch_the_same_again(struct scene *scene)
{
    wait_for_job(scene);
    send_fetch(scene, 0);
    send_fetch(scene, 0);
    expect_reject(scene);
}

static void test_server_drops_a_worker_that_fetches_the_same_part_twice(void **state)
{
    struct scene *scene = *state;
    write_plugin(scene);
    run(scene, fetch_the_same_again);
    assert_string_equal(scene->reject,
                        "FETCH: offset is 0, 1048576 of 1572864 bytes were sent already");
    assert_int_equal(scene->result.outcome, RUNNER_FAILED);
}

static void fetch_beyond_the_end(struct scene *scene)
{
    wait_for_job(scene);
    send_fetch(scene, PLUGIN_SIZE);
    expect_reject(scene);
}

static void test_server_drops_a_worker_that_fetches_beyond_the_end(void **state)
{
    struct scene *scene = *state;
    write_plugin(scene);
    run(scene, fetch_beyond_the_end);
    assert_string_equal(scene->reject,
                        "FETCH: offset is 1572864, 0 of 1572864 bytes were sent already");
}

static void fetch_another(struct scene *scene)
{
    wait_for_job(scene);
    scene->hash[HASH_SIZE - 1] ^= 1;
    send_fetch(scene, 0);
    expect_reject(scene);
}

static void command_the_server(struct scene *scene)
{
    wait_for_job(scene);
    struct wire_message message = {.type = WIRE_DRAIN};
    fake_worker_send(&scene->fake, &message, NULL, 0);
    expect_reject(scene);
}

static void test_server_takes_no_orders_from_a_worker(void **state)
{
    struct scene *scene = *state;
    write_plugin(scene);
    run(scene, command_the_server);
    assert_string_equal(scene->reject,
                        "DRAIN: only a coordinator says that, and who connects here is a worker");
    assert_int_equal(server_workers(scene->server), 0);
}

static void test_server_gives_no_plugin_but_the_job_s(void **state)
{
    struct scene *scene = *state;
    write_plugin(scene);
    run(scene, fetch_another);
    assert_string_equal(scene->reject, "FETCH: asks for a plugin that its job does not have");
}

static void fetch_what_is_gone(struct scene *scene)
{
    struct wire_message message;
    wait_for_job(scene);
    CHECK(truncate(scene->plugin_path, 5) == 0);
    send_fetch(scene, 0);
    fake_worker_wait_for(&scene->fake, WIRE_PART, &message);
    scene->fetched_len = scene->fake.payload_len;
    say_failed(scene, "it was only a test");
}

static void test_server_says_that_a_plugin_cannot_be_read_any_more(void **state)
{
    struct scene *scene = *state;
    write_plugin(scene);
    scene->fetched_len = 99;
    run(scene, fetch_what_is_gone);
    assert_int_equal(scene->fetched_len, 0);
}

static void test_server_sends_no_plugin_to_an_older_worker(void **state)
{
    struct scene *scene = *state;
    write_plugin(scene);
    scene->minor = 0;
    run(scene, wait_for_cancel);
    assert_string_equal(scene->result.error,
                        "worker fake@nowhere speaks protocol 1.0, which has no plugins: install "
                        "the same version of quartet on both");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_server_hands_records_to_the_runner),
        TEST(test_server_drops_a_worker_that_leaves_records_out),
        TEST(test_server_drops_a_worker_whose_payload_has_another_length),
        TEST(test_server_drops_a_worker_that_counts_records_it_does_not_send),
        TEST(test_server_drops_a_worker_with_a_broken_record),
        TEST(test_server_drops_a_worker_with_fewer_records_than_items),
        TEST(test_server_drops_a_worker_with_records_that_nobody_asked_for),
        TEST(test_server_sends_no_job_with_records_to_an_older_worker),
        TEST(test_server_gives_a_plugin_part_by_part),
        TEST(test_server_drops_a_worker_that_fetches_the_same_part_twice),
        TEST(test_server_drops_a_worker_that_fetches_beyond_the_end),
        TEST(test_server_takes_no_orders_from_a_worker),
        TEST(test_server_gives_no_plugin_but_the_job_s),
        TEST(test_server_says_that_a_plugin_cannot_be_read_any_more),
        TEST(test_server_sends_no_plugin_to_an_older_worker),
    };
    return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
