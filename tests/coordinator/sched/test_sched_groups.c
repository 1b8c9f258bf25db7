/* What a lost worker held is run again in no other company than its own: at full speed, and beside other work. */
#include "tests/coordinator/sched/sched_fixture.h"
#include "tests/coordinator/sched/sched_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* `chunks` of ten items, lost with worker 1, and `more` that nobody had. */
static void given_suspects(struct fixture *f, uint32_t chunks, uint64_t more)
{
    struct sched_options options = fixture_options(10);
    fixture_restart(f, &options);
    fixture_items(f, 10 * (chunks + more), true);
    fixture_join(f, 1, chunks, chunks);
    assert_int_equal(f->sent_count, chunks);
    fixture_event(f, SCHED_WORKER_LOST, 1);
    for (size_t i = 0; i < f->sent_count; i++) {
        f->sent[i].count = 0; /* answered, for fixture_oldest */
    }
}

/* How many of the attempts sent since `from` to this worker are of suspects: they are second ones. */
static size_t suspects_sent(const struct fixture *f, size_t from, uint64_t worker)
{
    size_t count = 0;
    for (size_t i = from; i < f->sent_count; i++) {
        count += f->sent[i].worker.value == worker && f->sent[i].attempt > 1;
    }
    return count;
}

/* --- company --- */

static void test_sched_what_a_lost_worker_held_fills_the_next_one(void **state)
{
    struct fixture *f = *state;
    given_suspects(f, 8, 0);
    fixture_join(f, 2, 8, 16);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 8);
}

static void test_sched_nothing_else_is_sent_to_who_has_suspects(void **state)
{
    struct fixture *f = *state;
    given_suspects(f, 3, 10);
    fixture_join(f, 2, 8, 16);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 3);
    fixture_finish(f, 2, 5);
    fixture_finish(f, 2, 5);
    assert_int_equal(fixture_sent(f, 2), 3);
    /* until the last of them is finished */
    fixture_finish(f, 2, 5);
    assert_true(fixture_sent(f, 2) > 3);
    assert_int_equal(suspects_sent(f, 3, 2), 3);
}

static void test_sched_more_suspects_join_those_that_run(void **state)
{
    struct fixture *f = *state;
    given_suspects(f, 8, 0);
    fixture_join(f, 2, 4, 4);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 4);
    fixture_finish(f, 2, 5);
    assert_int_equal(fixture_sent(f, 2), 5);
}

static void test_sched_suspects_are_not_sent_to_who_has_other_work(void **state)
{
    /* given worker 2 with one chunk, and a free slot, and credit */
    struct fixture *f = *state;
    struct sched_options options = fixture_options(1);
    fixture_restart(f, &options);
    fixture_items(f, 3, true);
    fixture_join(f, 1, 2, 2);
    fixture_join(f, 2, 4, 4);
    fixture_event(f, SCHED_WORKER_LOST, 1);
    assert_int_equal(f->actions.count, 0);
    fixture_result(f, 2, fixture_oldest(f, 2), 5);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 2);
}

static void test_sched_company_of_a_second_loss_runs_alone(void **state)
{
    struct fixture *f = *state;
    given_suspects(f, 4, 0);
    fixture_join(f, 2, 4, 4);
    assert_int_equal(fixture_said(f, SCHED_SEND, 2), 4);
    fixture_event(f, SCHED_WORKER_LOST, 2);
    assert_int_equal(fixture_said(f, SCHED_SPLIT, 0), 0);
    fixture_join(f, 3, 4, 4);
    assert_int_equal(fixture_said(f, SCHED_SEND, 3), 1);
    fixture_join(f, 4, 4, 4);
    assert_int_equal(fixture_said(f, SCHED_SEND, 4), 1);
}

static void test_sched_large_company_of_a_second_loss_runs_in_groups(void **state)
{
    /* given a hundred suspects that were lost together twice */
    struct fixture *f = *state;
    given_suspects(f, 100, 0);
    fixture_join(f, 2, 100, 100);
    fixture_event(f, SCHED_WORKER_LOST, 2);
    fixture_join(f, 3, 100, 100);
    assert_int_equal(fixture_said(f, SCHED_SEND, 3), 16);
    /* a place that falls free is taken */
    fixture_result(f, 3, fixture_last(f), 5);
    assert_int_equal(fixture_said(f, SCHED_SEND, 3), 1);
    /* what was lost in such a group runs alone */
    fixture_event(f, SCHED_WORKER_LOST, 3);
    fixture_join(f, 4, 4, 4);
    assert_int_equal(fixture_said(f, SCHED_SEND, 4), 1);
    /* and goes before the other groups */
    fixture_join(f, 5, 40, 40);
    assert_int_equal(fixture_said(f, SCHED_SEND, 5), 1);
}

static void test_sched_worker_that_left_with_suspects_makes_them_no_more_suspect(void **state)
{
    struct fixture *f = *state;
    given_suspects(f, 4, 0);
    for (uint64_t id = 2; id < 10; id++) {
        fixture_join(f, id, 4, 4);
        assert_int_equal(fixture_said(f, SCHED_SEND, id), 4);
        fixture_event(f, SCHED_WORKER_LEFT, id);
    }
    assert_int_equal(fixture_stats(f).items_queued, 40);
}

/* --- beside other work --- */

static void test_sched_half_of_the_workers_go_on_with_other_work(void **state)
{
    /* given sixteen chunks that must run alone, and much other work */
    struct fixture *f = *state;
    given_suspects(f, 16, 1000);
    fixture_join(f, 2, 16, 16);
    fixture_event(f, SCHED_WORKER_LOST, 2);
    size_t before = f->sent_count;
    for (uint64_t id = 3; id <= 6; id++) {
        fixture_join(f, id, 2, 2);
    }
    size_t alone = 0;
    size_t others = 0;
    for (uint64_t id = 3; id <= 6; id++) {
        alone += suspects_sent(f, before, id) > 0;
        others += fixture_sent(f, id) == 2 && suspects_sent(f, before, id) == 0;
    }
    /* worker 3 was the only one there was, then 4 made two of them, of which one is half */
    assert_in_range(alone, 1, 2);
    assert_int_equal(alone + others, 4);
    /* and all of them come to an end */
    for (size_t turn = 0; turn < 40; turn++) {
        for (uint64_t id = 3; id <= 6; id++) {
            (void)fixture_finish(f, id, 5);
        }
    }
    assert_int_equal(fixture_stats(f).items_queued, 0);
}

static void test_sched_all_workers_run_suspects_when_nothing_else_is_left(void **state)
{
    struct fixture *f = *state;
    given_suspects(f, 16, 0);
    fixture_join(f, 2, 16, 16);
    fixture_event(f, SCHED_WORKER_LOST, 2);
    for (uint64_t id = 3; id <= 6; id++) {
        fixture_join(f, id, 2, 2);
        assert_int_equal(fixture_said(f, SCHED_SEND, id), 1);
    }
}

static void test_sched_the_only_worker_serves_suspects_and_then_the_others(void **state)
{
    struct fixture *f = *state;
    given_suspects(f, 3, 20);
    fixture_join(f, 2, 2, 2);
    while (fixture_finish(f, 2, 5) > 0) {
    }
    assert_int_equal(fixture_stats(f).items_done, 230);
    assert_int_equal(suspects_sent(f, 3, 2), 3);
}

static void test_sched_draining_worker_with_suspects_does_not_keep_others_from_serving(void **state)
{
    struct fixture *f = *state;
    given_suspects(f, 4, 100);
    fixture_join(f, 2, 2, 2);
    assert_int_equal(suspects_sent(f, 4, 2), 2);
    fixture_event(f, SCHED_WORKER_DRAINING, 2);
    fixture_join(f, 3, 2, 2);
    assert_int_equal(suspects_sent(f, 4, 3), 2);
}

/* --- how long it takes --- */

static uint64_t run_with_loss(uint64_t items,
                              uint64_t chunk_items,
                              uint64_t item_us,
                              uint32_t workers,
                              uint64_t lost_at_us)
{
    struct sched_options options = fixture_options(chunk_items);
    struct world *world = world_new(&options, items, item_us);
    for (uint32_t i = 0; i < workers; i++) {
        world_join(world, 4, 8, 1);
    }
    if (lost_at_us > 0) {
        world_lose_at(world, 1, lost_at_us);
    }
    uint64_t took_us = world_run(world);
    assert_int_equal(world_stats(world).items_done, items);
    assert_int_equal(world_stats(world).tally.ok, items);
    world_free(world);
    return took_us;
}

static void test_sched_one_lost_of_four_costs_its_share_and_little_more(void **state)
{
    (void)state;

    const struct {
        uint64_t items;
        uint64_t chunk_items;
        uint64_t item_us;
    } jobs[] = {
        {200, 1, 100000}, {2000, 1, 10000}, {2000, 10, 10000}, {20000, 0, 1000}, {64, 1, 1000000}};

    for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
        uint64_t items = jobs[i].items;
        uint64_t item_us = jobs[i].item_us;
        uint64_t all_us = run_with_loss(items, jobs[i].chunk_items, item_us, 4, 0);
        for (uint64_t tenth = 1; tenth < 10; tenth++) {
            uint64_t at_us = all_us * tenth / 10;
            uint64_t took_us = run_with_loss(items, jobs[i].chunk_items, item_us, 4, at_us);
            uint64_t share_us = at_us + (all_us - at_us) * 4 / 3;
            uint64_t chunk_us = jobs[i].chunk_items > 0 ? jobs[i].chunk_items * item_us : 0;
            assert_true(took_us <= share_us + chunk_us + 50000);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sched_what_a_lost_worker_held_fills_the_next_one),
        TEST(test_sched_nothing_else_is_sent_to_who_has_suspects),
        TEST(test_sched_more_suspects_join_those_that_run),
        TEST(test_sched_suspects_are_not_sent_to_who_has_other_work),
        TEST(test_sched_company_of_a_second_loss_runs_alone),
        TEST(test_sched_large_company_of_a_second_loss_runs_in_groups),
        TEST(test_sched_worker_that_left_with_suspects_makes_them_no_more_suspect),
        TEST(test_sched_half_of_the_workers_go_on_with_other_work),
        TEST(test_sched_all_workers_run_suspects_when_nothing_else_is_left),
        TEST(test_sched_the_only_worker_serves_suspects_and_then_the_others),
        TEST(test_sched_draining_worker_with_suspects_does_not_keep_others_from_serving),
        TEST(test_sched_one_lost_of_four_costs_its_share_and_little_more),
    };
    return cmocka_run_group_tests_name("sched_groups", tests, NULL, NULL) != 0;
}
