/* The origin over plain sockets: every route, every refusal, delays that are never early, and a thousand clients that wait. */
#include "coordinator/origin/origin.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { ANSWER_SIZE = 8192, CROWD = 1000, PATIENCE_MS = 10000 };

static uint64_t now_us(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (uint64_t)now.tv_sec * 1000000U + (uint64_t)now.tv_nsec / 1000U;
}

static int start_origin(void **state)
{
    struct err_text error = {""};
    struct origin *origin = NULL;
    if (origin_start("127.0.0.1", 0, &error, &origin) != 0) {
        print_error("%s\n", error.s);
        return -1;
    }
    *state = origin;
    return 0;
}

static int stop_origin(void **state)
{
    origin_stop(*state);
    return 0;
}

static int open_client(const struct origin *origin)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(origin_port(origin)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static void ask(int fd, const char *method, const char *path)
{
    char request[512];
    int len = snprintf(request,
                       sizeof(request),
                       "%s %s HTTP/1.1\r\nHost: origin\r\nConnection: close\r\n\r\n",
                       method,
                       path);
    assert_int_equal(send(fd, request, (size_t)len, MSG_NOSIGNAL), len);
}

/* Everything until the server closes, as a string; the first ANSWER_SIZE - 1 bytes are kept. Returns how many bytes came. */
static size_t read_all(int fd, char answer[ANSWER_SIZE])
{
    size_t total = 0;
    size_t kept = 0;
    char block[65536];
    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
        ssize_t len = recv(fd, block, sizeof(block), 0);
        if (len <= 0) {
            break;
        }
        size_t keep = ANSWER_SIZE - 1 - kept < (size_t)len ? ANSWER_SIZE - 1 - kept : (size_t)len;
        memcpy(answer + kept, block, keep);
        kept += keep;
        total += (size_t)len;
    }
    answer[kept] = '\0';
    return total;
}

static size_t fetch(const struct origin *origin,
                    const char *method,
                    const char *path,
                    char answer[ANSWER_SIZE])
{
    int fd = open_client(origin);
    ask(fd, method, path);
    size_t len = read_all(fd, answer);
    (void)close(fd);
    return len;
}

static int status_of(const char *answer)
{
    return strncmp(answer, "HTTP/1.1 ", 9) == 0 ? (int)strtol(answer + 9, NULL, 10) : 0;
}

static const char *body_of(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");
    return end == NULL ? "" : end + 4;
}

static void test_origin_answers_each_route(void **state)
{
    static const struct {
        const char *path;
        int status;
        const char *part; /* of the head or the body */
    } cases[] = {
        {"/delay/0", 200, "done\n"},
        {"/delay/0.01", 200, "done\n"},
        {"/delay/10ms", 200, "done\n"},
        {"/bytes/0", 200, "Content-Length: 0"},
        {"/bytes/10", 200, "Content-Length: 10"},
        {"/bytes/2Ki", 200, "Content-Length: 2048"},
        {"/status/200", 200, "as asked"},
        {"/status/204", 204, ""},
        {"/status/304", 304, ""},
        {"/status/301", 301, "Location: /status/200"},
        {"/status/404", 404, "as asked"},
        {"/status/599", 599, "as asked"},
        {"/redirect/0", 200, "arrived"},
        {"/redirect/2", 302, "Location: /redirect/1\r\n"},
        {"/redirect/-1", 302, "Location: /redirect/-1\r\n"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char answer[ANSWER_SIZE];
        (void)fetch(*state, "GET", cases[i].path, answer);
        if (status_of(answer) != cases[i].status || strstr(answer, cases[i].part) == NULL) {
            fail_msg("%s: %s", cases[i].path, answer);
        }
    }
}

static void test_origin_refuses_malformed_numbers_and_quotes_them(void **state)
{
    static const struct {
        const char *path;
        const char *quoted;
    } cases[] = {
        {"/delay/abc", "'abc'"},
        {"/delay/-1", "'-1'"},
        {"/delay/3601", "'3601'"},
        {"/delay/", "''"},
        {"/delay/nan", "'nan'"},
        {"/delay/1e99", "'1e99'"},
        {"/bytes/-1", "'-1'"},
        {"/bytes/1e99", "'1e99'"},
        {"/bytes/1025Gi", "'1025Gi'"},
        {"/bytes/10/20", "'10/20'"},
        {"/status/99", "'99'"},
        {"/status/600", "'600'"},
        {"/status/0x10", "'0x10'"},
        {"/redirect/-2", "'-2'"},
        {"/redirect/9999999", "'9999999'"},
        {"/delay/%0d%0aX:1", "'??X:1'"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char answer[ANSWER_SIZE];
        (void)fetch(*state, "GET", cases[i].path, answer);
        if (status_of(answer) != 400 || strstr(body_of(answer), cases[i].quoted) == NULL) {
            fail_msg("%s: %s", cases[i].path, answer);
        }
    }
}

static void test_origin_lists_its_paths_when_it_does_not_know_one(void **state)
{
    static const char *const paths[] = {"/", "/delay", "/drip/1", "/stallx", "/nothing"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        char answer[ANSWER_SIZE];
        (void)fetch(*state, "GET", paths[i], answer);
        assert_int_equal(status_of(answer), 404);
        assert_non_null(strstr(body_of(answer), "/delay/SECONDS"));
    }
}

static void test_origin_takes_get_and_head_only(void **state)
{
    char answer[ANSWER_SIZE];
    (void)fetch(*state, "HEAD", "/bytes/100", answer);
    assert_int_equal(status_of(answer), 200);
    assert_non_null(strstr(answer, "Content-Length: 100"));
    assert_string_equal(body_of(answer), "");
    (void)fetch(*state, "DELETE", "/bytes/100", answer);
    assert_int_equal(status_of(answer), 405);
}

static void test_origin_content_depends_on_position_only(void **state)
{
    char small[ANSWER_SIZE];
    char large[ANSWER_SIZE];
    (void)fetch(*state, "GET", "/bytes/300", small);
    size_t len = fetch(*state, "GET", "/bytes/5000000", large);
    size_t head_len = (size_t)(body_of(large) - large);
    assert_int_equal(len, head_len + 5000000);
    assert_memory_equal(body_of(small), body_of(large), 300);
    for (size_t i = 0; i < 300; i++) {
        assert_int_equal((unsigned char)body_of(small)[i], (unsigned char)(i + (i >> 8)));
    }
}

static void test_origin_close_and_stall_give_no_body(void **state)
{
    char answer[ANSWER_SIZE];
    assert_int_equal(fetch(*state, "GET", "/close", answer), 0);

    int fd = open_client(*state);
    ask(fd, "GET", "/stall");
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
    ssize_t len = recv(fd, answer, sizeof(answer) - 1, 0);
    assert_true(len > 0);
    answer[len] = '\0';
    assert_int_equal(status_of(answer), 200);
    assert_string_equal(body_of(answer), "");
    assert_int_equal(poll(&ready, 1, 100), 0);
    (void)close(fd);
}

/* Two requests on one connection: neither must close it. */
static void test_origin_keeps_connections_open(void **state)
{
    static const char *const paths[] = {"/bytes/0", "/redirect/0", "/delay/0", "/delay/0.01"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        char answer[ANSWER_SIZE];
        char request[128];
        int fd = open_client(*state);
        int len = snprintf(
            request, sizeof(request), "GET %s HTTP/1.1\r\nHost: o\r\n\r\n", paths[i]);
        assert_int_equal(send(fd, request, (size_t)len, MSG_NOSIGNAL), len);
        ask(fd, "GET", "/status/404");
        (void)read_all(fd, answer);
        (void)close(fd);
        assert_int_equal(status_of(answer), 200);
        assert_non_null(strstr(answer, "HTTP/1.1 404"));
    }
}

static void test_origin_drip_has_no_end(void **state)
{
    int fd = open_client(*state);
    ask(fd, "GET", "/drip");
    size_t total = 0;
    char block[65536];
    while (total < 4U * 1024 * 1024) {
        ssize_t len = recv(fd, block, sizeof(block), 0);
        assert_true(len > 0);
        total += (size_t)len;
    }
    (void)close(fd);
}

static void test_origin_delay_is_never_early_and_about_a_millisecond_late(void **state)
{
    enum { TRIES = 20 };

    uint64_t best_late_us = UINT64_MAX;
    for (int i = 0; i < TRIES; i++) {
        char answer[ANSWER_SIZE];
        int fd = open_client(*state);
        uint64_t begin = now_us();
        ask(fd, "GET", "/delay/0.0205");
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
        uint64_t elapsed_us = now_us() - begin;
        (void)read_all(fd, answer);
        (void)close(fd);
        assert_true(elapsed_us >= 20500);
        best_late_us = elapsed_us - 20500 < best_late_us ? elapsed_us - 20500 : best_late_us;
    }
    /* The best of them: a busy machine may be late for its own reasons, a coarse timer is late every time. */
    assert_true(best_late_us < 1000);
}

static long resident_kib(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

static void test_origin_thousand_clients_wait_at_once(void **state)
{
    static int fds[CROWD];
    char answer[ANSWER_SIZE];
    (void)fetch(*state, "GET", "/delay/0", answer);
    long before_kib = resident_kib();
    uint64_t begin = now_us();
    for (int i = 0; i < CROWD; i++) {
        fds[i] = open_client(*state);
        ask(fds[i], "GET", "/delay/0.5");
    }
    for (int i = 0; i < CROWD; i++) {
        (void)read_all(fds[i], answer);
        (void)close(fds[i]);
        assert_int_equal(status_of(answer), 200);
    }
    uint64_t elapsed_us = now_us() - begin;
    assert_in_range(elapsed_us, 500000, 3000000); /* one after another it would be 500 s */
    assert_true(resident_kib() - before_kib < 64L * 1024);
}

static void test_origin_refuses_a_port_in_use_and_a_bad_address(void **state)
{
    struct err_text error = {""};
    struct origin *second = NULL;
    uint16_t port = origin_port(*state);
    char quoted[64];
    (void)snprintf(quoted, sizeof(quoted), "127.0.0.1 port %u: Address already in use", port);
    assert_int_equal(origin_start("127.0.0.1", port, &error, &second), ERR_BUSY);
    assert_non_null(strstr(error.s, quoted));
    assert_int_equal(origin_start("nowhere.example", 0, &error, &second), ERR_INVALID);
    assert_non_null(strstr(error.s, "'nowhere.example'"));
    assert_int_equal(origin_start("192.0.2.1", 0, &error, &second), ERR_IO);
    assert_non_null(strstr(error.s, "192.0.2.1"));
    assert_null(second);
}

static void test_origin_stops_while_clients_wait(void **state)
{
    (void)state;
    static const char *const paths[] = {"/delay/3600", "/stall", "/drip", "/bytes/1024Gi"};

    enum { PATHS = sizeof(paths) / sizeof(paths[0]) };

    int fds[PATHS];
    struct err_text error;
    struct origin *origin = NULL;
    assert_int_equal(origin_start("127.0.0.1", 0, &error, &origin), 0);
    for (size_t i = 0; i < PATHS; i++) {
        fds[i] = open_client(origin);
        ask(fds[i], "GET", paths[i]);
    }
    char answer[ANSWER_SIZE];
    (void)fetch(origin, "GET", "/delay/0", answer); /* now the others are being served */
    uint64_t begin = now_us();
    origin_stop(origin);
    assert_in_range(now_us() - begin, 0, 1000000);
    for (size_t i = 0; i < PATHS; i++) {
        (void)read_all(fds[i], answer); /* ends, because the server has closed */
        (void)close(fds[i]);
    }
}

static void test_origin_client_that_leaves_does_not_hold_it_up(void **state)
{
    for (int i = 0; i < 50; i++) {
        int fd = open_client(*state);
        ask(fd, "GET", i % 2 == 0 ? "/delay/0.05" : "/bytes/100000000");
        (void)close(fd);
    }
    char answer[ANSWER_SIZE];
    (void)fetch(*state, "GET", "/delay/0.1", answer);
    assert_int_equal(status_of(answer), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origin_answers_each_route),
        cmocka_unit_test(test_origin_refuses_malformed_numbers_and_quotes_them),
        cmocka_unit_test(test_origin_lists_its_paths_when_it_does_not_know_one),
        cmocka_unit_test(test_origin_takes_get_and_head_only),
        cmocka_unit_test(test_origin_content_depends_on_position_only),
        cmocka_unit_test(test_origin_close_and_stall_give_no_body),
        cmocka_unit_test(test_origin_keeps_connections_open),
        cmocka_unit_test(test_origin_drip_has_no_end),
        cmocka_unit_test(test_origin_delay_is_never_early_and_about_a_millisecond_late),
        cmocka_unit_test(test_origin_thousand_clients_wait_at_once),
        cmocka_unit_test(test_origin_refuses_a_port_in_use_and_a_bad_address),
        cmocka_unit_test(test_origin_stops_while_clients_wait),
        cmocka_unit_test(test_origin_client_that_leaves_does_not_hold_it_up),
    };
    return !!cmocka_run_group_tests_name("origin", tests, start_origin, stop_origin);
}
