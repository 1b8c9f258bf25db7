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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_session_is_found_until_it_is_removed),
        cmocka_unit_test(test_index_is_used_again_but_its_session_is_another),
        cmocka_unit_test(test_nonce_finds_the_process_again),
        cmocka_unit_test(test_batch_gives_back_every_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
