#include "worker/workloads/exec_child.h"

#include "common/base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* After a cancel the time between TERM and KILL is short: somebody waits. */
static const uint64_t cancel_grace_ns = 100ULL * 1000 * 1000;

uint64_t exec_now_ns(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

int exec_child_init(struct exec_child *self, struct exec_state *state)
{
    *self = (struct exec_child){
        .state = state,
        .process = {.pidfd = -1},
        .streams = {-1, -1, -1},
        .held = {-1, -1},
        .captures = {{.limit = state->output_max}, {.limit = state->output_max}},
    };
    return exec_environment_init(&self->environment, state->environment, state->environment_count);
}

void exec_child_deinit(struct exec_child *self)
{
    exec_environment_deinit(&self->environment);
    command_argv_deinit(&self->argv);
    capture_deinit(&self->captures[EXEC_OUT]);
    capture_deinit(&self->captures[EXEC_ERR]);
}

/* --- begin --- */

static void close_if_open(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

static int no_pipe(struct err_text *ret_error)
{
    return err_set(ret_error,
                   ERR_IO,
                   "cannot make a pipe: %s (run fewer at once, or raise ulimit -n)",
                   strerrordesc_np(errno));
}

/* The child's end must block, as programs expect; ours need not be made to: it is read only when
 * there is something. */
static int open_output(struct exec_child *self, enum exec_stream stream)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return ERR_IO;
    }
    self->streams[stream] = ends[0];
    self->held[stream] = ends[1];
    return 0;
}

/* Most items fit into an empty pipe: then it is written and closed before the child begins. */
static int open_input(struct exec_child *self, int *ret_end)
{
    int ends[2];
    self->input = command_item_text(self->item, self->number, &self->input_len);
    if (self->input_len == 0) {
        return 0;
    }
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return ERR_IO;
    }
    (void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
    self->streams[EXEC_IN] = ends[1];
    *ret_end = ends[0];
    if (!exec_child_serve(self, EXEC_IN)) {
        exec_child_close(self, EXEC_IN);
    }
    return 0;
}

static int open_streams(struct exec_child *self, int *ret_input_end, struct err_text *ret_error)
{
    if (open_output(self, EXEC_OUT) != 0 || open_output(self, EXEC_ERR) != 0 ||
        (self->state->to_stdin && open_input(self, ret_input_end) != 0)) {
        return no_pipe(ret_error);
    }
    return 0;
}

static int start(struct exec_child *self,
                 const char *program,
                 int input_end,
                 struct err_text *ret_error)
{
    const struct spawn_options options = {
        .path = program,
        .argv = self->argv.list,
        .envp = self->environment.list,
        .cwd = self->state->cwd,
        .in = input_end >= 0 ? input_end : self->state->null,
        .out = self->held[EXEC_OUT],
        .err = self->held[EXEC_ERR],
        /* A slot's thread, and a loop's, ends only when no child of it is left. */
        .ends_with_thread = true,
    };
    return spawn(&options, ret_error, &self->process);
}

/* The program's path: known, or to be looked for when the item is part of its name. */
static int start_program(struct exec_child *self, int input_end, struct err_text *ret_error)
{
    if (self->state->program != NULL) {
        return start(self, self->state->program, input_end, ret_error);
    }
    char *program = NULL;
    int rc = path_find(self->argv.list[0], self->state->cwd, ret_error, &program);
    if (rc == 0) {
        rc = start(self, program, input_end, ret_error);
        free(program);
    }
    return rc;
}

static void let_go(struct exec_child *self)
{
    close_if_open(&self->held[EXEC_OUT]);
    close_if_open(&self->held[EXEC_ERR]);
}

static void close_streams(struct exec_child *self)
{
    for (int i = 0; i < EXEC_STREAMS; i++) {
        exec_child_close(self, (enum exec_stream)i);
    }
    let_go(self);
}

bool exec_child_begin(struct exec_child *self,
                      const struct workload_item *item,
                      struct workload_outcome *ret_outcome)
{
    struct err_text error = {.s = ""};
    int input_end = -1;
    self->item = item;
    self->phase = EXEC_RUNNING;
    self->leader_ended = false;
    self->timed_out = false;
    capture_begin(&self->captures[EXEC_OUT]);
    capture_begin(&self->captures[EXEC_ERR]);

    int rc = command_template_expand(self->state->command, item, &error, &self->argv);
    if (rc == 0 && exec_environment_set(&self->environment, item) != 0) {
        rc = err_set(&error, ERR_NOMEM, "no memory for an environment");
    }
    self->started_ns = exec_now_ns();
    rc = rc != 0 ? rc : open_streams(self, &input_end, &error);
    rc = rc != 0 ? rc : start_program(self, input_end, &error);
    close_if_open(&input_end);
    if (rc != 0) {
        close_streams(self);
        exec_outcome_fail(error.s, ret_outcome);
        return false;
    }
    return true;
}

/* --- while it runs --- */

static bool write_input(struct exec_child *self)
{
    ssize_t sent = write(self->streams[EXEC_IN], self->input, self->input_len);
    if (sent < 0) {
        return errno == EAGAIN || errno == EINTR; /* otherwise it does not want to read */
    }
    self->input += sent;
    self->input_len -= (size_t)sent;
    return self->input_len > 0;
}

bool exec_child_serve(struct exec_child *self, enum exec_stream stream)
{
    return stream == EXEC_IN ? write_input(self)
                             : capture_read(&self->captures[stream], self->streams[stream]);
}

void exec_child_close(struct exec_child *self, enum exec_stream stream)
{
    close_if_open(&self->streams[stream]);
}

void exec_child_leader_ended(struct exec_child *self)
{
    self->leader_ended = true;
}

static uint64_t deadline_ns(const struct exec_child *self)
{
    switch (self->phase) {
    case EXEC_RUNNING: {
        uint64_t limit_ns = time_limit_ns(&self->state->limit);
        return limit_ns < UINT64_MAX - self->started_ns ? self->started_ns + limit_ns : UINT64_MAX;
    }
    case EXEC_ASKED:
        return self->kill_at_ns;
    case EXEC_KILLED:
        return UINT64_MAX;
    }
    check_failed(__FILE__, __LINE__, "a phase that is in the list");
}

uint64_t exec_child_look_ns(const struct exec_child *self, uint64_t now_ns)
{
    uint64_t look_ns = deadline_ns(self);
    if (self->phase == EXEC_RUNNING && time_limit_moves(&self->state->limit) &&
        look_ns > now_ns + EXEC_LOOK_NS) {
        return now_ns + EXEC_LOOK_NS;
    }
    return look_ns;
}

/* From here on it matters whether somebody has the output open. */
static void ask_to_end(struct exec_child *self, uint64_t kill_at_ns)
{
    let_go(self);
    spawn_signal_group(&self->process, SIGTERM);
    self->phase = EXEC_ASKED;
    self->kill_at_ns = kill_at_ns;
}

void exec_child_on_time(struct exec_child *self, uint64_t now_ns)
{
    if (exec_child_done(self) || now_ns < deadline_ns(self)) {
        return;
    }
    if (self->phase == EXEC_RUNNING) {
        self->timed_out = true;
        self->limit_ns = time_limit_ns(&self->state->limit);
        ask_to_end(self, now_ns + self->state->kill_after_ns);
    } else {
        spawn_signal_group(&self->process, SIGKILL);
        self->phase = EXEC_KILLED;
    }
}

void exec_child_cancel(struct exec_child *self, uint64_t now_ns)
{
    if (exec_child_done(self)) {
        return;
    }
    uint64_t kill_after_ns = self->state->kill_after_ns;
    uint64_t kill_at_ns = now_ns +
                          (kill_after_ns < cancel_grace_ns ? kill_after_ns : cancel_grace_ns);
    if (self->phase == EXEC_RUNNING) {
        ask_to_end(self, kill_at_ns);
    } else if (self->kill_at_ns > kill_at_ns) {
        self->kill_at_ns = kill_at_ns;
    }
}

bool exec_child_done(const struct exec_child *self)
{
    bool silent = self->streams[EXEC_OUT] < 0 && self->streams[EXEC_ERR] < 0;
    return self->leader_ended && (self->phase != EXEC_ASKED || silent);
}

/* --- end --- */

static void finish(struct exec_child *self, struct spawn_end *ret_end)
{
    if (self->phase == EXEC_ASKED) {
        spawn_signal_group(&self->process, SIGKILL);
    }
    for (int i = EXEC_OUT; i <= EXEC_ERR; i++) {
        if (self->streams[i] >= 0) {
            capture_drain(&self->captures[i], self->streams[i]);
        }
    }
    close_streams(self);
    spawn_reap(&self->process, ret_end);
}

void exec_child_end(struct exec_child *self, struct workload_outcome *ret_outcome)
{
    struct spawn_end end;
    finish(self, &end);
    exec_outcome_set(self, &end, ret_outcome);
    if (ret_outcome->ok && time_limit_moves(&self->state->limit)) {
        time_limit_finished(&self->state->limit, exec_now_ns() - self->started_ns);
    }
}

void exec_child_abort(struct exec_child *self,
                      const char *reason,
                      struct workload_outcome *ret_outcome)
{
    struct spawn_end end;
    spawn_signal_group(&self->process, SIGKILL);
    finish(self, &end);
    exec_outcome_fail(reason, ret_outcome);
}
