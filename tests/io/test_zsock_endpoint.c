/* Which endpoints stay on this machine, and so may be without encryption. */
#include "common/io/zsock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct row {
    const char *endpoint;
    bool local;
};

static const struct row rows[] = {
    {"tcp://localhost:1", true},
    {"tcp://127.0.0.1:*", true},
    {"tcp://127.0.0.1:5555", true},
    {"tcp://127.255.255.254:1", true},
    {"tcp://[::1]:5", true},
    {"tcp://[::ffff:127.0.0.1]:5", true},
    {"ipc://x", true},
    {"ipc:///run/quartet", true},
    {"inproc://x", true},
    {"tcp://*:5", false},
    {"tcp://0.0.0.0:1", false},
    {"tcp://[::]:1", false},
    {"tcp://10.0.0.1:2", false},
    {"tcp://128.0.0.1:2", false},
    {"tcp://[::ffff:10.0.0.1]:5", false},
    {"tcp://[2001:db8::1]:5", false},
    {"tcp://127.evil.com:1", false},
    {"tcp://127.0.0.1.evil.com:1", false},
    {"tcp://localhost.evil.com:1", false},
    {"tcp://127.0.0.1:0;10.0.0.1:5555", false}, /* from a local address to a remote one */
    {"tcp://127.1:5", false}, /* not numeric as RFC 3986 has it: not our business to guess */
    {"tcp://127.0.0.1", false},
    {"tcp://eth0:5", false},
    {"tcp://", false},
    {"tcp://:", false},
    {"tcp://[]:5", false},
    {"TCP://127.0.0.1:5", false},
    {"udp://127.0.0.1:5", false},
    {"127.0.0.1:5", false},
    {"", false},
};

static void test_zsock_endpoint_is_local_by_address_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (zsock_endpoint_is_local(rows[i].endpoint) != rows[i].local) {
            fail_msg(
                "\"%s\" is taken for %s", rows[i].endpoint, rows[i].local ? "remote" : "local");
        }
    }
}

static void test_zsock_endpoint_has_form_or_not(void **state)
{
    (void)state;
    static const char *const sound[] = {
        "ipc://x", "inproc://x", "tcp://*:*", "tcp://[::1]:5", "tcp://host.example:5555"};
    static const char *const broken[] = {"",
                                         "foo",
                                         "127.0.0.1:5",
                                         "tcp://",
                                         "tcp://:5",
                                         "tcp://127.0.0.1",
                                         "tcp://h:",
                                         "udp://h:5",
                                         "ipc://"};
    for (size_t i = 0; i < sizeof(sound) / sizeof(sound[0]); i++) {
        assert_true(zsock_endpoint_has_form(sound[i]));
    }
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        assert_false(zsock_endpoint_has_form(broken[i]));
    }
}

static void test_zsock_endpoint_has_a_host_or_not(void **state)
{
    (void)state;
    char host[16];
    assert_true(zsock_endpoint_host("tcp://[fd00::1]:5", host, sizeof(host)));
    assert_string_equal(host, "[fd00::1]");
    assert_true(zsock_endpoint_host("tcp://0123456789abcde:5", host, sizeof(host)));
    assert_false(zsock_endpoint_host("tcp://0123456789abcdef:5", host, sizeof(host)));
    assert_false(zsock_endpoint_host("ipc:///run/q", host, sizeof(host)));
    assert_false(zsock_endpoint_host("tcp://nowhere", host, sizeof(host)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zsock_endpoint_is_local_by_address_only),
        cmocka_unit_test(test_zsock_endpoint_has_form_or_not),
        cmocka_unit_test(test_zsock_endpoint_has_a_host_or_not),
    };
    return cmocka_run_group_tests_name("zsock_endpoint", tests, NULL, NULL);
}
