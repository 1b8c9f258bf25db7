#include "tests/worker/test_agent_rig.h"

#include "common/base/check.h"
#include "common/wire/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct agent_options rig_options(void)
{
    return (struct agent_options){
        .credit_max = 64, .results_per_message = 16, .errors_per_message = 4};
}

struct rig *rig_new(const struct agent_options *options)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    CHECK(rig != NULL);
    rig->minor = WIRE_PROTOCOL_MINOR;
    rig->now_us = 1000;
    rig->next_id = 1;
    rig->actions = (struct agent_actions){.list = rig->list, .capacity = AGENT_ACTIONS_MIN};
    CHECK(agent_new(options, rig->now_us, &rig->agent) == 0);
    return rig;
}

void rig_forget(struct rig *rig)
{
    agent_free(rig->agent);
    rig->agent = NULL;
}

void rig_free(struct rig *rig)
{
    agent_free(rig->agent);
    free(rig);
}

int rig_setup(void **state)
{
    struct agent_options options = rig_options();
    *state = rig_new(&options);
    return 0;
}

int rig_teardown(void **state)
{
    rig_free(*state);
    return 0;
}

static void remember(struct rig *rig)
{
    rig->said[0] = '\0';
    size_t len = 0;
    for (size_t i = 0; i < rig->actions.count; i++) {
        char line[256];
        (void)agent_describe_action(&rig->list[i], line, sizeof(line));
        int written = snprintf(
            rig->said + len, sizeof(rig->said) - len, "%s%s", i == 0 ? "" : "; ", line);
        CHECK(written > 0 && (size_t)written < sizeof(rig->said) - len);
        len += (size_t)written;
    }
}

void rig_step(struct rig *rig, const struct agent_event *event)
{
    rig->actions.count = 0;
    rig->rc = agent_step(rig->agent, rig->now_us, event, &rig->actions);
    agent_check(rig->agent);
    remember(rig);
}

void rig_plain(struct rig *rig, enum agent_event_type type, uint64_t session, uint64_t job)
{
    rig_step(rig, &(struct agent_event){.type = type, .session = session, .job = job});
}

void rig_welcome(struct rig *rig, uint64_t session)
{
    rig_step(rig,
             &(struct agent_event){
                 .type = AGENT_WELCOME,
                 .session = session,
                 .as.welcome = {.heartbeat_us = RIG_HEARTBEAT_US, .minor = rig->minor}});
}

void rig_reject(struct rig *rig, uint64_t session, uint32_t reason, const char *text)
{
    rig_step(rig,
             &(struct agent_event){.type = AGENT_REJECT,
                                   .session = session,
                                   .as.reject = {.reason = reason, .text = text}});
}

void rig_job(struct rig *rig, uint64_t session, uint64_t job, uint32_t credit_fixed)
{
    rig_step(rig,
             &(struct agent_event){.type = AGENT_JOB,
                                   .session = session,
                                   .job = job,
                                   .as.job.credit_fixed = credit_fixed});
}

void rig_chunks(struct rig *rig, uint64_t session, uint64_t job, size_t count)
{
    rig_step(rig,
             &(struct agent_event){
                 .type = AGENT_CHUNKS, .session = session, .job = job, .as.chunks.count = count});
}

void rig_ack(struct rig *rig, uint64_t session, uint64_t seq)
{
    rig_step(rig, &(struct agent_event){.type = AGENT_ACK, .session = session, .as.ack = seq});
}

void rig_engine_ready(struct rig *rig, uint64_t job, uint32_t slots)
{
    rig_step(
        rig,
        &(struct agent_event){.type = AGENT_ENGINE_READY, .job = job, .as.ready.slots = slots});
}

void rig_results(struct rig *rig, uint64_t job, size_t count, size_t failing)
{
    struct chunk_result *list = calloc(count + 1, sizeof(*list));
    CHECK(list != NULL);
    for (size_t i = 0; i < count; i++) {
        bool fails = i < failing;
        list[i] = (struct chunk_result){.id = {rig->next_id++},
                                        .attempt = 1,
                                        .first = rig->next_id * 10,
                                        .run_us = 10,
                                        .tally = {.ok = fails ? 9 : 10, .failed = fails ? 1 : 0},
                                        .error = fails ? strdup("it broke") : NULL,
                                        .error_len = fails ? 8 : 0};
    }
    rig_step(rig,
             &(struct agent_event){
                 .type = AGENT_RESULTS, .job = job, .as.results = {.list = list, .count = count}});
    if (rig->rc != 0) {
        for (size_t i = 0; i < count; i++) {
            free(list[i].error);
        }
    }
    free(list);
}

static void forget_blob(void *arg)
{
    struct rig *rig = arg;
    rig->blobs--;
}

struct blob *rig_records(struct rig *rig)
{
    struct blob *blob = blob_new("", 0, forget_blob, rig);
    CHECK(blob != NULL);
    rig->blobs++;
    return blob;
}

void rig_results_with_records(struct rig *rig, uint64_t job, size_t count, uint32_t bytes)
{
    struct chunk_result *list = calloc(count + 1, sizeof(*list));
    CHECK(list != NULL);
    for (size_t i = 0; i < count; i++) {
        list[i] = (struct chunk_result){.id = {rig->next_id++},
                                        .attempt = 1,
                                        .run_us = 10,
                                        .tally.ok = 1,
                                        .records = rig_records(rig),
                                        .records_len = bytes};
    }
    rig_step(rig,
             &(struct agent_event){
                 .type = AGENT_RESULTS, .job = job, .as.results = {.list = list, .count = count}});
    CHECK(rig->rc == 0);
    free(list);
}

void rig_taken_back(struct rig *rig, size_t count)
{
    struct chunk_id *list = calloc(count + 1, sizeof(*list));
    CHECK(list != NULL);
    for (size_t i = 0; i < count; i++) {
        list[i].value = 1000 + i;
    }
    rig_step(rig,
             &(struct agent_event){.type = AGENT_TAKEN_BACK,
                                   .as.taken_back = {.list = list, .count = count}});
    free(list);
}

void rig_tick_after(struct rig *rig, uint64_t us)
{
    rig->now_us += us;
    rig_plain(rig, AGENT_TICK, 0, 0);
}

void rig_tick_when_due(struct rig *rig)
{
    uint64_t due_us = agent_deadline_us(rig->agent);
    CHECK(due_us != UINT64_MAX);
    rig_tick_after(rig, due_us > rig->now_us ? due_us - rig->now_us : 0);
}

void rig_come_back(struct rig *rig)
{
    rig_plain(rig, AGENT_CONNECTED, 0, 0);
    CHECK(rig->said[0] == '\0');
    rig_tick_when_due(rig);
    CHECK(strncmp(rig->said, "SEND_HELLO", 10) == 0);
}

void rig_holding(struct rig *rig, uint64_t job, size_t count)
{
    struct chunk *list = calloc(count + 1, sizeof(*list));
    CHECK(list != NULL);
    for (size_t i = 0; i < count; i++) {
        list[i] = (struct chunk){
            .id = {500 + i}, .first = 5000 + i * 10, .count = 10, .attempt = 2};
    }
    rig_step(rig,
             &(struct agent_event){
                 .type = AGENT_HOLDING, .job = job, .as.holding = {.list = list, .count = count}});
    free(list);
}

void rig_go_welcomed(struct rig *rig)
{
    rig_plain(rig, AGENT_CONNECTED, 0, 0);
    rig_welcome(rig, RIG_SESSION);
}

void rig_go_running(struct rig *rig)
{
    rig_go_welcomed(rig);
    rig_job(rig, RIG_SESSION, RIG_JOB, 0);
    rig_engine_ready(rig, RIG_JOB, RIG_SLOTS);
}

void rig_go_busy(struct rig *rig, size_t count)
{
    rig_go_running(rig);
    rig_chunks(rig, RIG_SESSION, RIG_JOB, count);
}

struct agent_stats rig_stats(const struct rig *rig)
{
    struct agent_stats stats;
    agent_get_stats(rig->agent, &stats);
    return stats;
}
