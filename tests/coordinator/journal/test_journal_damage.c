/* Journals that were cut, or in which a byte has changed: refused in words, or as they were when
 * they were whole, never anything else. */
#include "tests/coordinator/journal/journal_fixture.h"
#include "tests/coordinator/sink/sink_fixture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { PAGE = 4096 };

static char *directory;
static struct journal_fixture fixture;

/* Three groups: what was done after each. */
static const struct interval done[3][3] = {
    {{0, 10}},
    {{0, 10}, {20, 31}},
    {{0, 31}, {40, 41}},
};
static const size_t done_count[3] = {1, 2, 2};

static char whole[720]; /* the file, orderly closed */
static char torn[720];  /* the file as it was with its log beside it, "TORN-wal" */

static void copy_beside(const char *from, const char *to)
{
    char from_log[740];
    char to_log[740];
    (void)snprintf(from_log, sizeof(from_log), "%s-wal", from);
    (void)snprintf(to_log, sizeof(to_log), "%s-wal", to);
    journal_fixture_copy(from, to, SIZE_MAX);
    journal_fixture_copy(from_log, to_log, SIZE_MAX);
}

static int setup_group(void **state)
{
    (void)journal_fixture_in_memory(state);
    directory = directory_fixture_new();
    journal_fixture_init(&fixture, directory);
    (void)snprintf(whole, sizeof(whole), "%s/whole", directory);
    (void)snprintf(torn, sizeof(torn), "%s/torn", directory);
    journal_fixture_create(&fixture);
    journal_fixture_ok(&fixture, 0, 10);
    assert_true(journal_fixture_commit(&fixture, false));
    journal_fixture_ok(&fixture, 20, 10);
    journal_fixture_failed(&fixture, 30, "exit status 7");
    assert_true(journal_fixture_commit(&fixture, false));
    journal_fixture_ok(&fixture, 10, 10);
    journal_fixture_failed(&fixture, 40, "timed out");
    assert_true(journal_fixture_commit(&fixture, false));
    copy_beside(fixture.path, torn);
    journal_fixture_close(&fixture);
    journal_fixture_copy(fixture.path, whole, SIZE_MAX);
    return 0;
}

static int teardown_group(void **state)
{
    (void)state;
    journal_fixture_deinit(&fixture);
    directory_fixture_free(directory);
    return 0;
}

/* After which group is this the state? -1: after none. */
static int group_of(const struct journal_state *back)
{
    for (int i = 0; i < 3; i++) {
        if (back->done.count == done_count[i] &&
            memcmp(back->done.spans, done[i], done_count[i] * sizeof(done[i][0])) == 0 &&
            back->counts.tally.ok + back->counts.tally.failed == back->done.members) {
            return i;
        }
    }
    return back->done.count == 0 && back->counts.tally.ok == 0 ? 3 : -1;
}

/* Try to open; returns the group, or -1 when it was refused, which it must be in words. */
static int try_open(void)
{
    struct err_text error = {""};
    struct journal *journal;
    struct journal_state back;
    int code = journal_open(&fixture.options, &error, &journal, &back);
    if (code != 0) {
        if (code != ERR_INVALID || strstr(error.s, "journal") == NULL) {
            fail_msg("%d: %s", code, error.s);
        }
        return -1;
    }
    int group = group_of(&back);
    assert_string_equal(back.job, "squares");
    assert_true(group >= 0);
    journal_state_deinit(&back);
    journal_close(journal);
    return group;
}

static void flip(const char *path, off_t at, unsigned bit)
{
    unsigned char byte;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte = (unsigned char)(byte ^ (1u << bit));
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    (void)close(fd);
}

static size_t length_of(const char *path)
{
    size_t len;
    free(read_fixture(path, &len));
    return len;
}

static void test_journal_that_was_cut_is_refused(void **state)
{
    (void)state;
    size_t len = length_of(whole);
    for (size_t cut = 0; cut < len; cut += cut < 200 ? 7 : 509) {
        journal_fixture_copy(whole, fixture.path, cut);
        int group = try_open();
        assert_true(group == -1 || (group == 2 && cut > len - PAGE)); /* its last page is empty */
    }
    journal_fixture_copy(whole, fixture.path, len);
    assert_int_equal(try_open(), 2);
}

/* What is in a journal does not come out of it changed: SQLite has no checksums, the seal has. */
static void test_journal_with_a_changed_byte_is_refused_or_right(void **state)
{
    (void)state;
    size_t len;
    size_t refused = 0;
    char *bytes = read_fixture(whole, &len);
    for (size_t at = 0; at < len; at++) {
        if (at % (bytes[at] == 0 ? 331 : at < PAGE ? 5 : 1) != 0) {
            continue; /* pages are mostly empty, and the first is mostly the text of the schema */
        }
        journal_fixture_copy(whole, fixture.path, SIZE_MAX);
        flip(fixture.path, (off_t)at, at % 8);
        int group = try_open();
        assert_true(group == -1 || group == 2);
        refused += group == -1;
    }
    assert_true(refused > 100);
    free(bytes);
}

/* As a crash leaves it, and the log cut anywhere: one of the groups, the last when it is whole. */
static void test_journal_whose_log_was_cut_has_the_groups_before(void **state)
{
    (void)state;
    char log[740];
    char torn_log[740];
    bool seen[4] = {false};
    (void)snprintf(log, sizeof(log), "%s-wal", fixture.path);
    (void)snprintf(torn_log, sizeof(torn_log), "%s-wal", torn);
    size_t len = length_of(torn_log);
    for (size_t cut = 0; cut <= len; cut = cut < len && cut + 997 > len ? len : cut + 997) {
        journal_fixture_copy(torn, fixture.path, SIZE_MAX);
        journal_fixture_copy(torn_log, log, cut);
        int group = try_open();
        assert_true(group >= 0);
        assert_true(cut < len || group == 2);
        seen[group] = true;
    }
    assert_true(seen[3] && seen[0] && seen[1] && seen[2]);
}

static void test_journal_whose_log_has_a_changed_byte_has_the_groups_before(void **state)
{
    (void)state;
    char log[740];
    (void)snprintf(log, sizeof(log), "%s-wal", fixture.path);
    size_t len = 0;
    for (size_t at = 0; at == 0 || at < len; at += 499) {
        copy_beside(torn, fixture.path);
        len = length_of(log);
        flip(log, (off_t)at, at % 8);
        assert_true(try_open() >= 0); /* it has checksums of its own */
    }
}

static void test_journal_refuses_other_databases(void **state)
{
    (void)state;

    /* Where the header has application_id, user_version, and the first byte of the schema's page. */
    enum { APPLICATION_ID = 71, USER_VERSION = 63 };

    journal_fixture_copy(whole, fixture.path, SIZE_MAX);
    flip(fixture.path, APPLICATION_ID, 0);
    journal_fixture_refused(&fixture, ERR_INVALID, "some other database");
    journal_fixture_copy(whole, fixture.path, SIZE_MAX);
    flip(fixture.path, USER_VERSION, 1);
    journal_fixture_refused(&fixture, ERR_INVALID, "of format 3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_journal_that_was_cut_is_refused),
        cmocka_unit_test(test_journal_with_a_changed_byte_is_refused_or_right),
        cmocka_unit_test(test_journal_whose_log_was_cut_has_the_groups_before),
        cmocka_unit_test(test_journal_whose_log_has_a_changed_byte_has_the_groups_before),
        cmocka_unit_test(test_journal_refuses_other_databases),
    };
    return cmocka_run_group_tests_name("journal_damage", tests, setup_group, teardown_group);
}
