/* What is said to a shell elsewhere; a real sh plays that shell. */
#include "common/base/err.h"
#include "coordinator/launch/launch_shell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SAID_SIZE = 1024 };

/* What `command` prints when a shell runs it, with `to` as its standard input. */
static void run_in_shell(const char *command, const char *to, char *ret_said)
{
    char all[SAID_SIZE + 256];
    assert_int_equal(setenv("SSH_CONNECTION", "10.0.0.1 4000 10.0.0.2 22", 1), 0);
    (void)snprintf(all, sizeof(all), "printf '%s' | { %s; }", to, command);
    FILE *pipe = popen(all, "re");
    assert_non_null(pipe);
    ret_said[fread(ret_said, 1, SAID_SIZE - 1, pipe)] = '\0';
    (void)pclose(pipe);
}

static void test_shell_greets_reads_where_to_connect_and_becomes_the_worker(void **state)
{
    (void)state;
    const char *const arguments[] = {"--name", "h1", NULL};
    char command[SAID_SIZE];
    char said[SAID_SIZE];
    assert_int_equal(launch_shell_command("echo", false, arguments, command, sizeof(command)), 0);
    run_in_shell(command, "tcp://10.0.0.1:5\\n", said);
    assert_string_equal(said,
                        "quartet-launch: 10.0.0.1 4000 10.0.0.2 22\n"
                        "--connect tcp://10.0.0.1:5 --name h1\n");
}

static void test_shell_whose_input_ends_runs_nothing(void **state)
{
    (void)state;
    const char *const arguments[] = {NULL};
    char command[SAID_SIZE];
    char said[SAID_SIZE];
    assert_int_equal(launch_shell_command("echo", false, arguments, command, sizeof(command)), 0);
    run_in_shell(command, "", said);
    assert_string_equal(said, "quartet-launch: 10.0.0.1 4000 10.0.0.2 22\n");
}

static void test_shell_takes_no_word_for_anything_but_itself(void **state)
{
    (void)state;
    const char *const arguments[] = {"a b", "'", "$HOME", "`echo x`", "\\", "*", "", "\";x", NULL};
    char command[SAID_SIZE];
    char said[SAID_SIZE];
    assert_int_equal(launch_shell_command("/bin/echo", false, arguments, command, sizeof(command)),
                     0);
    run_in_shell(command, "to $HOME\\n", said);
    assert_string_equal(strchr(said, '\n') + 1,
                        "--connect to $HOME a b ' $HOME `echo x` \\ *  \";x\n");
}

static void test_command_that_does_not_fit_is_refused_at_every_size(void **state)
{
    (void)state;
    const char *const arguments[] = {"it's", NULL};
    char command[SAID_SIZE];
    assert_int_equal(launch_shell_command("w", false, arguments, command, sizeof(command)), 0);
    size_t needed = strlen(command) + 1;
    for (size_t size = 1; size < needed; size++) {
        char *exact = malloc(size); /* so that a byte too much is seen */
        assert_int_equal(launch_shell_command("w", false, arguments, exact, size), ERR_INVALID);
        free(exact);
    }
    char *exact = malloc(needed);
    assert_int_equal(launch_shell_command("w", false, arguments, exact, needed), 0);
    free(exact);
}

static void expect_endpoint(const char *greeting, const char *endpoint)
{
    char said[LAUNCH_ENDPOINT_SIZE];
    assert_true(launch_shell_is_greeting(greeting));
    assert_int_equal(launch_shell_endpoint(greeting, 5555, said), 0);
    assert_string_equal(said, endpoint);
}

static void test_greeting_has_the_address_that_the_host_knows_us_by(void **state)
{
    (void)state;
    expect_endpoint("quartet-launch: 10.0.0.1 4000 10.0.0.2 22", "tcp://10.0.0.1:5555");
    expect_endpoint("quartet-launch: 2001:db8::1 4000 2001:db8::2 22", "tcp://[2001:db8::1]:5555");
    expect_endpoint("quartet-launch: fe80::1%eth0 1 fe80::2%eth0 2", "tcp://[fe80::1%eth0]:5555");
}

static void test_line_of_a_login_script_is_no_greeting(void **state)
{
    (void)state;
    assert_false(launch_shell_is_greeting(""));
    assert_false(launch_shell_is_greeting("Welcome to h1"));
    assert_false(launch_shell_is_greeting(" quartet-launch: 10.0.0.1"));
    assert_false(launch_shell_is_greeting("quartet-launch"));
}

static void test_greeting_without_an_address_is_told_from_one_with_nonsense(void **state)
{
    (void)state;
    char said[LAUNCH_ENDPOINT_SIZE] = "untouched";
    static const char *const nonsense[] = {
        "evil.com", "1.2.3.4/x", "-", "%eth0", "::1%a/b", "::1%[", "::1%e\nx", "a]"};
    char greeting[SAID_SIZE];
    assert_int_equal(launch_shell_endpoint("quartet-launch:", 1, said), ERR_NOT_FOUND);
    assert_int_equal(launch_shell_endpoint("quartet-launch:  ", 1, said), ERR_NOT_FOUND);
    for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
        (void)snprintf(greeting, sizeof(greeting), "quartet-launch: %s 1 2 3", nonsense[i]);
        assert_int_equal(launch_shell_endpoint(greeting, 1, said), ERR_INVALID);
    }
    memset(greeting + 16, '1', 500);
    greeting[516] = '\0';
    assert_int_equal(launch_shell_endpoint(greeting, 1, said), ERR_INVALID);
    assert_string_equal(said, "untouched");
}

static void test_advertised_host_has_a_port_of_its_own_or_ours(void **state)
{
    (void)state;
    static const char *const good[][2] = {
        {"gate.example.org", "tcp://gate.example.org:5555"},
        {"gate:7000", "tcp://gate:7000"},
        {"192.0.2.1", "tcp://192.0.2.1:5555"},
        {"[2001:db8::1]", "tcp://[2001:db8::1]:5555"},
        {"[2001:db8::1]:7000", "tcp://[2001:db8::1]:7000"},
    };
    static const char *const bad[] = {"",
                                      ":",
                                      ":7000",
                                      "gate:",
                                      "gate:0",
                                      "gate:65536",
                                      "gate:x",
                                      "2001:db8::1",
                                      "tcp://gate:1",
                                      "*",
                                      "a b"};
    char said[LAUNCH_ENDPOINT_SIZE];
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(launch_shell_advertised(good[i][0], 5555, said), 0);
        assert_string_equal(said, good[i][1]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(launch_shell_advertised(bad[i], 5555, said), ERR_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shell_greets_reads_where_to_connect_and_becomes_the_worker),
        cmocka_unit_test(test_shell_whose_input_ends_runs_nothing),
        cmocka_unit_test(test_shell_takes_no_word_for_anything_but_itself),
        cmocka_unit_test(test_command_that_does_not_fit_is_refused_at_every_size),
        cmocka_unit_test(test_greeting_has_the_address_that_the_host_knows_us_by),
        cmocka_unit_test(test_line_of_a_login_script_is_no_greeting),
        cmocka_unit_test(test_greeting_without_an_address_is_told_from_one_with_nonsense),
        cmocka_unit_test(test_advertised_host_has_a_port_of_its_own_or_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
