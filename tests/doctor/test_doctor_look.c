/* Endpoints taken apart, and names looked up. */
#include "common/doctor/look.h"
#include "common/doctor/names.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_look_takes_endpoints_apart(void **state)
{
    (void)state;

    static const struct {
        const char *endpoint;
        enum seen_form form;
        const char *host;
        unsigned port;
    } rows[] = {
        {"tcp://10.0.0.1:5555", FORM_TCP, "10.0.0.1", 5555},
        {"tcp://coord.example:1", FORM_TCP, "coord.example", 1},
        {"tcp://[2001:db8::7]:65535", FORM_TCP, "2001:db8::7", 65535},
        {"tcp://[fe80::1%eth0]:9", FORM_TCP, "fe80::1%eth0", 9},
        {"ipc:///run/quartet", FORM_IPC, "/run/quartet", 0},
        {"ipc://@name", FORM_IPC, "@name", 0},
        {"tcp://*:5555", FORM_EVERY_ADDRESS, "*", 5555},
        {"tcp://0.0.0.0:5555", FORM_EVERY_ADDRESS, "0.0.0.0", 5555},
        {"tcp://[::]:5555", FORM_EVERY_ADDRESS, "::", 5555},
        {"tcp://h:0", FORM_BAD_PORT, "", 0},
        {"tcp://h:*", FORM_BAD_PORT, "", 0},
        {"tcp://h:65536", FORM_BAD_PORT, "", 0},
        {"tcp://h:ssh", FORM_BAD_PORT, "", 0},
        {"tcp://h:", FORM_NONE, "", 0},
        {"tcp://", FORM_NONE, "", 0},
        {"udp://h:5", FORM_NONE, "", 0},
        {"inproc://x", FORM_NONE, "", 0},
        {"", FORM_NONE, "", 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct seen seen = {.form = FORM_IPC};
        look_at_form(rows[i].endpoint, &seen);
        assert_int_equal(seen.form, rows[i].form);
        assert_string_equal(seen.host, rows[i].host);
        assert_int_equal(seen.port, rows[i].port);
    }
}

static void test_look_refuses_an_endpoint_that_is_too_long(void **state)
{
    (void)state;
    char endpoint[1000];
    struct seen seen = {.form = FORM_IPC};
    (void)snprintf(endpoint, sizeof(endpoint), "tcp://%0900d:5", 0);
    look_at_form(endpoint, &seen);
    assert_int_equal(seen.form, FORM_NONE);
}

static struct seen looked_up(const char *host, struct knock_address *ret_addresses)
{
    struct seen seen = {.port = 5555};
    (void)snprintf(seen.host, sizeof(seen.host), "%s", host);
    names_look(&seen, 20000, ret_addresses);
    return seen;
}

static void test_names_take_addresses_as_they_are(void **state)
{
    (void)state;
    struct knock_address addresses[SEEN_ADDRESSES_MAX];
    struct seen seen = looked_up("127.0.0.1", addresses);
    const struct sockaddr_in *in = (const struct sockaddr_in *)&addresses[0].storage;
    assert_true(seen.numeric);
    assert_int_equal(seen.address_count, 1);
    assert_int_equal(in->sin_family, AF_INET);
    assert_int_equal(ntohs(in->sin_port), 5555);
    seen = looked_up("::1", addresses);
    assert_true(seen.numeric);
    assert_int_equal(addresses[0].storage.ss_family, AF_INET6);
}

static void test_names_know_this_host(void **state)
{
    (void)state;
    struct knock_address addresses[SEEN_ADDRESSES_MAX];
    struct seen seen = looked_up("localhost", addresses);
    assert_false(seen.numeric);
    assert_string_equal(seen.name_error, "");
    assert_true(seen.address_count >= 1);
}

static void test_names_put_first_what_libzmq_takes(void **state)
{
    (void)state;
    struct knock_address list[3] = {{.len = 1}, {.len = 2}, {.len = 3}};
    list[0].storage.ss_family = AF_INET;
    list[1].storage.ss_family = AF_INET;
    list[2].storage.ss_family = AF_INET;
    names_order(list, 3);
    assert_int_equal(list[0].len, 1);
    list[1].storage.ss_family = AF_INET6;
    list[2].storage.ss_family = AF_INET6;
    names_order(list, 3);
    assert_int_equal(list[0].len, 2);
    assert_int_equal(list[1].len, 1);
    assert_int_equal(list[2].len, 3);
    names_order(list, 0);
}

static void test_names_that_are_none_are_said_in_words(void **state)
{
    (void)state;
    struct knock_address addresses[SEEN_ADDRESSES_MAX];
    struct seen seen = looked_up("no such name", addresses);
    assert_int_equal(seen.address_count, 0);
    assert_string_not_equal(seen.name_error, "");
}

/* What comes of the question afterwards is nobody's. */
static void test_names_do_not_wait_longer_than_they_may(void **state)
{
    (void)state;
    struct knock_address addresses[SEEN_ADDRESSES_MAX];
    struct seen seen = {.port = 5555, .host = "localhost"};
    names_look(&seen, 0, addresses);
    assert_true(seen.address_count > 0 || seen.name_timeout);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_look_takes_endpoints_apart),
        cmocka_unit_test(test_look_refuses_an_endpoint_that_is_too_long),
        cmocka_unit_test(test_names_take_addresses_as_they_are),
        cmocka_unit_test(test_names_know_this_host),
        cmocka_unit_test(test_names_do_not_wait_longer_than_they_may),
        cmocka_unit_test(test_names_put_first_what_libzmq_takes),
        cmocka_unit_test(test_names_that_are_none_are_said_in_words),
    };
    return cmocka_run_group_tests_name("doctor_look", tests, NULL, NULL);
}
