/* exec: one command for each item. Here are its parameters, the shared state and the blocking
 * form; exec_async.c has the asynchronous one, exec_child.c what both do with a child. */
#include "worker/workloads/exec.h"

#include "common/base/record.h"
#include "worker/workloads/exec_child.h"
#include "worker/workloads/params.h"
#include "worker/workloads/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    QUOTED_MAX = 200,
    NS_PER_MS = 1000 * 1000,
    ARGUMENTS_MAX = 6 * 1024 * 1024, /* Linux takes no more, whatever sysconf says */
    ARGUMENTS_MIN = 4 * 1024,        /* if it leaves less, it shall say so itself */
    ARGUMENTS_RESERVE = 8 * 1024,    /* for what the kernel adds */
};

static const struct param_spec exec_params[] = {
    {.name = "command",
     .kind = PARAM_TEXT,
     .unit = "words",
     .help = "the command, as for a shell; {} {.} {/} {//} {/.} {#} as in GNU Parallel"},
    {.name = "colsep",
     .kind = PARAM_TEXT,
     .unit = "text",
     .help = "what is between the columns {1} {2} ... of an item; \\t, \\n and \\\\ are read"},
    {.name = "shell",
     .kind = PARAM_CHOICE,
     .choices = "yes|no",
     .unit = "yes or no",
     .default_value = "no",
     .help = "yes: the command is a program for /bin/sh"},
    {.name = "stdin",
     .kind = PARAM_CHOICE,
     .choices = "yes|no",
     .unit = "yes or no",
     .default_value = "no",
     .help = "yes: the item is the command's standard input"},
    {.name = "cwd", .kind = PARAM_TEXT, .unit = "directory", .help = "where commands begin"},
    {.name = "timeout",
     .kind = PARAM_TEXT,
     .unit = "seconds or %",
     .help =
         "longest time for one item: 2.5, 500ms, or 150% of the median of those that succeeded"},
    {.name = "kill-after",
     .kind = PARAM_SECONDS,
     .unit = "seconds",
     .default_value = "1",
     .max = 3600,
     .help = "time between TERM and KILL for one that took too long"},
    {.name = "max-output",
     .kind = PARAM_BYTES,
     .unit = "bytes",
     .default_value = "1Mi",
     .max = RECORD_OUTPUT_MAX,
     .help = "how much of its output, and of its error output, is kept; the rest is dropped"},
};

/* --- the state --- */

static bool is_yes(const struct params *params, const char *name)
{
    return strcmp(params_get(params, name), "yes") == 0;
}

/* What the arguments of one command may take beside the environment. */
static size_t arguments_max(const struct exec_state *state)
{
    long system_max = sysconf(_SC_ARG_MAX);
    size_t size = system_max > 0 && system_max < ARGUMENTS_MAX ? (size_t)system_max : ARGUMENTS_MAX;
    size_t used = ARGUMENTS_RESERVE;
    for (size_t i = 0; i < state->environment_count; i++) {
        used += strlen(state->environment[i]) + 1 + sizeof(char *);
    }
    return size > used + ARGUMENTS_MIN ? size - used : ARGUMENTS_MIN;
}

static int read_command(struct exec_state *state,
                        const struct params *params,
                        struct err_text *ret_error)
{
    const char *text = params_get(params, "command");
    struct command_words words = {0};
    if (text == NULL) {
        return err_set(ret_error, ERR_INVALID, "there is no command: give one behind --");
    }
    int rc = command_line_split(text, ret_error, &words);
    if (rc != 0) {
        return rc;
    }
    const struct command_template_options options = {
        .colsep = params_get(params, "colsep"),
        .shell = is_yes(params, "shell"),
        .to_stdin = state->to_stdin,
        .size_max = arguments_max(state),
    };
    rc = command_template_new(&words, &options, ret_error, &state->command);
    command_words_deinit(&words);
    return rc;
}

/* Returns 0 or errno. */
static int check_directory(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return errno;
    }
    if (!S_ISDIR(status.st_mode)) {
        return ENOTDIR;
    }
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

static int read_cwd(struct exec_state *state, const char *cwd, struct err_text *ret_error)
{
    if (cwd == NULL) {
        return 0;
    }
    state->cwd = realpath(cwd, NULL);
    int error = state->cwd == NULL ? errno : check_directory(state->cwd);
    if (error == 0) {
        return 0;
    }
    return err_set(
        ret_error, ERR_INVALID, "cwd '%.*s': %s", QUOTED_MAX, cwd, strerrordesc_np(error));
}

/* Once, and not with every item: that it is missing is then said once. */
static int find_program(struct exec_state *state, struct err_text *ret_error)
{
    const char *name = command_template_program(state->command);
    return name == NULL ? 0 : path_find(name, state->cwd, ret_error, &state->program);
}

static void exec_close(void *opaque)
{
    struct exec_state *state = opaque;
    if (state->null >= 0) {
        (void)close(state->null);
    }
    command_template_free(state->command);
    free(state->program);
    free(state->cwd);
    free(state->environment);
    time_limit_deinit(&state->limit);
    free(state);
}

static int fill_state(struct exec_state *state,
                      const struct params *params,
                      struct err_text *ret_error)
{
    state->to_stdin = is_yes(params, "stdin");
    state->kill_after_ns = (uint64_t)(params_seconds(params, "kill-after") * 1e9);
    state->output_max = params_bytes(params, "max-output");
    state->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (state->null < 0) {
        return err_set(ret_error, ERR_IO, "cannot open /dev/null: %s", strerrordesc_np(errno));
    }
    if (exec_environment_base(&state->environment, &state->environment_count) != 0) {
        return err_set(ret_error, ERR_NOMEM, "no memory for workload exec");
    }
    int rc = read_command(state, params, ret_error);
    rc = rc != 0 ? rc : read_cwd(state, params_get(params, "cwd"), ret_error);
    return rc != 0 ? rc : find_program(state, ret_error);
}

static int exec_open(const struct params *params,
                     const struct workload_host *host,
                     struct err_text *ret_error,
                     void **ret_state)
{
    struct exec_state *state = calloc(1, sizeof(*state));
    if (state == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for workload exec");
    }
    state->host = host;
    state->null = -1;
    int rc = time_limit_init(&state->limit, params_get(params, "timeout"), ret_error);
    if (rc != 0) {
        free(state);
        return rc;
    }
    rc = fill_state(state, params, ret_error);
    if (rc != 0) {
        exec_close(state);
        return rc;
    }
    *ret_state = state;
    return 0;
}

/* --- the blocking form: a slot is a child's buffers --- */

static void exec_slot_close(void *slot)
{
    exec_child_deinit(slot);
    free(slot);
}

static int exec_slot_open(void *state, struct err_text *ret_error, void **ret_slot)
{
    struct exec_child *child = malloc(sizeof(*child));
    if (child == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for a slot of workload exec");
    }
    if (exec_child_init(child, state) != 0) {
        exec_slot_close(child);
        return err_set(ret_error, ERR_NOMEM, "no memory for a slot of workload exec");
    }
    *ret_slot = child;
    return 0;
}

/* Until something is due, in whole milliseconds, rounded up. */
static int wait_ms(const struct exec_child *child)
{
    uint64_t now_ns = exec_now_ns();
    uint64_t look_ns = exec_child_look_ns(child, now_ns);
    if (look_ns <= now_ns) {
        return 0;
    }
    uint64_t wait_ns = look_ns - now_ns < EXEC_LOOK_NS ? look_ns - now_ns : EXEC_LOOK_NS;
    return (int)((wait_ns + NS_PER_MS - 1) / NS_PER_MS);
}

/* Wait for something to happen, and do what it asks for. */
static void turn(struct exec_child *child)
{
    struct pollfd polled[EXEC_STREAMS + 1];
    for (int i = 0; i < EXEC_STREAMS; i++) {
        short events = i == EXEC_IN ? POLLOUT : POLLIN;
        polled[i] = (struct pollfd){.fd = child->streams[i], .events = events}; /* -1: ignored */
    }
    polled[EXEC_STREAMS] = (struct pollfd){.fd = child->leader_ended ? -1 : child->process.pidfd,
                                           .events = POLLIN};
    int count = poll(polled, EXEC_STREAMS + 1, wait_ms(child));
    for (int i = 0; i < EXEC_STREAMS && count > 0; i++) {
        if (polled[i].revents != 0 && !exec_child_serve(child, (enum exec_stream)i)) {
            exec_child_close(child, (enum exec_stream)i);
        }
    }
    if (count > 0 && polled[EXEC_STREAMS].revents != 0) {
        exec_child_leader_ended(child);
    }
}

static void exec_run(void *slot,
                     const struct workload_item *item,
                     struct workload_outcome *ret_outcome)
{
    struct exec_child *child = slot;
    const struct workload_host *host = child->state->host;
    if (!exec_child_begin(child, item, ret_outcome)) {
        return;
    }
    while (!exec_child_done(child)) {
        turn(child);
        uint64_t now_ns = exec_now_ns();
        if (host->cancelled(host)) {
            exec_child_cancel(child, now_ns);
        }
        exec_child_on_time(child, now_ns);
    }
    exec_child_end(child, ret_outcome);
}

const struct workload_ops workload_exec_ops = {
    WORKLOAD_ABI,
    .name = "exec",
    .summary = "runs a command for each item: your own programs",
    .traits = WORKLOAD_BYTES | WORKLOAD_NUMBERS | WORKLOAD_COMMAND | WORKLOAD_PRINTS,
    .params = exec_params,
    .param_count = sizeof(exec_params) / sizeof(exec_params[0]),
    .open = exec_open,
    .close = exec_close,
    .slot_open = exec_slot_open,
    .slot_close = exec_slot_close,
    .run = exec_run,
    .async_open = exec_async_open,
    .async_start = exec_async_start,
    .async_cancel = exec_async_cancel,
    .async_close = exec_async_close,
};
