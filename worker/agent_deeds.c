/* What the agent's reactions and timers are made of: the legal moves between its states, and the
 * things it does in more than one place. */
#include "common/base/check.h"
#include "worker/agent_internal.h"

enum {
    BACK_OFF_US_MIN = 100000, /* between a refusal and the next HELLO, doubling */
    BACK_OFF_US_MAX = 5000000,
};

struct state_row {
    const char *name;
    uint32_t next; /* bit (1 << state): that move is legal */
};

#define TO(state) (UINT32_C(1) << (state))

static const struct state_row link_states[LINK_COUNT] = {
    [LINK_DOWN] = {"connecting", TO(LINK_WAITING) | TO(LINK_GREETING) | TO(LINK_LEFT)},
    [LINK_WAITING] = {"greeting", TO(LINK_DOWN) | TO(LINK_GREETING) | TO(LINK_LEFT)},
    [LINK_GREETING] = {"greeting",
                       TO(LINK_DOWN) | TO(LINK_WAITING) | TO(LINK_WELCOMED) | TO(LINK_LEFT)},
    [LINK_WELCOMED] = {"idle",
                       TO(LINK_DOWN) | TO(LINK_WAITING) | TO(LINK_GREETING) | TO(LINK_LEFT)},
    [LINK_LEFT] = {"leaving", 0},
};

static const struct state_row engine_states[ENGINE_IS_COUNT] = {
    [ENGINE_IS_NONE] = {"idle", TO(ENGINE_IS_STARTING)},
    [ENGINE_IS_STARTING] = {"starting", TO(ENGINE_IS_RUNNING) | TO(ENGINE_IS_STOPPING)},
    [ENGINE_IS_RUNNING] = {"running", TO(ENGINE_IS_STOPPING)},
    [ENGINE_IS_STOPPING] = {"starting", TO(ENGINE_IS_NONE)},
};

#undef TO

void agent_move_link(struct agent *agent, enum agent_link next)
{
    CHECK(link_states[agent->link].next & (UINT32_C(1) << next));
    agent->link = next;
}

void agent_move_engine(struct agent *agent, enum agent_engine next)
{
    CHECK(engine_states[agent->engine].next & (UINT32_C(1) << next));
    agent->engine = next;
}

const char *agent_state_name(const struct agent *agent)
{
    if (agent->link == LINK_LEFT) {
        return link_states[LINK_LEFT].name;
    }
    if (agent->draining) {
        return "draining";
    }
    if (agent->link != LINK_WELCOMED) {
        return link_states[agent->link].name;
    }
    return engine_states[agent->engine].name;
}

bool agent_can_deliver(const struct agent *agent)
{
    return agent->job_asked && agent->holding.phase == HOLDING_NONE &&
           (agent->engine == ENGINE_IS_RUNNING || agent->job_failed);
}

bool agent_has_unsent(const struct agent *agent)
{
    return agent_can_deliver(agent) && agent->results.sent < agent->results.end;
}

bool agent_has_returned(const struct agent *agent)
{
    return agent->holding.phase == HOLDING_NONE &&
           (agent->returned.due || agent->returned.sent < agent->returned.count);
}

bool agent_in_session(const struct agent *agent, const struct agent_event *event)
{
    return agent->link == LINK_WELCOMED && event->session == agent->session;
}

/* One order to the engine at most comes of an event. It goes out after the messages: the shell
 * may answer an order at once, with an event of its own, and what that event makes the agent say
 * must not overtake what it said before. */
void agent_order_engine(struct agent *agent, enum agent_action_type order)
{
    CHECK(agent->order == 0);
    agent->order = order;
}

struct agent_action *agent_emit(struct agent *agent,
                                struct agent_actions *out,
                                enum agent_action_type type)
{
    CHECK(out->count < out->capacity);
    struct agent_action *action = &out->list[out->count++];
    *action = (struct agent_action){.type = type, .session = agent->session, .job = agent->job};
    return action;
}

struct agent_action *agent_say(struct agent *agent,
                               struct agent_actions *out,
                               enum agent_action_type type)
{
    agent->spoke_us = agent->now_us;
    return agent_emit(agent, out, type);
}

struct agent_action *agent_say_heartbeat(struct agent *agent, struct agent_actions *out)
{
    /* About the job whose engine stands, also while it is being stopped: job 0 means that
     * nothing runs here. */
    struct agent_action *action = agent_say(agent, out, AGENT_SEND_HEARTBEAT);
    action->job = agent->engine == ENGINE_IS_NONE ? agent->job : agent->engine_job;
    return action;
}

void agent_end_session(struct agent *agent)
{
    if (agent->link != LINK_WELCOMED) {
        return;
    }
    if (agent->now_us - agent->welcomed_us >= BACK_OFF_US_MAX) {
        agent->back_off_us = 0; /* it was a good one */
    }
    agent->session = 0;
    agent->alone_us = agent->now_us;
    agent->job_asked = false;
    agent->credit_out = 0;
    agent->returned.sent = agent->returned.count;
    agent->returned.due = false;
    agent->returning = true;
    agent_holding_forget(&agent->holding);
    agent_results_restart(&agent->results);
}

void agent_say_hello(struct agent *agent, struct agent_actions *out)
{
    agent_move_link(agent, LINK_GREETING);
    agent->greeted_us = agent->now_us;
    agent_say(agent, out, AGENT_SEND_HELLO);
}

void agent_back_off(struct agent *agent)
{
    agent->back_off_us *= 2;
    if (agent->back_off_us < BACK_OFF_US_MIN) {
        agent->back_off_us = BACK_OFF_US_MIN;
    }
    if (agent->back_off_us > BACK_OFF_US_MAX) {
        agent->back_off_us = BACK_OFF_US_MAX;
    }
    bool alike = agent->returning && agent->back_off_us < AGENT_RETURN_US;
    agent_wait_before_hello(agent, alike ? AGENT_RETURN_US : agent->back_off_us);
}

void agent_wait_before_hello(struct agent *agent, uint64_t wait_us)
{
    uint64_t half_us = wait_us / 2;
    agent->hello_from_us = agent->now_us + half_us + rng_below(&agent->rng, wait_us - half_us + 1);
    agent->returning = false;
}

void agent_lose_connection(struct agent *agent)
{
    agent_end_session(agent);
    agent->returning = true;
    agent_move_link(agent, LINK_DOWN);
}

void agent_reconnect(struct agent *agent, struct agent_actions *out)
{
    agent_lose_connection(agent);
    agent_emit(agent, out, AGENT_RECONNECT);
}

void agent_leave(struct agent *agent, int exit_status, struct agent_actions *out)
{
    agent_move_link(agent, LINK_LEFT);
    agent_emit(agent, out, AGENT_EXIT)->exit_status = exit_status;
}

void agent_say_bye_and_leave(struct agent *agent, struct agent_actions *out)
{
    if (agent->link == LINK_WELCOMED) {
        agent_say(agent, out, AGENT_SEND_BYE);
    }
    agent_leave(agent, AGENT_EXIT_OK, out);
}
