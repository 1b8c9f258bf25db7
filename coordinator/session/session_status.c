/* What can be asked of a session, and what it says by itself when nothing moves. Everything is
 * gathered when somebody asks; only the count of items done is looked at once a second. */
#include "common/io/descriptors.h"
#include "coordinator/runner/runner_status.h"
#include "coordinator/server/server_status.h"
#include "coordinator/session/session_internal.h"
#include "coordinator/status/control_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    WATCH_MS = 1000,
    SAY_AFTER_US = 5 * 1000 * 1000,
    CLOCK_SIZE = 16,
    DESCRIPTORS_PLENTY = 128,
    LAUNCHED_SIZE = 240
};

void session_enter(struct session *session, enum status_phase phase)
{
    session->phase = phase;
    session->watch.runner = NULL;
    session->watch.said = 0;
    session->watch.waits_us = stage_now_us();
}

/* --- why nothing moves --- */

/* Where results go; what is written to several places waits for the slowest, which nobody knows. */
static const char *results_name(const struct options *options)
{
    const struct sink_options *sink = &options->sink;
    const char *path = sink->out != NULL       ? sink->out
                       : sink->results != NULL ? sink->results
                       : sink->joblog != NULL  ? sink->joblog
                                               : sink->failures;
    bool is_stdout = sink->print || path == NULL || strcmp(path, "-") == 0;
    return is_stdout ? "standard output" : path;
}

static const char *input_name(const struct options *options)
{
    const char *path = options->items_path;
    return path == NULL || strcmp(path, "-") == 0 ? "standard input" : path;
}

/* The time of day when something was, `ago_us` before now. */
static const char *clock_text(uint64_t ago_us, char ret_text[CLOCK_SIZE])
{
    time_t then = time(NULL) - (time_t)(ago_us / 1000000);
    struct tm local;
    ret_text[0] = '\0';
    if (localtime_r(&then, &local) != NULL) {
        (void)strftime(ret_text, CLOCK_SIZE, "%H:%M:%S", &local);
    }
    return ret_text;
}

static void view_items(const struct runner *runner, uint64_t now_us, struct stall_items *ret_items)
{
    struct sched_stats stats;
    struct runner_status status;
    runner_stats(runner, &stats);
    runner_get_status(runner, &status);
    uint64_t sent = stats.items_done + stats.items_held + stats.items_queued;
    uint64_t due_us = status.retry_due_us;
    *ret_items = (struct stall_items){
        .held = stats.items_held,
        .queued = stats.items_queued,
        .fresh = stats.items_available > sent ? stats.items_available - sent : 0,
        .final = stats.items_final,
        .results_full = status.results_full,
        .input_empty = status.input_empty,
        .retry_due_us = due_us == UINT64_MAX ? due_us
                        : due_us > now_us    ? due_us - now_us
                                             : 0,
    };
}

/* Does the session do something that can be waited for? */
static bool view_phase(const struct session *session, enum stall_phase *ret_phase)
{
    switch (session->phase) {
    case STATUS_GATHERING:
        *ret_phase = STALL_PHASE_GATHERING;
        return true;
    case STATUS_STARTING:
        *ret_phase = session->stage.runner == NULL ? STALL_PHASE_STARTING : STALL_PHASE_RUNNING;
        return true;
    default:
        return false;
    }
}

static enum stall_reason judge(const struct session *session,
                               uint64_t now_us,
                               char ret_text[STALL_TEXT_SIZE])
{
    char since[CLOCK_SIZE];
    char host[LAUNCHED_SIZE];
    struct stall_view view = {
        .local = session->job != NULL && session->placement == PLACEMENT_LOCAL,
        .strategy = session->job == NULL ? "" : strategy_name(session->job->strategy),
        .results = results_name(session->options),
        .input = input_name(session->options),
        .last_error = "",
    };
    ret_text[0] = '\0';
    if (!view_phase(session, &view.phase)) {
        return STALL_NONE;
    }
    if (session->stage.runner != NULL) {
        view_items(session->stage.runner, now_us, &view.items);
    }
    if (session->server != NULL && !view.local) {
        server_view_workers(session->server, now_us, &view);
        uint64_t lost_us = server_lost_us(session->server);
        view.lost_since = lost_us == 0 ? NULL : clock_text(now_us - lost_us, since);
        view.endpoint = session->options->listen == NULL ? NULL : server_endpoint(session->server);
    }
    if (view.phase == STALL_PHASE_GATHERING &&
        session_first_missing_host(session, host, sizeof(host))) {
        view.launched = host;
    }
    view.workers.expected = session->expected;
    view.workers.restarting = session->restarts.waiting;
    return stall_judge(&view, ret_text);
}

/* --- once a second --- */

/* For how long nothing was done. */
static uint64_t still_us(const struct session *session, uint64_t now_us)
{
    const struct session_watch *watch = &session->watch;
    struct sched_stats stats;
    if (session->stage.runner == NULL || watch->runner != session->stage.runner) {
        return now_us - watch->waits_us;
    }
    runner_stats(session->stage.runner, &stats);
    return pace_still_us(&watch->pace, now_us, stats.items_done);
}

/* Before the first job only where hosts are launched on: who waits for workers that come by themselves was told so. */
static bool says_why(const struct session *session)
{
    return session->job != NULL || (session->phase == STATUS_GATHERING && session->launch != NULL);
}

/* One line for each reason, once in a job. */
static void say_why(struct session *session, uint64_t now_us)
{
    struct session_watch *watch = &session->watch;
    char text[STALL_TEXT_SIZE];
    if (!says_why(session) || still_us(session, now_us) < SAY_AFTER_US) {
        return;
    }
    enum stall_reason reason = judge(session, now_us, text);
    if (reason != STALL_NONE && (watch->said >> reason & 1) == 0) {
        watch->said |= 1u << reason;
        stage_say(&session->stage, text);
    }
}

static void on_watch(uv_timer_t *timer)
{
    struct session *session = timer->data;
    struct session_watch *watch = &session->watch;
    const struct runner *runner = session->stage.runner;
    uint64_t now_us = stage_now_us();
    struct sched_stats stats = {.items_done = 0};
    if (runner != NULL) {
        runner_stats(runner, &stats);
    }
    if (runner != watch->runner) {
        watch->runner = runner;
        pace_begin(&watch->pace, now_us, stats.items_done);
    } else if (runner != NULL) {
        pace_note(&watch->pace, now_us, stats.items_done);
    }
    session_review_workers(session);
    say_why(session, now_us);
}

/* --- answering --- */

static void gather_job(const struct session *session, uint64_t now_us, struct status_job *ret_job)
{
    const struct job *job = session->job;
    const struct runner *runner = session->stage.runner;
    struct runner_status status = {.begun = false};
    *ret_job = (struct status_job){
        .label = job->label,
        .workload = job->workload->name,
        .strategy = strategy_name(job->strategy),
        .placement = session->placement,
        .rates = {-1, -1, -1},
        .durable_s = -1,
    };
    if (session->server != NULL && session->placement == PLACEMENT_DISTRIBUTED) {
        ret_job->late = server_late(session->server);
    }
    if (runner == NULL) {
        return;
    }
    runner_stats(runner, &ret_job->stats);
    runner_get_status(runner, &status);
    ret_job->total = runner_items_total(runner);
    ret_job->begun = status.begun;
    ret_job->elapsed_s = (double)(now_us - status.begun_us) / 1e6;
    if (status.durable_us > 0) {
        ret_job->durable_s = (double)(now_us - status.durable_us) / 1e6;
    }
    if (session->watch.runner == runner) {
        ret_job->rates = pace_rates(
            &session->watch.pace, now_us, ret_job->stats.items_done, ret_job->total);
    }
    if (ret_job->stats.workers_live == 0) {
        ret_job->rates.left_s = -1; /* nobody works on it now */
    }
}

/* NULL without memory. */
static json_t *gather(const struct session *session)
{
    char host[256] = "";
    uint64_t now_us = stage_now_us();
    (void)gethostname(host, sizeof(host) - 1);
    struct status status = {
        .pid = (long)getpid(),
        .host = host,
        .command = session->options->argv,
        .started = session->started,
        .elapsed_s = (double)(now_us - session->opened_us) / 1e6,
        .phase = session->stage.runner != NULL ? STATUS_RUNNING : session->phase,
        .has_job = session->job != NULL,
        .workers_expected = session->expected,
        .worker_count = session->server == NULL ? 0 : server_workers(session->server),
        .still_s = (double)still_us(session, now_us) / 1e6,
    };
    status.stall = judge(session, now_us, status.stall_text);
    if (status.has_job) {
        gather_job(session, now_us, &status.job);
    }
    if (status.worker_count > 0) {
        status.workers = calloc(status.worker_count, sizeof(*status.workers));
        if (status.workers == NULL) {
            return NULL;
        }
        server_list_workers(session->server, now_us, status.workers);
    }
    json_t *json = status_json(&status);
    free(status.workers);
    return json;
}

static char *drain(struct session *session, const char *worker)
{
    struct err_text text = {{0}};
    if (session->server == NULL) {
        return control_reply_error(ERR_NOT_FOUND,
                                   "there are no workers: the items run in the coordinator itself");
    }
    int rc = server_drain(session->server, worker, &text);
    return rc != 0 ? control_reply_error(rc, text.s)
                   : control_reply_ok(
                         json_pack("{s:s, s:s}", "schema", "quartet.drain/1", "text", text.s));
}

static char *answer(void *arg, const char *line, size_t len)
{
    struct session *session = arg;
    struct control_request request;
    struct err_text error = {{0}};
    int rc = control_request_parse(line, len, &error, &request);
    if (rc != 0) {
        return control_reply_error(rc, error.s);
    }
    return request.kind == CONTROL_DRAIN ? drain(session, request.worker)
                                         : control_reply_ok(gather(session));
}

/* --- life --- */

/* Where files are few the run has them all, unless a path was asked for. */
static bool may_be_asked(const struct options *options)
{
    uint64_t limit;
    bool plenty = descriptors_left(&limit) >= DESCRIPTORS_PLENTY;
    return options->control != NULL || (!options->control_off && plenty);
}

int session_open_watch(struct session *session, struct err_text *ret_error)
{
    struct session_watch *watch = &session->watch;
    uv_loop_t *loop = &session->stage.loop;
    session_enter(session, STATUS_IDLE);
    (void)uv_timer_init(loop, &watch->timer);
    watch->timer.data = session;
    (void)uv_timer_start(&watch->timer, on_watch, WATCH_MS, WATCH_MS);
    uv_unref((uv_handle_t *)&watch->timer);
    if (!may_be_asked(session->options)) {
        return 0;
    }
    const struct control_options options = {
        .loop = loop, .path = session->options->control, .answer = answer, .arg = session};
    return control_open(&options, ret_error, &session->control);
}

void session_close_watch(struct session *session)
{
    control_close(session->control);
    session->control = NULL;
    if (session->watch.timer.data != NULL) {
        uv_close((uv_handle_t *)&session->watch.timer, NULL);
    }
}
