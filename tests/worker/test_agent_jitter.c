/* A thousand agents that lose one coordinator in one instant: when do they come back? With a clock that jumps from deadline to deadline. */
#include "common/base/check.h"
#include "common/wire/wire.h"
#include "worker/agent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { AGENTS = 1000, BIN_US = 10000, BINS = 2000, SECOND_US = 1000000 };

struct crowd {
    struct agent *agents[AGENTS];
    uint64_t now_us;
    uint64_t
        refuse_until_us; /* the coordinator answers HELLO by REJECT before that, by WELCOME after */
    uint64_t session;

    uint64_t watched_from_us;
    unsigned bins[BINS]; /* HELLOs, since then */
    unsigned hellos;
    uint64_t first_us; /* since then */
    uint64_t last_us;
    unsigned welcomed;
};

static void step(struct crowd *crowd, size_t at, const struct agent_event *event);

static void on_hello(struct crowd *crowd, size_t at)
{
    uint64_t since_us = crowd->now_us - crowd->watched_from_us;
    CHECK(since_us / BIN_US < BINS);
    crowd->bins[since_us / BIN_US]++;
    crowd->first_us = crowd->hellos == 0 ? since_us : crowd->first_us;
    crowd->last_us = since_us;
    crowd->hellos++;
    if (crowd->now_us < crowd->refuse_until_us) {
        step(crowd,
             at,
             &(struct agent_event){.type = AGENT_REJECT, .as.reject.reason = WIRE_REASON_FULL});
        return;
    }
    crowd->welcomed++;
    step(crowd,
         at,
         &(struct agent_event){.type = AGENT_WELCOME,
                               .session = ++crowd->session,
                               .as.welcome = {.heartbeat_us = 3600000000, .minor = 2}});
}

static void step(struct crowd *crowd, size_t at, const struct agent_event *event)
{
    struct agent_action list[AGENT_ACTIONS_MIN];
    struct agent_actions actions = {.list = list, .capacity = AGENT_ACTIONS_MIN};
    CHECK(agent_step(crowd->agents[at], crowd->now_us, event, &actions) == 0);
    for (size_t i = 0; i < actions.count; i++) {
        if (list[i].type == AGENT_SEND_HELLO) {
            on_hello(crowd, at);
        }
    }
}

static void happen_to_all(struct crowd *crowd, const struct agent_event *event)
{
    for (size_t i = 0; i < AGENTS; i++) {
        struct agent_stats stats;
        struct agent_event its = *event;
        agent_get_stats(crowd->agents[i], &stats);
        its.session = event->type == AGENT_REJECT ? stats.session : 0;
        step(crowd, i, &its);
    }
}

static void watch(struct crowd *crowd)
{
    memset(crowd->bins, 0, sizeof(crowd->bins));
    crowd->watched_from_us = crowd->now_us;
    crowd->hellos = 0;
    crowd->welcomed = 0;
}

/* Tick whoever is due, in order, until all are in a session. */
static void run(struct crowd *crowd)
{
    while (crowd->welcomed < AGENTS) {
        size_t next = 0;
        for (size_t i = 1; i < AGENTS; i++) {
            next = agent_deadline_us(crowd->agents[i]) < agent_deadline_us(crowd->agents[next])
                       ? i
                       : next;
        }
        uint64_t due_us = agent_deadline_us(crowd->agents[next]);
        CHECK(due_us != UINT64_MAX);
        crowd->now_us = due_us > crowd->now_us ? due_us : crowd->now_us;
        step(crowd, next, &(struct agent_event){.type = AGENT_TICK});
    }
}

static unsigned fullest_bin(const struct crowd *crowd)
{
    unsigned most = 0;
    for (size_t i = 0; i < BINS; i++) {
        most = crowd->bins[i] > most ? crowd->bins[i] : most;
    }
    return most;
}

static void tell(const struct crowd *crowd, const char *what)
{
    print_message(
        "%s: %u HELLOs, the first after %.3f s, the last after %.3f s, at most %u in 10 ms\n",
        what,
        crowd->hellos,
        (double)crowd->first_us / 1e6,
        (double)crowd->last_us / 1e6,
        fullest_bin(crowd));
}

static int setup(void **state)
{
    struct crowd *crowd = calloc(1, sizeof(*crowd));
    CHECK(crowd != NULL);
    crowd->now_us = SECOND_US;
    for (size_t i = 0; i < AGENTS; i++) {
        struct agent_options options = {
            .credit_max = 64, .results_per_message = 16, .errors_per_message = 4, .seed = i};
        CHECK(agent_new(&options, crowd->now_us, &crowd->agents[i]) == 0);
    }
    watch(crowd);
    happen_to_all(crowd, &(struct agent_event){.type = AGENT_CONNECTED});
    *state = crowd;
    return 0;
}

static int teardown(void **state)
{
    struct crowd *crowd = *state;
    for (size_t i = 0; i < AGENTS; i++) {
        agent_free(crowd->agents[i]);
    }
    free(crowd);
    return 0;
}

static void test_agents_say_their_first_hello_at_once(void **state)
{
    struct crowd *crowd = *state;
    tell(crowd, "1,000 workers start");
    assert_int_equal(crowd->welcomed, AGENTS);
    assert_int_equal(crowd->last_us, 0);
}

/* What "spread" means: a 25th of them is what half a wait of 500 ms has in 10 ms; twice that is chance, more is not. */
static void assert_spread_over_return(const struct crowd *crowd)
{
    assert_int_equal(crowd->hellos, AGENTS);
    assert_in_range(crowd->first_us, AGENT_RETURN_US / 2, AGENT_RETURN_US);
    assert_in_range(crowd->last_us, AGENT_RETURN_US * 9 / 10, AGENT_RETURN_US);
    assert_in_range(fullest_bin(crowd), 1, 2 * AGENTS / 25);
}

static void test_agents_come_back_spread_when_their_coordinator_restarts(void **state)
{
    struct crowd *crowd = *state;
    crowd->now_us += 60 * SECOND_US;
    happen_to_all(crowd, &(struct agent_event){.type = AGENT_DISCONNECTED});
    crowd->now_us += 30 * SECOND_US;
    watch(crowd);
    happen_to_all(crowd, &(struct agent_event){.type = AGENT_CONNECTED});
    assert_int_equal(crowd->hellos, 0);
    run(crowd);
    tell(crowd, "1,000 workers whose coordinator is back");
    assert_spread_over_return(crowd);
}

static void test_agents_come_back_spread_when_their_sessions_are_refused(void **state)
{
    struct crowd *crowd = *state;
    crowd->now_us += 60 * SECOND_US;
    watch(crowd);
    happen_to_all(
        crowd,
        &(struct agent_event){.type = AGENT_REJECT, .as.reject.reason = WIRE_REASON_SESSION});
    run(crowd);
    tell(crowd, "1,000 workers whose sessions are over");
    assert_spread_over_return(crowd);
}

static void test_agents_that_are_refused_make_no_storm(void **state)
{
    struct crowd *crowd = *state;
    crowd->now_us += 60 * SECOND_US;
    happen_to_all(crowd, &(struct agent_event){.type = AGENT_DISCONNECTED});
    watch(crowd);
    crowd->refuse_until_us = crowd->now_us + 10 * SECOND_US;
    happen_to_all(crowd, &(struct agent_event){.type = AGENT_CONNECTED});
    run(crowd);
    tell(crowd, "1,000 workers that are refused for 10 s");
    /* 0.5 s, then 0.1 s doubling to 5 s, less up to half. */
    assert_in_range(crowd->hellos, 6 * AGENTS, 12 * AGENTS);
    assert_in_range(crowd->last_us, 10 * SECOND_US, 15 * SECOND_US);
    assert_in_range(fullest_bin(crowd), 1, AGENTS / 5);
    /* The longer it lasts, the thinner they come: of the last 5 s of refusals no 10 ms has more than a hundredth. */
    for (size_t i = 500; i < 1000; i++) {
        assert_in_range(crowd->bins[i], 0, AGENTS / 50);
    }
}

#define CROWD_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CROWD_TEST(test_agents_say_their_first_hello_at_once),
        CROWD_TEST(test_agents_come_back_spread_when_their_coordinator_restarts),
        CROWD_TEST(test_agents_come_back_spread_when_their_sessions_are_refused),
        CROWD_TEST(test_agents_that_are_refused_make_no_storm),
    };
    return cmocka_run_group_tests_name("agent: jitter", tests, NULL, NULL);
}
