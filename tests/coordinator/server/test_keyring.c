/* The directory of keys: made whole, kept, listed, and taken at its word only when nobody else can
 * have written in it. */
#include "common/io/secret_file.h"
#include "coordinator/server/keyring.h"

#include <ftw.h>
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

struct scene {
    char base[64];
    char directory[80];
    char path[256];
};

static int setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    *state = scene;
    (void)snprintf(scene->base, sizeof(scene->base), "/tmp/quartet-keyring-XXXXXX");
    if (scene == NULL || mkdtemp(scene->base) == NULL) {
        return -1;
    }
    (void)snprintf(scene->directory, sizeof(scene->directory), "%s/keys", scene->base);
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    int rc = nftw(scene->base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(scene);
    return rc;
}

static const char *in(struct scene *scene, const char *name)
{
    (void)snprintf(scene->path, sizeof(scene->path), "%s/%s", scene->directory, name);
    return scene->path;
}

static void make(struct scene *scene)
{
    bool made = false;
    assert_int_equal(keyring_make(scene->directory, &made, NULL), 0);
    assert_true(made);
}

static void add(struct scene *scene, const char *name)
{
    bool made = false;
    assert_int_equal(keyring_add_worker(scene->directory, name, &made, NULL), 0);
    assert_true(made);
}

static unsigned mode_of(struct scene *scene, const char *name)
{
    struct stat info;
    assert_int_equal(stat(in(scene, name), &info), 0);
    return info.st_mode & 07777;
}

static size_t count_listed(struct scene *scene, struct err_text *ret_trouble)
{
    struct key_named *keys = NULL;
    size_t count = 0;
    assert_int_equal(keyring_list(scene->directory, NULL, ret_trouble, &keys, &count), 0);
    free(keys);
    return count;
}

static void test_keyring_is_made_for_its_owner_only(void **state)
{
    struct scene *scene = *state;
    make(scene);
    add(scene, "alpha");
    assert_int_equal(mode_of(scene, "."), 0700);
    assert_int_equal(mode_of(scene, "authorized"), 0700);
    assert_int_equal(mode_of(scene, "workers"), 0700);
    assert_int_equal(mode_of(scene, "coordinator.key"), 0600);
    assert_int_equal(mode_of(scene, "workers/alpha.key"), 0600);
}

static void test_keyring_made_again_keeps_what_is_there(void **state)
{
    struct scene *scene = *state;
    struct key_pair before;
    struct key_pair after;
    struct key_pair worker;
    char name[KEY_NAME_SIZE];
    bool made = true;
    assert_false(keyring_has_workers(scene->directory));
    make(scene);
    add(scene, "alpha");
    assert_true(keyring_has_workers(scene->directory));
    assert_int_equal(keyring_read(scene->directory, NULL, &before), 0);
    assert_int_equal(keyring_read_worker(scene->directory, "alpha", NULL, &worker, name), 0);
    assert_int_equal(keyring_make(scene->directory, &made, NULL), 0);
    assert_false(made);
    assert_int_equal(keyring_add_worker(scene->directory, "alpha", &made, NULL), 0);
    assert_false(made);
    assert_int_equal(keyring_read(scene->directory, NULL, &after), 0);
    assert_memory_equal(&after, &before, sizeof(after));
    assert_int_equal(keyring_read_worker(scene->directory, NULL, NULL, &after, name), 0);
    assert_memory_equal(&after, &worker, sizeof(after));
    assert_string_equal(name, "alpha");
}

static void test_keyring_mends_what_a_crash_left(void **state)
{
    struct scene *scene = *state;
    char there[KEY_TEXT_SIZE];
    struct key_pair pair;
    bool made = true;
    make(scene);
    assert_int_equal(keyring_read(scene->directory, NULL, &pair), 0);
    assert_int_equal(unlink(in(scene, "coordinator.pub")), 0);
    assert_int_equal(keyring_make(scene->directory, &made, NULL), 0);
    assert_false(made);
    assert_int_equal(key_read_public(in(scene, "coordinator.pub"), NULL, there), 0);
    assert_string_equal(there, pair.public_key);
}

static void test_keyring_does_not_authorize_again_what_was_taken_back(void **state)
{
    struct scene *scene = *state;
    struct err_text error = {{0}};
    struct key_pair pair;
    char name[KEY_NAME_SIZE];
    bool made;
    make(scene);
    add(scene, "alpha");
    struct keyring_stamp before = keyring_stamp(scene->directory);
    assert_int_equal(unlink(in(scene, "authorized/alpha.pub")), 0);
    add(scene, "beta"); /* and time has passed for the file system, or it has not */
    struct keyring_stamp after = keyring_stamp(scene->directory);
    assert_true(!keyring_stamp_same(before, after) || before.changed_s == after.changed_s);
    assert_int_equal(keyring_add_worker(scene->directory, "alpha", &made, &error), ERR_INVALID);
    assert_non_null(strstr(error.s, "not authorized"));
    assert_int_equal(keyring_read_worker(scene->directory, "alpha", &error, &pair, name),
                     ERR_INVALID);
    assert_int_equal(keyring_read_worker(scene->directory, NULL, &error, &pair, name), 0);
    assert_string_equal(name, "beta");
}

static void test_keyring_lists_public_keys_only_and_says_what_it_leaves_out(void **state)
{
    struct scene *scene = *state;
    struct err_text trouble = {{0}};
    make(scene);
    add(scene, "alpha");
    add(scene, "beta");
    assert_int_equal(count_listed(scene, &trouble), 2);
    assert_string_equal(trouble.s, "");
    assert_int_equal(secret_write(in(scene, "authorized/README"), "?", SECRET_TRUSTED, false, NULL),
                     0);
    assert_int_equal(count_listed(scene, &trouble), 2);
    assert_string_equal(trouble.s, "");
    assert_int_equal(
        secret_write(in(scene, "authorized/bad.pub"), "no key", SECRET_TRUSTED, false, NULL), 0);
    assert_int_equal(count_listed(scene, &trouble), 2);
    assert_non_null(strstr(trouble.s, "bad.pub"));
    assert_int_equal(unlink(in(scene, "authorized/bad.pub")), 0);
    assert_int_equal(chmod(in(scene, "authorized/beta.pub"), 0666), 0);
    assert_int_equal(count_listed(scene, &trouble), 1);
    assert_non_null(strstr(trouble.s, "beta.pub"));
}

static void test_keyring_that_others_can_write_in_is_refused(void **state)
{
    struct scene *scene = *state;
    struct err_text error = {{0}};
    struct err_text trouble;
    struct key_named *keys = NULL;
    struct key_pair pair;
    size_t count = 0;
    make(scene);
    assert_int_equal(chmod(in(scene, "authorized"), 0777), 0);
    assert_int_equal(keyring_list(scene->directory, &error, &trouble, &keys, &count), ERR_INVALID);
    assert_int_equal(chmod(scene->directory, 0720), 0);
    assert_int_equal(keyring_read(scene->directory, &error, &pair), ERR_INVALID);
    assert_non_null(strstr(error.s, "by others"));
}

static void test_keyring_without_its_list_lets_nobody_in(void **state)
{
    struct scene *scene = *state;
    struct err_text trouble = {{0}};
    make(scene);
    assert_int_equal(rmdir(in(scene, "authorized")), 0);
    assert_int_equal(count_listed(scene, &trouble), 0);
}

static void test_keyring_that_is_missing_is_refused_with_what_to_do(void **state)
{
    struct scene *scene = *state;
    struct err_text error = {{0}};
    struct key_pair pair;
    char name[KEY_NAME_SIZE];
    bool made;
    assert_int_equal(keyring_read(scene->directory, &error, &pair), ERR_INVALID);
    assert_non_null(strstr(error.s, "quartet keygen"));
    make(scene);
    assert_int_equal(keyring_read_worker(scene->directory, NULL, &error, &pair, name), ERR_INVALID);
    assert_non_null(strstr(error.s, "--worker"));
    assert_int_equal(keyring_add_worker(scene->directory, "../x", &made, &error), ERR_INVALID);
    assert_non_null(strstr(error.s, "../x"));
}

static void test_keyring_with_a_public_half_of_somebody_else_is_refused(void **state)
{
    struct scene *scene = *state;
    struct err_text error = {{0}};
    struct key_pair other;
    char name[KEY_NAME_SIZE];
    bool made;
    key_pair_make(&other);
    make(scene);
    add(scene, "alpha");
    assert_int_equal(unlink(in(scene, "authorized/alpha.pub")), 0);
    assert_int_equal(key_write_public(in(scene, "authorized/alpha.pub"), other.public_key, NULL),
                     0);
    assert_int_equal(keyring_read_worker(scene->directory, "alpha", &error, &other, name),
                     ERR_INVALID);
    assert_non_null(strstr(error.s, "not a pair"));
    assert_int_equal(keyring_add_worker(scene->directory, "alpha", &made, &error), ERR_INVALID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_keyring_is_made_for_its_owner_only),
        TEST(test_keyring_made_again_keeps_what_is_there),
        TEST(test_keyring_mends_what_a_crash_left),
        TEST(test_keyring_does_not_authorize_again_what_was_taken_back),
        TEST(test_keyring_lists_public_keys_only_and_says_what_it_leaves_out),
        TEST(test_keyring_that_others_can_write_in_is_refused),
        TEST(test_keyring_without_its_list_lets_nobody_in),
        TEST(test_keyring_that_is_missing_is_refused_with_what_to_do),
        TEST(test_keyring_with_a_public_half_of_somebody_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
