/* Who talks so: the first bytes of several servers, as they come, and bytes of nobody's. */
#include "common/base/rng.h"
#include "common/doctor/greeting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* As libzmq 4.3.4 says it with and without keys. */
static const unsigned char signature[] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1};

static size_t make_zmtp(const char *mechanism, unsigned char *ret_bytes)
{
    memset(ret_bytes, 0, GREETING_SIZE);
    memcpy(ret_bytes, signature, sizeof(signature));
    memcpy(ret_bytes + sizeof(signature), mechanism, strlen(mechanism));
    return GREETING_SIZE;
}

static void test_greeting_of_zmtp_says_version_and_mechanism(void **state)
{
    (void)state;
    static const char *const mechanisms[] = {"NULL", "CURVE", "PLAIN", "ABCDEFGHIJKLMNOPQRST"};
    for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++) {
        unsigned char bytes[GREETING_SIZE];
        struct greeting greeting = greeting_read(bytes, make_zmtp(mechanisms[i], bytes));
        assert_int_equal(greeting.kind, GREETING_ZMTP);
        assert_int_equal(greeting.major, 3);
        assert_int_equal(greeting.minor, 1);
        assert_string_equal(greeting.mechanism, mechanisms[i]);
    }
}

static void test_greeting_of_zmtp_is_cut_until_its_mechanism_is_there(void **state)
{
    (void)state;
    unsigned char bytes[GREETING_SIZE];
    (void)make_zmtp("CURVE", bytes);
    for (size_t len = 10; len < 32; len++) {
        assert_int_equal(greeting_read(bytes, len).kind, GREETING_ZMTP_CUT);
        assert_string_equal(greeting_read(bytes, len).mechanism, "");
    }
    assert_int_equal(greeting_read(bytes, 32).kind, GREETING_ZMTP);
}

static void test_greeting_of_an_old_zmtp_is_known(void **state)
{
    (void)state;
    unsigned char bytes[GREETING_SIZE];
    (void)make_zmtp("", bytes);
    bytes[10] = 1; /* ZMTP 2.0 */
    assert_int_equal(greeting_read(bytes, 12).kind, GREETING_ZMTP_OLD);
    assert_int_equal(greeting_read(bytes, 12).major, 1);
}

static void test_greeting_mechanism_of_any_bytes_is_printable(void **state)
{
    (void)state;
    unsigned char bytes[GREETING_SIZE];
    struct greeting greeting = greeting_read(bytes, make_zmtp("\x1b[2J\xff N", bytes));
    assert_string_equal(greeting.mechanism, "?[2J??N");
}

static void test_greeting_of_others_is_theirs(void **state)
{
    (void)state;

    static const struct {
        const char *bytes;
        size_t len;
        enum greeting_kind kind;
        const char *words;
    } rows[] = {
        {"", 0, GREETING_NONE, ""},
        {"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", 32, GREETING_SSH, "SSH-2.0-OpenSSH_9.2p1 Debian-2"},
        {"HTTP/1.1 400 Bad Request\r\nServer: x\r\n",
         37,
         GREETING_HTTP,
         "HTTP/1.1 400 Bad Request"},
        {"\x15\x03\x03\x00\x02\x02\x28", 7, GREETING_TLS, "15 03 03 00 02 02 28"},
        {"220 mail.example ESMTP\r\n", 24, GREETING_OTHER, "220 mail.example ESMTP"},
        {"\x00\x01", 2, GREETING_OTHER, "00 01"},
        {"\xff\x00", 2, GREETING_OTHER, "ff 00"},
        {"\x1b[2Jgotcha", 10, GREETING_OTHER, "1b 5b 32 4a 67 6f 74 63"},
        {"ok\x1b[2J", 6, GREETING_OTHER, "ok"},
        {"SSH", 3, GREETING_OTHER, "SSH"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct greeting greeting = greeting_read(rows[i].bytes, rows[i].len);
        assert_int_equal(greeting.kind, rows[i].kind);
        assert_string_equal(greeting.words, rows[i].words);
    }
}

static void test_greeting_that_is_long_is_cut_between_characters(void **state)
{
    (void)state;
    char bytes[GREETING_SIZE * 2];
    for (size_t i = 0; i < sizeof(bytes); i += 2) {
        memcpy(bytes + i, "\xc3\xa9", 2);
    }
    struct greeting greeting = greeting_read(bytes, sizeof(bytes));
    assert_int_equal(strlen(greeting.words), GREETING_WORDS_SIZE - 2);
    assert_memory_equal(greeting.words, bytes, GREETING_WORDS_SIZE - 2);
}

static void test_greeting_of_random_bytes_is_some_greeting(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 7);
    for (int round = 0; round < 100000; round++) {
        unsigned char bytes[GREETING_SIZE];
        size_t len = (size_t)rng_below(&rng, sizeof(bytes) + 1);
        for (size_t i = 0; i < len; i++) {
            bytes[i] = (unsigned char)rng_next(&rng);
        }
        bytes[0] = round % 2 == 0 ? 0xff : bytes[0];
        struct greeting greeting = greeting_read(bytes, len);
        assert_true(greeting.kind <= GREETING_OTHER);
        assert_true((greeting.kind == GREETING_NONE) == (len == 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greeting_of_zmtp_says_version_and_mechanism),
        cmocka_unit_test(test_greeting_of_zmtp_is_cut_until_its_mechanism_is_there),
        cmocka_unit_test(test_greeting_of_an_old_zmtp_is_known),
        cmocka_unit_test(test_greeting_mechanism_of_any_bytes_is_printable),
        cmocka_unit_test(test_greeting_of_others_is_theirs),
        cmocka_unit_test(test_greeting_that_is_long_is_cut_between_characters),
        cmocka_unit_test(test_greeting_of_random_bytes_is_some_greeting),
    };
    return cmocka_run_group_tests_name("doctor_greeting", tests, NULL, NULL);
}
