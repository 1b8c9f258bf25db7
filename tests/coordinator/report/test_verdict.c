/* What a comparison says: agreement first, then times, bound and words. */
#include "coordinator/report/report_parts.h"
#include "tests/coordinator/report/report_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { CORES = 2 };

static struct cell_summary summaries[FIXTURE_CELLS];
static struct verdict verdict;

static void judge(const struct fixture *fixture)
{
    verdict_judge(&fixture->comparison, CORES, summaries, &verdict);
}

static int setup_io(void **state)
{
    static struct fixture fixture;
    fixture_init_io(&fixture);
    *state = &fixture;
    return 0;
}

static int setup_cpu(void **state)
{
    static struct fixture fixture;
    fixture_init_cpu(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_deinit(*state);
    return 0;
}

static void set_checksum(struct fixture *fixture, enum fixture_cell cell, uint64_t checksum)
{
    for (size_t k = 0; k < FIXTURE_ROUNDS; k++) {
        fixture->samples[cell][k].checksum = checksum;
    }
}

static void assert_close(double actual, double expected)
{
    if (fabs(actual - expected) > 1e-9 * fmax(1, fabs(expected))) {
        fail_msg("%.12g is not %.12g", actual, expected);
    }
}

/* ---- agreement ---- */

static void test_verdict_agrees_when_all_cells_do(void **state)
{
    judge(*state);
    assert_true(verdict.agree);
    assert_true(verdict.has_answer);
    assert_int_equal(verdict.checksum, FIXTURE_CHECKSUM);
    assert_int_equal(verdict.odd_ones, 0);
    for (size_t i = 0; i < FIXTURE_CELLS; i++) {
        assert_true(summaries[i].has_time);
    }
}

static void test_verdict_takes_time_from_the_odd_cell(void **state)
{
    struct fixture *fixture = *state;
    fixture->samples[FAR_THREADS][2].checksum++;
    judge(fixture);
    assert_false(verdict.agree);
    assert_int_equal(verdict.odd_ones, 1);
    assert_false(summaries[FAR_THREADS].has_time);
    assert_true(summaries[LOCAL_SERIAL].has_time);
}

static void test_verdict_counts_ok_and_failed_as_part_of_the_answer(void **state)
{
    struct fixture *fixture = *state;
    fixture->samples[LOCAL_ASYNC][0].ok--;
    fixture->samples[LOCAL_ASYNC][0].failed++;
    judge(fixture);
    assert_int_equal(verdict.odd_ones, 1);
    assert_false(summaries[LOCAL_ASYNC].has_time);
    assert_int_equal(summaries[LOCAL_ASYNC].failed, 1);
}

/* In all cells and rounds alike. */
static void fail_items(struct fixture *fixture, uint64_t count)
{
    for (size_t i = 0; i < FIXTURE_CELLS; i++) {
        for (size_t k = 0; k < FIXTURE_ROUNDS; k++) {
            fixture->samples[i][k].ok -= count;
            fixture->samples[i][k].failed += count;
        }
    }
}

static void test_verdict_has_a_word_for_items_that_failed(void **state)
{
    struct fixture *fixture = *state;
    fail_items(fixture, 1);
    judge(fixture);
    assert_true(verdict.agree);
    assert_non_null(verdict.best_local);
    assert_contains(verdict.text, " 1 of 64 items failed");
}

static void test_verdict_names_no_best_way_to_fail(void **state)
{
    struct fixture *fixture = *state;
    fail_items(fixture, fixture->samples[0][0].ok);
    judge(fixture);
    assert_true(verdict.agree);
    assert_true(summaries[LOCAL_SERIAL].has_time);
    assert_null(verdict.best_local);
    assert_null(verdict.best_distributed);
    assert_null(verdict.bound_cell);
    assert_string_equal(verdict.bound, "unknown");
    assert_contains(verdict.text, "Every item failed");
    assert_null(strstr(verdict.text, "fastest"));
}

static void test_verdict_holds_cells_against_expected_checksum_not_majority(void **state)
{
    struct fixture *fixture = *state;
    fixture->comparison.has_expected = true;
    fixture->comparison.expected_checksum = 99;
    set_checksum(fixture, LOCAL_SERIAL, 99);
    judge(fixture);
    assert_int_equal(verdict.odd_ones, FIXTURE_CELLS - 1);
    assert_int_equal(verdict.checksum, 99);
    assert_true(summaries[LOCAL_SERIAL].has_time);
    assert_false(summaries[LOCAL_THREADS].has_time);
}

static void test_verdict_gives_a_tie_to_serial(void **state)
{
    struct fixture *fixture = *state;
    for (int i = LOCAL_THREADS; i <= FAR_SERIAL; i++) {
        set_checksum(
            fixture, (enum fixture_cell)i, 1); /* four say 1, serial and three others not */
    }
    judge(fixture);
    assert_int_equal(verdict.checksum, FIXTURE_CHECKSUM);
    assert_true(summaries[LOCAL_SERIAL].has_time);
}

static void test_verdict_gives_no_time_to_incomplete_or_troubled_cells(void **state)
{
    struct fixture *fixture = *state;
    fixture->samples[FAR_ASYNC][1].complete = false;
    fixture->samples[FAR_ASYNC][1].ok = 12;
    (void)strcpy(fixture->cells[FAR_SERIAL].trouble, "no worker came");
    fixture->cells[FAR_THREADS].sample_count = 0;
    judge(fixture);
    assert_true(verdict.agree); /* none of the three gave another answer */
    assert_false(summaries[FAR_ASYNC].has_time);
    assert_false(summaries[FAR_SERIAL].has_time);
    assert_false(summaries[FAR_THREADS].has_time);
}

static void test_verdict_without_any_answer(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < FIXTURE_CELLS; i++) {
        fixture->cells[i].sample_count = 0;
    }
    judge(fixture);
    assert_false(verdict.agree);
    assert_false(verdict.has_answer);
    assert_null(verdict.best_local);
    assert_null(verdict.best_distributed);
    assert_string_equal(verdict.bound, "unknown");
    assert_contains(verdict.text, "No cell has a time");
}

/* ---- numbers ---- */

static void test_verdict_summarises_a_cell(void **state)
{
    judge(*state);
    const struct cell_summary *summary = &summaries[LOCAL_THREADS];
    assert_close(summary->median_s, 0.81);
    assert_close(summary->min_s, 0.81 * 0.99);
    assert_close(summary->max_s, 0.81 * 1.01);
    assert_close(summary->ci95_low_s, summary->min_s);
    assert_close(summary->ci95_high_s, summary->max_s);
    assert_close(summary->speedup, 6.43 / 0.81);
    assert_close(summary->efficiency, 6.43 / 0.81 / 8);
    assert_close(summary->startup_s, 0.001);
    assert_close(summaries[LOCAL_SERIAL].speedup, 1);
}

static void test_verdict_speedup_is_the_ratio_of_the_medians_beside_it(void **state)
{
    struct fixture *fixture = *state;
    /* The rounds' own ratios are 0.67, 0.89 and 10.7: their median calls a cell slower whose median is the smaller. */
    const double serial[FIXTURE_ROUNDS] = {2, 4, 8};
    const double threads[FIXTURE_ROUNDS] = {4, 6, 1};
    for (size_t k = 0; k < FIXTURE_ROUNDS; k++) {
        fixture->samples[LOCAL_SERIAL][k].wall_s = serial[k];
        fixture->samples[LOCAL_THREADS][k].wall_s = threads[k] * 0.75;
    }
    judge(fixture);
    assert_close(summaries[LOCAL_THREADS].median_s, 3);
    assert_close(summaries[LOCAL_THREADS].speedup, 4.0 / 3);
}

static void test_verdict_adds_up_what_went_wrong(void **state)
{
    struct fixture *fixture = *state;
    fixture->samples[FAR_THREADS][0].retried = 3;
    fixture->samples[FAR_THREADS][2].retried = 4;
    fixture->samples[FAR_THREADS][1].duplicates = 5;
    fixture->samples[FAR_THREADS][1].workers_lost = 1;
    judge(fixture);
    assert_int_equal(summaries[FAR_THREADS].retried, 7);
    assert_int_equal(summaries[FAR_THREADS].duplicates, 5);
    assert_int_equal(summaries[FAR_THREADS].workers_lost, 1);
    assert_true(summaries[FAR_THREADS].has_time);
}

static void test_verdict_has_no_speedup_without_serial(void **state)
{
    struct fixture *fixture = *state;
    fixture->cells[LOCAL_SERIAL].sample_count = 0;
    judge(fixture);
    assert_close(summaries[LOCAL_THREADS].speedup, 0);
    assert_true(summaries[LOCAL_THREADS].has_time);
}

static void test_verdict_takes_one_at_a_time_for_cooperative_async(void **state)
{
    judge(*state);
    assert_close(summaries[LOCAL_ASYNC].efficiency, summaries[LOCAL_ASYNC].speedup);
}

static void test_verdict_finds_the_fastest_of_each_place(void **state)
{
    struct fixture *fixture = *state;
    judge(fixture);
    assert_ptr_equal(verdict.best_local, &fixture->cells[LOCAL_ASYNC]);
    assert_ptr_equal(verdict.best_distributed, &fixture->cells[FAR_ASYNC]);
}

/* ---- bound ---- */

static void test_verdict_measures_io_bound(void **state)
{
    struct fixture *fixture = *state;
    judge(fixture);
    assert_string_equal(verdict.bound, "io");
    assert_ptr_equal(verdict.bound_cell, &fixture->cells[LOCAL_SERIAL]);
    assert_true(verdict.cpu_per_wall < 0.01);
}

static void test_verdict_measures_cpu_bound(void **state)
{
    judge(*state);
    assert_string_equal(verdict.bound, "cpu");
    assert_true(verdict.cpu_per_wall > 0.95);
}

static void test_verdict_measures_mixed(void **state)
{
    struct fixture *fixture = *state;
    for (size_t k = 0; k < FIXTURE_ROUNDS; k++) {
        fixture->samples[LOCAL_SERIAL][k].cpu_s = fixture->samples[LOCAL_SERIAL][k].wall_s / 2;
    }
    judge(fixture);
    assert_string_equal(verdict.bound, "mixed");
    assert_close(verdict.cpu_per_wall, 0.5);
}

static void test_verdict_measures_bound_on_other_cell_without_serial(void **state)
{
    struct fixture *fixture = *state;
    fixture->cells[LOCAL_SERIAL].sample_count = 0;
    judge(fixture);
    /* threads: 4.05 ms of CPU in 2.2 ms on two cores */
    assert_ptr_equal(verdict.bound_cell, &fixture->cells[LOCAL_THREADS]);
    assert_string_equal(verdict.bound, "cpu");
    assert_close(verdict.cpu_per_wall, 4.05 / 4.4);
}

static void test_verdict_does_not_guess_the_bound_of_what_is_over_too_soon(void **state)
{
    struct fixture *fixture = *state;
    fixture_set_wall(fixture, LOCAL_SERIAL, 0.0004);
    judge(fixture);
    assert_string_equal(verdict.bound, "unknown");
    assert_null(verdict.bound_cell);
}

/* ---- words ---- */

static void test_verdict_says_who_won_and_by_how_much(void **state)
{
    judge(*state);
    assert_contains(verdict.text,
                    "Locally async is fastest: 0.105 s, 61.2 times as fast as serial (6.43 s).");
}

static void test_verdict_says_no_measurable_difference_under_three_percent(void **state)
{
    judge(*state);
    assert_contains(verdict.text,
                    "no measurable difference between async with 2 workers (0.106 s) and local "
                    "async (0.105 s)");
}

static void test_verdict_says_what_distribution_brought(void **state)
{
    struct fixture *fixture = *state;
    fixture->cells[LOCAL_ASYNC].sample_count = 0;
    fixture->cells[FAR_ASYNC].sample_count = 0;
    judge(fixture);
    assert_contains(verdict.text,
                    "2 workers (threads) finished in 0.410 s, 1.98 times as fast as the best local "
                    "strategy (threads, 0.810 s).");
    assert_contains(verdict.text, "They had 16 items at once, not 8");
}

static void test_verdict_says_what_distribution_cost(void **state)
{
    judge(*state);
    assert_contains(verdict.text,
                    "Distribution cost 6.80 ms: 2.20 ms became 9.00 ms with 2 workers (threads); "
                    "this work is too small to be worth sending.");
}

static void test_verdict_does_not_call_long_work_too_small(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < FIXTURE_CELLS; i++) {
        fixture_set_wall(fixture, (enum fixture_cell)i, i < FAR_SERIAL ? 2 : 3);
    }
    judge(fixture);
    assert_contains(verdict.text, "Distribution cost");
    assert_lacks(verdict.text, "too small");
    fixture->comparison.workers_elsewhere = true;
    judge(fixture);
    assert_contains(verdict.text, "sending the work took more than it brought");
}

static void test_verdict_explains_threads_and_processes_on_cpu_work(void **state)
{
    struct fixture *fixture = *state;
    judge(fixture);
    assert_contains(verdict.text, "no interpreter lock");
    fixture_set_wall(fixture, LOCAL_PROCESSES, 3e-3); /* not alike */
    judge(fixture);
    assert_lacks(verdict.text, "interpreter lock");
}

static void test_verdict_says_nothing_of_interpreters_about_commands(void **state)
{
    struct fixture *fixture = *state;
    fixture->comparison.elsewhere = true;
    judge(fixture);
    assert_lacks(verdict.text, "interpreter");
}

static void test_verdict_says_nothing_of_interpreters_on_io_work(void **state)
{
    judge(*state);
    assert_lacks(verdict.text, "interpreter");
}

static void test_verdict_warns_that_loopback_is_no_network(void **state)
{
    struct fixture *fixture = *state;
    judge(fixture);
    assert_contains(verdict.text, "loopback is not a network");
    fixture->comparison.workers_elsewhere = true;
    judge(fixture);
    assert_lacks(verdict.text, "loopback");
}

static void test_verdict_warns_of_workers_that_shared_one_other_machine(void **state)
{
    struct fixture *fixture = *state;
    fixture->comparison.workers_elsewhere = true;
    fixture->comparison.worker_hosts = 1;
    judge(fixture);
    assert_contains(verdict.text, "All workers were on one other machine, and shared its cores.");
    fixture->comparison.worker_hosts = 2;
    judge(fixture);
    assert_lacks(verdict.text, "one other machine");
}

static void test_verdict_does_not_warn_a_lone_worker_of_sharing(void **state)
{
    struct fixture *fixture = *state;
    fixture->comparison.workers_elsewhere = true;
    fixture->comparison.worker_hosts = 1;
    for (size_t i = FAR_SERIAL; i < FIXTURE_CELLS; i++) {
        fixture->cells[i].workers = 1;
    }
    judge(fixture);
    assert_lacks(verdict.text, "one other machine");
}

static void test_verdict_is_honest_when_rounds_scatter(void **state)
{
    struct fixture *fixture = *state;
    fixture_set_wall(fixture, LOCAL_THREADS, 3e-3); /* processes: 2.2 ms */
    fixture->samples[LOCAL_THREADS][1].wall_s = 2.1e-3;
    judge(fixture);
    assert_contains(verdict.text,
                    "no measurable difference between processes (2.20 ms) and threads (2.97 ms) "
                    "(the rounds scatter more than that");
}

static void test_verdict_is_not_blinded_by_one_wild_round(void **state)
{
    struct fixture *fixture = *state;
    fixture->samples[LOCAL_THREADS][1].wall_s =
        20e-3; /* 2.2 ms otherwise, as processes in every round */
    judge(fixture);
    assert_contains(verdict.text, "between threads (2.20 ms) and processes (2.20 ms), 1.86 times");
    assert_contains(verdict.text, "Distribution cost");
}

static void test_verdict_says_when_serial_is_as_good_as_any(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < FIXTURE_CELLS; i++) {
        fixture_set_wall(fixture, (enum fixture_cell)i, i == LOCAL_SERIAL ? 1 : 1.5);
    }
    judge(fixture);
    assert_contains(verdict.text, "Locally serial is fastest: 1.00 s; handing items over");
    fixture_set_wall(fixture, LOCAL_THREADS, 1.01);
    judge(fixture);
    assert_contains(verdict.text, "running items at the same time gains nothing here");
}

static void test_verdict_says_that_one_round_shows_no_noise(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < FIXTURE_CELLS; i++) {
        fixture->cells[i].sample_count = 1;
    }
    judge(fixture);
    assert_contains(verdict.text, "One round cannot show");
}

static void test_verdict_with_distributed_cells_only(void **state)
{
    struct fixture *fixture = *state;
    fixture->comparison.cells += FAR_SERIAL;
    fixture->comparison.cell_count -= FAR_SERIAL;
    judge(fixture);
    assert_null(verdict.best_local);
    assert_contains(verdict.text, "With 2 workers async is fastest: 0.106 s.");
}

static void test_verdict_of_one_cell_names_no_winner(void **state)
{
    struct fixture *fixture = *state;
    fixture->comparison.cell_count = 1;
    judge(fixture);
    assert_string_equal(verdict.text, "Locally serial took 6.43 s.");
    fixture->comparison.cells += FAR_ASYNC;
    judge(fixture);
    assert_contains(verdict.text, "With 2 workers async took 0.106 s.");
}

static void test_verdict_without_cells(void **state)
{
    struct fixture *fixture = *state;
    fixture->comparison.cell_count = 0;
    judge(fixture);
    assert_false(verdict.agree);
}

#define IO(test)  cmocka_unit_test_setup_teardown(test, setup_io, teardown)
#define CPU(test) cmocka_unit_test_setup_teardown(test, setup_cpu, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IO(test_verdict_agrees_when_all_cells_do),
        IO(test_verdict_takes_time_from_the_odd_cell),
        IO(test_verdict_counts_ok_and_failed_as_part_of_the_answer),
        IO(test_verdict_has_a_word_for_items_that_failed),
        IO(test_verdict_names_no_best_way_to_fail),
        CPU(test_verdict_holds_cells_against_expected_checksum_not_majority),
        IO(test_verdict_gives_a_tie_to_serial),
        IO(test_verdict_gives_no_time_to_incomplete_or_troubled_cells),
        IO(test_verdict_without_any_answer),
        IO(test_verdict_summarises_a_cell),
        IO(test_verdict_speedup_is_the_ratio_of_the_medians_beside_it),
        IO(test_verdict_adds_up_what_went_wrong),
        IO(test_verdict_has_no_speedup_without_serial),
        CPU(test_verdict_takes_one_at_a_time_for_cooperative_async),
        IO(test_verdict_finds_the_fastest_of_each_place),
        IO(test_verdict_measures_io_bound),
        CPU(test_verdict_measures_cpu_bound),
        IO(test_verdict_measures_mixed),
        CPU(test_verdict_measures_bound_on_other_cell_without_serial),
        CPU(test_verdict_does_not_guess_the_bound_of_what_is_over_too_soon),
        IO(test_verdict_says_who_won_and_by_how_much),
        IO(test_verdict_says_no_measurable_difference_under_three_percent),
        IO(test_verdict_says_what_distribution_brought),
        CPU(test_verdict_says_what_distribution_cost),
        CPU(test_verdict_does_not_call_long_work_too_small),
        CPU(test_verdict_explains_threads_and_processes_on_cpu_work),
        CPU(test_verdict_says_nothing_of_interpreters_about_commands),
        IO(test_verdict_says_nothing_of_interpreters_on_io_work),
        IO(test_verdict_warns_that_loopback_is_no_network),
        IO(test_verdict_warns_of_workers_that_shared_one_other_machine),
        IO(test_verdict_does_not_warn_a_lone_worker_of_sharing),
        CPU(test_verdict_is_honest_when_rounds_scatter),
        CPU(test_verdict_is_not_blinded_by_one_wild_round),
        CPU(test_verdict_says_when_serial_is_as_good_as_any),
        IO(test_verdict_says_that_one_round_shows_no_noise),
        IO(test_verdict_with_distributed_cells_only),
        IO(test_verdict_of_one_cell_names_no_winner),
        IO(test_verdict_without_cells),
    };
    return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
