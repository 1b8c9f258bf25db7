/* What the tests of the journal share: one that is committed to step by step, in a directory of the
 * test's own. */
#ifndef QUARTET_TESTS_COORDINATOR_JOURNAL_JOURNAL_FIXTURE_H
#define QUARTET_TESTS_COORDINATOR_JOURNAL_JOURNAL_FIXTURE_H

#include "coordinator/journal/journal.h"

#include <semaphore.h>

struct journal_fixture {
    char path[700];
    sem_t woken;
    struct journal_options options;
    bool has_sink;           /* its groups wait for marks */
    struct journal *journal; /* NULL: not open */
    struct journal_counts counts;
    struct journal_input input;
};

/* From now on the tests' directories are in memory where that can be: nothing waits for a disk there.
 * What the page cache has outlives a killed process all the same. A group's set-up. */
int journal_fixture_in_memory(void **state);

/* Nothing is open yet; the journal will be "DIRECTORY/journal". */
void journal_fixture_init(struct journal_fixture *fixture, const char *directory);
void journal_fixture_deinit(struct journal_fixture *fixture);

/* Must succeed. */
void journal_fixture_create(struct journal_fixture *fixture);
void journal_fixture_open(struct journal_fixture *fixture, struct journal_state *ret_state);
void journal_fixture_close(struct journal_fixture *fixture);

/* Must fail with `code` and a line that has the path and these words. */
void journal_fixture_refused(struct journal_fixture *fixture, int code, const char *words);

/* Items that went well, or that failed for this reason: noted and counted. */
void journal_fixture_ok(struct journal_fixture *fixture, uint64_t first, uint64_t count);
void journal_fixture_failed(struct journal_fixture *fixture, uint64_t index, const char *reason);

/* Close the group and wait until it is durable, or, false, committing has failed. */
bool journal_fixture_commit(struct journal_fixture *fixture, bool last);

/* Wait until the group is durable, or committing has failed. */
bool journal_fixture_wait(struct journal_fixture *fixture, uint64_t group);

/* Open, look whether these spans are done, and close. */
void journal_fixture_assert_done(struct journal_fixture *fixture,
                                 const struct interval *spans,
                                 size_t count);

/* A copy of a file, its first `len` bytes at most. */
void journal_fixture_copy(const char *from, const char *to, size_t len);

#endif
