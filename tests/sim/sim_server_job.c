/* The modelled coordinator: one job after the other, results until they are durable, and what a crash leaves of it all. */
#include "common/base/check.h"
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

/* --- the scheduler --- */

/* Those of a result's items that will not be run again. */
static void note_finished(struct sim *sim,
                          const struct sched_event *event,
                          const struct sched_action *action)
{
    uint64_t from = action->first;
    for (size_t i = 0; action->retried > 0 && i < event->as.result.failed_count; i++) {
        uint64_t failed = action->first + event->as.result.failed[i].first;
        if (from < failed) {
            sim_journal_note(&sim->journal, from, failed);
        }
        from = failed + event->as.result.failed[i].count;
    }
    if (from < action->first + action->done) {
        sim_journal_note(&sim->journal, from, action->first + action->done);
    }
}

static void drop_worker(struct sim *sim, const struct sched_action *action)
{
    struct sim_peer *peer = sim_peers_find(&sim->server.peers, action->worker.value);
    if (peer == NULL) {
        sim_fail(sim, "dropped a session that is over already");
    }
    peer->state = SIM_PEER_IDLE; /* the scheduler has forgotten it */
    sim_peer_gone(sim, peer, SCHED_WORKER_LOST);
}

static void perform(struct sim *sim,
                    const struct sched_event *event,
                    const struct sched_action *action)
{
    switch (action->type) {
    case SCHED_SEND:
        sim_peer_queue_chunk(sim, action);
        break;
    case SCHED_DROP_WORKER:
        drop_worker(sim, action);
        break;
    case SCHED_STALLED:
        sim->server.stalled = true;
        break;
    case SCHED_DONE:
        sim->server.job_over = true;
        break;
    case SCHED_FINISHED:
        note_finished(sim, event, action);
        break;
    case SCHED_ABANDONED:
        sim_journal_note(&sim->journal, action->first, action->first + action->count);
        break;
    case SCHED_SPLIT:
        break;
    }
}

static int step_once(struct sim *sim, const struct sched_event *event)
{
    struct sched_action list[SIM_ACTIONS_MAX];
    struct sched_actions actions = {.list = list, .capacity = sim->plan.sched_actions};
    char text[256];
    if (sim->verbose && event->type != SCHED_TICK && event->type != SCHED_HEARD) {
        sim_trace(sim, "sched < %s", sched_describe_event(event, text, sizeof(text)));
    }
    uint64_t now_us = sim_clock_read(&sim->server.clock, sim->now_us);
    int rc = sched_step(sim->server.sched, now_us, event, &actions);
    if (rc != 0) {
        sim_judge_refused(sim, event, rc);
        return rc;
    }
    sim_judge_event(sim, event);
    for (size_t i = 0; i < actions.count; i++) {
        if (sim->verbose) {
            sim_trace(sim, "sched > %s", sched_describe_action(&list[i], text, sizeof(text)));
        }
        sim_judge_action(sim, event, &list[i]);
    }
    sim_judge_state(sim);
    for (size_t i = 0; i < actions.count; i++) {
        perform(sim, event, &list[i]);
    }
    return 0;
}

int sim_server_step(struct sim *sim, const struct sched_event *event)
{
    const struct sched_event tick = {.type = SCHED_TICK};
    struct sim_server *server = &sim->server;
    if (server->job_over) {
        return 0;
    }
    int rc = step_once(sim, event);
    while (!server->job_over &&
           sched_deadline_us(server->sched) <= sim_clock_read(&server->clock, sim->now_us)) {
        (void)step_once(sim, &tick);
    }
    sim_judge_settled(sim);
    return rc;
}

/* --- input --- */

void sim_server_feed(struct sim *sim)
{
    struct sim_server *server = &sim->server;
    const struct sim_job *job = &sim->plan.jobs[server->job_index];
    uint64_t left = job->items - server->fed;
    server->fed += job->items_at_once == 0 || job->items_at_once > left ? left : job->items_at_once;
    struct sched_event event = {.type = SCHED_ITEMS};
    event.as.items.available = server->fed;
    event.as.items.final = server->fed == job->items;
    (void)sim_server_step(sim, &event);
    if (!event.as.items.final && !server->job_over) {
        sim_at(sim,
               sim->now_us + sim_between(sim, 10, 3000),
               sim_server_entry(sim, SIM_FEED, server->job));
    }
}

/* --- jobs --- */

/* A scheduler, and everybody is told of the job. */
static void set_stage(struct sim *sim)
{
    struct sim_server *server = &sim->server;
    const struct sim_job *job = &sim->plan.jobs[server->job_index];
    struct sched_options options = {.workers_max = sim->plan.peers_max,
                                    .chunk_items = job->chunk_items,
                                    .chunk_target_us = 100000,
                                    .crash_limit = sim->plan.crash_limit,
                                    .lease_us = SIM_SILENT_BEATS * server->slowest_us,
                                    .retries_max = job->retries_max,
                                    .retry_delay_us = job->retry_delay_us,
                                    .speculate = sim->plan.speculate,
                                    .epoch = (uint8_t)server->life};
    sched_free(server->sched);
    CHECK(sched_new(&options, &server->sched) == 0);
    server->job = server->job_index + 1;
    server->job_over = false;
    server->cancelled = false;
    server->stopped = false;
    sim_trace(sim, "server: job %llu begins", (unsigned long long)server->job);
    for (size_t i = 0; i < server->peers.max; i++) {
        struct sim_peer *peer = &server->peers.list[i];
        peer->batch_count = 0;
        if (peer->session != 0 && peer->state != SIM_PEER_LEAVING) {
            sim_peer_send_job(sim, peer);
        } else if (peer->session != 0) {
            peer->state = SIM_PEER_IDLE;
        }
    }
}

/* No worker can come any more: each job's scheduler has to know. */
static void say_no_more_workers(struct sim *sim)
{
    const struct sched_event event = {.type = SCHED_NO_MORE_WORKERS};
    if (sim->server.no_more_workers) {
        (void)sim_server_step(sim, &event);
    }
}

void sim_server_begin_job(struct sim *sim)
{
    sim_journal_begin(&sim->journal, sim->plan.journal);
    sim_judge_begin_job(sim);
    sim->server.fed = 0;
    sim->server.known = 0;
    sim->server.receipts.first = sim->server.receipts.count; /* all of it is durable */
    set_stage(sim);
    sim_server_feed(sim);
    say_no_more_workers(sim);
}

static void say_bye(struct sim *sim)
{
    sim->ending = true;
    sim->no_restart = true;
    for (size_t i = 0; i < sim->server.peers.max; i++) {
        if (sim->server.peers.list[i].session != 0) {
            (void)sim_peer_send_plain(sim, &sim->server.peers.list[i], WIRE_BYE);
        }
    }
}

static void end_job(struct sim *sim)
{
    struct sim_server *server = &sim->server;
    sim_judge_end_job(sim);
    for (size_t i = 0; server->cancelled && i < server->peers.max; i++) {
        if (server->peers.list[i].session != 0) {
            (void)sim_peer_send_plain(sim, &server->peers.list[i], WIRE_CANCEL);
        }
    }
    server->job_index++;
    if (server->job_index < sim->plan.job_count) {
        sim_server_begin_job(sim);
    } else {
        say_bye(sim);
    }
}

/* A job that was broken off leaves a journal that nobody goes on with. */
static bool is_concluded(const struct sim *sim)
{
    const struct sim_server *server = &sim->server;
    bool durable = sim_journal_last(&sim->journal) == sim_journal_durable(&sim->journal);
    return server->job_over && (durable || server->cancelled || server->stopped);
}

static void close_group(struct sim *sim)
{
    if (sim_journal_can_close(&sim->journal)) {
        struct sched_stats stats;
        sched_get_stats(sim->server.sched, &stats);
        uint64_t known = sim->server.fed > sim->server.known ? sim->server.fed : sim->server.known;
        sim_journal_close(sim, &stats.tally, known);
    }
}

void sim_server_settle(struct sim *sim)
{
    if (sim->server.down) {
        return;
    }
    sim_server_flush(sim);
    close_group(sim);
    while (!sim->ending && is_concluded(sim)) {
        end_job(sim);
        sim_server_flush(sim);
    }
}

/* --- results until they are durable --- */

static void acknowledge_durable(struct sim *sim)
{
    struct sim_receipts *receipts = &sim->server.receipts;
    uint64_t durable = sim_journal_durable(&sim->journal);
    while (receipts->first < receipts->count && receipts->list[receipts->first].group <= durable) {
        const struct sim_receipt *receipt = &receipts->list[receipts->first++];
        struct sim_peer *peer = sim_peers_find(&sim->server.peers, receipt->session);
        if (peer != NULL) {
            peer->durable = receipt->seq;
            sim_peers_mark(&sim->server.peers, peer);
        }
    }
    if (receipts->first == receipts->count) {
        receipts->first = 0;
        receipts->count = 0;
    }
}

void sim_server_note_receipt(struct sim *sim, const struct sim_peer *peer)
{
    struct sim_receipts *receipts = &sim->server.receipts;
    if (receipts->count == receipts->capacity) {
        receipts->capacity = receipts->capacity > 0 ? receipts->capacity * 2 : 64;
        receipts->list = sim_realloc(receipts->list, receipts->capacity * sizeof(*receipts->list));
    }
    receipts->list[receipts->count++] = (struct sim_receipt){
        peer->session, peer->seq, sim_journal_last(&sim->journal)};
    acknowledge_durable(sim);
}

void sim_server_committed(struct sim *sim)
{
    sim_journal_committed(sim);
    acknowledge_durable(sim);
}

/* --- crash and restart --- */

void sim_server_crash(struct sim *sim, uint64_t for_us)
{
    struct sim_server *server = &sim->server;
    if (server->down || sim->ending) {
        return;
    }
    sim_journal_crash(sim);
    sim_judge_crash(sim);
    server->down = true;
    server->life++;
    server->frozen_until_us = 0;
    server->receipts.first = 0;
    server->receipts.count = 0;
    sim_peers_clear(&server->peers);
    for (uint32_t i = 0; i < sim->plan.workers; i++) {
        sim_worker_break_connection(sim, i, SIM_REST_IS_LOST, sim_between(sim, 10, 100000));
    }
    sim_at(sim, sim->now_us + for_us, (struct sim_entry){.kind = SIM_RESTART});
}

static void restore(struct sim *sim)
{
    const struct sim_journal *journal = &sim->journal;
    size_t count = journal->done.count;
    struct sched_span *done = sim_realloc(NULL, (count + 1) * sizeof(*done));
    for (size_t i = 0; i < count; i++) {
        struct interval span = journal->done.spans[i];
        done[i] = (struct sched_span){span.first, span.end - span.first};
    }
    CHECK(sched_restore(sim->server.sched, done, count, journal->known, &journal->tally) == 0);
    free(done);
}

void sim_server_restart(struct sim *sim)
{
    struct sim_server *server = &sim->server;
    server->down = false;
    server->clock = (struct sim_clock){.since_us = sim->now_us,
                                       .shown_us = sim_between(sim, 0, 1000000),
                                       .per_mille = sim_drifting(sim)};
    server->beat_us = 0;
    server->fed = 0;
    server->known = sim->journal.known;
    sim_trace(sim,
              "server: is there again, with %llu items done of %llu known",
              (unsigned long long)sim->journal.done.members,
              (unsigned long long)server->known);
    set_stage(sim);
    restore(sim);
    if (sim->plan.grace_us > 0) {
        sim_server_hold(sim, sim->plan.grace_us);
    }
    sim_server_feed(sim);
    say_no_more_workers(sim);
}
