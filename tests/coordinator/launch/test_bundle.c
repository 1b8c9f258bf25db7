/* Which bundle is taken, and what is believed of it. */
#include "coordinator/launch/bundle.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATH_SIZE = 256 };

static const char ARCHIVE[] = "\x1f\x8b and the rest";
static const char HASH[] = "9ebbd5f1a14fca5a7aa6b18d44a0ad0b1c4cee05bd42b8a9cf4ac0c5d8c4ab35";

/* A directory of its own for each test. */
static int set_up(void **state)
{
    char *directory = strdup("/tmp/quartet-bundle-test-XXXXXX");
    *state = directory;
    return directory != NULL && mkdtemp(directory) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[PATH_SIZE];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", (char *)*state);
    int rc = system(command);
    free(*state);
    return rc;
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* An archive under that name; its path in `ret_path`. */
static void put_archive(const char *directory, const char *name, char *ret_path)
{
    (void)snprintf(ret_path, PATH_SIZE, "%s/%s", directory, name);
    put(ret_path, ARCHIVE);
}

static void put_hash(const char *path, const char *hash)
{
    char name[PATH_SIZE + 8];
    char text[128];
    (void)snprintf(name, sizeof(name), "%s.sha256", path);
    (void)snprintf(text, sizeof(text), "%s  quartet-bundle-x86_64.tar.gz\n", hash);
    put(name, text);
}

static void test_name_says_for_which_machine_it_is(void **state)
{
    char path[PATH_SIZE];
    struct bundle *bundle = NULL;
    struct err_text error = {{0}};
    put_archive(*state, "quartet-bundle-aarch64.tar.gz", path);
    assert_int_equal(bundle_open(path, &error, &bundle), 0);
    assert_string_equal(bundle->machine, "aarch64");
    assert_int_equal(bundle->size_bytes, strlen(ARCHIVE));
    assert_int_equal(strlen(bundle->hash), HASH_TEXT_SIZE - 1);
    bundle_close(bundle);
}

static void expect_refused(const char *path, const char *words)
{
    struct bundle *bundle = NULL;
    struct err_text error = {{0}};
    assert_int_equal(bundle_open(path, &error, &bundle), ERR_INVALID);
    if (strstr(error.s, words) == NULL) {
        fail_msg("'%s' does not say '%s'", error.s, words);
    }
    assert_non_null(strstr(error.s, path));
    assert_null(bundle);
}

static void test_name_without_a_machine_is_refused(void **state)
{
    static const char *const names[] = {"quartet-bundle.tar.gz",
                                        "quartet-bundle-.tar.gz",
                                        "quartet-bundle-x86_64.tar",
                                        "quartet-bundle-x86-64.tar.gz",
                                        "quartet-bundle-a b.tar.gz",
                                        "bundle-x86_64.tar.gz",
                                        "quartet-bundle-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.tar.gz"};
    char path[PATH_SIZE];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        put_archive(*state, names[i], path);
        expect_refused(path, "for which machine");
    }
}

static void test_what_is_no_archive_is_refused(void **state)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/quartet-bundle-x86_64.tar.gz", (char *)*state);
    expect_refused(path, "No such file");
    put(path, "");
    expect_refused(path, "no archive");
    put(path, "PK and so on");
    expect_refused(path, "no archive");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    expect_refused(path, "no archive");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    expect_refused(path, "no archive");
}

/* Reading ten megabytes takes as long as a login: the file beside it is believed until bytes are sent. */
static void test_hash_beside_it_is_taken_and_looked_into_before_it_is_sent(void **state)
{
    char path[PATH_SIZE];
    char computed[HASH_TEXT_SIZE];
    struct bundle *bundle = NULL;
    struct err_text error = {{0}};
    put_archive(*state, "quartet-bundle-x86_64.tar.gz", path);
    assert_int_equal(bundle_open(path, &error, &bundle), 0);
    (void)snprintf(computed, sizeof(computed), "%s", bundle->hash);
    bundle_close(bundle);
    put_hash(path, computed);
    assert_int_equal(bundle_open(path, &error, &bundle), 0);
    assert_string_equal(bundle->hash, computed);
    assert_int_equal(bundle_verify(bundle, &error), 0);
    bundle_close(bundle);
    put_hash(path, HASH);
    assert_int_equal(bundle_open(path, &error, &bundle), 0);
    assert_string_equal(bundle->hash, HASH);
    assert_int_equal(bundle_verify(bundle, &error), ERR_INVALID);
    assert_non_null(strstr(error.s, ".sha256"));
    bundle_close(bundle);
}

static void test_hash_that_is_none_is_passed_over(void **state)
{
    static const char *const hashes[] = {"", "x", "9EBBD5F1", "../../etc"};
    char path[PATH_SIZE];
    struct bundle *bundle = NULL;
    struct err_text error = {{0}};
    put_archive(*state, "quartet-bundle-x86_64.tar.gz", path);
    for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
        put_hash(path, hashes[i]);
        assert_int_equal(bundle_open(path, &error, &bundle), 0);
        assert_int_equal(strspn(bundle->hash, "0123456789abcdef"), HASH_TEXT_SIZE - 1);
        assert_int_equal(bundle_verify(bundle, &error), 0);
        bundle_close(bundle);
    }
}

static void test_one_beside_the_programs_comes_before_the_installed_one(void **state)
{
    char programs[PATH_SIZE];
    char path[PATH_SIZE];
    char found[PATH_SIZE];
    char command[PATH_SIZE * 3];
    struct err_text error = {{0}};
    (void)snprintf(programs, sizeof(programs), "%s/bin/", (char *)*state);
    assert_int_equal(bundle_find(programs, &error, found, sizeof(found)), ERR_NOT_FOUND);
    assert_non_null(strstr(error.s, programs));
    assert_non_null(strstr(error.s, "--bundle FILE"));
    (void)snprintf(
        command, sizeof(command), "mkdir -p '%s' '%s%s'", programs, programs, BUNDLE_DIR);
    assert_int_equal(system(command), 0);
    (void)snprintf(path, sizeof(path), "%s/quartet-bundle-%s.tar.gz", BUNDLE_DIR, MACHINE);
    put_archive(programs, path, found);
    assert_int_equal(bundle_find(programs, &error, found, sizeof(found)), 0);
    assert_non_null(strstr(found, BUNDLE_DIR));
    (void)snprintf(path, sizeof(path), "quartet-bundle-%s.tar.gz", MACHINE);
    put_archive(programs, path, found);
    assert_int_equal(bundle_find(programs, &error, found, sizeof(found)), 0);
    assert_null(strstr(found, BUNDLE_DIR));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_name_says_for_which_machine_it_is),
        TEST(test_name_without_a_machine_is_refused),
        TEST(test_what_is_no_archive_is_refused),
        TEST(test_hash_beside_it_is_taken_and_looked_into_before_it_is_sent),
        TEST(test_hash_that_is_none_is_passed_over),
        TEST(test_one_beside_the_programs_comes_before_the_installed_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
