/* The ends of a tunnel, as ssh writes and reads them. */
#include "common/base/err.h"
#include "coordinator/launch/launch_tunnel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expect_end(const char *endpoint, const char *forward)
{
    struct launch_tunnel tunnel;
    char text[LAUNCH_FORWARD_SIZE];
    assert_int_equal(launch_tunnel_to(endpoint, &tunnel), 0);
    assert_string_equal(launch_tunnel_forward(&tunnel, text), forward);
}

static void test_tunnel_leads_to_where_the_coordinator_listens(void **state)
{
    (void)state;
    expect_end("tcp://127.0.0.1:5555", "localhost:0:127.0.0.1:5555");
    expect_end("tcp://10.0.0.1:1", "localhost:0:10.0.0.1:1");
    expect_end("tcp://[2001:db8::1]:65535", "localhost:0:[2001:db8::1]:65535");
    expect_end("tcp://[::1]:7", "localhost:0:[::1]:7");
}

static void test_every_address_is_reached_by_the_loopback(void **state)
{
    (void)state;
    expect_end("tcp://0.0.0.0:5555", "localhost:0:127.0.0.1:5555");
    expect_end("tcp://[::]:5555", "localhost:0:127.0.0.1:5555");
    expect_end("tcp://*:5555", "localhost:0:127.0.0.1:5555");
}

static void test_what_is_no_port_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"ipc:///run/quartet",
                                      "tcp://",
                                      "tcp://:5",
                                      "tcp://[]:5",
                                      "tcp://127.0.0.1",
                                      "tcp://127.0.0.1:",
                                      "tcp://127.0.0.1:0",
                                      "tcp://127.0.0.1:65536",
                                      "tcp://127.0.0.1:*",
                                      ""};
    struct launch_tunnel tunnel = {.port = 9};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(launch_tunnel_to(bad[i], &tunnel), ERR_INVALID);
    }
    assert_int_equal(tunnel.port, 9);
}

static void test_ssh_says_which_port_its_tunnel_has(void **state)
{
    (void)state;
    struct launch_tunnel tunnel;
    uint16_t port = 0;
    assert_int_equal(launch_tunnel_to("tcp://127.0.0.1:5555", &tunnel), 0);
    assert_int_equal(launch_tunnel_port(&tunnel,
                                        "Allocated port 43210 for remote forward to 127.0.0.1:5555",
                                        &port),
                     0);
    assert_int_equal(port, 43210);
    assert_int_equal(launch_tunnel_to("tcp://[::1]:5555", &tunnel), 0);
    assert_int_equal(
        launch_tunnel_port(&tunnel, "Allocated port 1 for remote forward to ::1:5555", &port), 0);
    assert_int_equal(port, 1);
}

static void test_other_lines_say_no_port(void **state)
{
    (void)state;
    static const char *const others[] = {
        "",
        "Allocated port ",
        "Allocated port for remote forward to 127.0.0.1:5555",
        "Allocated port 0 for remote forward to 127.0.0.1:5555",
        "Allocated port 65536 for remote forward to 127.0.0.1:5555",
        "Allocated port 99999999999999999999 for remote forward to 127.0.0.1:5555",
        "Allocated port -1 for remote forward to 127.0.0.1:5555",
        "Allocated port 43210 for remote forward to 127.0.0.1:55555", /* the user's own */
        "Allocated port 43210 for remote forward to 127.0.0.1:5555x",
        "Allocated port 43210 for remote forward to localhost:5555",
        "allocated port 43210 for remote forward to 127.0.0.1:5555",
        "Warning: Permanently added 'h1' (ED25519) to the list of known hosts.",
    };
    struct launch_tunnel tunnel;
    uint16_t port = 9;
    assert_int_equal(launch_tunnel_to("tcp://127.0.0.1:5555", &tunnel), 0);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(launch_tunnel_port(&tunnel, others[i], &port), ERR_NOT_FOUND);
    }
    assert_int_equal(port, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tunnel_leads_to_where_the_coordinator_listens),
        cmocka_unit_test(test_every_address_is_reached_by_the_loopback),
        cmocka_unit_test(test_what_is_no_port_is_refused),
        cmocka_unit_test(test_ssh_says_which_port_its_tunnel_has),
        cmocka_unit_test(test_other_lines_say_no_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
