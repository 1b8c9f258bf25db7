/* The journal of a run: what it takes to go on after the coordinator has died, in one SQLite file.
 *
 * It has the job (a text that is the caller's), which items are accounted for and what they came to
 * in sum, each failed item, how far the input was read, how long each output was, and the records
 * that wait for earlier items. Results are noted into the open group; a group is committed as a
 * whole, by a thread of the journal's own, one at a time: what came in the meantime is the next one.
 * What was noted is durable when its group is; only then may a worker be told that its result
 * arrived.
 *
 * The file is locked for as long as it is open: two coordinators cannot have it. It is in WAL mode
 * with full synchronisation; where the file system cannot hold that (network file systems), with a
 * rollback journal. A commit that fails (disk full) ends the journal: journal_error; what was durable
 * before stays so. Damage is found when it is opened and refused in words.
 *
 * The tables, for whoever looks at it with the sqlite3 tool when no coordinator has it open (`.schema`
 * has every column with a comment; journal_schema.c):
 *
 *   job       one row: its id, and the caller's text
 *   progress  one row: counts, how far the input was read, a seal over everything in the file
 *   done      which items are accounted for: as many rows as there are gaps
 *   failed    item, attempt, reason
 *   outputs   path, length
 *   waiting   results that wait for earlier items, as they came
 *
 * All functions but journal_marked are for the owner's thread. */
#ifndef QUARTET_COORDINATOR_JOURNAL_JOURNAL_H
#define QUARTET_COORDINATOR_JOURNAL_JOURNAL_H

#include "common/base/chunk.h"
#include "common/base/err.h"
#include "common/base/interval.h"
#include "coordinator/sink/sink.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct journal;

enum {
    JOURNAL_REASON_MAX = 240,
    JOURNAL_JOB_MAX = 4 * 1024 * 1024, /* bytes of the text that says what the job is */
};

struct journal_options {
    const char *path; /* of a file in a directory that is there */
    /* A group became durable, or committing failed. From the journal's thread or the sink's, never
     * after journal_close: uv_async_send is the use; nothing of the journal may be called from it.
     * NULL: nobody is told. */
    void (*wake)(void *arg);
    void *wake_arg;
};

/* How the run stood when it was last durable. */
struct journal_counts {
    struct tally tally;  /* ok + failed: as many items as were noted as done */
    uint64_t elapsed_us; /* wall time of all its runs so far */
    uint64_t chunks;     /* results that counted */
    uint64_t retried; /* chunks that were sent again because a worker was lost or gave them back */
    uint64_t items_retried;
    uint64_t duplicates;
    uint64_t workers_lost;
};

/* How far the input was read, in whole items, and whether that is all. Items that are done are among
 * them. That it is the same input is for the caller to see to: it can keep a fingerprint in its text. */
struct journal_input {
    uint64_t items;
    bool final;
};

struct journal_failure {
    uint64_t index;
    uint32_t attempt;
    char reason[JOURNAL_REASON_MAX]; /* one line */
};

/* What a journal had when it was opened. */
struct journal_state {
    char *job; /* the text given to journal_create */
    uint64_t job_id;
    uint32_t resumed; /* how often before */
    bool complete;    /* the job was done: there is nothing to go on with */
    struct interval_set done;
    struct journal_counts counts;
    struct journal_input input;
    struct journal_failure failures[5]; /* with the smallest indices */
    size_t failure_count;
    struct sink_place *cuts;
    size_t cut_count;
    uint64_t next; /* sink_mark.next */
    struct sink_batch
        *waiting; /* records that were not written, of items that are done: ready to be
                                 * put into a sink that resumes (`waited` is set) */
    size_t waiting_count;
};

/* Begin a journal for a new job, which `job` describes (a text of the caller's, 1 to JOURNAL_JOB_MAX
 * bytes). ERR_BUSY: the file exists (the text says how to resume, or that it is no journal);
 * ERR_INVALID: the text is too long; ERR_IO with the path and the reason; ERR_NOMEM. No file is left
 * behind then. */
int journal_create(const struct journal_options *options,
                   const char *job,
                   uint64_t job_id,
                   struct err_text *ret_error,
                   struct journal **ret_journal);

/* Open one to go on with it. Everything that is read is checked. ERR_NOT_FOUND; ERR_INVALID: no
 * journal, of another version, damaged (what, in words); ERR_BUSY: somebody else has it open; ERR_IO;
 * ERR_NOMEM. */
int journal_open(const struct journal_options *options,
                 struct err_text *ret_error,
                 struct journal **ret_journal,
                 struct journal_state *ret_state);

/* There is a sink: groups wait for journal_marked before they are committed. Before the first group is
 * closed. */
void journal_expect_marks(struct journal *journal);

/* Free what it has; sinks keep their own references. */
void journal_state_deinit(struct journal_state *state);

/* --- noting, into the open group; these never block and cost tens of nanoseconds --- */

/* The items [first, first + count) are accounted for. ERR_NOMEM, or ERR_INVALID when one of them was
 * before (a bug of the caller's), when there are none, or beyond 2^63 items. Nothing is noted then. */
int journal_note_done(struct journal *journal, uint64_t first, uint64_t count);

/* An item that was noted as done failed, for good; once an item. The reason is copied, and cut to a line
 * of less than JOURNAL_REASON_MAX bytes. ERR_NOMEM, or ERR_INVALID when it was not noted as done. */
int journal_note_failed(struct journal *journal,
                        uint64_t index,
                        uint32_t attempt,
                        const char *reason,
                        size_t reason_len);

/* --- groups --- */

/* The number of the open group, from 1. */
uint64_t journal_group(const struct journal *journal);

/* May the open group be closed: has it something, and is no other one being committed? */
bool journal_can_close(const struct journal *journal);

/* Close the open group and let it be committed, with the counts and the input as they are now. With
 * a sink the caller then puts the group's number into the sink as a mark, before anything else is
 * put. Must be allowed (journal_can_close), but for `last`: then also an empty group is closed (no other
 * one may be under way), and the job is marked as complete. Does nothing once committing has failed. */
void journal_close_group(struct journal *journal,
                         const struct journal_counts *counts,
                         const struct journal_input *input,
                         bool last);

/* The sink has reached the mark of a group: from any thread. Takes its own references. */
void journal_marked(struct journal *journal, const struct sink_mark *mark);

/* The last group that is durable; 0: none. Any thread. */
uint64_t journal_durable(const struct journal *journal);

/* Why nothing more becomes durable (ERR_IO, ERR_NOMEM), or 0. */
int journal_error(struct journal *journal, struct err_text *ret_error);

/* Wait until what was closed is committed (not for groups whose mark never came), close the file,
 * free. Whether that went well is known to whoever has waited for journal_durable before. A sink that
 * calls journal_marked is closed first. NULL is allowed. */
void journal_close(struct journal *journal);

#endif
