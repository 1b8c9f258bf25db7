/* One child, its two outputs and a timer, on a loop of their own; see plugin_describe.h. */
#include "coordinator/run/plugin_describe.h"

#include "common/base/check.h"
#include "common/base/printable.h"
#include "coordinator/session/program.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum {
    OUTPUT_MAX = 4 * 1024 * 1024, /* bytes of a description; twice the largest that can be */
    ERRORS_MAX = 64 * 1024,
    AFTERWARDS_MS = 1000, /* for outputs that somebody holds open when the child has ended */
    EXIT_REFUSED = 2,
};

/* One output of the child. What exceeds `max` is dropped. */
struct capture {
    uv_pipe_t pipe;
    char *bytes; /* max + 1 of them, for a NUL */
    size_t len;
    size_t max;
    bool exceeded;
    bool ended;
    char spare[4096]; /* for what is dropped */
};

struct describing {
    const char *path;
    uv_loop_t loop;
    uv_process_t process;
    uv_timer_t limit;
    struct capture output;
    struct capture errors;
    char output_bytes[OUTPUT_MAX + 1];
    char errors_bytes[ERRORS_MAX + 1];
    bool exited;
    bool timed_out;
    int64_t status;
    int signal; /* that ended it; 0: none */
};

/* --- the loop --- */

static void close_all(struct describing *self)
{
    uv_handle_t *handles[] = {(uv_handle_t *)&self->process,
                              (uv_handle_t *)&self->limit,
                              (uv_handle_t *)&self->output.pipe,
                              (uv_handle_t *)&self->errors.pipe};
    for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++) {
        if (!uv_is_closing(handles[i])) {
            uv_close(handles[i], NULL);
        }
    }
}

static void close_when_over(struct describing *self)
{
    if (self->exited && self->output.ended && self->errors.ended) {
        close_all(self);
    }
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    (void)suggested;
    struct capture *capture = (struct capture *)handle; /* its first member */
    size_t room = capture->max - capture->len;
    ret_buffer->base = room > 0 ? capture->bytes + capture->len : capture->spare;
    ret_buffer->len = room > 0 ? room : sizeof(capture->spare);
}

static void on_output(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    struct capture *capture = (struct capture *)stream;
    if (got < 0) {
        capture->ended = true;
        close_when_over(stream->loop->data);
    } else if (buffer->base == capture->spare) {
        capture->exceeded = capture->exceeded || got > 0;
    } else {
        capture->len += (size_t)got;
    }
}

/* The child or what it left behind has had its time. */
static void on_limit(uv_timer_t *limit)
{
    struct describing *self = limit->data;
    if (self->exited) {
        close_all(self);
        return;
    }
    self->timed_out = true;
    /* The group: a plugin may have started programs. */
    (void)uv_kill(-self->process.pid, SIGKILL);
}

static void on_ended(uv_process_t *process, int64_t status, int signal_number)
{
    struct describing *self = process->data;
    self->exited = true;
    self->status = status;
    self->signal = signal_number;
    CHECK(uv_timer_start(&self->limit, on_limit, AFTERWARDS_MS, 0) == 0);
    close_when_over(self);
}

static void init_handles(struct describing *self)
{
    CHECK(uv_pipe_init(&self->loop, &self->output.pipe, 0) == 0);
    CHECK(uv_pipe_init(&self->loop, &self->errors.pipe, 0) == 0);
    CHECK(uv_timer_init(&self->loop, &self->limit) == 0);
    self->output.bytes = self->output_bytes;
    self->output.max = OUTPUT_MAX;
    self->errors.bytes = self->errors_bytes;
    self->errors.max = ERRORS_MAX;
    self->process.data = self;
    self->limit.data = self;
    self->loop.data = self;
}

static int spawn(struct describing *self, const char *program)
{
    char parent[32];
    (void)snprintf(parent, sizeof(parent), "%ld", (long)getpid());
    const char *arguments[] = {program, "--parent", parent, "--describe", self->path, NULL};
    const uv_stdio_flags to_us = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
    uv_stdio_container_t stdio[] = {
        {.flags = UV_IGNORE},
        {.flags = to_us, .data.stream = (uv_stream_t *)&self->output.pipe},
        {.flags = to_us, .data.stream = (uv_stream_t *)&self->errors.pipe},
    };
    uv_process_options_t options = {
        .file = program,
        .args = (char **)(uintptr_t)arguments, /* uv_spawn does not write to them */
        .exit_cb = on_ended,
        .stdio = stdio,
        .stdio_count = 3,
        .flags = UV_PROCESS_DETACHED, /* a group of its own, to be killed as one */
    };
    return uv_spawn(&self->loop, &self->process, &options);
}

/* Run the child to its end. Returns 0 when there was one, however it ended. */
static int run(struct describing *self,
               const struct plugin_describe_options *options,
               struct err_text *ret_error)
{
    char beside[PROGRAM_PATH_SIZE];
    const char *program = options->program;
    if (program == NULL) {
        program_find("quartet-worker", beside, sizeof(beside));
        program = beside;
    }
    init_handles(self);
    int rc = 0;
    int uv_rc = spawn(self, program);
    if (uv_rc != 0) {
        rc = err_set(ret_error,
                     ERR_CHILD,
                     "plugin '%.200s': it cannot be described with '%s': %s",
                     self->path,
                     program,
                     uv_strerror(uv_rc));
        close_all(self);
    } else {
        uint64_t limit_ms = options->limit_ms == 0 ? PLUGIN_DESCRIBE_LIMIT_MS : options->limit_ms;
        CHECK(uv_timer_start(&self->limit, on_limit, limit_ms, 0) == 0);
        (void)uv_read_start((uv_stream_t *)&self->output.pipe, on_room, on_output);
        (void)uv_read_start((uv_stream_t *)&self->errors.pipe, on_room, on_output);
    }
    (void)uv_run(&self->loop, UV_RUN_DEFAULT);
    return rc;
}

/* --- what it came to --- */

/* The last line that the child said, without its name; NUL-terminated within the capture. A plugin
 * may have said other things before. */
static const char *last_words(struct capture *errors)
{
    static const char name[] = "quartet-worker: ";
    size_t len = errors->len;
    while (len > 0 && errors->bytes[len - 1] == '\n') {
        len--;
    }
    errors->bytes[len] = '\0';
    for (size_t i = 0; i < len; i++) {
        if (errors->bytes[i] != '\n' && !printable(errors->bytes + i, 1)) {
            errors->bytes[i] = '?';
        }
    }
    const char *newline = strrchr(errors->bytes, '\n');
    const char *line = newline == NULL ? errors->bytes : newline + 1;
    return strncmp(line, name, sizeof(name) - 1) == 0 ? line + sizeof(name) - 1 : line;
}

/* It ended in some other way than with a description. */
static int explain(struct describing *self, struct err_text *ret_error)
{
    const char *said = last_words(&self->errors);
    if (self->timed_out) {
        return err_set(ret_error,
                       ERR_TIMEOUT,
                       "plugin '%.200s': describing it did not come to an end and was killed: does "
                       "it wait for something when it is loaded?",
                       self->path);
    }
    if (self->signal != 0) {
        return err_set(ret_error,
                       ERR_CHILD,
                       "plugin '%.200s': describing it was killed by signal %d (%s): the file is "
                       "damaged or does not behave",
                       self->path,
                       self->signal,
                       strsignal(self->signal));
    }
    if (self->status == EXIT_REFUSED && said[0] != '\0') {
        return err_set(ret_error, ERR_INVALID, "%s", said);
    }
    return err_set(ret_error,
                   ERR_CHILD,
                   "plugin '%.200s': describing it ended with exit status %d%s%.120s",
                   self->path,
                   (int)self->status,
                   said[0] != '\0' ? " and the words: " : ", without a word",
                   said);
}

static int read_answer(struct describing *self,
                       struct err_text *ret_error,
                       struct plugin_description *ret_description)
{
    struct err_text why = {""};
    if (self->output.len == 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "plugin '%.200s': when it is loaded it ends the process",
                       self->path);
    }
    if (self->output.exceeded) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "plugin '%.200s': the description of it has more than %d bytes",
                       self->path,
                       OUTPUT_MAX);
    }
    int rc = plugin_description_parse(self->output.bytes, self->output.len, &why, ret_description);
    return rc == 0 ? 0 : err_set(ret_error, rc, "plugin '%.200s': %s", self->path, why.s);
}

int plugin_describe(const struct plugin_describe_options *options,
                    struct err_text *ret_error,
                    struct plugin_description *ret_description)
{
    struct describing *self = calloc(1, sizeof(*self));
    if (self == NULL || uv_loop_init(&self->loop) != 0) {
        free(self);
        return err_set(
            ret_error, ERR_NOMEM, "plugin '%.200s': no memory to describe it", options->path);
    }
    self->path = options->path;
    int rc = run(self, options, ret_error);
    if (rc == 0) {
        bool described = !self->timed_out && self->signal == 0 && self->status == 0;
        rc = described ? read_answer(self, ret_error, ret_description) : explain(self, ret_error);
    }
    CHECK(uv_loop_close(&self->loop) == 0);
    free(self);
    return rc;
}
