#include "coordinator/status/control.h"

#include "coordinator/status/control_message.h"
#include "coordinator/status/control_path.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BACKLOG = 64,
    PAUSE_MIN_MS = 10,
    PAUSE_TIMES = 20, /* whoever asks in a loop gets one part in so many of the loop's time */
};

struct connection {
    struct control *control;
    uv_pipe_t pipe;
    uv_timer_t deadline;
    uv_write_t write;
    char *reply;
    size_t len;
    int open; /* handles that are not closed yet; 0: the connection is free */
    char line[CONTROL_REQUEST_MAX];
};

struct control {
    struct control_options options;
    char path[CONTROL_PATH_SIZE];
    uv_pipe_t listener;
    uv_timer_t pause;
    bool pausing;
    bool waiting; /* somebody is at the door */
    bool closing;
    int open; /* handles of its own that are not closed yet */
    struct connection connections[CONTROL_CONNECTIONS_MAX];
};

static void let_in(struct control *control);

/* --- the end of a connection, and of all --- */

static void free_when_closed(struct control *control)
{
    bool open = !control->closing || control->open > 0;
    for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        open = open || control->connections[i].open > 0;
    }
    if (!open) {
        free(control);
    }
}

static void on_connection_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    struct control *control = connection->control;
    connection->open--;
    if (connection->open > 0) {
        return;
    }
    free(connection->reply);
    connection->reply = NULL;
    if (control->closing) {
        free_when_closed(control);
    } else {
        let_in(control);
    }
}

static void hang_up(struct connection *connection)
{
    if (!uv_is_closing((uv_handle_t *)&connection->pipe)) {
        uv_close((uv_handle_t *)&connection->pipe, on_connection_closed);
        uv_close((uv_handle_t *)&connection->deadline, on_connection_closed);
    }
}

static void on_deadline(uv_timer_t *timer)
{
    hang_up(timer->data);
}

/* --- request and reply --- */

static void on_written(uv_write_t *write, int status)
{
    (void)status;
    hang_up(write->data);
}

static void on_pause_over(uv_timer_t *timer)
{
    struct control *control = timer->data;
    control->pausing = false;
    let_in(control);
}

/* Not soon another one: the run has the loop for itself. */
static void pause_after(struct control *control, uint64_t took_ns)
{
    uint64_t pause_ms = took_ns * PAUSE_TIMES / 1000000;
    control->pausing = true;
    (void)uv_timer_start(
        &control->pause, on_pause_over, pause_ms > PAUSE_MIN_MS ? pause_ms : PAUSE_MIN_MS, 0);
}

static void reply_to(struct connection *connection, size_t line_len)
{
    struct control *control = connection->control;
    (void)uv_read_stop((uv_stream_t *)&connection->pipe);
    uint64_t begun_ns = uv_hrtime();
    connection->reply = control->options.answer(control->options.arg, connection->line, line_len);
    pause_after(control, uv_hrtime() - begun_ns);
    if (connection->reply == NULL) {
        hang_up(connection);
        return;
    }
    uv_buf_t buffer = uv_buf_init(connection->reply, (unsigned)strlen(connection->reply));
    connection->write.data = connection;
    (void)uv_timer_start(&connection->deadline, on_deadline, CONTROL_REPLY_TIMEOUT_MS, 0);
    if (uv_write(&connection->write, (uv_stream_t *)&connection->pipe, &buffer, 1, on_written) !=
        0) {
        hang_up(connection);
    }
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    (void)suggested;
    struct connection *connection = handle->data;
    *ret_buffer = uv_buf_init(connection->line + connection->len,
                              (unsigned)(sizeof(connection->line) - connection->len));
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    (void)buffer;
    struct connection *connection = stream->data;
    if (got < 0) {
        hang_up(connection); /* also when there was no room left: ENOBUFS */
        return;
    }
    connection->len += (size_t)got;
    const char *end = memchr(connection->line, '\n', connection->len);
    if (end != NULL) {
        reply_to(connection, (size_t)(end - connection->line));
    }
}

/* --- connections --- */

static struct connection *find_free(struct control *control)
{
    for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        if (control->connections[i].open == 0) {
            return &control->connections[i];
        }
    }
    return NULL;
}

/* The file's mode says it already; but a directory may have been opened to others. */
static bool is_trusted(uv_pipe_t *pipe)
{
    uv_os_fd_t fd;
    struct ucred peer;
    socklen_t size = sizeof(peer);
    return uv_fileno((uv_handle_t *)pipe, &fd) == 0 &&
           getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static void take(struct control *control, struct connection *connection)
{
    connection->control = control;
    connection->len = 0;
    connection->open = 2;
    (void)uv_pipe_init(control->options.loop, &connection->pipe, 0);
    (void)uv_timer_init(control->options.loop, &connection->deadline);
    connection->pipe.data = connection;
    connection->deadline.data = connection;
    uv_unref((uv_handle_t *)&connection->deadline);
    int rc = uv_accept((uv_stream_t *)&control->listener, (uv_stream_t *)&connection->pipe);
    uv_unref((uv_handle_t *)&connection->pipe);
    if (rc != 0 || !is_trusted(&connection->pipe)) {
        hang_up(connection);
        return;
    }
    (void)uv_timer_start(&connection->deadline, on_deadline, CONTROL_REQUEST_TIMEOUT_MS, 0);
    (void)uv_read_start((uv_stream_t *)&connection->pipe, on_room, on_read);
}

/* Whoever is not accepted waits in the kernel's queue: libuv stops listening meanwhile. */
static void let_in(struct control *control)
{
    struct connection *connection = find_free(control);
    if (control->waiting && !control->pausing && connection != NULL) {
        control->waiting = false;
        take(control, connection);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct control *control = listener->data;
    if (status == 0) {
        control->waiting = true;
        let_in(control);
    }
}

/* --- life --- */

static void on_own_closed(uv_handle_t *handle)
{
    struct control *control = handle->data;
    control->open--;
    free_when_closed(control);
}

static int begin(struct control *control, int fd)
{
    uv_loop_t *loop = control->options.loop;
    (void)uv_pipe_init(loop, &control->listener, 0);
    (void)uv_timer_init(loop, &control->pause);
    control->listener.data = control;
    control->pause.data = control;
    control->open = 2;
    uv_unref((uv_handle_t *)&control->pause);
    int rc = uv_pipe_open(&control->listener, fd);
    if (rc != 0) {
        (void)close(fd);
        return rc;
    }
    rc = uv_listen((uv_stream_t *)&control->listener, BACKLOG, on_connection);
    uv_unref((uv_handle_t *)&control->listener);
    return rc;
}

int control_open(const struct control_options *options,
                 struct err_text *ret_error,
                 struct control **ret_control)
{
    int fd = -1;
    int rc = 0;
    struct control *control = calloc(1, sizeof(*control));
    if (control == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for the control socket");
    }
    control->options = *options;
    if (options->path != NULL) {
        rc = control_listen(options->path, ret_error, &fd);
        (void)snprintf(control->path, sizeof(control->path), "%s", options->path);
    } else {
        rc = control_listen_default(control->path, &fd);
    }
    if (rc != 0) {
        free(control);
        *ret_control = NULL;
        return options->path != NULL ? rc : 0;
    }
    rc = begin(control, fd);
    if (rc != 0) {
        (void)err_set(ret_error,
                      ERR_IO,
                      "cannot listen at the control socket '%s': %s",
                      control->path,
                      uv_strerror(rc));
        control_close(control);
        *ret_control = NULL;
        return options->path != NULL ? ERR_IO : 0;
    }
    *ret_control = control;
    return 0;
}

void control_close(struct control *control)
{
    if (control == NULL) {
        return;
    }
    (void)unlink(control->path);
    control->closing = true;
    for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        if (control->connections[i].open > 0) {
            hang_up(&control->connections[i]);
        }
    }
    uv_close((uv_handle_t *)&control->listener, on_own_closed);
    uv_close((uv_handle_t *)&control->pause, on_own_closed);
}
