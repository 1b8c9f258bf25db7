/* How a running command is doing, as JSON: schema quartet.status/1. */
#include "coordinator/report/json_build.h"
#include "coordinator/status/status.h"

#include <string.h>

static const char *phase_name(enum status_phase phase)
{
    static const char *const names[] = {
        [STATUS_GATHERING] = "gathering",
        [STATUS_STARTING] = "starting",
        [STATUS_RUNNING] = "running",
        [STATUS_WRITING] = "writing",
        [STATUS_IDLE] = "idle",
    };
    return names[phase];
}

static json_t *command_json(char **command)
{
    struct build json = build_array();
    for (size_t i = 0; command != NULL && command[i] != NULL; i++) {
        build_append(&json, build_text(command[i]));
    }
    return build_take(&json);
}

static json_t *items_json(const struct status_job *job)
{
    const struct sched_stats *stats = &job->stats;
    uint64_t sent = stats->items_done + stats->items_held + stats->items_queued;
    uint64_t available = stats->items_available;
    struct build json = build_object();
    build_set(&json, "total", job->total > 0 ? build_whole(job->total) : json_null());
    build_set(&json, "done", build_whole(stats->items_done));
    build_set(&json, "ok", build_whole(stats->tally.ok));
    build_set(&json, "failed", build_whole(stats->tally.failed));
    build_set(&json, "held", build_whole(stats->items_held));
    build_set(&json, "queued", build_whole(stats->items_queued));
    build_set(&json, "fresh", build_whole(available > sent ? available - sent : 0));
    build_set(&json, "retried", build_whole(stats->items_retried));
    return build_take(&json);
}

static json_t *chunks_json(const struct status_job *job)
{
    const struct sched_stats *stats = &job->stats;
    struct build json = build_object();
    build_set(&json, "sent", build_whole(stats->chunks_sent));
    build_set(&json, "finished", build_whole(stats->chunks_finished));
    build_set(&json, "retried", build_whole(stats->chunks_retried));
    build_set(&json, "duplicates", build_whole(stats->duplicates));
    build_set(&json, "speculated", build_whole(stats->chunks_speculated));
    build_set(&json, "speculations_won", build_whole(stats->speculations_won));
    build_set(&json, "adopted", build_whole(stats->chunks_adopted));
    build_set(&json, "late", build_whole(job->late));
    return build_take(&json);
}

static json_t *rate_json(const struct pace_rates *rates)
{
    struct build json = build_object();
    build_set(&json, "now", build_real_if(rates->now >= 0, rates->now));
    build_set(&json, "mean", build_real_if(rates->mean >= 0, rates->mean));
    return build_take(&json);
}

static json_t *journal_json(double durable_s)
{
    struct build json = build_object();
    build_set(&json, "durable_s", build_real(durable_s));
    return build_take(&json);
}

static json_t *job_json(const struct status_job *job)
{
    struct build json = build_object();
    build_set(&json, "label", build_text_if(job->label));
    build_set(&json, "workload", build_text(job->workload));
    build_set(&json, "strategy", build_text(job->strategy));
    build_set(&json, "placement", build_text(placement_name(job->placement)));
    build_set(&json, "elapsed_s", build_real_if(job->begun, job->elapsed_s));
    build_set(&json, "items", items_json(job));
    build_set(&json, "chunks", chunks_json(job));
    build_set(&json, "rate", rate_json(&job->rates));
    build_set(&json, "left_s", build_real_if(job->rates.left_s >= 0, job->rates.left_s));
    build_set(&json, "workers_lost", build_whole(job->stats.workers_lost));
    build_set(&json, "outcome", json_string(job->stats.tally.failed > 0 ? "items_failed" : "ok"));
    build_set(&json, "journal", job->durable_s >= 0 ? journal_json(job->durable_s) : json_null());
    return build_take(&json);
}

static json_t *waiting_json(const struct status *status)
{
    if (status->stall == STALL_NONE) {
        return json_null();
    }
    struct build json = build_object();
    build_set(&json, "reason", json_string(stall_name(status->stall)));
    build_set(&json, "text", build_text(status->stall_text));
    build_set(&json, "for_s", build_real(status->still_s));
    return build_take(&json);
}

static json_t *worker_json(const struct status_worker *worker)
{
    struct build json = build_object();
    build_set(&json, "name", build_text(worker->name));
    build_set(&json, "host", build_text(worker->host));
    build_set(&json, "state", json_string(worker->state));
    build_set(&json, "slots", worker->slots > 0 ? build_whole(worker->slots) : json_null());
    build_set(&json, "chunks_held", build_whole(worker->chunks_held));
    build_set(&json, "items_done", build_whole(worker->items_done));
    build_set(&json, "heard_s", build_real(worker->heard_s));
    build_set(&json, "cores", build_whole(worker->cores));
    return build_take(&json);
}

static json_t *workers_json(const struct status *status)
{
    struct build json = build_array();
    for (size_t i = 0; i < status->worker_count; i++) {
        build_append(&json, worker_json(&status->workers[i]));
    }
    return build_take(&json);
}

json_t *status_json(const struct status *status)
{
    struct build json = build_object();
    build_set(&json, "schema", json_string("quartet.status/1"));
    build_set(&json, "pid", build_whole((uint64_t)status->pid));
    build_set(&json, "host", build_text(status->host));
    build_set(&json, "command", command_json(status->command));
    build_set(&json, "started", build_text(status->started));
    build_set(&json, "elapsed_s", build_real(status->elapsed_s));
    build_set(&json, "phase", json_string(phase_name(status->phase)));
    build_set(&json, "job", status->has_job ? job_json(&status->job) : json_null());
    build_set(&json, "waiting", waiting_json(status));
    build_set(&json, "workers_expected", build_whole(status->workers_expected));
    build_set(&json, "workers", workers_json(status));
    return build_take(&json);
}
