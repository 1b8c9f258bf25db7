#include "coordinator/origin/origin_child.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_SIZE = 256, START_LIMIT_US = 20 * 1000 * 1000, STOP_LIMIT_US = 2 * 1000 * 1000 };

static const char GREETING[] = "listening on ";

struct origin_child {
    struct stage *stage;
    uv_process_t process;
    uv_pipe_t output;
    char line[LINE_SIZE];
    size_t line_len;
    bool answered; /* the line is whole, or never will be */
    int open;      /* handles that are not closed yet */
    bool alive;
};

static void on_closed(uv_handle_t *handle)
{
    struct origin_child *origin = handle->data;
    origin->open--;
}

static void on_ended(uv_process_t *process, int64_t status, int signal_number)
{
    (void)status;
    (void)signal_number;
    struct origin_child *origin = process->data;
    origin->alive = false;
    origin->answered = true;
    uv_close((uv_handle_t *)process, on_closed);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    (void)suggested;
    struct origin_child *origin = handle->data;
    ret_buffer->base = origin->line + origin->line_len;
    ret_buffer->len = sizeof(origin->line) - 1 - origin->line_len;
}

static void on_output(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    (void)buffer;
    struct origin_child *origin = stream->data;
    if (got > 0) {
        origin->line_len += (size_t)got;
    }
    char *end = memchr(origin->line, '\n', origin->line_len);
    if (end != NULL) {
        *end = '\0';
    }
    if (end != NULL || got < 0) {
        origin->answered = true;
        (void)uv_read_stop(stream);
    }
}

static bool has_answered(void *arg)
{
    const struct origin_child *origin = arg;
    return origin->answered;
}

static int spawn(struct origin_child *origin, struct err_text *ret_error)
{
    enum { PATH_SIZE = 4096 };

    char self[PATH_SIZE];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[len > 0 ? len : 0] = '\0';
    char parent[32];
    (void)snprintf(parent, sizeof(parent), "%ld", (long)getpid());
    const char *arguments[] = {self, "origin", "--listen", "127.0.0.1:0", "--parent", parent, NULL};
    uv_stdio_container_t stdio[] = {
        {.flags = UV_IGNORE},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&origin->output},
        {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
    };
    uv_process_options_t options = {
        .file = self,
        .args = (char **)(uintptr_t)arguments, /* uv_spawn does not write to them */
        .exit_cb = on_ended,
        .stdio = stdio,
        .stdio_count = 3,
        .flags = UV_PROCESS_DETACHED, /* Ctrl-C is for the coordinator */
    };
    (void)uv_pipe_init(&origin->stage->loop, &origin->output, 0);
    origin->output.data = origin;
    int rc = uv_spawn(&origin->stage->loop, &origin->process, &options);
    origin->process.data = origin;
    origin->open = 2;
    origin->alive = rc == 0;
    if (rc != 0) {
        uv_close((uv_handle_t *)&origin->process, on_closed);
        return err_set(ret_error,
                       ERR_CHILD,
                       "cannot start the origin ('%s origin'): %s",
                       self,
                       uv_strerror(rc));
    }
    (void)uv_read_start((uv_stream_t *)&origin->output, on_room, on_output);
    return 0;
}

int origin_child_start(struct stage *stage,
                       struct err_text *ret_error,
                       struct origin_child **ret_origin)
{
    struct origin_child *origin = calloc(1, sizeof(*origin));
    if (origin == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory to start the origin");
    }
    origin->stage = stage;
    int rc = spawn(origin, ret_error);
    if (rc == 0) {
        rc = stage_wait(stage, has_answered, origin, START_LIMIT_US);
        if (rc != 0) {
            (void)err_set(ret_error, rc, "the origin did not start: %s", err_name(rc));
        } else if (strncmp(origin->line, GREETING, strlen(GREETING)) != 0) {
            rc = err_set(
                ret_error, ERR_CHILD, "the origin did not start: it said '%s'", origin->line);
        }
    }
    if (rc != 0) {
        origin_child_stop(origin);
        return rc;
    }
    *ret_origin = origin;
    return 0;
}

const char *origin_child_url(const struct origin_child *origin)
{
    return origin->line + strlen(GREETING);
}

static bool is_closed(void *arg)
{
    const struct origin_child *origin = arg;
    return origin->open == 0;
}

void origin_child_stop(struct origin_child *origin)
{
    if (origin == NULL) {
        return;
    }
    if (origin->alive) {
        (void)uv_process_kill(&origin->process, SIGTERM);
    }
    uv_close((uv_handle_t *)&origin->output, on_closed);
    if (stage_wait_anyway(origin->stage, is_closed, origin, STOP_LIMIT_US) != 0) {
        (void)uv_process_kill(&origin->process, SIGKILL);
        (void)stage_wait_anyway(origin->stage, is_closed, origin, STOP_LIMIT_US);
    }
    free(origin);
}
