/* The agent's timers: when each is due, and what it does then. */
#include "worker/agent_internal.h"

#include <inttypes.h>

enum {
    GREETING_US = 5000000, /* HELLO without an answer for this long: the other side is not well */
    DRAIN_ALONE_US =
        5000000, /* a draining worker that can deliver nothing waits no longer for its coordinator */
};

static const uint64_t never = UINT64_MAX;

static uint64_t later(uint64_t us, uint64_t delay_us)
{
    return delay_us > never - us ? never : us + delay_us;
}

static uint64_t due_give_up(const struct agent *agent)
{
    bool alone = agent->link != LINK_WELCOMED && agent->options.give_up_us > 0;
    return alone ? later(agent->alone_us, agent->options.give_up_us) : never;
}

static void give_up(struct agent *agent, struct agent_actions *out)
{
    double seconds = (double)agent->options.give_up_us / 1e6;
    if (agent->last_refusal.s[0] != '\0') {
        err_set(&agent->exit_text,
                0,
                "not registered for %.1f s; the coordinator last said: %.300s",
                seconds,
                agent->last_refusal.s);
    } else {
        err_set(&agent->exit_text,
                0,
                "%s for %.1f s",
                agent->sessions == 0 ? "no coordinator answered" : "the coordinator has been gone",
                seconds);
    }
    agent_leave(agent, AGENT_EXIT_LOST, out);
}

static uint64_t due_time_limit(const struct agent *agent)
{
    bool limited = !agent->draining && agent->options.time_limit_us > 0;
    return limited ? later(agent->born_us, agent->options.time_limit_us) : never;
}

static void drain_in_time(struct agent *agent, struct agent_actions *out)
{
    (void)out;
    agent_begin_drain(agent, AGENT_DRAIN_TIME);
}

static uint64_t due_drain_limit(const struct agent *agent)
{
    bool limited = agent->draining && agent->options.drain_limit_us > 0;
    return limited ? later(agent->drain_us, agent->options.drain_limit_us) : never;
}

static void end_drain(struct agent *agent, struct agent_actions *out)
{
    err_set(&agent->exit_text,
            0,
            "drained for %.1f s and left with %" PRIu32 " chunks running; they run elsewhere",
            (double)agent->options.drain_limit_us / 1e6,
            agent->held);
    agent_say_bye_and_leave(agent, out);
}

static uint64_t due_drain_alone(const struct agent *agent)
{
    bool alone = agent->draining && !agent_can_deliver(agent);
    uint64_t since_us = agent->drain_us > agent->alone_us ? agent->drain_us : agent->alone_us;
    return alone ? later(since_us, DRAIN_ALONE_US) : never;
}

static void end_drain_alone(struct agent *agent, struct agent_actions *out)
{
    err_set(&agent->exit_text,
            0,
            "drained without a coordinator: %" PRIu32 " chunks and %" PRIu64
            " results could not be delivered",
            agent->held,
            agent_results_unacked(&agent->results));
    if (agent->link == LINK_WELCOMED) {
        agent_say(agent, out, AGENT_SEND_BYE);
    }
    agent_leave(agent, AGENT_EXIT_LOST, out);
}

static uint64_t due_idle(const struct agent *agent)
{
    bool idle = agent->link == LINK_WELCOMED && agent->options.idle_limit_us > 0 &&
                agent->held == 0 && agent->engine != ENGINE_IS_STARTING &&
                (agent_results_unacked(&agent->results) == 0 || !agent_can_deliver(agent));
    return idle ? later(agent->busy_us, agent->options.idle_limit_us) : never;
}

static void leave_idle(struct agent *agent, struct agent_actions *out)
{
    err_set(&agent->exit_text,
            0,
            "no work came for %.1f s",
            (double)agent->options.idle_limit_us / 1e6);
    agent_say_bye_and_leave(agent, out);
}

static uint64_t beats_after(const struct agent *agent, uint64_t us, uint64_t beats)
{
    return later(us, beats * agent->heartbeat_us);
}

static uint64_t due_silence(const struct agent *agent)
{
    return agent->link == LINK_WELCOMED ? beats_after(agent, agent->heard_us, AGENT_SILENCE_BEATS)
                                        : never;
}

/* A coordinator that lives but leaves results unacknowledged has lost a message; a new session
 * sends them again. */
static uint64_t due_ack(const struct agent *agent)
{
    bool waiting = agent->link == LINK_WELCOMED &&
                   agent->results.seq_next > agent->results.seq_acked + 1;
    return waiting ? beats_after(agent, agent->ack_moved_us, AGENT_ACK_BEATS) : never;
}

static uint64_t due_greeting(const struct agent *agent)
{
    return agent->link == LINK_GREETING ? later(agent->greeted_us, GREETING_US) : never;
}

static uint64_t due_hello(const struct agent *agent)
{
    return agent->link == LINK_WAITING ? agent->hello_from_us : never;
}

static uint64_t due_heartbeat(const struct agent *agent)
{
    return agent->link == LINK_WELCOMED ? later(agent->spoke_us, agent->heartbeat_us) : never;
}

static void beat(struct agent *agent, struct agent_actions *out)
{
    (void)agent_say_heartbeat(agent, out);
}

static uint64_t due_unsent(const struct agent *agent)
{
    bool unsent = agent_has_returned(agent) || agent_has_unsent(agent) ||
                  agent->holding.phase == HOLDING_SAYING;
    return unsent ? agent->now_us : never;
}

static void nothing_more(struct agent *agent, struct agent_actions *out)
{
    /* send_pending follows every event. */
    (void)agent;
    (void)out;
}

/* In the order in which they are asked: those that end the program, those that end the session,
 * those that speak. */
static const struct {
    uint64_t (*due_us)(const struct agent *agent);
    void (*act)(struct agent *agent, struct agent_actions *out);
} timers[] = {
    {due_give_up, give_up},
    {due_drain_limit, end_drain},
    {due_drain_alone, end_drain_alone},
    {due_idle, leave_idle},
    {due_time_limit, drain_in_time},
    {due_silence, agent_reconnect},
    {due_ack, agent_reconnect},
    {due_greeting, agent_reconnect},
    {due_hello, agent_say_hello},
    {due_heartbeat, beat},
    {due_unsent, nothing_more},
};

enum { TIMER_COUNT = sizeof(timers) / sizeof(timers[0]) };

void agent_run_timers(struct agent *agent, struct agent_actions *out)
{
    for (size_t i = 0; i < TIMER_COUNT && agent->link != LINK_LEFT; i++) {
        if (timers[i].due_us(agent) <= agent->now_us) {
            timers[i].act(agent, out);
        }
    }
}

uint64_t agent_deadline_us(const struct agent *agent)
{
    uint64_t deadline_us = never;
    for (size_t i = 0; i < TIMER_COUNT && agent->link != LINK_LEFT; i++) {
        uint64_t due_us = timers[i].due_us(agent);
        deadline_us = due_us < deadline_us ? due_us : deadline_us;
    }
    return deadline_us;
}
