/* Words, quoted for sh; plans, and how they are shown. */
#include "coordinator/launchers/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool no_memory;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
    return no_memory ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return no_memory ? NULL : __real_realloc(old, size);
}

static void expect_shown(const struct plan *plan, const char *shown)
{
    struct script script = {.text = NULL};
    assert_true(plan_is_complete(plan));
    plan_show(plan, &script);
    assert_false(script.incomplete);
    assert_string_equal(script.text, shown);
    script_deinit(&script);
}

/* What sh makes of it is what went in: asked of sh itself. */
static void test_words_are_for_sh_what_they_were(void **state)
{
    (void)state;
    static const char *const words[] = {"plain",
                                        "",
                                        "two words",
                                        "it's",
                                        "'",
                                        "\"$HOME\" `id` \\ *?[a]",
                                        "a\nb",
                                        "#no",
                                        "~",
                                        "-n",
                                        "a=b",
                                        ";|&<>(){}!"};

    enum { COUNT = sizeof(words) / sizeof(words[0]) };
    struct words list = {.list = NULL};
    struct script script = {.text = NULL};
    char got[256];
    size_t len = 0;
    words_add(&list, "printf");
    words_add(&list, "%s", "%s.");
    for (size_t i = 0; i < COUNT; i++) {
        words_add(&list, "%s", words[i]);
    }
    script_add_words(&script, &list);
    FILE *sh = popen(script.text, "re"); /* NOLINT: made of the words above */
    assert_non_null(sh);
    len = fread(got, 1, sizeof(got) - 1, sh);
    assert_int_equal(pclose(sh), 0);
    got[len] = '\0';
    const char *at = got;
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(strncmp(at, words[i], strlen(words[i])), 0);
        at += strlen(words[i]);
        assert_int_equal(*at++, '.');
    }
    assert_int_equal(*at, '\0');
    script_deinit(&script);
    words_deinit(&list);
}

static void test_list_of_words_is_an_argv_however_long(void **state)
{
    (void)state;
    struct words list = {.list = NULL};
    for (int i = 0; i < 100; i++) {
        words_add(&list, "%d", i);
        assert_null(list.list[list.count]);
    }
    assert_int_equal(list.count, 100);
    assert_string_equal(list.list[99], "99");
    assert_false(list.incomplete);
    words_deinit(&list);
}

static void test_plan_is_shown_as_what_would_be_done(void **state)
{
    (void)state;
    struct plan plan = {.count = 0};
    plan_write(&plan, "/tmp/a b", false, "one\n");
    struct words *words = plan_run(&plan);
    words_add(words, "submit");
    words_add(words, "%s", "x y");
    plan_feed(&plan, PLAN_TEXT, "#!/bin/sh\nEND\n");
    plan_say(&plan, "job {}");
    words_add(plan_run(&plan), "true");
    expect_shown(&plan,
                 "cat >'/tmp/a b' <<'END'\none\nEND\nchmod 0644 '/tmp/a b'\n"
                 "submit 'x y' <<'END_'\n#!/bin/sh\nEND\nEND_\n"
                 "true </dev/null\n");
    plan_deinit(&plan);
}

static void test_texts_to_print_and_files_to_install_are_shown(void **state)
{
    (void)state;
    struct plan plan = {.count = 0};
    plan_print(&plan, "one\n");
    plan_install(&plan, "/tmp/a b", "two\n");
    expect_shown(&plan,
                 "cat <<'END'\none\nEND\n"
                 "# only where there is no file of that name, or the same:\n"
                 "cat >'/tmp/a b' <<'END'\ntwo\nEND\nchmod 0644 '/tmp/a b'\n");
    plan_deinit(&plan);
}

static void test_texts_with_a_secret_in_them_are_shown_without_it(void **state)
{
    (void)state;
    struct plan plan = {.count = 0};
    plan_print(&plan, "a: hidden\n");
    plan_redact(&plan, "a: ***\n");
    words_add(plan_run(&plan), "apply");
    plan_feed(&plan, PLAN_TEXT, "b: hidden\n");
    plan_redact(&plan, "b: ***\n");
    expect_shown(&plan, "cat <<'END'\na: ***\nEND\napply <<'END'\nb: ***\nEND\n");
    plan_deinit(&plan);
}

static void test_secrets_are_shown_by_their_names(void **state)
{
    (void)state;
    struct plan plan = {.count = 0};
    plan_write(&plan, "key", true, "secret\n");
    plan_hide(&plan, "<key>");
    words_add(plan_run(&plan), "run");
    plan_feed(&plan, PLAN_HELD_TEXT, "secret\n");
    plan_hide(&plan, "<key>");
    words_add(plan_run(&plan), "apply");
    plan_feed(&plan, PLAN_TEXT, "secret\n");
    plan_hide(&plan, "<key>");
    expect_shown(&plan,
                 "cat >key # <key>\nchmod 0600 key\n"
                 "run # standard input: <key>; it stays open\n"
                 "apply # standard input: <key>\n");
    plan_deinit(&plan);
}

static void test_plan_without_memory_is_incomplete(void **state)
{
    (void)state;
    struct plan plan = {.count = 0};
    no_memory = true;
    struct words *words = plan_run(&plan);
    words_add(words, "run");
    plan_feed(&plan, PLAN_TEXT, "text\n");
    no_memory = false;
    assert_false(plan_is_complete(&plan));
    words_add(words, "more");
    assert_false(plan_is_complete(&plan));
    plan_deinit(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_are_for_sh_what_they_were),
        cmocka_unit_test(test_list_of_words_is_an_argv_however_long),
        cmocka_unit_test(test_plan_is_shown_as_what_would_be_done),
        cmocka_unit_test(test_texts_to_print_and_files_to_install_are_shown),
        cmocka_unit_test(test_texts_with_a_secret_in_them_are_shown_without_it),
        cmocka_unit_test(test_secrets_are_shown_by_their_names),
        cmocka_unit_test(test_plan_without_memory_is_incomplete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
