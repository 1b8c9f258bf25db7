/* An agent with the time and the events in a test's hand. Each function lets one event happen and remembers the actions that came
 * out, as one line: "SEND_HELLO; EXIT status=0". */
#ifndef QUARTET_TESTS_WORKER_TEST_AGENT_RIG_H
#define QUARTET_TESTS_WORKER_TEST_AGENT_RIG_H

#include "common/base/err.h"
#include "worker/agent.h"

enum { RIG_HEARTBEAT_US = 1000000, RIG_SLOTS = 8, RIG_SESSION = 7, RIG_JOB = 1 };

struct rig {
    struct agent *agent;
    uint32_t minor; /* that the next coordinator speaks */
    uint64_t now_us;
    uint64_t next_id; /* of chunks in results */
    struct agent_action list[AGENT_ACTIONS_MIN];
    struct agent_actions actions;
    char said[16384];
    int rc;       /* of the last step */
    size_t blobs; /* of records, that somebody still refers to */
};

struct agent_options rig_options(void);
struct rig *rig_new(const struct agent_options *options);
void rig_free(struct rig *rig);
/* End the agent, and keep the rig to look at what is left. */
void rig_forget(struct rig *rig);

/* cmocka fixtures: *state is a rig with rig_options(). */
int rig_setup(void **state);
int rig_teardown(void **state);

/* Any event; the others are short forms of it. */
void rig_step(struct rig *rig, const struct agent_event *event);

void rig_plain(struct rig *rig, enum agent_event_type type, uint64_t session, uint64_t job);
void rig_welcome(struct rig *rig, uint64_t session);
void rig_reject(struct rig *rig, uint64_t session, uint32_t reason, const char *text);
void rig_job(struct rig *rig, uint64_t session, uint64_t job, uint32_t credit_fixed);
void rig_chunks(struct rig *rig, uint64_t session, uint64_t job, size_t count);
void rig_ack(struct rig *rig, uint64_t session, uint64_t seq);
void rig_engine_ready(struct rig *rig, uint64_t job, uint32_t slots);

/* The engine finished `count` chunks; of the first `failing` of them an item failed. */
void rig_results(struct rig *rig, uint64_t job, size_t count, size_t failing);

/* The engine finished `count` chunks of one item each, with so many bytes of records each. */
void rig_results_with_records(struct rig *rig, uint64_t job, size_t count, uint32_t bytes);
/* A reference to records whose bytes nobody looks at; counted in rig->blobs. */
struct blob *rig_records(struct rig *rig);
void rig_taken_back(struct rig *rig, size_t count);

/* Let time pass, then TICK; or until the agent's own deadline. */
void rig_tick_after(struct rig *rig, uint64_t us);
void rig_tick_when_due(struct rig *rig);

/* The connection comes back: HELLO, after the wait that comes first. */
void rig_come_back(struct rig *rig);

/* The engine answers: it has `count` chunks, with ids from 500 on and 10 items each from 5000 on. */
void rig_holding(struct rig *rig, uint64_t job, size_t count);

/* To a session, to a running engine (credit 16 out), and to one that holds `count` chunks. */
void rig_go_welcomed(struct rig *rig);
void rig_go_running(struct rig *rig);
void rig_go_busy(struct rig *rig, size_t count);

struct agent_stats rig_stats(const struct rig *rig);

#define assert_said(rig, text)  assert_string_equal((rig)->said, text)
#define assert_state(rig, name) assert_string_equal(rig_stats(rig).state, name)

#endif
