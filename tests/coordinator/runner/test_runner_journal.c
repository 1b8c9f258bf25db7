/* The runner and its journal: what may be acknowledged when, when a run has ended, and how another
 * runner goes on where one stopped. The journal is a real one. */
#include "common/base/items.h"
#include "coordinator/journal/journal.h"
#include "coordinator/runner/runner.h"
#include "coordinator/sink/sink.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

enum { SENT_MAX = 256, WAIT_MS = 20000, FIRST_US = 1000000 };

static const struct worker_id ONE = {1};

struct rig {
    char directory[64];
    char path[128];
    int wake_fd;
    struct journal *journal;
    struct sink *sink; /* NULL: none */
    struct journal_state state;
    struct runner *runner;
    int items_fd;
    struct chunk sent[SENT_MAX];
    char items[SENT_MAX][64]; /* of each chunk that was sent, one behind the other */
    size_t sent_count;
    size_t answered;
    int durable_said;
    bool ended;
};

/* --- the link --- */

static void queue(void *arg, struct worker_id worker, const struct chunk *chunk)
{
    (void)worker;
    struct rig *rig = arg;
    assert_true(rig->sent_count < SENT_MAX);
    char *text = memset(rig->items[rig->sent_count], 0, sizeof(rig->items[0]));
    if (chunk->payload != NULL) {
        struct items_cursor cursor;
        const char *bytes = NULL;
        size_t len = 0;
        size_t used = 0;
        assert_true(
            items_payload_valid(blob_bytes(chunk->payload), chunk->payload_len, chunk->count));
        items_cursor_init(&cursor, blob_bytes(chunk->payload), chunk->count);
        while (items_cursor_next(&cursor, &bytes, &len) && used + len < 60) {
            memcpy(text + used, bytes, len);
            used += len;
        }
    }
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

static void durable(void *arg)
{
    struct rig *rig = arg;
    rig->durable_said++;
}

static void ended(void *arg)
{
    struct rig *rig = arg;
    rig->ended = true;
}

static const struct runner_link link_ops = {.queue = queue,
                                            .flush = flush,
                                            .drop = drop,
                                            .durable = durable,
                                            .ended = ended};

/* --- the rig --- */

static void wake(void *arg)
{
    const struct rig *rig = arg;
    uint64_t one = 1;
    assert_int_equal(write(rig->wake_fd, &one, sizeof(one)), sizeof(one));
}

static void marked(void *arg, const struct sink_mark *mark)
{
    const struct rig *rig = arg;
    journal_marked(rig->journal, mark);
}

static void await_wake(const struct rig *rig)
{
    struct pollfd pollfd = {.fd = rig->wake_fd, .events = POLLIN};
    uint64_t count = 0;
    assert_int_equal(poll(&pollfd, 1, WAIT_MS), 1);
    assert_int_equal(read(rig->wake_fd, &count, sizeof(count)), sizeof(count));
}

static struct journal_options journal_options(struct rig *rig)
{
    return (struct journal_options){.path = rig->path, .wake = wake, .wake_arg = rig};
}

static struct rig *new_rig(void)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct err_text error = {{0}};
    assert_non_null(rig);
    (void)snprintf(rig->directory, sizeof(rig->directory), "/tmp/quartet-journal-XXXXXX");
    assert_non_null(mkdtemp(rig->directory));
    (void)snprintf(rig->path, sizeof(rig->path), "%s/run.journal", rig->directory);
    rig->wake_fd = eventfd(0, EFD_CLOEXEC);
    rig->items_fd = -1;
    const struct journal_options options = journal_options(rig);
    assert_int_equal(journal_create(&options, "{}", 7, &error, &rig->journal), 0);
    return rig;
}

static void begin(struct rig *rig, struct items_spec items, uint64_t chunk_items, bool resumed)
{
    struct runner_options options = {
        .items = items,
        .items_count = items.is_range ? items.range_last : 26,
        .chunk_items = chunk_items,
        .workers_max = 8,
        .journal = rig->journal,
        .sink = rig->sink,
        .state = resumed ? &rig->state : NULL,
        .link = &link_ops,
        .link_arg = rig,
    };
    struct err_text error = {{0}};
    assert_int_equal(runner_new(&options, &error, &rig->runner), 0);
}

/* With one worker that has so many slots, and may be sent as many chunks. */
static void begin_with(struct rig *rig,
                       struct items_spec items,
                       uint64_t chunk_items,
                       uint32_t slots,
                       bool resumed)
{
    begin(rig, items, chunk_items, resumed);
    runner_join(rig->runner, FIRST_US, ONE, slots, slots, NULL, 0);
    runner_begin(rig->runner, FIRST_US);
}

/* The coordinator dies, and another one takes the journal up. */
static void die(struct rig *rig)
{
    struct err_text error = {{0}};
    runner_free(rig->runner);
    rig->runner = NULL;
    journal_close(rig->journal);
    journal_state_deinit(&rig->state);
    rig->sent_count = 0;
    rig->answered = 0;
    rig->ended = false;
    const struct journal_options options = journal_options(rig);
    assert_int_equal(journal_open(&options, &error, &rig->journal, &rig->state), 0);
}

static void close_rig(struct rig *rig)
{
    runner_free(rig->runner);
    journal_close(rig->journal);
    journal_state_deinit(&rig->state);
    (void)close(rig->wake_fd);
    if (rig->items_fd >= 0) {
        (void)close(rig->items_fd);
    }
    (void)unlink(rig->path);
    assert_int_equal(rmdir(rig->directory), 0);
    free(rig);
}

static struct items_spec range(uint64_t last)
{
    return (struct items_spec){.is_range = true, .range_first = 1, .range_last = last, .fd = -1};
}

/* "a", "b", ... */
static struct items_spec letters(struct rig *rig, int count)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    for (int i = 0; i < count; i++) {
        (void)fprintf(file, "%c\n", 'a' + i);
    }
    assert_int_equal(fflush(file), 0);
    rig->items_fd = dup(fileno(file));
    (void)fclose(file);
    return (struct items_spec){.fd = rig->items_fd, .path = "items", .separator = '\n'};
}

static void answer(struct rig *rig, size_t at, uint64_t now_us, uint32_t credit)
{
    const struct chunk *chunk = &rig->sent[at];
    struct chunk_result result = {.id = chunk->id, .attempt = chunk->attempt, .run_us = 10};
    result.tally.ok = chunk->count;
    for (uint64_t i = 0; i < chunk->count; i++) {
        result.tally.checksum += (chunk->first + i) * 1000 + 1;
    }
    assert_int_equal(runner_results(rig->runner, now_us, ONE, "one", &result, 1, credit), 0);
}

static uint64_t checksum_of(uint64_t items)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < items; i++) {
        sum += i * 1000 + 1;
    }
    return sum;
}

static void await_durable(struct rig *rig, uint64_t noted, uint64_t *now_us)
{
    while (runner_durable(rig->runner) < noted) {
        await_wake(rig);
        *now_us += 1000000;
        runner_outputs_changed(rig->runner, *now_us);
    }
}

static void await_end(struct rig *rig, uint64_t *now_us)
{
    while (!rig->ended) {
        await_wake(rig);
        *now_us += 1000;
        runner_outputs_changed(rig->runner, *now_us);
    }
}

/* --- tests --- */

static void test_results_are_durable_some_time_after_they_are_noted(void **state)
{
    (void)state;
    struct rig *rig = new_rig();
    uint64_t now_us = FIRST_US;
    begin_with(rig, range(100), 10, 2, false);
    assert_int_equal(runner_noted(rig->runner), 0);
    answer(rig, 0, now_us += 100000, 0);
    uint64_t noted = runner_noted(rig->runner);
    assert_true(noted > 0);
    await_durable(rig, noted, &now_us);
    assert_true(rig->durable_said > 0);
    assert_int_equal(runner_outcome(rig->runner), RUNNER_RUNNING);
    close_rig(rig);
}

static void test_run_has_ended_when_all_of_it_is_durable(void **state)
{
    (void)state;
    struct rig *rig = new_rig();
    uint64_t now_us = FIRST_US;
    begin_with(rig, range(30), 10, 3, false);
    for (size_t i = 0; i < 3; i++) {
        answer(rig, i, now_us += 1000, 0);
    }
    await_end(rig, &now_us);
    assert_int_equal(runner_outcome(rig->runner), RUNNER_DONE);
    die(rig);
    assert_true(rig->state.complete);
    assert_int_equal(rig->state.done.members, 30);
    assert_true(rig->state.counts.tally.checksum == checksum_of(30));
    close_rig(rig);
}

static void test_numbers_that_are_done_are_not_sent_again(void **state)
{
    (void)state;
    struct rig *rig = new_rig();
    uint64_t now_us = FIRST_US;
    begin_with(rig, range(60), 10, 6, false);
    assert_int_equal(rig->sent_count, 6);
    answer(rig, 1, now_us += 1000, 0);
    answer(rig, 4, now_us += 1000, 0);
    await_durable(rig, runner_noted(rig->runner), &now_us);
    die(rig);
    assert_int_equal(rig->state.done.count, 2);
    begin_with(rig, range(60), 10, 8, true);
    uint64_t items = 0;
    for (size_t i = 0; i < rig->sent_count; i++) {
        assert_true(rig->sent[i].first / 10 != 1 && rig->sent[i].first / 10 != 4);
        items += rig->sent[i].count;
        answer(rig, i, now_us += 1000, 1);
    }
    assert_int_equal(items, 40);
    await_end(rig, &now_us);
    struct sched_stats stats;
    runner_stats(rig->runner, &stats);
    assert_int_equal(stats.tally.ok, 60);
    assert_true(stats.tally.checksum == checksum_of(60));
    close_rig(rig);
}

static void test_bytes_of_items_that_are_left_are_those_of_the_input(void **state)
{
    (void)state;
    struct rig *rig = new_rig();
    uint64_t now_us = FIRST_US;
    struct items_spec items = letters(rig, 26);
    begin_with(rig, items, 2, 8, false);
    assert_string_equal(rig->items[2], "ef");
    answer(rig, 1, now_us += 1000, 0);
    answer(rig, 2, now_us += 1000, 0);
    answer(rig, 5, now_us += 1000, 0);
    await_durable(rig, runner_noted(rig->runner), &now_us);
    die(rig);
    begin_with(rig, items, 3, 26, true);
    char all[32] = "";
    for (size_t i = 0; i < rig->sent_count; i++) {
        assert_int_equal(strlen(rig->items[i]), rig->sent[i].count);
        assert_int_equal(rig->items[i][0], 'a' + (int)rig->sent[i].first);
        (void)strncat(all, rig->items[i], sizeof(all) - strlen(all) - 1);
        answer(rig, i, now_us += 1000, 0);
    }
    assert_string_equal(all, "abghijmnopqrstuvwxyz");
    await_end(rig, &now_us);
    close_rig(rig);
}

static void test_what_a_worker_goes_on_with_is_not_sent(void **state)
{
    (void)state;
    struct rig *rig = new_rig();
    uint64_t now_us = FIRST_US;
    struct items_spec items = letters(rig, 26);
    begin_with(rig, items, 2, 8, false);
    struct chunk kept = rig->sent[3];
    die(rig); /* before anything was durable */
    assert_int_equal(rig->state.done.members, 0);
    begin(rig, items, 2, true);
    const struct sched_holding holding = {kept.id, kept.first, kept.count, kept.attempt};
    runner_join(rig->runner, now_us, ONE, 26, 26, &holding, 1);
    assert_int_equal(rig->sent_count, 0); /* it has not begun */
    runner_begin(rig->runner, now_us);
    uint64_t sent = 0;
    for (size_t i = 0; i < rig->sent_count; i++) {
        assert_true(rig->sent[i].first + rig->sent[i].count <= kept.first ||
                    rig->sent[i].first >= kept.first + kept.count);
        assert_int_equal(rig->items[i][0], 'a' + (int)rig->sent[i].first);
        sent += rig->sent[i].count;
        answer(rig, i, now_us += 1000, 0);
    }
    assert_int_equal(sent, 24);
    assert_false(rig->ended);
    rig->sent[0] = kept;
    answer(rig, 0, now_us += 1000, 0);
    await_end(rig, &now_us);
    struct sched_stats stats;
    runner_stats(rig->runner, &stats);
    assert_true(stats.tally.checksum == checksum_of(26));
    assert_int_equal(stats.chunks_adopted, 1);
    close_rig(rig);
}

static void test_run_whose_results_could_not_be_written_is_not_complete(void **state)
{
    (void)state;
    struct rig *rig = new_rig();
    struct err_text error = {{0}};
    uint64_t now_us = FIRST_US;
    const struct sink_options sink = {.out = "/dev/full",
                                      .format = SINK_NDJSON,
                                      .is_range = true,
                                      .separator = '\n',
                                      .wake = wake,
                                      .wake_arg = rig,
                                      .marked = marked,
                                      .marked_arg = rig};
    assert_int_equal(sink_open(&sink, &error, &rig->sink), 0);
    journal_expect_marks(rig->journal);
    begin_with(rig, range(30), 10, 3, false);
    for (size_t i = 0; i < 3; i++) {
        answer(rig, i, now_us += 1000, 0);
    }
    await_end(rig, &now_us);
    assert_int_equal(runner_outcome(rig->runner), RUNNER_FAILED);
    assert_non_null(strstr(runner_error(rig->runner), "/dev/full"));
    assert_int_equal(sink_close(rig->sink, NULL, &error, NULL), ERR_IO);
    rig->sink = NULL;
    die(rig);
    assert_false(rig->state.complete);
    assert_int_equal(rig->state.done.members, 0);
    close_rig(rig);
}

static void test_cancelled_run_does_not_wait_for_ever(void **state)
{
    (void)state;
    struct rig *rig = new_rig();
    uint64_t now_us = FIRST_US;
    begin_with(rig, range(30), 10, 2, false);
    answer(rig, 0, now_us += 1000, 0);
    runner_cancel(rig->runner, now_us);
    if (!rig->ended) {
        runner_tick(rig->runner, runner_deadline_us(rig->runner));
    }
    assert_true(rig->ended);
    assert_int_equal(runner_outcome(rig->runner), RUNNER_CANCELLED);
    die(rig);
    assert_false(rig->state.complete);
    assert_int_equal(rig->state.done.members, 10); /* closing the journal waits for it */
    close_rig(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results_are_durable_some_time_after_they_are_noted),
        cmocka_unit_test(test_run_has_ended_when_all_of_it_is_durable),
        cmocka_unit_test(test_numbers_that_are_done_are_not_sent_again),
        cmocka_unit_test(test_bytes_of_items_that_are_left_are_those_of_the_input),
        cmocka_unit_test(test_what_a_worker_goes_on_with_is_not_sent),
        cmocka_unit_test(test_run_whose_results_could_not_be_written_is_not_complete),
        cmocka_unit_test(test_cancelled_run_does_not_wait_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
