/* Tests of worker/engine/records_memory.c. */
#include "common/base/record.h"
#include "worker/engine/records_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void test_records_memory_shows_what_is_written_through_its_descriptor(void **state)
{
    (void)state;
    struct records_memory memory = {.fd = -1};
    struct err_text error;
    assert_int_equal(records_memory_open(&memory, &error), 0);
    char *writer = mmap(NULL, RECORDS_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, memory.fd, 0);
    assert_true(writer != MAP_FAILED);
    assert_int_equal(memory.bytes[0], 0);
    writer[0] = 'a';
    writer[RECORDS_MAX - 1] = 'z';
    assert_int_equal(memory.bytes[0], 'a');
    assert_int_equal(memory.bytes[RECORDS_MAX - 1], 'z');
    assert_int_equal(munmap(writer, RECORDS_MAX), 0);
    records_memory_close(&memory);
    assert_int_equal(memory.fd, -1);
    records_memory_close(&memory);
}

/* Whoever made it smaller would kill the reader. */
static void test_records_memory_keeps_its_size(void **state)
{
    (void)state;
    struct records_memory memory = {.fd = -1};
    struct err_text error;
    assert_int_equal(records_memory_open(&memory, &error), 0);
    assert_int_equal(ftruncate(memory.fd, 1), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(memory.fd, 2 * (off_t)RECORDS_MAX), -1);
    records_memory_close(&memory);
}

static void test_records_memory_can_be_given_back_by_its_writer(void **state)
{
    (void)state;
    struct records_memory memory = {.fd = -1};
    struct err_text error;
    struct stat before;
    struct stat after;
    assert_int_equal(records_memory_open(&memory, &error), 0);
    char *writer = mmap(NULL, RECORDS_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, memory.fd, 0);
    assert_true(writer != MAP_FAILED);
    memset(writer, 'a', RECORDS_MAX);
    assert_int_equal(fstat(memory.fd, &before), 0);
    assert_int_equal(madvise(writer, RECORDS_MAX, MADV_REMOVE), 0);
    assert_int_equal(fstat(memory.fd, &after), 0);
    assert_true(before.st_blocks >= RECORDS_MAX / 512);
    assert_int_equal(after.st_blocks, 0);
    assert_int_equal(memory.bytes[RECORDS_ENOUGH_BYTES], 0);
    assert_int_equal(munmap(writer, RECORDS_MAX), 0);
    records_memory_close(&memory);
}

static void test_records_memory_says_when_there_is_no_descriptor(void **state)
{
    (void)state;
    struct records_memory memory = {.fd = -1};
    struct err_text error = {.s = ""};
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int rc = records_memory_open(&memory, &error);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(rc, ERR_IO);
    assert_non_null(strstr(error.s, "Too many open files"));
    assert_int_equal(memory.fd, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_memory_shows_what_is_written_through_its_descriptor),
        cmocka_unit_test(test_records_memory_keeps_its_size),
        cmocka_unit_test(test_records_memory_can_be_given_back_by_its_writer),
        cmocka_unit_test(test_records_memory_says_when_there_is_no_descriptor),
    };
    return cmocka_run_group_tests_name("records_memory", tests, NULL, NULL) != 0;
}
