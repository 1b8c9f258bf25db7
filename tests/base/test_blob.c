/* Shared bytes: who frees them, and when. */
#include "common/base/blob.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void count_release(void *arg)
{
    (*(int *)arg)++;
}

static void test_blob_releases_with_the_last_reference(void **state)
{
    (void)state;
    int released = 0;
    struct blob *blob = blob_new("abc", 3, count_release, &released);
    assert_non_null(blob);
    assert_ptr_equal(blob_ref(blob), blob);
    blob_unref(blob);
    assert_int_equal(released, 0);
    assert_int_equal(blob_len(blob), 3);
    assert_memory_equal(blob_bytes(blob), "abc", 3);
    blob_unref(blob);
    assert_int_equal(released, 1);
}

static void test_blob_frees_its_bytes_without_a_release(void **state)
{
    (void)state;
    char *bytes = strdup("abc");
    struct blob *blob = blob_new(bytes, 3, NULL, NULL);
    assert_non_null(blob);
    blob_unref(blob); /* the leak checker sees whether that worked */
}

static void test_blob_takes_null_for_nothing(void **state)
{
    (void)state;
    assert_null(blob_ref(NULL));
    blob_unref(NULL);
}

enum { THREADS = 4, ROUNDS = 10000 };

static void *take_and_give_back(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        blob_unref(blob_ref(arg));
    }
    blob_unref(arg);
    return NULL;
}

static void test_blob_counts_references_of_many_threads(void **state)
{
    (void)state;
    int released = 0;
    struct blob *blob = blob_new("abc", 3, count_release, &released);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give_back, blob_ref(blob)), 0);
    }
    blob_unref(blob);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(released, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blob_releases_with_the_last_reference),
        cmocka_unit_test(test_blob_frees_its_bytes_without_a_release),
        cmocka_unit_test(test_blob_takes_null_for_nothing),
        cmocka_unit_test(test_blob_counts_references_of_many_threads),
    };
    return cmocka_run_group_tests_name("blob", tests, NULL, NULL);
}
