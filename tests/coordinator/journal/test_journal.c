/* The journal as its owner uses it: what was noted comes back, what is wrong is refused in words. */
#include "tests/coordinator/journal/journal_fixture.h"
#include "tests/coordinator/sink/sink_fixture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char *directory;
static struct journal_fixture fixture;

static int setup(void **state)
{
    (void)state;
    directory = directory_fixture_new();
    journal_fixture_init(&fixture, directory);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    journal_fixture_deinit(&fixture);
    directory_fixture_free(directory);
    return 0;
}

static const char *beside(const char *ending)
{
    static char path[720];
    (void)snprintf(path, sizeof(path), "%s%s", fixture.path, ending);
    return path;
}

static void test_journal_gives_back_what_was_noted(void **state)
{
    (void)state;
    struct journal_state back;
    journal_fixture_create(&fixture);
    journal_fixture_ok(&fixture, 0, 10);
    journal_fixture_failed(&fixture, 20, "exit status 3");
    fixture.counts.tally.bytes_out = UINT64_MAX;
    fixture.counts.elapsed_us = 5;
    fixture.counts.retried = 6;
    fixture.counts.items_retried = 7;
    fixture.counts.duplicates = 8;
    fixture.counts.workers_lost = 9;
    fixture.input.final = true;
    assert_true(journal_fixture_commit(&fixture, false));
    journal_fixture_close(&fixture);

    struct journal_counts counts = fixture.counts;
    journal_fixture_open(&fixture, &back);
    assert_string_equal(back.job, "squares");
    assert_int_equal(back.job_id, 77);
    assert_int_equal(back.resumed, 0);
    assert_false(back.complete);
    assert_int_equal(back.done.members, 11);
    assert_true(interval_covers(&back.done, 0, 10) && interval_contains(&back.done, 20));
    assert_memory_equal(&back.counts, &counts, sizeof(counts));
    assert_int_equal(back.input.items, fixture.input.items);
    assert_true(back.input.final);
    assert_int_equal(back.failure_count, 1);
    assert_int_equal(back.failures[0].index, 20);
    assert_int_equal(back.failures[0].attempt, 2);
    assert_string_equal(back.failures[0].reason, "exit status 3");
    assert_int_equal(back.cut_count, 0);
    assert_int_equal(back.waiting_count, 0);
    journal_state_deinit(&back);
}

static void test_journal_knows_how_often_it_was_resumed(void **state)
{
    (void)state;
    struct journal_state back;
    journal_fixture_create(&fixture);
    journal_fixture_close(&fixture);
    for (uint32_t i = 0; i < 3; i++) {
        journal_fixture_open(&fixture, &back);
        assert_int_equal(back.resumed, i);
        assert_int_equal(back.done.count, 0);
        journal_state_deinit(&back);
        journal_fixture_close(&fixture);
    }
}

static void test_journal_of_a_complete_job_stays_as_it_is(void **state)
{
    (void)state;
    struct journal_state back;
    size_t before_len;
    size_t after_len;
    journal_fixture_create(&fixture);
    assert_true(journal_fixture_commit(&fixture, true)); /* an empty group */
    journal_fixture_close(&fixture);
    char *before = read_fixture(fixture.path, &before_len);
    journal_fixture_open(&fixture, &back);
    assert_true(back.complete);
    journal_state_deinit(&back);
    journal_fixture_close(&fixture);
    char *after = read_fixture(fixture.path, &after_len);
    assert_int_equal(after_len, before_len);
    assert_memory_equal(after, before, before_len);
    free(before);
    free(after);
}

static void test_journal_closes_groups_one_at_a_time(void **state)
{
    (void)state;
    journal_fixture_create(&fixture);
    assert_int_equal(journal_group(fixture.journal), 1);
    assert_int_equal(journal_durable(fixture.journal), 0);
    assert_false(journal_can_close(fixture.journal)); /* nothing to close */
    journal_fixture_ok(&fixture, 5, 1);
    assert_true(journal_can_close(fixture.journal));
    assert_true(journal_fixture_commit(&fixture, false));
    assert_int_equal(journal_group(fixture.journal), 2);
    assert_int_equal(journal_durable(fixture.journal), 1);
    assert_false(journal_can_close(fixture.journal));
}

static void test_journal_waits_for_the_mark_of_the_sink(void **state)
{
    (void)state;
    struct sink_mark mark = {.number = 1};
    struct journal_state back;
    fixture.has_sink = true;
    journal_fixture_create(&fixture);
    journal_fixture_ok(&fixture, 0, 5);
    journal_close_group(fixture.journal, &fixture.counts, &fixture.input, false);
    journal_fixture_ok(&fixture, 5, 5);
    assert_false(journal_can_close(fixture.journal)); /* the first is under way */
    assert_int_equal(journal_durable(fixture.journal), 0);
    journal_marked(fixture.journal, &mark);
    assert_true(journal_fixture_wait(&fixture, 1));
    assert_true(journal_can_close(fixture.journal));
    journal_close_group(fixture.journal, &fixture.counts, &fixture.input, false);
    journal_fixture_close(&fixture); /* its mark never comes */
    journal_fixture_open(&fixture, &back);
    assert_int_equal(back.done.members, 5);
    assert_int_equal(back.counts.tally.ok, 5);
    journal_state_deinit(&back);
}

static void test_journal_refuses_what_is_done_already(void **state)
{
    (void)state;
    struct journal_state back;
    journal_fixture_create(&fixture);
    journal_fixture_ok(&fixture, 10, 10);
    assert_int_equal(journal_note_done(fixture.journal, 19, 2), ERR_INVALID); /* in the group */
    assert_true(journal_fixture_commit(&fixture, false));
    assert_int_equal(journal_note_done(fixture.journal, 10, 1), ERR_INVALID); /* before it */
    journal_fixture_close(&fixture);
    journal_fixture_open(&fixture, &back);
    journal_state_deinit(&back);
    assert_int_equal(journal_note_done(fixture.journal, 5, 6), ERR_INVALID); /* in an earlier run */
    assert_int_equal(journal_note_done(fixture.journal, 5, 0), ERR_INVALID);
    assert_int_equal(journal_note_done(fixture.journal, UINT64_MAX, 1), ERR_INVALID);
    assert_int_equal(journal_note_done(fixture.journal, 0, UINT64_MAX), ERR_INVALID);
    assert_int_equal(journal_note_failed(fixture.journal, 5, 1, "no luck", 7), ERR_INVALID);
    assert_false(journal_can_close(fixture.journal)); /* nothing of these was noted */
    journal_fixture_ok(&fixture, 5, 5);
}

static void test_journal_rows_follow_the_gaps(void **state)
{
    (void)state;
    const struct interval all = {0, 300};
    struct stat before;
    struct stat after;
    journal_fixture_create(&fixture);
    for (uint64_t i = 1; i < 300; i += 2) { /* every second one, then those between */
        journal_fixture_ok(&fixture, i, 1);
    }
    assert_true(journal_fixture_commit(&fixture, false));
    journal_fixture_close(&fixture);
    assert_int_equal(stat(fixture.path, &before), 0);
    struct journal_state back;
    journal_fixture_open(&fixture, &back);
    assert_int_equal(back.done.count, 150);
    journal_state_deinit(&back);
    for (uint64_t i = 0; i < 300; i += 2) {
        journal_fixture_ok(&fixture, i, 1);
        assert_true(journal_fixture_commit(&fixture, false));
    }
    journal_fixture_close(&fixture);
    assert_int_equal(stat(fixture.path, &after), 0);
    assert_true(after.st_size <= before.st_size);
    journal_fixture_assert_done(&fixture, &all, 1);
}

static void test_journal_keeps_reasons_to_one_short_line(void **state)
{
    (void)state;
    char reason[1000];
    struct journal_state back;
    journal_fixture_create(&fixture);
    memset(reason, 'x', sizeof(reason));
    reason[999] = '\0';
    reason[1] = '\n';
    journal_fixture_failed(&fixture, 3, reason);
    journal_fixture_failed(&fixture, 2, "");
    for (uint64_t i = 10; i < 300; i++) {
        journal_fixture_failed(&fixture, i, reason + 2);
    }
    assert_true(journal_fixture_commit(&fixture, false));
    journal_fixture_close(&fixture);
    journal_fixture_open(&fixture, &back);
    assert_int_equal(back.failure_count, 5);
    assert_int_equal(back.failures[0].index, 2);
    assert_string_equal(back.failures[0].reason, "");
    assert_int_equal(back.failures[1].index, 3);
    assert_int_equal(strlen(back.failures[1].reason), JOURNAL_REASON_MAX - 1);
    assert_int_equal(back.failures[1].reason[1], '?');
    assert_int_equal(back.failures[4].index, 12);
    journal_state_deinit(&back);
}

static void test_journal_leaves_one_file_behind(void **state)
{
    (void)state;
    journal_fixture_create(&fixture);
    journal_fixture_ok(&fixture, 0, 1);
    assert_true(journal_fixture_commit(&fixture, false));
    assert_int_equal(access(beside("-wal"), F_OK), 0);  /* or this test shows nothing */
    assert_int_equal(access(beside("-shm"), F_OK), -1); /* not even now */
    journal_fixture_close(&fixture);
    assert_int_equal(access(beside("-wal"), F_OK), -1);
    assert_int_equal(access(beside("-journal"), F_OK), -1);
    assert_int_equal(access(fixture.path, F_OK), 0);
}

static void test_journal_keeps_its_log_short(void **state)
{
    (void)state;
    struct stat status;
    journal_fixture_create(&fixture);
    for (uint64_t i = 0; i < 1000; i++) {
        journal_fixture_ok(&fixture, i, 1);
        assert_true(journal_fixture_commit(&fixture, false));
    }
    assert_int_equal(stat(beside("-wal"), &status), 0);
    assert_true(status.st_size < 8 * 1024 * 1024);
}

/* What the other process does: this program with "open PATH". */
static int try_open(const char *path)
{
    struct err_text error;
    struct journal *journal;
    struct journal_state back;
    const struct journal_options options = {.path = path};
    return journal_open(&options, &error, &journal, &back) == ERR_BUSY ? 0 : 1;
}

/* Also by one process of two: locks are a process's. */
static void test_journal_is_had_by_one(void **state)
{
    (void)state;
    journal_fixture_create(&fixture);
    journal_fixture_refused(&fixture, ERR_BUSY, "in use");
    pid_t child;
    char name[] = "test_journal";
    char word[] = "open";
    char *arguments[] = {name, word, fixture.path, NULL};
    assert_int_equal(posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, environ), 0);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    journal_fixture_ok(&fixture, 0, 1);
    assert_true(journal_fixture_commit(&fixture, false));
}

static void assert_not_created(int code, const char *words)
{
    struct err_text error = {""};
    struct journal *journal = NULL;
    int actual = journal_create(&fixture.options, "job", 1, &error, &journal);
    if (actual != code || strstr(error.s, words) == NULL) {
        fail_msg("%d, and not %d with '%s': %s", actual, code, words, error.s);
    }
    assert_null(journal);
}

static void test_journal_takes_no_file_that_is_there(void **state)
{
    (void)state;
    journal_fixture_create(&fixture);
    assert_not_created(ERR_BUSY, "quartet resume");
    journal_fixture_close(&fixture);
    assert_not_created(ERR_BUSY, "quartet resume");
    write_fixture(fixture.path, "dear diary");
    assert_not_created(ERR_BUSY, "is no journal");
    char *text = read_fixture(fixture.path, NULL);
    assert_string_equal(text, "dear diary");
    free(text);
    write_fixture(fixture.path, "");
    assert_not_created(ERR_BUSY, "is no journal");
    fixture.options.path = directory;
    assert_not_created(ERR_BUSY, "is no journal");
    fixture.options.path = path_fixture(directory, "no/journal");
    assert_not_created(ERR_IO, "No such file");
}

static void test_journal_takes_a_job_of_some_length(void **state)
{
    (void)state;
    struct err_text error;
    struct journal_state back;
    char *job = malloc(JOURNAL_JOB_MAX + 2);
    assert_non_null(job);
    memset(job, 'j', JOURNAL_JOB_MAX + 1);
    job[JOURNAL_JOB_MAX + 1] = '\0';
    assert_int_equal(journal_create(&fixture.options, job, 1, &error, &fixture.journal),
                     ERR_INVALID);
    assert_int_equal(journal_create(&fixture.options, "", 1, &error, &fixture.journal),
                     ERR_INVALID);
    assert_int_equal(access(fixture.path, F_OK), -1);
    job[JOURNAL_JOB_MAX] = '\0';
    assert_int_equal(journal_create(&fixture.options, job, UINT64_MAX, &error, &fixture.journal),
                     0);
    journal_fixture_close(&fixture);
    journal_fixture_open(&fixture, &back);
    assert_string_equal(back.job, job);
    assert_int_equal(back.job_id, UINT64_MAX);
    journal_state_deinit(&back);
    free(job);
}

static void test_journal_refuses_what_is_none(void **state)
{
    (void)state;
    journal_fixture_refused(&fixture, ERR_NOT_FOUND, "No such file");
    write_fixture(fixture.path, "");
    journal_fixture_refused(&fixture, ERR_INVALID, "is empty");
    write_fixture(fixture.path, "dear diary");
    journal_fixture_refused(&fixture, ERR_INVALID, "no journal");
    assert_int_equal(unlink(fixture.path), 0);
    assert_int_equal(mkdir(fixture.path, 0700), 0);
    journal_fixture_refused(&fixture, ERR_INVALID, "a directory");
    assert_int_equal(rmdir(fixture.path), 0);
    assert_int_equal(mkfifo(fixture.path, 0600), 0);
    journal_fixture_refused(&fixture, ERR_INVALID, "no regular file");
}

/* What was written beside a journal that was removed is not taken for the new one's. */
static void test_journal_begins_anew_beside_an_old_log(void **state)
{
    (void)state;
    const struct interval done = {50, 60};
    journal_fixture_create(&fixture);
    journal_fixture_ok(&fixture, 0, 1);
    assert_true(journal_fixture_commit(&fixture, false));
    journal_fixture_copy(beside("-wal"), path_fixture(directory, "old"), SIZE_MAX);
    journal_fixture_close(&fixture);
    assert_int_equal(unlink(fixture.path), 0);
    assert_int_equal(rename(path_fixture(directory, "old"), beside("-wal")), 0);
    fixture.counts = (struct journal_counts){0};
    journal_fixture_create(&fixture);
    journal_fixture_ok(&fixture, 50, 10);
    assert_true(journal_fixture_commit(&fixture, false));
    journal_fixture_close(&fixture);
    journal_fixture_assert_done(&fixture, &done, 1);
}

/* The process died while it made the tables: SQLite takes back what it had begun to write. */
static void test_journal_that_was_not_made_to_an_end_is_empty(void **state)
{
    (void)state;
    /* A rollback journal that says the file had no pages of 4096 bytes. */
    static const unsigned char head[28] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7, 0, 0,
                                           0,    0,    1,    2,    3,    4,    0,    0,    0, 0,
                                           0,    0,    0x02, 0,    0,    0,    0x10, 0};
    char rollback[512] = {0};
    memcpy(rollback, head, sizeof(head));
    journal_fixture_create(&fixture);
    journal_fixture_close(&fixture);
    journal_fixture_copy(fixture.path, path_fixture(directory, "part"), 8192);
    assert_int_equal(rename(path_fixture(directory, "part"), fixture.path), 0);
    FILE *file = fopen(beside("-journal"), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(rollback, 1, sizeof(rollback), file), sizeof(rollback));
    assert_int_equal(fclose(file), 0);
    journal_fixture_refused(&fixture, ERR_INVALID, "is empty");
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        return try_open(argv[2]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_journal_gives_back_what_was_noted, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_journal_knows_how_often_it_was_resumed, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_journal_of_a_complete_job_stays_as_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(test_journal_closes_groups_one_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_journal_waits_for_the_mark_of_the_sink, setup, teardown),
        cmocka_unit_test_setup_teardown(test_journal_refuses_what_is_done_already, setup, teardown),
        cmocka_unit_test_setup_teardown(test_journal_rows_follow_the_gaps, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_journal_keeps_reasons_to_one_short_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_journal_leaves_one_file_behind, setup, teardown),
        cmocka_unit_test_setup_teardown(test_journal_keeps_its_log_short, setup, teardown),
        cmocka_unit_test_setup_teardown(test_journal_is_had_by_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_journal_takes_no_file_that_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_journal_takes_a_job_of_some_length, setup, teardown),
        cmocka_unit_test_setup_teardown(test_journal_refuses_what_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_journal_begins_anew_beside_an_old_log, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_journal_that_was_not_made_to_an_end_is_empty, setup, teardown),
    };
    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
