/* "did you mean": which name is offered for a mistyped one, and when none is. */
#include "common/base/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *const strategies[] = {"serial", "threads", "async", "processes"};

enum { STRATEGIES = 4 };

static void test_nearest_finds_name_with_one_slip(void **state)
{
    (void)state;
    assert_string_equal(nearest_name("thread", strategies, STRATEGIES), "threads");
    assert_string_equal(nearest_name("seriall", strategies, STRATEGIES), "serial");
    assert_string_equal(nearest_name("asinc", strategies, STRATEGIES), "async");
}

static void test_nearest_counts_swapped_neighbours_as_one_edit(void **state)
{
    (void)state;
    static const char *const names[] = {"ab"};
    assert_string_equal(nearest_name("ba", names, 1), "ab");
    static const char *const others[] = {"abcd"};
    assert_null(nearest_name("cdab", others, 1));
    assert_string_equal(nearest_name("badc", others, 1), "abcd");
}

static void test_nearest_offers_nothing_for_a_stranger(void **state)
{
    (void)state;
    assert_null(nearest_name("fibers", strategies, STRATEGIES));
    assert_null(nearest_name("", strategies, STRATEGIES));
    assert_null(nearest_name("serial", strategies, 0));
}

static void test_nearest_allows_a_third_of_the_longer_length(void **state)
{
    (void)state;
    static const char *const names[] = {"download"};
    assert_string_equal(nearest_name("donlod", names, 1), "download");
    assert_string_equal(nearest_name("dwnla", names, 1), "download");
    assert_null(nearest_name("dwnl", names, 1));
}

static void test_nearest_prefers_the_smaller_distance_then_the_first(void **state)
{
    (void)state;
    static const char *const names[] = {"spin_two", "spin", "spit"};
    assert_string_equal(nearest_name("spin", names, 3), "spin");
    assert_string_equal(nearest_name("spib", names, 3), "spin");
}

static void test_nearest_offers_nothing_for_words_of_absurd_length(void **state)
{
    (void)state;
    char word[300];
    memset(word, 'a', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    const char *const names[] = {word};
    assert_null(nearest_name(word, strategies, STRATEGIES));
    assert_null(nearest_name("a", names, 1));
    word[128] = '\0';
    assert_ptr_equal(nearest_name(word, names, 1), word);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearest_finds_name_with_one_slip),
        cmocka_unit_test(test_nearest_counts_swapped_neighbours_as_one_edit),
        cmocka_unit_test(test_nearest_offers_nothing_for_a_stranger),
        cmocka_unit_test(test_nearest_allows_a_third_of_the_longer_length),
        cmocka_unit_test(test_nearest_prefers_the_smaller_distance_then_the_first),
        cmocka_unit_test(test_nearest_offers_nothing_for_words_of_absurd_length),
    };
    return cmocka_run_group_tests_name("nearest", tests, NULL, NULL);
}
