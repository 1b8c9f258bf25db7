/* A workload whose every item says something, in each of the forms that there are, and an owner that runs items until each has
 * its record: what the tests of records share. */
#ifndef QUARTET_TESTS_WORKER_TEST_ENGINE_SAY_H
#define QUARTET_TESTS_WORKER_TEST_ENGINE_SAY_H

#include "test_engine_rig.h"

#include "common/base/record.h"

/* Numbers and bytes. What item n does depends on its index only:
 *   any                   out "out-n", err "err-n", value 3 n; checksum n + 1; bytes 1
 *   n % 5 == 3            fails with "item n is like that" and exit status 7
 *   n % 7 == 5            fails as what timed out
 *   SAY_BIG and above     out is 300,000 bytes
 *   SAY_HUGE and above    out and err are 5 MiB
 *   SAY_CRASH and above   for processes: n % 10 == 4 crashes, n % 10 == 9 exits with status 3; out is 100,000 bytes */
enum {
    SAY_BIG = 1000000,
    SAY_HUGE = 2000000,
    SAY_CRASH = 3000000,
    SAY_BIG_LEN = 300000,
    SAY_HUGE_LEN = 5 * 1024 * 1024,
    SAY_CRASH_LEN = 100000,
    SAY_BATCH = 7,
};

extern const struct workload_ops say_single; /* run */
extern const struct workload_ops say_batch;  /* run_batch, no run */
extern const struct workload_ops say_mute; /* run_batch that tells of half of a batch and returns */
extern const struct workload_ops say_async; /* the asynchronous form too */

/* The outcome of an item in memory of the caller's own, of say_slot_size() bytes. */
void say(void *slot, const struct workload_item *item, struct workload_outcome *ret_outcome);
int say_open(const struct params *params,
             const struct workload_host *host,
             struct err_text *ret_error,
             void **ret_state);
int say_slot_open(void *state, struct err_text *ret_error, void **ret_slot);
void say_close(void *memory);

/* Is `record` what item `index` says? */
void say_check(const struct record *record, uint64_t index);

struct say_kind {
    enum strategy strategy;
    uint32_t slots;
};

/* Run [first, first + count) on rig->engine in chunks of `chunk`; whatever a result leaves out is submitted again. Every record is
 * given to `check` with its index, in order within a result. Each item has exactly one. Returns the results' tally;
 * *ret_results: how many results. */
struct tally say_run(struct rig *rig,
                     bool bytes,
                     uint64_t first,
                     uint64_t count,
                     uint64_t chunk,
                     void (*check)(const struct record *record, uint64_t index),
                     uint64_t *ret_results);

#endif
