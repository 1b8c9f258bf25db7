/* The table that a person reads: whole pictures, widths, marks and notes. */
#include "common/io/text.h"
#include "coordinator/report/report.h"
#include "tests/coordinator/report/report_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

static void assert_table(const struct fixture *fixture, int width, const char *expected)
{
    char *text = fixture_render_table(&fixture->report, false, width);
    assert_string_equal(text, expected);
    free(text);
}

static void assert_table_contains(const struct fixture *fixture, const char *part)
{
    char *text = fixture_render_table(&fixture->report, false, 0);
    assert_contains(text, part);
    free(text);
}

static void test_table_of_waiting_work(void **state)
{
    assert_table(*state,
                 80,
                 "fetch: 64 items, delay=0.1\n"
                 "medians of 3 rounds after 1 warm-up; speed-up over serial\n"
                 "\n"
                 "            ------------ local -------------   ---------- 2 workers -----------\n"
                 "strategy    items at once  seconds  speed-up   items at once  seconds  speed-up\n"
                 "serial                  1    6.430      1.00               2    3.220      2.00\n"
                 "threads                 8    0.810      7.94              16    0.410     15.68\n"
                 "async                 100    0.105     61.24             200    0.106     60.66\n"
                 "processes               8    0.810      7.94              16    0.410     15.68\n"
                 "\n"
                 "results agree: 64 items, checksum 0000000000005f0c, in all 8 cells\n"
                 "bound: io (0.467 % of a core while running serially)\n"
                 "start-up: local 1.00 ms, workers 50.0 ms at most, not part of these times\n"
                 "verdict: Locally async is fastest: 0.105 s, 61.2 times as fast as serial\n"
                 "         (6.43 s). There is no measurable difference between async with\n"
                 "         2 workers (0.106 s) and local async (0.105 s). The workers shared this\n"
                 "         machine's cores, and loopback is not a network: with hosts of their\n"
                 "         own, expect more cores and more delay.\n"
                 "\n");
}

static void test_table_of_a_little_arithmetic(void **state)
{
    struct fixture *fixture = *state;
    fixture->comparison.has_expected = true;
    fixture->comparison.expected_checksum = FIXTURE_CHECKSUM;
    assert_table(
        fixture,
        80,
        "sums: 10,000,000 items\n"
        "medians of 3 rounds after 1 warm-up; speed-up over serial\n"
        "\n"
        "            ----------- local ------------   --------- 2 workers ----------\n"
        "strategy    items at once     ms  speed-up   items at once     ms  speed-up\n"
        "serial                  1   4.10      1.00               2  16.00      0.26\n"
        "threads                 8   2.20      1.86              16   9.00      0.46\n"
        "async*                  1   4.20      0.98               2  16.00      0.26\n"
        "processes               8   2.20      1.86              16   9.00      0.46\n"
        "*  one at a time: sums has no asynchronous form, so its items take turns on the\n"
        "   loop\n"
        "\n"
        "results agree: 10,000,000 items, checksum 0000000000005f0c as it must be, in all\n"
        "8 cells\n"
        "bound: cpu (98.8 % of a core while running serially)\n"
        "start-up: local 1.00 ms, workers 50.0 ms at most, not part of these times\n"
        "verdict: Locally there is no measurable difference between threads (2.20 ms) and\n"
        "         processes (2.20 ms), 1.86 times as fast as serial (4.10 ms).\n"
        "         Distribution cost 6.80 ms: 2.20 ms became 9.00 ms with 2 workers\n"
        "         (threads); this work is too small to be worth sending. Threads do as\n"
        "         well as processes on CPU work here: C has no interpreter lock, which is\n"
        "         what holds Python's threads back. The workers shared this machine's\n"
        "         cores, and loopback is not a network: with hosts of their own, expect\n"
        "         more cores and more delay.\n"
        "\n");
}

static void test_table_marks_cells_and_says_why_below(void **state)
{
    struct fixture *fixture = *state;
    fixture->samples[FAR_THREADS][1].workers_lost = 1;
    fixture->samples[FAR_THREADS][1].retried = 3;
    fixture->samples[LOCAL_ASYNC][0].checksum = 1;
    fixture->samples[LOCAL_ASYNC][0].ok = 63;
    fixture->samples[LOCAL_ASYNC][0].failed = 1;
    (void)strcpy(fixture->samples[LOCAL_ASYNC][0].first_error, "item 3 (x): HTTP status 404");
    (void)strcpy(fixture->cells[FAR_PROCESSES].trouble, "no worker came within 10 s");
    char *text = fixture_render_table(&fixture->report, false, 80);
    assert_contains(text,
                    "threads           8    0.810        7.94        16    0.410 a     15.68\n"
                    "async           100        - b         -       200    0.106       60.66\n"
                    "processes         8    0.810        7.94        16        - c         -\n"
                    "a  1 worker lost; 3 chunks run again\n"
                    "b  no time: its results differ: 63 ok, 1 failed, checksum 0000000000000001;\n"
                    "   first error: item 3 (x): HTTP status 404\n"
                    "c  no time: no worker came within 10 s\n");
    free(text);
}

static void test_table_groups_equal_notes_under_one_mark(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < FIXTURE_CELLS; i++) {
        for (size_t k = 0; k < FIXTURE_ROUNDS; k++) {
            fixture->samples[i][k].ok = 61;
            fixture->samples[i][k].failed = 3;
            (void)snprintf(fixture->samples[i][k].first_error,
                           sizeof(fixture->samples[i][k].first_error),
                           "item %zu: HTTP status 404",
                           i);
        }
    }
    char *text = fixture_render_table(&fixture->report, false, 80);
    assert_contains(text,
                    "\na  3 of 64 items failed in every round; first error: item 0: HTTP "
                    "status 404\n");
    assert_lacks(text, "\nb ");
    assert_contains(text, "results agree: 64 items, 3 of them FAILED, checksum");
    free(text);
}

static void test_table_shows_span_when_rounds_scatter(void **state)
{
    struct fixture *fixture = *state;
    fixture->samples[FAR_THREADS][2].wall_s = 0.5;
    assert_table_contains(fixture, "; span: range/median\n");
    assert_table_contains(fixture, "threads           8    0.810    2%      7.94");
    assert_table_contains(fixture, "0.414   22%     15.53\n");
}

static void test_table_flags_outliers(void **state)
{
    struct fixture *fixture = *state;
    static struct sample samples[6];
    for (size_t k = 0; k < 6; k++) {
        samples[k] = fixture->samples[LOCAL_THREADS][k % FIXTURE_ROUNDS];
    }
    samples[3].wall_s = 2.5;
    fixture->cells[LOCAL_THREADS].samples = samples;
    fixture->cells[LOCAL_THREADS].sample_count = 6;
    assert_table_contains(fixture, "\na  round 4 is an outlier: 2.50 s\n");
}

static void test_table_says_when_it_was_stopped(void **state)
{
    struct fixture *fixture = *state;
    fixture->samples[FAR_ASYNC][0].complete = false;
    fixture->samples[FAR_ASYNC][0].ok = 12;
    fixture->cells[FAR_ASYNC].sample_count = 1;
    fixture->cells[FAR_PROCESSES].sample_count = 0;
    assert_table_contains(fixture, "no time: ended with 12 of 64 items done\n");
    assert_table_contains(fixture, "no time: no round was run to its end\n");
    assert_table_contains(fixture, "in 6 of 8 cells; the rest\ndid not run to the end\n");
}

static void test_table_without_serial_says_why_there_is_no_speedup(void **state)
{
    struct fixture *fixture = *state;
    fixture->comparison.cells++;
    fixture->comparison.cell_count--;
    assert_table_contains(fixture, "-  no speed-up is shown: local serial has no time\n");
}

static void test_table_disagreement_is_loud(void **state)
{
    struct fixture *fixture = *state;
    fixture->samples[FAR_SERIAL][0].checksum = 1;
    assert_table_contains(fixture,
                          "results DISAGREE: 1 of 8 cells differs from the others' checksum");
    char *text = fixture_render_table(&fixture->report, true, 80);
    assert_contains(text, "\033[1;31mresults DISAGREE");
    free(text);
}

static void test_table_is_plain_without_color(void **state)
{
    struct fixture *fixture = *state;
    char *plain = fixture_render_table(&fixture->report, false, 80);
    char *colored = fixture_render_table(&fixture->report, true, 80);
    assert_null(strchr(plain, '\033'));
    assert_contains(colored, "\033[1;32m0.105\033[0m");
    assert_contains(colored, "\033[1m0.106\033[0m");
    free(plain);
    free(colored);
}

/* Lines of words may stick out only by a word that cannot be broken; the table never does. */
static void test_table_fits_every_width(void **state)
{
    struct fixture *fixture = *state;
    for (int width = 30; width <= 120; width++) {
        char *text = fixture_render_table(&fixture->report, false, width);
        char *rest = text;
        for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
            if (text_columns(line) > (size_t)width) {
                fail_msg("%zu columns at width %d: %s", text_columns(line), width, line);
            }
        }
        free(text);
    }
}

static void test_table_drops_columns_when_narrow(void **state)
{
    struct fixture *fixture = *state;
    char *text = fixture_render_table(&fixture->report, false, 50);
    assert_contains(text, "strategy    seconds  speed-up   seconds  speed-up\n");
    free(text);
    text = fixture_render_table(&fixture->report, false, 32);
    assert_contains(text, "strategy    seconds   seconds\n");
    free(text);
    text = fixture_render_table(&fixture->report, false, 24);
    assert_contains(text, "processes     0.810\n\n");
    assert_contains(text, "processes     0.410\n");
    free(text);
}

static void test_table_puts_more_places_below(void **state)
{
    struct fixture *fixture = *state;
    for (int i = FAR_ASYNC; i <= FAR_PROCESSES; i++) {
        fixture->cells[i].workers = 4;
    }
    fixture->cells[LOCAL_PROCESSES].placement = PLACEMENT_DISTRIBUTED;
    fixture->cells[LOCAL_PROCESSES].workers = 10;
    char *text = fixture_render_table(&fixture->report, false, 60);
    assert_contains(text, "2 workers");
    assert_contains(text, "4 workers");
    assert_contains(text, "10 workers");
    free(text);
}

static void test_table_keeps_a_row_for_each_number_of_items_at_once(void **state)
{
    struct fixture *fixture = *state;
    fixture->cells[LOCAL_ASYNC].strategy = STRATEGY_THREADS;
    fixture->cells[LOCAL_ASYNC].concurrency = 16;
    assert_table_contains(fixture, "threads                16    0.105     61.24");
}

static void test_table_leaves_parameters_out_that_have_their_default(void **state)
{
    static const struct param_spec specs[] = {
        {.name = "delay", .kind = PARAM_SECONDS, .default_value = "0.1"},
    };
    struct fixture *fixture = *state;
    fixture->comparison.specs = specs;
    fixture->comparison.spec_count = 1;
    assert_table_contains(fixture, "fetch: 64 items\n");
}

static const struct report_host hosts[] = {
    {.name = "h1", .workers = 1, .cores = 1, .round_trip_s = 250e-6, .items = 100},
    {.name = "h2", .workers = 2, .cores = 4, .round_trip_s = 0, .items = 300},
    {.name = "h3", .workers = 1, .cores = 8, .round_trip_s = 31e-3, .items = 600},
};

static void test_table_says_on_how_many_hosts_and_how_far_away(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = FAR_SERIAL; i < FIXTURE_CELLS; i++) {
        fixture->cells[i].hosts = 3;
    }
    fixture->cells[FAR_ASYNC].hosts = 2; /* one was lost for a while */
    fixture->report.hosts = hosts;
    fixture->report.host_count = 3;
    assert_table_contains(fixture, " 2 workers on 3 hosts ");
    assert_table_contains(fixture,
                          "\nworkers: 4 on 3 hosts; round trip 250 us (h1) to 31.0 ms (h3)\n");
    assert_table_contains(
        fixture,
        "\nhosts: h1: 1 core, 250 us away, 10 % of the items; h2: 4 cores, 30 % of "
        "the\n"
        "       items; h3: 8 cores, 31.0 ms away, 60 % of the items\n");
    char *narrow = fixture_render_table(&fixture->report, false, 40);
    assert_lacks(narrow, "workers on 3 hosts");
    assert_contains(narrow, "2 workers");
    free(narrow);
}

static void test_table_says_of_one_host_what_is_known(void **state)
{
    struct fixture *fixture = *state;
    fixture->report.hosts = hosts;
    fixture->report.host_count = 1;
    assert_table_contains(fixture, "\nworkers: 1 on 1 host; round trip 250 us (h1)\n");
    fixture->report.hosts = &hosts[1];
    assert_table_contains(fixture, "\nworkers: 2 on 1 host\n");
    (void)strcpy(fixture->report.environment.host, "h2"); /* this one: no network */
    char *text = fixture_render_table(&fixture->report, false, 80);
    assert_lacks(text, "workers: 2 on");
    assert_lacks(text, "hosts: ");
    free(text);
}

static void test_table_names_the_machine(void **state)
{
    struct fixture *fixture = *state;
    struct environment *environment = &fixture->report.environment;
    (void)strcpy(environment->cpu, "A CPU");
    (void)strcpy(environment->os, "An OS 12");
    environment->cores_online = 4;
    environment->cores_usable = 2;
    environment->load_before = 0.25;
    assert_table_contains(fixture, "\nmachine: A CPU, 2 of 4 cores usable, An OS 12, load 0.25");
    environment->load_before = 1.5;
    assert_table_contains(fixture, "(busy:");
}

static void test_table_without_cells_is_no_crash(void **state)
{
    struct fixture *fixture = *state;
    fixture->comparison.cell_count = 0;
    assert_table_contains(fixture, "no results to compare");
}

static int write_plain_table(const struct report *report, FILE *stream)
{
    return report_write_table(report, stream, false, 80);
}

static void test_table_sees_a_full_disk(void **state)
{
    struct fixture *fixture = *state;
    fixture_assert_full_disk_is_seen(&fixture->report, write_plain_table);
}

#define IO(test)  cmocka_unit_test_setup_teardown(test, setup_io, teardown)
#define CPU(test) cmocka_unit_test_setup_teardown(test, setup_cpu, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IO(test_table_of_waiting_work),
        CPU(test_table_of_a_little_arithmetic),
        IO(test_table_marks_cells_and_says_why_below),
        IO(test_table_groups_equal_notes_under_one_mark),
        IO(test_table_shows_span_when_rounds_scatter),
        IO(test_table_flags_outliers),
        IO(test_table_says_when_it_was_stopped),
        IO(test_table_without_serial_says_why_there_is_no_speedup),
        IO(test_table_disagreement_is_loud),
        IO(test_table_is_plain_without_color),
        IO(test_table_fits_every_width),
        IO(test_table_drops_columns_when_narrow),
        IO(test_table_puts_more_places_below),
        IO(test_table_keeps_a_row_for_each_number_of_items_at_once),
        IO(test_table_leaves_parameters_out_that_have_their_default),
        IO(test_table_says_on_how_many_hosts_and_how_far_away),
        IO(test_table_says_of_one_host_what_is_known),
        IO(test_table_names_the_machine),
        IO(test_table_without_cells_is_no_crash),
        IO(test_table_sees_a_full_disk),
    };
    return cmocka_run_group_tests_name("report_table", tests, NULL, NULL);
}
