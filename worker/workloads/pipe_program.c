/* The child and its pipes; see pipe_program.h. */
#include "worker/workloads/pipe_program.h"

#include "common/base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
    EXIT_GRACE_MS = 100, /* between the end of its output and its own */
    SLICE_MS = 100,
    ERRORS_READS = 64, /* of standard error in one turn */
};

void pipe_program_init(struct pipe_program *program, enum pipe_framing framing, size_t answer_max)
{
    *program = (struct pipe_program){
        .child = {.pidfd = -1}, .input = -1, .output = -1, .errors = -1};
    pipe_splitter_init(&program->answers, framing, answer_max);
}

void pipe_program_deinit(struct pipe_program *program)
{
    pipe_program_kill(program);
    pipe_splitter_deinit(&program->answers);
    free(program->outbox.bytes);
    program->outbox = (struct pipe_outbox){0};
}

static void close_descriptor(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

/* --- start --- */

/* The ends of three pipes: ours, and the child's. */
struct ends {
    int ours[3];
    int theirs[3];
};

static void close_all(int fds[3])
{
    for (int i = 0; i < 3; i++) {
        close_descriptor(&fds[i]);
    }
}

/* Ours never block; theirs do, as a program expects. */
static bool open_pipes(struct ends *ends)
{
    for (int i = 0; i < 3; i++) {
        int fds[2];
        if (pipe2(fds, O_CLOEXEC) != 0) {
            return false;
        }
        bool we_write = i == STDIN_FILENO;
        ends->ours[i] = fds[we_write ? 1 : 0];
        ends->theirs[i] = fds[we_write ? 0 : 1];
        if (fcntl(ends->ours[i], F_SETFL, O_NONBLOCK) != 0) {
            return false;
        }
    }
    return true;
}

static void become(struct pipe_program *program, const struct ends *ends)
{
    program->runs = true;
    program->exited = false;
    program->killed = false;
    program->end_input = false;
    program->written = 0;
    program->read_nothing = false;
    program->input = ends->ours[STDIN_FILENO];
    program->output = ends->ours[STDOUT_FILENO];
    program->errors = ends->ours[STDERR_FILENO];
    program->outbox.start = 0;
    program->outbox.end = 0;
    pipe_words_reset(&program->words);
    pipe_splitter_reset(&program->answers);
}

int pipe_program_start(struct pipe_program *program,
                       const struct pipe_command *command,
                       struct err_text *ret_error)
{
    CHECK(!program->runs);
    struct ends ends = {.ours = {-1, -1, -1}, .theirs = {-1, -1, -1}};
    int rc;
    if (!open_pipes(&ends)) {
        rc = err_set(ret_error,
                     ERR_IO,
                     "no pipes to '%s': %s (raise ulimit -n)",
                     command->path,
                     strerrordesc_np(errno));
    } else {
        struct spawn_options options = {
            .path = command->path,
            .argv = command->words,
            .envp = command->environment,
            .cwd = command->cwd,
            .in = ends.theirs[STDIN_FILENO],
            .out = ends.theirs[STDOUT_FILENO],
            .err = ends.theirs[STDERR_FILENO],
            .ends_with_thread = true,
        };
        rc = spawn(&options, ret_error, &program->child);
    }
    close_all(ends.theirs);
    if (rc != 0) {
        close_all(ends.ours);
        return rc;
    }
    become(program, &ends);
    return 0;
}

/* --- input --- */

char *pipe_program_frame(struct pipe_program *program, size_t size)
{
    struct pipe_outbox *outbox = &program->outbox;
    size_t pending = outbox->end - outbox->start;
    if (outbox->capacity - outbox->end < size && outbox->start > 0) {
        memmove(outbox->bytes, outbox->bytes + outbox->start, pending);
        outbox->start = 0;
        outbox->end = pending;
    }
    if (outbox->capacity - outbox->end < size) {
        size_t capacity = 2 * (size_t)PIPE_PENDING_ENOUGH + pending + size;
        char *bytes = realloc(outbox->bytes, capacity);
        if (bytes == NULL) {
            return NULL;
        }
        outbox->bytes = bytes;
        outbox->capacity = capacity;
    }
    char *frame = outbox->bytes + outbox->end;
    outbox->end += size;
    return frame;
}

size_t pipe_program_pending(const struct pipe_program *program)
{
    return program->outbox.end - program->outbox.start;
}

size_t pipe_program_unread(const struct pipe_program *program)
{
    int unread = 0;
    if (program->input < 0 || ioctl(program->input, FIONREAD, &unread) != 0 || unread < 0) {
        return 0;
    }
    return (size_t)unread;
}

bool pipe_program_listens(const struct pipe_program *program)
{
    return program->input >= 0 && !program->end_input;
}

void pipe_program_end_input(struct pipe_program *program)
{
    program->end_input = true;
}

static unsigned go_deaf(struct pipe_program *program)
{
    program->read_nothing = pipe_program_unread(program) == program->written;
    close_descriptor(&program->input);
    program->outbox.start = 0;
    program->outbox.end = 0;
    return PIPE_DEAF | PIPE_CLOSED;
}

static unsigned write_input(struct pipe_program *program)
{
    struct pipe_outbox *outbox = &program->outbox;
    unsigned events = 0;
    if (program->input < 0) {
        return 0;
    }
    while (outbox->start < outbox->end) {
        ssize_t put = write(
            program->input, outbox->bytes + outbox->start, outbox->end - outbox->start);
        if (put > 0) {
            outbox->start += (size_t)put;
            program->written += (size_t)put;
            events |= PIPE_TOOK;
        } else if (errno == EAGAIN) {
            return events;
        } else if (errno != EINTR) {
            return events | go_deaf(program);
        }
    }
    outbox->start = 0;
    outbox->end = 0;
    if (program->end_input) {
        close_descriptor(&program->input);
        events |= PIPE_CLOSED;
    }
    return events;
}

/* --- output --- */

static unsigned read_output(struct pipe_program *program)
{
    size_t size = 0;
    char *room = pipe_splitter_room(&program->answers, &size);
    if (room == NULL) {
        return PIPE_NOMEM;
    }
    ssize_t got = read(program->output, room, size);
    if (got > 0) {
        pipe_splitter_add(&program->answers, (size_t)got);
        return PIPE_SAID;
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        close_descriptor(&program->output);
    }
    return 0;
}

/* --- errors --- */

static void drain_errors(struct pipe_program *program)
{
    char bytes[8192];
    for (int i = 0; i < ERRORS_READS && program->errors >= 0; i++) {
        ssize_t got = read(program->errors, bytes, sizeof(bytes));
        if (got > 0) {
            pipe_words_add(&program->words, bytes, (size_t)got);
        } else if (got < 0 && errno == EAGAIN) {
            return;
        } else if (got == 0 || errno != EINTR) {
            close_descriptor(&program->errors);
        }
    }
}

/* --- end --- */

/* Its group first, while the zombie still keeps the number from being used again. */
static void reap(struct pipe_program *program)
{
    spawn_signal_group(&program->child, SIGKILL);
    spawn_reap(&program->child, &program->end);
    program->cpu_ended_us += program->end.cpu_us;
    program->exited = true;
}

uint64_t pipe_program_cpu_us(struct pipe_program *program)
{
    uint64_t total_us = program->cpu_ended_us;
    clockid_t clock;
    struct timespec used;
    if (program->runs && !program->exited && clock_getcpuclockid(program->child.pid, &clock) == 0 &&
        clock_gettime(clock, &used) == 0) {
        total_us += (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
    }
    /* What a program's own children spent shows only at its end, when it counts them in. */
    uint64_t news_us = total_us > program->cpu_told_us ? total_us - program->cpu_told_us : 0;
    program->cpu_told_us += news_us;
    return news_us;
}

static bool await_exit(struct pipe_program *program, int timeout_ms)
{
    struct pollfd fd = {.fd = program->child.pidfd, .events = POLLIN};
    return poll(&fd, 1, timeout_ms) > 0;
}

unsigned pipe_program_turn(struct pipe_program *program, int timeout_ms, bool more)
{
    enum { INPUT, OUTPUT, ERRORS, EXIT, COUNT };

    unsigned events = write_input(program);
    bool pending = program->outbox.start < program->outbox.end;
    struct pollfd fds[COUNT] = {
        [INPUT] = {.fd = program->input, .events = pending ? POLLOUT : 0},
        [OUTPUT] = {.fd = program->output, .events = POLLIN},
        [ERRORS] = {.fd = program->errors, .events = POLLIN},
        [EXIT] = {.fd = program->child.pidfd, .events = POLLIN},
    };
    bool hurry = program->exited || (more && !pending);
    if (poll(fds, COUNT, hurry ? 0 : timeout_ms) < 0) {
        return events; /* a signal; the caller comes again */
    }
    if (fds[ERRORS].revents != 0) {
        drain_errors(program);
    }
    if (fds[OUTPUT].revents != 0) {
        events |= read_output(program);
    } else if (program->exited) {
        close_descriptor(&program->output); /* someone else holds it; ours is done with it */
    }
    if ((fds[INPUT].revents & POLLERR) != 0) {
        events |= go_deaf(program);
    }
    if (fds[EXIT].revents != 0) {
        reap(program);
    } else if (program->output < 0 && !program->exited) {
        (void)await_exit(program, EXIT_GRACE_MS);
        reap(program);
    }
    if (program->exited && program->output < 0) {
        if (program->input >= 0) {
            events |= go_deaf(program);
        }
        drain_errors(program);
        events |= PIPE_OVER;
    }
    return events;
}

void pipe_program_kill(struct pipe_program *program)
{
    if (!program->runs) {
        return;
    }
    if (!program->exited) {
        program->killed = true;
        reap(program);
    }
    if (program->errors >= 0) {
        drain_errors(program);
    }
    close_descriptor(&program->input);
    close_descriptor(&program->output);
    close_descriptor(&program->errors);
    program->runs = false;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t pipe_program_finish(struct pipe_program *program,
                             int grace_ms,
                             bool (*hurry)(void *arg),
                             void *arg)
{
    uint64_t said = 0;
    unsigned events = 0;
    uint64_t now = now_ms();
    uint64_t end = now + (uint64_t)grace_ms;
    pipe_program_end_input(program);
    while (program->runs && (events & PIPE_OVER) == 0 && now < end && !hurry(arg)) {
        uint64_t slice = end - now < SLICE_MS ? end - now : SLICE_MS;
        said += program->answers.end - program->answers.start;
        pipe_splitter_reset(&program->answers);
        events = pipe_program_turn(program, (int)slice, false);
        now = now_ms();
    }
    said += program->answers.end - program->answers.start;
    pipe_program_kill(program);
    return said;
}

/* --- words --- */

void pipe_program_describe_end(const struct pipe_program *program, char *ret_text, size_t size)
{
    if (program->end.signal == 0) {
        (void)snprintf(ret_text, size, "exited with status %d", program->end.exit_status);
        return;
    }
    const char *name = sigdescr_np(program->end.signal);
    (void)snprintf(ret_text,
                   size,
                   "was killed by signal %d (%s)",
                   program->end.signal,
                   name == NULL ? "unknown" : name);
}

bool pipe_program_ended_well(const struct pipe_program *program)
{
    return program->exited && program->end.signal == 0 && program->end.exit_status == 0;
}
