#include "coordinator/launch/launch_child.h"

#include "common/base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OUTPUT, ERROR_OUTPUT, OUTPUTS };

/* One of its outputs. */
struct output {
    struct launch_child *child;
    uv_poll_t poll;
    int fd;
    char line[LAUNCH_LINE_SIZE];
    size_t len; /* of the line so far; what is beyond its size is dropped */
};

/* A file on its way to the input. */
struct feed {
    uv_poll_t poll; /* of the input; watched while `on` */
    bool on;
    int file;
    uint64_t size_bytes;
    uint64_t fed_bytes;
};

struct launch_child {
    const struct launch_child_handlers *handlers;
    void *arg;
    struct spawn_child process;
    uv_poll_t end;
    int input; /* -1: closed */
    struct feed feed;
    struct output outputs[OUTPUTS];
    int open; /* handles that are not closed yet */
};

/* --- its handles --- */

static void watch(struct launch_child *child,
                  uv_loop_t *loop,
                  uv_poll_t *handle,
                  int fd,
                  void *data)
{
    CHECK(uv_poll_init(loop, handle, fd) == 0);
    handle->data = data;
    child->open++;
}

static void on_closed(uv_handle_t *handle)
{
    struct launch_child *child = handle->data;
    if (--child->open == 0) {
        free(child);
    }
}

/* --- what it reads --- */

static void stop_feeding(struct launch_child *child)
{
    if (child->feed.on) {
        child->feed.on = false;
        uv_close((uv_handle_t *)&child->feed.poll, on_closed);
    }
}

void launch_child_end_input(struct launch_child *child)
{
    stop_feeding(child);
    if (child->input >= 0) {
        (void)close(child->input);
        child->input = -1;
    }
}

void launch_child_write(struct launch_child *child, const char *text, size_t len)
{
    CHECK(!child->feed.on);
    if (child->input >= 0) {
        (void)!write(child->input, text, len);
    }
}

/* One block at a time, so that others on the loop have their turn; what the pipe does not take is read again. */
static void feed_some(struct launch_child *child)
{
    struct feed *feed = &child->feed;
    char block[64 * 1024];
    uint64_t left = feed->size_bytes - feed->fed_bytes;
    size_t wanted = left < sizeof(block) ? (size_t)left : sizeof(block);
    ssize_t got = pread(feed->file, block, wanted, (off_t)feed->fed_bytes);
    if (got <= 0) {
        launch_child_end_input(child);
        return;
    }
    ssize_t put = write(child->input, block, (size_t)got);
    if (put < 0) {
        if (errno != EAGAIN && errno != EINTR) {
            stop_feeding(child); /* it does not read any more: its end tells */
        }
        return;
    }
    feed->fed_bytes += (uint64_t)put;
    if (feed->fed_bytes == feed->size_bytes) {
        stop_feeding(child);
    }
}

static void on_writable(uv_poll_t *handle, int status, int events)
{
    (void)events;
    if (status != 0) {
        stop_feeding(handle->data);
    } else {
        feed_some(handle->data);
    }
}

void launch_child_feed(struct launch_child *child, int file, uint64_t size_bytes)
{
    struct feed *feed = &child->feed;
    CHECK(feed->size_bytes == 0);
    if (child->input < 0 || size_bytes == 0) {
        return;
    }
    feed->file = file;
    feed->size_bytes = size_bytes;
    feed->on = true;
    watch(child, child->end.loop, &feed->poll, child->input, child);
    (void)uv_poll_start(&feed->poll, UV_WRITABLE, on_writable);
}

uint64_t launch_child_fed_bytes(const struct launch_child *child)
{
    return child->feed.fed_bytes;
}

/* --- what it says --- */

static void end_line(struct output *output)
{
    struct launch_child *child = output->child;
    if (output->len > 0 && output->line[output->len - 1] == '\r') {
        output->len--; /* ssh ends its lines for a terminal */
    }
    output->line[output->len] = '\0';
    output->len = 0;
    child->handlers->line(child->arg, output == &child->outputs[ERROR_OUTPUT], output->line);
}

static void take(struct output *output, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n') {
            end_line(output);
        } else if (output->len < sizeof(output->line) - 1) {
            output->line[output->len++] = bytes[i];
        }
    }
}

/* Returns false when nothing more will come. */
static bool read_some(struct output *output)
{
    char bytes[4096];
    ssize_t got = read(output->fd, bytes, sizeof(bytes));
    if (got > 0) {
        take(output, bytes, (size_t)got);
    }
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

static void on_output(uv_poll_t *handle, int status, int events)
{
    struct output *output = handle->data;
    (void)events;
    if (status != 0 || !read_some(output)) {
        (void)uv_poll_stop(handle);
    }
}

/* Everything that it wrote before its end is in the pipe. (The end of the pipe is not waited for: a
 * master connection that ssh leaves behind holds it open.) */
static void read_rest(struct output *output)
{
    enum { READS_MAX = 64 };

    struct pollfd readable = {.fd = output->fd, .events = POLLIN};
    for (int i = 0; i < READS_MAX && poll(&readable, 1, 0) == 1; i++) {
        if (!read_some(output)) {
            break;
        }
    }
    if (output->len > 0) {
        end_line(output);
    }
}

/* --- its end --- */

static void on_output_closed(uv_handle_t *handle)
{
    struct output *output = handle->data;
    handle->data = output->child;
    on_closed(handle);
}

static void on_end(uv_poll_t *handle, int status, int events)
{
    struct launch_child *child = handle->data;
    struct spawn_end end;
    (void)status;
    (void)events;
    uv_close((uv_handle_t *)&child->end, on_closed);
    spawn_reap(&child->process, &end);
    launch_child_end_input(child);
    for (int i = 0; i < OUTPUTS; i++) {
        read_rest(&child->outputs[i]);
        uv_close((uv_handle_t *)&child->outputs[i].poll, on_output_closed);
        (void)close(child->outputs[i].fd);
    }
    child->handlers->ended(child->arg, &end);
}

/* --- its start --- */

struct pipes {
    int in[2], out[2], err[2];
};

static void close_pipes(struct pipes *pipes)
{
    int *const ends[] = {pipes->in, pipes->out, pipes->err};
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < 2; k++) {
            if (ends[i][k] >= 0) {
                (void)close(ends[i][k]);
            }
        }
    }
}

static int start_process(const char *path,
                         const char *const *argv,
                         bool ends_in_order,
                         struct pipes *pipes,
                         struct err_text *ret_error,
                         struct spawn_child *ret_process)
{
    if (pipe2(pipes->in, O_CLOEXEC) != 0 || pipe2(pipes->out, O_CLOEXEC) != 0 ||
        pipe2(pipes->err, O_CLOEXEC) != 0) {
        return err_set(
            ret_error, ERR_IO, "cannot make a pipe to '%s': %s", argv[0], strerror(errno));
    }
    (void)fcntl(pipes->in[1], F_SETFL, O_NONBLOCK);
    const struct spawn_options options = {
        .path = path,
        .argv = (char *const *)(uintptr_t)argv, /* exec does not write to them */
        .envp = environ,
        .in = pipes->in[0],
        .out = pipes->out[1],
        .err = pipes->err[1],
        .ends_with_thread = true,
        .ends_in_order = ends_in_order,
    };
    return spawn(&options, ret_error, ret_process);
}

int launch_child_start(uv_loop_t *loop,
                       const char *const *argv,
                       const struct launch_child_handlers *handlers,
                       void *arg,
                       struct err_text *ret_error,
                       struct launch_child **ret_child)
{
    struct pipes pipes = {{-1, -1}, {-1, -1}, {-1, -1}};
    struct launch_child *child = calloc(1, sizeof(*child));
    if (child == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory to start '%s'", argv[0]);
    }
    char *path = NULL;
    int rc = path_find(argv[0], NULL, ret_error, &path);
    rc = rc != 0 ? rc
                 : start_process(
                       path, argv, handlers->ends_in_order, &pipes, ret_error, &child->process);
    free(path);
    if (rc != 0) {
        close_pipes(&pipes);
        free(child);
        return rc;
    }
    child->handlers = handlers;
    child->arg = arg;
    child->input = pipes.in[1];
    child->outputs[OUTPUT].fd = pipes.out[0];
    child->outputs[ERROR_OUTPUT].fd = pipes.err[0];
    watch(child, loop, &child->end, child->process.pidfd, child);
    (void)uv_poll_start(&child->end, UV_READABLE, on_end);
    for (int i = 0; i < OUTPUTS; i++) {
        struct output *output = &child->outputs[i];
        output->child = child;
        watch(child, loop, &output->poll, output->fd, output);
        (void)uv_poll_start(&output->poll, UV_READABLE | UV_DISCONNECT, on_output);
    }
    pipes.in[1] = pipes.out[0] = pipes.err[0] = -1; /* the child's from now on */
    close_pipes(&pipes);
    *ret_child = child;
    return 0;
}

void launch_child_signal(struct launch_child *child, int signal)
{
    spawn_signal_group(&child->process, signal);
}
