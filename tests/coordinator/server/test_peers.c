/* The table of workers: sessions, indices that are used again, batches that own their references. */
#include "coordinator/server/peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct peer *add(struct peers *peers, uint64_t address, uint64_t nonce, uint64_t connection)
{
    const struct peer_identity identity = {{address}, nonce, connection};
    return peers_add(peers, &identity);
}

static void test_session_is_found_until_it_is_removed(void **state)
{
    (void)state;
    struct peers peers;
    assert_int_equal(peers_init(&peers, 4, 77), 0);
    struct peer *peer = add(&peers, 5, 50, 0);
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
    struct peer *first = add(&peers, 1, 1, 0);
    uint64_t old = first->session;
    (void)add(&peers, 2, 2, 0);
    assert_null(add(&peers, 3, 3, 0));
    peers_remove(&peers, first);
    struct peer *third = add(&peers, 3, 3, 0);
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
    assert_non_null(add(&peers, 1, 10, 0));
    struct peer *second = add(&peers, 2, 20, 0);
    assert_ptr_equal(peers_find_nonce(&peers, 20), second);
    assert_null(peers_find_nonce(&peers, 30));
    peers_deinit(&peers);
}

static void test_address_and_connection_find_it_until_it_is_removed(void **state)
{
    (void)state;
    struct peers peers;
    assert_int_equal(peers_init(&peers, 4, 1), 0);
    struct peer *first = add(&peers, 1, 10, 100);
    struct peer *second = add(&peers, 2, 20, 200);
    assert_ptr_equal(peers_find_address(&peers, (struct zsock_peer){2}), second);
    assert_ptr_equal(peers_find_connection(&peers, 100), first);
    peers_remove(&peers, first);
    assert_null(peers_find_address(&peers, (struct zsock_peer){1}));
    assert_null(peers_find_connection(&peers, 100));
    assert_null(peers_find_nonce(&peers, 10));
    assert_ptr_equal(peers_find_connection(&peers, 200), second);
    peers_deinit(&peers);
}

/* The kernel gives a descriptor out again before anybody was told that it was closed. */
static void test_connection_of_another_one_is_lost_by_whoever_had_it(void **state)
{
    (void)state;
    struct peers peers;
    assert_int_equal(peers_init(&peers, 4, 1), 0);
    struct peer *before = add(&peers, 1, 10, 100);
    struct peer *after = add(&peers, 2, 20, 100);
    assert_int_equal(before->connection, 0);
    assert_int_equal(after->connection, 100);
    assert_ptr_equal(peers_find_connection(&peers, 100), after);
    peers_remove(&peers, before);
    assert_ptr_equal(peers_find_connection(&peers, 100), after);
    peers_deinit(&peers);
}

/* Every index is somebody's once, also when they come and go in any order. */
static void test_many_come_and_go(void **state)
{
    (void)state;

    enum { MANY = 1000 };
    struct peers peers;
    struct peer *list[MANY];
    assert_int_equal(peers_init(&peers, MANY, 1), 0);
    for (uint64_t round = 0; round < 5; round++) {
        for (uint64_t i = 0; i < MANY; i++) {
            if (round == 0 || i % (round + 1) == 0) {
                list[i] = add(&peers, 1 + i, round * MANY + i + 1, 1 + i);
                assert_non_null(list[i]);
            }
        }
        assert_null(add(&peers, 1 + MANY, 1 + MANY, 1 + MANY));
        for (uint64_t i = 0; i < MANY; i++) {
            assert_ptr_equal(peers_find(&peers, list[i]->session), list[i]);
            assert_ptr_equal(peers_find_address(&peers, (struct zsock_peer){1 + i}), list[i]);
        }
        for (uint64_t i = 0; i < MANY; i += round + 2) {
            peers_remove(&peers, list[i]);
        }
    }
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
    struct peer *peer = add(&peers, 1, 1, 0);
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
        cmocka_unit_test(test_address_and_connection_find_it_until_it_is_removed),
        cmocka_unit_test(test_connection_of_another_one_is_lost_by_whoever_had_it),
        cmocka_unit_test(test_many_come_and_go),
        cmocka_unit_test(test_batch_gives_back_every_reference),
        cmocka_unit_test(test_results_may_be_acknowledged_when_they_are_durable),
        cmocka_unit_test(test_results_that_brought_nothing_wait_for_those_before_them),
        cmocka_unit_test(test_without_a_journal_nothing_waits),
        cmocka_unit_test(test_what_a_worker_holds_is_kept_within_what_it_can),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
