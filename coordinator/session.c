#include "coordinator/session.h"

#include "common/base/check.h"
#include "coordinator/fleet.h"
#include "coordinator/local.h"
#include "coordinator/origin_child.h"
#include "coordinator/progress.h"
#include "coordinator/server.h"
#include "coordinator/sink.h"
#include "coordinator/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    HEARTBEAT_MS = 1000,
    WORKERS_MAX = 16384,
    LOCAL_START_LIMIT_US = 30 * 1000 * 1000,
    BYE_GRACE_MS = 2000,
    INTERRUPTED_GRACE_MS = 200, /* for workers that were just starting, and heard no BYE */
    US_PER_MS = 1000,
    SINK_GRACE_US = 500 * 1000, /* for results not written yet, after a signal */
};

struct session {
    const struct options *options;
    struct zygote *zygote;
    struct stage stage;
    bool staged;
    struct progress *progress;
    struct server *server;
    struct fleet *fleet;
    struct origin_child *origin;
    uint32_t expected; /* workers that session_run begins with */
    bool closing;      /* workers that end are no news */
};

/* --- workers --- */

static void on_worker_ended(void *arg, uint32_t alive, const char *how)
{
    struct session *session = arg;
    if (session->closing) {
        return;
    }
    if (!session->options->quiet && session_signal(session) == 0) {
        progress_clear(session->progress);
        (void)fprintf(stderr, "quartet: worker %s\n", how);
    }
    /* Nobody but the ones started here is expected unless workers come by themselves. */
    if (alive == 0 && session->options->listen == NULL) {
        server_no_more_workers(session->server, true);
    }
}

static bool all_came(void *arg)
{
    const struct session *session = arg;
    bool died = session->fleet != NULL && fleet_alive(session->fleet) < session->options->workers;
    return died || server_workers(session->server) >= session->expected;
}

/* Start what is missing of the local workers and wait until everybody who is expected is registered. */
static int gather_workers(struct session *session, uint64_t timeout_us, struct err_text *ret_error)
{
    const struct options *options = session->options;
    if (options->workers > 0) {
        int rc = fleet_ensure(session->fleet, (uint32_t)options->workers, ret_error);
        if (rc != 0) {
            return rc;
        }
        server_no_more_workers(session->server, false);
    }
    int rc = stage_wait(&session->stage, all_came, session, timeout_us);
    uint32_t came = server_workers(session->server);
    if (rc == 0 && came >= session->expected) {
        return 0;
    }
    if (rc == 0) {
        return err_set(ret_error,
                       ERR_CHILD,
                       "a worker of this machine ended while it was starting: %s",
                       fleet_last_end(session->fleet));
    }
    if (rc == ERR_CANCELLED) {
        return err_set(ret_error, rc, "interrupted while waiting for workers");
    }
    char names[256];
    if (session->options->listen == NULL) {
        return err_set(
            ret_error,
            rc,
            "waited %.3g s for %u workers started on this machine: %u connected to %s; is "
            "its loopback network up?",
            (double)timeout_us / 1e6,
            session->expected,
            came,
            server_endpoint(session->server));
    }
    return err_set(
        ret_error,
        rc,
        "waited %.3g s for %u workers at %s: %u came%s%s, %u are missing; start them with "
        "'quartet-worker --connect %s'",
        (double)timeout_us / 1e6,
        session->expected,
        server_endpoint(session->server),
        came,
        came > 0 ? ": " : "",
        server_describe_workers(session->server, names, sizeof(names)),
        session->expected - came,
        server_endpoint(session->server));
}

static int open_workers(struct session *session, struct err_text *ret_error)
{
    const struct options *options = session->options;
    struct server_options server = {
        .endpoint = options->listen != NULL ? options->listen : "tcp://127.0.0.1:*",
        .insecure = options->insecure,
        .heartbeat_ms = HEARTBEAT_MS,
        .workers_max = WORKERS_MAX,
        .alone_limit_us = options->listen != NULL ? (uint64_t)(options->wait_timeout_s * 1e6) : 0,
        .quiet = options->quiet,
    };
    int rc = server_new(&session->stage, &server, ret_error, &session->server);
    if (rc != 0) {
        return rc;
    }
    struct fleet_options fleet = {
        .endpoint = server_endpoint(session->server),
        .quiet = options->quiet,
        .ended = on_worker_ended,
        .arg = session,
    };
    rc = fleet_new(&session->stage, &fleet, ret_error, &session->fleet);
    if (rc != 0) {
        return rc;
    }
    session->expected = (uint32_t)(options->workers + options->wait_count);
    if (options->listen != NULL && !options->quiet) {
        (void)fprintf(stderr,
                      "quartet: listening on %s, waiting for %llu worker%s\n",
                      server_endpoint(session->server),
                      (unsigned long long)options->wait_count,
                      options->wait_count == 1 ? "" : "s");
    }
    uint64_t timeout_us = options->listen != NULL ? (uint64_t)(options->wait_timeout_s * 1e6)
                                                  : (uint64_t)LOCAL_START_LIMIT_US;
    return gather_workers(session, timeout_us, ret_error);
}

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
    if (rc == 0 && options_distributed(options)) {
        rc = open_workers(session, ret_error);
    }
    return rc;
}

void session_close(struct session *session)
{
    if (session == NULL) {
        return;
    }
    session->closing = true;
    server_free(session->server);
    fleet_free(session->fleet, session_signal(session) != 0 ? INTERRUPTED_GRACE_MS : BYE_GRACE_MS);
    origin_child_stop(session->origin);
    if (session->staged) {
        stage_deinit(&session->stage);
    }
    progress_free(session->progress);
    free(session);
}

void session_run(struct session *session,
                 const struct job *job,
                 enum placement placement,
                 struct job_result *ret_result)
{
    if (placement == PLACEMENT_LOCAL) {
        local_run(&session->stage, session->zygote, job, ret_result);
        return;
    }
    struct err_text error = {{0}};
    if (session->options->workers > 0 &&
        gather_workers(session, LOCAL_START_LIMIT_US, &error) != 0) {
        job_result_fail(ret_result, error.s);
        return;
    }
    server_run(session->server, job, ret_result);
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
