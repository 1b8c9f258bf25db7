/* The runner and results of single items: what goes to the sink, what is run again, when it holds
 * back and when it stops. The sink is a real one that writes into a file. */
#include "common/base/err.h"
#include "common/base/items.h"
#include "common/base/record.h"
#include "coordinator/runner/runner.h"
#include "coordinator/sink/sink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { SENT_MAX = 64 };

static const struct worker_id ONE = {1};

struct rig {
    struct runner *runner;
    struct sink *sink;
    char out[64];
    int fd; /* of the items */
    struct chunk sent[SENT_MAX];
    char first_item[SENT_MAX][16];
    size_t sent_count;
    bool ended;
};

static void queue(void *arg, struct worker_id worker, const struct chunk *chunk)
{
    (void)worker;
    struct rig *rig = arg;
    assert_true(rig->sent_count < SENT_MAX);
    struct items_cursor cursor;
    const char *bytes = NULL;
    size_t len = 0;
    assert_true(items_payload_valid(blob_bytes(chunk->payload), chunk->payload_len, chunk->count));
    items_cursor_init(&cursor, blob_bytes(chunk->payload), chunk->count);
    assert_true(items_cursor_next(&cursor, &bytes, &len));
    (void)snprintf(rig->first_item[rig->sent_count], 16, "%s", bytes);
    rig->sent[rig->sent_count++] = *chunk;
    blob_unref(chunk->payload);
}

static void flush(void *arg)
{
    (void)arg;
}

static void drop(void *arg, struct worker_id worker)
{
    (void)arg;
    (void)worker;
}

static void ended(void *arg)
{
    struct rig *rig = arg;
    rig->ended = true;
}

static const struct runner_link link_ops = {.queue = queue,
                                            .flush = flush,
                                            .drop = drop,
                                            .ended = ended};

/* Items "a", "b", ..., in one chunk at first, with one worker. */
static struct rig *open_rig(uint64_t count, uint32_t retries, struct halt halt)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    FILE *file = tmpfile();
    assert_non_null(rig);
    assert_non_null(file);
    for (uint64_t i = 0; i < count; i++) {
        (void)fprintf(file, "%c\n", (int)('a' + i));
    }
    assert_int_equal(fflush(file), 0);
    (void)snprintf(rig->out, sizeof(rig->out), "/tmp/quartet-runner-XXXXXX");
    int fd = mkstemp(rig->out);
    assert_true(fd >= 0);
    (void)close(fd);
    struct err_text error = {{0}};
    const struct sink_options sink = {
        .out = rig->out, .format = SINK_TSV, .keep_order = true, .separator = '\n'};
    assert_int_equal(sink_open(&sink, &error, &rig->sink), 0);
    const struct runner_options options = {
        .items = {.fd = dup(fileno(file)), .path = "items", .separator = '\n'},
        .chunk_items = count,
        .workers_max = 8,
        .retries_max = retries,
        .halt = halt,
        .sink = rig->sink,
        .link = &link_ops,
        .link_arg = rig,
    };
    assert_int_equal(runner_new(&options, &error, &rig->runner), 0);
    (void)fclose(file);
    rig->fd = options.items.fd;
    runner_join(rig->runner, 0, ONE, 1, 16, NULL, 0);
    runner_begin(rig->runner, 0);
    return rig;
}

/* Answer the chunk sent as number `at`: a letter for each item that was run, 'o' for success. */
static int answer(struct rig *rig, size_t at, const char *how, uint64_t now_us)
{
    size_t count = strlen(how);
    struct chunk_result result = {.id = rig->sent[at].id, .attempt = rig->sent[at].attempt};
    size_t capacity = count * ((size_t)RECORD_HEAD_SIZE + 8);
    char *bytes = malloc(capacity);
    assert_non_null(bytes);
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        bool ok = how[i] == 'o';
        result.tally.ok += ok;
        result.tally.failed += !ok;
        const struct record record = {
            .status = ok ? RECORD_OK : RECORD_FAILED,
            .out = ok ? "fine" : "",
            .out_len = ok ? 4 : 0,
            .err = "",
            .reason = "bad",
            .reason_len = ok ? 0 : 3,
        };
        record_write(&record, bytes + len);
        len += record_size(&record);
    }
    result.records = blob_new(bytes, len, NULL, NULL);
    result.records_len = (uint32_t)len;
    int rc = runner_results(rig->runner, now_us, ONE, "ada", &result, 1, 1);
    chunk_result_deinit(&result);
    return rc;
}

/* "a ok 1|b failed 1|...": item, status and attempt of each line. Closes all. */
static char *written(struct rig *rig, char text[256])
{
    struct err_text error = {{0}};
    assert_int_equal(sink_close(rig->sink, NULL, &error, NULL), 0);
    FILE *file = fopen(rig->out, "r");
    assert_non_null(file);
    char line[256];
    size_t len = 0;
    text[0] = '\0';
    assert_non_null(fgets(line, sizeof(line), file)); /* the heading */
    while (fgets(line, sizeof(line), file) != NULL) {
        char item[16];
        char status[16];
        char attempt[16];
        assert_int_equal(sscanf(line, "%*d\t%15s\t%15s\t%15s", item, status, attempt), 3);
        len += (size_t)snprintf(text + len, 256 - len, "%s %s %s|", item, status, attempt);
    }
    (void)fclose(file);
    (void)unlink(rig->out);
    runner_free(rig->runner);
    (void)close(rig->fd);
    free(rig);
    return text;
}

static const struct halt never = {.when = HALT_NEVER};

static void test_every_item_is_written_once(void **state)
{
    (void)state;
    char text[256];
    struct rig *rig = open_rig(3, 0, never);
    assert_int_equal(answer(rig, 0, "oxo", 1), 0);
    assert_true(rig->ended);
    assert_int_equal(runner_outcome(rig->runner), RUNNER_DONE);
    assert_string_equal(written(rig, text), "a ok 1|b failed 1|c ok 1|");
}

static void test_rest_of_a_chunk_is_sent_with_its_own_bytes(void **state)
{
    (void)state;
    char text[256];
    struct rig *rig = open_rig(5, 0, never);
    assert_int_equal(answer(rig, 0, "oo", 1), 0);
    assert_int_equal(rig->sent_count, 2);
    assert_int_equal(rig->sent[1].count, 3);
    assert_string_equal(rig->first_item[1], "c");
    assert_int_equal(answer(rig, 1, "ooo", 2), 0);
    assert_int_equal(runner_outcome(rig->runner), RUNNER_DONE);
    assert_string_equal(written(rig, text), "a ok 1|b ok 1|c ok 1|d ok 1|e ok 1|");
}

static void test_failed_items_are_run_again_later_and_written_when_that_is_over(void **state)
{
    (void)state;
    char text[256];
    struct rig *rig = open_rig(4, 1, never);
    assert_int_equal(answer(rig, 0, "oxox", 1), 0);
    assert_int_equal(rig->sent_count, 1); /* not at once */
    const struct runner_failure *failures = NULL;
    assert_int_equal(runner_failures(rig->runner, &failures), 0);
    uint64_t due_us = runner_deadline_us(rig->runner);
    assert_true(due_us > 1 && due_us < 1000000);
    runner_tick(rig->runner, due_us);
    assert_int_equal(rig->sent_count, 3);
    assert_string_equal(rig->first_item[1], "b");
    assert_string_equal(rig->first_item[2], "d");
    assert_int_equal(answer(rig, 1, "o", due_us), 0);
    assert_int_equal(answer(rig, 2, "x", due_us), 0);
    assert_int_equal(runner_outcome(rig->runner), RUNNER_DONE);
    assert_int_equal(runner_failures(rig->runner, &failures), 1);
    assert_int_equal(failures[0].index, 3);
    assert_string_equal(failures[0].text, "bad");
    struct sample sample;
    runner_fill_sample(rig->runner, &sample);
    assert_int_equal(sample.items_retried, 2);
    assert_int_equal(sample.retried, 0);
    assert_string_equal(written(rig, text), "a ok 1|b ok 2|c ok 1|d failed 2|");
}

static void test_items_lost_with_their_workers_are_written_as_lost(void **state)
{
    (void)state;
    char text[256];
    struct rig *rig = open_rig(1, 0, never);
    for (uint64_t worker = 1; worker <= 3; worker++) {
        runner_worker_event(rig->runner, worker, (struct worker_id){worker}, SCHED_WORKER_LOST);
        runner_join(rig->runner, worker, (struct worker_id){worker + 1}, 1, 1, NULL, 0);
    }
    assert_int_equal(runner_outcome(rig->runner), RUNNER_DONE);
    assert_string_equal(written(rig, text), "a lost 3|");
}

static void test_halt_ends_the_run_when_enough_have_failed(void **state)
{
    (void)state;
    char text[256];
    struct rig *rig = open_rig(4, 0, (struct halt){.when = HALT_SOON, .count = 2});
    assert_int_equal(answer(rig, 0, "x", 1), 0);
    assert_false(rig->ended);
    assert_int_equal(answer(rig, 1, "x", 2), 0);
    /* The rest of the chunk went out before anybody had counted: its worker finishes it. */
    assert_false(rig->ended);
    assert_int_equal(answer(rig, 2, "o", 3), 0);
    assert_true(rig->ended);
    assert_int_equal(runner_outcome(rig->runner), RUNNER_HALTED);
    assert_string_equal(written(rig, text), "a failed 1|b failed 1|c ok 1|");
}

static void test_result_whose_records_name_other_failures_is_refused(void **state)
{
    (void)state;
    char text[256];
    struct rig *rig = open_rig(2, 1, never);
    struct chunk_result result = {
        .id = rig->sent[0].id, .attempt = 1, .tally = {.ok = 1, .failed = 1}};
    const struct record record = {.status = RECORD_FAILED, .out = "", .err = "", .reason = ""};
    char *bytes = malloc((size_t)2 * RECORD_HEAD_SIZE);
    assert_non_null(bytes);
    record_write(&record, bytes);
    record_write(&record, bytes + RECORD_HEAD_SIZE);
    result.records = blob_new(bytes, (size_t)2 * RECORD_HEAD_SIZE, NULL, NULL);
    result.records_len = 2 * RECORD_HEAD_SIZE;
    assert_int_equal(runner_results(rig->runner, 1, ONE, "ada", &result, 1, 1), ERR_INVALID);
    chunk_result_deinit(&result);
    assert_false(rig->ended);
    assert_string_equal(written(rig, text), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_item_is_written_once),
        cmocka_unit_test(test_rest_of_a_chunk_is_sent_with_its_own_bytes),
        cmocka_unit_test(test_failed_items_are_run_again_later_and_written_when_that_is_over),
        cmocka_unit_test(test_items_lost_with_their_workers_are_written_as_lost),
        cmocka_unit_test(test_halt_ends_the_run_when_enough_have_failed),
        cmocka_unit_test(test_result_whose_records_name_other_failures_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
