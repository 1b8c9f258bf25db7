/* The runner between scheduler, source and link: a recording link stands for the workers. */
#include "common/base/items.h"
#include "coordinator/runner/runner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { SENT_MAX = 4096 };

static const struct worker_id ONE = {1};
static const struct worker_id TWO = {2};

struct rig {
    struct runner *runner;

    struct {
        struct worker_id worker;
        struct chunk chunk;
        char first_item[64];
    } sent[SENT_MAX];

    size_t sent_count;
    size_t answered;
    int flushes;
    int dropped;
    int ended;
    int fd;
    struct worker_id lose_at_flush; /* once, and at `lose_at_us`; 0: nobody */
    uint64_t lose_at_us;
};

static void queue(void *arg, struct worker_id worker, const struct chunk *chunk)
{
    struct rig *rig = arg;
    assert_true(rig->sent_count < SENT_MAX);
    rig->sent[rig->sent_count].worker = worker;
    rig->sent[rig->sent_count].chunk = *chunk;
    if (chunk->payload != NULL) {
        struct items_cursor cursor;
        const char *bytes = NULL;
        size_t len = 0;
        assert_true(
            items_payload_valid(blob_bytes(chunk->payload), chunk->payload_len, chunk->count));
        items_cursor_init(&cursor, blob_bytes(chunk->payload), chunk->count);
        assert_true(items_cursor_next(&cursor, &bytes, &len));
        (void)snprintf(rig->sent[rig->sent_count].first_item, 64, "%s", bytes);
        blob_unref(chunk->payload);
    }
    rig->sent_count++;
}

static void flush(void *arg)
{
    struct rig *rig = arg;
    rig->flushes++;
    struct worker_id lost = rig->lose_at_flush;
    rig->lose_at_flush.value = 0;
    if (lost.value != 0) {
        runner_worker_event(rig->runner, rig->lose_at_us, lost, SCHED_WORKER_LOST);
    }
}

static void drop(void *arg, struct worker_id worker)
{
    (void)worker;
    struct rig *rig = arg;
    rig->dropped++;
}

static void ended(void *arg)
{
    struct rig *rig = arg;
    rig->ended++;
}

static const struct runner_link link_ops = {.queue = queue,
                                            .flush = flush,
                                            .drop = drop,
                                            .ended = ended};

static struct rig *open_rig(struct items_spec items, uint64_t chunk_items, uint64_t lease_us)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    struct runner_options options = {
        .items = items,
        .chunk_items = chunk_items,
        .lease_us = lease_us,
        .workers_max = 8,
        .link = &link_ops,
        .link_arg = rig,
    };
    struct err_text error = {{0}};
    assert_int_equal(runner_new(&options, &error, &rig->runner), 0);
    rig->fd = items.fd;
    return rig;
}

static void close_rig(struct rig *rig)
{
    runner_free(rig->runner);
    if (rig->fd >= 0) {
        (void)close(rig->fd);
    }
    free(rig);
}

static struct items_spec range(uint64_t first, uint64_t last)
{
    return (struct items_spec){
        .is_range = true, .range_first = first, .range_last = last, .fd = -1};
}

static struct items_spec lines(const char *text)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    (void)fputs(text, file);
    assert_int_equal(fflush(file), 0);
    struct items_spec spec = {.fd = dup(fileno(file)), .path = "items", .separator = '\n'};
    (void)fclose(file);
    return spec;
}

/* Answer what was sent and not answered before, with success. */
static void answer_next(struct rig *rig, uint64_t now_us)
{
    struct chunk *chunk = &rig->sent[rig->answered].chunk;
    struct chunk_result result = {.id = chunk->id, .attempt = chunk->attempt, .run_us = 10};
    result.tally.ok = chunk->count;
    result.tally.checksum = chunk->first;
    struct worker_id worker = rig->sent[rig->answered].worker;
    rig->answered++;
    assert_int_equal(runner_results(rig->runner, now_us, worker, "worker", &result, 1, 1), 0);
}

static void answer_all(struct rig *rig, uint64_t now_us)
{
    while (rig->answered < rig->sent_count && rig->ended == 0) {
        answer_next(rig, now_us);
    }
}

static void test_nothing_is_sent_before_it_begins(void **state)
{
    (void)state;
    struct rig *rig = open_rig(range(1, 10), 1, 0);
    runner_join(rig->runner, 5, ONE, 4, 4, NULL, 0);
    assert_int_equal(rig->sent_count, 0);
    runner_begin(rig->runner, 10);
    assert_int_equal(rig->sent_count, 4);
    assert_true(rig->flushes > 0);
    close_rig(rig);
}

static void test_run_ends_when_every_item_is_accounted_for(void **state)
{
    (void)state;
    struct rig *rig = open_rig(range(1, 100), 7, 0);
    runner_join(rig->runner, 0, ONE, 2, 4, NULL, 0);
    runner_begin(rig->runner, 1000);
    answer_all(rig, 2500);

    struct sample sample;
    assert_int_equal(rig->ended, 1);
    assert_int_equal(runner_outcome(rig->runner), RUNNER_DONE);
    runner_fill_sample(rig->runner, &sample);
    assert_int_equal(sample.items, 100);
    assert_int_equal(sample.ok, 100);
    assert_int_equal(sample.chunks, 15);
    assert_true(sample.complete);
    assert_true(sample.wall_s > 0.0014 && sample.wall_s < 0.0016);
    close_rig(rig);
}

static void test_bytes_travel_with_their_chunk_and_again_with_its_retry(void **state)
{
    (void)state;
    struct rig *rig = open_rig(lines("a\nb\nc\n"), 1, 0);
    runner_join(rig->runner, 0, ONE, 1, 1, NULL, 0);
    runner_begin(rig->runner, 0);
    assert_int_equal(rig->sent_count, 1);
    assert_string_equal(rig->sent[0].first_item, "a");

    runner_worker_event(rig->runner, 1, ONE, SCHED_WORKER_LEFT);
    runner_join(rig->runner, 2, TWO, 3, 3, NULL, 0);
    assert_int_equal(rig->sent_count, 4);
    assert_string_equal(rig->sent[1].first_item, "a");
    assert_int_equal(rig->sent[1].chunk.attempt, 2);
    assert_string_equal(rig->sent[2].first_item, "b");
    rig->answered = 1;
    answer_all(rig, 3);
    assert_int_equal(runner_outcome(rig->runner), RUNNER_DONE);
    close_rig(rig);
}

static void test_failures_with_smallest_indices_are_kept(void **state)
{
    (void)state;
    struct rig *rig = open_rig(range(0, 9), 1, 0);
    runner_join(rig->runner, 0, ONE, 10, 10, NULL, 0);
    runner_begin(rig->runner, 0);
    for (size_t i = 10; i-- > 0;) {
        char text[32];
        (void)snprintf(text, sizeof(text), "broken %zu", i);
        struct chunk *chunk = &rig->sent[i].chunk;
        struct chunk_result result = {.id = chunk->id, .attempt = 1, .error_index = chunk->first};
        result.tally.failed = 1;
        result.error = text;
        result.error_len = (uint32_t)strlen(text);
        assert_int_equal(runner_results(rig->runner, 1, ONE, "worker", &result, 1, 0), 0);
    }
    const struct runner_failure *failures = NULL;
    struct sample sample;
    assert_int_equal(runner_failures(rig->runner, &failures), RUNNER_FAILURES_MAX);
    for (size_t i = 0; i < RUNNER_FAILURES_MAX; i++) {
        assert_int_equal(failures[i].index, i);
    }
    runner_fill_sample(rig->runner, &sample);
    assert_int_equal(sample.failed, 10);
    assert_string_equal(sample.first_error, "item 0: broken 0");
    close_rig(rig);
}

static void test_cancel_ends_at_once_and_tells_what_is_missing(void **state)
{
    (void)state;
    struct rig *rig = open_rig(range(1, 100), 10, 0);
    runner_join(rig->runner, 0, ONE, 1, 2, NULL, 0);
    runner_begin(rig->runner, 0);
    answer_next(rig, 1);
    runner_cancel(rig->runner, 2);

    char text[128];
    struct sample sample;
    assert_int_equal(runner_outcome(rig->runner), RUNNER_CANCELLED);
    assert_string_equal(runner_describe_missing(rig->runner, text, sizeof(text)), "10 to 99");
    runner_fill_sample(rig->runner, &sample);
    assert_int_equal(sample.ok, 10);
    assert_false(sample.complete);
    close_rig(rig);
}

static void test_run_without_workers_stalls_when_none_can_come(void **state)
{
    (void)state;
    struct rig *rig = open_rig(range(1, 100), 10, 0);
    runner_join(rig->runner, 0, ONE, 1, 2, NULL, 0);
    runner_begin(rig->runner, 0);
    runner_worker_event(rig->runner, 1, ONE, SCHED_WORKER_LOST);
    assert_int_equal(runner_outcome(rig->runner), RUNNER_RUNNING);
    runner_no_more_workers(rig->runner, 2);
    assert_int_equal(runner_outcome(rig->runner), RUNNER_STALLED);
    assert_int_equal(rig->ended, 1);
    close_rig(rig);
}

static void test_silent_worker_is_dropped_and_its_chunks_go_elsewhere(void **state)
{
    (void)state;
    struct rig *rig = open_rig(range(1, 4), 1, 1000);
    runner_join(rig->runner, 0, ONE, 2, 2, NULL, 0);
    runner_join(rig->runner, 0, TWO, 2, 2, NULL, 0);
    runner_begin(rig->runner, 0);
    assert_int_equal(rig->sent_count, 4);
    runner_worker_event(rig->runner, 900, TWO, SCHED_HEARD);
    assert_int_equal(runner_deadline_us(rig->runner), 1000);
    runner_tick(rig->runner, 1001);
    assert_int_equal(rig->dropped, 1);
    close_rig(rig);
}

/* As when a message about several chunks is worked through, and what the first one leads to cannot be
 * sent to another worker. */
static void test_worker_lost_by_a_flush_does_not_turn_back_the_time(void **state)
{
    (void)state;
    struct rig *rig = open_rig(range(1, 6), 1, 0);
    runner_join(rig->runner, 0, ONE, 2, 2, NULL, 0);
    runner_join(rig->runner, 0, TWO, 2, 2, NULL, 0);
    runner_begin(rig->runner, 0);
    assert_int_equal(rig->sent_count, 4);
    rig->lose_at_flush = TWO;
    rig->lose_at_us = 70;
    runner_returned(rig->runner, 50, ONE, rig->sent[0].chunk.id);
    runner_returned(rig->runner, 50, ONE, rig->sent[1].chunk.id);

    struct sched_stats stats;
    runner_stats(rig->runner, &stats);
    assert_int_equal(stats.workers_lost, 1);
    assert_int_equal(runner_outcome(rig->runner), RUNNER_RUNNING);
    close_rig(rig);
}

/* Nobody else would ever finish that chunk: its worker lives, and its lease is renewed. */
static void test_result_that_does_not_add_up_is_refused_and_its_chunk_can_go_elsewhere(void **state)
{
    (void)state;
    struct rig *rig = open_rig(range(1, 2), 2, 0);
    runner_join(rig->runner, 0, ONE, 1, 1, NULL, 0);
    runner_begin(rig->runner, 0);
    struct chunk_result result = {.id = rig->sent[0].chunk.id, .attempt = 1};
    result.tally.ok = 3;
    assert_int_equal(runner_results(rig->runner, 1, ONE, "worker", &result, 1, 1), ERR_INVALID);
    assert_int_equal(runner_outcome(rig->runner), RUNNER_RUNNING);

    runner_worker_event(rig->runner, 2, ONE, SCHED_WORKER_LOST);
    runner_join(rig->runner, 3, TWO, 1, 1, NULL, 0);
    rig->answered = 1;
    answer_all(rig, 4);
    assert_int_equal(runner_outcome(rig->runner), RUNNER_DONE);
    close_rig(rig);
}

static void test_file_is_read_as_it_is_wanted(void **state)
{
    (void)state;

    enum { LINES = 200000 };

    char *text = malloc((size_t)LINES * 50 + 1);
    assert_non_null(text);
    for (size_t i = 0; i < LINES; i++) {
        memset(text + i * 50, 'q', 49);
        text[i * 50 + 49] = '\n';
    }
    text[(size_t)LINES * 50] = '\0';
    struct rig *rig = open_rig(lines(text), 100, 0);
    free(text);
    runner_join(rig->runner, 0, ONE, 1, 1, NULL, 0);
    runner_begin(rig->runner, 0);
    assert_int_equal(runner_items_total(rig->runner), 0); /* not read to its end yet */
    answer_all(rig, 1);
    assert_int_equal(runner_outcome(rig->runner), RUNNER_DONE);
    assert_int_equal(runner_items_total(rig->runner), LINES);
    assert_int_equal(rig->sent_count, LINES / 100);
    close_rig(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_sent_before_it_begins),
        cmocka_unit_test(test_run_ends_when_every_item_is_accounted_for),
        cmocka_unit_test(test_bytes_travel_with_their_chunk_and_again_with_its_retry),
        cmocka_unit_test(test_failures_with_smallest_indices_are_kept),
        cmocka_unit_test(test_cancel_ends_at_once_and_tells_what_is_missing),
        cmocka_unit_test(test_run_without_workers_stalls_when_none_can_come),
        cmocka_unit_test(test_silent_worker_is_dropped_and_its_chunks_go_elsewhere),
        cmocka_unit_test(test_worker_lost_by_a_flush_does_not_turn_back_the_time),
        cmocka_unit_test(
            test_result_that_does_not_add_up_is_refused_and_its_chunk_can_go_elsewhere),
        cmocka_unit_test(test_file_is_read_as_it_is_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
