/* Workers that come: who is let in, and who is not; see server_internal.h. */
#include "common/io/descriptors.h"
#include "coordinator/server/server_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { REFUSAL_SIZE = 256 }; /* of a text that says why */

/* The same process on a new connection, or registering anew on the one it has: its old session is over,
 * through no fault of the chunks it holds. */
static void forget_earlier(struct server *server, struct zsock_peer address, uint64_t nonce)
{
    struct peer *before;
    while ((before = peers_find_nonce(&server->peers, nonce)) != NULL ||
           (before = peers_find_address(&server->peers, address)) != NULL) {
        server_forget(server, before, SCHED_WORKER_LEFT, "");
    }
}

static void refuse_hello(struct server *server,
                         struct zsock_peer address,
                         enum wire_reason reason,
                         const char *text)
{
    server->stats.rejected++;
    server_reject(server, address, 0, reason, text);
}

/* Is there room for one more? `ret_text` says what there is not. libzmq drops connections without a word
 * when no more files may be opened: before that happens, workers are told. */
static bool has_room(const struct server *server, char *ret_text, size_t size)
{
    uint64_t limit = 0;
    if (server->peers.count == server->peers.max) {
        (void)snprintf(ret_text,
                       size,
                       "the coordinator holds %u workers and takes no more",
                       server->peers.count);
        return false;
    }
    if (descriptors_left(&limit) < descriptors_kept(limit)) {
        (void)snprintf(ret_text,
                       size,
                       "too few open files: the coordinator may have %" PRIu64
                       ", and nearly all are in use (raise ulimit -n where it runs)",
                       limit);
        return false;
    }
    return true;
}

/* Once, until another one got in: those that were refused come again and again. */
static void note_full(struct server *server, const char *text)
{
    if (strcmp(server->full.s, text) != 0) {
        (void)err_set(&server->full, ERR_BUSY, "%s", text);
        server_note(server, "refused a worker: %s", text);
    }
}

/* Texts of the other side go to a terminal. */
static void copy_text(char *to, size_t size, struct wire_text text)
{
    (void)snprintf(to, size, "%.*s", (int)text.len, text.s);
    err_one_line(to);
}

/* Is it to be refused before anybody asks for room? `ret_text` says why. */
static bool is_unwanted(struct server *server,
                        const struct wire_hello *hello,
                        enum wire_reason *ret_reason,
                        char *ret_text,
                        size_t size)
{
    if (hello->protocol_major != WIRE_PROTOCOL_MAJOR) {
        *ret_reason = WIRE_REASON_VERSION;
        (void)snprintf(ret_text,
                       size,
                       "this coordinator speaks protocol %d.%d, the worker %u.%u: install the same "
                       "version of quartet on both",
                       WIRE_PROTOCOL_MAJOR,
                       WIRE_PROTOCOL_MINOR,
                       hello->protocol_major,
                       hello->protocol_minor);
        return true;
    }
    if (!server_key_is_allowed(server, zsock_sender_key(server->socket))) {
        *ret_reason = WIRE_REASON_KEY;
        (void)snprintf(ret_text, size, "the key of this worker was taken back");
        return true;
    }
    if (patience_is_shunned(&server->patience, hello->nonce)) {
        *ret_reason = WIRE_REASON_MALFORMED;
        (void)snprintf(ret_text, size, "what this worker said before cannot be true");
        return true;
    }
    return false;
}

static void refuse_unwanted(struct server *server,
                            struct zsock_peer address,
                            enum wire_reason reason,
                            const char *text)
{
    if (reason == WIRE_REASON_VERSION) {
        char note[REFUSAL_SIZE + 32];
        (void)snprintf(note, sizeof(note), "refused a worker: %s", text);
        server_note_refusal(server, note, false);
    }
    refuse_hello(server, address, reason, text);
}

/* NULL, and it was refused, without room or memory. */
static struct peer *make_room(struct server *server, struct zsock_peer address, uint64_t nonce)
{
    char text[REFUSAL_SIZE];
    if (!has_room(server, text, sizeof(text))) {
        note_full(server, text);
        refuse_hello(server, address, WIRE_REASON_FULL, text);
        return NULL;
    }
    server->full.s[0] = '\0';
    const struct peer_identity identity = {address, nonce, zsock_sender_connection(server->socket)};
    struct peer *peer = peers_add(&server->peers, &identity);
    if (peer == NULL) {
        refuse_hello(server, address, WIRE_REASON_FULL, "the coordinator has no memory");
    }
    return peer;
}

static void introduce(struct server *server, struct peer *peer, const struct wire_hello *hello)
{
    const char *key = zsock_sender_key(server->socket);
    copy_text(peer->name, sizeof(peer->name), hello->name);
    copy_text(peer->host, sizeof(peer->host), hello->host);
    if (server_key_is_listed(server, key)) {
        (void)snprintf(peer->key, sizeof(peer->key), "%s", key);
    }
    peer->cores = hello->cores;
    peer->strategies = hello->strategies;
    peer->credit_max = hello->credit_max;
    peer->protocol_minor = hello->protocol_minor;
    peer->heard_us = stage_now_us();
    server_probe_soon(peer);
    server->stats.registrations++;
}

/* WELCOME, and the job, if there is one for it. The peer may be gone when this returns. */
static void welcome(struct server *server, struct peer *peer)
{
    struct wire_message message = {.type = WIRE_WELCOME};
    message.as.welcome.protocol_minor = WIRE_PROTOCOL_MINOR;
    tempo_tell(&peer->tempo, server_tempo_us(server));
    message.as.welcome.heartbeat_ms = (uint32_t)(peer->tempo.told_us / US_PER_MS);
    if (!server_send(server, peer, &message) || server->run.job == NULL) {
        return;
    }
    if (server->run.job->workers == 0) {
        server_send_job(server, peer);
    }
    server_crew_changed(server);
}

void server_on_hello(struct server *server,
                     struct zsock_peer address,
                     const struct wire_message *message)
{
    const struct wire_hello *hello = &message->as.hello;
    enum wire_reason reason = WIRE_REASON_VERSION;
    char text[REFUSAL_SIZE];
    if (!patience_hello(&server->patience, address.value, stage_now_us())) {
        server->stats.ignored++;
        return;
    }
    if (is_unwanted(server, hello, &reason, text, sizeof(text))) {
        refuse_unwanted(server, address, reason, text);
        return;
    }
    forget_earlier(server, address, hello->nonce);
    struct peer *peer = make_room(server, address, hello->nonce);
    if (peer != NULL) {
        introduce(server, peer, hello);
        welcome(server, peer);
    }
}
