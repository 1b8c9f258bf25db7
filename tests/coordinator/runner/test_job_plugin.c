/* A job's plugin as the coordinator has it: what can be one, and that its bytes stay those that were
 * hashed. */
#include "coordinator/runner/job_plugin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    char directory[64];
    char path[128];
};

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    (void)snprintf(place->directory, sizeof(place->directory), "/tmp/quartet-test-XXXXXX");
    *state = place;
    if (place == NULL || mkdtemp(place->directory) == NULL) {
        return -1;
    }
    (void)snprintf(place->path, sizeof(place->path), "%s/plugin.so", place->directory);
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;
    (void)unlink(place->path);
    (void)rmdir(place->directory);
    free(place);
    return 0;
}

static void put(const struct place *place, const char *text)
{
    FILE *file = fopen(place->path, "wb");
    assert_non_null(file);
    (void)fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void assert_no_plugin(const struct place *place, int rc, const char *why)
{
    struct err_text error = {{0}};
    struct job_plugin plugin;
    assert_int_equal(job_plugin_open(place->path, &error, &plugin), rc);
    assert_non_null(strstr(error.s, place->path));
    assert_non_null(strstr(error.s, why));
}

static void test_plugin_has_the_hash_and_size_of_its_bytes(void **state)
{
    const struct place *place = *state;
    struct err_text error = {{0}};
    struct job_plugin plugin;
    char text[HASH_TEXT_SIZE];
    put(place, "abc");
    assert_int_equal(job_plugin_open(place->path, &error, &plugin), 0);
    assert_int_equal(plugin.size, 3);
    assert_string_equal(hash_text(plugin.hash, text),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    job_plugin_close(&plugin);
}

static void test_plugin_stays_the_one_that_was_hashed_when_its_file_is_replaced(void **state)
{
    const struct place *place = *state;
    struct err_text error = {{0}};
    struct job_plugin plugin;
    char bytes[4] = {0};
    put(place, "abcdef");
    assert_int_equal(job_plugin_open(place->path, &error, &plugin), 0);
    assert_int_equal(unlink(place->path), 0);
    put(place, "xyz");
    assert_int_equal(job_plugin_read(&plugin, 2, bytes, 3, &error), 0);
    assert_string_equal(bytes, "cde");
    job_plugin_close(&plugin);
}

static void test_plugin_that_becomes_shorter_is_an_error(void **state)
{
    const struct place *place = *state;
    struct err_text error = {{0}};
    struct job_plugin plugin;
    char bytes[6];
    put(place, "abcdef");
    assert_int_equal(job_plugin_open(place->path, &error, &plugin), 0);
    assert_int_equal(truncate(place->path, 2), 0);
    assert_int_equal(job_plugin_read(&plugin, 0, bytes, 6, &error), ERR_IO);
    assert_non_null(strstr(error.s, "it has become shorter"));
    job_plugin_close(&plugin);
}

static void test_plugin_is_a_file_with_something_in_it(void **state)
{
    const struct place *place = *state;
    assert_no_plugin(place, ERR_NOT_FOUND, "No such file");
    put(place, "");
    assert_no_plugin(place, ERR_INVALID, "is empty");
    assert_int_equal(unlink(place->path), 0);
    assert_int_equal(mkfifo(place->path, 0600), 0);
    assert_no_plugin(place, ERR_INVALID, "is no regular file");
    assert_int_equal(unlink(place->path), 0);
    assert_int_equal(mkdir(place->path, 0700), 0);
    assert_no_plugin(place, ERR_INVALID, "is no regular file");
    assert_int_equal(rmdir(place->path), 0);
}

static void test_plugin_is_not_larger_than_the_wire_carries(void **state)
{
    const struct place *place = *state;
    put(place, "x");
    assert_int_equal(truncate(place->path, 256 * 1024 * 1024 + 1), 0);
    assert_no_plugin(place, ERR_INVALID, "has more than the 268435456 bytes");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_plugin_has_the_hash_and_size_of_its_bytes),
        TEST(test_plugin_stays_the_one_that_was_hashed_when_its_file_is_replaced),
        TEST(test_plugin_that_becomes_shorter_is_an_error),
        TEST(test_plugin_is_a_file_with_something_in_it),
        TEST(test_plugin_is_not_larger_than_the_wire_carries),
    };
    return cmocka_run_group_tests_name("job plugin", tests, NULL, NULL);
}
