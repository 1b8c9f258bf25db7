#include "coordinator/session/session.h"

#include "coordinator/origin/origin_child.h"
#include "coordinator/report/output.h"
#include "coordinator/report/progress.h"
#include "coordinator/session/local.h"
#include "coordinator/session/session_internal.h"
#include "coordinator/sink/sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BYE_GRACE_MS = 2000,
    INTERRUPTED_GRACE_MS = 200, /* for workers that were just starting, and heard no BYE */
    SINK_GRACE_US = 500 * 1000, /* for results not written yet, after a signal */
};

/* --- life --- */

int session_open(const struct options *options,
                 struct zygote *zygote,
                 struct err_text *ret_error,
                 struct session **ret_session)
{
    struct session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory");
    }
    *ret_session =
        session; /* also after a failure: its signal is asked for, and session_close ends what was begun */
    session->options = options;
    session->zygote = zygote;
    session->opened_us = stage_now_us();
    output_now(session->started, sizeof(session->started));
    /* Beside items that print to the same terminal a bar could not be read. */
    bool printing = options->sink.print && isatty(STDOUT_FILENO) != 0;
    bool bars = !options->no_progress && !options->quiet && !printing && progress_possible(stderr);
    session->progress = progress_new(stderr, bars, NULL);
    if (session->progress == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory");
    }
    int rc = stage_init(&session->stage, bars ? session->progress : NULL, ret_error);
    session->staged = rc == 0;
    session->stage.quiet = options->quiet;
    rc = rc != 0 ? rc : session_open_watch(session, ret_error);
    if (rc == 0 && options_distributed(options)) {
        rc = session_open_workers(session, ret_error);
        session_enter(session, STATUS_IDLE);
    }
    return rc;
}

void session_close(struct session *session)
{
    if (session == NULL) {
        return;
    }
    session->closing = true;
    session_keep_workers(session, false);
    session_close_watch(session);
    server_free(session->server);
    uint32_t grace_ms = session_signal(session) != 0 ? INTERRUPTED_GRACE_MS : BYE_GRACE_MS;
    if (session->launch != NULL) {
        session->launch->ops->close(session->launch, grace_ms);
    }
    fleet_free(session->fleet, grace_ms);
    origin_child_stop(session->origin);
    if (session->restarts.timer.data != NULL) {
        uv_close((uv_handle_t *)&session->restarts.timer, NULL);
    }
    if (session->staged) {
        stage_deinit(&session->stage);
    }
    progress_free(session->progress);
    free(session);
}

/* A run that ended because its workers did says how the last of them did. */
static void add_last_words(const struct session *session, struct job_result *result)
{
    const char *words = session->restarts.last_words;
    if (result->outcome == RUNNER_STALLED && words[0] != '\0' && session->options->listen == NULL) {
        size_t len = strlen(result->error);
        (void)snprintf(
            result->error + len, sizeof(result->error) - len, "; the last one: %s", words);
    }
}

static void run_distributed(struct session *session,
                            const struct job *job,
                            struct job_result *ret_result)
{
    struct err_text error = {{0}};
    bool ours = session->options->workers > 0 || session->launch != NULL;
    if (ours && session_gather_workers(session, &error) != 0) {
        job_result_fail(ret_result, error.s);
        return;
    }
    session_enter(session, STATUS_STARTING);
    session_keep_workers(session, true);
    server_run(session->server, job, ret_result);
    session_keep_workers(session, false);
    add_last_words(session, ret_result);
}

void session_run(struct session *session,
                 const struct job *job,
                 enum placement placement,
                 struct job_result *ret_result)
{
    session->job = job;
    session->placement = placement;
    if (placement == PLACEMENT_LOCAL) {
        session_enter(session, STATUS_STARTING);
        local_run(&session->stage, session->zygote, job, ret_result);
    } else {
        run_distributed(session, job, ret_result);
    }
    session->job = NULL;
    session_enter(session, STATUS_IDLE);
}

void session_kick(void *arg)
{
    struct session *session = arg;
    stage_kick(&session->stage);
}

static bool is_written(void *arg)
{
    return sink_is_written(arg);
}

bool session_await_sink(struct session *session, struct sink *sink)
{
    session_enter(session, STATUS_WRITING);
    sink_finish(sink);
    if (stage_wait(&session->stage, is_written, sink, UINT64_MAX / 2) != 0) {
        (void)stage_wait_anyway(&session->stage, is_written, sink, SINK_GRACE_US);
    }
    return sink_is_written(sink);
}

int session_signal(const struct session *session)
{
    return session == NULL ? 0 : session->stage.signal;
}

int session_origin(struct session *session, struct err_text *ret_error, const char **ret_url)
{
    int rc = 0;
    if (session->origin == NULL) {
        rc = origin_child_start(&session->stage, ret_error, &session->origin);
    }
    if (rc == 0) {
        *ret_url = origin_child_url(session->origin);
    }
    return rc;
}
