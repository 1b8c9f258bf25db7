/* Lists of hosts as people write them. */
#include "coordinator/launch/hosts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool no_memory;

void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_realloc(void *old, size_t size)
{
    return no_memory ? NULL : __real_realloc(old, size);
}

static int parse(const char *text, struct err_text *ret_error, struct hosts *ret_hosts)
{
    return hosts_parse(text, strlen(text), ret_error, ret_hosts);
}

static void expect_host(const char *text,
                        const char *name,
                        const char *target,
                        unsigned port,
                        unsigned slots)
{
    struct err_text error = {{0}};
    struct hosts hosts = {.list = NULL};
    assert_int_equal(parse(text, &error, &hosts), 0);
    assert_string_equal(error.s, "");
    assert_int_equal(hosts.count, 1);
    assert_string_equal(hosts.list[0].name, name);
    assert_string_equal(hosts.list[0].target, target);
    assert_int_equal(hosts.list[0].port, port);
    assert_int_equal(hosts.list[0].slots, slots);
    hosts_deinit(&hosts);
}

static void expect_names(const char *text, size_t len, const char *const *names)
{
    struct err_text error = {{0}};
    struct hosts hosts = {.list = NULL};
    assert_int_equal(hosts_parse(text, len, &error, &hosts), 0);
    for (size_t i = 0; i < hosts.count; i++) {
        assert_non_null(names[i]);
        assert_string_equal(hosts.list[i].name, names[i]);
    }
    assert_null(names[hosts.count]);
    hosts_deinit(&hosts);
}

/* Refused with the word and the reason, and nothing is written. */
static void expect_refused(const char *text, const char *quoted, const char *why)
{
    struct err_text error = {{0}};
    struct host untouched;
    struct hosts hosts = {.list = &untouched, .count = 7};
    assert_int_equal(parse(text, &error, &hosts), ERR_INVALID);
    if (strstr(error.s, quoted) == NULL || strstr(error.s, why) == NULL) {
        fail_msg("'%s' says neither '%s' nor '%s'", error.s, quoted, why);
    }
    assert_ptr_equal(hosts.list, &untouched);
    assert_int_equal(hosts.count, 7);
}

static void test_host_has_a_user_a_port_and_slots_or_not(void **state)
{
    (void)state;
    expect_host("h1", "h1", "h1", 0, 0);
    expect_host("user@c:2222", "user@c:2222", "user@c", 2222, 0);
    expect_host("8/host", "host", "host", 0, 8);
    expect_host("8/user@host.example.org:65535",
                "user@host.example.org:65535",
                "user@host.example.org",
                65535,
                8);
    expect_host("4096/h_1", "h_1", "h_1", 0, 4096);
    expect_host("a@b@host", "a@b@host", "a@b@host", 0, 0);
    expect_host("CORP\\user@host", "CORP\\user@host", "CORP\\user@host", 0, 0);
}

static void test_ipv6_address_stands_in_brackets_and_loses_them_for_ssh(void **state)
{
    (void)state;
    expect_host("[::1]", "[::1]", "::1", 0, 0);
    expect_host("[2001:db8::7]:2222", "[2001:db8::7]:2222", "2001:db8::7", 2222, 0);
    expect_host("2/me@[fe80::1%eth0]:22", "me@[fe80::1%eth0]:22", "me@fe80::1%eth0", 22, 2);
}

static void test_hosts_are_separated_by_commas_blanks_and_lines_and_keep_their_order(void **state)
{
    (void)state;
    static const char text[] = "\n# all of them\nb,a ,, c\td\r\n  #x y\n[::2],e # , not this\nf";
    static const char *const names[] = {"b", "a", "c", "d", "[::2]", "e", "f", NULL};
    expect_names(text, sizeof(text) - 1, names);
}

static void test_text_need_not_end_with_a_nul(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", NULL};
    expect_names("a,bXYZ", 3, names);
}

static void test_hash_inside_a_word_is_no_comment(void **state)
{
    (void)state;
    expect_refused("h#1", "'h#1'", "letters, digits");
}

static void test_what_ssh_would_take_for_an_option_is_refused(void **state)
{
    (void)state;
    expect_refused("-oProxyCommand=reboot", "'-oProxyCommand=reboot'", "letters");
    expect_refused("h1,-l", "'-l'", "letters");
    expect_refused("-oX@h", "'-oX@h'", "user");
    expect_refused("user@-h", "'user@-h'", "letters");
    expect_refused("[-1]", "'[-1]'", "letters");
}

static void test_what_a_shell_would_take_for_more_than_a_name_is_refused(void **state)
{
    (void)state;
    static const char *const words[] = {
        "h;reboot", "$(reboot)", "`x`", "h|x", "a&b", "h'", "h\"", "<x", "u;x@h", "h\x01", "h\xff"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        expect_refused(words[i], "names no host", "");
    }
}

static void test_bytes_of_zero_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"h\0x", "\0", "8\0/h", "h:2\0", "u\0@h"};
    static const size_t lens[] = {3, 1, 4, 4, 4};
    for (size_t i = 0; i < 5; i++) {
        struct err_text error = {{0}};
        struct hosts hosts;
        assert_int_equal(hosts_parse(texts[i], lens[i], &error, &hosts), ERR_INVALID);
    }
}

static void test_slots_and_ports_out_of_range_are_refused(void **state)
{
    (void)state;
    static const char *const slots[] = {"0/h", "4097/h", "x/h", "/h", "-1/h", "1e3/h", "hosts/all"};
    static const char *const ports[] = {"h:0", "h:65536", "h:", "h:ssh", "h:-1", "h:+22"};
    for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
        expect_refused(slots[i], slots[i], "8/host");
    }
    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        expect_refused(ports[i], ports[i], "a port from 1 to 65535");
    }
    expect_refused("11111111111111111111111111111111111111/h", "1111", "8/host");
}

static void test_address_without_brackets_is_refused_with_how_to_write_it(void **state)
{
    (void)state;
    expect_refused("::1", "'::1'", "[::1]:22");
    expect_refused("2001:db8::7", "'2001:db8::7'", "brackets");
    expect_refused(":", "':'", "port");
    expect_refused("[::1", "'[::1'", "");
    expect_refused("[]", "'[]'", "");
    expect_refused("@h", "'@h'", "user");
    expect_refused("u@", "'u@'", "letters");
}

static void test_host_listed_twice_is_refused(void **state)
{
    (void)state;
    expect_refused("h1 h2,h1", "'h1'", "twice");
    expect_refused("h1,4/h1", "'h1'", "N/h1");
    static const char *const names[] = {"h1", "u@h1", "h1:22", NULL};
    expect_names("h1,u@h1,h1:22", 13, names);
}

static void test_list_without_a_host_is_refused(void **state)
{
    (void)state;
    expect_refused("", "no host", "");
    expect_refused(" ,\n# nothing", "no host", "");
}

static void test_longest_name_is_taken_and_a_longer_one_refused(void **state)
{
    (void)state;
    char text[HOST_NAME_MAX_BYTES + 2];
    memset(text, 'h', sizeof(text));
    text[HOST_NAME_MAX_BYTES] = '\0';
    expect_host(text, text, text, 0, 0);
    text[HOST_NAME_MAX_BYTES] = 'h';
    text[HOST_NAME_MAX_BYTES + 1] = '\0';
    expect_refused(text, "hhh", "longer than 120 bytes");
}

static void test_as_many_hosts_as_fit_are_taken_and_one_more_is_refused(void **state)
{
    (void)state;
    struct err_text error = {{0}};
    struct hosts hosts;
    size_t size = (size_t)(HOSTS_MAX + 1) * 8;
    char *text = malloc(size);
    size_t len = 0;
    assert_non_null(text);
    for (int i = 0; i < HOSTS_MAX; i++) {
        len += (size_t)snprintf(text + len, size - len, "h%d,", i);
    }
    assert_int_equal(hosts_parse(text, len, &error, &hosts), 0);
    assert_int_equal(hosts.count, HOSTS_MAX);
    assert_string_equal(hosts.list[HOSTS_MAX - 1].name, "h4095");
    hosts_deinit(&hosts);
    len += (size_t)snprintf(text + len, size - len, "more");
    assert_int_equal(hosts_parse(text, len, &error, &hosts), ERR_INVALID);
    assert_non_null(strstr(error.s, "more than 4096 hosts"));
    free(text);
}

static void test_no_memory_is_said_and_nothing_leaks(void **state)
{
    (void)state;
    struct err_text error = {{0}};
    struct hosts hosts;
    no_memory = true;
    int rc = parse("h1,h2", &error, &hosts);
    no_memory = false;
    assert_int_equal(rc, ERR_NOMEM);
    assert_non_null(strstr(error.s, "no memory"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host_has_a_user_a_port_and_slots_or_not),
        cmocka_unit_test(test_ipv6_address_stands_in_brackets_and_loses_them_for_ssh),
        cmocka_unit_test(test_hosts_are_separated_by_commas_blanks_and_lines_and_keep_their_order),
        cmocka_unit_test(test_text_need_not_end_with_a_nul),
        cmocka_unit_test(test_hash_inside_a_word_is_no_comment),
        cmocka_unit_test(test_what_ssh_would_take_for_an_option_is_refused),
        cmocka_unit_test(test_what_a_shell_would_take_for_more_than_a_name_is_refused),
        cmocka_unit_test(test_bytes_of_zero_are_refused),
        cmocka_unit_test(test_slots_and_ports_out_of_range_are_refused),
        cmocka_unit_test(test_address_without_brackets_is_refused_with_how_to_write_it),
        cmocka_unit_test(test_host_listed_twice_is_refused),
        cmocka_unit_test(test_list_without_a_host_is_refused),
        cmocka_unit_test(test_longest_name_is_taken_and_a_longer_one_refused),
        cmocka_unit_test(test_as_many_hosts_as_fit_are_taken_and_one_more_is_refused),
        cmocka_unit_test(test_no_memory_is_said_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
