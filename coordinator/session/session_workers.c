/* The workers of a session: waiting for those that are expected, and starting those of this machine
 * again when they die. */
#include "common/io/descriptors.h"
#include "coordinator/server/server_status.h"
#include "coordinator/session/session_internal.h"

#include <stdio.h>
#include <string.h>

enum {
    HEARTBEAT_MS = 1000,
    RESTARTS_BESIDE = 3, /* see restart_init */
    RESTARTS_PER_WORKER = 2,
    PIPES_OF_A_HOST = 3, /* to and from its ssh */
    US_PER_MS = 1000,
};

/* --- starting again --- */

void session_review_workers(struct session *session)
{
    /* Nobody but the ones started here is expected unless workers come by themselves. */
    if (session->server == NULL || session->fleet == NULL || session->options->listen != NULL) {
        return;
    }
    size_t coming = fleet_alive(session->fleet) + session->restarts.waiting;
    if (session->launch != NULL) {
        coming += session->launch->ops->coming(session->launch);
    }
    server_no_more_workers(session->server, coming <= server_unable(session->server));
}

static void wait_to_start(struct session *session);

static void on_restart(uv_timer_t *timer)
{
    struct session *session = timer->data;
    struct session_restarts *restarts = &session->restarts;
    struct err_text error = {{0}};
    uint32_t alive = fleet_alive(session->fleet);
    uint32_t wanted = alive + restarts->waiting;
    int rc = fleet_ensure(session->fleet, wanted, &error);
    restarts->waiting = wanted - fleet_alive(session->fleet);
    if (rc != 0) {
        (void)snprintf(restarts->last_words, sizeof(restarts->last_words), "%s", error.s);
        wait_to_start(session);
    }
    session_review_workers(session);
}

/* `restarts->last_words` say what happened to those that wait. They are started after a while, or given up. */
static void wait_to_start(struct session *session)
{
    struct session_restarts *restarts = &session->restarts;
    struct sched_stats stats = {.items_done = 0};
    if (session->stage.runner != NULL) {
        runner_stats(session->stage.runner, &stats);
    }
    uint64_t delay_us = restart_after(
        &restarts->policy, server_registrations(session->server), stats.items_done);
    char text[ERR_TEXT_SIZE + 64];
    if (delay_us == RESTART_NEVER) {
        restarts->waiting = 0;
        (void)uv_timer_stop(&restarts->timer);
        (void)snprintf(text,
                       sizeof(text),
                       "%s; not started again: %u ended in a row and nothing got done",
                       restarts->last_words,
                       restarts->policy.in_a_row);
    } else {
        (void)snprintf(text, sizeof(text), "%s; started again", restarts->last_words);
        (void)uv_timer_start(&restarts->timer, on_restart, delay_us / US_PER_MS, 0);
    }
    stage_say(&session->stage, text);
}

/* Told to leave, or for its own reasons: it is not missed. */
static bool left_on_purpose(const struct fleet_end *end)
{
    return end->signal == 0 && end->status == 0;
}

static void on_worker_ended(void *arg, const struct fleet_end *end)
{
    struct session *session = arg;
    struct session_restarts *restarts = &session->restarts;
    if (session->closing || session_signal(session) != 0) {
        return;
    }
    (void)snprintf(restarts->last_words, sizeof(restarts->last_words), "worker %s", end->how);
    if (restarts->policy.limit > 0 && !left_on_purpose(end)) {
        restarts->waiting++;
        wait_to_start(session);
    } else {
        stage_say(&session->stage, restarts->last_words);
    }
    session_review_workers(session);
}

void session_keep_workers(struct session *session, bool keep)
{
    struct session_restarts *restarts = &session->restarts;
    const struct options *options = session->options;
    restarts->waiting = 0;
    restarts->policy.limit = 0;
    if (restarts->timer.data != NULL) {
        (void)uv_timer_stop(&restarts->timer);
    }
    if (keep && options->workers > 0) {
        restarts->last_words[0] = '\0';
        restart_init(&restarts->policy,
                     (uint32_t)(options->crash_limit + RESTARTS_BESIDE +
                                RESTARTS_PER_WORKER * options->workers));
    }
}

/* --- waiting for those that are expected --- */

/* Waiting helps only when somebody may leave: workers of our own do not. */
static bool is_full(const struct session *session)
{
    return session->options->listen == NULL && server_full(session->server)[0] != '\0';
}

static bool all_came(void *arg)
{
    struct session *session = arg;
    bool died = session->fleet != NULL && fleet_alive(session->fleet) < session->options->workers;
    return died || session_lost_host(session) || is_full(session) ||
           server_workers(session->server) >= session->expected;
}

/* Somebody may have come who was not let in: why the first one was not, or nothing. */
static const char *describe_refusals(const struct server *server, char *ret_text, size_t size)
{
    const char *first = server_first_refusal(server);
    (void)snprintf(ret_text,
                   size,
                   "%s%.200s%s",
                   first[0] == '\0' ? "" : "it ",
                   first,
                   first[0] == '\0' ? "" : " ('quartet-worker --doctor' there says more); ");
    return ret_text;
}

static int say_who_is_missing(const struct session *session,
                              uint64_t timeout_us,
                              struct err_text *ret_error)
{
    char names[256];
    char refused[256];
    uint32_t came = server_workers(session->server);
    const char *endpoint = server_endpoint(session->server);
    if (session->launch != NULL) {
        return session_say_missing_hosts(session, ERR_TIMEOUT, ret_error);
    }
    if (session->options->listen == NULL) {
        return err_set(
            ret_error,
            ERR_TIMEOUT,
            "waited %.3g s for %u workers started on this machine: %u connected to %s; is "
            "its loopback network up?",
            (double)timeout_us / 1e6,
            session->expected,
            came,
            endpoint);
    }
    return err_set(
        ret_error,
        ERR_TIMEOUT,
        "waited %.3g s for %u workers at %s: %u came%s%s, %u are missing; %s%s%sstart them with "
        "'quartet-worker %s %s'",
        (double)timeout_us / 1e6,
        session->expected,
        endpoint,
        came,
        came > 0 ? ": " : "",
        server_describe_workers(session->server, names, sizeof(names)),
        session->expected - came,
        server_full(session->server),
        server_full(session->server)[0] != '\0' ? "; " : "",
        describe_refusals(session->server, refused, sizeof(refused)),
        session->options->keys != NULL ? "--access" : "--connect",
        session->options->access != NULL ? session->options->access
        : session->options->keys != NULL ? "FILE"
                                         : endpoint);
}

/* Whoever is started here is there in a moment, or something is wrong. */
static uint64_t gathering_limit_us(const struct options *options)
{
    bool far = options->listen != NULL || options->hosts.count > 0;
    return far ? (uint64_t)(options->wait_timeout_s * 1e6) : (uint64_t)LOCAL_START_LIMIT_US;
}

int session_gather_workers(struct session *session, struct err_text *ret_error)
{
    const struct options *options = session->options;
    uint64_t timeout_us = gathering_limit_us(options);
    session_enter(session, STATUS_GATHERING);
    if (options->workers > 0) {
        int rc = fleet_ensure(session->fleet, (uint32_t)options->workers, ret_error);
        if (rc != 0) {
            return rc;
        }
        server_no_more_workers(session->server, false);
    }
    if (session->launch != NULL) {
        session->launch->ops->start(session->launch);
        server_no_more_workers(session->server, false);
    }
    int rc = stage_wait(&session->stage, all_came, session, timeout_us);
    if (rc == ERR_CANCELLED) {
        return err_set(ret_error, rc, "interrupted while waiting for workers");
    }
    if (rc != 0) {
        return say_who_is_missing(session, timeout_us, ret_error);
    }
    if (is_full(session)) {
        return err_set(
            ret_error, ERR_BUSY, "not all workers got in: %s", server_full(session->server));
    }
    if (session_lost_host(session)) {
        return session_say_missing_hosts(session, ERR_CHILD, ret_error);
    }
    if (server_workers(session->server) < session->expected) {
        return err_set(ret_error,
                       ERR_CHILD,
                       "a worker of this machine ended while it was starting: %s",
                       fleet_last_end(session->fleet));
    }
    return 0;
}

/* Before anybody is told to come: is there a file to be opened for each? */
static int expect_files(const struct options *options, struct err_text *ret_error)
{
    char what[64];
    uint64_t workers = options_workers(options);
    (void)snprintf(what,
                   sizeof(what),
                   "for %llu worker%s",
                   (unsigned long long)workers,
                   workers == 1 ? "" : "s");
    return descriptors_expect_later(
        workers + PIPES_OF_A_HOST * options->hosts.count, what, ret_error);
}

static int listen_for_workers(struct session *session, struct err_text *ret_error)
{
    const struct options *options = session->options;
    bool far = options->hosts.count > 0; /* through a tunnel they come from here */
    struct server_options server = {
        .endpoint = options->listen != NULL   ? options->listen
                    : far && !options->tunnel ? "tcp://*:*" /* IPv4 and IPv6 */
                                              : "tcp://127.0.0.1:*",
        .keys = options->keys,
        .run_keys = far && options->keys == NULL && !options->insecure,
        .insecure = options->insecure,
        .heartbeat_ms = HEARTBEAT_MS,
        .workers_max = WORKERS_MAX,
        .alone_limit_us = options->listen != NULL || far ? gathering_limit_us(options) : 0,
        .quiet = options->quiet,
    };
    int rc = server_new(&session->stage, &server, ret_error, &session->server);
    rc = rc != 0 ? rc : expect_files(options, ret_error);
    rc = rc != 0 ? rc : session_write_access(session, ret_error);
    if (rc == 0 && options->wait_count > 0 && !options->quiet) {
        (void)fprintf(stderr,
                      "quartet: listening on %s, waiting for %llu worker%s\n",
                      server_endpoint(session->server),
                      (unsigned long long)options->wait_count,
                      options->wait_count == 1 ? "" : "s");
    }
    return rc;
}

int session_open_workers(struct session *session, struct err_text *ret_error)
{
    const struct options *options = session->options;
    int rc = listen_for_workers(session, ret_error);
    if (rc != 0) {
        return rc;
    }
    const struct fleet_access access = {.grant = session_grant, .revoke = session_revoke};
    struct fleet_options fleet = {
        .endpoint = server_endpoint(session->server),
        .access = server_public_key(session->server) != NULL ? &access : NULL,
        .quiet = options->quiet,
        .ended = on_worker_ended,
        .arg = session,
    };
    rc = fleet_new(&session->stage, &fleet, ret_error, &session->fleet);
    if (rc != 0) {
        return rc;
    }
    (void)uv_timer_init(&session->stage.loop, &session->restarts.timer);
    session->restarts.timer.data = session;
    session->expected = (uint32_t)options_workers(options);
    rc = session_open_hosts(session, ret_error);
    return rc != 0 ? rc : session_gather_workers(session, ret_error);
}
