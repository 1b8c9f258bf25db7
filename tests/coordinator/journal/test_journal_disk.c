/* Disks that are full, files that may not grow, and those that cannot be written: the journal ends in
 * words, and what was durable before is. */
#include "coordinator/journal/journal_medium.h"
#include "tests/coordinator/journal/journal_fixture.h"
#include "tests/coordinator/sink/sink_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

/* What the file system is said to be: 0, what it is. */
static uint32_t medium;

int __real_statfs(const char *path, struct statfs *about);
int __wrap_statfs(const char *path, struct statfs *about);

int __wrap_statfs(const char *path, struct statfs *about)
{
    int code = __real_statfs(path, about);
    if (medium != 0) {
        about->f_type = (long)medium;
    }
    return code;
}

static char *directory;
static struct journal_fixture fixture;

static int setup(void **state)
{
    (void)state;
    medium = 0;
    directory = directory_fixture_new();
    journal_fixture_init(&fixture, directory);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char place[600];
    (void)snprintf(place, sizeof(place), "%s/small", directory);
    journal_fixture_deinit(&fixture);
    (void)umount2(place, MNT_DETACH); /* if a test mounted something there and failed */
    directory_fixture_free(directory);
    return 0;
}

/* Commit failures with long reasons until that fails; returns how many groups were durable. */
static uint64_t fill(uint64_t groups_max)
{
    char reason[JOURNAL_REASON_MAX];
    memset(reason, 'x', sizeof(reason));
    reason[sizeof(reason) - 1] = '\0';
    for (uint64_t group = 0; group < groups_max; group++) {
        for (uint64_t i = 0; i < 20; i++) {
            journal_fixture_failed(&fixture, 40 * group + 2 * i, reason);
        }
        if (!journal_fixture_commit(&fixture, false)) {
            return group;
        }
    }
    fail_msg("it was never full");
    return 0;
}

/* The journal has failed like this, and takes nothing any more. */
static void assert_failed(const char *words)
{
    struct err_text error;
    assert_int_equal(journal_error(fixture.journal, &error), ERR_IO);
    if (strstr(error.s, words) == NULL || strstr(error.s, fixture.path) == NULL) {
        fail_msg("no '%s' in: %s", words, error.s);
    }
    assert_int_equal(journal_note_done(fixture.journal, 999999, 1), 0);
    assert_false(journal_can_close(fixture.journal));
    journal_close_group(fixture.journal, &fixture.counts, &fixture.input, true); /* does nothing */
}

static void assert_groups(uint64_t groups)
{
    struct journal_state back;
    journal_fixture_open(&fixture, &back);
    assert_int_equal(back.done.members, 20 * groups);
    assert_int_equal(back.counts.tally.failed, 20 * groups);
    journal_state_deinit(&back);
    journal_fixture_close(&fixture);
}

static void test_journal_says_that_the_disk_is_full(void **state)
{
    (void)state;
    char place[600];
    (void)snprintf(place, sizeof(place), "%s/small", directory);
    assert_int_equal(mkdir(place, 0700), 0);
    if (mount("none", place, "tmpfs", 0, "size=256k") != 0) {
        print_message("no file system can be mounted here (%s): not tested\n", strerror(errno));
        skip();
    }
    (void)snprintf(fixture.path, sizeof(fixture.path), "%s/journal", place);
    journal_fixture_create(&fixture);
    uint64_t durable = fill(1000);
    assert_true(durable > 0);
    assert_failed("full");
    journal_fixture_close(&fixture);
    assert_int_equal(mount("none", place, NULL, MS_REMOUNT, "size=2m"), 0);
    assert_groups(durable);
    assert_int_equal(umount2(place, MNT_DETACH), 0);
}

static void test_journal_says_that_there_is_no_room_to_begin(void **state)
{
    (void)state;
    char place[600];
    struct err_text error;
    (void)snprintf(place, sizeof(place), "%s/small", directory);
    assert_int_equal(mkdir(place, 0700), 0);
    if (mount("none", place, "tmpfs", 0, "size=16k") != 0) {
        print_message("no file system can be mounted here (%s): not tested\n", strerror(errno));
        skip();
    }
    (void)snprintf(fixture.path, sizeof(fixture.path), "%s/journal", place);
    assert_int_equal(journal_create(&fixture.options, "job", 1, &error, &fixture.journal), ERR_IO);
    assert_non_null(strstr(error.s, "full"));
    assert_int_equal(access(fixture.path, F_OK), -1); /* nothing is left behind */
    assert_int_equal(umount2(place, MNT_DETACH), 0);
}

static void test_journal_says_that_its_file_may_not_grow(void **state)
{
    (void)state;
    struct rlimit before;
    journal_fixture_create(&fixture);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit small = {200 * 1024, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    uint64_t durable = fill(1000); /* and SIGXFSZ does not end this */
    assert_failed("File too large");
    journal_fixture_close(&fixture);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(durable > 0);
    assert_groups(durable);
}

/* Root may write everything: be somebody else for a while. */
static void test_journal_says_that_its_file_cannot_be_written(void **state)
{
    (void)state;

    enum { NOBODY = 65534 };
    const struct interval none[1] = {{0, 0}};
    journal_fixture_create(&fixture);
    journal_fixture_close(&fixture);
    assert_int_equal(chmod(fixture.path, 0444), 0);
    assert_int_equal(chmod(directory, 0755), 0);
    if (geteuid() == 0) {
        assert_int_equal(seteuid(NOBODY), 0);
        journal_fixture_refused(&fixture, ERR_IO, "read-only");
        fixture.options.path = path_fixture(directory, "new");
        struct err_text error;
        assert_int_equal(journal_create(&fixture.options, "job", 1, &error, &fixture.journal),
                         ERR_IO);
        assert_non_null(strstr(error.s, "Permission denied"));
        fixture.options.path = fixture.path;
        assert_int_equal(seteuid(0), 0);
    } else {
        journal_fixture_refused(&fixture, ERR_IO, "read-only");
    }
    assert_int_equal(chmod(fixture.path, 0644), 0);
    journal_fixture_assert_done(&fixture, none, 0);
}

static bool has_log(void)
{
    char log[720];
    (void)snprintf(log, sizeof(log), "%s-wal", fixture.path);
    return access(log, F_OK) == 0;
}

/* Where other machines may write too, and where a journal came from or goes to. */
static void test_journal_has_no_log_on_a_network_file_system(void **state)
{
    (void)state;

    enum { NFS = 0x6969 };
    const struct interval done[] = {{0, 3}};
    struct journal_state back;
    medium = NFS;
    assert_true(journal_medium_is_shared(directory));
    journal_fixture_create(&fixture);
    journal_fixture_ok(&fixture, 0, 1);
    assert_true(journal_fixture_commit(&fixture, false));
    assert_false(has_log());
    journal_fixture_close(&fixture);

    medium = 0;
    assert_false(journal_medium_is_shared(directory));
    journal_fixture_open(&fixture, &back);
    journal_state_deinit(&back);
    journal_fixture_ok(&fixture, 1, 1);
    assert_true(journal_fixture_commit(&fixture, false));
    assert_true(has_log());
    journal_fixture_close(&fixture);

    medium = NFS;
    journal_fixture_open(&fixture, &back);
    journal_state_deinit(&back);
    journal_fixture_ok(&fixture, 2, 1);
    assert_true(journal_fixture_commit(&fixture, false));
    assert_false(has_log());
    journal_fixture_close(&fixture);
    char rollback[720];
    (void)snprintf(rollback, sizeof(rollback), "%s-journal", fixture.path);
    assert_int_equal(access(rollback, F_OK), -1);
    journal_fixture_assert_done(&fixture, done, 1);
    assert_true(journal_medium_is_shared("/no/such/file"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_journal_says_that_the_disk_is_full),
        TEST(test_journal_says_that_there_is_no_room_to_begin),
        TEST(test_journal_says_that_its_file_may_not_grow),
        TEST(test_journal_says_that_its_file_cannot_be_written),
        TEST(test_journal_has_no_log_on_a_network_file_system),
    };
    return cmocka_run_group_tests_name("journal_disk", tests, NULL, NULL);
}
