/* What `--push` has done on a host, by shells of this machine: the bundle gets there once, whole or not at all, and what goes
 * wrong is said. */
#include "common/base/err.h"
#include "coordinator/launch/launch_shell.h"
#include "tests/coordinator/launch/push_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char WORKER_SAID[] = "worker --connect tcp://10.0.0.1:5 --name a b $HOME *\n0022\n";

static void expect_worker(const struct push_visit *visit, unsigned asked)
{
    assert_string_equal(visit->failed, "");
    assert_string_equal(visit->said, WORKER_SAID);
    assert_int_equal(visit->asked, asked);
    assert_int_equal(visit->end.exit_status, 0);
}

static void expect_failed(const struct push_visit *visit, const char *words)
{
    if (strstr(visit->failed, words) == NULL) {
        fail_msg("'%s' does not say '%s'; other lines: %s", visit->failed, words, visit->said);
    }
    assert_null(strstr(visit->said, "worker"));
    assert_int_equal(visit->end.exit_status, 1);
}

static void expect_mode(const char *path, mode_t mode)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, mode);
}

/* --- it gets there once --- */

static void test_bundle_is_sent_once_and_then_is_there(void **state)
{
    struct push_rig *rig = *state;
    struct push_visit visit;
    push_visit(rig, &visit);
    expect_worker(&visit, 1);
    assert_int_equal(push_count_kept(rig), 1);
    char path[PUSH_PATH_SIZE * 2];
    (void)snprintf(path, sizeof(path), "%s/.cache/quartet", rig->directory);
    expect_mode(path, 0700);
    (void)snprintf(path, sizeof(path), "%s/.cache/quartet/bundle", rig->directory);
    expect_mode(path, 0700);
    push_visit(rig, &visit);
    expect_worker(&visit, 0);
}

static void test_cache_is_where_the_host_says(void **state)
{
    struct push_rig *rig = *state;
    struct push_visit visit;
    char path[PUSH_PATH_SIZE * 2];
    (void)snprintf(path, sizeof(path), "%s/else where", rig->directory);
    (void)setenv("XDG_CACHE_HOME", path, 1);
    push_visit(rig, &visit);
    expect_worker(&visit, 1);
    assert_int_equal(push_count_kept(rig), 0);
    (void)snprintf(path,
                   sizeof(path),
                   "%s/else where/quartet/bundle/%s/FILES",
                   rig->directory,
                   rig->push.hash);
    assert_int_equal(access(path, R_OK), 0);
}

static void test_another_bundle_does_not_replace_the_one_that_is_there(void **state)
{
    struct push_rig *rig = *state;
    struct push_visit visit;
    push_visit(rig, &visit);
    push_make_bundle(rig, "echo \"worker $*\"; umask; # of another version");
    push_visit(rig, &visit);
    expect_worker(&visit, 1);
    assert_int_equal(push_count_kept(rig), 2);
}

/* Login shells that are no sh at all, and a host whose tools are all busybox's. */
static void test_any_shell_and_any_tools_do(void **state)
{
    static const char *const shells[] = {"/bin/dash", "/bin/bash", "/bin/tcsh"};
    struct push_rig *rig = *state;
    struct push_visit visit;
    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
        if (access(shells[i], X_OK) == 0) {
            rig->shell = shells[i];
            push_sh(rig, "rm -rf .cache");
            push_visit(rig, &visit);
            expect_worker(&visit, 1);
            push_visit(rig, &visit);
            expect_worker(&visit, 0);
        }
    }
    if (access("/bin/busybox", X_OK) == 0) {
        push_sh(rig, "rm -rf .cache; mkdir busy; /bin/busybox --install -s busy");
        (void)snprintf(rig->path, sizeof(rig->path), "%.200s/busy", rig->directory);
        rig->shell = "/bin/sh";
        push_visit(rig, &visit);
        expect_worker(&visit, 1);
        push_visit(rig, &visit);
        expect_worker(&visit, 0);
    }
}

/* --- whole or not at all --- */

static void test_one_that_lacks_a_file_is_sent_again(void **state)
{
    static const char *const damages[] = {"rm '%s/lib/x.so'",
                                          ": >'%s/lib/x.so'",
                                          "rm '%s/FILES'",
                                          ": >'%s/FILES'",
                                          "rm -r '%1$s' && : >'%1$s'"};
    struct push_rig *rig = *state;
    struct push_visit visit;
    push_visit(rig, &visit);
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        char words[PUSH_PATH_SIZE * 3];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(words, sizeof(words), damages[i], rig->kept);
#pragma GCC diagnostic pop
        push_sh(rig, "%s", words);
        push_visit(rig, &visit);
        expect_worker(&visit, 1);
        push_visit(rig, &visit);
        expect_worker(&visit, 0);
        assert_int_equal(push_count_kept(rig), 1);
    }
}

static void test_one_that_does_not_run_is_replaced_when_told(void **state)
{
    struct push_rig *rig = *state;
    struct push_visit visit;
    push_visit(rig, &visit);
    push_sh(rig, "echo cut >'%s/bin/quartet-worker'", rig->kept);
    push_visit(rig, &visit);
    assert_int_equal(visit.asked, 0); /* it cannot be seen */
    assert_int_not_equal(visit.end.exit_status, 0);
    rig->push.anew = true;
    push_visit(rig, &visit);
    expect_worker(&visit, 1);
    assert_int_equal(push_count_kept(rig), 1);
}

static void test_copy_that_breaks_off_leaves_nothing(void **state)
{
    struct push_rig *rig = *state;
    struct push_visit visit;
    static const uint64_t cuts[] = {1, 4096, 100000};
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        rig->cut_bytes = cuts[i];
        push_visit(rig, &visit);
        expect_failed(&visit, "the copy broke off");
        assert_int_equal(push_count_kept(rig), 0);
    }
    rig->cut_bytes = 0;
    push_visit(rig, &visit);
    expect_worker(&visit, 1);
}

static void test_bytes_that_are_others_are_not_kept(void **state)
{
    struct push_rig *rig = *state;
    struct push_visit visit;
    rig->push.hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    push_visit(rig, &visit);
    expect_failed(&visit, "it arrived damaged");
    assert_int_equal(push_count_kept(rig), 0);
}

static void test_worker_that_does_not_run_is_not_kept(void **state)
{
    struct push_rig *rig = *state;
    struct push_visit visit;
    push_make_bundle(rig, "echo \"no such machine code\" >&2; exit 126");
    push_visit(rig, &visit);
    expect_failed(&visit, "cannot be run in");
    expect_failed(&visit, "noexec");
    expect_failed(&visit, "no such machine code");
    assert_int_equal(push_count_kept(rig), 0);
}

static void test_two_at_once_leave_one_whole_bundle(void **state)
{
    struct push_rig *rig = *state;
    struct push_visit visits[4];
    for (int round = 0; round < 3; round++) {
        push_sh(rig, "rm -rf .cache");
        for (size_t i = 0; i < 4; i++) {
            push_begin(rig, &visits[i]);
        }
        push_play(rig);
        unsigned asked = 0;
        for (size_t i = 0; i < 4; i++) {
            expect_worker(&visits[i], visits[i].asked);
            asked += visits[i].asked;
        }
        assert_true(asked >= 1 && asked <= 4);
        assert_int_equal(push_count_kept(rig), 1);
        push_sh(rig, "cd '%s' && ! ls -d quartet-bundle 2>/dev/null", rig->kept);
        push_visit(rig, &visits[0]);
        expect_worker(&visits[0], 0);
    }
}

/* --- what is left of others --- */

static void test_last_three_bundles_stay_and_old_leftovers_go(void **state)
{
    struct push_rig *rig = *state;
    struct push_visit visit;
    push_sh(rig,
            "mkdir -p .cache && mkdir -m 700 .cache/quartet .cache/quartet/bundle && "
            "cd .cache/quartet/bundle && mkdir aa bb cc dd .new-old .new-now && "
            "touch -d '4 days ago' aa .new-old && touch -d '1 day ago' bb && "
            "touch -d '3 days ago' cc && touch -d '2 days ago' dd");
    push_visit(rig, &visit);
    expect_worker(&visit, 1);
    assert_int_equal(push_count_kept(rig), 4);
    push_sh(rig, "cd .cache/quartet/bundle && ls -d bb dd .new-now %s >/dev/null", rig->push.hash);
}

static void test_use_of_a_bundle_makes_it_the_last_one(void **state)
{
    struct push_rig *rig = *state;
    struct push_visit visit;
    push_visit(rig, &visit);
    push_sh(rig, "touch -d '9 days ago' '%s' && touch -d '1 day ago' before", rig->kept);
    push_visit(rig, &visit);
    push_sh(rig, "[ '%s' -nt before ]", rig->kept);
}

/* --- hosts that are not fit for it --- */

static void test_machine_of_another_kind_is_told_from_this_one(void **state)
{
    struct push_rig *rig = *state;
    struct push_visit visit;
    char words[128];
    (void)snprintf(words, sizeof(words), "a machine of kind %s, and", rig->push.machine);
    rig->push.machine = "pdp11";
    push_visit(rig, &visit);
    expect_failed(&visit, words);
    expect_failed(&visit, "the bundle is for pdp11: --bundle quartet-bundle-");
    assert_int_equal(visit.asked, 0);
}

static void test_cache_that_others_could_write_to_is_refused(void **state)
{
    struct push_rig *rig = *state;
    struct push_visit visit;
    push_sh(rig, "mkdir -p .cache && mkdir -m 777 .cache/quartet");
    push_visit(rig, &visit);
    expect_failed(&visit,
                  ".cache/quartet belongs to somebody else, or is open to others: chmod 700");
    assert_int_equal(visit.asked, 0);
    push_sh(rig, "chmod 700 .cache/quartet");
    push_visit(rig, &visit);
    expect_worker(&visit, 1);
    push_sh(rig, "chmod 770 .cache/quartet/bundle");
    push_visit(rig, &visit);
    expect_failed(&visit, ".cache/quartet/bundle belongs to somebody else");
}

static void test_place_that_cannot_be_is_said(void **state)
{
    struct push_rig *rig = *state;
    struct push_visit visit;
    (void)setenv("XDG_CACHE_HOME", "here", 1);
    push_visit(rig, &visit);
    expect_failed(&visit, "neither XDG_CACHE_HOME nor HOME is an absolute path");
    (void)setenv("XDG_CACHE_HOME", "/dev/null", 1);
    push_visit(rig, &visit);
    expect_failed(&visit, "/dev/null");
}

static void test_tool_that_is_missing_is_named(void **state)
{
    struct push_rig *rig = *state;
    struct push_visit visit;
    push_sh(rig,
            "mkdir tools && for t in sh uname ls mkdir gzip head wc mktemp rm; do "
            "ln -s \"$(command -v $t)\" tools/$t; done");
    (void)snprintf(rig->path, sizeof(rig->path), "%.200s/tools", rig->directory);
    push_visit(rig, &visit);
    expect_failed(&visit, "it has no tar");
}

/* --- words --- */

static void test_lines_are_told_apart(void **state)
{
    (void)state;
    const char *words = NULL;
    assert_int_equal(launch_push_hear("quartet-push: send", &words), LAUNCH_PUSH_SEND);
    assert_int_equal(launch_push_hear("quartet-push: failed no room", &words), LAUNCH_PUSH_FAILED);
    assert_string_equal(words, "no room");
    static const char *const others[] = {
        "", "quartet-push:", "quartet-push: send it", " quartet-push: send", "Welcome"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(launch_push_hear(others[i], &words), LAUNCH_PUSH_OTHER);
    }
}

static void test_script_may_stand_in_quotes_of_any_shell(void **state)
{
    const struct push_rig *rig = *state;
    static const char *const none[] = {NULL};
    char command[LAUNCH_COMMAND_SIZE];
    assert_int_equal(launch_push_command(&rig->push, true, none, command, sizeof(command)), 0);
    assert_null(strpbrk(command, "\\!\n"));
    assert_non_null(strstr(command, launch_shell_script(true)));
}

static void test_command_that_does_not_fit_is_refused(void **state)
{
    const struct push_rig *rig = *state;
    static const char *const arguments[] = {"--name", "it's", NULL};
    char command[LAUNCH_COMMAND_SIZE];
    assert_int_equal(launch_push_command(&rig->push, false, arguments, command, sizeof(command)),
                     0);
    size_t needed = strlen(command) + 1;
    for (size_t size = 1; size < needed; size += size < needed - 40 ? 37 : 1) {
        char *exact = malloc(size); /* so that a byte too much is seen */
        assert_int_equal(launch_push_command(&rig->push, false, arguments, exact, size),
                         ERR_INVALID);
        free(exact);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, push_set_up, push_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_bundle_is_sent_once_and_then_is_there),
        TEST(test_cache_is_where_the_host_says),
        TEST(test_another_bundle_does_not_replace_the_one_that_is_there),
        TEST(test_any_shell_and_any_tools_do),
        TEST(test_one_that_lacks_a_file_is_sent_again),
        TEST(test_one_that_does_not_run_is_replaced_when_told),
        TEST(test_copy_that_breaks_off_leaves_nothing),
        TEST(test_bytes_that_are_others_are_not_kept),
        TEST(test_worker_that_does_not_run_is_not_kept),
        TEST(test_two_at_once_leave_one_whole_bundle),
        TEST(test_last_three_bundles_stay_and_old_leftovers_go),
        TEST(test_use_of_a_bundle_makes_it_the_last_one),
        TEST(test_machine_of_another_kind_is_told_from_this_one),
        TEST(test_cache_that_others_could_write_to_is_refused),
        TEST(test_place_that_cannot_be_is_said),
        TEST(test_tool_that_is_missing_is_named),
        TEST(test_script_may_stand_in_quotes_of_any_shell),
        TEST(test_command_that_does_not_fit_is_refused),
        cmocka_unit_test(test_lines_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
