/* How a running command is doing, for people: from the JSON that it gave. Whatever is missing or of
 * another kind is shown as nothing or 0. */
#include "common/base/units.h"
#include "coordinator/status/status.h"

#include <inttypes.h>
#include <string.h>

enum { WORKERS_SHOWN = 40, LINE_SIZE = 512 };

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static uint64_t whole_of(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? (uint64_t)value : 0;
}

/* Below 0: not known. */
static double real_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : -1;
}

static const char *exact(const json_t *object, const char *key, char ret_text[UNITS_TEXT_SIZE])
{
    return units_format_exact(whole_of(object, key), ret_text);
}

static const char *seconds(const json_t *object, const char *key, char ret_text[UNITS_TEXT_SIZE])
{
    double value = real_of(object, key);
    return value < 0 ? "unknown" : units_format_seconds(value, ret_text);
}

/* The words of the command, as they were given; not quoted. */
static void print_command(const json_t *status, FILE *stream)
{
    const json_t *command = json_object_get(status, "command");
    size_t len = 0;
    (void)fputs("quartet", stream);
    for (size_t i = 0; i < json_array_size(command) && len < LINE_SIZE; i++) {
        const char *word = json_string_value(json_array_get(command, i));
        char shown[LINE_SIZE];
        (void)snprintf(shown, sizeof(shown), "%s", word != NULL ? word : "");
        err_one_line(shown);
        len += strlen(shown);
        (void)fprintf(stream, " %s", shown);
    }
}

void status_print_line(const json_t *status, FILE *stream)
{
    (void)fprintf(stream, "%7" PRIu64 "  ", whole_of(status, "pid"));
    print_command(status, stream);
    (void)fprintf(stream, ", since %s\n", text_of(status, "started"));
}

static void print_items(const json_t *job, FILE *stream)
{
    const json_t *items = json_object_get(job, "items");
    bool known = json_is_integer(json_object_get(items, "total"));
    char total[UNITS_TEXT_SIZE];
    char a[UNITS_TEXT_SIZE];
    char b[UNITS_TEXT_SIZE];
    (void)fprintf(stream,
                  "items      %s of %s done, %s of them failed",
                  exact(items, "done", a),
                  known ? exact(items, "total", total) : "an unknown number",
                  exact(items, "failed", b));
    (void)fprintf(stream,
                  "; %s with workers, %s to be sent again",
                  exact(items, "held", a),
                  exact(items, "queued", b));
    (void)fprintf(stream, ", %s not sent yet\n", exact(items, "fresh", a));
}

/* `one` of them, or many. */
static void print_count(const json_t *object,
                        const char *key,
                        const char *one,
                        const char *many,
                        FILE *stream)
{
    char text[UNITS_TEXT_SIZE];
    uint64_t count = whole_of(object, key);
    if (count > 0) {
        (void)fprintf(stream, ", %s %s", units_format_exact(count, text), count == 1 ? one : many);
    }
}

static void print_chunks(const json_t *job, FILE *stream)
{
    const json_t *chunks = json_object_get(job, "chunks");
    char text[UNITS_TEXT_SIZE];
    (void)fprintf(stream, "chunks     %s sent", exact(chunks, "sent", text));
    print_count(chunks, "retried", "sent again", "sent again", stream);
    print_count(
        chunks, "speculated", "run twice for being late", "run twice for being late", stream);
    print_count(
        chunks, "adopted", "gone on with in a new session", "gone on with in new sessions", stream);
    print_count(chunks, "duplicates", "result that came twice", "results that came twice", stream);
    print_count(chunks, "late", "result that came too late", "results that came too late", stream);
    print_count(job, "workers_lost", "worker lost", "workers lost", stream);
    (void)fputc('\n', stream);
}

static void print_rate(const json_t *rate, const char *key, FILE *stream)
{
    char text[UNITS_TEXT_SIZE];
    double value = real_of(rate, key);
    if (value < 0) {
        (void)fputs("unknown", stream);
    } else {
        (void)fprintf(stream, "%s items/s", units_format_rate(value, text));
    }
}

static void print_pace(const json_t *job, FILE *stream)
{
    const json_t *rate = json_object_get(job, "rate");
    char text[UNITS_TEXT_SIZE];
    (void)fputs("rate       ", stream);
    print_rate(rate, "now", stream);
    (void)fputs(" now, ", stream);
    print_rate(rate, "mean", stream);
    (void)fprintf(stream, " on average; time left: %s\n", seconds(job, "left_s", text));
}

static void print_job(const json_t *job, FILE *stream)
{
    char text[UNITS_TEXT_SIZE];
    (void)fprintf(stream,
                  "job        %s, %s, %s, running for %s\n",
                  text_of(job, "label")[0] != '\0' ? text_of(job, "label")
                                                   : text_of(job, "workload"),
                  text_of(job, "placement"),
                  text_of(job, "strategy"),
                  seconds(job, "elapsed_s", text));
    print_items(job, stream);
    print_chunks(job, stream);
    print_pace(job, stream);
    const json_t *journal = json_object_get(job, "journal");
    if (json_is_object(journal)) {
        (void)fprintf(stream, "journal    durable %s ago\n", seconds(journal, "durable_s", text));
    }
}

static void print_worker(const json_t *worker, FILE *stream)
{
    char name[LINE_SIZE];
    char done[UNITS_TEXT_SIZE];
    char heard[UNITS_TEXT_SIZE];
    char slots[UNITS_TEXT_SIZE];
    bool known = whole_of(worker, "slots") > 0;
    (void)snprintf(name, sizeof(name), "%s@%s", text_of(worker, "name"), text_of(worker, "host"));
    err_one_line(name);
    (void)fprintf(stream,
                  "  %-28s %-8s %5s %7" PRIu64 " %12s %10s %5" PRIu64 "\n",
                  name,
                  text_of(worker, "state"),
                  known ? exact(worker, "slots", slots) : "-",
                  whole_of(worker, "chunks_held"),
                  exact(worker, "items_done", done),
                  seconds(worker, "heard_s", heard),
                  whole_of(worker, "cores"));
}

static void print_workers(const json_t *status, FILE *stream)
{
    const json_t *workers = json_object_get(status, "workers");
    size_t count = json_array_size(workers);
    if (count == 0) {
        return;
    }
    (void)fprintf(stream,
                  "workers    %zu\n  %-28s %-8s %5s %7s %12s %10s %5s\n",
                  count,
                  "name",
                  "state",
                  "slots",
                  "chunks",
                  "items done",
                  "last word",
                  "cores");
    for (size_t i = 0; i < count && i < WORKERS_SHOWN; i++) {
        print_worker(json_array_get(workers, i), stream);
    }
    if (count > WORKERS_SHOWN) {
        (void)fprintf(stream, "  ... and %zu more: --json lists all\n", count - WORKERS_SHOWN);
    }
}

void status_print(const json_t *status, FILE *stream)
{
    const json_t *waiting = json_object_get(status, "waiting");
    const json_t *job = json_object_get(status, "job");
    char text[UNITS_TEXT_SIZE];
    (void)fprintf(stream, "command    ");
    print_command(status, stream);
    (void)fprintf(stream,
                  "\nprocess    %" PRIu64 ", since %s (%s), %s\n",
                  whole_of(status, "pid"),
                  text_of(status, "started"),
                  seconds(status, "elapsed_s", text),
                  text_of(status, "phase"));
    if (json_is_object(job)) {
        print_job(job, stream);
    }
    if (json_is_object(waiting)) {
        (void)fprintf(stream, "waiting    %s\n", text_of(waiting, "text"));
    }
    print_workers(status, stream);
}
