/* Workload exec: what a command is given, and what its outcome says. Everything in both forms. */
#include "common/base/rng.h"
#include "tests/worker/exec_rig.h"
#include "worker/workloads/registry.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { MIB = 1024 * 1024 };

#define PARAMS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void run(const char *const *params, const char *item, struct exec_result *ret_result)
{
    struct workload_item one = exec_item(item);
    exec_run_both(params, &one, ret_result);
}

static void assert_out(const char *const *params, const char *item, const char *expected)
{
    struct exec_result result;
    run(params, item, &result);
    if (!result.outcome.ok) {
        fail_msg("%s", result.outcome.error);
    }
    assert_string_equal(result.out, expected);
    assert_int_equal(result.outcome.bytes, strlen(expected));
    assert_int_equal(result.outcome.flags, 0);
    exec_result_deinit(&result);
}

static void assert_fails(const char *const *params, const char *item, const char *error)
{
    struct exec_result result;
    run(params, item, &result);
    assert_false(result.outcome.ok);
    assert_string_equal(result.outcome.error, error);
    assert_int_equal(result.outcome.checksum, 0);
    exec_result_deinit(&result);
}

/* --- what a command is given --- */

static void test_exec_puts_the_item_into_the_command(void **state)
{
    (void)state;
    assert_out(PARAMS("command=printf '[%s]' {} {/.}"), "a/b c.d", "[a/b c.d][b c]");
    assert_out(PARAMS("command=printf '[%s]'"), "$(x) *", "[$(x) *]");
    assert_out(PARAMS("command=printf '[%s]' {2} {1}", "colsep=\\t"), "a\tb c", "[b c][a]");
}

static void test_exec_takes_numbers(void **state)
{
    (void)state;
    struct workload_item item = {.index = 41, .number = 1000, .attempt = 3};
    struct exec_result result;
    exec_run_both(PARAMS("command=printf '%s %s' {} {#}"), &item, &result);
    assert_string_equal(result.out, "1000 42");
    exec_result_deinit(&result);
    exec_run_both(PARAMS("command=cat", "stdin=yes"), &item, &result);
    assert_string_equal(result.out, "1000");
    exec_result_deinit(&result);
}

static void test_exec_uses_a_shell_only_when_told_to(void **state)
{
    (void)state;
    assert_out(PARAMS("command=echo {} | cat"), "x", "x | cat\n");
    assert_out(
        PARAMS("command=echo {} | tr a-z A-Z", "shell=yes"), "it's $HOME; id", "IT'S $HOME; ID\n");
}

static void test_exec_sets_variables(void **state)
{
    (void)state;
    static const char print[] =
        "command=sh -c 'printf \"%s|%s|%s|%s\" \"${QUARTET_ITEM-none}\" \"$QUARTET_INDEX\" "
        "\"$QUARTET_ATTEMPT\" \"$INHERITED\"' sh";
    struct workload_item item = exec_item("a b=c\n");
    struct exec_result result;
    item.index = 6;
    item.attempt = 2;
    /* As under another quartet: its variables are not ours. */
    assert_int_equal(setenv("QUARTET_INDEX", "99", 1), 0);
    assert_int_equal(setenv("QUARTET_ITEM", "old", 1), 0);
    assert_int_equal(setenv("INHERITED", "yes", 1), 0);
    exec_run_both(PARAMS(print, "stdin=yes"), &item, &result);
    assert_string_equal(result.out, "a b=c\n|6|2|yes");
    exec_result_deinit(&result);

    /* Items that no environment can hold. */
    item.bytes = "a\0b";
    item.bytes_len = 3;
    exec_run_both(PARAMS(print, "stdin=yes"), &item, &result);
    assert_string_equal(result.out, "none|6|2|yes");
    exec_result_deinit(&result);
    char *large = calloc(1, MIB + 1);
    assert_non_null(large);
    memset(large, 'x', MIB);
    item.bytes = large;
    item.bytes_len = MIB;
    exec_run_both(PARAMS(print, "stdin=yes"), &item, &result);
    assert_string_equal(result.out, "none|6|2|yes");
    exec_result_deinit(&result);
    free(large);
    assert_int_equal(unsetenv("QUARTET_INDEX"), 0);
    assert_int_equal(unsetenv("QUARTET_ITEM"), 0);
}

static void test_exec_begins_in_the_directory(void **state)
{
    (void)state;
    assert_out(PARAMS("command=pwd", "cwd=/usr/../usr/bin/.", "stdin=yes"), "", "/usr/bin\n");
    assert_out(PARAMS("command=./printf {}", "cwd=/usr/bin"), "x", "x");
}

static void test_exec_gives_any_bytes_to_standard_input(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 7);
    char *bytes = malloc(MIB + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < MIB; i++) {
        bytes[i] = (char)rng_next(&rng);
    }
    bytes[MIB] = '\0';
    static const size_t lengths[] = {0, 1, 4096, 65535, 65536, 65537, MIB};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct workload_item item = {.bytes = bytes, .bytes_len = lengths[i], .attempt = 1};
        struct exec_result result;
        exec_run_both(PARAMS("command=cat", "stdin=yes"), &item, &result);
        assert_true(result.outcome.ok);
        assert_int_equal(result.outcome.out_len, lengths[i]);
        assert_memory_equal(result.out, bytes, lengths[i]);
        assert_int_equal(result.outcome.flags, 0);
        exec_result_deinit(&result);

        /* A command need not read it. */
        exec_run_both(PARAMS("command=true", "stdin=yes"), &item, &result);
        assert_true(result.outcome.ok);
        exec_result_deinit(&result);
    }
    free(bytes);
}

static void test_exec_standard_input_is_empty_otherwise(void **state)
{
    (void)state;
    assert_out(PARAMS("command=cat - {}"), "/dev/null", "");
}

/* --- what the outcome says --- */

static void test_exec_captures_output_and_errors_apart(void **state)
{
    (void)state;
    struct exec_result result;
    run(PARAMS("command=sh -c 'echo out; echo err >&2; echo more'"), "x", &result);
    assert_true(result.outcome.ok);
    assert_string_equal(result.out, "out\nmore\n");
    assert_string_equal(result.err, "err\n");
    assert_int_equal(result.outcome.bytes, 9);
    exec_result_deinit(&result);
}

static void test_exec_failure_has_the_status_and_the_last_line(void **state)
{
    (void)state;
    struct exec_result result;
    run(PARAMS("command=sh -c 'echo out; echo first >&2; printf \"  why\\t\\n\\n\" >&2; exit 3'"),
        "x",
        &result);
    assert_false(result.outcome.ok);
    assert_int_equal(result.outcome.exit_status, 3);
    assert_int_equal(result.outcome.signal, 0);
    assert_string_equal(result.outcome.error, "exited with status 3: why");
    assert_string_equal(result.out, "out\n");
    exec_result_deinit(&result);
    assert_fails(PARAMS("command=sh -c 'exit 255'"), "x", "exited with status 255");
    assert_fails(PARAMS("command=sh -c 'printf \"a\\033[1mb\" >&2; exit 1'"),
                 "x",
                 "exited with status 1: a?[1mb");
}

static void test_exec_failure_cuts_a_long_line(void **state)
{
    (void)state;
    struct exec_result result;
    run(PARAMS("command=sh -c 'yes x | head -n 300 | tr -d \"\\n\" >&2; exit 1'"), "x", &result);
    assert_int_equal(strlen(result.outcome.error), strlen("exited with status 1: ") + 160);
    exec_result_deinit(&result);
}

static void test_exec_failure_has_the_signal(void **state)
{
    (void)state;
    struct exec_result result;
    run(PARAMS("command=sh -c 'echo oh >&2; kill -SEGV $$'"), "x", &result);
    assert_int_equal(result.outcome.signal, SIGSEGV);
    assert_int_equal(result.outcome.exit_status, 0);
    assert_int_equal(result.outcome.flags, 0);
    assert_string_equal(result.outcome.error, "killed by signal 11 (Segmentation fault): oh");
    exec_result_deinit(&result);
}

static void test_exec_checksum_is_of_item_status_and_output(void **state)
{
    (void)state;
    struct exec_result results[4];
    run(PARAMS("command=printf x{}"), "1", &results[0]);
    run(PARAMS("command=printf x1"), "1", &results[1]); /* prints the same, with the item behind */
    run(PARAMS("command=printf y{}"), "1", &results[2]);
    run(PARAMS("command=printf x1", "stdin=yes"), "2", &results[3]);
    assert_true(results[0].outcome.checksum != 0);
    assert_true(results[0].outcome.checksum == results[1].outcome.checksum);
    assert_true(results[0].outcome.checksum != results[2].outcome.checksum);
    assert_true(results[0].outcome.checksum != results[3].outcome.checksum);
    for (size_t i = 0; i < 4; i++) {
        exec_result_deinit(&results[i]);
    }
}

/* --- output beyond the limit --- */

static void test_exec_output_beyond_the_limit_is_dropped(void **state)
{
    (void)state;
    struct exec_result result;
    run(PARAMS("command=head -c 10485760 /dev/zero", "stdin=yes", "max-output=64Ki"), "", &result);
    assert_true(result.outcome.ok);
    assert_int_equal(result.outcome.flags, WORKLOAD_OUT_TRUNCATED);
    assert_int_equal(result.outcome.out_len, 65536);
    assert_int_equal(result.outcome.bytes, 10485760);
    exec_result_deinit(&result);

    run(PARAMS("command=sh -c 'head -c 3000000 /dev/zero >&2; echo last >&2; exit 1'",
               "max-output=1000"),
        "",
        &result);
    assert_int_equal(result.outcome.flags, WORKLOAD_ERR_TRUNCATED);
    assert_int_equal(result.outcome.err_len, 1000);
    assert_non_null(strstr(result.outcome.error, "exited with status 1: ????"));
    exec_result_deinit(&result);
    run(PARAMS("command=sh -c 'yes | head -c 3000000 >&2; echo last >&2; exit 1'",
               "max-output=1000"),
        "",
        &result);
    assert_string_equal(result.outcome.error, "exited with status 1: last");
    exec_result_deinit(&result);
}

static void test_exec_output_up_to_the_limit_is_kept(void **state)
{
    (void)state;
    struct exec_result result;
    run(PARAMS("command=printf 12345678", "stdin=yes", "max-output=8"), "", &result);
    assert_string_equal(result.out, "12345678");
    assert_int_equal(result.outcome.flags, 0);
    exec_result_deinit(&result);
    run(PARAMS("command=printf 123456789", "stdin=yes", "max-output=8"), "", &result);
    assert_string_equal(result.out, "12345678");
    assert_int_equal(result.outcome.flags, WORKLOAD_OUT_TRUNCATED);
    exec_result_deinit(&result);
    run(PARAMS("command=printf 1", "stdin=yes", "max-output=0"), "", &result);
    assert_string_equal(result.out, "");
    assert_int_equal(result.outcome.flags, WORKLOAD_OUT_TRUNCATED);
    exec_result_deinit(&result);
    run(PARAMS("command=head -c 4194304 /dev/zero", "stdin=yes", "max-output=4Mi"), "", &result);
    assert_int_equal(result.outcome.out_len, 4 * MIB);
    assert_int_equal(result.outcome.flags, 0);
    exec_result_deinit(&result);
}

/* --- background processes --- */

static void test_exec_does_not_wait_for_what_stays_in_the_background(void **state)
{
    (void)state;
    struct rig rig;
    const struct workload_item item = exec_item("");
    rig_open(&rig, "exec", PARAMS("command=sh -c 'sleep 1000 & echo $!'"));
    for (int form = 0; form < 2; form++) {
        struct exec_result result;
        (form == 0 ? exec_run_blocking : exec_run_async)(&rig, &item, 1, &result);
        assert_true(result.outcome.ok);
        pid_t sleeper = (pid_t)atoi(result.out);
        assert_int_equal(kill(sleeper, 0), 0);
        assert_int_equal(kill(sleeper, SIGKILL), 0);
        assert_int_equal(exec_await_orphan(sleeper), SIGKILL);
        exec_result_deinit(&result);
    }
    rig_close(&rig);
}

static void test_exec_does_not_read_for_ever_what_the_background_writes(void **state)
{
    (void)state;
    struct rig rig;
    const struct workload_item item = exec_item("");
    rig_open(&rig, "exec", PARAMS("command=sh -c 'yes >&2 & echo $!'"));
    for (int form = 0; form < 2; form++) {
        struct exec_result result;
        (form == 0 ? exec_run_blocking : exec_run_async)(&rig, &item, 1, &result);
        assert_true(result.outcome.ok);
        assert_int_equal(exec_await_orphan((pid_t)atoi(result.out)), SIGPIPE);
        exec_result_deinit(&result);
    }
    rig_close(&rig);
}

/* A program may close its output and go on. */
static void test_exec_waits_for_a_program_that_closes_its_output(void **state)
{
    (void)state;
    struct exec_result result;
    run(PARAMS("command=sh -c 'echo x; exec >&- 2>&-; sleep 0.05; exit 9'"), "", &result);
    assert_string_equal(result.out, "x\n");
    assert_string_equal(result.outcome.error, "exited with status 9");
    exec_result_deinit(&result);
}

/* --- items that cannot be run, commands that cannot be opened --- */

static void test_exec_fails_items_that_make_no_command(void **state)
{
    (void)state;
    struct workload_item item = {.bytes = "a\0b", .bytes_len = 3, .attempt = 1};
    struct exec_result result;
    exec_run_both(PARAMS("command=echo"), &item, &result);
    assert_string_equal(result.outcome.error, "item holds a NUL byte, which no argument can");
    exec_result_deinit(&result);
    exec_run_both(PARAMS("command=cat", "stdin=yes"), &item, &result);
    assert_int_equal(result.outcome.out_len, 3);
    assert_memory_equal(result.out, "a\0b", 3);
    exec_result_deinit(&result);

    assert_fails(
        PARAMS("command=echo {3}", "colsep=,"), "a,b", "item 'a,b' has no column 3, it has 2");
    char *large = calloc(1, MIB + 1);
    assert_non_null(large);
    memset(large, 'x', MIB);
    run(PARAMS("command=echo"), large, &result);
    assert_non_null(
        strstr(result.outcome.error, "argument 1 of the command would have 1048576 bytes"));
    exec_result_deinit(&result);
    free(large);
}

static void test_exec_looks_for_a_program_that_is_an_item(void **state)
{
    (void)state;
    assert_out(PARAMS("command={} hello"), "echo", "hello\n");
    assert_out(PARAMS("command={} hello", "cwd=/usr/bin"), "./printf", "hello");
    assert_fails(
        PARAMS("command={} hello"), "/nonexistent/x", "command '/nonexistent/x' does not exist");
    assert_fails(PARAMS("command={}"), "", "the command's name is empty");
}

static void assert_not_opened(const char *const *texts, int code, const char *reason)
{
    const struct workload_ops *exec = workload_find("exec");
    struct params params = {0};
    struct err_text error = {""};
    void *opened = NULL;
    for (; *texts != NULL; texts++) {
        assert_int_equal(params_set_text(&params, *texts, &error), 0);
    }
    int rc = params_resolve(&params, exec->params, exec->param_count, &error);
    if (rc == 0) {
        struct workload_host host;
        workload_host_init(&host);
        rc = exec->open(&params, &host, &error, &opened);
    }
    assert_int_equal(rc, code);
    assert_null(opened);
    if (strstr(error.s, reason) == NULL) {
        fail_msg("'%s' is not in '%s'", reason, error.s);
    }
    params_deinit(&params);
}

static void test_exec_refuses_what_it_cannot_run_at_all(void **state)
{
    (void)state;
    assert_not_opened(PARAMS("shell=no"), ERR_INVALID, "there is no command");
    assert_not_opened(PARAMS("command="), ERR_INVALID, "the command is empty");
    assert_not_opened(PARAMS("command=echo 'a"), ERR_INVALID, "a quote ' is not closed");
    assert_not_opened(PARAMS("command=no-such-thing {}"),
                      ERR_NOT_FOUND,
                      "command 'no-such-thing' was not found in PATH (/");
    assert_not_opened(
        PARAMS("command=/etc/passwd"), ERR_INVALID, "command '/etc/passwd' is not executable");
    assert_not_opened(PARAMS("command=/usr/bin"), ERR_INVALID, "command '/usr/bin' is a directory");
    assert_not_opened(PARAMS("command=echo {2}"), ERR_INVALID, "column {2}, but no colsep");
    assert_not_opened(PARAMS("command=echo", "colsep="), ERR_INVALID, "colsep is empty");
    assert_not_opened(PARAMS("command=echo", "cwd=/nonexistent"),
                      ERR_INVALID,
                      "cwd '/nonexistent': No such file or directory");
    assert_not_opened(PARAMS("command=echo", "cwd=/etc/passwd"),
                      ERR_INVALID,
                      "cwd '/etc/passwd': Not a directory");
    assert_not_opened(
        PARAMS("command=echo", "timeout=soon"), ERR_INVALID, "timeout 'soon': give seconds");
    assert_not_opened(PARAMS("command=echo", "max-output=5Mi"), ERR_INVALID, "max-output=5Mi");
    assert_not_opened(PARAMS("command=echo", "shell=perhaps"), ERR_INVALID, "one of yes|no");
}

/* --- many --- */

static void test_exec_many_items_come_to_the_same_in_every_way(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_result serial;
    struct rig_result other;
    const struct rig_items items = {.count = 200, .first_number = 5};
    rig_open(&rig, "exec", PARAMS("command=sh -c 'echo $0; exit $(($0 % 10 == 0))' {}"));
    rig_run(&rig, &items, &serial);
    assert_int_equal(serial.tally.ok, 180);
    assert_int_equal(serial.tally.failed, 20);
    rig_run_threads(&rig, &items, 8, &other);
    assert_memory_equal(&other.tally, &serial.tally, sizeof(serial.tally));
    rig_run_async(&rig, &items, 30, &other);
    assert_memory_equal(&other.tally, &serial.tally, sizeof(serial.tally));
    rig_close(&rig);
}

static int set_up(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exec_puts_the_item_into_the_command),
        cmocka_unit_test(test_exec_takes_numbers),
        cmocka_unit_test(test_exec_uses_a_shell_only_when_told_to),
        cmocka_unit_test(test_exec_sets_variables),
        cmocka_unit_test(test_exec_begins_in_the_directory),
        cmocka_unit_test(test_exec_gives_any_bytes_to_standard_input),
        cmocka_unit_test(test_exec_standard_input_is_empty_otherwise),
        cmocka_unit_test(test_exec_captures_output_and_errors_apart),
        cmocka_unit_test(test_exec_failure_has_the_status_and_the_last_line),
        cmocka_unit_test(test_exec_failure_cuts_a_long_line),
        cmocka_unit_test(test_exec_failure_has_the_signal),
        cmocka_unit_test(test_exec_checksum_is_of_item_status_and_output),
        cmocka_unit_test(test_exec_output_beyond_the_limit_is_dropped),
        cmocka_unit_test(test_exec_output_up_to_the_limit_is_kept),
        cmocka_unit_test(test_exec_does_not_wait_for_what_stays_in_the_background),
        cmocka_unit_test(test_exec_does_not_read_for_ever_what_the_background_writes),
        cmocka_unit_test(test_exec_waits_for_a_program_that_closes_its_output),
        cmocka_unit_test(test_exec_fails_items_that_make_no_command),
        cmocka_unit_test(test_exec_looks_for_a_program_that_is_an_item),
        cmocka_unit_test(test_exec_refuses_what_it_cannot_run_at_all),
        cmocka_unit_test(test_exec_many_items_come_to_the_same_in_every_way),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
