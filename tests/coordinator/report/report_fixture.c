#include "tests/coordinator/report/report_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void fixture_set_wall(struct fixture *fixture, enum fixture_cell cell, double wall_s)
{
    static const double factors[FIXTURE_ROUNDS] = {1.00, 1.01, 0.99};
    for (size_t k = 0; k < FIXTURE_ROUNDS; k++) {
        fixture->samples[cell][k].wall_s = wall_s * factors[k];
    }
}

static void set_cpu(struct fixture *fixture, double cpu_s)
{
    for (size_t i = 0; i < FIXTURE_CELLS; i++) {
        for (size_t k = 0; k < FIXTURE_ROUNDS; k++) {
            fixture->samples[i][k].cpu_s = cpu_s;
        }
    }
}

static void init_cells(struct fixture *fixture, const char *workload, uint64_t items)
{
    static const uint32_t at_once[STRATEGY_COUNT] = {1, 8, 100, 8};
    memset(fixture, 0, sizeof(*fixture));
    for (size_t i = 0; i < FIXTURE_CELLS; i++) {
        bool far = i >= STRATEGY_COUNT;
        fixture->cells[i] = (struct cell){
            .strategy = (enum strategy)(STRATEGY_SERIAL + i % STRATEGY_COUNT),
            .placement = far ? PLACEMENT_DISTRIBUTED : PLACEMENT_LOCAL,
            .workers = far ? 2 : 0,
            .concurrency = at_once[i % STRATEGY_COUNT] * (far ? 2 : 1),
            .samples = fixture->samples[i],
            .sample_count = FIXTURE_ROUNDS,
        };
        for (size_t k = 0; k < FIXTURE_ROUNDS; k++) {
            fixture->samples[i][k] = (struct sample){.startup_s = far ? 0.05 : 0.001,
                                                     .items = items,
                                                     .ok = items,
                                                     .chunks = 8,
                                                     .checksum = FIXTURE_CHECKSUM,
                                                     .complete = true};
        }
    }
    fixture->comparison = (struct comparison){.workload = workload,
                                              .params = &fixture->params,
                                              .items = items,
                                              .rounds = FIXTURE_ROUNDS,
                                              .warmup = 1,
                                              .seed = 7,
                                              .cells = fixture->cells,
                                              .cell_count = FIXTURE_CELLS};
    (void)strcpy(fixture->arguments[0], "quartet");
    (void)strcpy(fixture->arguments[1], "compare");
    fixture->command[0] = fixture->arguments[0];
    fixture->command[1] = fixture->arguments[1];
    fixture->report = (struct report){.version = "0.1.0",
                                      .commit = "abc",
                                      .command = fixture->command,
                                      .started = "2026-01-02T03:04:05Z",
                                      .comparisons = &fixture->comparison,
                                      .comparison_count = 1};
}

static void set_walls(struct fixture *fixture, const double walls[FIXTURE_CELLS])
{
    for (size_t i = 0; i < FIXTURE_CELLS; i++) {
        fixture_set_wall(fixture, (enum fixture_cell)i, walls[i]);
    }
}

void fixture_init_io(struct fixture *fixture)
{
    init_cells(fixture, "fetch", 64);
    set_walls(fixture, (double[]){6.43, 0.81, 0.105, 0.81, 3.22, 0.41, 0.106, 0.41});
    set_cpu(fixture, 0.03);
    assert_int_equal(params_set(&fixture->params, "delay", "0.1"), 0);
}

void fixture_init_cpu(struct fixture *fixture)
{
    init_cells(fixture, "sums", 10000000);
    set_walls(fixture, (double[]){4.1e-3, 2.2e-3, 4.2e-3, 2.2e-3, 16e-3, 9e-3, 16e-3, 9e-3});
    set_cpu(fixture, 4.05e-3);
    fixture->cells[LOCAL_ASYNC].cooperative = true;
    fixture->cells[FAR_ASYNC].cooperative = true;
}

void fixture_deinit(struct fixture *fixture)
{
    params_deinit(&fixture->params);
}

char *fixture_render(const struct report *report,
                     int (*write)(const struct report *report, FILE *stream))
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    assert_int_equal(write(report, stream), 0);
    assert_int_equal(fclose(stream), 0);
    return text;
}

char *fixture_render_table(const struct report *report, bool color, int width)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    assert_int_equal(report_write_table(report, stream, color, width), 0);
    assert_int_equal(fclose(stream), 0);
    return text;
}

void fixture_assert_full_disk_is_seen(const struct report *report,
                                      int (*write)(const struct report *report, FILE *stream))
{
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    assert_int_equal(write(report, full), ERR_IO);
    (void)fclose(full);
}

void assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" is not in:\n%s", part, text);
    }
}

void assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part) != NULL) {
        fail_msg("\"%s\" is in:\n%s", part, text);
    }
}
