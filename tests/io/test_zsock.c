/* A ROUTER and a DEALER on one loop: nothing is lost, stalls or spins, bad messages and lost
 * peers are survived, and all of it goes. */
#include "tests/io/zsock_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include <cmocka.h>

static const struct zsock_peer coordinator = {0};

static void test_zsock_exchanges_20000_messages_without_a_stall(void **state)
{
    /* given a router that echoes */
    enum { COUNT = 20000, IN_FLIGHT = 500 };
    struct rig *rig = *state;
    rig_meet(rig);
    rig->router.echo = true;

    /* when the dealer keeps 500 messages under way */
    for (unsigned sent = 0; rig->dealer.messages < COUNT;) {
        unsigned answered = rig->dealer.messages;
        for (; sent < COUNT && sent - answered < IN_FLIGHT; sent++) {
            assert_int_equal(rig_send(&rig->dealer, coordinator, (unsigned char)sent, 40, NULL), 0);
        }
        rig_wait(rig, &rig->dealer.messages, answered + 1);
    }

    /* then each came back, in order, and many were handed over in one turn */
    assert_int_equal(rig->dealer.messages, COUNT);
    assert_int_equal(rig->dealer.header_len, 40);
    assert_int_equal(rig->dealer.header[39], (unsigned char)(COUNT - 1));
    assert_in_range(rig->dealer.turns, 1, COUNT);
}

static void test_zsock_hands_over_no_more_than_the_budget_in_a_turn(void **state)
{
    enum { COUNT = 4 * ZSOCK_BUDGET };
    struct rig *rig = *state;
    rig_meet(rig);
    unsigned turns_before = rig->router.turns;
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(rig_send(&rig->dealer, coordinator, 1, 8, NULL), 0);
    }
    rig_wait(rig, &rig->router.messages, COUNT);
    assert_true(rig->router.turns - turns_before >= COUNT / ZSOCK_BUDGET);
}

static void test_zsock_that_finds_nobody_is_sent_elsewhere(void **state)
{
    /* given a dealer that tries an address where nobody answers */
    struct rig *rig = *state;
    assert_int_equal(zsock_connect(rig->dealer.socket, "ipc:///tmp/quartet-test-nobody", NULL), 0);
    rig_wait(rig, &rig->dealer.retrying, 1);

    /* when it is sent to nowhere at all, and then to one where somebody does */
    assert_int_equal(zsock_connect_elsewhere(rig->dealer.socket, "tcp://127.0.0.1:99999", NULL),
                     ERR_INVALID);
    assert_int_equal(zsock_connect_elsewhere(rig->dealer.socket, rig->endpoint, NULL), 0);

    /* then it is connected there, and only there */
    rig_wait(rig, &rig->dealer.connected, 1);
    assert_int_equal(rig_send(&rig->dealer, coordinator, 'x', 8, NULL), 0);
    rig_wait(rig, &rig->router.messages, 1);
}

static void test_zsock_idle_costs_no_wake_ups(void **state)
{
    /* given two connected sockets that have said all */
    struct rig *rig = *state;
    rig_meet(rig);
    unsigned turns_before = rig->turns;

    /* when the loop runs for a while */
    rig_run_for(rig, 300);

    /* then it woke for the end of it, and at most a few times for what the sockets were still
     * about */
    assert_in_range(rig->turns - turns_before, 1, 10);
}

static void test_zsock_refuses_a_port_in_use(void **state)
{
    struct rig *rig = *state;
    struct err_text error = {""};
    assert_int_equal(zsock_bind(rig->dealer.socket, rig->endpoint, &error), ERR_BUSY);
    assert_non_null(strstr(error.s, rig->endpoint));
    assert_non_null(strstr(error.s, "in use"));
}

static void test_zsock_refuses_an_ipc_path_that_another_listens_on(void **state)
{
    /* given a socket bound to a path of its own choice */
    struct rig *rig = *state;
    struct rig_side first;
    char endpoint[512];
    assert_int_equal(rig_socket(rig, ZSOCK_ROUTER, &first), 0);
    assert_int_equal(zsock_bind(first.socket, "ipc://*", NULL), 0);
    (void)snprintf(endpoint, sizeof(endpoint), "%s", zsock_endpoint(first.socket));

    /* when another wants it, then it is refused, though libzmq would take it away */
    assert_int_equal(zsock_bind(rig->dealer.socket, endpoint, NULL), ERR_BUSY);
    rig_close(&first);
}

static void test_zsock_refuses_what_is_not_an_endpoint(void **state)
{
    static const char *const bad[] = {"",
                                      "tcp:/127.0.0.1:1",
                                      "127.0.0.1:5555",
                                      "foo://127.0.0.1:1",
                                      "tcp://127.0.0.1",
                                      "tcp://127.0.0.1:99999",
                                      "tcp://127.0.0.1:x",
                                      "udp://127.0.0.1:1"};
    struct rig *rig = *state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err_text error = {""};
        assert_int_equal(zsock_bind(rig->dealer.socket, bad[i], &error), ERR_INVALID);
        assert_non_null(strstr(error.s, bad[i]));
        assert_int_equal(zsock_connect(rig->dealer.socket, bad[i], &error), ERR_INVALID);
        assert_non_null(strstr(error.s, bad[i]));
    }
}

static void test_zsock_endpoint_is_as_people_write_it(void **state)
{
    struct rig *rig = *state;
    static const char v4[] = "tcp://127.0.0.1:";
    assert_memory_equal(rig->endpoint, v4, sizeof(v4) - 1);
    assert_int_not_equal(rig->endpoint[sizeof(v4) - 1], '*');
}

static void test_zsock_refuses_an_address_of_another_machine(void **state)
{
    struct rig *rig = *state;
    struct err_text error = {""};
    /* 192.0.2.0/24 is for documentation: no machine has it */
    assert_int_equal(zsock_bind(rig->dealer.socket, "tcp://192.0.2.1:*", &error), ERR_INVALID);
    assert_non_null(strstr(error.s, "192.0.2.1"));
}

static void test_zsock_send_to_a_stranger_is_gone(void **state)
{
    struct rig *rig = *state;
    const struct zsock_peer stranger = {(UINT64_C(1) << 40) | 0x1234500};
    assert_int_equal(rig_send(&rig->router, stranger, 1, 8, NULL), ERR_GONE);
    assert_false(zsock_alive(rig->router.socket, stranger));
}

static void test_zsock_send_of_an_unconnected_dealer_is_gone(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(rig_send(&rig->dealer, coordinator, 1, 8, NULL), ERR_GONE);
    assert_false(zsock_alive(rig->dealer.socket, coordinator));
}

static bool router_sees_it_gone(const void *arg)
{
    const struct rig *rig = arg;
    return rig->router.dropped > 0 && !zsock_alive(rig->router.socket, rig->router.peer);
}

static void test_zsock_tells_the_router_that_a_peer_dropped(void **state)
{
    /* given a peer that is there */
    struct rig *rig = *state;
    rig_meet(rig);
    assert_true(zsock_alive(rig->router.socket, rig->router.peer));
    uint64_t connection = rig->router.connection;
    assert_int_not_equal(connection, 0);

    /* when it goes */
    rig_close(&rig->dealer);
    rig_run_until(rig, router_sees_it_gone, rig);

    /* then it is said which connection that was, and sending to it fails */
    assert_int_equal(rig->router.dropping, connection);
    assert_int_equal(rig_send(&rig->router, rig->router.peer, 1, 8, NULL), ERR_GONE);
}

static void test_zsock_alive_is_not_seen_by_the_peer(void **state)
{
    struct rig *rig = *state;
    rig_meet(rig);
    assert_true(zsock_alive(rig->router.socket, rig->router.peer));
    assert_int_equal(rig_send(&rig->router, rig->router.peer, 'x', 1, NULL), 0);
    rig_wait(rig, &rig->dealer.messages, 1);
    assert_int_equal(rig->dealer.header[0], 'x');
    assert_int_equal(rig->dealer.bad, 0);
}

static void test_zsock_reconnect_gives_a_new_peer(void **state)
{
    /* given a dealer whose router goes away and comes back under the same address */
    struct rig *rig = *state;
    char endpoint[128];
    rig_meet(rig);
    struct zsock_peer before = rig->router.peer;
    (void)snprintf(endpoint, sizeof(endpoint), "%s", rig->endpoint);
    rig_close(&rig->router);
    rig_wait(rig, &rig->dealer.disconnected, 1);
    assert_false(zsock_alive(rig->dealer.socket, coordinator));
    assert_int_equal(rig_socket(rig, ZSOCK_ROUTER, &rig->router), 0);
    assert_int_equal(zsock_bind(rig->router.socket, endpoint, NULL), 0);

    /* when the dealer has connected again by itself */
    rig_wait(rig, &rig->dealer.connected, 2);
    assert_int_equal(rig_send(&rig->dealer, coordinator, 'a', 3, NULL), 0);
    rig_wait(rig, &rig->router.messages, 1);

    /* then it is somebody else for the router, which can answer it */
    assert_int_not_equal(rig->router.peer.value, 0);
    assert_int_not_equal(rig->router.peer.value, before.value);
    assert_int_equal(rig_send(&rig->router, rig->router.peer, 'b', 3, NULL), 0);
    rig_wait(rig, &rig->dealer.messages, 1);
}

static void test_zsock_two_dealers_are_two_peers(void **state)
{
    struct rig *rig = *state;
    struct rig_side second;
    rig_meet(rig);
    struct zsock_peer first_peer = rig->router.peer;
    assert_int_equal(rig_socket(rig, ZSOCK_DEALER, &second), 0);
    assert_int_equal(zsock_connect(second.socket, rig->endpoint, NULL), 0);
    rig_wait(rig, &second.connected, 1);
    assert_int_equal(rig_send(&second, coordinator, 's', 6, NULL), 0);
    rig_wait(rig, &rig->router.messages, 1);
    assert_int_not_equal(rig->router.peer.value, first_peer.value);

    assert_int_equal(rig_send(&rig->router, first_peer, '1', 1, NULL), 0);
    assert_int_equal(rig_send(&rig->router, rig->router.peer, '2', 1, NULL), 0);
    rig_wait(rig, &rig->dealer.messages, 1);
    rig_wait(rig, &second.messages, 1);
    assert_int_equal(rig->dealer.header[0], '1');
    assert_int_equal(second.header[0], '2');
    rig_close(&second);
}

/* Called by a thread of libzmq. */
static void mark_released(void *arg)
{
    atomic_bool *released = arg;
    atomic_store(released, true);
}

static bool is_released(const void *arg)
{
    const atomic_bool *released = arg;
    return atomic_load(released);
}

static void test_zsock_sends_a_payload_by_reference(void **state)
{
    /* given a large blob */
    static unsigned char bytes[512 * 1024];
    static atomic_bool released;
    struct rig *rig = *state;
    rig_meet(rig);
    atomic_store(&released, false);
    memset(bytes, 7, sizeof(bytes));
    struct blob *blob = blob_new(bytes, sizeof(bytes), mark_released, &released);

    /* when it is sent and our own reference given back */
    assert_int_equal(rig_send(&rig->router, rig->router.peer, 'p', 20, blob), 0);
    blob_unref(blob);

    /* then it arrives whole, and is released when libzmq is through with it */
    rig_wait(rig, &rig->dealer.messages, 1);
    assert_non_null(rig->dealer.payload);
    assert_int_equal(blob_len(rig->dealer.payload), sizeof(bytes));
    assert_memory_equal(blob_bytes(rig->dealer.payload), bytes, sizeof(bytes));
    rig_spin_until(rig, is_released, &released);
}

static void test_zsock_payload_outlives_the_socket_and_the_call(void **state)
{
    /* given payloads below and above the size up to which they are copied, and an empty one */
    static const size_t sizes[] = {0, 1, 33, 4096, 4097, 100000};
    struct rig *rig = *state;
    struct blob *kept[6];
    rig_meet(rig);
    for (unsigned i = 0; i < 6; i++) {
        unsigned char *bytes = malloc(sizes[i] + 1);
        memset(bytes, (int)i, sizes[i] + 1);
        struct blob *blob = blob_new(bytes, sizes[i], NULL, NULL);
        assert_int_equal(rig_send(&rig->dealer, coordinator, 'p', 1, blob), 0);
        blob_unref(blob);
        rig_wait(rig, &rig->router.messages, i + 1);
        kept[i] = blob_ref(rig->router.payload);
    }

    /* when the socket is gone, then they are still readable */
    rig_close(&rig->router);
    (void)uv_run(&rig->loop, UV_RUN_NOWAIT);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(blob_len(kept[i]), sizes[i]);
        const unsigned char *bytes = blob_bytes(kept[i]);
        for (size_t k = 0; k < sizes[i]; k++) {
            assert_int_equal(bytes[k], i);
        }
        blob_unref(kept[i]);
    }
}

static void test_zsock_joins_parts_into_one_payload(void **state)
{
    struct rig *rig = *state;
    const struct zsock_part parts[] = {{"abc", 3}, {NULL, 0}, {"defgh", 5}};
    rig_meet(rig);
    memcpy(zsock_header(rig->router.socket, 1), "h", 1);
    assert_int_equal(zsock_send_parts(rig->router.socket, rig->router.peer, parts, 3), 0);
    rig_wait(rig, &rig->dealer.messages, 1);
    assert_int_equal(blob_len(rig->dealer.payload), 8);
    assert_memory_equal(blob_bytes(rig->dealer.payload), "abcdefgh", 8);
}

/* A peer that is not ours: bare libzmq. */
struct stranger {
    void *context;
    void *socket;
};

static void stranger_connect(struct stranger *stranger, const char *endpoint, const char *id)
{
    const int linger = 0;
    stranger->context = zmq_ctx_new();
    stranger->socket = zmq_socket(stranger->context, ZMQ_DEALER);
    (void)zmq_setsockopt(stranger->socket, ZMQ_LINGER, &linger, sizeof(linger));
    if (id != NULL) {
        (void)zmq_setsockopt(stranger->socket, ZMQ_ROUTING_ID, id, strlen(id));
    }
    assert_int_equal(zmq_connect(stranger->socket, endpoint), 0);
}

static void stranger_close(struct stranger *stranger)
{
    (void)zmq_close(stranger->socket);
    (void)zmq_ctx_term(stranger->context);
}

static void stranger_send(const struct stranger *stranger, size_t frames, size_t len)
{
    static char bytes[2 * RIG_PAYLOAD_MAX];
    for (size_t i = 0; i < frames; i++) {
        int more = i + 1 < frames ? ZMQ_SNDMORE : 0;
        assert_int_equal(zmq_send(stranger->socket, bytes, len, more), len);
    }
}

static void test_zsock_drops_a_message_of_three_frames_and_goes_on(void **state)
{
    struct rig *rig = *state;
    struct stranger stranger;
    stranger_connect(&stranger, rig->endpoint, NULL);
    stranger_send(&stranger, 3, 10);
    stranger_send(&stranger, 1, 10);
    rig_wait(rig, &rig->router.messages, 1);
    assert_int_equal(rig->router.bad, 1);
    assert_string_equal(rig->router.why, "it has more than two frames");
    stranger_close(&stranger);
}

static void test_zsock_drops_an_endless_message_within_the_budget_of_turns(void **state)
{
    /* given a message of as many frames as ten turns may read */
    struct rig *rig = *state;
    struct stranger stranger;
    stranger_connect(&stranger, rig->endpoint, NULL);
    stranger_send(&stranger, 10 * ZSOCK_BUDGET, 1);
    unsigned turns_before = rig->turns;

    /* when it comes, then it is reported once, after several turns of the loop */
    rig_wait(rig, &rig->router.bad, 1);
    assert_true(rig->turns - turns_before >= 9);
    assert_int_equal(rig->router.messages, 0);
    stranger_send(&stranger, 2, 10);
    rig_wait(rig, &rig->router.messages, 1);
    assert_int_equal(rig->router.bad, 1);
    stranger_close(&stranger);
}

static void test_zsock_drops_a_header_that_is_too_long_and_goes_on(void **state)
{
    struct rig *rig = *state;
    struct stranger stranger;
    stranger_connect(&stranger, rig->endpoint, NULL);
    stranger_send(&stranger, 2, RIG_HEADER_MAX + 1);
    stranger_send(&stranger, 2, RIG_HEADER_MAX);
    rig_wait(rig, &rig->router.messages, 1);
    assert_int_equal(rig->router.bad, 1);
    assert_string_equal(rig->router.why, "its header is too long");
    assert_int_equal(rig->router.header_len, RIG_HEADER_MAX);
    stranger_close(&stranger);
}

static void test_zsock_drops_the_connection_of_a_frame_beyond_all_limits(void **state)
{
    struct rig *rig = *state;
    struct stranger stranger;
    stranger_connect(&stranger, rig->endpoint, NULL);
    stranger_send(&stranger, 1, RIG_PAYLOAD_MAX + 1);
    rig_wait(rig, &rig->router.dropped, 1);
    assert_int_equal(rig->router.messages, 0);
    rig_meet(rig); /* the socket goes on */
    stranger_close(&stranger);
}

static void test_zsock_dealer_comes_back_after_a_frame_beyond_all_limits(void **state)
{
    /* given a dealer whose connection libzmq gives up, because the other side breaks the rules */
    struct rig *rig = *state;
    char endpoint[128];
    size_t size = sizeof(endpoint);
    char bytes[16];
    struct err_text error;
    struct stranger listener = {.context = zmq_ctx_new()};
    listener.socket = zmq_socket(listener.context, ZMQ_DEALER);
    assert_int_equal(zmq_bind(listener.socket, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(listener.socket, ZMQ_LAST_ENDPOINT, endpoint, &size), 0);
    assert_int_equal(zsock_connect(rig->dealer.socket, endpoint, &error), 0);
    rig_wait(rig, &rig->dealer.connected, 1);
    stranger_send(&listener, 1, RIG_PAYLOAD_MAX + 1);
    rig_wait(rig, &rig->dealer.disconnected, 1);

    /* when it has had time, then it is there again */
    rig_wait(rig, &rig->dealer.connected, 2);
    assert_int_equal(rig_send(&rig->dealer, coordinator, 'a', 10, NULL), 0);
    assert_int_equal(zmq_recv(listener.socket, bytes, sizeof(bytes), 0), 10);
    rig_close(&rig->dealer);
    stranger_close(&listener);
}

static void test_zsock_drops_messages_of_a_peer_that_chose_its_id(void **state)
{
    struct rig *rig = *state;
    struct stranger stranger;
    stranger_connect(&stranger, rig->endpoint, "me");
    stranger_send(&stranger, 2, 10);
    rig_wait(rig, &rig->router.bad, 1);
    assert_string_equal(rig->router.why, "it chose a routing id for itself");
    assert_int_equal(rig->router.messages, 0);
    stranger_close(&stranger);
}

static void close_at_once(void *arg,
                          struct zsock_peer peer,
                          const void *header,
                          size_t header_len,
                          struct blob *payload)
{
    struct rig_side *side = arg;
    (void)peer;
    zsock_close(side->socket, 0);
    side->socket = NULL;
    side->messages++;
    /* the header is lent for the whole call */
    assert_int_equal(((const char *)header)[header_len - 1], 'z');
    blob_unref(payload);
}

static void test_zsock_may_be_closed_by_its_own_callback(void **state)
{
    struct rig *rig = *state;
    static const struct zsock_handlers closing = {.message = close_at_once};
    struct rig_side side = {0};
    const struct zsock_options options = {.type = ZSOCK_ROUTER,
                                          .header_max = RIG_HEADER_MAX,
                                          .payload_max = RIG_PAYLOAD_MAX,
                                          .handlers = &closing,
                                          .arg = &side};
    assert_int_equal(zsock_new(rig->context, &rig->loop, &options, NULL, &side.socket), 0);
    assert_int_equal(zsock_bind(side.socket, "tcp://127.0.0.1:*", NULL), 0);
    assert_int_equal(zsock_connect(rig->dealer.socket, zsock_endpoint(side.socket), NULL), 0);
    rig_wait(rig, &rig->dealer.connected, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rig_send(&rig->dealer, coordinator, 'z', 200, NULL), 0);
    }
    rig_wait(rig, &side.messages, 1);
    rig_wait(rig, &rig->dealer.disconnected, 1);
    assert_int_equal(side.messages, 1);
}

static void test_zsock_close_waits_for_what_was_sent(void **state)
{
    enum { COUNT = 1000 };
    struct rig *rig = *state;
    rig_meet(rig);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(rig_send(&rig->dealer, coordinator, 1, 500, NULL), 0);
    }
    zsock_close(rig->dealer.socket, 5000);
    rig->dealer.socket = NULL;
    rig_wait(rig, &rig->router.messages, COUNT);
}

static void test_zsock_header_made_twice_is_sent_once(void **state)
{
    struct rig *rig = *state;
    rig_meet(rig);
    memset(zsock_header(rig->dealer.socket, 100), 'a', 100);
    assert_int_equal(rig_send(&rig->dealer, coordinator, 'b', 50, NULL), 0);
    rig_wait(rig, &rig->router.messages, 1);
    assert_int_equal(rig->router.header_len, 50);
    assert_int_equal(rig->router.header[0], 'b');
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_zsock_exchanges_20000_messages_without_a_stall),
        TEST(test_zsock_hands_over_no_more_than_the_budget_in_a_turn),
        TEST(test_zsock_that_finds_nobody_is_sent_elsewhere),
        TEST(test_zsock_idle_costs_no_wake_ups),
        TEST(test_zsock_refuses_a_port_in_use),
        TEST(test_zsock_refuses_an_ipc_path_that_another_listens_on),
        TEST(test_zsock_refuses_what_is_not_an_endpoint),
        TEST(test_zsock_endpoint_is_as_people_write_it),
        TEST(test_zsock_refuses_an_address_of_another_machine),
        TEST(test_zsock_send_to_a_stranger_is_gone),
        TEST(test_zsock_send_of_an_unconnected_dealer_is_gone),
        TEST(test_zsock_tells_the_router_that_a_peer_dropped),
        TEST(test_zsock_alive_is_not_seen_by_the_peer),
        TEST(test_zsock_reconnect_gives_a_new_peer),
        TEST(test_zsock_two_dealers_are_two_peers),
        TEST(test_zsock_sends_a_payload_by_reference),
        TEST(test_zsock_payload_outlives_the_socket_and_the_call),
        TEST(test_zsock_joins_parts_into_one_payload),
        TEST(test_zsock_drops_a_message_of_three_frames_and_goes_on),
        TEST(test_zsock_drops_an_endless_message_within_the_budget_of_turns),
        TEST(test_zsock_drops_a_header_that_is_too_long_and_goes_on),
        TEST(test_zsock_drops_the_connection_of_a_frame_beyond_all_limits),
        TEST(test_zsock_dealer_comes_back_after_a_frame_beyond_all_limits),
        TEST(test_zsock_drops_messages_of_a_peer_that_chose_its_id),
        TEST(test_zsock_may_be_closed_by_its_own_callback),
        TEST(test_zsock_close_waits_for_what_was_sent),
        TEST(test_zsock_header_made_twice_is_sent_once),
    };
    return cmocka_run_group_tests_name("zsock", tests, NULL, NULL);
}
