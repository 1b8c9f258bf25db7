/* The table of workers: sessions, indices that are used again, batches that own their references. */
#include "coordinator/peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_session_is_found_until_it_is_removed(void **state)
{
    (void)state;
    struct peers peers;
    assert_int_equal(peers_init(&peers, 4, 77), 0);
    struct peer *peer = peers_add(&peers, (struct zsock_peer){5});
    uint64_t session = peer->session;
    assert_ptr_equal(peers_find(&peers, session), peer);
    assert_null(peers_find(&peers, session + 1));
    assert_null(peers_find(&peers, 0));
    peers_remove(&peers, peer);
    assert_null(peers_find(&peers, session));
    peers_deinit(&peers);
}

static void test_index_is_used_again_but_its_session_is_another(void **state)
{
    (void)state;
    struct peers peers;
    assert_int_equal(peers_init(&peers, 2, 1), 0);
    struct peer *first = peers_add(&peers, (struct zsock_peer){1});
    uint64_t old = first->session;
    (void)peers_add(&peers, (struct zsock_peer){2});
    assert_null(peers_add(&peers, (struct zsock_peer){3}));
    peers_remove(&peers, first);
    struct peer *third = peers_add(&peers, (struct zsock_peer){3});
    assert_non_null(third);
    assert_int_equal(third->index, 0);
    assert_true(third->session != old);
    assert_null(peers_find(&peers, old));
    peers_deinit(&peers);
}

static void test_nonce_finds_the_process_again(void **state)
{
    (void)state;
    struct peers peers;
    assert_int_equal(peers_init(&peers, 4, 1), 0);
    peers_add(&peers, (struct zsock_peer){1})->nonce = 10;
    struct peer *second = peers_add(&peers, (struct zsock_peer){2});
    second->nonce = 20;
    assert_ptr_equal(peers_find_nonce(&peers, 20), second);
    assert_null(peers_find_nonce(&peers, 30));
    peers_deinit(&peers);
}

static void count_release(void *arg)
{
    int *released = arg;
    (*released)++;
}

static void test_batch_gives_back_every_reference(void **state)
{
    (void)state;
    struct peers peers;
    assert_int_equal(peers_init(&peers, 1, 1), 0);
    struct peer *peer = peers_add(&peers, (struct zsock_peer){1});
    int released = 0;
    for (uint64_t i = 1; i <= WIRE_CHUNKS_MAX; i++) {
        struct chunk chunk = {
            .id = {i}, .first = i, .count = 1, .attempt = 1, .payload_len = 4, .payload_offset = 2};
        chunk.payload = blob_new("abcdefgh", 8, count_release, &released);
        assert_int_equal(peer_batch_add(&peer->batch, &chunk), 0);
    }
    assert_int_equal(peer->batch.count, WIRE_CHUNKS_MAX);
    assert_int_equal(peer->batch.payload_bytes, 4 * WIRE_CHUNKS_MAX);
    assert_memory_equal(peer->batch.parts[0].bytes, "cdef", 4);
    peer_batch_clear(&peer->batch);
    assert_int_equal(released, WIRE_CHUNKS_MAX);
    peers_deinit(&peers);
}

static void receive(struct peer *peer, uint64_t seq, uint64_t noted, uint64_t durable)
{
    peer->seq = seq;
    peer_note_received(peer, noted, durable);
}

static void test_results_may_be_acknowledged_when_they_are_durable(void **state)
{
    (void)state;
    struct peer peer = {.seq = 0};
    receive(&peer, 1, 7, 6);
    receive(&peer, 2, 7, 6);
    assert_int_equal(peer.durable, 0);
    receive(&peer, 3, 8, 6); /* 7 is being written, 8 is open */
    assert_false(peer_note_durable(&peer, 6));
    assert_true(peer_note_durable(&peer, 7));
    assert_int_equal(peer.durable, 2);
    receive(&peer, 4, 9, 8); /* 8 became durable in the meantime */
    assert_int_equal(peer.durable, 3);
    assert_true(peer_note_durable(&peer, UINT64_MAX));
    assert_int_equal(peer.durable, 4);
}

static void test_results_that_brought_nothing_wait_for_those_before_them(void **state)
{
    (void)state;
    struct peer peer = {.seq = 0};
    receive(&peer, 1, 3, 2);
    receive(&peer, 2, 0, 0); /* of a job that is over */
    assert_int_equal(peer.durable, 0);
    assert_true(peer_note_durable(&peer, 3));
    assert_int_equal(peer.durable, 2);
    receive(&peer, 3, 3, 3); /* only credit: nothing was noted since */
    assert_int_equal(peer.durable, 3);
}

static void test_without_a_journal_nothing_waits(void **state)
{
    (void)state;
    struct peer peer = {.seq = 0};
    receive(&peer, 1, 0, 0);
    assert_int_equal(peer.durable, 1);
    assert_false(peer_note_durable(&peer, 0));
}

static void test_what_a_worker_holds_is_kept_within_what_it_can(void **state)
{
    (void)state;
    struct peer peer = {.credit_max = 4};
    uint64_t numbers[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint32_t attempts[8] = {1, 1, 1, 1, 1, 1, 1, 2};
    struct wire_chunks chunks = {
        .count = 8, .id = numbers, .first = numbers, .items = numbers, .attempt = attempts};
    assert_int_equal(peer_add_holding(&peer, &chunks), 0);
    assert_int_equal(peer_add_holding(&peer, &chunks), 0);
    assert_int_equal(peer_add_holding(&peer, &chunks), ERR_INVALID);
    assert_int_equal(peer.holding_count, 16);
    assert_int_equal(peer.holding[15].chunk.value, 8);
    assert_int_equal(peer.holding[15].attempt, 2);
    peer_forget_holding(&peer);
    assert_int_equal(peer.holding_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_session_is_found_until_it_is_removed),
        cmocka_unit_test(test_index_is_used_again_but_its_session_is_another),
        cmocka_unit_test(test_nonce_finds_the_process_again),
        cmocka_unit_test(test_batch_gives_back_every_reference),
        cmocka_unit_test(test_results_may_be_acknowledged_when_they_are_durable),
        cmocka_unit_test(test_results_that_brought_nothing_wait_for_those_before_them),
        cmocka_unit_test(test_without_a_journal_nothing_waits),
        cmocka_unit_test(test_what_a_worker_holds_is_kept_within_what_it_can),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
