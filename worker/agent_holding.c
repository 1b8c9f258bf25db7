/* Going on with a job in a new session: what is in hand is named before READY, so that a coordinator
 * that was started anew, or has given up on this worker, need not have it run again.
 *
 * The engine is asked (AGENT_ASK_HOLDING) and answers at once. What it has and what waits for its
 * acknowledgement is one list as of that moment: a result that comes before the answer is among
 * the results, one that comes later is still among the engine's chunks. */
#include "common/base/check.h"
#include "common/wire/wire.h"
#include "worker/agent_internal.h"

#include <stdlib.h>

int agent_holding_reserve(struct agent_holding *holding, size_t count)
{
    if (count <= holding->capacity) {
        return 0;
    }
    struct chunk *list = realloc(holding->list, count * sizeof(*list));
    if (list == NULL) {
        return ERR_NOMEM;
    }
    holding->list = list;
    holding->capacity = count;
    return 0;
}

void agent_holding_forget(struct agent_holding *holding)
{
    holding->phase = HOLDING_NONE;
    holding->count = 0;
    holding->sent = 0;
}

static void add(struct agent_holding *holding, const struct chunk *chunk)
{
    CHECK(holding->count < holding->capacity);
    struct chunk *to = &holding->list[holding->count++];
    *to = *chunk;
    to->payload = NULL;
    to->payload_len = 0;
}

/* Of a chunk that ended early the items that were not run are nobody's any more. */
static void add_result(struct agent_holding *holding, const struct chunk_result *result)
{
    uint64_t items = result->tally.ok + result->tally.failed;
    if (items > 0) {
        add(holding,
            &(struct chunk){.id = result->id,
                            .first = result->first,
                            .count = items,
                            .attempt = result->attempt});
    }
}

void agent_on_holding(struct agent *agent,
                      const struct agent_event *event,
                      struct agent_actions *out)
{
    (void)out;
    struct agent_holding *holding = &agent->holding;
    if (holding->phase != HOLDING_ASKED || event->job != agent->engine_job) {
        return;
    }
    CHECK(event->as.holding.count == agent->held);
    for (size_t i = 0; i < event->as.holding.count; i++) {
        add(holding, &event->as.holding.list[i]);
    }
    for (uint64_t number = agent->results.acked; number < agent->results.end; number++) {
        add_result(holding, agent_result(agent, number));
    }
    holding->phase = HOLDING_SAYING;
}

bool agent_say_holding(struct agent *agent, struct agent_actions *out)
{
    struct agent_holding *holding = &agent->holding;
    size_t count = holding->count - holding->sent;
    count = count < WIRE_CHUNKS_MAX ? count : WIRE_CHUNKS_MAX;
    if (count == 0) {
        return false;
    }
    struct agent_action *action = agent_say(agent, out, AGENT_SEND_HOLDING);
    action->first = holding->sent;
    action->count = (uint32_t)count;
    holding->sent += count;
    return true;
}

const struct chunk *agent_holding(const struct agent *agent)
{
    return agent->holding.list;
}
