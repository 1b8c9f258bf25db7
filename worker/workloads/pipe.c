/* pipe: a program per slot that gets item after item on its standard input and answers each on
 * its standard output. Any language, and no start of a process for each item.
 *
 * The program is started with the slot's first item and lives as long as the slot. There is no
 * asynchronous form: under strategy async one slot's items run on the loop, and the window keeps
 * the program busy all the same. See pipe_internal.h for the parts. */
#include "common/base/check.h"
#include "worker/workloads/params.h"
#include "worker/workloads/pipe_internal.h"
#include "worker/workloads/registry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CLOSE_MS = 1000 };

uint64_t pipe_now_us(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000U + (uint64_t)now.tv_nsec / 1000U;
}

void pipe_note(const struct pipe_state *state, const char *text)
{
    if (state->host->note != NULL) {
        char line[WORKLOAD_ERROR_SIZE];
        (void)snprintf(line, sizeof(line), "%s", text);
        err_one_line(line);
        state->host->note(state->host, line);
    }
}

const char *pipe_item_text(const struct workload_item *item,
                           char digits[PIPE_DIGITS_SIZE],
                           size_t *ret_len)
{
    if (item->bytes != NULL) {
        *ret_len = item->bytes_len;
        return item->bytes;
    }
    size_t at = PIPE_DIGITS_SIZE;
    uint64_t number = item->number;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    *ret_len = PIPE_DIGITS_SIZE - at;
    return digits + at;
}

/* --- the state --- */

static void pipe_close(void *opaque)
{
    struct pipe_state *state = opaque;
    command_words_deinit(&state->words);
    free(state->path);
    free(state->cwd);
    free(state->environment);
    free(state);
}

static enum pipe_framing framing_named(const char *name)
{
    if (strcmp(name, "null") == 0) {
        return PIPE_NULL;
    }
    return strcmp(name, "length") == 0 ? PIPE_LENGTH : PIPE_LINES;
}

/* The directory to run in, absolute: what is found there must not depend on where one looks
 * from. */
static int set_cwd(struct pipe_state *state, const char *cwd, struct err_text *ret_error)
{
    if (cwd == NULL) {
        return 0;
    }
    state->cwd = realpath(cwd, NULL);
    if (state->cwd == NULL) {
        return err_set(ret_error, ERR_INVALID, "parameter cwd=%s: %s", cwd, strerrordesc_np(errno));
    }
    return 0;
}

/* Ours; and Python, which most programs for pipe are written in, is told to hold no answers back,
 * unless the user has told it something. */
static int set_environment(struct pipe_state *state)
{
    static char unbuffered[] = "PYTHONUNBUFFERED=1";
    size_t count = 0;
    while (environ[count] != NULL) {
        count++;
    }
    state->environment = calloc(count + 2, sizeof(char *));
    if (state->environment == NULL) {
        return ERR_NOMEM;
    }
    memcpy(state->environment, environ, count * sizeof(char *));
    if (getenv("PYTHONUNBUFFERED") == NULL) {
        state->environment[count] = unbuffered;
    }
    return 0;
}

static int set_command(struct pipe_state *state, const char *text, struct err_text *ret_error)
{
    if (text == NULL) {
        return err_set(
            ret_error, ERR_INVALID, "pipe needs a command: behind `--`, or as parameter command");
    }
    int rc = command_line_split(text, ret_error, &state->words);
    if (rc != 0) {
        return rc;
    }
    if (state->words.count == 0) {
        return err_set(ret_error, ERR_INVALID, "pipe needs a command, and '%s' is none", text);
    }
    rc = path_find(state->words.list[0], state->cwd, ret_error, &state->path);
    if (rc != 0) {
        return rc;
    }
    if (set_environment(state) != 0) {
        return err_set(ret_error, ERR_NOMEM, "no memory for the environment of '%s'", text);
    }
    state->command = (struct pipe_command){
        .path = state->path,
        .words = state->words.list,
        .environment = state->environment,
        .cwd = state->cwd,
    };
    return 0;
}

static uint64_t microseconds(const struct params *params, const char *name)
{
    return (uint64_t)(params_seconds(params, name) * 1e6);
}

static void set_limits(struct pipe_state *state, const struct params *params)
{
    uint64_t crash_limit = params_count(params, "crash-limit");
    uint64_t bytes_max = params_bytes(params, "window-bytes");
    uint64_t timeout_us = params_get(params, "timeout") == NULL ? 0
                                                                : microseconds(params, "timeout");
    state->framing = framing_named(params_get(params, "framing"));
    state->items_max = params_get(params, "window") == NULL
                           ? 0
                           : (size_t)params_count(params, "window");
    state->bytes_max = bytes_max > 0 ? (size_t)bytes_max : 1;
    state->answer_max = (size_t)params_bytes(params, "max-output");
    state->crash_limit = crash_limit > 0 ? (uint32_t)crash_limit : 1;
    pipe_habit_init(
        &state->habit, microseconds(params, "stall"), timeout_us > 0 ? timeout_us : UINT64_MAX);
}

static int pipe_open(const struct params *params,
                     const struct workload_host *host,
                     struct err_text *ret_error,
                     void **ret_state)
{
    struct pipe_state *state = calloc(1, sizeof(*state));
    if (state == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for workload pipe");
    }
    state->host = host;
    set_limits(state, params);
    int rc = set_cwd(state, params_get(params, "cwd"), ret_error);
    if (rc == 0) {
        rc = set_command(state, params_get(params, "command"), ret_error);
    }
    if (rc != 0) {
        pipe_close(state);
        return rc;
    }
    *ret_state = state;
    return 0;
}

/* --- a slot --- */

static int pipe_slot_open(void *opaque, struct err_text *ret_error, void **ret_slot)
{
    struct pipe_state *state = opaque;
    struct pipe_slot *slot = calloc(1, sizeof(*slot));
    if (slot == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for a slot of workload pipe");
    }
    slot->state = state;
    slot->backoff_us = PIPE_BACKOFF_FIRST_US;
    pipe_program_init(&slot->program, state->framing, state->answer_max);
    pipe_window_init(&slot->window,
                     state->items_max > 0 ? state->items_max : (size_t)PIPE_ITEMS_MAX,
                     state->bytes_max);
    *ret_slot = slot;
    return 0;
}

static bool in_hurry(void *arg)
{
    const struct pipe_state *state = arg;
    return state->host->cancelled(state->host);
}

static void pipe_slot_close(void *opaque)
{
    struct pipe_slot *slot = opaque;
    if (slot->program.runs) {
        uint64_t said = pipe_program_finish(&slot->program, CLOSE_MS, in_hurry, slot->state);
        if (said > 0) {
            pipe_note_out_of_turn(slot->state);
        }
    }
    pipe_program_deinit(&slot->program);
    free(slot->kept);
    free(slot);
}

/* --- the forms --- */

static void pipe_run_items(void *opaque, struct workload_batch *batch)
{
    pipe_run_batch(opaque, batch);
}

/* A batch of one, with its outcome. */
struct single {
    struct workload_batch batch;
    struct pipe_slot *slot;
    struct workload_outcome *outcome;
    bool reported;
};

/* The answer lies in a buffer that the rest of the run may use again; it has to last until the
 * slot's next call. */
static bool keep(struct pipe_slot *slot, struct workload_outcome *outcome)
{
    if (outcome->out_len > slot->kept_capacity) {
        char *kept = realloc(slot->kept, outcome->out_len);
        if (kept == NULL) {
            return false;
        }
        slot->kept = kept;
        slot->kept_capacity = outcome->out_len;
    }
    if (outcome->out_len > 0) {
        memcpy(slot->kept, outcome->out, outcome->out_len);
    }
    outcome->out = slot->kept;
    return true;
}

static bool on_single_done(struct workload_batch *batch, const struct workload_outcome *outcome)
{
    struct single *single = (struct single *)batch;
    *single->outcome = *outcome;
    single->reported = true;
    if (!keep(single->slot, single->outcome)) {
        *single->outcome = (struct workload_outcome){.error = "no memory for the answer"};
    }
    return true;
}

static void pipe_run_item(void *opaque,
                          const struct workload_item *item,
                          struct workload_outcome *ret_outcome)
{
    struct single single = {
        .batch = {.items = item, .count = 1, .done = on_single_done},
        .slot = opaque,
        .outcome = ret_outcome,
    };
    pipe_run_batch(opaque, &single.batch);
    if (!single.reported) {
        (void)snprintf(ret_outcome->error, sizeof(ret_outcome->error), "cancelled");
    }
}

static const struct param_spec pipe_params[] = {
    {.name = "command",
     .kind = PARAM_TEXT,
     .unit = "command line",
     .help = "the program and its arguments, quoted as for a shell; no shell reads them"},
    {.name = "framing",
     .kind = PARAM_CHOICE,
     .unit = "word",
     .default_value = "lines",
     .choices = "lines|null|length",
     .help = "what separates items and answers: a newline, a NUL byte, or 4 bytes of length before "
             "each, little-endian"},
    {.name = "window",
     .kind = PARAM_COUNT,
     .unit = "items",
     .max = PIPE_BATCH_MAX,
     .help = "most items in the program at once (1024, or a whole chunk for a program that holds "
             "its answers back)"},
    {.name = "window-bytes",
     .kind = PARAM_BYTES,
     .unit = "bytes",
     .default_value = "1Mi",
     .max = 0x1p30,
     .help = "most bytes of items in the program at once, or of the answers expected for them"},
    {.name = "max-output",
     .kind = PARAM_BYTES,
     .unit = "bytes",
     .default_value = "1Mi",
     .max = 4.0 * 1024 * 1024,
     .help = "longest answer; the rest of a longer one is dropped and the result marked"},
    {.name = "timeout",
     .kind = PARAM_SECONDS,
     .unit = "seconds",
     .max = 86400.0 * 365,
     .help = "end a program that gives no answer for so long; 0 or absent: never"},
    {.name = "stall",
     .kind = PARAM_SECONDS,
     .unit = "seconds",
     .default_value = "0.05",
     .max = 86400,
     .help = "silence of an idle program after which its input is ended, so that it hands on what "
             "it holds back"},
    {.name = "crash-limit",
     .kind = PARAM_COUNT,
     .unit = "programs",
     .default_value = "3",
     .max = 1000,
     .help = "how many programs may end on the same item before it has failed"},
    {.name = "cwd",
     .kind = PARAM_TEXT,
     .unit = "directory",
     .help = "where the program runs; absent: where the worker does"},
};

const struct workload_ops workload_pipe_ops = {
    WORKLOAD_ABI,
    .name = "pipe",
    .summary = "hands items, one a line, to a long-lived program per slot, which answers each with "
               "a line",
    .traits = WORKLOAD_BYTES | WORKLOAD_NUMBERS | WORKLOAD_COMMAND | WORKLOAD_PRINTS |
              WORKLOAD_LINES,
    .params = pipe_params,
    .param_count = sizeof(pipe_params) / sizeof(pipe_params[0]),
    .open = pipe_open,
    .close = pipe_close,
    .slot_open = pipe_slot_open,
    .slot_close = pipe_slot_close,
    .run = pipe_run_item,
    .run_batch = pipe_run_items,
    .batch_max = PIPE_BATCH_MAX,
};
