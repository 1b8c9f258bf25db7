/* A job that another scheduler began goes on: nothing that was done is run again, nothing is left out. */
#include "common/base/err.h"
#include "tests/coordinator/sched/sched_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Chunks of up to ten items; [0, 5), [20, 23) and [40, 50) of 100 are done, one of them failed. */
static const struct sched_span spans[] = {{0, 5}, {20, 3}, {40, 10}};
static const struct tally tally = {.ok = 17, .failed = 1, .checksum = 99, .bytes_out = 7};

static void given_restored(struct fixture *f)
{
    struct sched_options options = fixture_options(10);
    options.epoch = 3;
    fixture_restart(f, &options);
    assert_int_equal(sched_restore(f->sched, spans, 3, 100, &tally), 0);
    sched_check(f->sched);
}

static void test_sched_restored_job_cuts_chunks_from_the_gaps_only(void **state)
{
    struct fixture *f = *state;
    given_restored(f);
    fixture_items(f, 100, true);
    fixture_join(f, 1, 16, 16);
    const uint64_t expected[][2] = {
        {5, 10}, {15, 5}, {23, 10}, {33, 7}, {50, 10}, {60, 10}, {70, 10}, {80, 10}, {90, 10}};
    assert_int_equal(f->sent_count, 9);
    for (size_t i = 0; i < 9; i++) {
        assert_int_equal(f->sent[i].first, expected[i][0]);
        assert_int_equal(f->sent[i].count, expected[i][1]);
        assert_int_equal(f->sent[i].attempt, 1);
        fixture_result(f, 1, &f->sent[i], 5);
    }
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
    assert_int_equal(fixture_stats(f).items_done, 100);
}

static void test_sched_restored_tally_is_added_to(void **state)
{
    struct fixture *f = *state;
    given_restored(f);
    assert_int_equal(fixture_stats(f).items_done, 18);
    assert_int_equal(fixture_stats(f).items_available, 0);
    fixture_items(f, 100, true);
    fixture_join(f, 1, 1, 1);
    fixture_result(f, 1, fixture_last(f), 5);
    struct tally sum = fixture_stats(f).tally;
    assert_int_equal(sum.ok, 27);
    assert_int_equal(sum.failed, 1);
    assert_int_equal(sum.checksum, 99 + 5);
    assert_int_equal(sum.bytes_out, 7);
    assert_int_equal(fixture_stats(f).chunks_finished, 1);
}

static void test_sched_restored_done_spans_are_those_and_what_came_since(void **state)
{
    struct fixture *f = *state;
    uint64_t first = 0;
    uint64_t end = 0;
    given_restored(f);
    fixture_items(f, 100, true);
    fixture_join(f, 1, 4, 4); /* 5-15, 15-20, 23-33, 33-40 */
    fixture_result(f, 1, &f->sent[2], 5);
    const uint64_t expected[][2] = {{0, 5}, {20, 33}, {40, 50}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(sched_done_spans(f->sched, i, &first, &end), 3);
        assert_int_equal(first, expected[i][0]);
        assert_int_equal(end, expected[i][1]);
    }
}

static void test_sched_restored_job_has_no_chunk_across_what_was_known(void **state)
{
    struct fixture *f = *state;
    struct sched_options options = fixture_options(10);
    const struct sched_span done = {0, 4};
    const struct tally four = {.ok = 4};
    fixture_restart(f, &options);
    assert_int_equal(sched_restore(f->sched, &done, 1, 27, &four), 0);
    fixture_items(f, 100, true);
    fixture_join(f, 1, 4, 4);
    const uint64_t expected[][2] = {{4, 10}, {14, 10}, {24, 3}, {27, 10}};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(f->sent[i].first, expected[i][0]);
        assert_int_equal(f->sent[i].count, expected[i][1]);
    }
}

static void test_sched_restored_input_may_be_read_again_bit_by_bit(void **state)
{
    struct fixture *f = *state;
    given_restored(f);
    fixture_join(f, 1, 16, 16);
    assert_int_equal(f->sent_count, 0);
    /* within what is done, within a gap, over several */
    const uint64_t available[] = {3, 5, 11, 22, 45, 60, 99};
    const uint64_t sent_items[] = {0, 0, 6, 15, 32, 42, 81};
    uint64_t items = 0;
    size_t seen = 0;
    for (size_t i = 0; i < 7; i++) {
        assert_true(sched_wants_items(f->sched));
        assert_int_equal(fixture_items(f, available[i], false), 0);
        for (; seen < f->sent_count; seen++) {
            items += f->sent[seen].count;
        }
        assert_int_equal(items, sent_items[i]);
        assert_int_equal(fixture_said(f, SCHED_DONE, 0), 0);
    }
    assert_int_equal(fixture_items(f, 99, true), ERR_INVALID); /* it had 100 before */
    assert_int_equal(fixture_items(f, 100, true), 0);
}

static void test_sched_restored_job_with_all_items_done_is_done(void **state)
{
    struct fixture *f = *state;
    struct sched_options options = fixture_options(10);
    const struct sched_span all = {0, 100};
    const struct tally hundred = {.ok = 100};
    fixture_restart(f, &options);
    assert_int_equal(sched_restore(f->sched, &all, 1, 100, &hundred), 0);
    fixture_items(f, 50, false);
    assert_int_equal(f->actions.count, 0);
    fixture_items(f, 100, true);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
    assert_int_equal(f->sent_count, 0);
}

static void test_sched_restored_input_may_go_on_after_what_was_known(void **state)
{
    struct fixture *f = *state;
    struct sched_options options = fixture_options(10);
    const struct sched_span all = {0, 100};
    const struct tally hundred = {.ok = 100};
    fixture_restart(f, &options);
    assert_int_equal(sched_restore(f->sched, &all, 1, 100, &hundred), 0);
    fixture_items(f, 105, true);
    fixture_join(f, 1, 1, 1);
    assert_int_equal(fixture_last(f)->first, 100);
    assert_int_equal(fixture_last(f)->count, 5);
    fixture_result(f, 1, fixture_last(f), 5);
    assert_int_equal(fixture_said(f, SCHED_DONE, 0), 1);
}

static void test_sched_restored_job_is_stalled_by_what_is_left_not_by_counts(void **state)
{
    /* given as many done items as are available, but others */
    struct fixture *f = *state;
    given_restored(f);
    fixture_items(f, 18, false);
    fixture_event(f, SCHED_NO_MORE_WORKERS, 0);
    assert_int_equal(fixture_said(f, SCHED_STALLED, 0), 1);
}

static void test_sched_restored_sizes_are_shares_of_what_is_left(void **state)
{
    /* given a million items of which all but the last 800 are done, and four slots */
    struct fixture *f = *state;
    struct sched_options options = fixture_options(0);
    const struct sched_span done = {0, 999200};
    const struct tally sum = {.ok = 999200};
    fixture_restart(f, &options);
    assert_int_equal(sched_restore(f->sched, &done, 1, 1000000, &sum), 0);
    fixture_items(f, 1000000, true);
    fixture_join(f, 1, 4, 4);
    uint64_t largest = 0;
    for (struct sched_action *sent = NULL; (sent = fixture_oldest(f, 1)) != NULL;) {
        largest = sent->count > largest ? sent->count : largest;
        (void)fixture_finish(f, 1, sent->count * 1000);
    }
    assert_int_equal(fixture_stats(f).items_done, 1000000);
    assert_in_range(largest, 2, 100);
}

static void test_sched_ids_carry_the_epoch_in_their_top_bits(void **state)
{
    struct fixture *f = *state;
    const uint8_t epochs[] = {0, 1, 200, 255};
    for (size_t i = 0; i < 4; i++) {
        struct sched_options options = fixture_options(1);
        options.epoch = epochs[i];
        fixture_restart(f, &options);
        fixture_items(f, 200, true);
        fixture_join(f, 1, 1, 1);
        while (fixture_finish(f, 1, 5) > 0) {
            assert_int_equal(fixture_last(f)->chunk.value >> 56, epochs[i]);
        }
        assert_int_equal(fixture_stats(f).items_done, 200);
    }
}

static void test_sched_results_of_another_epoch_never_count(void **state)
{
    struct fixture *f = *state;
    struct sched_options options = fixture_options(1);
    options.epoch = 2;
    fixture_restart(f, &options);
    fixture_items(f, 5, true);
    fixture_join(f, 1, 4, 4);
    struct sched_action other = f->sent[0];
    /* an earlier one's are of no use any more, a later one never was */
    other.chunk.value = f->sent[0].chunk.value - (UINT64_C(1) << 56);
    assert_int_equal(fixture_result(f, 1, &other, 5), 0);
    assert_int_equal(fixture_stats(f).duplicates, 1);
    other.chunk.value = f->sent[0].chunk.value + (UINT64_C(1) << 56);
    assert_int_equal(fixture_result(f, 1, &other, 5), 0);
    assert_int_equal(fixture_stats(f).strays, 1);
    assert_int_equal(fixture_returned(f, 1, other.chunk), 0);
    assert_int_equal(fixture_stats(f).items_done, 0);
    assert_int_equal(fixture_stats(f).items_held, 4);
}

static void test_sched_refuses_to_restore_what_makes_no_sense(void **state)
{
    struct fixture *f = *state;

    const struct {
        struct sched_span spans[2];
        size_t count;
        uint64_t known;
        struct tally tally;
    } bad[] = {
        {{{0, 0}}, 1, 10, {0}},                             /* empty */
        {{{4, 2}, {5, 1}}, 2, 10, {.ok = 3}},               /* one twice */
        {{{4, 2}, {1, 1}}, 2, 10, {.ok = 3}},               /* not ascending */
        {{{4, 7}}, 1, 10, {.ok = 7}},                       /* not known */
        {{{10, 1}}, 1, 10, {.ok = 1}},                      /* likewise */
        {{{1, UINT64_MAX}}, 1, UINT64_MAX, {.ok = 1}},      /* wraps */
        {{{0, 3}}, 1, 10, {.ok = 2}},                       /* fewer */
        {{{0, 3}}, 1, 10, {.ok = 2, .failed = 2}},          /* more */
        {{{0, 3}}, 1, 10, {.ok = 4, .failed = UINT64_MAX}}, /* wraps */
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(
            sched_restore(f->sched, bad[i].spans, bad[i].count, bad[i].known, &bad[i].tally),
            ERR_INVALID);
        assert_int_equal(fixture_stats(f).items_done, 0);
    }
    const struct sched_span touching[] = {{0, 3}, {3, 1}};
    const struct tally four = {.ok = 4};
    assert_int_equal(sched_restore(f->sched, touching, 2, 10, &four), 0);
    assert_int_equal(sched_restore(f->sched, touching, 2, 10, &four), ERR_INVALID);
}

static void test_sched_refuses_to_restore_after_the_first_event(void **state)
{
    struct fixture *f = *state;
    const struct tally none = {0};
    fixture_items(f, 1, false);
    assert_int_equal(sched_restore(f->sched, NULL, 0, 10, &none), ERR_INVALID);
    struct sched_options options = fixture_options(1);
    fixture_restart(f, &options);
    fixture_join(f, 1, 1, 1);
    assert_int_equal(sched_restore(f->sched, NULL, 0, 10, &none), ERR_INVALID);
    fixture_restart(f, &options);
    fixture_items(f, 0, true);
    assert_int_equal(sched_restore(f->sched, NULL, 0, 10, &none), ERR_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sched_restored_job_cuts_chunks_from_the_gaps_only),
        TEST(test_sched_restored_tally_is_added_to),
        TEST(test_sched_restored_done_spans_are_those_and_what_came_since),
        TEST(test_sched_restored_job_has_no_chunk_across_what_was_known),
        TEST(test_sched_restored_input_may_be_read_again_bit_by_bit),
        TEST(test_sched_restored_job_with_all_items_done_is_done),
        TEST(test_sched_restored_input_may_go_on_after_what_was_known),
        TEST(test_sched_restored_job_is_stalled_by_what_is_left_not_by_counts),
        TEST(test_sched_restored_sizes_are_shares_of_what_is_left),
        TEST(test_sched_ids_carry_the_epoch_in_their_top_bits),
        TEST(test_sched_results_of_another_epoch_never_count),
        TEST(test_sched_refuses_to_restore_what_makes_no_sense),
        TEST(test_sched_refuses_to_restore_after_the_first_event),
    };
    return cmocka_run_group_tests_name("sched_restore", tests, NULL, NULL) != 0;
}
