#include "coordinator/peers.h"

#include "common/base/check.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH_FIRST = 32 };

int peers_init(struct peers *peers, uint32_t max, uint64_t serial)
{
    memset(peers, 0, sizeof(*peers));
    CHECK(max >= 1 && max <= PEERS_MAX);
    peers->by_index = calloc(max, sizeof(struct peer *));
    if (peers->by_index == NULL) {
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
}

static bool find_free_index(const struct peers *peers, uint32_t *ret_index)
{
    if (peers->count == peers->max) {
        return false;
    }
    if (peers->count == peers->high) {
        *ret_index = peers->high;
        return true;
    }
    for (uint32_t i = 0; i < peers->high; i++) {
        if (peers->by_index[i] == NULL) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

struct peer *peers_add(struct peers *peers, struct zsock_peer address)
{
    uint32_t index = 0;
    if (!find_free_index(peers, &index)) {
        return NULL;
    }
    struct peer *peer = calloc(1, sizeof(*peer));
    if (peer == NULL) {
        return NULL;
    }
    peer->address = address;
    peer->index = index;
    peer->session = (peers->next_serial++ << PEER_INDEX_BITS) | index;
    peer->state = PEER_IDLE;
    peers->by_index[index] = peer;
    peers->count++;
    if (index == peers->high) {
        peers->high++;
    }
    return peer;
}

void peers_remove(struct peers *peers, struct peer *peer)
{
    CHECK(peers->by_index[peer->index] == peer);
    peers->by_index[peer->index] = NULL;
    peers->count--;
    peer_free(peer);
}

struct peer *peers_find(const struct peers *peers, uint64_t session)
{
    uint32_t index = (uint32_t)(session & (PEERS_MAX - 1));
    struct peer *peer = index < peers->high ? peers->by_index[index] : NULL;
    return peer != NULL && peer->session == session ? peer : NULL;
}

struct peer *peers_find_nonce(const struct peers *peers, uint64_t nonce)
{
    for (uint32_t i = 0; i < peers->high; i++) {
        if (peers->by_index[i] != NULL && peers->by_index[i]->nonce == nonce) {
            return peers->by_index[i];
        }
    }
    return NULL;
}

struct peer *peers_find_address(const struct peers *peers, struct zsock_peer address)
{
    for (uint32_t i = 0; i < peers->high; i++) {
        if (peers->by_index[i] != NULL && peers->by_index[i]->address.value == address.value) {
            return peers->by_index[i];
        }
    }
    return NULL;
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
