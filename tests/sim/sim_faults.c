/* What goes wrong. */
#include "tests/sim/sim.h"

static const char *const fault_names[SIM_FAULT_TYPES] = {
    [SIM_DISCONNECT] = "the connection breaks",
    [SIM_CRASH] = "crash",
    [SIM_FREEZE] = "freeze",
    [SIM_FREEZE_SERVER] = "the server freezes",
    [SIM_DRAIN_SIGNAL] = "drain by signal",
    [SIM_DRAIN_MESSAGE] = "drain by message",
    [SIM_SLOW] = "is slow from now on",
    [SIM_CANCEL_JOB] = "the job is cancelled",
    [SIM_HOLD] = "results are not taken",
    [SIM_STOP_JOB] = "the job is stopped",
    [SIM_CRASH_SERVER] = "the server crashes",
    [SIM_CRASH_WRITING] = "the server will crash while it writes",
    [SIM_PARTITION] = "cut off",
    [SIM_PARTITION_LOSS] = "cut off, and what is sent is lost",
    [SIM_SLOW_LINK] = "its link is slow",
    [SIM_SUSPEND] = "is suspended",
    [SIM_SUSPEND_SERVER] = "the server is suspended",
};

static void crash(struct sim *sim, uint32_t worker, uint64_t for_us)
{
    sim_worker_kill(sim, worker);
    sim_at(sim, sim->now_us + for_us, (struct sim_entry){.kind = SIM_START, .worker = worker});
}

/* What strikes one worker, or several together. */
static void strike(struct sim *sim, const struct sim_fault *fault, uint32_t worker)
{
    switch (fault->type) {
    case SIM_DISCONNECT:
        sim_worker_break_connection(sim, worker, SIM_REST_PARTLY_ARRIVES, fault->for_us);
        break;
    case SIM_CRASH:
        crash(sim, worker, fault->for_us);
        break;
    case SIM_FREEZE:
    case SIM_SUSPEND:
        sim_worker_freeze(sim, worker, fault->for_us, fault->type == SIM_SUSPEND);
        break;
    case SIM_DRAIN_SIGNAL:
        sim_worker_drain(sim, worker);
        break;
    case SIM_DRAIN_MESSAGE:
        sim_server_drain(sim, worker);
        break;
    case SIM_SLOW:
        sim->workers[worker].slowness = sim_between(sim, 2, 50);
        break;
    case SIM_PARTITION:
    case SIM_PARTITION_LOSS:
        sim_link_cut(sim, worker, fault->for_us, fault->type == SIM_PARTITION_LOSS);
        break;
    default: /* SIM_SLOW_LINK */
        sim_link_slow(sim, worker, fault->for_us);
        break;
    }
}

static void strike_workers(struct sim *sim, const struct sim_fault *fault)
{
    uint32_t count = fault->count > 0 ? fault->count : 1;
    for (uint32_t i = 0; i < count && i < sim->plan.workers; i++) {
        strike(sim, fault, (fault->worker + i) % sim->plan.workers);
    }
}

void sim_fault_happens(struct sim *sim, const struct sim_fault *fault)
{
    sim_trace(sim,
              "fault: worker %u: %s, %.6f s",
              fault->worker,
              fault_names[fault->type],
              (double)fault->for_us / 1e6);
    switch (fault->type) {
    case SIM_FREEZE_SERVER:
    case SIM_SUSPEND_SERVER:
        sim_server_freeze(sim, fault->for_us, fault->type == SIM_SUSPEND_SERVER);
        break;
    case SIM_CANCEL_JOB:
        sim_server_cancel(sim);
        break;
    case SIM_HOLD:
        sim_server_hold(sim, fault->for_us);
        break;
    case SIM_STOP_JOB:
        sim_server_stop(sim);
        break;
    case SIM_CRASH_SERVER:
        sim_server_crash(sim, fault->for_us);
        break;
    case SIM_CRASH_WRITING:
        sim->server.crash_writing_us = fault->for_us;
        break;
    default:
        strike_workers(sim, fault);
        break;
    }
}

void sim_link_healed(struct sim *sim, const struct sim_entry *entry)
{
    if (sim->workers[entry->worker].connection == entry->connection) {
        sim_worker_break_connection(
            sim, entry->worker, SIM_REST_IS_LOST, sim_between(sim, 100, 50000));
    }
}

void sim_become_calm(struct sim *sim)
{
    sim->calm = true;
    sim->no_restart = sim->no_restart || sim->plan.doomed;
    sim_trace(sim, "calm%s", sim->plan.doomed ? ": all workers die" : "");
    for (uint32_t i = 0; i < sim->plan.workers; i++) {
        struct sim_worker *worker = &sim->workers[i];
        worker->slowness = 1;
        if (sim->plan.doomed || worker->lied) {
            sim_worker_kill(sim, i);
        }
        if (!sim->plan.doomed) {
            sim_worker_start(sim, i);
        }
    }
    if (sim->plan.doomed) {
        sim_server_no_more_workers(sim);
    }
}
