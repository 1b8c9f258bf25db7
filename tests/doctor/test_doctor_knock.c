/* Connections of our own, on the loopback, to those who do what strangers do; and what ICMP messages mean. */
#include "common/base/check.h"
#include "common/doctor/hops.h"
#include "common/doctor/knock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { CONNECT_MS = 5000, GREETING_MS = 20000, SHORT_MS = 100, RESETS = 200 };

/* Listens, takes one connection and answers as it is told. */
struct host {
    int fd;
    struct knock_address address;
    void (*answer)(int fd);
    pthread_t thread;
};

/* One after the other, until close_host: whoever gets no answer knocks again. */
static void *serve(void *arg)
{
    struct host *host = arg;
    int fd;
    while ((fd = accept(host->fd, NULL, NULL)) >= 0) {
        host->answer(fd);
        (void)close(fd);
    }
    return NULL;
}

static void open_host(struct host *host, void (*answer)(int fd))
{
    struct sockaddr_in *in = (struct sockaddr_in *)&host->address.storage;
    host->address.len = sizeof(*in);
    host->answer = answer;
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    host->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(host->fd, (struct sockaddr *)in, sizeof(*in)), 0);
    assert_int_equal(getsockname(host->fd, (struct sockaddr *)in, &host->address.len), 0);
    assert_int_equal(listen(host->fd, 4), 0);
    if (answer != NULL) {
        assert_int_equal(pthread_create(&host->thread, NULL, serve, host), 0);
    }
}

static void close_host(struct host *host)
{
    (void)shutdown(host->fd, SHUT_RDWR); /* accept ends with it */
    if (host->answer != NULL) {
        assert_int_equal(pthread_join(host->thread, NULL), 0);
    }
    (void)close(host->fd);
}

static struct seen_address knock_at_one_who(void (*answer)(int fd))
{
    struct host host = {.fd = -1};
    struct seen_address seen = {.text = ""};
    open_host(&host, answer);
    knock(&host.address, CONNECT_MS, GREETING_MS, &seen);
    close_host(&host);
    assert_int_equal(seen.knock, KNOCK_CONNECTED);
    return seen;
}

static void say(int fd, const void *bytes, size_t len)
{
    CHECK(write(fd, bytes, len) == (ssize_t)len);
}

/* To the end of what the other side says, so that closing does not reset the connection. */
static void hear_all(int fd)
{
    char bytes[256];
    (void)shutdown(fd, SHUT_WR);
    while (read(fd, bytes, sizeof(bytes)) > 0) {
        continue;
    }
}

static void be_ssh(int fd)
{
    say(fd, "SSH-2.0-OpenSSH_9.2\r\n", 21);
    hear_all(fd);
}

/* All of its greeting only to one who greets, too. */
static void be_zmtp(int fd)
{
    unsigned char greeting[GREETING_SIZE] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f};
    unsigned char heard[GREETING_ASKED_SIZE];
    say(fd, greeting, 10);
    for (size_t len = 0; len < sizeof(heard);) {
        ssize_t got = read(fd, heard + len, sizeof(heard) - len);
        CHECK(got > 0);
        len += (size_t)got;
    }
    CHECK(memcmp(heard, greeting_asked, sizeof(heard)) == 0);
    greeting[10] = 3;
    greeting[11] = 1;
    memcpy(greeting + 12, "CURVE", 5);
    say(fd, greeting + 10, GREETING_SIZE - 10);
    hear_all(fd);
}

/* Says nothing before it has read a whole line. */
static void be_polite(int fd)
{
    char byte = 0;
    while (byte != '\n') {
        if (read(fd, &byte, 1) != 1) {
            return; /* hung up, to come again */
        }
    }
    say(fd, "HTTP/1.1 400 Bad Request\r\n", 26);
    hear_all(fd);
}

static void hang_up(int fd)
{
    hear_all(fd);
}

static void reset(int fd)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0);
}

static void test_knock_hears_who_speaks_first(void **state)
{
    (void)state;
    struct seen_address seen = knock_at_one_who(be_ssh);
    assert_int_equal(seen.greeting.kind, GREETING_SSH);
    assert_string_equal(seen.greeting.words, "SSH-2.0-OpenSSH_9.2");
}

static void test_knock_makes_zmtp_say_its_mechanism(void **state)
{
    (void)state;
    struct seen_address seen = knock_at_one_who(be_zmtp);
    assert_int_equal(seen.greeting.kind, GREETING_ZMTP);
    assert_string_equal(seen.greeting.mechanism, "CURVE");
}

static void test_knock_makes_those_speak_who_wait_for_a_line(void **state)
{
    (void)state;
    struct host host = {.fd = -1};
    struct seen_address seen = {.text = ""};
    open_host(&host, be_polite);
    knock(&host.address, CONNECT_MS, 1000, &seen);
    close_host(&host);
    assert_int_equal(seen.greeting.kind, GREETING_HTTP);
}

static void test_knock_hears_hanging_up(void **state)
{
    (void)state;
    struct seen_address seen = knock_at_one_who(hang_up);
    assert_int_equal(seen.greeting.kind, GREETING_NONE);
    assert_true(seen.hung_up && !seen.reset);
}

/* The reset may come while we wait for the connection, before we speak, or while we listen. */
static void test_knock_sees_a_reset_at_any_moment(void **state)
{
    (void)state;
    for (int k = 0; k < RESETS; k++) {
        struct seen_address seen = knock_at_one_who(reset);
        assert_int_equal(seen.greeting.kind, GREETING_NONE);
        assert_true(seen.hung_up && seen.reset);
    }
}

static void test_knock_gives_up_on_silence(void **state)
{
    (void)state;
    struct host host = {.fd = -1};
    struct seen_address seen = {.text = ""};
    open_host(&host, NULL);
    knock(&host.address, CONNECT_MS, SHORT_MS, &seen);
    assert_int_equal(seen.knock, KNOCK_CONNECTED);
    assert_int_equal(seen.greeting.kind, GREETING_NONE);
    assert_false(seen.hung_up);
    close_host(&host);
}

static void test_knock_says_that_it_was_refused(void **state)
{
    (void)state;
    struct host host = {.fd = -1};
    struct seen_address seen = {.text = ""};
    open_host(&host, NULL);
    (void)close(host.fd);
    knock(&host.address, CONNECT_MS, SHORT_MS, &seen);
    assert_int_equal(seen.knock, KNOCK_FAILED);
    assert_int_equal(seen.error, ECONNREFUSED);
}

static void test_knock_finds_the_way_and_our_address_on_it(void **state)
{
    (void)state;
    struct host host = {.fd = -1};
    struct seen_address seen = {.text = ""};
    open_host(&host, NULL);
    knock_route(&host.address, &seen);
    assert_int_equal(seen.route_error, 0);
    assert_string_equal(seen.text, "127.0.0.1");
    assert_string_equal(seen.source, "127.0.0.1");
    close_host(&host);
}

static void test_knock_at_a_path(void **state)
{
    (void)state;
    struct seen_address seen = {.text = ""};
    char path[300] = "/tmp/quartet-knock-XXXXXX";
    knock_path("/nonexistent/q", SHORT_MS, &seen);
    assert_int_equal(seen.error, ENOENT);
    memset(path, 'x', sizeof(path) - 1);
    knock_path(path, SHORT_MS, &seen);
    assert_int_equal(seen.error, ENAMETOOLONG);
}

static void test_hops_know_what_messages_mean(void **state)
{
    (void)state;
    assert_int_equal(hops_meaning(false, 11, 0), HOPS_MEANS_PASSED);
    assert_int_equal(hops_meaning(false, 3, 3), HOPS_MEANS_THERE);
    assert_int_equal(hops_meaning(false, 3, 13), HOPS_MEANS_FORBIDDEN);
    assert_int_equal(hops_meaning(false, 3, 10), HOPS_MEANS_FORBIDDEN);
    assert_int_equal(hops_meaning(false, 3, 1), HOPS_MEANS_NO_WAY);
    assert_int_equal(hops_meaning(false, 0, 0), HOPS_MEANS_NOTHING);
    assert_int_equal(hops_meaning(true, 3, 0), HOPS_MEANS_PASSED);
    assert_int_equal(hops_meaning(true, 1, 4), HOPS_MEANS_THERE);
    assert_int_equal(hops_meaning(true, 1, 1), HOPS_MEANS_FORBIDDEN);
    assert_int_equal(hops_meaning(true, 1, 0), HOPS_MEANS_NO_WAY);
    assert_int_equal(hops_meaning(true, 128, 0), HOPS_MEANS_NOTHING);
}

/* Our own host says by ICMP that nobody listens there: it is the first hop and the last. */
static void test_hops_arrive_on_the_loopback(void **state)
{
    (void)state;
    struct knock_address address = {.len = sizeof(struct sockaddr_in)};
    struct sockaddr_in *in = (struct sockaddr_in *)&address.storage;
    struct seen_way way;
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    hops_look(&address, false, 3000, &way);
    assert_int_equal(way.hops, HOPS_ARRIVED);
    assert_string_equal(way.address, "127.0.0.1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_knock_hears_who_speaks_first),
        cmocka_unit_test(test_knock_makes_zmtp_say_its_mechanism),
        cmocka_unit_test(test_knock_makes_those_speak_who_wait_for_a_line),
        cmocka_unit_test(test_knock_hears_hanging_up),
        cmocka_unit_test(test_knock_sees_a_reset_at_any_moment),
        cmocka_unit_test(test_knock_gives_up_on_silence),
        cmocka_unit_test(test_knock_says_that_it_was_refused),
        cmocka_unit_test(test_knock_finds_the_way_and_our_address_on_it),
        cmocka_unit_test(test_knock_at_a_path),
        cmocka_unit_test(test_hops_know_what_messages_mean),
        cmocka_unit_test(test_hops_arrive_on_the_loopback),
    };
    return cmocka_run_group_tests_name("doctor_knock", tests, NULL, NULL);
}
