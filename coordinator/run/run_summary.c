/* What came of a run, for people; see run_summary.h. */
#include "coordinator/run/run_summary.h"

#include "common/base/units.h"

#include <inttypes.h>

static void print_how(const struct run_summary *run, FILE *stream)
{
    const struct job_result *result = run->result;
    if (run->placement == PLACEMENT_LOCAL) {
        (void)fprintf(
            stream, "local, %s, %u at once", strategy_name(run->strategy), result->concurrency);
    } else {
        (void)fprintf(stream,
                      "%u worker%s, %s, %u at once",
                      result->workers,
                      result->workers == 1 ? "" : "s",
                      strategy_name(run->strategy),
                      result->concurrency);
    }
}

static void print_counts(const struct sample *sample, FILE *stream)
{
    char ok[UNITS_TEXT_SIZE];
    char failed[UNITS_TEXT_SIZE];
    char bytes[UNITS_TEXT_SIZE];
    (void)fprintf(stream,
                  "items      %s succeeded, %s failed",
                  units_format_exact(sample->ok, ok),
                  units_format_exact(sample->failed, failed));
    if (sample->items_before > 0) {
        char before[UNITS_TEXT_SIZE];
        (void)fprintf(stream,
                      " (%s of them before the run was resumed)",
                      units_format_exact(sample->items_before, before));
    }
    uint64_t left_count = sample->items - sample->ok - sample->failed;
    if (left_count > 0) {
        char left[UNITS_TEXT_SIZE];
        (void)fprintf(stream, ", %s not run", units_format_exact(left_count, left));
    }
    (void)fprintf(stream,
                  "\nresults    checksum %016" PRIx64 ", %s\n",
                  sample->checksum,
                  units_format_bytes(sample->bytes_out, bytes));
}

static void print_time(const struct sample *sample, FILE *stream)
{
    char wall[UNITS_TEXT_SIZE];
    char cpu[UNITS_TEXT_SIZE];
    char startup[UNITS_TEXT_SIZE];
    char rate[UNITS_TEXT_SIZE];
    double done = (double)(sample->ok + sample->failed - sample->items_before);
    double per_second = sample->wall_s > 0 ? done / sample->wall_s : 0;
    (void)fprintf(stream,
                  "time       %s (%s items/s), CPU %s, start-up %s apart from it\n",
                  units_format_seconds(sample->wall_s, wall),
                  units_format_rate(per_second, rate),
                  units_format_seconds(sample->cpu_s, cpu),
                  units_format_seconds(sample->startup_s, startup));
}

static void print_trouble(const struct sample *sample, FILE *stream)
{
    if (sample->retried + sample->duplicates + sample->workers_lost + sample->late > 0) {
        (void)fprintf(stream,
                      "trouble    %" PRIu64 " workers lost, %" PRIu64 " chunks run again, %" PRIu64
                      " results that came twice dropped",
                      sample->workers_lost,
                      sample->retried,
                      sample->duplicates);
        if (sample->late > 0) {
            (void)fprintf(stream, ", %" PRIu64 " that came too late", sample->late);
        }
        (void)fputc('\n', stream);
    }
}

/* What was not simply run once: gone on with after a reconnect, or run twice because it was late. */
static void print_second_runs(const struct sample *sample, FILE *stream)
{
    char seconds[UNITS_TEXT_SIZE];
    char saved[UNITS_TEXT_SIZE + 32] = "";
    if (sample->saved_s > 0) { /* how much it was of attempts that never ended nobody knows */
        (void)snprintf(saved,
                       sizeof(saved),
                       ", saving at least %s",
                       units_format_seconds(sample->saved_s, seconds));
    }
    if (sample->adopted > 0) {
        (void)fprintf(stream,
                      "resumed    workers went on with %" PRIu64 " chunks in a new session\n",
                      sample->adopted);
    }
    if (sample->speculated > 0) {
        (void)fprintf(stream,
                      "stragglers %" PRIu64 " late chunks run twice, the second came first %" PRIu64
                      " times%s\n",
                      sample->speculated,
                      sample->speculations_won,
                      saved);
    }
}

static void print_retries(const struct sample *sample, FILE *stream)
{
    if (sample->items_retried > 0) {
        char text[UNITS_TEXT_SIZE];
        (void)fprintf(stream,
                      "retries    failed items were run again %s times\n",
                      units_format_exact(sample->items_retried, text));
    }
}

static void print_failures(const struct job_result *result, FILE *stream)
{
    for (size_t i = 0; i < result->failure_count; i++) {
        (void)fprintf(stream,
                      "%s item %" PRIu64 ": %s\n",
                      i == 0 ? "failed    " : "          ",
                      result->failures[i].index,
                      result->failures[i].text);
    }
    uint64_t shown = result->failure_count;
    if (result->sample.failed > shown && shown > 0) {
        (void)fprintf(
            stream, "           ... and more, %" PRIu64 " in all\n", result->sample.failed);
    }
}

void run_summary_print(const struct run_summary *run, FILE *stream)
{
    (void)fprintf(stream, "%s: ", run->workload);
    print_how(run, stream);
    (void)fputc('\n', stream);
    print_counts(&run->result->sample, stream);
    print_time(&run->result->sample, stream);
    print_trouble(&run->result->sample, stream);
    print_second_runs(&run->result->sample, stream);
    print_retries(&run->result->sample, stream);
    print_failures(run->result, stream);
    if (!run->result->sample.complete && run->result->missing[0] != '\0') {
        (void)fprintf(stream, "not run    items %s\n", run->result->missing);
    }
}
