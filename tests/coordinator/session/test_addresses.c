/* Which endpoints stand for the one that is bound to. */
#include "coordinator/session/addresses.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A machine's interfaces, as getifaddrs gives them. */
struct fake {
    struct ifaddrs entries[8];
    struct sockaddr_storage addresses[8];
    size_t count;
};

static void add(struct fake *fake, const char *address, unsigned flags)
{
    struct sockaddr_in *v4 = (void *)&fake->addresses[fake->count];
    struct sockaddr_in6 *v6 = (void *)&fake->addresses[fake->count];
    struct ifaddrs *entry = &fake->entries[fake->count];
    *entry = (struct ifaddrs){.ifa_flags = flags};
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        entry->ifa_addr = (struct sockaddr *)v4;
    } else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        entry->ifa_addr = (struct sockaddr *)v6;
    }
    if (fake->count > 0) {
        fake->entries[fake->count - 1].ifa_next = entry;
    }
    fake->count++;
}

static void make_machine(struct fake *fake)
{
    *fake = (struct fake){.count = 0};
    add(fake, "127.0.0.1", IFF_UP | IFF_LOOPBACK);
    add(fake, "::1", IFF_UP | IFF_LOOPBACK);
    add(fake, "fd00::7", IFF_UP);
    add(fake, "10.0.0.7", IFF_UP);
    add(fake, "fe80::1", IFF_UP);
    add(fake, "10.9.9.9", 0);
    add(fake, "a packet socket", IFF_UP); /* without an address, as some interfaces are */
}

static void assert_endpoints(const struct access *access, const char *const *wanted, size_t count)
{
    assert_int_equal(access->endpoint_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(access->endpoints[i], wanted[i]);
    }
}

static void test_addresses_of_one_address_is_itself(void **state)
{
    (void)state;
    static const char *const same[] = {
        "tcp://10.0.0.7:5555", "tcp://[fd00::7]:5555", "ipc:///run/q", "tcp://127.0.0.1:1"};
    struct fake fake;
    make_machine(&fake);
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        struct access access = {.endpoint_count = 0};
        addresses_add(&access, same[i], fake.entries);
        assert_endpoints(&access, &same[i], 1);
    }
}

static void test_addresses_of_every_address_are_those_of_the_interfaces_that_are_up(void **state)
{
    (void)state;
    static const char *const both[] = {"tcp://10.0.0.7:55", "tcp://[fd00::7]:55"};
    struct access access = {.endpoint_count = 0};
    struct fake fake;
    make_machine(&fake);
    addresses_add(&access, "tcp://[::]:55", fake.entries);
    assert_endpoints(&access, both, 2);
    access.endpoint_count = 0;
    addresses_add(&access, "tcp://0.0.0.0:55", fake.entries);
    assert_endpoints(&access, both, 1);
}

static void test_addresses_of_loopback_are_for_a_machine_that_has_nothing_else(void **state)
{
    (void)state;
    static const char *const wanted[] = {"tcp://127.0.0.1:55", "tcp://[::1]:55"};
    struct access access = {.endpoint_count = 0};
    struct fake fake = {.count = 0};
    add(&fake, "127.0.0.1", IFF_UP | IFF_LOOPBACK);
    add(&fake, "::1", IFF_UP | IFF_LOOPBACK);
    addresses_add(&access, "tcp://[::]:55", fake.entries);
    assert_endpoints(&access, wanted, 2);
}

static void test_addresses_that_are_advertised_come_with_a_port(void **state)
{
    (void)state;
    static const char *const wanted[] = {
        "tcp://gate.example:55", "tcp://192.0.2.1:7000", "tcp://[2001:db8::1]:55"};
    struct access access = {.endpoint_count = 0};
    assert_int_equal(addresses_add_advertised(&access, "gate.example", "tcp://[::]:55", NULL), 0);
    assert_int_equal(addresses_add_advertised(&access, "192.0.2.1:7000", "tcp://[::]:55", NULL), 0);
    assert_int_equal(addresses_add_advertised(&access, "[2001:db8::1]", "tcp://[::]:55", NULL), 0);
    assert_endpoints(&access, wanted, 3);
}

static void test_addresses_that_make_no_endpoint_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", ":55", "host:", "tcp://host:5", "a b", "2001:db8::1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct access access = {.endpoint_count = 0};
        struct err_text error = {{0}};
        assert_int_equal(addresses_add_advertised(&access, bad[i], "tcp://[::]:55", &error),
                         ERR_INVALID);
        assert_non_null(strstr(error.s, bad[i]));
        assert_int_equal(access.endpoint_count, 0);
    }
    struct access access = {.endpoint_count = 0};
    assert_int_equal(addresses_add_advertised(&access, "host", "ipc:///run/q", NULL), ERR_INVALID);
}

static void test_addresses_of_this_machine_are_found(void **state)
{
    (void)state;
    struct access access = {.endpoint_count = 0};
    struct err_text error = {{0}};
    int rc = addresses_add_here(&access, "tcp://[::]:55", &error);
    assert_true(rc == 0 ? access.endpoint_count > 0 : error.s[0] != '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_of_one_address_is_itself),
        cmocka_unit_test(test_addresses_of_every_address_are_those_of_the_interfaces_that_are_up),
        cmocka_unit_test(test_addresses_of_loopback_are_for_a_machine_that_has_nothing_else),
        cmocka_unit_test(test_addresses_that_are_advertised_come_with_a_port),
        cmocka_unit_test(test_addresses_that_make_no_endpoint_are_refused),
        cmocka_unit_test(test_addresses_of_this_machine_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
