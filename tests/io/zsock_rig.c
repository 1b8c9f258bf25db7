#include "tests/io/zsock_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DEADLINE_MS = 10000 };

static void on_message(void *arg,
                       struct zsock_peer peer,
                       const void *header,
                       size_t header_len,
                       struct blob *payload)
{
    struct rig_side *side = arg;
    side->messages++;
    side->peer = peer;
    side->connection = zsock_sender_connection(side->socket);
    side->header_len = header_len;
    (void)snprintf(
        side->sender_key, sizeof(side->sender_key), "%s", zsock_sender_key(side->socket));
    memcpy(side->header,
           header,
           header_len < sizeof(side->header) ? header_len : sizeof(side->header));
    if (payload != NULL) {
        blob_unref(side->payload);
        side->payload = payload;
    }
    if (side->echo) {
        memcpy(zsock_header(side->socket, header_len), header, header_len);
        assert_int_equal(zsock_send(side->socket, peer, NULL), 0);
    }
}

static void on_bad(void *arg, struct zsock_peer peer, const char *why)
{
    struct rig_side *side = arg;
    (void)peer;
    side->bad++;
    (void)snprintf(side->why, sizeof(side->why), "%s", why);
}

static void on_turn_end(void *arg)
{
    struct rig_side *side = arg;
    side->turns++;
}

static void on_connected(void *arg)
{
    struct rig_side *side = arg;
    side->connected++;
}

static void on_disconnected(void *arg, const char *why)
{
    struct rig_side *side = arg;
    assert_true(why[0] != '\0');
    side->disconnected++;
}

static void on_dropping(void *arg, uint64_t connection)
{
    struct rig_side *side = arg;
    side->dropping = connection;
}

static void on_peer_dropped(void *arg)
{
    struct rig_side *side = arg;
    side->dropped++;
}

static void on_refused(void *arg, const char *address, const char *why)
{
    struct rig_side *side = arg;
    (void)address;
    side->refused++;
    (void)snprintf(side->refused_why, sizeof(side->refused_why), "%s", why);
}

static void on_retrying(void *arg)
{
    struct rig_side *side = arg;
    side->retrying++;
}

static const struct zsock_handlers handlers = {
    .message = on_message,
    .bad = on_bad,
    .turn_end = on_turn_end,
    .connected = on_connected,
    .disconnected = on_disconnected,
    .dropping = on_dropping,
    .peer_dropped = on_peer_dropped,
    .refused = on_refused,
    .retrying = on_retrying,
};

int rig_socket(struct rig *rig, enum zsock_type type, struct rig_side *ret_side)
{
    return rig_socket_with(rig, type, NULL, ret_side);
}

int rig_socket_with(struct rig *rig,
                    enum zsock_type type,
                    const struct zsock_keys *keys,
                    struct rig_side *ret_side)
{
    const struct zsock_options options = {
        .type = type,
        .header_max = RIG_HEADER_MAX,
        .payload_max = RIG_PAYLOAD_MAX,
        .keys = keys,
        .handlers = &handlers,
        .arg = ret_side,
    };
    *ret_side = (struct rig_side){0};
    return zsock_new(rig->context, &rig->loop, &options, NULL, &ret_side->socket);
}

static void on_check(uv_check_t *check)
{
    struct rig *rig = check->data;
    rig->turns++;
}

static void init_handles(struct rig *rig)
{
    (void)uv_timer_init(&rig->loop, &rig->deadline);
    (void)uv_check_init(&rig->loop, &rig->check);
    (void)uv_idle_init(&rig->loop, &rig->idle);
    rig->deadline.data = rig;
    rig->check.data = rig;
    (void)uv_check_start(&rig->check, on_check);
}

int rig_setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    *state = rig;
    if (rig == NULL || uv_loop_init(&rig->loop) != 0) {
        return -1;
    }
    init_handles(rig);
    if (zsock_context_new(NULL, &rig->context) != 0 ||
        rig_socket(rig, ZSOCK_ROUTER, &rig->router) != 0 ||
        rig_socket(rig, ZSOCK_DEALER, &rig->dealer) != 0 ||
        zsock_bind(rig->router.socket, "tcp://127.0.0.1:*", NULL) != 0) {
        return -1;
    }
    rig->endpoint = zsock_endpoint(rig->router.socket);
    return 0;
}

void rig_close(struct rig_side *side)
{
    zsock_close(side->socket, 0);
    side->socket = NULL;
    blob_unref(side->payload);
    side->payload = NULL;
}

int rig_teardown(void **state)
{
    struct rig *rig = *state;
    rig_close(&rig->router);
    rig_close(&rig->dealer);
    uv_close((uv_handle_t *)&rig->deadline, NULL);
    uv_close((uv_handle_t *)&rig->check, NULL);
    uv_close((uv_handle_t *)&rig->idle, NULL);
    int alive = uv_run(&rig->loop, UV_RUN_DEFAULT);
    int rc = uv_loop_close(&rig->loop);
    zsock_context_free(rig->context);
    free(rig);
    return alive != 0 || rc != 0;
}

static void on_deadline(uv_timer_t *timer)
{
    struct rig *rig = timer->data;
    rig->late = true;
}

void rig_run_until(struct rig *rig, bool (*holds)(const void *arg), const void *arg)
{
    rig->late = false;
    (void)uv_timer_start(&rig->deadline, on_deadline, DEADLINE_MS, 0);
    while (!holds(arg) && !rig->late) {
        (void)uv_run(&rig->loop, UV_RUN_ONCE);
    }
    (void)uv_timer_stop(&rig->deadline);
    assert_false(rig->late);
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

void rig_spin_until(struct rig *rig, bool (*holds)(const void *arg), const void *arg)
{
    (void)uv_idle_start(&rig->idle, on_idle);
    rig_run_until(rig, holds, arg);
    (void)uv_idle_stop(&rig->idle);
}

void rig_run_for(struct rig *rig, unsigned ms)
{
    rig->late = false;
    (void)uv_timer_start(&rig->deadline, on_deadline, ms, 0);
    while (!rig->late) {
        (void)uv_run(&rig->loop, UV_RUN_ONCE);
    }
}

struct reached {
    const unsigned *counter;
    unsigned target;
};

static bool has_reached(const void *arg)
{
    const struct reached *reached = arg;
    return *reached->counter >= reached->target;
}

void rig_wait(struct rig *rig, const unsigned *counter, unsigned target)
{
    const struct reached reached = {counter, target};
    rig_run_until(rig, has_reached, &reached);
}

int rig_send(struct rig_side *side,
             struct zsock_peer peer,
             unsigned char byte,
             size_t len,
             struct blob *payload)
{
    void *header = zsock_header(side->socket, len);
    assert_non_null(header);
    memset(header, byte, len);
    return zsock_send(side->socket, peer, payload);
}

void rig_meet(struct rig *rig)
{
    const struct zsock_peer coordinator = {0};
    assert_int_equal(zsock_connect(rig->dealer.socket, rig->endpoint, NULL), 0);
    rig_wait(rig, &rig->dealer.connected, 1);
    assert_int_equal(rig_send(&rig->dealer, coordinator, 'h', 5, NULL), 0);
    rig_wait(rig, &rig->router.messages, 1);
    rig->router.messages = 0;
}
