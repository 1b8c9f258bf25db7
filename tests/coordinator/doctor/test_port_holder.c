/* Whose port it is: lines as the kernel writes them, and a port of our own. */
#include "coordinator/doctor/port_holder.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const char HEAD[] = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
                           "retrnsmt   uid  timeout inode\n";
static const char LISTENS[] =
    "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 "
    "4711 1 0000000000000000 100 0 0 10 0\n";
static const char CONNECTED[] =
    "   1: 0100007F:1F90 0100007F:D3F2 01 00000000:00000000 02:000A1B2C 00000000  1000        0 "
    "4712 2 0000000000000000 20 4 30 10 -1\n";
static const char LISTENS6[] =
    "   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A "
    "00000000:00000000 00:00000000 00000000     0        0 4713 1 0000000000000000 100 0 0 10 0\n";

static void test_port_holder_reads_who_listens(void **state)
{
    (void)state;
    uint64_t inode = 0;
    assert_true(port_holder_line(LISTENS, 8080, &inode));
    assert_int_equal(inode, 4711);
    assert_true(port_holder_line(LISTENS6, 8080, &inode));
    assert_int_equal(inode, 4713);
}

static void test_port_holder_passes_over_all_else(void **state)
{
    (void)state;
    uint64_t inode = 7;
    assert_false(port_holder_line(HEAD, 8080, &inode));
    assert_false(port_holder_line(CONNECTED, 8080, &inode));
    assert_false(port_holder_line(LISTENS, 8081, &inode));
    assert_false(port_holder_line("", 8080, &inode));
    assert_int_equal(inode, 7);
}

static void test_port_holder_finds_this_process(void **state)
{
    (void)state;
    char who[128] = "";
    char pid[32];
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(in);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    assert_true(port_holder(ntohs(in.sin_port), who, sizeof(who)));
    (void)snprintf(pid, sizeof(pid), "(pid %d)", (int)getpid());
    assert_non_null(strstr(who, pid));
    assert_non_null(strstr(who, "test_port_holde")); /* as the kernel knows it */
    (void)close(fd);
    assert_false(port_holder(ntohs(in.sin_port), who, sizeof(who)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_port_holder_reads_who_listens),
        cmocka_unit_test(test_port_holder_passes_over_all_else),
        cmocka_unit_test(test_port_holder_finds_this_process),
    };
    return cmocka_run_group_tests_name("port_holder", tests, NULL, NULL);
}
