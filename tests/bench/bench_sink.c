/* How many items a second the sink writes: small records, whole batches, to a file. Prints for each
 * format the rate by the wall clock, and by the processor time of both threads together, of which
 * the sink's has nearly all. Not a test: nothing here passes or fails.
 *
 * usage: bench_sink [ITEMS [FILE]]; FILE is /dev/null unless given. */
#include "common/base/check.h"
#include "common/base/items.h"
#include "common/base/record.h"
#include "coordinator/sink/sink.h"

#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 4096, PAIR = 2 * BATCH, ITEM_LEN = 8, ITEMS = 10000000 };

static double seconds(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* BATCH items "00000000", "00000001", ... */
static struct blob *make_payload(void)
{
    size_t size = items_payload_size(BATCH, (size_t)BATCH * ITEM_LEN);
    unsigned char *bytes = calloc(1, size);
    CHECK(bytes != NULL);
    char *at = (char *)bytes + (size_t)BATCH * 4;
    for (unsigned i = 0; i < BATCH; i++) {
        bytes[(size_t)4 * i] = ITEM_LEN;
        (void)snprintf(at, ITEM_LEN + 1, "%08u", i);
        at += ITEM_LEN + 1;
    }
    return blob_new(bytes, size, NULL, NULL);
}

/* A record for each, as `cat` would answer. */
static struct blob *make_records(void)
{
    const struct record record = {
        .start_us = UINT64_C(1764009023123456),
        .run_us = 1234,
        .out = "00000000",
        .out_len = ITEM_LEN,
        .err = "",
        .reason = "",
    };
    size_t size = record_size(&record);
    char *bytes = malloc(size * BATCH);
    CHECK(bytes != NULL);
    for (size_t i = 0; i < BATCH; i++) {
        record_write(&record, bytes + i * size);
    }
    return blob_new(bytes, size * BATCH, NULL, NULL);
}

static void post(void *arg)
{
    (void)sem_post(arg);
}

struct bench {
    const char *path;
    uint64_t items;
    struct blob *payload;
    struct blob *records;
};

/* Batches in the order of the input, or, with keep_order, in pairs the wrong way round. */
static void put_all(const struct bench *bench, struct sink *sink, bool swapped, sem_t *below_half)
{
    for (uint64_t i = 0; i < bench->items / BATCH; i++) {
        uint64_t number = swapped ? i ^ 1 : i;
        struct sink_batch batch = {
            .first = number * BATCH,
            .count = BATCH,
            .payload = bench->payload,
            .payload_first = number * BATCH,
            .payload_count = BATCH,
            .records = bench->records,
            .records_len = blob_len(bench->records),
            .attempt = 1,
            .worker = "worker-1",
        };
        while (sink_is_full(sink)) {
            (void)sem_wait(below_half);
        }
        CHECK(sink_put(sink, &batch) == 0);
    }
}

static void measure(const struct bench *bench, const char *name, bool keep_order)
{
    sem_t below_half;
    struct sink *sink;
    struct err_text error = {""};
    struct sink_options options = {
        .out = bench->path,
        .keep_order = keep_order,
        .separator = '\n',
        .raw_lines = true,
        .wake = post,
        .wake_arg = &below_half,
    };
    (void)sem_init(&below_half, 0, 0);
    CHECK(sink_format_from_name(name, &options.format, NULL) == 0);
    double wall = seconds(CLOCK_MONOTONIC);
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    if (sink_open(&options, &error, &sink) == 0) {
        put_all(bench, sink, keep_order, &below_half);
        (void)sink_close(sink, NULL, &error, NULL);
    }
    if (error.s[0] != '\0') {
        (void)fprintf(stderr, "bench_sink: %s\n", error.s);
        exit(1);
    }
    wall = seconds(CLOCK_MONOTONIC) - wall;
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    double count = (double)bench->items;
    (void)printf("%-7s %-10s %6.2f M items/s  %6.2f M items per processor second\n",
                 name,
                 keep_order ? "in order" : "as it comes",
                 count / wall / 1e6,
                 count / cpu / 1e6);
    (void)sem_destroy(&below_half);
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"raw", "ndjson", "tsv", "csv"};
    struct bench bench = {
        .path = argc > 2 ? argv[2] : "/dev/null",
        .items = argc > 1 ? strtoull(argv[1], NULL, 10) : ITEMS,
        .payload = make_payload(),
        .records = make_records(),
    };
    bench.items -= bench.items % PAIR; /* pairs */
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        measure(&bench, names[i], false);
        measure(&bench, names[i], true);
    }
    blob_unref(bench.payload);
    blob_unref(bench.records);
    return 0;
}
