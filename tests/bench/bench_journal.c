/* What the journal costs: nanoseconds to note a result, and groups a second that become durable, with
 * one result each and with as many as come. Not a test: nothing here passes or fails.
 *
 * usage: bench_journal [FILE [SECONDS]]; FILE must not be there, and is removed in the end. */
#include "common/base/check.h"
#include "coordinator/journal/journal.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { NOTES = 4000000, CHUNK = 8, WORKERS = 4, STRIDE = 16 };

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void wake(void *arg)
{
    (void)sem_post(arg);
}

struct bench {
    const char *path;
    double seconds;
    sem_t woken;
    struct journal *journal;
    struct journal_counts counts;
    struct journal_input input;
};

static void begin(struct bench *bench)
{
    struct err_text error;
    const struct journal_options options = {
        .path = bench->path, .wake = wake, .wake_arg = &bench->woken};
    bench->counts = (struct journal_counts){0};
    if (journal_create(&options, "bench", 1, &error, &bench->journal) != 0) {
        (void)fprintf(stderr, "bench_journal: %s\n", error.s);
        exit(1);
    }
}

static void end(struct bench *bench)
{
    journal_close(bench->journal);
    (void)unlink(bench->path);
}

static void note(struct bench *bench, uint64_t chunk)
{
    CHECK(journal_note_done(bench->journal, chunk * CHUNK, CHUNK) == 0);
    bench->counts.tally.ok += CHUNK;
    bench->counts.chunks++;
}

/* Chunk `i` of a run of WORKERS workers, each of which is at another place: a run of STRIDE chunks is
 * a worker's, and they take turns. */
static uint64_t interleaved(uint64_t i)
{
    uint64_t block = i / (WORKERS * STRIDE);
    uint64_t in_block = i % (WORKERS * STRIDE);
    return block * WORKERS * STRIDE + in_block % WORKERS * STRIDE + in_block / WORKERS;
}

static void measure_notes(struct bench *bench, const char *name, uint64_t (*chunk)(uint64_t i))
{
    begin(bench);
    double start = seconds();
    for (uint64_t i = 0; i < NOTES; i++) {
        note(bench, chunk != NULL ? chunk(i) : i);
    }
    (void)printf("note, %-12s %7.1f ns a result\n", name, (seconds() - start) / NOTES * 1e9);
    end(bench);
}

/* Commit one group after the other for a while; `notes`: results in each, 0: as many as come. */
static void measure_commits(struct bench *bench, const char *name, uint64_t notes)
{
    uint64_t i = 0;
    begin(bench);
    double start = seconds();
    double now = start;
    for (; now - start < bench->seconds; now = seconds()) {
        uint64_t until = notes > 0 ? i + notes : UINT64_MAX;
        do {
            note(bench, interleaved(i++));
        } while (i < until && journal_durable(bench->journal) + 1 < journal_group(bench->journal));
        if (notes > 0) {
            while (journal_durable(bench->journal) + 1 < journal_group(bench->journal)) {
                (void)sem_wait(&bench->woken);
            }
        }
        CHECK(journal_error(bench->journal, NULL) == 0);
        journal_close_group(bench->journal, &bench->counts, &bench->input, false);
    }
    double groups = (double)journal_durable(bench->journal);
    (void)printf("commit, %-10s %7.0f groups/s  %11.0f results/s\n",
                 name,
                 groups / (now - start),
                 (double)i / (now - start));
    end(bench);
}

int main(int argc, char **argv)
{
    struct bench bench = {
        .path = argc > 1 ? argv[1] : "bench.journal",
        .seconds = argc > 2 ? strtod(argv[2], NULL) : 3,
        .input = {.items = UINT64_MAX},
    };
    (void)sem_init(&bench.woken, 0, 0);
    measure_notes(&bench, "in order", NULL);
    measure_notes(&bench, "interleaved", interleaved);
    measure_commits(&bench, "one", 1);
    measure_commits(&bench, "hundred", 100);
    measure_commits(&bench, "all", 0);
    (void)sem_destroy(&bench.woken);
    return 0;
}
