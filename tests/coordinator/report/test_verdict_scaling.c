/* What more workers brought: in numbers, in words, and as a table. */
#include "coordinator/report/report_parts.h"
#include "tests/coordinator/report/report_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CORES = 2, STRATEGIES = 2, PLACES = 4 };

static struct cell_summary summaries[FIXTURE_CELLS];
static struct verdict verdict;

/* Serial and threads, locally and with 1, 2 and 4 workers: the cells of a place stand side by side. */
static const uint32_t workers_of[PLACES] = {0, 1, 2, 4};

static enum fixture_cell cell_of(size_t place, size_t strategy)
{
    return (enum fixture_cell)(place * STRATEGIES + strategy);
}

/* Serial halves with twice the workers; threads gain up to two of them. */
static void init_sweep(struct fixture *fixture)
{
    static const double walls[PLACES][STRATEGIES] = {{8, 2}, {8, 2.5}, {4, 1.25}, {2, 1.25}};
    fixture_init_io(fixture);
    for (size_t place = 0; place < PLACES; place++) {
        for (size_t strategy = 0; strategy < STRATEGIES; strategy++) {
            enum fixture_cell index = cell_of(place, strategy);
            struct cell *cell = &fixture->cells[index];
            cell->strategy = (enum strategy)(STRATEGY_SERIAL + strategy);
            cell->placement = place == 0 ? PLACEMENT_LOCAL : PLACEMENT_DISTRIBUTED;
            cell->workers = workers_of[place];
            cell->sweeps = workers_of[place];
            fixture_set_wall(fixture, index, walls[place][strategy]);
        }
    }
}

static int setup(void **state)
{
    static struct fixture fixture;
    init_sweep(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_deinit(*state);
    return 0;
}

static const struct cell_summary *judged(const struct fixture *fixture,
                                         size_t place,
                                         size_t strategy)
{
    verdict_judge(&fixture->comparison, CORES, summaries, &verdict);
    return &summaries[cell_of(place, strategy)];
}

static void test_scaling_is_the_speed_over_the_fewest_workers(void **state)
{
    struct fixture *fixture = *state;
    assert_true(judged(fixture, 1, 0)->scaling == 1.0);
    assert_true(judged(fixture, 3, 0)->scaling == 4.0);
    assert_true(judged(fixture, 3, 0)->scaling_efficiency == 1.0);
    assert_true(judged(fixture, 3, 1)->scaling == 2.0);
    assert_true(judged(fixture, 3, 1)->scaling_efficiency == 0.5);
}

static void test_scaling_begins_at_the_fewest_that_have_a_time(void **state)
{
    struct fixture *fixture = *state;
    (void)strcpy(fixture->cells[cell_of(1, 0)].trouble, "broken");
    assert_true(judged(fixture, 1, 0)->scaling == 0);
    assert_true(judged(fixture, 2, 0)->scaling == 1.0);
    assert_true(judged(fixture, 3, 0)->scaling == 2.0);
    assert_true(judged(fixture, 3, 0)->scaling_efficiency == 1.0);
}

static void test_scaling_is_none_locally_and_without_a_sweep(void **state)
{
    struct fixture *fixture = *state;
    assert_true(judged(fixture, 0, 0)->scaling == 0);
    for (size_t i = 0; i < FIXTURE_CELLS; i++) {
        fixture->cells[i].sweeps = 0;
    }
    assert_true(judged(fixture, 3, 0)->scaling == 0);
    assert_lacks(verdict.text, "workers were");
    char *text = fixture_render_table(&fixture->report, false, 80);
    assert_lacks(text, "more workers:");
    free(text);
}

static void test_verdict_says_what_more_workers_brought_and_where_it_ended(void **state)
{
    (void)judged(*state, 0, 0);
    assert_contains(verdict.text,
                    "With threads, 2 workers were 2 times as fast as 1 (efficiency 1.00).");
    assert_contains(verdict.text, "Distribution paid from 2 workers on.");
    assert_contains(verdict.text, "More than 2 workers brought nothing measurable.");
}

static void test_verdict_says_when_the_fewest_workers_pay_already(void **state)
{
    struct fixture *fixture = *state;
    fixture_set_wall(fixture, cell_of(0, 1), 5);
    (void)judged(fixture, 0, 0);
    assert_contains(verdict.text,
                    "Distribution paid from 1 worker on, the fewest that were tried.");
}

static void test_verdict_is_silent_about_what_never_paid(void **state)
{
    struct fixture *fixture = *state;
    fixture_set_wall(fixture, cell_of(0, 1), 0.5);
    (void)judged(fixture, 0, 0);
    assert_lacks(verdict.text, "Distribution paid");
    assert_contains(verdict.text, "Distribution cost");
}

static void test_table_has_a_column_for_each_number_of_workers_but_the_fewest(void **state)
{
    struct fixture *fixture = *state;
    char *text = fixture_render_table(&fixture->report, false, 80);
    assert_contains(text,
                    "strategy     2 workers     4 workers\n"
                    "serial     2.00 (100%)   4.00 (100%)\n"
                    "threads    2.00 (100%)    2.00 (50%)\n");
    assert_contains(text, "more workers: speed-up over 1 worker with the same strategy");
    free(text);
}

static void test_table_that_is_too_wide_goes_on_below(void **state)
{
    struct fixture *fixture = *state;
    char *text = fixture_render_table(&fixture->report, false, 24);
    assert_contains(text,
                    "strategy     2 workers\n"
                    "serial     2.00 (100%)\n"
                    "threads    2.00 (100%)\n"
                    "strategy     4 workers\n"
                    "serial     4.00 (100%)\n"
                    "threads     2.00 (50%)\n");
    free(text);
}

static void test_table_says_when_fewer_workers_took_part_than_were_asked_for(void **state)
{
    struct fixture *fixture = *state;
    char *text = fixture_render_table(&fixture->report, false, 80);
    assert_lacks(text, "could take part");
    free(text);
    fixture->cells[cell_of(3, 0)].workers = 3;
    text = fixture_render_table(&fixture->report, false, 80);
    assert_contains(text, "only 3 of 4 workers could take part");
    free(text);
}

static void test_markdown_has_the_same_table(void **state)
{
    struct fixture *fixture = *state;
    char *text = fixture_render(&fixture->report, report_write_markdown);
    assert_contains(text,
                    "| strategy | 2 workers | 4 workers |\n"
                    "| :--- | ---: | ---: |\n"
                    "| serial | 2.00 (100%) | 4.00 (100%) |\n"
                    "| threads | 2.00 (100%) | 2.00 (50%) |\n");
    free(text);
}

static void test_csv_has_scaling_last(void **state)
{
    struct fixture *fixture = *state;
    char *text = fixture_render(&fixture->report, report_write_csv);
    assert_contains(text, ",late,scaling,scaling_efficiency\n");
    assert_contains(text, ",2,0.5\n"); /* threads with 4 workers */
    free(text);
}

int main(void)
{
#define SWEEP(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        SWEEP(test_scaling_is_the_speed_over_the_fewest_workers),
        SWEEP(test_scaling_begins_at_the_fewest_that_have_a_time),
        SWEEP(test_scaling_is_none_locally_and_without_a_sweep),
        SWEEP(test_verdict_says_what_more_workers_brought_and_where_it_ended),
        SWEEP(test_verdict_says_when_the_fewest_workers_pay_already),
        SWEEP(test_verdict_is_silent_about_what_never_paid),
        SWEEP(test_table_has_a_column_for_each_number_of_workers_but_the_fewest),
        SWEEP(test_table_that_is_too_wide_goes_on_below),
        SWEEP(test_table_says_when_fewer_workers_took_part_than_were_asked_for),
        SWEEP(test_markdown_has_the_same_table),
        SWEEP(test_csv_has_scaling_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
