/* Tests of worker/engine/note_set.c. */
#include "worker/engine/note_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static void test_note_set_adds_each_text_once(void **state)
{
    (void)state;
    struct note_set set;
    note_set_init(&set);
    assert_true(note_set_add(&set, "one"));
    assert_true(note_set_add(&set, "two"));
    assert_false(note_set_add(&set, "one"));
    assert_true(note_set_add(&set, ""));
    assert_false(note_set_add(&set, ""));
    note_set_deinit(&set);
}

static void test_note_set_drops_what_it_could_not_remember(void **state)
{
    (void)state;
    struct note_set set;
    char text[32];
    note_set_init(&set);
    for (int i = 0; i < 3 * NOTE_SET_MAX; i++) {
        (void)snprintf(text, sizeof(text), "note %d", i);
        assert_int_equal(note_set_add(&set, text), i < NOTE_SET_MAX);
    }
    assert_false(note_set_add(&set, "note 0"));
    note_set_deinit(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_note_set_adds_each_text_once),
        cmocka_unit_test(test_note_set_drops_what_it_could_not_remember),
    };
    return cmocka_run_group_tests_name("note_set", tests, NULL, NULL) != 0;
}
