/* Who may come to the server: the keys of its directory and those of the workers that were started
 * here, looked at again with every beat; and who came and was refused. See server_internal.h. */
#include "common/io/secret_file.h"
#include "coordinator/server/server_internal.h"
#include "coordinator/server/server_status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A file system may date two changes alike that come shortly after each other. */
enum { STAMP_SETTLES_S = 2 };

const char *server_public_key(const struct server *server)
{
    return server->keys.zap == NULL ? NULL : server->keys.own.public_key;
}

/* --- the list --- */

bool server_key_is_allowed(const struct server *server, const char *public_key)
{
    return server->keys.zap == NULL || zap_allows(server->keys.zap, public_key);
}

/* Replace the list: `listed` of the directory, then those that were admitted here. Takes over nothing. */
static int replace_list(struct server_keys *keys,
                        const struct key_named *listed,
                        size_t listed_count,
                        const struct key_named *admitted,
                        size_t admitted_count)
{
    size_t count = listed_count + admitted_count;
    struct key_named *list = calloc(count + 1, sizeof(*list));
    if (list == NULL) {
        return ERR_NOMEM;
    }
    if (listed_count > 0) {
        memcpy(list, listed, listed_count * sizeof(*list));
    }
    if (admitted_count > 0) {
        memcpy(list + listed_count, admitted, admitted_count * sizeof(*list));
    }
    if (zap_allow(keys->zap, list, count) != 0) {
        free(list);
        return ERR_NOMEM;
    }
    free(keys->allowed);
    keys->allowed = list;
    keys->allowed_count = count;
    keys->admitted_count = admitted_count;
    return 0;
}

static size_t listed_count(const struct server_keys *keys)
{
    return keys->allowed_count - keys->admitted_count;
}

static bool is_recent(struct keyring_stamp stamp)
{
    return stamp.changed_s + STAMP_SETTLES_S >= (long long)time(NULL);
}

/* Read the directory. The list stays as it was when that fails. */
static int read_directory(struct server *server, struct err_text *ret_error)
{
    struct server_keys *keys = &server->keys;
    struct err_text trouble;
    struct key_named *listed = NULL;
    size_t count = 0;
    struct keyring_stamp stamp = keyring_stamp(server->options.keys);
    int rc = keyring_list(server->options.keys, ret_error, &trouble, &listed, &count);
    if (rc != 0) {
        return rc;
    }
    const struct key_named *admitted = keys->allowed == NULL ? NULL
                                                             : keys->allowed + listed_count(keys);
    rc = replace_list(keys, listed, count, admitted, keys->admitted_count);
    free(listed);
    if (rc != 0) {
        return err_set(ret_error, rc, "no memory for the authorized keys");
    }
    keys->stamp = stamp;
    /* A file that was left out may become good without a change of the directory: its mode, or the rest of it. */
    keys->settled = !is_recent(stamp) && trouble.s[0] == '\0';
    if (trouble.s[0] != '\0' && strcmp(trouble.s, keys->trouble.s) != 0) {
        server_note(server, "a key is left out: %s", trouble.s);
    }
    keys->trouble = trouble;
    return 0;
}

/* --- workers that are started here --- */

bool server_key_is_listed(const struct server *server, const char *public_key)
{
    const struct server_keys *keys = &server->keys;
    for (size_t i = listed_count(keys); i < keys->allowed_count; i++) {
        if (strcmp(keys->allowed[i].public_key, public_key) == 0) {
            return false;
        }
    }
    return keys->zap != NULL;
}

int server_admit(struct server *server,
                 const char *name,
                 struct err_text *ret_error,
                 struct key_pair *ret_pair)
{
    struct server_keys *keys = &server->keys;
    size_t listed = listed_count(keys);
    struct key_named *admitted = calloc(keys->admitted_count + 1, sizeof(*admitted));
    int rc = admitted == NULL ? ERR_NOMEM : 0;
    if (rc == 0) {
        struct key_named *added = &admitted[keys->admitted_count];
        key_pair_make(ret_pair);
        memcpy(admitted, keys->allowed + listed, keys->admitted_count * sizeof(*admitted));
        memcpy(added->public_key, ret_pair->public_key, sizeof(added->public_key));
        (void)snprintf(added->name, sizeof(added->name), "%s", name);
        rc = replace_list(keys, keys->allowed, listed, admitted, keys->admitted_count + 1);
    }
    free(admitted);
    return rc == 0 ? 0 : err_set(ret_error, rc, "no memory for a worker's key");
}

/* Shorter lists need no memory here; libzmq's handler keeps its own, and one more key there, of a
 * worker that has ended, does no harm until the list is next replaced. */
void server_dismiss(struct server *server, const char *name)
{
    struct server_keys *keys = &server->keys;
    for (size_t i = listed_count(keys); i < keys->allowed_count; i++) {
        if (strncmp(keys->allowed[i].name, name, KEY_NAME_MAX) == 0) {
            keys->allowed[i] = keys->allowed[--keys->allowed_count];
            keys->admitted_count--;
            (void)zap_allow(keys->zap, keys->allowed, keys->allowed_count);
            return;
        }
    }
}

/* --- life --- */

int server_keys_open(struct server *server, struct err_text *ret_error)
{
    struct server_keys *keys = &server->keys;
    if (server->options.keys == NULL && !server->options.run_keys) {
        return 0;
    }
    int rc = 0;
    if (server->options.keys != NULL) {
        rc = keyring_read(server->options.keys, ret_error, &keys->own);
    } else {
        key_pair_make(&keys->own);
    }
    rc = rc != 0 ? rc : zap_start(server->context, ret_error, &keys->zap);
    if (rc != 0 || server->options.keys != NULL) {
        return rc != 0 ? rc : read_directory(server, ret_error);
    }
    rc = replace_list(keys, NULL, 0, NULL, 0);
    return rc == 0 ? 0 : err_set(ret_error, rc, "no memory for keys");
}

void server_keys_close(struct server *server)
{
    secret_wipe(&server->keys.own, sizeof(server->keys.own));
    free(server->keys.allowed);
}

/* --- keys that were taken back --- */

static void end_revoked_sessions(struct server *server)
{
    for (uint32_t i = 0; i < server->peers.high; i++) {
        struct peer *peer = server->peers.by_index[i];
        if (peer != NULL && peer->key[0] != '\0' && !server_key_is_allowed(server, peer->key)) {
            server_refuse_worker(
                server, peer, WIRE_REASON_KEY, "its key is not authorized any more");
        }
    }
}

static void look_for_changes(struct server *server)
{
    struct server_keys *keys = &server->keys;
    struct err_text error;
    if (server->options.keys == NULL ||
        (keys->settled && keyring_stamp_same(keys->stamp, keyring_stamp(server->options.keys)))) {
        return;
    }
    if (read_directory(server, &error) == 0) {
        end_revoked_sessions(server);
    } else if (strcmp(error.s, keys->trouble.s) != 0) {
        keys->trouble = error;
        server_note(server, "keys cannot be looked at, those known before stay: %s", error.s);
    }
}

/* --- refusals --- */

/* Each of them once, as far as memory goes: whoever is refused comes again and again. */
static void note_once(struct server *server, const char *address, const char *why)
{
    struct server_keys *keys = &server->keys;
    char text[KNOCK_TEXT_SIZE];
    static const char mapped[] = "::ffff:"; /* IPv4 at a socket that is of both */
    address += strncmp(address, mapped, strlen(mapped)) == 0 ? strlen(mapped) : 0;
    (void)snprintf(text,
                   sizeof(text),
                   "refused a connection%s%.45s: %.115s",
                   address[0] == '\0' ? "" : " from ",
                   address,
                   why);
    for (unsigned i = 0; i < KNOCKS_SAID_MAX; i++) {
        if (strcmp(keys->said[i], text) == 0) {
            return;
        }
    }
    memcpy(keys->said[keys->said_next], text, sizeof(text));
    keys->said_next = (keys->said_next + 1) % KNOCKS_SAID_MAX;
    server_note_refusal(server, text, strcmp(why, zsock_unfinished) == 0);
}

void server_on_refused(void *arg, const char *address, const char *why)
{
    struct server *server = arg;
    server->keys.failed++;
    note_once(server, address, why);
}

void server_keys_beat(struct server *server)
{
    struct zap_knock knock;
    if (server->keys.zap == NULL || server->closing) {
        return;
    }
    look_for_changes(server);
    while (zap_take_knock(server->keys.zap, &knock)) {
        note_once(server, knock.address, "its key is not among those authorized in --keys");
    }
}

uint64_t server_refusals(const struct server *server)
{
    uint64_t by_key = server->keys.zap == NULL ? 0 : zap_refusals(server->keys.zap);
    return by_key + server->keys.failed;
}

void server_say_refusals(struct server *server)
{
    uint64_t by_key = server->keys.zap == NULL ? 0 : zap_refusals(server->keys.zap);
    if (by_key + server->keys.failed > 0) {
        server_note(server,
                    "%" PRIu64 " connections were refused: %" PRIu64
                    " with a key that is not authorized, %" PRIu64 " without a proper handshake",
                    by_key + server->keys.failed,
                    by_key,
                    server->keys.failed);
    }
}
