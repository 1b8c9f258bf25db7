/* Sockets with keys: who is let in, by whom, and that the proof of it can fail. */
#include "common/io/zap.h"
#include "tests/io/zsock_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include <cmocka.h>

static const struct zsock_peer coordinator = {0};

/* Known to all tests of the file; made anew for each. */
static struct key_pair server;
static struct key_pair worker;
static struct zap *zap;

/* A rig whose router has keys, and lets nobody in yet. The dealer is made by the test. */
static int setup(void **state)
{
    int rc = rig_setup(state);
    struct rig *rig = *state;
    const struct zsock_keys keys = {.own = &server};
    rig_close(&rig->router);
    rig_close(&rig->dealer);
    key_pair_make(&server);
    key_pair_make(&worker);
    rc = rc != 0 ? rc : zap_start(rig->context, NULL, &zap);
    rc = rc != 0 ? rc : rig_socket_with(rig, ZSOCK_ROUTER, &keys, &rig->router);
    rc = rc != 0 ? rc : zsock_bind(rig->router.socket, "tcp://127.0.0.1:*", NULL);
    rig->endpoint = rc != 0 ? NULL : zsock_endpoint(rig->router.socket);
    return rc;
}

static void let_in(const char *public_key)
{
    struct key_named key = {.name = "worker"};
    (void)snprintf(key.public_key, sizeof(key.public_key), "%s", public_key);
    assert_int_equal(zap_allow(zap, &key, 1), 0);
}

/* A dealer with this pair (NULL: none) that looks for this server. */
static void connect_dealer(struct rig *rig, const struct key_pair *own, const char *server_key)
{
    const struct zsock_keys keys = {.own = own, .server_key = server_key};
    assert_int_equal(rig_socket_with(rig, ZSOCK_DEALER, own == NULL ? NULL : &keys, &rig->dealer),
                     0);
    assert_int_equal(zsock_connect(rig->dealer.socket, rig->endpoint, NULL), 0);
}

static void test_zsock_keys_known_key_is_let_in_and_named_with_its_messages(void **state)
{
    struct rig *rig = *state;
    let_in(worker.public_key);
    connect_dealer(rig, &worker, server.public_key);
    rig_wait(rig, &rig->dealer.connected, 1);
    assert_int_equal(rig_send(&rig->dealer, coordinator, 'x', 8, NULL), 0);
    rig_wait(rig, &rig->router.messages, 1);
    assert_string_equal(rig->router.sender_key, worker.public_key);
    assert_int_equal(zap_refusals(zap), 0);
}

static void test_zsock_keys_unknown_key_is_refused_and_both_sides_know(void **state)
{
    struct rig *rig = *state;
    struct key_pair other;
    struct zap_knock knock;
    key_pair_make(&other);
    let_in(other.public_key);
    connect_dealer(rig, &worker, server.public_key);
    rig_wait(rig, &rig->dealer.refused, 1);
    assert_int_equal(rig->dealer.connected, 0);
    assert_true(zap_take_knock(zap, &knock));
    assert_string_equal(knock.public_key, worker.public_key);
    assert_string_equal(knock.address, "127.0.0.1");
    assert_true(zap_refusals(zap) >= 1);
}

static void test_zsock_keys_empty_list_lets_nobody_in(void **state)
{
    struct rig *rig = *state;
    connect_dealer(rig, &worker, server.public_key);
    rig_wait(rig, &rig->dealer.refused, 1);
    assert_int_equal(rig->dealer.connected, 0);
}

static void test_zsock_keys_plaintext_is_refused_and_told_of(void **state)
{
    struct rig *rig = *state;
    let_in(worker.public_key);
    connect_dealer(rig, NULL, NULL);
    rig_wait(rig, &rig->router.refused, 1);
    assert_non_null(strstr(rig->router.refused_why, "plaintext"));
    assert_int_equal(rig->dealer.connected, 0);
    assert_int_equal(zap_refusals(zap), 0);
}

static void test_zsock_keys_another_server_is_not_obeyed(void **state)
{
    struct rig *rig = *state;
    struct key_pair other;
    key_pair_make(&other);
    let_in(worker.public_key);
    connect_dealer(rig, &worker, other.public_key);
    rig_wait(rig, &rig->dealer.disconnected, 1);
    rig_wait(rig, &rig->router.refused, 1);
    assert_int_equal(rig->dealer.connected, 0);
    assert_int_equal(rig->dealer.refused, 0);
    assert_non_null(strstr(rig->router.refused_why, "key"));
}

static void test_zsock_keys_server_in_plaintext_is_not_obeyed(void **state)
{
    struct rig *rig = *state;
    rig_close(&rig->router);
    assert_int_equal(rig_socket(rig, ZSOCK_ROUTER, &rig->router), 0);
    assert_int_equal(zsock_bind(rig->router.socket, "tcp://127.0.0.1:*", NULL), 0);
    rig->endpoint = zsock_endpoint(rig->router.socket);
    connect_dealer(rig, &worker, server.public_key);
    rig_wait(rig, &rig->router.refused, 1);
    assert_non_null(strstr(rig->router.refused_why, "no keys"));
    assert_int_equal(rig->dealer.connected, 0);
}

static void test_zsock_keys_list_that_changes_counts_for_the_next_connection(void **state)
{
    struct rig *rig = *state;
    let_in(worker.public_key);
    connect_dealer(rig, &worker, server.public_key);
    rig_wait(rig, &rig->dealer.connected, 1);
    assert_int_equal(zap_allow(zap, NULL, 0), 0);
    assert_false(zap_allows(zap, worker.public_key));
    rig_close(&rig->dealer);
    connect_dealer(rig, &worker, server.public_key);
    rig_wait(rig, &rig->dealer.refused, 1);
    let_in(worker.public_key);
    rig_wait(rig, &rig->dealer.connected, 1); /* it has gone on trying */
}

static void test_zsock_keys_refusals_are_kept_in_bounds(void **state)
{
    struct rig *rig = *state;
    struct zap_knock knock;

    enum { TIMES = ZAP_KNOCKS_MAX + 3 };

    for (int i = 0; i < TIMES; i++) {
        connect_dealer(rig, &worker, server.public_key);
        rig_wait(rig, &rig->dealer.refused, 1);
        rig_close(&rig->dealer);
    }
    unsigned taken = 0;
    while (zap_take_knock(zap, &knock)) {
        taken++;
    }
    assert_int_equal(taken, ZAP_KNOCKS_MAX);
    assert_true(zap_refusals(zap) >= TIMES);
    zap_forget_refusals(zap);
    assert_int_equal(zap_refusals(zap), 0);
}

static void test_zsock_keys_proof_succeeds_where_strangers_are_refused(void **state)
{
    struct rig *rig = *state;
    static const char *const endpoints[] = {
        "tcp://0.0.0.0:*", "tcp://*:*", "ipc:///tmp/quartet-test-zsock-keys"};
    const struct zsock_keys keys = {.own = &server};
    struct err_text error = {{0}};
    assert_int_equal(zsock_check_refusals(rig->router.socket, &error), 0);
    assert_int_equal(zsock_check_refusals(rig->router.socket, &error),
                     0); /* as often as one likes */
    for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
        rig_close(&rig->router);
        assert_int_equal(rig_socket_with(rig, ZSOCK_ROUTER, &keys, &rig->router), 0);
        assert_int_equal(zsock_bind(rig->router.socket, endpoints[i], NULL), 0);
        assert_int_equal(zsock_check_refusals(rig->router.socket, &error), 0);
    }
    /* what strangers of our own making do is no news */
    rig_run_for(rig, 50);
    assert_int_equal(rig->router.refused, 0);
}

static void test_zsock_keys_proof_fails_where_plaintext_is_let_in(void **state)
{
    struct rig *rig = *state;
    struct err_text error = {{0}};
    rig_close(&rig->router);
    assert_int_equal(rig_socket(rig, ZSOCK_ROUTER, &rig->router), 0);
    assert_int_equal(zsock_bind(rig->router.socket, "tcp://127.0.0.1:*", NULL), 0);
    assert_int_equal(zsock_check_refusals(rig->router.socket, &error), ERR_INVALID);
    assert_non_null(strstr(error.s, "lets a client without a key in"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_zsock_keys_known_key_is_let_in_and_named_with_its_messages),
        TEST(test_zsock_keys_unknown_key_is_refused_and_both_sides_know),
        TEST(test_zsock_keys_empty_list_lets_nobody_in),
        TEST(test_zsock_keys_plaintext_is_refused_and_told_of),
        TEST(test_zsock_keys_another_server_is_not_obeyed),
        TEST(test_zsock_keys_server_in_plaintext_is_not_obeyed),
        TEST(test_zsock_keys_list_that_changes_counts_for_the_next_connection),
        TEST(test_zsock_keys_refusals_are_kept_in_bounds),
        TEST(test_zsock_keys_proof_succeeds_where_strangers_are_refused),
        TEST(test_zsock_keys_proof_fails_where_plaintext_is_let_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
