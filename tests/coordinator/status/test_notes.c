/* Tests of coordinator/notes.c. */
#include "coordinator/status/notes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_notes_come_out_in_the_order_they_went_in(void **state)
{
    (void)state;
    struct notes notes;
    char text[NOTE_SIZE];
    notes_init(&notes);
    assert_false(notes_take(&notes, text));
    notes_add(&notes, "one");
    notes_add(&notes, "two");
    assert_true(notes_take(&notes, text));
    assert_string_equal(text, "one");
    assert_true(notes_take(&notes, text));
    assert_string_equal(text, "two");
    assert_false(notes_take(&notes, text));
    notes_deinit(&notes);
}

static void test_notes_beyond_the_limit_are_dropped_and_long_ones_cut(void **state)
{
    (void)state;
    struct notes notes;
    char text[NOTE_SIZE];
    char longest[2 * NOTE_SIZE];
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    notes_init(&notes);
    for (int i = 0; i < NOTES_MAX + 3; i++) {
        notes_add(&notes, longest);
    }
    int count = 0;
    while (notes_take(&notes, text)) {
        assert_int_equal(strlen(text), NOTE_SIZE - 1);
        count++;
    }
    assert_int_equal(count, NOTES_MAX);
    notes_deinit(&notes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notes_come_out_in_the_order_they_went_in),
        cmocka_unit_test(test_notes_beyond_the_limit_are_dropped_and_long_ones_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
