#include "coordinator/server/peers.h"

#include "common/base/check.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH_FIRST = 32 };

int peers_init(struct peers *peers, uint32_t max, uint64_t serial)
{
    memset(peers, 0, sizeof(*peers));
    CHECK(max >= 1 && max <= PEERS_MAX);
    peers->by_index = calloc(max, sizeof(struct peer *));
    peers->free = calloc(max, sizeof(*peers->free));
    if (peers->by_index == NULL || peers->free == NULL || peers_index_init(&peers->nonces) != 0 ||
        peers_index_init(&peers->addresses) != 0 || peers_index_init(&peers->connections) != 0) {
        peers_deinit(peers);
        return ERR_NOMEM;
    }
    peers->max = max;
    peers->next_serial = serial == 0 ? 1 : serial;
    return 0;
}

static void peer_free(struct peer *peer)
{
    struct peer_batch *batch = &peer->batch;
    peer_batch_clear(batch);
    free(batch->id);
    free(batch->first);
    free(batch->items);
    free(batch->attempt);
    free(batch->payload_len);
    free(batch->parts);
    free(batch->blobs);
    peer_forget_holding(peer);
    free(peer);
}

void peers_deinit(struct peers *peers)
{
    for (uint32_t i = 0; i < peers->high; i++) {
        if (peers->by_index[i] != NULL) {
            peer_free(peers->by_index[i]);
        }
    }
    free(peers->by_index);
    peers->by_index = NULL;
    free(peers->free);
    peers->free = NULL;
    peers_index_deinit(&peers->nonces);
    peers_index_deinit(&peers->addresses);
    peers_index_deinit(&peers->connections);
}

/* One that was freed, or the first that was never used. There is one. */
static uint32_t take_index(struct peers *peers)
{
    return peers->count == peers->high ? peers->high++
                                       : peers->free[peers->high - peers->count - 1];
}

/* Descriptors are used again at once: whoever had this connection has it no more, though nobody has said so yet. */
static void take_connection(struct peers *peers, struct peer *peer)
{
    struct peer *before = peers_find_connection(peers, peer->connection);
    if (before != NULL) {
        before->connection = 0;
    }
    peers_index_put(&peers->connections, peer->connection, peer->index);
}

static bool has_room(struct peers *peers)
{
    return peers->count < peers->max && peers_index_reserve(&peers->nonces) == 0 &&
           peers_index_reserve(&peers->addresses) == 0 &&
           peers_index_reserve(&peers->connections) == 0;
}

struct peer *peers_add(struct peers *peers, const struct peer_identity *identity)
{
    struct peer *peer = has_room(peers) ? calloc(1, sizeof(*peer)) : NULL;
    if (peer == NULL) {
        return NULL;
    }
    peer->address = identity->address;
    peer->nonce = identity->nonce;
    peer->connection = identity->connection;
    peer->index = take_index(peers);
    peer->session = (peers->next_serial++ << PEER_INDEX_BITS) | peer->index;
    peer->state = PEER_IDLE;
    peers->by_index[peer->index] = peer;
    peers->count++;
    peers_index_put(&peers->nonces, peer->nonce, peer->index);
    peers_index_put(&peers->addresses, peer->address.value, peer->index);
    take_connection(peers, peer);
    return peer;
}

void peers_remove(struct peers *peers, struct peer *peer)
{
    CHECK(peers->by_index[peer->index] == peer);
    peers->by_index[peer->index] = NULL;
    peers->count--;
    peers->free[peers->high - peers->count - 1] = peer->index;
    peers_index_remove(&peers->nonces, peer->nonce, peer->index);
    peers_index_remove(&peers->addresses, peer->address.value, peer->index);
    peers_index_remove(&peers->connections, peer->connection, peer->index);
    peer_free(peer);
}

struct peer *peers_find(const struct peers *peers, uint64_t session)
{
    uint32_t index = (uint32_t)(session & (PEERS_MAX - 1));
    struct peer *peer = index < peers->high ? peers->by_index[index] : NULL;
    return peer != NULL && peer->session == session ? peer : NULL;
}

static struct peer *find_in(const struct peers *peers,
                            const struct peers_index *index,
                            uint64_t number)
{
    uint32_t at = 0;
    return peers_index_find(index, number, &at) ? peers->by_index[at] : NULL;
}

struct peer *peers_find_nonce(const struct peers *peers, uint64_t nonce)
{
    return find_in(peers, &peers->nonces, nonce);
}

struct peer *peers_find_address(const struct peers *peers, struct zsock_peer address)
{
    return find_in(peers, &peers->addresses, address.value);
}

struct peer *peers_find_connection(const struct peers *peers, uint64_t connection)
{
    return find_in(peers, &peers->connections, connection);
}

/* --- what may be acknowledged --- */

void peer_note_received(struct peer *peer, uint64_t noted, uint64_t durable)
{
    (void)peer_note_durable(peer, durable);
    if (noted <= durable && peer->receipt_count == 0) {
        peer->durable = peer->seq;
        return;
    }
    struct peer_receipt *last = peer->receipt_count == 0 ? NULL
                                                         : &peer->receipts[peer->receipt_count - 1];
    if (last != NULL && last->noted >= noted) {
        last->seq = peer->seq;
        return;
    }
    CHECK(peer->receipt_count < PEER_RECEIPTS_MAX);
    peer->receipts[peer->receipt_count++] = (struct peer_receipt){noted, peer->seq};
}

bool peer_note_durable(struct peer *peer, uint64_t durable)
{
    uint64_t before = peer->durable;
    uint32_t done = 0;
    while (done < peer->receipt_count && peer->receipts[done].noted <= durable) {
        peer->durable = peer->receipts[done++].seq;
    }
    peer->receipt_count -= done;
    memmove(peer->receipts, peer->receipts + done, peer->receipt_count * sizeof(*peer->receipts));
    return peer->durable != before;
}

/* --- what it has in hand --- */

int peer_add_holding(struct peer *peer, const struct wire_chunks *chunks)
{
    /* It promises never to hold more than credit_max, and as many results that wait twice over. */
    if (peer->holding_count + chunks->count > 4 * (size_t)peer->credit_max) {
        return ERR_INVALID;
    }
    struct sched_holding *holding = realloc(
        peer->holding, (peer->holding_count + chunks->count) * sizeof(*holding));
    if (holding == NULL) {
        return ERR_NOMEM;
    }
    peer->holding = holding;
    for (size_t i = 0; i < chunks->count; i++) {
        holding[peer->holding_count++] = (struct sched_holding){
            .chunk = {chunks->id[i]},
            .first = chunks->first[i],
            .count = chunks->items[i],
            .attempt = chunks->attempt[i],
        };
    }
    return 0;
}

void peer_forget_holding(struct peer *peer)
{
    free(peer->holding);
    peer->holding = NULL;
    peer->holding_count = 0;
}

/* --- batches --- */

static int grow(void *array_of, size_t size, size_t count)
{
    void **array = array_of;
    void *bigger = realloc(*array, size * count);
    if (bigger == NULL) {
        return ERR_NOMEM;
    }
    *array = bigger;
    return 0;
}

static int batch_reserve(struct peer_batch *batch)
{
    if (batch->count < batch->capacity) {
        return 0;
    }
    size_t capacity = batch->capacity == 0 ? BATCH_FIRST : batch->capacity * 2;
    capacity = capacity > WIRE_CHUNKS_MAX ? WIRE_CHUNKS_MAX : capacity;
    CHECK(batch->count < capacity);
    if (grow(&batch->id, sizeof(*batch->id), capacity) != 0 ||
        grow(&batch->first, sizeof(*batch->first), capacity) != 0 ||
        grow(&batch->items, sizeof(*batch->items), capacity) != 0 ||
        grow(&batch->attempt, sizeof(*batch->attempt), capacity) != 0 ||
        grow(&batch->payload_len, sizeof(*batch->payload_len), capacity) != 0 ||
        grow(&batch->parts, sizeof(*batch->parts), capacity) != 0 ||
        grow(&batch->blobs, sizeof(struct blob *), capacity) != 0) {
        return ERR_NOMEM;
    }
    batch->capacity = capacity;
    return 0;
}

int peer_batch_add(struct peer_batch *batch, const struct chunk *chunk)
{
    if (batch_reserve(batch) != 0) {
        return ERR_NOMEM;
    }
    size_t at = batch->count++;
    batch->id[at] = chunk->id.value;
    batch->first[at] = chunk->first;
    batch->items[at] = chunk->count;
    batch->attempt[at] = chunk->attempt;
    batch->payload_len[at] = chunk->payload_len;
    batch->blobs[at] = chunk->payload;
    if (chunk->payload != NULL) {
        const char *bytes = blob_bytes(chunk->payload);
        batch->parts[at].bytes = bytes + chunk->payload_offset;
        batch->parts[at].len = chunk->payload_len;
        batch->payload_bytes += chunk->payload_len;
    }
    return 0;
}

void peer_batch_clear(struct peer_batch *batch)
{
    if (batch->payload_bytes > 0) {
        for (size_t i = 0; i < batch->count; i++) {
            blob_unref(batch->blobs[i]);
        }
    }
    batch->count = 0;
    batch->payload_bytes = 0;
}
