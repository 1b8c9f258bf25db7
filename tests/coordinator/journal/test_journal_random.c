/* Random groups of a run with a sink against an independent model: a byte for each item. Each time
 * the journal is opened again it says what the model says, and nothing of the group whose mark never
 * came. */
#include "common/base/record.h"
#include "common/base/rng.h"
#include "coordinator/sink/sink_held.h"
#include "tests/coordinator/journal/journal_fixture.h"
#include "tests/coordinator/sink/sink_fixture.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ITEMS = 600, GROUPS = 60, BATCH_MAX = 12 };

enum item_state { OPEN, OK, FAILED };

/* What is durable, and what will be once the group is. */
struct model {
    struct rng rng;
    uint8_t items[ITEMS]; /* enum item_state */
    bool waits[ITEMS];    /* done, and not written */
    uint64_t next;
    uint64_t lengths[2];
    struct journal_counts counts;
};

static char *directory;
static struct journal_fixture fixture;
static struct item_fixture all_items[ITEMS];
static char names[ITEMS][16];
static struct blob *payload;

static int setup(void **state)
{
    (void)state;
    directory = directory_fixture_new();
    for (size_t i = 0; i < ITEMS; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "item %zu", i);
        all_items[i] = (struct item_fixture){.bytes = names[i], .len = strlen(names[i])};
    }
    payload = payload_fixture(all_items, ITEMS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    blob_unref(payload);
    directory_fixture_free(directory);
    return 0;
}

/* A run of items that are open, from a random place on; its length, 0: none. */
static uint64_t pick(struct model *model, uint64_t *ret_first)
{
    uint64_t first = rng_below(&model->rng, ITEMS);
    uint64_t max = 1 + rng_below(&model->rng, BATCH_MAX);
    uint64_t count = 0;
    while (first < ITEMS && model->items[first] != OPEN) {
        first++;
    }
    while (first + count < ITEMS && count < max && model->items[first + count] == OPEN) {
        count++;
    }
    *ret_first = first;
    return count;
}

static void note(struct model *model, uint64_t index, bool fails)
{
    model->items[index] = fails ? FAILED : OK;
    model->waits[index] = true;
    assert_int_equal(journal_note_done(fixture.journal, index, 1), 0);
    if (fails) {
        assert_int_equal(
            journal_note_failed(fixture.journal, index, 3, names[index], strlen(names[index])), 0);
    }
    model->counts.tally.ok += !fails;
    model->counts.tally.failed += fails;
    model->counts.tally.checksum += index * 0x9e3779b97f4a7c15;
}

/* A result: some of its items may be withheld, and stay open. */
static struct sink_batch put_batch(struct model *model, uint64_t first, uint64_t count)
{
    struct item_fixture items[BATCH_MAX];
    bool withhold = rng_below(&model->rng, 3) == 0;
    bool lost = !withhold && rng_below(&model->rng, 8) == 0;
    for (uint64_t i = 0; i < count; i++) {
        bool fails = lost || rng_below(&model->rng, 4) == 0;
        items[i] = all_items[first + i];
        items[i].record = (struct record){
            .status = fails ? RECORD_FAILED : RECORD_OK, .out = names[first + i], .out_len = 5};
        if (!fails || !withhold) {
            note(model, first + i, fails);
        }
    }
    struct sink_batch batch = {
        .first = first,
        .count = count,
        .payload = blob_ref(payload),
        .payload_count = ITEMS,
        .attempt = 1 + (uint32_t)rng_below(&model->rng, 3),
        .withhold_failed = withhold,
        .worker = "w\xff",
        .lost = lost ? "its worker died" : "",
    };
    if (!lost) {
        batch.records = records_fixture(items, count);
        batch.records_len = blob_len(batch.records);
    }
    return batch;
}

/* Does an item of the batch wait, that is not withheld? */
static bool batch_waits(const struct model *model, const struct sink_batch *batch)
{
    for (uint64_t i = batch->first; i < batch->first + batch->count; i++) {
        if (i >= model->next && model->items[i] != OPEN) {
            return true;
        }
    }
    return false;
}

/* What the sink would say of these batches. */
static void mark(struct model *model, struct sink_batch *batches, size_t count, uint64_t number)
{
    char paths[2][720];
    struct sink_place places[2];
    struct sink_batch waiting[ITEMS];
    size_t waiting_count = 0;
    while (model->next < ITEMS && model->items[model->next] != OPEN) {
        model->waits[model->next++] = false;
    }
    for (size_t i = 0; i < count; i++) {
        if (batch_waits(model, &batches[i])) {
            waiting[waiting_count++] = batches[i];
        }
    }
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(paths[i], sizeof(paths[i]), "%s/out%zu", directory, i);
        model->lengths[i] += rng_below(&model->rng, 3);
        places[i] = (struct sink_place){paths[i], model->lengths[i]};
    }
    const struct sink_mark said = {
        .number = number,
        .places = places,
        .place_count = 2,
        .waiting = waiting,
        .waiting_count = waiting_count,
        .next = model->next,
    };
    journal_marked(fixture.journal, &said);
}

/* One group; `marked`: false, its mark never comes. */
static void run_group(struct model *model, bool marked)
{
    struct sink_batch batches[ITEMS];
    size_t count = 0;
    uint64_t wanted = 1 + rng_below(&model->rng, 6);
    for (uint64_t i = 0; i < wanted; i++) {
        uint64_t first;
        uint64_t items = pick(model, &first);
        if (items > 0) {
            batches[count++] = put_batch(model, first, items);
        }
    }
    if (journal_can_close(fixture.journal)) {
        uint64_t number = journal_group(fixture.journal);
        journal_close_group(fixture.journal, &model->counts, &fixture.input, false);
        if (marked) {
            mark(model, batches, count, number);
            assert_true(journal_fixture_wait(&fixture, number));
        }
    }
    for (size_t i = 0; i < count; i++) {
        blob_unref(batches[i].payload);
        blob_unref(batches[i].records);
    }
}

/* Items that wait, each once, with their own bytes and records. */
static void check_waiting(const struct model *model, const struct journal_state *back)
{
    bool seen[ITEMS] = {false};
    for (size_t i = 0; i < back->waiting_count; i++) {
        const struct sink_batch *batch = &back->waiting[i];
        struct sink_held *held = sink_held_new(batch, 0);
        struct sink_span span;
        struct sink_item item;
        assert_true(batch->waited);
        assert_string_equal(batch->worker, "w\xff");
        sink_span_init(&span, held);
        while (sink_span_next(&span, &item)) {
            assert_int_equal(item.len, strlen(names[item.index]));
            assert_memory_equal(item.bytes, names[item.index], item.len);
            if (sink_held_withholds(held, &item)) {
                continue;
            }
            if (item.index >= model->next) {
                assert_false(seen[item.index]);
                seen[item.index] = true;
            }
            assert_int_equal(item.record.status != RECORD_OK, model->items[item.index] == FAILED);
        }
        sink_held_free(held);
    }
    assert_memory_equal(seen, model->waits, sizeof(seen));
}

static void check_failures(const struct model *model, const struct journal_state *back)
{
    size_t at = 0;
    for (uint64_t i = 0; i < ITEMS && at < 5; i++) {
        if (model->items[i] == FAILED) {
            assert_true(at < back->failure_count);
            assert_int_equal(back->failures[at].index, i);
            assert_string_equal(back->failures[at].reason, names[i]);
            at++;
        }
    }
    assert_int_equal(back->failure_count, at);
}

/* Open it again, and compare. */
static void reopen(const struct model *model)
{
    struct journal_state back;
    journal_fixture_open(&fixture, &back);
    for (uint64_t i = 0; i < ITEMS; i++) {
        assert_int_equal(interval_contains(&back.done, i), model->items[i] != OPEN);
    }
    assert_memory_equal(&back.counts, &model->counts, sizeof(back.counts));
    assert_int_equal(back.next, model->next);
    for (size_t i = 0; i < back.cut_count; i++) {
        size_t which = back.cuts[i].path[strlen(back.cuts[i].path) - 1] == '1';
        assert_int_equal(back.cuts[i].length, model->lengths[which]);
    }
    check_failures(model, &back);
    check_waiting(model, &back);
    journal_state_deinit(&back);
}

static void run_random(uint64_t seed)
{
    static struct model model;
    static struct model before;
    journal_fixture_init(&fixture, directory);
    fixture.has_sink = true;
    memset(&model, 0, sizeof(model));
    rng_init(&model.rng, seed);
    journal_fixture_create(&fixture);
    for (int i = 0; i < GROUPS; i++) {
        run_group(&model, true);
        if (rng_below(&model.rng, 6) == 0) {
            before = model;
            run_group(&model, false);
            before.rng = model.rng;
            model = before;
            journal_fixture_close(&fixture);
            reopen(&model);
        }
    }
    journal_fixture_close(&fixture);
    reopen(&model);
    journal_fixture_deinit(&fixture);
    assert_int_equal(remove(fixture.path), 0);
}

static void test_journal_says_what_the_model_says(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        run_random(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_journal_says_what_the_model_says, setup, teardown),
    };
    return cmocka_run_group_tests_name("journal_random", tests, journal_fixture_in_memory, NULL);
}
