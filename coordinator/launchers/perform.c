#include "coordinator/launchers/perform.h"

#include "common/base/check.h"
#include "common/io/secret_file.h"
#include "common/io/text.h"
#include "coordinator/launch/launch_child.h"
#include "coordinator/launchers/orphans.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum { LAST_LINES = 3, SIGNAL_COUNT = 3, ORPHANS_GRACE_MS = 1000 };

static const int signals[SIGNAL_COUNT] = {SIGINT, SIGTERM, SIGHUP};

struct performance {
    uv_loop_t loop;
    uv_signal_t signals[SIGNAL_COUNT];
    uv_timer_t leaving;
    int signal; /* the first that came; 0: none */

    /* The step that is on. */
    const struct plan_step *step;
    struct launch_child *child; /* NULL: none runs */
    struct spawn_end end;
    char last_lines[LAST_LINES][LAUNCH_LINE_SIZE]; /* of its standard error; the latest one first */
    char last_word[LAUNCH_LINE_SIZE];              /* of its standard output */
};

/* --- what a command says --- */

static void keep_last_word(struct performance *performance, char *line)
{
    char *word = strrchr(line, ' ');
    word = word == NULL ? line : word + 1;
    if (word[0] != '\0') {
        (void)snprintf(performance->last_word, sizeof(performance->last_word), "%s", word);
    }
}

/* Rules of dashes, as Open MPI draws them around its messages, say nothing. */
static bool says_something(const char *line)
{
    return line[strspn(line, " -=*")] != '\0';
}

static void keep_line(struct performance *performance, const char *line)
{
    if (!says_something(line)) {
        return;
    }
    memmove(performance->last_lines[1],
            performance->last_lines[0],
            sizeof(performance->last_lines) - sizeof(performance->last_lines[0]));
    (void)snprintf(performance->last_lines[0], LAUNCH_LINE_SIZE, "%s", line + strspn(line, " "));
}

static void on_line(void *arg, bool is_error_output, const char *text)
{
    struct performance *performance = arg;
    char line[LAUNCH_LINE_SIZE];
    (void)snprintf(line, sizeof(line), "%s", text);
    err_one_line(line);
    if (is_error_output) {
        keep_line(performance, line);
        (void)fprintf(stderr, "%s\n", line);
        return;
    }
    if (performance->step->said_then == NULL) {
        (void)printf("%s\n", line);
        (void)fflush(stdout);
    }
    keep_last_word(performance, line);
}

static void on_ended(void *arg, const struct spawn_end *end)
{
    struct performance *performance = arg;
    performance->end = *end;
    performance->child = NULL;
    (void)uv_timer_stop(&performance->leaving);
}

static const struct launch_child_handlers child_handlers = {.line = on_line,
                                                            .ended = on_ended,
                                                            .ends_in_order = true};

/* --- signals --- */

static void on_terminated_too_long(uv_timer_t *timer)
{
    struct performance *performance = timer->data;
    launch_child_signal(performance->child, SIGKILL);
}

/* The workers of a held input have gone; there is nothing that a command could still be waiting for but what does not come,
 * as mpirun does for a host that has vanished. */
static void on_leaving_too_long(uv_timer_t *timer)
{
    struct performance *performance = timer->data;
    launch_child_signal(performance->child, SIGTERM);
    if (performance->step->input == PLAN_HELD_TEXT) {
        (void)uv_timer_start(timer, on_terminated_too_long, PERFORM_LEAVING_MS, 0);
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct performance *performance = handle->data;
    bool again = performance->signal != 0;
    performance->signal = again ? performance->signal : number;
    if (performance->child == NULL) {
        return;
    }
    if (again) {
        launch_child_signal(performance->child, SIGKILL);
        return;
    }
    bool held = performance->step->input == PLAN_HELD_TEXT;
    launch_child_end_input(performance->child);
    (void)uv_timer_start(
        &performance->leaving, on_leaving_too_long, held ? PERFORM_LEAVING_MS : 0, 0);
}

/* --- one step --- */

static int start(struct performance *performance, struct err_text *ret_error)
{
    const char *const *argv = (const char *const *)performance->step->command.list;
    int rc = launch_child_start(
        &performance->loop, argv, &child_handlers, performance, ret_error, &performance->child);
    return rc == 0 || rc == ERR_NOMEM ? rc : ERR_CHILD;
}

static void feed(struct performance *performance)
{
    const struct plan_step *step = performance->step;
    if (step->text.len > 0) {
        launch_child_write(performance->child, step->text.text, step->text.len);
    }
    if (step->input != PLAN_HELD_TEXT) {
        launch_child_end_input(performance->child);
    }
}

/* How it ended, and its last words from the earliest on. */
static int describe_end(const struct performance *performance, struct err_text *ret_error)
{
    const char *name = performance->step->command.list[0];
    char how[64];
    char words[ERR_TEXT_SIZE] = "";
    if (performance->end.signal != 0) {
        (void)snprintf(how, sizeof(how), "was ended by signal %d", performance->end.signal);
    } else {
        (void)snprintf(how, sizeof(how), "exited with status %d", performance->end.exit_status);
    }
    for (int i = LAST_LINES - 1; i >= 0; i--) {
        if (performance->last_lines[i][0] != '\0') {
            text_append(words,
                        sizeof(words),
                        "%s%s",
                        words[0] == '\0' ? ": " : " / ",
                        performance->last_lines[i]);
        }
    }
    return err_set(ret_error, ERR_CHILD, "'%.64s' %s%s", name, how, words);
}

static void say(const struct performance *performance)
{
    for (const char *at = performance->step->said_then; at != NULL && *at != '\0';) {
        bool gap = strncmp(at, "{}", 2) == 0;
        (void)fprintf(stdout, "%.*s", 1, gap ? "" : at);
        (void)fputs(gap ? performance->last_word : "", stdout);
        at += gap ? 2 : 1;
    }
    (void)fputs(performance->step->said_then == NULL ? "" : "\n", stdout);
    (void)fflush(stdout);
}

static int run(struct performance *performance, struct err_text *ret_error)
{
    memset(performance->last_lines, 0, sizeof(performance->last_lines));
    memset(performance->last_word, 0, sizeof(performance->last_word));
    struct orphans orphans;
    orphans_adopt(&orphans);
    int rc = start(performance, ret_error);
    if (rc == 0) {
        feed(performance);
    }
    while (performance->child != NULL) {
        (void)uv_run(&performance->loop, UV_RUN_ONCE);
    }
    orphans_end(&orphans, ORPHANS_GRACE_MS);
    if (rc == 0 && performance->signal == 0 &&
        (performance->end.exit_status != 0 || performance->end.signal != 0)) {
        rc = describe_end(performance, ret_error);
    }
    return rc;
}

/* There already, and as it is to be? */
static int expect_same(const struct plan_step *step, struct err_text *ret_error)
{
    char *there = NULL;
    int rc = secret_read(step->path, SECRET_TRUSTED, ret_error, &there, NULL);
    if (rc == 0 && strcmp(there, step->text.text) != 0) {
        rc = err_set(ret_error,
                     ERR_INVALID,
                     "'%.300s' is there already and is another one, which is left as it is: "
                     "remove it, or choose another name",
                     step->path);
    }
    secret_free(there);
    return rc;
}

static int write_file(const struct plan_step *step, struct err_text *ret_error)
{
    int rc = secret_write(step->path,
                          step->text.text,
                          step->is_private ? SECRET_PRIVATE : SECRET_TRUSTED,
                          step->kind == PLAN_WRITE,
                          ret_error);
    return rc == ERR_BUSY ? expect_same(step, ret_error) : rc;
}

/* A secret is for whoever reads this output, and not for a screen. */
static int print(const struct plan_step *step, struct err_text *ret_error)
{
    if (step->shown_text != NULL && isatty(STDOUT_FILENO) == 1) {
        return err_set(
            ret_error,
            ERR_INVALID,
            "this would show a secret on the terminal: pipe it on, write it to a file that "
            "is yours alone, or see the rest of it with --dry-run");
    }
    if (fputs(step->text.text, stdout) == EOF || fflush(stdout) != 0) {
        return err_set(ret_error, ERR_IO, "cannot write to standard output: %s", strerror(errno));
    }
    return 0;
}

static int do_step(struct performance *performance, struct err_text *ret_error)
{
    const struct plan_step *step = performance->step;
    int rc = 0;
    switch (step->kind) {
    case PLAN_RUN:
        rc = run(performance, ret_error);
        break;
    case PLAN_WRITE:
    case PLAN_INSTALL:
        rc = write_file(step, ret_error);
        break;
    case PLAN_PRINT:
        rc = print(step, ret_error);
        break;
    }
    if (rc == 0 && performance->signal == 0) {
        say(performance);
    }
    return rc;
}

/* --- all of them --- */

static int open_loop(struct performance *performance, struct err_text *ret_error)
{
    int rc = uv_loop_init(&performance->loop);
    if (rc != 0) {
        return err_set(ret_error, ERR_IO, "cannot make an event loop: %s", uv_strerror(rc));
    }
    (void)uv_timer_init(&performance->loop, &performance->leaving);
    performance->leaving.data = performance;
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        (void)uv_signal_init(&performance->loop, &performance->signals[i]);
        performance->signals[i].data = performance;
        (void)uv_signal_start(&performance->signals[i], on_signal, signals[i]);
    }
    return 0;
}

static void close_loop(struct performance *performance)
{
    uv_close((uv_handle_t *)&performance->leaving, NULL);
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        uv_close((uv_handle_t *)&performance->signals[i], NULL);
    }
    (void)uv_run(&performance->loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&performance->loop) == 0);
}

int perform(const struct plan *plan, struct err_text *ret_error, int *ret_signal)
{
    struct performance *performance = calloc(1, sizeof(*performance));
    if (performance == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory");
    }
    int rc = open_loop(performance, ret_error);
    if (rc != 0) {
        free(performance);
        return rc;
    }
    for (size_t i = 0; rc == 0 && performance->signal == 0 && i < plan->count; i++) {
        performance->step = &plan->steps[i];
        rc = do_step(performance, ret_error);
    }
    close_loop(performance);
    if (performance->signal != 0) {
        *ret_signal = performance->signal;
        rc = err_set(ret_error, ERR_CANCELLED, "ended by signal %d", performance->signal);
    }
    free(performance);
    return rc;
}
