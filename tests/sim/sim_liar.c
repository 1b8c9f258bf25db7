/* Workers that lie: about chunks that never were, that are over, that they never had, with numbers that do not add up, in sessions that
 * are not theirs, out of turn. None of it may count, and nobody else may suffer from it. A lie about a chunk that is in flight, with
 * numbers that add up, cannot be told from the truth, and is not among them. */
#include "common/base/check.h"
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

bool sim_is_liar(const struct sim *sim, const struct sim_worker *worker)
{
    return sim->plan.lie_per_mille > 0 && worker->index % 2 == 1 && !sim->calm;
}

/* --- RESULTS with entries that are made up, before the true ones --- */

static void chunk_that_never_was(struct sim *sim, struct chunk_result *made_up)
{
    made_up->id.value = sim_chance(sim, 500) ? rng_next(&sim->rng) | UINT64_C(1) << 63
                                             : sim_between(sim, 1, 1000);
}

static void attempt_that_never_was(struct sim *sim, struct chunk_result *made_up)
{
    made_up->attempt = sim_chance(sim, 300) ? 0 : (uint32_t)sim_between(sim, 1000000, UINT32_MAX);
}

static void too_many_items(struct sim *sim, struct chunk_result *made_up)
{
    made_up->tally.ok += sim_chance(sim, 300) ? UINT64_MAX / 2 : made_up->tally.ok + UINT32_MAX;
}

static void no_items(struct sim *sim, struct chunk_result *made_up)
{
    (void)sim;
    made_up->tally = (struct tally){0};
}

static void numbers_that_wrap(struct sim *sim, struct chunk_result *made_up)
{
    (void)sim;
    made_up->tally.failed = UINT64_MAX;
}

static void make_up_result(struct sim *sim, struct sim_message *message)
{
    static void (*const ways[])(struct sim * sim, struct chunk_result * made_up) = {
        chunk_that_never_was,
        attempt_that_never_was,
        too_many_items,
        no_items,
        numbers_that_wrap,
    };
    if (message->count == 0) {
        return;
    }
    size_t size = (message->count + 1) * sizeof(*message->results);
    message->results = sim_realloc(message->results, size);
    memmove(message->results + 1, message->results, size - sizeof(*message->results));
    message->count++;
    message->lies = 1;
    ways[sim_between(sim, 0, sizeof(ways) / sizeof(ways[0]) - 1)](sim, &message->results[0]);
}

/* --- messages that are out of turn --- */

static void leave_a_gap(struct sim *sim, struct sim_message *message)
{
    message->seq += sim_between(sim, 1, 5);
}

static void take_another_session(struct sim *sim, struct sim_message *message)
{
    uint64_t other = message->session + sim_between(sim, 1, 3);
    message->session = sim_chance(sim, 500) && message->session > 3 ? message->session - 3 : other;
}

static void take_another_job(struct sim *sim, struct sim_message *message)
{
    message->job = sim_chance(sim, 500) ? message->job + 1 : rng_next(&sim->rng);
}

/* As if they were new: those of an earlier message, under the next number. */
static void say_again(struct sim *sim, struct sim_worker *worker, struct sim_message *message)
{
    if (worker->replay == NULL || worker->replay->session != message->session) {
        return;
    }
    struct sim_message *again = sim_message_copy(worker->replay);
    again->seq = message->seq;
    again->credit = 0;
    again->lie = true;
    message->seq++; /* and so out of step from now on */
    sim_send_to_server(sim, worker->connection, again);
}

static void lie_about_results(struct sim *sim,
                              struct sim_worker *worker,
                              struct sim_message *message)
{
    switch (sim_between(sim, 0, 6)) {
    case 0:
        leave_a_gap(sim, message);
        break;
    case 1:
        take_another_session(sim, message);
        break;
    case 2:
        take_another_job(sim, message);
        break;
    case 3:
        say_again(sim, worker, message);
        break;
    default:
        make_up_result(sim, message);
        break;
    }
}

/* --- other messages --- */

/* What it never had, or has finished. */
static void lie_about_returned(struct sim *sim, struct sim_message *message)
{
    for (size_t i = 0; i < message->count; i++) {
        message->ids[i].value = rng_next(&sim->rng) >> sim_between(sim, 0, 62);
    }
}

/* Items that do not exist, none, or the same ones twice. */
static void lie_about_holding(struct sim *sim, struct sim_message *message)
{
    for (size_t i = 0; i < message->count; i++) {
        struct chunk *chunk = &message->chunks[i];
        switch (sim_between(sim, 0, 3)) {
        case 0:
            chunk->count = UINT64_MAX;
            break;
        case 1:
            chunk->first = UINT64_MAX - sim_between(sim, 0, 5);
            break;
        case 2:
            chunk->count = 0;
            break;
        default:
            *chunk = message->chunks[sim_between(sim, 0, message->count - 1)];
            break;
        }
    }
}

static void say_twice(struct sim *sim, struct sim_worker *worker, const struct sim_message *message)
{
    struct sim_message *again = sim_message_copy(message);
    again->lie = true;
    sim_send_to_server(sim, worker->connection, again);
}

static void keep_for_replay(struct sim *sim,
                            struct sim_worker *worker,
                            const struct sim_message *message)
{
    if (message->count > 0 && sim_chance(sim, 300)) {
        sim_message_free(worker->replay);
        worker->replay = sim_message_copy(message);
    }
}

void sim_lie(struct sim *sim, struct sim_worker *worker, struct sim_message *message)
{
    bool results = message->type == WIRE_RESULTS;
    if (!sim_chance(sim, sim->plan.lie_per_mille)) {
        if (results) {
            keep_for_replay(sim, worker, message);
        }
        return;
    }
    worker->lied = true;
    message->lie = true;
    sim->counts.lies++;
    sim_trace(sim, "worker %u: lies in %s", worker->index, wire_type_name(message->type));
    if (results) {
        lie_about_results(sim, worker, message);
    } else if (message->type == WIRE_RETURNED) {
        lie_about_returned(sim, message);
    } else if (message->type == WIRE_HOLDING) {
        lie_about_holding(sim, message);
    } else if (message->type == WIRE_READY) {
        say_twice(sim, worker, message);
    } else if (message->type == WIRE_HEARTBEAT) {
        take_another_session(sim, message);
    }
}
