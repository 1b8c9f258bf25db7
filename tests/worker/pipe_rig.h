/* Runs workload pipe without an engine and keeps every outcome. Test support; aborts where a test
 * would fail, so that it may be called from any thread. */
#ifndef QUARTET_TESTS_WORKER_PIPE_RIG_H
#define QUARTET_TESTS_WORKER_PIPE_RIG_H

#include "worker/workloads/params.h"
#include "worker/workloads/pipe_internal.h"
#include "worker/workloads/workload.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PIPE_RIG_NOTES = 8 };

/* What an item came to; owned copies. */
struct pipe_result {
    bool ok;
    uint32_t flags;
    uint64_t checksum;
    uint64_t bytes;
    char *out; /* NUL-terminated */
    size_t out_len;
    int exit_status;
    int signal;
    char error[WORKLOAD_ERROR_SIZE];
};

struct pipe_rig {
    struct params params;
    struct workload_host host;
    void *state;
    struct pipe_slot *slot;
    atomic_bool cancelled;
    char notes[PIPE_RIG_NOTES][WORKLOAD_ERROR_SIZE];
    size_t note_count;

    struct pipe_result *results; /* of the last run */
    size_t count;
    size_t stop_after; /* `done` says false with this one; SIZE_MAX: never */
    size_t cancel_after;
};

/* Open the workload for a command (words, NULL at the end) with "NAME=VALUE" texts (NULL at the
 * end, or NULL). Returns what open says. */
int pipe_rig_try(struct pipe_rig *rig,
                 const char *const *command,
                 const char *const *params,
                 struct err_text *ret_error);

/* The same, which must succeed, and a slot. */
void pipe_rig_open(struct pipe_rig *rig, const char *const *command, const char *const *params);
void pipe_rig_close(struct pipe_rig *rig);

/* Run items as one batch, or one after another with `run`. */
void pipe_rig_run(struct pipe_rig *rig, const struct workload_item *items, size_t count);
void pipe_rig_run_singly(struct pipe_rig *rig, const struct workload_item *items, size_t count);

/* Numbers first, first + 1, ... */
void pipe_rig_run_numbers(struct pipe_rig *rig, uint64_t first, size_t count);

/* Text lines, NULL at the end. */
void pipe_rig_run_texts(struct pipe_rig *rig, const char *const *texts);

/* Is there a note that holds `text`? */
bool pipe_rig_noted(const struct pipe_rig *rig, const char *text);

/* Of the test programs in pipe_actor.c. */
extern const char *const pipe_actor;

/* Wait until a process is gone, at most 20 s; false: it is still there. A zombie is gone. */
bool pipe_rig_await_gone(int pid);

#endif
