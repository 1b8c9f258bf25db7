/* One connection, and how it ends: a ROUTER of libzmq's own on the loopback at the other end, with keys or without. */
#include "common/base/check.h"
#include "common/io/zdial.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include <cmocka.h>

enum { LIMIT_MS = 20000, BYTES_MAX = 64 };

struct scene {
    void *there; /* libzmq's context of the other side */
    void *router;
    char endpoint[128];
    struct zsock_context *context;
    struct key_pair server;
    struct key_pair own;
    struct zdial *connection; /* the last one */
    uint64_t took_us;
};

static int setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    assert_non_null(scene);
    key_pair_make(&scene->server);
    key_pair_make(&scene->own);
    assert_int_equal(zsock_context_new(NULL, &scene->context), 0);
    scene->there = zmq_ctx_new();
    scene->router = zmq_socket(scene->there, ZMQ_ROUTER);
    assert_non_null(scene->router);
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    zdial_close(scene->connection);
    zsock_context_free(scene->context);
    (void)zmq_close(scene->router);
    (void)zmq_ctx_term(scene->there);
    free(scene);
    return 0;
}

static void set(struct scene *scene, int name, int value)
{
    CHECK(zmq_setsockopt(scene->router, name, &value, sizeof(value)) == 0);
}

/* libzmq lets every key in where nobody is asked. */
static void listen_there(struct scene *scene, bool keys)
{
    size_t size = sizeof(scene->endpoint);
    set(scene, ZMQ_LINGER, 0);
    set(scene, ZMQ_RCVTIMEO, LIMIT_MS);
    if (keys) {
        set(scene, ZMQ_CURVE_SERVER, 1);
        CHECK(zmq_setsockopt(
                  scene->router, ZMQ_CURVE_SECRETKEY, scene->server.secret_key, KEY_TEXT_LEN) == 0);
    }
    assert_int_equal(zmq_bind(scene->router, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(scene->router, ZMQ_LAST_ENDPOINT, scene->endpoint, &size), 0);
}

static enum zdial_end dial(struct scene *scene, const char *server_key)
{
    const struct zsock_keys keys = {.own = &scene->own, .server_key = server_key};
    zdial_close(scene->connection);
    scene->connection = NULL;
    assert_int_equal(zdial_open(scene->context,
                                scene->endpoint,
                                server_key == NULL ? NULL : &keys,
                                NULL,
                                &scene->connection),
                     0);
    return zdial_await(scene->connection, LIMIT_MS, LIMIT_MS, &scene->took_us);
}

/* Of two who do not agree on keys, whose word about it comes first is anybody's guess. */
static void assert_mismatch(enum zdial_end end)
{
    assert_true(end == ZDIAL_MISMATCH || end == ZDIAL_HUNG_UP);
}

static void test_zdial_opens_with_keys_and_without(void **state)
{
    struct scene *scene = *state;
    listen_there(scene, true);
    assert_int_equal(dial(scene, scene->server.public_key), ZDIAL_OPEN);
    assert_true(scene->took_us > 0);
}

static void test_zdial_tells_plaintext_from_keys(void **state)
{
    struct scene *scene = *state;
    listen_there(scene, false);
    assert_int_equal(dial(scene, NULL), ZDIAL_OPEN);
    assert_mismatch(dial(scene, scene->server.public_key));
}

static void test_zdial_tells_keys_from_plaintext(void **state)
{
    struct scene *scene = *state;
    listen_there(scene, true);
    assert_mismatch(dial(scene, NULL));
}

static void test_zdial_with_another_server_s_key_is_hung_up_on(void **state)
{
    struct scene *scene = *state;
    listen_there(scene, true);
    assert_int_equal(dial(scene, scene->own.public_key), ZDIAL_HUNG_UP);
}

static void test_zdial_reaches_nobody_where_nobody_listens(void **state)
{
    struct scene *scene = *state;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(in);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0); /* and does not listen */
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    (void)snprintf(
        scene->endpoint, sizeof(scene->endpoint), "tcp://127.0.0.1:%u", ntohs(in.sin_port));
    assert_int_equal(dial(scene, NULL), ZDIAL_UNREACHED);
    assert_true(scene->took_us < (uint64_t)LIMIT_MS * 1000);
    (void)close(fd);
}

static void test_zdial_refuses_what_is_no_endpoint(void **state)
{
    struct scene *scene = *state;
    struct err_text error = {{0}};
    struct zdial *connection = NULL;
    assert_int_equal(zdial_open(scene->context, "nowhere", NULL, &error, &connection), ERR_INVALID);
    assert_null(connection);
    assert_non_null(strstr(error.s, "'nowhere'"));
}

/* What came at the other side; its frames' sizes. */
static unsigned hear_there(struct scene *scene, size_t lens[3])
{
    unsigned count = 0;
    int more = 1;
    size_t size = sizeof(more);
    while (more != 0 && count < 3) {
        char bytes[BYTES_MAX];
        int len = zmq_recv(scene->router, bytes, sizeof(bytes), 0);
        CHECK(len >= 0);
        lens[count++] = (size_t)len;
        CHECK(zmq_getsockopt(scene->router, ZMQ_RCVMORE, &more, &size) == 0);
    }
    return count;
}

static void test_zdial_sends_and_receives(void **state)
{
    struct scene *scene = *state;
    struct zdial *connection = NULL;
    size_t lens[3] = {0};
    size_t len = 0;
    size_t payload_len = 0;
    char peer[BYTES_MAX];
    char bytes[BYTES_MAX];
    listen_there(scene, false);
    assert_int_equal(dial(scene, NULL), ZDIAL_OPEN);
    connection = scene->connection;
    assert_int_equal(zdial_receive(connection, 0, bytes, sizeof(bytes), &len, &payload_len),
                     ERR_TIMEOUT);
    assert_int_equal(zdial_send(connection, "hello", 5, 0), 0);
    assert_int_equal(zdial_send(connection, "hello!", 6, 100000), 0);
    int peer_len = zmq_recv(scene->router, peer, sizeof(peer), 0);
    assert_true(peer_len > 0);
    assert_int_equal(zmq_recv(scene->router, bytes, sizeof(bytes), 0), 5);
    assert_int_equal(hear_there(scene, lens), 3);
    assert_int_equal(lens[1], 6);
    assert_int_equal(lens[2], 100000);

    /* An empty message asks nothing, and one of three frames is none of ours. */
    static const struct {
        const char *frames[3];
        unsigned count;
    } messages[] = {{{""}, 1}, {{"a", "bc"}, 2}, {{"a", "b", "c"}, 3}, {{"d"}, 1}};

    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        assert_true(zmq_send(scene->router, peer, (size_t)peer_len, ZMQ_SNDMORE) > 0);
        for (unsigned k = 0; k < messages[i].count; k++) {
            const char *frame = messages[i].frames[k];
            assert_true(zmq_send(scene->router,
                                 frame,
                                 strlen(frame),
                                 k + 1 < messages[i].count ? ZMQ_SNDMORE : 0) >= 0);
        }
    }
    assert_int_equal(zdial_receive(connection, LIMIT_MS, bytes, sizeof(bytes), &len, &payload_len),
                     0);
    assert_int_equal(len, 1);
    assert_int_equal(payload_len, 2);
    assert_int_equal(zdial_receive(connection, LIMIT_MS, bytes, sizeof(bytes), &len, &payload_len),
                     ERR_PROTOCOL);
    assert_int_equal(zdial_receive(connection, LIMIT_MS, bytes, sizeof(bytes), &len, &payload_len),
                     0);
    assert_int_equal(bytes[0], 'd');
    assert_int_equal(payload_len, 0);
}

static void test_zdial_notices_that_the_other_side_has_gone(void **state)
{
    struct scene *scene = *state;
    struct zdial *connection = NULL;
    size_t len = 0;
    char bytes[BYTES_MAX];
    listen_there(scene, false);
    assert_int_equal(dial(scene, NULL), ZDIAL_OPEN);
    connection = scene->connection;
    (void)zmq_close(scene->router);
    scene->router = zmq_socket(scene->there, ZMQ_ROUTER);
    assert_int_equal(zdial_receive(connection, LIMIT_MS, bytes, sizeof(bytes), &len, &len),
                     ERR_GONE);
    assert_int_equal(zdial_send(connection, "x", 1, 0), ERR_GONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_zdial_opens_with_keys_and_without),
        TEST(test_zdial_tells_plaintext_from_keys),
        TEST(test_zdial_tells_keys_from_plaintext),
        TEST(test_zdial_with_another_server_s_key_is_hung_up_on),
        TEST(test_zdial_reaches_nobody_where_nobody_listens),
        TEST(test_zdial_refuses_what_is_no_endpoint),
        TEST(test_zdial_sends_and_receives),
        TEST(test_zdial_notices_that_the_other_side_has_gone),
    };
    return cmocka_run_group_tests_name("zdial", tests, NULL, NULL);
}
