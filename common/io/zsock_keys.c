/* A socket's own key, and the one that a message came with. */
#include "common/base/check.h"
#include "common/io/zsock_internal.h"

#include <string.h>

static void set_text(struct zsock *socket, int name, const char *text)
{
    int rc = zmq_setsockopt(socket->zmq, name, text, strlen(text));
    CHECK(rc == 0);
}

/* Keys that are set after a bind or a connect would count for nothing, without a word: so this is
 * looked at again. */
void zsock_set_keys(struct zsock *socket, const struct zsock_keys *keys)
{
    const int yes = 1;
    int mechanism = ZMQ_NULL;
    size_t size = sizeof(mechanism);
    if (socket->type == ZSOCK_ROUTER) {
        int rc = zmq_setsockopt(socket->zmq, ZMQ_CURVE_SERVER, &yes, sizeof(yes));
        CHECK(rc == 0);
        set_text(socket, ZMQ_ZAP_DOMAIN, "quartet");
    } else {
        set_text(socket, ZMQ_CURVE_SERVERKEY, keys->server_key);
    }
    set_text(socket, ZMQ_CURVE_PUBLICKEY, keys->own->public_key);
    set_text(socket, ZMQ_CURVE_SECRETKEY, keys->own->secret_key);
    int rc = zmq_getsockopt(socket->zmq, ZMQ_MECHANISM, &mechanism, &size);
    CHECK(rc == 0 && mechanism == ZMQ_CURVE);
    socket->curve = true;
}

/* Not of the frame with the routing id, which libzmq 4.3.4 has no properties of. */
const char *zsock_sender_key(const struct zsock *socket)
{
    const zmq_msg_t *frame = &socket->in.frames[FRAME_HEADER];
    const char *key = zmq_msg_gets(frame, "User-Id");
    return key == NULL ? "" : key;
}
