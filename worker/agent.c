#include "worker/agent.h"

#include "common/base/check.h"
#include "common/wire/wire.h"
#include "worker/agent_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    CREDIT_MAX = 65536,
    DIRECT_ACTIONS = 8, /* most actions of a step besides the messages that are cut to size */
    LAST_ACTIONS = 4,   /* RESULTS behind its HEARTBEAT, an order, BYE and EXIT always find room */
};

static const uint64_t heartbeat_us_max = UINT64_C(3600000000);

/* --- questions and deeds that only the reactions need --- */

/* Chunks that may be asked for now. */
static uint32_t credit_due(const struct agent *agent)
{
    if (agent->draining || agent->job_failed || !agent_can_deliver(agent)) {
        return 0;
    }
    if (agent->results.records_bytes > AGENT_RECORDS_KEPT) {
        return 0; /* until the coordinator has taken what is there */
    }
    uint64_t asked = (uint64_t)agent->held + agent->credit_out;
    uint64_t promised = asked + agent_results_unacked(&agent->results);
    uint64_t promised_max = 2 * (uint64_t)agent->options.credit_max;
    if (asked >= agent->window.size || promised >= promised_max) {
        return 0;
    }
    uint64_t due = agent->window.size - asked;
    uint64_t room = promised_max - promised;
    return (uint32_t)(due < room ? due : room);
}

static uint32_t take_credit(struct agent *agent)
{
    uint32_t credit = credit_due(agent);
    agent->credit_out += credit;
    return credit;
}

static void start_engine(struct agent *agent)
{
    agent_move_engine(agent, ENGINE_IS_STARTING);
    agent->engine_job = agent->job;
    agent->busy_us = agent->now_us;
    agent_order_engine(agent, AGENT_START_ENGINE);
}

/* What the engine holds is lost with it. */
static void stop_engine(struct agent *agent)
{
    agent_move_engine(agent, ENGINE_IS_STOPPING);
    agent->held = 0;
    agent->credit_out = 0;
    agent_holding_forget(&agent->holding);
    agent_order_engine(agent, AGENT_STOP_ENGINE);
}

static void forget_job(struct agent *agent)
{
    if (agent->engine == ENGINE_IS_STARTING || agent->engine == ENGINE_IS_RUNNING) {
        stop_engine(agent);
    }
    agent_results_forget(&agent->results);
    agent->returned.sent = agent->returned.count;
    agent->returned.due = false;
    agent->job = 0;
    agent->job_asked = false;
    agent->job_failed = false;
    agent->items_done = 0;
}

/* Tell the coordinator how the engine for its job came out. Everything else about the job comes
 * after this. */
static void say_ready(struct agent *agent, struct agent_actions *out)
{
    struct agent_action *action = agent_say(agent, out, AGENT_SEND_READY);
    action->failed = agent->job_failed;
    action->credit = take_credit(agent);
}

/* The coordinator waits for this after CANCEL, so that what it measures next has the machine to
 * itself. */
static void say_idle(struct agent *agent, struct agent_actions *out)
{
    if (agent->link == LINK_WELCOMED && agent->job == 0 && agent->engine == ENGINE_IS_NONE) {
        (void)agent_say_heartbeat(agent, out);
    }
}

static void free_results(const struct agent_event *event)
{
    for (size_t i = 0; i < event->as.results.count; i++) {
        chunk_result_deinit(&event->as.results.list[i]);
    }
}

/* --- reactions: the connection --- */

static void on_connected(struct agent *agent,
                         const struct agent_event *event,
                         struct agent_actions *out)
{
    (void)event;
    if (agent->link != LINK_DOWN) {
        /* A second connection without a word of the first one's end: the session was bound to
         * the first. */
        agent_lose_connection(agent);
    }
    if (agent->returning && agent->now_us >= agent->hello_from_us) {
        agent_wait_before_hello(agent, AGENT_RETURN_US);
    }
    if (agent->now_us < agent->hello_from_us) {
        agent_move_link(agent, LINK_WAITING);
        return;
    }
    agent_say_hello(agent, out);
}

static void on_disconnected(struct agent *agent,
                            const struct agent_event *event,
                            struct agent_actions *out)
{
    (void)event;
    (void)out;
    if (agent->link != LINK_DOWN) {
        agent_lose_connection(agent);
    }
}

/* --- reactions: the session --- */

static uint64_t bounded(uint64_t value, uint64_t least, uint64_t most)
{
    if (value < least) {
        return least;
    }
    return value > most ? most : value;
}

static void on_welcome(struct agent *agent,
                       const struct agent_event *event,
                       struct agent_actions *out)
{
    (void)out;
    if (agent->link == LINK_WELCOMED && event->session != agent->session) {
        /* The coordinator took two HELLOs for two registrations; the later one counts there, so
         * it counts here. */
        agent_end_session(agent);
        agent_move_link(agent, LINK_GREETING);
    }
    if (agent->link != LINK_GREETING || event->session == 0) {
        return;
    }
    agent_move_link(agent, LINK_WELCOMED);
    agent->session = event->session;
    agent->sessions++;
    agent->coordinator_minor = event->as.welcome.minor;
    agent->returning = false;
    agent->heartbeat_us = bounded(event->as.welcome.heartbeat_us, 1, heartbeat_us_max);
    agent->welcomed_us = agent->now_us;
    agent->heard_us = agent->now_us;
    agent->ack_moved_us = agent->now_us;
    agent->busy_us = agent->now_us;
}

static void on_reject(struct agent *agent,
                      const struct agent_event *event,
                      struct agent_actions *out)
{
    /* A HELLO is refused with session 0. Refusals of an older session may still be under way:
     * they are not about this one. */
    bool about_me = agent->link == LINK_GREETING
                        ? event->session == 0
                        : agent->link == LINK_WELCOMED && event->session == agent->session;
    if (!about_me) {
        return;
    }
    const char *text = event->as.reject.text == NULL ? "" : event->as.reject.text;
    err_set(&agent->last_refusal, 0, "%s", text);
    if (event->as.reject.reason == WIRE_REASON_VERSION ||
        event->as.reject.reason == WIRE_REASON_KEY) {
        err_set(&agent->exit_text,
                0,
                "the coordinator refused this worker: %.400s",
                agent->last_refusal.s);
        agent_leave(agent, AGENT_EXIT_REFUSED, out);
        return;
    }
    agent_end_session(agent);
    agent_back_off(agent);
    agent_move_link(agent, LINK_WAITING);
}

static void on_bye(struct agent *agent, const struct agent_event *event, struct agent_actions *out)
{
    bool for_me = agent->link == LINK_WELCOMED ? event->session == agent->session
                                               : event->session == 0;
    if (for_me) {
        err_set(&agent->exit_text, 0, "the coordinator is done");
        agent_say_bye_and_leave(agent, out); /* it keeps the connection until it has heard this */
    }
}

static void on_heard(struct agent *agent,
                     const struct agent_event *event,
                     struct agent_actions *out)
{
    /* Every message is a sign of life, see agent_step. */
    (void)out;
    uint64_t heartbeat_us = event->as.heard.heartbeat_us;
    if (heartbeat_us > 0 && agent_in_session(agent, event)) {
        agent->heartbeat_us = bounded(heartbeat_us, 1, heartbeat_us_max);
    }
}

/* --- reactions: the job and its engine --- */

/* Said again in a new session: the engine goes on, and what it has done since is sent again. */
static void go_on_with_job(struct agent *agent, struct agent_actions *out)
{
    agent->job_asked = true;
    if (!agent_can_deliver(agent)) {
        return; /* READY is said when the engine stands */
    }
    bool in_hand = agent->held > 0 || agent_results_unacked(&agent->results) > 0;
    if (in_hand && !agent->job_failed && agent->coordinator_minor >= WIRE_MINOR_HOLDING) {
        agent->holding.phase = HOLDING_ASKED;
        agent_order_engine(agent, AGENT_ASK_HOLDING);
    } else {
        say_ready(agent, out);
    }
}

static void on_job(struct agent *agent, const struct agent_event *event, struct agent_actions *out)
{
    if (!agent_in_session(agent, event) || event->job == 0) {
        return;
    }
    if (event->job == agent->job) {
        if (!agent->job_asked) {
            go_on_with_job(agent, out);
        }
        return;
    }
    forget_job(agent);
    if (agent->draining) {
        return;
    }
    agent->job = event->job;
    agent->job_asked = true;
    agent->job_credit = event->as.job.credit_fixed;
    if (agent->engine == ENGINE_IS_NONE) {
        start_engine(agent);
    }
}

static void on_cancel(struct agent *agent,
                      const struct agent_event *event,
                      struct agent_actions *out)
{
    if (agent_in_session(agent, event) && event->job == agent->job && agent->job != 0) {
        forget_job(agent);
        say_idle(agent, out);
    }
}

static void on_engine_ready(struct agent *agent,
                            const struct agent_event *event,
                            struct agent_actions *out)
{
    if (agent->engine != ENGINE_IS_STARTING || event->job != agent->engine_job) {
        return;
    }
    agent_move_engine(agent, ENGINE_IS_RUNNING);
    agent->busy_us = agent->now_us;
    agent_window_init(&agent->window,
                      event->as.ready.slots,
                      agent->job_credit,
                      agent->options.credit_max,
                      agent->now_us);
    if (agent->job_asked) {
        say_ready(agent, out);
    }
}

static void on_engine_failed(struct agent *agent,
                             const struct agent_event *event,
                             struct agent_actions *out)
{
    bool lives = agent->engine == ENGINE_IS_STARTING || agent->engine == ENGINE_IS_RUNNING;
    if (!lives || event->job != agent->engine_job) {
        return;
    }
    agent->job_failed = true;
    stop_engine(agent);
    if (agent->job_asked) {
        say_ready(agent, out);
    }
}

static void on_engine_stopped(struct agent *agent,
                              const struct agent_event *event,
                              struct agent_actions *out)
{
    if (agent->engine != ENGINE_IS_STOPPING || event->job != agent->engine_job) {
        return;
    }
    agent_move_engine(agent, ENGINE_IS_NONE);
    agent->engine_job = 0;
    if (agent->job != 0 && !agent->job_failed) {
        start_engine(agent);
    }
    say_idle(agent, out);
}

/* --- reactions: chunks and results --- */

static void on_chunks(struct agent *agent,
                      const struct agent_event *event,
                      struct agent_actions *out)
{
    size_t count = event->as.chunks.count;
    bool wanted = agent_in_session(agent, event) && event->job == agent->job &&
                  agent->engine == ENGINE_IS_RUNNING && agent->job_asked;
    if (!wanted) {
        agent_emit(agent, out, AGENT_DISCARD);
        return;
    }
    if (count > agent->credit_out) {
        /* More than was asked for: the two sides no longer agree about who holds what. A new
         * session makes them. */
        agent_emit(agent, out, AGENT_DISCARD);
        agent_reconnect(agent, out);
        agent_back_off(agent);
        return;
    }
    agent->credit_out -= (uint32_t)count;
    if (agent->credit_out == 0 && agent->held < agent->window.slots && agent->items_done > 0) {
        agent_window_note_starved(&agent->window);
    }
    agent->held += (uint32_t)count;
    agent->busy_us = agent->now_us;
    agent_emit(agent, out, AGENT_SUBMIT);
    if (agent->draining) {
        /* They were under way when the drain began. The agent knows no ids; the engine gives
         * back what it has not begun. */
        agent_order_engine(agent, AGENT_TAKE_BACK);
    }
}

static void on_results(struct agent *agent,
                       const struct agent_event *event,
                       struct agent_actions *out)
{
    (void)out;
    const struct chunk_result *list = event->as.results.list;
    size_t count = event->as.results.count;
    if (agent->engine != ENGINE_IS_RUNNING || event->job != agent->engine_job) {
        free_results(event);
        return;
    }
    CHECK(count <= agent->held);
    uint64_t run_us = 0;
    for (size_t i = 0; i < count; i++) {
        run_us += list[i].run_us;
        agent->items_done += list[i].tally.ok + list[i].tally.failed;
    }
    agent->held -= (uint32_t)count;
    agent->busy_us = agent->now_us;
    agent_window_note_finished(&agent->window, agent->now_us, count, run_us);
    agent_results_append(&agent->results, list, count);
}

static void on_ack(struct agent *agent, const struct agent_event *event, struct agent_actions *out)
{
    (void)out;
    if (agent_in_session(agent, event) && agent_results_ack(&agent->results, event->as.ack)) {
        agent->ack_moved_us = agent->now_us;
    }
}

/* --- what follows every event: messages cut to size --- */

static void say_results(struct agent *agent, uint32_t count, struct agent_actions *out)
{
    if (agent->results.seq_next == agent->results.seq_acked + 1) {
        agent->ack_moved_us = agent->now_us;
    }
    uint64_t coming = agent_results_next_bytes(&agent->results, count);
    if (coming > AGENT_LONG_MESSAGE) {
        agent_say_heartbeat(agent, out)->coming = coming;
    }
    struct agent_action *action = agent_say(agent, out, AGENT_SEND_RESULTS);
    action->first = agent->results.sent;
    action->count = count;
    action->seq = agent_results_mark_sent(&agent->results, count);
    action->credit = take_credit(agent);
}

/* Credit that had to wait for acknowledgements, and has no result to travel with. Not for every
 * single chunk of it. */
static bool credit_is_worth_a_message(const struct agent *agent)
{
    uint32_t due = credit_due(agent);
    return due > 0 && (due >= agent->window.size / 4 || agent->held + agent->credit_out == 0);
}

/* Everything that is ready goes out now; what finds no room among the actions goes with the next
 * step (see due_unsent in agent_timers.c). */
static void send_pending(struct agent *agent, struct agent_actions *out)
{
    size_t room_until = out->capacity - LAST_ACTIONS;
    while (out->count < room_until && agent->holding.phase == HOLDING_SAYING) {
        if (!agent_say_holding(agent, out)) {
            agent_holding_forget(&agent->holding);
            say_ready(agent, out);
        }
    }
    while (out->count < room_until && agent_has_returned(agent)) {
        agent_say_returned(agent, out);
    }
    while (out->count < room_until && agent_has_unsent(agent)) {
        say_results(agent,
                    agent_results_next_count(&agent->results,
                                             agent->options.results_per_message,
                                             agent->options.errors_per_message),
                    out);
    }
    if (out->count < room_until && credit_is_worth_a_message(agent)) {
        say_results(agent, 0, out);
    }
}

static void give_order(struct agent *agent, struct agent_actions *out)
{
    if (agent->order != 0) {
        agent_emit(agent, out, agent->order)->job = agent->engine_job;
        agent->order = 0;
    }
}

static void on_tick(struct agent *agent, const struct agent_event *event, struct agent_actions *out)
{
    (void)event;
    agent_run_timers(agent, out);
}

/* --- one step --- */

static void (*const reactions[])(struct agent *agent,
                                 const struct agent_event *event,
                                 struct agent_actions *out) = {
    [AGENT_CONNECTED] = on_connected,
    [AGENT_DISCONNECTED] = on_disconnected,
    [AGENT_WELCOME] = on_welcome,
    [AGENT_REJECT] = on_reject,
    [AGENT_JOB] = on_job,
    [AGENT_CANCEL] = on_cancel,
    [AGENT_CHUNKS] = on_chunks,
    [AGENT_ACK] = on_ack,
    [AGENT_HEARD] = on_heard,
    [AGENT_DRAIN] = agent_on_drain,
    [AGENT_QUIT] = agent_on_quit,
    [AGENT_BYE] = on_bye,
    [AGENT_ENGINE_READY] = on_engine_ready,
    [AGENT_ENGINE_FAILED] = on_engine_failed,
    [AGENT_ENGINE_STOPPED] = on_engine_stopped,
    [AGENT_RESULTS] = on_results,
    [AGENT_TAKEN_BACK] = agent_on_taken_back,
    [AGENT_HOLDING] = agent_on_holding,
    [AGENT_TICK] = on_tick,
};

/* All memory that this event can need, before anything changes. */
static int reserve(struct agent *agent,
                   const struct agent_event *event,
                   const struct agent_actions *out)
{
    size_t results = event->type == AGENT_RESULTS ? event->as.results.count : 0;
    size_t returned = event->type == AGENT_TAKEN_BACK ? event->as.taken_back.count : 0;
    size_t holding = event->type == AGENT_HOLDING
                         ? event->as.holding.count + agent_results_unacked(&agent->results)
                         : 0;
    if (agent_returned_reserve(&agent->returned, returned) != 0 ||
        agent_holding_reserve(&agent->holding, holding) != 0) {
        return ERR_NOMEM;
    }
    return agent_results_reserve(&agent->results, results, out->capacity - out->count);
}

/* After EXIT only the memory that events bring matters. */
static void swallow(struct agent *agent, const struct agent_event *event, struct agent_actions *out)
{
    if (event->type == AGENT_RESULTS) {
        free_results(event);
    } else if (event->type == AGENT_CHUNKS) {
        agent_emit(agent, out, AGENT_DISCARD);
    }
}

static bool is_message(enum agent_event_type type)
{
    return type >= AGENT_WELCOME && type <= AGENT_BYE;
}

int agent_step(struct agent *agent,
               uint64_t now_us,
               const struct agent_event *event,
               struct agent_actions *out)
{
    CHECK(event->type >= AGENT_CONNECTED && event->type <= AGENT_TICK);
    CHECK(out->count + DIRECT_ACTIONS + LAST_ACTIONS <= out->capacity);
    CHECK(now_us >= agent->now_us);
    int rc = reserve(agent, event, out);
    if (rc != 0) {
        return rc;
    }
    agent->now_us = now_us;
    if (agent->link == LINK_LEFT) {
        swallow(agent, event, out);
        return 0;
    }
    if (is_message(event->type) && agent_in_session(agent, event)) {
        agent->heard_us = now_us;
    }
    reactions[event->type](agent, event, out);
    if (agent->link != LINK_LEFT) {
        send_pending(agent, out);
        give_order(agent, out);
        agent_leave_when_drained(agent, out);
    }
    return 0;
}

/* --- from birth to death, and what can be seen from outside --- */

static bool options_are_valid(const struct agent_options *options)
{
    return options->credit_max >= 4 && options->credit_max <= CREDIT_MAX &&
           options->results_per_message >= 1 && options->results_per_message <= WIRE_CHUNKS_MAX &&
           options->errors_per_message >= 1 && options->errors_per_message <= WIRE_ERRORS_MAX;
}

int agent_new(const struct agent_options *options, uint64_t now_us, struct agent **ret_agent)
{
    if (!options_are_valid(options)) {
        return ERR_INVALID;
    }
    struct agent *agent = calloc(1, sizeof(*agent));
    if (agent == NULL) {
        return ERR_NOMEM;
    }
    agent->options = *options;
    agent->now_us = now_us;
    agent->alone_us = now_us;
    agent->born_us = now_us;
    rng_init(&agent->rng, options->seed);
    agent_results_init(&agent->results);
    *ret_agent = agent;
    return 0;
}

void agent_free(struct agent *agent)
{
    if (agent == NULL) {
        return;
    }
    agent_results_deinit(&agent->results);
    free(agent->returned.list);
    free(agent->holding.list);
    free(agent);
}

const struct chunk_result *agent_result(const struct agent *agent, uint64_t number)
{
    const struct agent_results *results = &agent->results;
    CHECK(number >= results->acked && number < results->end);
    return &results->list[number & (results->capacity - 1)];
}

const struct chunk_id *agent_returned_ids(const struct agent *agent)
{
    return agent->returned.list;
}

void agent_get_stats(const struct agent *agent, struct agent_stats *ret_stats)
{
    *ret_stats = (struct agent_stats){
        .state = agent_state_name(agent),
        .session = agent->session,
        .job = agent->job,
        .held = agent->held,
        .window = agent->window.size,
        .credit_out = agent->credit_out,
        .unacked = agent_results_unacked(&agent->results),
        .records_bytes = agent->results.records_bytes,
        .items_done = agent->items_done,
        .sessions = agent->sessions,
    };
}

const char *agent_exit_text(const struct agent *agent)
{
    return agent->exit_text.s;
}

void agent_check(const struct agent *agent)
{
    uint64_t asked = (uint64_t)agent->held + agent->credit_out;
    uint64_t promised = asked + agent_results_unacked(&agent->results);
    CHECK((agent->engine == ENGINE_IS_RUNNING || asked == 0) && "credit_conserved");
    CHECK((agent->job_asked || agent->credit_out == 0) && "credit_conserved");
    CHECK(asked <= agent->window.largest && "credit_conserved");
    CHECK(promised <= 2 * (uint64_t)agent->options.credit_max && "credit_conserved");
    bool naming = agent->holding.phase != HOLDING_NONE;
    CHECK((!naming || (agent->job_asked && agent->engine == ENGINE_IS_RUNNING)) && "one_session");
    CHECK((!naming || agent->credit_out == 0) && "credit_conserved");
    CHECK((agent->link == LINK_WELCOMED || agent->link == LINK_LEFT || !agent->job_asked) &&
          "one_session");
    agent_results_check(&agent->results);
}
