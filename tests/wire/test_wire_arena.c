/* The arena gives out what fits, refuses the rest, and forgets at each reset. */
#include "common/wire/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_arena_refuses_what_does_not_fit_and_goes_on(void **state)
{
    (void)state;
    struct arena arena;
    assert_int_equal(arena_init(&arena, 64), 0);

    assert_null(arena_alloc(&arena, 65));
    assert_true(arena.exhausted);
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_non_null(arena_alloc(&arena, 40));
    assert_null(arena_alloc(&arena, 17));
    assert_non_null(arena_alloc(&arena, 16));
    assert_null(arena_alloc(&arena, 1));

    arena_reset(&arena);
    assert_false(arena.exhausted);
    assert_non_null(arena_alloc(&arena, 64));
    arena_deinit(&arena);
}

static void test_arena_aligns_for_any_type(void **state)
{
    (void)state;
    struct arena arena;
    assert_int_equal(arena_init(&arena, 256), 0);
    for (size_t size = 1; size < 10; size++) {
        void *bytes = arena.allocator.alloc(arena.allocator.allocator_data, size);
        assert_int_equal((uintptr_t)bytes % _Alignof(max_align_t), 0);
    }
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena_refuses_what_does_not_fit_and_goes_on),
        cmocka_unit_test(test_arena_aligns_for_any_type),
    };
    return cmocka_run_group_tests_name("wire_arena", tests, NULL, NULL);
}
