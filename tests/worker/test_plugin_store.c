/* Where plugins are kept, and how one gets there: what is used again, what is fetched anew, and that
 * nothing is left of what went wrong. */
#include "common/base/check.h"
#include "common/wire/wire.h"
#include "worker/plugin_store.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATH_SIZE = 256, SIZE = 3 * 1024 * 1024 + 7 };

struct rig {
    char base[PATH_SIZE];  /* a directory of the test's own: the cache */
    char above[PATH_SIZE]; /* base/quartet */
    char directory[PATH_SIZE];
    struct plugin_store *store;
    unsigned char *bytes; /* of the plugin */
    unsigned char hash[HASH_SIZE];
};

static void make_plugin(struct rig *rig)
{
    struct hash *hash = hash_new();
    rig->bytes = malloc(SIZE);
    CHECK(rig->bytes != NULL && hash != NULL);
    for (size_t i = 0; i < SIZE; i++) {
        rig->bytes[i] = (unsigned char)(i ^ i >> 8);
    }
    hash_add(hash, rig->bytes, SIZE);
    hash_finish(hash, rig->hash);
    hash_free(hash);
}

static struct plugin_store *open_store(const char *cache_home, const char *home, const char *tmp)
{
    const struct plugin_store_places places = {
        .cache_home = cache_home, .home = home, .temporary = tmp};
    struct err_text error = {{0}};
    struct plugin_store *store = NULL;
    if (plugin_store_new(&places, &error, &store) != 0) {
        fail_msg("%s", error.s);
    }
    return store;
}

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    CHECK(rig != NULL);
    (void)snprintf(rig->base, PATH_SIZE, "/tmp/quartet-test-XXXXXX");
    CHECK(mkdtemp(rig->base) != NULL);
    (void)snprintf(rig->above, PATH_SIZE, "%.64s/quartet", rig->base);
    (void)snprintf(rig->directory, PATH_SIZE, "%.64s/quartet/plugins", rig->base);
    make_plugin(rig);
    rig->store = open_store(rig->base, NULL, NULL);
    *state = rig;
    return 0;
}

/* How many files a directory has; the first one's name. */
static size_t list(const char *path, char ret_first[PATH_SIZE])
{
    size_t count = 0;
    DIR *directory = opendir(path);
    const struct dirent *entry;
    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && count++ == 0) {
            (void)snprintf(ret_first, PATH_SIZE, "%.100s", entry->d_name);
        }
    }
    (void)closedir(directory);
    return count;
}

static size_t count_files(const struct rig *rig)
{
    char first[PATH_SIZE];
    return list(rig->directory, first);
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    char command[PATH_SIZE];
    plugin_store_free(rig->store);
    (void)snprintf(command, sizeof(command), "rm -rf '%.64s'", rig->base);
    (void)!system(command);
    free(rig->bytes);
    free(rig);
    return 0;
}

static struct plugin_fetch *begin(const struct rig *rig)
{
    struct plugin_fetch *fetch = NULL;
    assert_int_equal(plugin_fetch_new(rig->store, rig->hash, SIZE, &fetch), 0);
    return fetch;
}

/* Answer every question as an honest coordinator would. Returns how many parts were asked for. */
static size_t go_to_the_end(const struct rig *rig, struct plugin_fetch *fetch)
{
    size_t parts = 0;
    for (;;) {
        uint64_t offset = plugin_fetch_offset(fetch);
        size_t left = SIZE - (size_t)offset;
        switch (plugin_fetch_state(fetch)) {
        case PLUGIN_CHECKING:
            plugin_fetch_step(fetch);
            break;
        case PLUGIN_WANTED:
            parts++;
            plugin_fetch_part(
                fetch, offset, rig->bytes + offset, left < WIRE_PART_MAX ? left : WIRE_PART_MAX);
            break;
        default:
            return parts;
        }
    }
}

static void assert_there(const struct rig *rig, const struct plugin_fetch *fetch)
{
    assert_int_equal(plugin_fetch_state(fetch), PLUGIN_THERE);
    unsigned char *bytes = malloc(SIZE + 1);
    FILE *file = fopen(plugin_fetch_path(fetch), "rb");
    assert_true(file != NULL && bytes != NULL);
    assert_int_equal(fread(bytes, 1, SIZE + 1, file), SIZE);
    assert_memory_equal(bytes, rig->bytes, SIZE);
    assert_int_equal(fclose(file), 0);
    free(bytes);
}

/* Put the plugin into the store. */
static void keep(const struct rig *rig)
{
    struct plugin_fetch *fetch = begin(rig);
    (void)go_to_the_end(rig, fetch);
    assert_there(rig, fetch);
    plugin_fetch_free(fetch);
}

static void assert_failed(const struct rig *rig, const struct plugin_fetch *fetch, const char *why)
{
    assert_int_equal(plugin_fetch_state(fetch), PLUGIN_FAILED);
    if (strstr(plugin_fetch_error(fetch), why) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", plugin_fetch_error(fetch), why);
    }
    assert_int_equal(count_files(rig), 0);
}

/* --- a plugin on its way --- */

static void test_plugin_is_put_together_from_parts(void **state)
{
    const struct rig *rig = *state;
    struct plugin_fetch *fetch = begin(rig);
    assert_int_equal(plugin_fetch_state(fetch), PLUGIN_WANTED);
    assert_int_equal(go_to_the_end(rig, fetch), 4);
    assert_there(rig, fetch);
    assert_int_equal(count_files(rig), 1);
    struct stat status;
    assert_int_equal(stat(plugin_fetch_path(fetch), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0400);
    plugin_fetch_free(fetch);
    assert_int_equal(count_files(rig), 1);
}

static void test_plugin_is_fetched_only_once(void **state)
{
    const struct rig *rig = *state;
    keep(rig);
    struct plugin_fetch *fetch = begin(rig);
    assert_int_equal(plugin_fetch_state(fetch), PLUGIN_CHECKING);
    assert_int_equal(go_to_the_end(rig, fetch), 0);
    assert_there(rig, fetch);
    plugin_fetch_free(fetch);
}

/* Change one byte of the file that is there; `at` SIZE: make it shorter. */
static void damage(const struct rig *rig, size_t at)
{
    char name[PATH_SIZE];
    char path[2 * PATH_SIZE];
    assert_int_equal(list(rig->directory, name), 1);
    (void)snprintf(path, sizeof(path), "%.100s/%.100s", rig->directory, name);
    assert_int_equal(chmod(path, 0600), 0);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    if (at == SIZE) {
        assert_int_equal(ftruncate(fileno(file), SIZE - 1), 0);
    } else {
        assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
        assert_int_equal(fputc(rig->bytes[at] ^ 1, file), rig->bytes[at] ^ 1);
    }
    assert_int_equal(fclose(file), 0);
}

static void test_plugin_that_is_damaged_is_fetched_anew(void **state)
{
    const struct rig *rig = *state;
    const size_t places[] = {0, SIZE / 2, SIZE - 1, SIZE};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        keep(rig);
        damage(rig, places[i]);
        struct plugin_fetch *fetch = begin(rig);
        assert_int_equal(go_to_the_end(rig, fetch), 4);
        assert_there(rig, fetch);
        plugin_fetch_free(fetch);
        assert_int_equal(count_files(rig), 1);
    }
}

static void test_plugin_under_a_link_is_not_followed(void **state)
{
    const struct rig *rig = *state;
    keep(rig);
    char name[PATH_SIZE];
    char path[2 * PATH_SIZE];
    char elsewhere[2 * PATH_SIZE];
    assert_int_equal(list(rig->directory, name), 1);
    (void)snprintf(path, sizeof(path), "%.100s/%.100s", rig->directory, name);
    (void)snprintf(elsewhere, sizeof(elsewhere), "%.100s/elsewhere", rig->base);
    assert_int_equal(rename(path, elsewhere), 0);
    assert_int_equal(symlink(elsewhere, path), 0);

    struct plugin_fetch *fetch = begin(rig);
    assert_int_equal(plugin_fetch_state(fetch), PLUGIN_WANTED);
    assert_int_equal(go_to_the_end(rig, fetch), 4);
    assert_there(rig, fetch);
    struct stat status;
    assert_int_equal(lstat(path, &status), 0);
    assert_true(S_ISREG(status.st_mode));
    plugin_fetch_free(fetch);
}

static void test_plugin_with_another_hash_is_refused(void **state)
{
    struct rig *rig = *state;
    struct plugin_fetch *fetch = begin(rig);
    rig->bytes[SIZE - 1] ^= 1;
    assert_int_equal(go_to_the_end(rig, fetch), 4);
    assert_failed(rig, fetch, "and sent another, ");
    plugin_fetch_free(fetch);
}

static void test_plugin_with_a_part_beyond_its_end_is_refused(void **state)
{
    const struct rig *rig = *state;
    struct plugin_fetch *fetch = begin(rig);
    plugin_fetch_part(fetch, 0, rig->bytes, WIRE_PART_MAX + 1);
    assert_failed(rig, fetch, "sent 1048577 bytes from 0 on of a plugin that has 3145735");
    plugin_fetch_free(fetch);

    fetch = begin(rig);
    for (uint64_t at = 0; at < 3 * (uint64_t)WIRE_PART_MAX; at += WIRE_PART_MAX) {
        plugin_fetch_part(fetch, at, rig->bytes + at, WIRE_PART_MAX);
    }
    plugin_fetch_part(fetch, 3 * (uint64_t)WIRE_PART_MAX, rig->bytes, 8);
    assert_failed(rig, fetch, "sent 8 bytes from 3145728 on of a plugin that has 3145735");
    plugin_fetch_free(fetch);
}

static void test_plugin_that_the_coordinator_lost_is_an_error(void **state)
{
    const struct rig *rig = *state;
    struct plugin_fetch *fetch = begin(rig);
    plugin_fetch_part(fetch, 0, rig->bytes, 100);
    plugin_fetch_part(fetch, 100, "", 0);
    assert_failed(rig, fetch, "cannot read the plugin any more (100 of 3145735 bytes came)");
    plugin_fetch_free(fetch);
}

static void test_plugin_passes_over_parts_that_it_did_not_ask_for(void **state)
{
    const struct rig *rig = *state;
    struct plugin_fetch *fetch = begin(rig);
    plugin_fetch_part(fetch, 5, "other", 5);
    plugin_fetch_part(fetch, 0, rig->bytes, 100);
    plugin_fetch_part(fetch, 0, rig->bytes, 100); /* twice */
    assert_int_equal(plugin_fetch_offset(fetch), 100);
    (void)go_to_the_end(rig, fetch);
    assert_there(rig, fetch);
    plugin_fetch_part(fetch, 0, rig->bytes, 100);
    plugin_fetch_step(fetch);
    assert_there(rig, fetch);
    plugin_fetch_free(fetch);
}

static void test_plugin_that_does_not_fit_the_disk_is_an_error_in_words(void **state)
{
    const struct rig *rig = *state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit small = {.rlim_cur = 1500000, .rlim_max = before.rlim_max};
    (void)signal(SIGXFSZ, SIG_IGN);
    struct plugin_fetch *fetch = begin(rig);

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    size_t parts = go_to_the_end(rig, fetch);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);

    assert_int_equal(parts, 2);
    assert_failed(rig, fetch, "(1048576 of 3145735 bytes are there): File too large");
    plugin_fetch_free(fetch);
}

static void test_plugin_whose_directory_went_away_is_an_error_in_words(void **state)
{
    const struct rig *rig = *state;
    struct plugin_fetch *fetch = begin(rig);
    assert_int_equal(rmdir(rig->directory), 0);
    (void)go_to_the_end(rig, fetch);
    assert_int_equal(plugin_fetch_state(fetch), PLUGIN_FAILED);
    assert_non_null(strstr(plugin_fetch_error(fetch), "No such file or directory"));
    plugin_fetch_free(fetch);
}

static void test_plugin_that_is_given_up_leaves_nothing(void **state)
{
    const struct rig *rig = *state;
    struct plugin_fetch *fetch = begin(rig);
    plugin_fetch_part(fetch, 0, rig->bytes, WIRE_PART_MAX);
    assert_int_equal(count_files(rig), 1);
    plugin_fetch_free(fetch);
    assert_int_equal(count_files(rig), 0);
}

static void test_plugin_may_be_fetched_twice_at_a_time(void **state)
{
    const struct rig *rig = *state;
    struct plugin_fetch *one = begin(rig);
    struct plugin_fetch *other = begin(rig);
    struct stat before;
    struct stat after;
    plugin_fetch_part(one, 0, rig->bytes, WIRE_PART_MAX);
    (void)go_to_the_end(rig, other);
    assert_there(rig, other);
    assert_int_equal(stat(plugin_fetch_path(other), &before), 0);
    (void)go_to_the_end(rig, one);
    assert_there(rig, one);
    assert_int_equal(count_files(rig), 1);
    /* The one that was there first stays: it may have been loaded. */
    assert_int_equal(stat(plugin_fetch_path(one), &after), 0);
    assert_int_equal(after.st_ino, before.st_ino);
    plugin_fetch_free(one);
    plugin_fetch_free(other);
}

static void test_plugin_replaces_a_damaged_one_that_came_meanwhile(void **state)
{
    const struct rig *rig = *state;
    const size_t places[] = {SIZE / 2, SIZE};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct plugin_fetch *fetch = NULL;
        char command[2 * PATH_SIZE];
        (void)snprintf(command, sizeof(command), "rm -f '%.100s'/*", rig->directory);
        assert_int_equal(system(command), 0);
        fetch = begin(rig);
        keep(rig);
        damage(rig, places[i]);
        assert_int_equal(plugin_fetch_state(fetch), PLUGIN_WANTED);
        assert_int_equal(go_to_the_end(rig, fetch), 4);
        assert_there(rig, fetch);
        assert_int_equal(count_files(rig), 1);
        plugin_fetch_free(fetch);
    }
}

/* --- the directory --- */

static void test_store_makes_its_directories_for_nobody_else(void **state)
{
    const struct rig *rig = *state;
    struct stat status;
    assert_string_equal(plugin_store_directory(rig->store), rig->directory);
    assert_string_equal(plugin_store_note(rig->store), "");
    assert_int_equal(stat(rig->above, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(stat(rig->directory, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
}

static void test_store_falls_back_to_the_home_directory(void **state)
{
    const struct rig *rig = *state;
    char expected[2 * PATH_SIZE];
    struct plugin_store *store = open_store("relative/path", rig->base, NULL);
    (void)snprintf(expected, sizeof(expected), "%s/.cache/quartet/plugins", rig->base);
    assert_string_equal(plugin_store_directory(store), expected);
    plugin_store_free(store);
    assert_int_equal(access(expected, F_OK), 0);
}

/* The store must be one of its own in rig->base, which says `why`, and goes with it. */
static void assert_own(const struct rig *rig, const char *cache_home, const char *why)
{
    char path[2 * PATH_SIZE];
    struct plugin_store *store = open_store(cache_home, NULL, rig->base);
    (void)snprintf(path, sizeof(path), "%s", plugin_store_directory(store));
    assert_true(strncmp(path, rig->base, strlen(rig->base)) == 0);
    assert_non_null(strstr(path, "/quartet-plugins-"));
    if (strstr(plugin_store_note(store), why) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", plugin_store_note(store), why);
    }
    struct plugin_fetch *fetch = NULL;
    assert_int_equal(plugin_fetch_new(store, rig->hash, SIZE, &fetch), 0);
    (void)go_to_the_end(rig, fetch);
    assert_there(rig, fetch);
    plugin_fetch_free(fetch);
    plugin_store_free(store);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void test_store_without_a_cache_has_a_directory_of_its_own(void **state)
{
    const struct rig *rig = *state;
    assert_own(rig, NULL, "neither XDG_CACHE_HOME nor HOME is an absolute path");
    assert_own(rig, "/proc/self", "cannot make /proc/self/quartet: ");
}

static void test_store_does_not_use_directories_that_others_can_reach(void **state)
{
    const struct rig *rig = *state;
    assert_int_equal(chmod(rig->directory, 0755), 0);
    assert_own(rig, rig->base, "is open to others (mode 0755): chmod 700 it");
    assert_int_equal(chmod(rig->directory, 0700), 0);
    assert_int_equal(chmod(rig->above, 0770), 0);
    assert_own(rig, rig->base, "is open to others (mode 0770)");
}

static void test_store_does_not_use_links_or_files(void **state)
{
    const struct rig *rig = *state;
    char real[2 * PATH_SIZE];
    (void)snprintf(real, sizeof(real), "%s/real", rig->base);
    assert_int_equal(rename(rig->directory, real), 0);
    assert_int_equal(symlink(real, rig->directory), 0);
    assert_own(rig, rig->base, "/quartet/plugins is no directory");
    assert_int_equal(unlink(rig->directory), 0);
    FILE *file = fopen(rig->directory, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_own(rig, rig->base, "/quartet/plugins is no directory");
}

static void test_store_does_not_use_directories_of_another_user(void **state)
{
    const struct rig *rig = *state;
    if (geteuid() != 0) {
        skip(); /* only root can give a directory away */
    }
    assert_int_equal(chown(rig->directory, 1234, (gid_t)-1), 0);
    assert_own(rig, rig->base, "belongs to user 1234, not to this one");
}

static void test_store_does_not_use_a_directory_that_it_cannot_write_to(void **state)
{
    const struct rig *rig = *state;
    if (geteuid() == 0) {
        skip(); /* root can */
    }
    assert_int_equal(chmod(rig->directory, 0500), 0);
    assert_own(rig, rig->base, "cannot write to ");
}

static void test_store_that_can_be_nowhere_is_an_error_in_words(void **state)
{
    (void)state;
    const struct plugin_store_places places = {.temporary = "/proc/self"};
    struct err_text error = {{0}};
    struct plugin_store *store = NULL;
    assert_int_equal(plugin_store_new(&places, &error, &store), ERR_IO);
    assert_non_null(strstr(error.s, "cannot make a directory for plugins in /proc/self: "));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_plugin_is_put_together_from_parts),
        TEST(test_plugin_is_fetched_only_once),
        TEST(test_plugin_that_is_damaged_is_fetched_anew),
        TEST(test_plugin_under_a_link_is_not_followed),
        TEST(test_plugin_with_another_hash_is_refused),
        TEST(test_plugin_with_a_part_beyond_its_end_is_refused),
        TEST(test_plugin_that_the_coordinator_lost_is_an_error),
        TEST(test_plugin_passes_over_parts_that_it_did_not_ask_for),
        TEST(test_plugin_that_does_not_fit_the_disk_is_an_error_in_words),
        TEST(test_plugin_whose_directory_went_away_is_an_error_in_words),
        TEST(test_plugin_that_is_given_up_leaves_nothing),
        TEST(test_plugin_may_be_fetched_twice_at_a_time),
        TEST(test_plugin_replaces_a_damaged_one_that_came_meanwhile),
        TEST(test_store_makes_its_directories_for_nobody_else),
        TEST(test_store_falls_back_to_the_home_directory),
        TEST(test_store_without_a_cache_has_a_directory_of_its_own),
        TEST(test_store_does_not_use_directories_that_others_can_reach),
        TEST(test_store_does_not_use_links_or_files),
        TEST(test_store_does_not_use_directories_of_another_user),
        TEST(test_store_does_not_use_a_directory_that_it_cannot_write_to),
        TEST(test_store_that_can_be_nowhere_is_an_error_in_words),
    };
    return cmocka_run_group_tests_name("plugin store", tests, NULL, NULL);
}
