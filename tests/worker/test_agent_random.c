/* The agent under random events, sensible and senseless, each followed by agent_check. A model of the shell performs what the
 * agent says and aborts the test when that is impossible: two engines at once, a message without a session, a gap in seq, a chunk in hand
 * that is not named when a job goes on, or named twice. On failure the seed and the last events are printed. */
#include "common/base/record.h"
#include "common/base/rng.h"
#include "common/wire/wire.h"
#include "tests/worker/test_agent_rig.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SEEDS = 300, STEPS = 4000, STEPS_LEFT = 30, HISTORY = 12, HELD_MAX = 128, NAMED_MAX = 512 };

enum model_engine { MODEL_NONE, MODEL_STARTING, MODEL_RUNNING, MODEL_STOPPING };

struct model {
    struct rig *rig;
    struct rng rng;
    uint64_t seed;

    /* The coordinator's side. */
    uint64_t sessions; /* given out */
    uint64_t session;  /* the one that stands */
    uint64_t jobs;
    uint64_t job; /* the one that was asked for last */
    uint32_t credit;
    uint64_t seq;       /* of the last RESULTS of this session */
    uint64_t next_sent; /* number of the result that the next message begins with */
    bool another_job;   /* since the last message: what was left of the one before was forgotten */

    /* The engine's side. */
    enum model_engine engine;
    uint64_t engine_job;
    struct chunk chunks[HELD_MAX]; /* that it holds, in no order */
    uint32_t held;
    uint64_t next_chunk;
    uint32_t take_backs;
    uint64_t finished; /* results handed over, ever */

    /* A job that goes on in a new session. */
    uint32_t minor; /* of the protocol that the coordinator speaks */
    bool asked;     /* what is held, and it was not answered yet */
    bool goes_on;   /* READY is due, behind the names of: */
    struct chunk due[NAMED_MAX];
    size_t due_count;
    size_t named;
    uint64_t named_ever;

    bool connected;
    bool left;
    char history[HISTORY][512];
    size_t steps;
};

static void print_history(const struct model *model)
{
    print_message("seed %" PRIu64 ", step %zu:\n", model->seed, model->steps);
    size_t count = model->steps < HISTORY ? model->steps : HISTORY;
    for (size_t i = model->steps - count; i < model->steps; i++) {
        print_message("  %s\n", model->history[i % HISTORY]);
    }
}

#define EXPECT(model, condition)                                                                   \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_history(model);                                                                  \
            fail_msg("%s", #condition);                                                            \
        }                                                                                          \
    } while (0)

static bool chance(struct model *model, uint32_t percent)
{
    return rng_below(&model->rng, 100) < percent;
}

/* --- what the agent says --- */

static void hear_results(struct model *model, const struct agent_action *action)
{
    EXPECT(model, action->session == model->session && !model->goes_on);
    EXPECT(model, action->seq == model->seq + 1);
    EXPECT(model, action->count <= 16);
    EXPECT(model, action->credit == 0 || rig_stats(model->rig).records_bytes <= AGENT_RECORDS_KEPT);
    if (action->seq == 1) {
        /* A new session begins with the oldest result that is not acknowledged. */
        EXPECT(model, action->first == model->finished - rig_stats(model->rig).unacked);
    } else {
        EXPECT(model, action->first == model->next_sent || model->another_job);
        EXPECT(model, action->first >= model->next_sent);
    }
    model->another_job = false;
    uint32_t errors = 0;
    uint64_t records = 0;
    for (uint32_t i = 0; i < action->count; i++) {
        const struct chunk_result *result = agent_result(model->rig->agent, action->first + i);
        errors += result->tally.failed > 0 ? 1 : 0;
        records += result->records_len;
        EXPECT(model, result->attempt == action->job);
    }
    EXPECT(model, errors <= 4);
    EXPECT(model, records <= AGENT_RECORDS_PER_MESSAGE || action->count == 1);
    model->seq = action->seq;
    model->credit += action->credit;
    model->next_sent = action->first + action->count;
}

/* Everything that is in hand as of now is to be named: what the engine has, and the results that are not acknowledged. */
static void note_what_is_due(struct model *model)
{
    model->due_count = 0;
    for (uint32_t i = 0; i < model->held; i++) {
        model->due[model->due_count++] = model->chunks[i];
    }
    for (uint64_t left = rig_stats(model->rig).unacked; left > 0; left--) {
        const struct chunk_result *result = agent_result(model->rig->agent, model->finished - left);
        EXPECT(model, model->due_count < NAMED_MAX);
        model->due[model->due_count++] = (struct chunk){.id = result->id,
                                                        .first = result->first,
                                                        .count = result->tally.ok +
                                                                 result->tally.failed,
                                                        .attempt = result->attempt};
    }
}

static void hear_holding(struct model *model, const struct agent_action *action)
{
    EXPECT(model, action->session == model->session && action->job == model->job);
    EXPECT(model, model->goes_on && model->minor >= WIRE_MINOR_HOLDING);
    EXPECT(model, action->first == model->named && action->count > 0);
    model->named += action->count;
    model->named_ever += action->count;
    for (uint32_t i = 0; i < action->count; i++) {
        const struct chunk *chunk = &agent_holding(model->rig->agent)[action->first + i];
        size_t at = 0;
        while (at < model->due_count && model->due[at].id.value != chunk->id.value) {
            at++;
        }
        EXPECT(model, at < model->due_count);
        EXPECT(model, chunk->first == model->due[at].first && chunk->count == model->due[at].count);
        EXPECT(model, chunk->attempt == model->due[at].attempt);
        model->due[at] = model->due[--model->due_count]; /* once */
    }
}

static void hear_ready(struct model *model, const struct agent_action *action)
{
    EXPECT(model, action->session == model->session && action->job == model->job);
    EXPECT(model, !action->failed || action->credit == 0);
    EXPECT(model, action->failed || !model->goes_on || model->due_count == 0);
    bool unnamed = !action->failed && !model->goes_on && model->minor >= WIRE_MINOR_HOLDING;
    EXPECT(model, !unnamed || (model->held == 0 && rig_stats(model->rig).unacked == 0));
    model->goes_on = false;
    model->credit = action->credit;
}

static void hear_engine_action(struct model *model, const struct agent_action *action)
{
    switch (action->type) {
    case AGENT_START_ENGINE:
        EXPECT(model, model->engine == MODEL_NONE);
        model->engine = MODEL_STARTING;
        model->engine_job = action->job;
        model->another_job = true;
        break;
    case AGENT_STOP_ENGINE:
        EXPECT(model, model->engine == MODEL_STARTING || model->engine == MODEL_RUNNING);
        EXPECT(model, action->job == model->engine_job);
        model->engine = MODEL_STOPPING;
        model->held = 0;
        model->take_backs = 0;
        model->goes_on = false;
        break;
    case AGENT_ASK_HOLDING:
        EXPECT(model, model->engine == MODEL_RUNNING && action->job == model->engine_job);
        model->asked = true;
        break;
    case AGENT_TAKE_BACK:
        EXPECT(model, model->engine == MODEL_RUNNING);
        model->take_backs++;
        break;
    default:
        break;
    }
}

static void hear(struct model *model, const struct agent_action *action)
{
    EXPECT(model, !model->left || action->type == AGENT_DISCARD);
    switch (action->type) {
    case AGENT_SEND_HELLO:
        EXPECT(model, model->connected && action->session == 0);
        break;
    case AGENT_SEND_READY:
        hear_ready(model, action);
        break;
    case AGENT_SEND_HOLDING:
        hear_holding(model, action);
        break;
    case AGENT_SEND_RESULTS:
        hear_results(model, action);
        break;
    case AGENT_SEND_HEARTBEAT:
    case AGENT_SEND_RETURNED:
    case AGENT_SEND_BYE:
        EXPECT(model, model->session != 0 && action->session == model->session);
        break;
    case AGENT_RECONNECT:
        model->connected = false;
        model->session = 0;
        break;
    case AGENT_EXIT:
        model->left = true;
        break;
    default:
        hear_engine_action(model, action);
    }
}

/* --- what happens to the agent --- */

static void finish_chunks(struct model *model);
static void happen(struct model *model, const struct agent_event *event);

/* The shell answers before anything else happens but that chunks may finish, and be told of, in between. */
static void answer_holding(struct model *model)
{
    model->asked = false;
    if (chance(model, 30)) {
        finish_chunks(model);
    }
    model->goes_on = model->engine == MODEL_RUNNING;
    model->named = 0;
    note_what_is_due(model);
    happen(model,
           &(struct agent_event){.type = AGENT_HOLDING,
                                 .job = model->engine_job,
                                 .as.holding = {model->chunks, model->held}});
}

static void submit(struct model *model, size_t count)
{
    EXPECT(model, model->engine == MODEL_RUNNING && model->held + count <= HELD_MAX);
    for (size_t i = 0; i < count; i++) {
        uint64_t number = ++model->next_chunk;
        /* the attempt, so that it can be told whose job's it is */
        model->chunks[model->held++] = (struct chunk){.id = {number},
                                                      .first = number * 100,
                                                      .count = 1 + number % 7,
                                                      .attempt = (uint32_t)model->engine_job};
    }
}

/* Any one of those that the engine holds. */
static struct chunk pick(struct model *model)
{
    size_t at = (size_t)rng_below(&model->rng, model->held);
    struct chunk chunk = model->chunks[at];
    model->chunks[at] = model->chunks[--model->held];
    return chunk;
}

static void happen(struct model *model, const struct agent_event *event)
{
    struct rig *rig = model->rig;
    (void)agent_describe_event(event, model->history[model->steps % HISTORY], 512);
    model->steps++;
    uint32_t submitted = 0;
    uint32_t discarded = 0;
    rig_step(rig, event);
    for (size_t i = 0; i < rig->actions.count; i++) {
        submitted += rig->list[i].type == AGENT_SUBMIT ? 1 : 0;
        discarded += rig->list[i].type == AGENT_DISCARD ? 1 : 0;
        hear(model, &rig->list[i]);
    }
    EXPECT(model,
           model->left ||
               rig_stats(rig).held == model->held + (submitted > 0 ? event->as.chunks.count : 0));
    if (model->asked) {
        answer_holding(model);
    }
    if (event->type != AGENT_CHUNKS) {
        EXPECT(model, submitted + discarded == 0);
        return;
    }
    EXPECT(model, submitted + discarded == 1);
    if (submitted == 1) {
        submit(model, event->as.chunks.count);
    }
}

/* Mostly the session and job that stand, sometimes another. */
static struct agent_event event_of(struct model *model, enum agent_event_type type)
{
    struct agent_event event = {.type = type, .session = model->session, .job = model->job};
    if (chance(model, 4)) {
        event.session = rng_below(&model->rng, model->sessions + 2);
    }
    if (chance(model, 4)) {
        event.job = rng_below(&model->rng, model->jobs + 2);
    }
    return event;
}

static void happen_to_connection(struct model *model)
{
    if (!model->connected || chance(model, 1)) {
        model->connected = true;
        model->session = 0;
        happen(model, &(struct agent_event){.type = AGENT_CONNECTED});
    } else if (chance(model, 3)) {
        model->connected = false;
        model->session = 0;
        happen(model, &(struct agent_event){.type = AGENT_DISCONNECTED});
    }
}

static void welcome(struct model *model)
{
    if (model->session != 0 && !chance(model, 3)) {
        return;
    }
    struct agent_stats before = rig_stats(model->rig);
    struct agent_event event = {.type = AGENT_WELCOME,
                                .session = ++model->sessions,
                                .as.welcome.heartbeat_us = 1 + rng_below(&model->rng, 100000)};
    /* Another coordinator may have taken the place of the last one, and be older. */
    event.as.welcome.minor = chance(model, 20) ? WIRE_MINOR_HOLDING - 1 : WIRE_PROTOCOL_MINOR;
    uint64_t session_before = model->session;
    uint32_t minor_before = model->minor;
    model->session = event.session;
    model->minor = event.as.welcome.minor;
    happen(model, &event);
    struct agent_stats after = rig_stats(model->rig);
    if (after.sessions == before.sessions) {
        model->session = session_before;
        model->minor = minor_before;
        return;
    }
    model->goes_on = false;
    model->seq = 0;
    model->credit = 0;
}

static void reject(struct model *model)
{
    struct agent_event event = event_of(model, AGENT_REJECT);
    bool fatal = chance(model, 1);
    event.as.reject.reason = fatal ? WIRE_REASON_VERSION : WIRE_REASON_SESSION;
    event.as.reject.text = "no";
    happen(model, &event);
    if (rig_stats(model->rig).session == 0) {
        model->session = 0;
    }
}

static void ask_for_job(struct model *model)
{
    struct agent_event event = event_of(model, AGENT_JOB);
    if (event.job == 0 || chance(model, 10)) {
        event.job = ++model->jobs;
    }
    event.as.job.credit_fixed = chance(model, 30) ? (uint32_t)rng_below(&model->rng, 40) : 0;
    if (event.session == model->session && model->session != 0) {
        model->job = event.job;
    }
    bool runs = model->engine == MODEL_RUNNING && model->engine_job == event.job;
    happen(model, &event);
    EXPECT(model, !runs || model->engine == MODEL_RUNNING);
}

static void send_chunks(struct model *model)
{
    struct agent_event event = event_of(model, AGENT_CHUNKS);
    bool honest = !chance(model, 1);
    uint64_t most = honest ? model->credit : model->credit + 20;
    if (most == 0) {
        return;
    }
    event.as.chunks.count = 1 + rng_below(&model->rng, most);
    uint32_t count = (uint32_t)event.as.chunks.count;
    if (event.session == model->session && event.job == model->job) {
        model->credit -= count < model->credit ? count : model->credit;
    }
    bool connected = model->connected;
    happen(model, &event);
    EXPECT(model, !honest || model->connected == connected);
}

static void finish_chunks(struct model *model)
{
    bool stale = chance(model, 5);
    if (!stale && (model->engine != MODEL_RUNNING || model->held == 0)) {
        return;
    }
    uint64_t job = stale ? model->engine_job + 1 : model->engine_job;
    size_t count = 1 + (size_t)rng_below(&model->rng, stale ? 5 : model->held);
    struct chunk_result list[128] = {0};
    for (size_t i = 0; i < count; i++) {
        struct chunk chunk = {.count = 2, .attempt = (uint32_t)job};
        if (!stale) {
            chunk = pick(model);
        }
        bool fails = chance(model, 20);
        uint64_t run = chance(model, 20) ? 1 + rng_below(&model->rng, chunk.count) : chunk.count;
        list[i].id = chunk.id;
        list[i].first = chunk.first;
        list[i].attempt = chunk.attempt;
        list[i].run_us = rng_below(&model->rng, 1000);
        list[i].tally = (struct tally){.ok = run - (fails ? 1 : 0), .failed = fails ? 1 : 0};
        list[i].error = fails ? strdup("why") : NULL;
        if (chance(model, 30)) {
            list[i].records = rig_records(model->rig);
            list[i].records_len = (uint32_t)rng_below(
                &model->rng, chance(model, 10) ? RECORDS_MAX : RECORDS_ENOUGH_BYTES);
        }
    }
    if (!stale) {
        model->finished += model->left ? 0 : count;
    }
    happen(model,
           &(struct agent_event){
               .type = AGENT_RESULTS, .job = job, .as.results = {.list = list, .count = count}});
}

static void take_back(struct model *model)
{
    if (model->take_backs == 0 || model->engine != MODEL_RUNNING) {
        return;
    }
    struct chunk_id ids[HELD_MAX] = {{1}};
    size_t count = (size_t)rng_below(&model->rng, (uint64_t)model->held + 1);
    model->take_backs--;
    for (size_t i = 0; i < count; i++) {
        ids[i] = pick(model).id;
    }
    happen(model, &(struct agent_event){.type = AGENT_TAKEN_BACK, .as.taken_back = {ids, count}});
}

static void happen_to_engine(struct model *model)
{
    struct agent_event event = {.type = AGENT_ENGINE_READY, .job = model->engine_job};
    event.as.ready.slots = 1 + (uint32_t)rng_below(&model->rng, 20);
    if (chance(model, 5)) {
        event.type = AGENT_ENGINE_READY;
        event.job = model->engine_job + 1; /* of an engine that never was */
    } else if (model->engine == MODEL_STARTING && chance(model, 90)) {
        model->engine = MODEL_RUNNING;
    } else if (model->engine == MODEL_STOPPING) {
        event.type = AGENT_ENGINE_STOPPED;
        model->engine = MODEL_NONE;
    } else if (model->engine == MODEL_STARTING ||
               (model->engine == MODEL_RUNNING && chance(model, 2))) {
        event.type = AGENT_ENGINE_FAILED;
    } else {
        return;
    }
    happen(model, &event);
}

static void acknowledge(struct model *model)
{
    struct agent_event event = event_of(model, AGENT_ACK);
    event.as.ack = chance(model, 5) ? rng_next(&model->rng)
                                    : model->seq - rng_below(&model->rng, model->seq / 2 + 1);
    happen(model, &event);
}

/* Ticks come when they are due or late; once everything due is done, the next deadline lies ahead. */
static void let_time_pass(struct model *model)
{
    uint64_t due_us = agent_deadline_us(model->rig->agent);
    if (due_us != UINT64_MAX && due_us > model->rig->now_us && chance(model, 50)) {
        model->rig->now_us = due_us;
    } else {
        model->rig->now_us += rng_below(&model->rng, 20000);
    }
    for (int i = 0; i < 20; i++) {
        happen(model, &(struct agent_event){.type = AGENT_TICK});
        if (agent_deadline_us(model->rig->agent) > model->rig->now_us) {
            return;
        }
    }
    bool time_stands_still = true;
    EXPECT(model, !time_stands_still);
}

static void happen_at_random(struct model *model)
{
    uint64_t dice = rng_below(&model->rng, 1000);
    struct agent_event event = {0};
    if (dice < 50) {
        happen_to_connection(model);
    } else if (dice < 100) {
        welcome(model);
    } else if (dice < 102) {
        reject(model);
    } else if (dice < 150) {
        ask_for_job(model);
    } else if (dice < 152) {
        event = event_of(model, AGENT_CANCEL);
        happen(model, &event);
    } else if (dice < 350) {
        send_chunks(model);
    } else if (dice < 600) {
        finish_chunks(model);
    } else if (dice < 700) {
        happen_to_engine(model);
    } else if (dice < 850) {
        acknowledge(model);
    } else if (dice < 900) {
        take_back(model);
    } else if (dice < 901) {
        event = event_of(
            model, chance(model, 5) ? (chance(model, 50) ? AGENT_BYE : AGENT_QUIT) : AGENT_DRAIN);
        happen(model, &event);
    } else {
        let_time_pass(model);
    }
}

/* Returns how many chunks were named when jobs went on. */
static uint64_t run_seed(uint64_t seed)
{
    struct model model = {.seed = seed};
    rng_init(&model.rng, seed);
    struct agent_options options = rig_options();
    options.drain_limit_us = chance(&model, 50) ? 300000 : 0;
    options.give_up_us = chance(&model, 30) ? 2000000 : 0;
    options.time_limit_us = chance(&model, 30) ? 5000000 : 0;
    options.idle_limit_us = chance(&model, 30) ? 2000000 : 0;
    options.seed = rng_next(&model.rng);
    model.rig = rig_new(&options);
    for (int i = 0; i < STEPS && !model.left; i++) {
        happen_at_random(&model);
    }
    for (int i = 0; i < STEPS_LEFT; i++) {
        happen_at_random(&model);
    }
    rig_forget(model.rig);
    EXPECT(&model, model.rig->blobs == 0);
    rig_free(model.rig);
    return model.named_ever;
}

static void test_agent_keeps_its_invariants_under_random_events(void **state)
{
    (void)state;
    const char *only = getenv("SEED");
    if (only != NULL) {
        (void)run_seed(strtoull(only, NULL, 10));
        return;
    }
    uint64_t named = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        named += run_seed(seed);
    }
    /* The events do come to what is to be looked at. */
    assert_true(named > 10 * SEEDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agent_keeps_its_invariants_under_random_events),
    };
    return cmocka_run_group_tests_name("agent: random", tests, NULL, NULL);
}
