/* Leaving without losing work: a drain, which gives back what is unbegun and finishes the rest, and the end
 * of it; and leaving at once. */
#include "common/base/check.h"
#include "common/wire/wire.h"
#include "worker/agent_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void agent_begin_drain(struct agent *agent, enum agent_drain_reason reason)
{
    agent->draining = true;
    agent->drain_reason = reason;
    agent->drain_us = agent->now_us;
    if (agent->engine == ENGINE_IS_RUNNING && agent->held > 0) {
        agent_order_engine(agent, AGENT_TAKE_BACK);
    } else {
        agent->returned.due = agent_can_deliver(agent) &&
                              agent_results_unacked(&agent->results) > 0;
    }
}

void agent_on_drain(struct agent *agent, const struct agent_event *event, struct agent_actions *out)
{
    (void)out;
    bool here = event->session == 0;
    if (!agent->draining && (here || agent_in_session(agent, event))) {
        agent_begin_drain(agent, here ? AGENT_DRAIN_ASKED : AGENT_DRAIN_COORDINATOR);
    }
}

/* BYE says that it was on purpose: what it holds is not suspected of having killed it. */
void agent_on_quit(struct agent *agent, const struct agent_event *event, struct agent_actions *out)
{
    (void)event;
    err_set(&agent->exit_text,
            0,
            "told to leave at once: %" PRIu32 " chunks and %" PRIu64
            " results were not delivered; they run elsewhere",
            agent->held,
            agent_results_unacked(&agent->results));
    agent_say_bye_and_leave(agent, out);
}

void agent_on_taken_back(struct agent *agent,
                         const struct agent_event *event,
                         struct agent_actions *out)
{
    (void)out;
    size_t count = event->as.taken_back.count;
    if (!agent->draining || agent->engine != ENGINE_IS_RUNNING) {
        return;
    }
    CHECK(count <= agent->held);
    agent->held -= (uint32_t)count;
    if (!agent_can_deliver(agent) && agent->holding.phase != HOLDING_SAYING) {
        return; /* no session that they were given or named in: the coordinator has them back */
    }
    struct agent_returned *returned = &agent->returned;
    if (count > 0) {
        memcpy(returned->list + returned->count,
               event->as.taken_back.list,
               count * sizeof(*returned->list));
    }
    returned->count += count;
    returned->due = true;
}

void agent_say_returned(struct agent *agent, struct agent_actions *out)
{
    struct agent_returned *returned = &agent->returned;
    size_t count = returned->count - returned->sent;
    count = count < WIRE_CHUNKS_MAX ? count : WIRE_CHUNKS_MAX;
    struct agent_action *action = agent_say(agent, out, AGENT_SEND_RETURNED);
    action->first = returned->sent;
    action->count = (uint32_t)count;
    returned->sent += count;
    returned->due = false;
}

int agent_returned_reserve(struct agent_returned *returned, size_t more)
{
    if (returned->sent == returned->count) {
        returned->sent = 0;
        returned->count = 0;
    }
    size_t needed = returned->count + more;
    if (needed <= returned->capacity) {
        return 0;
    }
    struct chunk_id *list = realloc(returned->list, needed * sizeof(*list));
    if (list == NULL) {
        return ERR_NOMEM;
    }
    returned->list = list;
    returned->capacity = needed;
    return 0;
}

void agent_leave_when_drained(struct agent *agent, struct agent_actions *out)
{
    bool drained = agent->draining && agent->held == 0 && !agent_has_returned(agent) &&
                   agent_results_unacked(&agent->results) == 0;
    if (drained) {
        err_set(&agent->exit_text,
                0,
                "drained%s: everything was finished or given back",
                agent->drain_reason == AGENT_DRAIN_TIME ? " before the time limit" : "");
        agent_say_bye_and_leave(agent, out);
    }
}

enum agent_drain_reason agent_drain_reason(const struct agent *agent)
{
    return agent->draining ? agent->drain_reason : AGENT_DRAIN_NOT;
}
