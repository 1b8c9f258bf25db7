#include "common/doctor/look.h"

#include "common/base/units.h"
#include "common/doctor/hops.h"
#include "common/doctor/knock.h"
#include "common/doctor/names.h"
#include "common/doctor/talk.h"
#include "common/io/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* How long each step may take: more than it does on any network that works would have use for. */
enum {
    NAME_MS = 8000,
    FIRST_CONNECT_MS = 1000, /* before a closer look is taken */
    CONNECT_MS =
        4000, /* the kernel asks for a neighbour's hardware address for 3 s before it says so */
    HANDSHAKE_MS = 5000,
    GREETING_MS = 2000,
    HOPS_MS = 4000,
    NEIGHBOUR_US = 900 *
                   1000, /* after so long it is no answer, but the lack of one of a neighbour */
    US_PER_MS = 1000,
};

/* `ms`, or what is left. */
static uint32_t at_most(const struct look_options *options, uint32_t ms)
{
    uint64_t at_us = clock_now_us();
    uint64_t left_ms = at_us < options->end_us ? (options->end_us - at_us) / US_PER_MS : 0;
    return left_ms < ms ? (uint32_t)left_ms : ms;
}

/* --- the form --- */

static enum seen_form form_of_tcp(const char *endpoint, struct seen *seen)
{
    const char *host = endpoint + strlen("tcp://");
    const char *colon = strrchr(host, ':');
    size_t len = (size_t)(colon - host);
    uint64_t port = 0;
    if (units_parse_u64(colon + 1, UINT16_MAX, &port) != 0 || port == 0) {
        return FORM_BAD_PORT;
    }
    seen->port = (uint16_t)port;
    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    (void)snprintf(seen->host, sizeof(seen->host), "%.*s", (int)len, host);
    bool every = strcmp(seen->host, "*") == 0 || strcmp(seen->host, "0.0.0.0") == 0 ||
                 strcmp(seen->host, "::") == 0;
    return every ? FORM_EVERY_ADDRESS : FORM_TCP;
}

void look_at_form(const char *endpoint, struct seen *ret_seen)
{
    (void)snprintf(ret_seen->endpoint, sizeof(ret_seen->endpoint), "%s", endpoint);
    ret_seen->form = FORM_NONE;
    if (!zsock_endpoint_has_form(endpoint) || strlen(endpoint) >= sizeof(ret_seen->endpoint)) {
        return;
    }
    if (strncmp(endpoint, "tcp://", strlen("tcp://")) == 0) {
        ret_seen->form = form_of_tcp(endpoint, ret_seen);
    } else if (strncmp(endpoint, "ipc://", strlen("ipc://")) == 0) {
        ret_seen->form = FORM_IPC;
        (void)snprintf(ret_seen->host, sizeof(ret_seen->host), "%s", endpoint + strlen("ipc://"));
    }
}

/* --- the way --- */

/* False: there is none, and it is known why. */
static bool look_at_way(const struct look_options *options,
                        struct seen *seen,
                        struct knock_address *addresses)
{
    if (seen->form == FORM_IPC) {
        seen->address_count = 1;
        return true;
    }
    names_look(seen, at_most(options, NAME_MS), addresses);
    for (size_t i = 0; i < seen->address_count; i++) {
        knock_route(&addresses[i], &seen->addresses[i]);
    }
    return seen->address_count > 0 && seen->addresses[0].route_error == 0;
}

/* One try as a worker makes it, and when it gets through, all that can be asked. */
static int dial(const struct look_options *options,
                uint32_t connect_ms,
                struct err_text *ret_error,
                struct seen *seen)
{
    struct zdial *connection = NULL;
    int rc = zdial_open(options->context, seen->endpoint, options->keys, ret_error, &connection);
    if (rc != 0) {
        return rc;
    }
    seen->end = zdial_await(connection,
                            at_most(options, connect_ms),
                            at_most(options, HANDSHAKE_MS),
                            &seen->connect_us);
    if (seen->end == ZDIAL_OPEN &&
        talk(connection, options->load_max_bytes, options->end_us, seen) != 0) {
        rc = err_set(ret_error, ERR_NOMEM, "no memory");
    }
    zdial_close(connection);
    return rc;
}

static bool is_unreachable(const struct seen_address *address)
{
    return address->knock == KNOCK_FAILED && address->error != ECONNREFUSED &&
           address->error != EPERM && address->error != EACCES;
}

/* What libzmq does not say: why there is no connection, or who it is that answers. */
static void look_closer(const struct look_options *options,
                        struct seen *seen,
                        const struct knock_address *addresses)
{
    if (seen->form == FORM_IPC) {
        knock_path(seen->host, at_most(options, GREETING_MS), &seen->addresses[0]);
        return;
    }
    for (size_t i = 0; i < seen->address_count; i++) {
        struct seen_address *address = &seen->addresses[i];
        uint32_t connect_ms = at_most(options, CONNECT_MS);
        if (connect_ms == 0 || address->route_error != 0) {
            continue;
        }
        knock(&addresses[i], connect_ms, at_most(options, GREETING_MS), address);
        if (i == 0 && is_unreachable(address)) {
            bool refused = address->error != ETIMEDOUT && address->took_us < NEIGHBOUR_US;
            hops_look(&addresses[0], refused, at_most(options, HOPS_MS), &address->way);
        }
    }
}

/* libzmq has said enough. */
static bool is_known(enum zdial_end end)
{
    return end == ZDIAL_OPEN || end == ZDIAL_KEY_REFUSED || end == ZDIAL_MISMATCH;
}

int look(const struct look_options *options,
         const char *endpoint,
         struct err_text *ret_error,
         struct seen *ret_seen)
{
    struct knock_address addresses[SEEN_ADDRESSES_MAX];
    *ret_seen = (struct seen){
        .keys = options->keys != NULL, .key_name = options->key_name, .end = ZDIAL_UNREACHED};
    look_at_form(endpoint, ret_seen);
    if ((ret_seen->form != FORM_TCP && ret_seen->form != FORM_IPC) ||
        !look_at_way(options, ret_seen, addresses)) {
        return 0;
    }
    int rc = dial(options, FIRST_CONNECT_MS, ret_error, ret_seen);
    if (rc != 0 || is_known(ret_seen->end)) {
        return rc;
    }
    look_closer(options, ret_seen, addresses);
    bool slow = ret_seen->end == ZDIAL_UNREACHED && ret_seen->addresses[0].knock == KNOCK_CONNECTED;
    return slow ? dial(options, CONNECT_MS, ret_error, ret_seen) : 0;
}
