/* SHA-256 of bytes as they come, and of files. */
#include "common/io/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* FIPS 180-2, appendix B: one block, two blocks, a million times 'a'. */
#define OF_ABC      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define OF_TWO      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
#define OF_MILLION  "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
#define TWO_BLOCKS  "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
#define OF_NO_BYTES "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void assert_finishes_as(struct hash *hash, const char *expected)
{
    unsigned char value[HASH_SIZE];
    char text[HASH_TEXT_SIZE];
    hash_finish(hash, value);
    assert_string_equal(hash_text(value, text), expected);
}

static void test_hash_is_sha_256_and_starts_anew_when_finished(void **state)
{
    (void)state;
    struct hash *hash = hash_new();
    hash_add(hash, "abc", 3);
    assert_finishes_as(hash, OF_ABC);
    assert_finishes_as(hash, OF_NO_BYTES);
    hash_add(hash, TWO_BLOCKS, strlen(TWO_BLOCKS));
    assert_finishes_as(hash, OF_TWO);
    hash_free(hash);
}

static void test_hash_does_not_depend_on_how_bytes_come(void **state)
{
    (void)state;
    struct hash *hash = hash_new();
    for (const char *s = TWO_BLOCKS; *s != '\0'; s++) {
        hash_add(hash, s, 1);
        hash_add(hash, "", 0);
    }
    assert_finishes_as(hash, OF_TWO);
    hash_free(hash);
}

/* A file without a name that has `count` times 'a'. */
static int open_file(size_t count)
{
    char path[] = "/tmp/quartet-test-XXXXXX";
    int fd = mkstemp(path);
    char *bytes = malloc(count + 1);
    assert_true(fd >= 0 && bytes != NULL);
    assert_int_equal(unlink(path), 0);
    memset(bytes, 'a', count);
    assert_int_equal(write(fd, bytes, count), count);
    free(bytes);
    return fd;
}

static void test_hash_file_reads_all_and_leaves_the_position(void **state)
{
    (void)state;
    struct err_text error = {{0}};
    unsigned char value[HASH_SIZE];
    char text[HASH_TEXT_SIZE];
    uint64_t size = 0;
    int fd = open_file(1000000);
    assert_int_equal(lseek(fd, 7, SEEK_SET), 7);
    assert_int_equal(hash_file(fd, "a file", 1000000, &error, value, &size), 0);
    assert_int_equal(size, 1000000);
    assert_string_equal(hash_text(value, text), OF_MILLION);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 7);
    (void)close(fd);
}

static void test_hash_file_refuses_more_than_is_allowed(void **state)
{
    (void)state;
    struct err_text error = {{0}};
    unsigned char value[HASH_SIZE];
    uint64_t size = 5;
    int fd = open_file(100);
    assert_int_equal(hash_file(fd, "a file", 99, &error, value, &size), ERR_INVALID);
    assert_string_equal(error.s, "a file: has more than the 99 bytes that are allowed");
    assert_int_equal(size, 5);
    (void)close(fd);
}

static void test_hash_file_says_why_it_cannot_read(void **state)
{
    (void)state;
    struct err_text error = {{0}};
    unsigned char value[HASH_SIZE];
    uint64_t size = 0;
    assert_int_equal(hash_file(-1, "a file", 99, &error, value, &size), ERR_IO);
    assert_string_equal(error.s, "a file: cannot read: Bad file descriptor");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_is_sha_256_and_starts_anew_when_finished),
        cmocka_unit_test(test_hash_does_not_depend_on_how_bytes_come),
        cmocka_unit_test(test_hash_file_reads_all_and_leaves_the_position),
        cmocka_unit_test(test_hash_file_refuses_more_than_is_allowed),
        cmocka_unit_test(test_hash_file_says_why_it_cannot_read),
    };
    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
