/* The agent: records of single items, which are what is large: how they are cut into messages, what
 * they hold back, and that none outlives its use. */
#include "common/base/record.h"
#include "tests/worker/test_agent_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { KIB = 1024, MIB = 1024 * 1024 };

/* Credit for `count` chunks, all used. */
static void go_holding(struct rig *rig, uint32_t count)
{
    rig_go_welcomed(rig);
    rig_job(rig, 7, 1, count);
    rig_engine_ready(rig, 1, 8);
    rig_chunks(rig, 7, 1, count);
}

static void test_agent_splits_results_by_bytes_of_records(void **state)
{
    struct rig *rig = *state;
    go_holding(rig, 5);
    rig_results_with_records(rig, 1, 5, 400 * KIB);
    assert_said(rig,
                "SEND_HEARTBEAT session=7 job=1 coming=819200; "
                "SEND_RESULTS session=7 job=1 seq=1 first=0 count=2 credit=5; "
                "SEND_HEARTBEAT session=7 job=1 coming=819200; "
                "SEND_RESULTS session=7 job=1 seq=2 first=2 count=2 credit=0; "
                "SEND_HEARTBEAT session=7 job=1 coming=409600; "
                "SEND_RESULTS session=7 job=1 seq=3 first=4 count=1 credit=0");
}

static void test_agent_fills_a_message_to_the_last_byte(void **state)
{
    struct rig *rig = *state;
    go_holding(rig, 8);
    rig_results_with_records(rig, 1, 4, 256 * KIB);
    assert_said(rig,
                "SEND_HEARTBEAT session=7 job=1 coming=1048576; "
                "SEND_RESULTS session=7 job=1 seq=1 first=0 count=4 credit=4");
    rig_results_with_records(rig, 1, 4, 256 * KIB + 1);
    assert_said(rig,
                "SEND_HEARTBEAT session=7 job=1 coming=786435; "
                "SEND_RESULTS session=7 job=1 seq=2 first=4 count=3 credit=4; "
                "SEND_HEARTBEAT session=7 job=1 coming=262145; "
                "SEND_RESULTS session=7 job=1 seq=3 first=7 count=1 credit=0");
}

static void test_agent_announces_only_what_takes_long(void **state)
{
    struct rig *rig = *state;
    go_holding(rig, 3);
    rig_results_with_records(rig, 1, 1, AGENT_LONG_MESSAGE);
    assert_said(rig, "SEND_RESULTS session=7 job=1 seq=1 first=0 count=1 credit=1");
    rig_results_with_records(rig, 1, 1, AGENT_LONG_MESSAGE + 1);
    assert_said(rig,
                "SEND_HEARTBEAT session=7 job=1 coming=262145; "
                "SEND_RESULTS session=7 job=1 seq=2 first=1 count=1 credit=1");
    rig_results(rig, 1, 1, 0);
    assert_said(rig, "SEND_RESULTS session=7 job=1 seq=3 first=2 count=1 credit=1");
}

static void test_agent_sends_a_result_that_is_too_large_alone(void **state)
{
    struct rig *rig = *state;
    go_holding(rig, 3);
    struct chunk_result list[3] = {
        {.id = {1}, .attempt = 1, .records = rig_records(rig), .records_len = 100},
        {.id = {2}, .attempt = 1, .records = rig_records(rig), .records_len = RECORDS_MAX},
        {.id = {3}, .attempt = 1, .records = rig_records(rig), .records_len = 100},
    };
    rig_step(rig,
             &(struct agent_event){
                 .type = AGENT_RESULTS, .job = 1, .as.results = {.list = list, .count = 3}});
    assert_said(rig,
                "SEND_RESULTS session=7 job=1 seq=1 first=0 count=1 credit=3; "
                "SEND_HEARTBEAT session=7 job=1 coming=9441280; "
                "SEND_RESULTS session=7 job=1 seq=2 first=1 count=1 credit=0; "
                "SEND_RESULTS session=7 job=1 seq=3 first=2 count=1 credit=0");
}

static void test_agent_grants_no_credit_while_many_records_wait(void **state)
{
    struct rig *rig = *state;
    go_holding(rig, 40);
    rig_results_with_records(rig, 1, 32, MIB);
    assert_int_equal(rig_stats(rig).records_bytes, AGENT_RECORDS_KEPT);
    assert_int_equal(rig_stats(rig).credit_out, 32);

    /* One byte more than may wait: results go out, credit does not. */
    rig_results_with_records(rig, 1, 1, 1);
    assert_said(rig, "SEND_RESULTS session=7 job=1 seq=33 first=32 count=1 credit=0");
    rig_results_with_records(rig, 1, 7, 0);
    assert_said(rig, "SEND_RESULTS session=7 job=1 seq=34 first=33 count=7 credit=0");
    rig_chunks(rig, 7, 1, 32);
    rig_tick_after(rig, 0);
    assert_said(rig, "");
}

static void test_agent_grants_credit_again_when_records_are_acknowledged(void **state)
{
    struct rig *rig = *state;
    go_holding(rig, 40);
    rig_results_with_records(rig, 1, 40, MIB);
    assert_int_equal(rig_stats(rig).credit_out, 0);

    rig_ack(rig, 7, 7);
    assert_said(rig, "");
    rig_ack(rig, 7, 8);
    assert_said(rig, "SEND_RESULTS session=7 job=1 seq=41 first=40 count=0 credit=40");
    assert_int_equal(rig_stats(rig).records_bytes, 32 * MIB);
}

static void test_agent_grants_nothing_in_a_new_session_while_many_records_wait(void **state)
{
    struct rig *rig = *state;
    go_holding(rig, 40);
    rig_results_with_records(rig, 1, 33, MIB);
    rig_plain(rig, AGENT_DISCONNECTED, 0, 0);
    rig_come_back(rig);
    rig_welcome(rig, 8);
    rig_job(rig, 8, 1, 0);
    rig_holding(rig, 1, 7);
    assert_int_equal(rig->list[0].type, AGENT_SEND_HOLDING);
    assert_int_equal(rig->list[1].type, AGENT_SEND_READY);
    assert_int_equal(rig->list[1].credit, 0);
    /* All are sent again, cut as before, each announced. */
    assert_int_equal(rig->actions.count, 2 + 2 * 33);
    assert_int_equal(rig->blobs, 33);
    rig_ack(rig, 8, 33);
    assert_int_equal(rig->blobs, 0);
    assert_said(rig, "SEND_RESULTS session=8 job=1 seq=34 first=33 count=0 credit=33");
}

static void test_agent_keeps_records_until_they_are_acknowledged(void **state)
{
    struct rig *rig = *state;
    go_holding(rig, 6);
    rig_results_with_records(rig, 1, 2, 100);
    rig_results(rig, 1, 2, 1);
    rig_results_with_records(rig, 1, 2, 0);
    assert_int_equal(rig->blobs, 4);
    rig_ack(rig, 7, 1);
    assert_int_equal(rig->blobs, 2);
    rig_ack(rig, 7, 2);
    assert_int_equal(rig->blobs, 2);
    rig_ack(rig, 7, 3);
    assert_int_equal(rig->blobs, 0);
}

static void test_agent_drops_records_of_a_job_that_is_cancelled_or_replaced(void **state)
{
    struct rig *rig = *state;
    go_holding(rig, 6);
    rig_results_with_records(rig, 1, 2, 100);
    rig_plain(rig, AGENT_CANCEL, 7, 1);
    assert_int_equal(rig->blobs, 0);
    rig_plain(rig, AGENT_ENGINE_STOPPED, 0, 1);
    rig_job(rig, 7, 2, 4);
    rig_engine_ready(rig, 2, 8);
    rig_chunks(rig, 7, 2, 4);
    rig_results_with_records(rig, 2, 2, 100);
    assert_int_equal(rig->blobs, 2);
    rig_job(rig, 7, 3, 0);
    assert_int_equal(rig->blobs, 0);
    /* what the engine of the old job still hands over is not kept either */
    rig_results_with_records(rig, 2, 2, 100);
    assert_int_equal(rig->blobs, 0);
}

static void test_agent_drops_records_when_it_ends(void **state)
{
    struct rig *rig = *state;
    go_holding(rig, 6);
    rig_results_with_records(rig, 1, 3, 100);
    rig_plain(rig, AGENT_BYE, 7, 0);
    rig_results_with_records(rig, 1, 2, 100);
    assert_int_equal(rig->blobs, 3);
    rig_forget(rig);
    assert_int_equal(rig->blobs, 0);
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_agent_splits_results_by_bytes_of_records),
        RIG_TEST(test_agent_fills_a_message_to_the_last_byte),
        RIG_TEST(test_agent_announces_only_what_takes_long),
        RIG_TEST(test_agent_sends_a_result_that_is_too_large_alone),
        RIG_TEST(test_agent_grants_no_credit_while_many_records_wait),
        RIG_TEST(test_agent_grants_credit_again_when_records_are_acknowledged),
        RIG_TEST(test_agent_grants_nothing_in_a_new_session_while_many_records_wait),
        RIG_TEST(test_agent_keeps_records_until_they_are_acknowledged),
        RIG_TEST(test_agent_drops_records_of_a_job_that_is_cancelled_or_replaced),
        RIG_TEST(test_agent_drops_records_when_it_ends),
    };
    return cmocka_run_group_tests_name("agent: records", tests, NULL, NULL);
}
