/* What holds at a mark, and going on from one: outputs are cut back to it, and nothing is written
 * twice. */
#include "coordinator/journal/journal_batch.h"
#include "coordinator/sink/sink.h"
#include "tests/coordinator/sink/sink_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_close(int fd);
int __wrap_close(int fd);

static atomic_int syncs;
static atomic_bool sync_fails;
static atomic_bool sync_sticks; /* until it is told to go on */
static sem_t stuck;
static sem_t unstick;
static sem_t closed;

int __wrap_fdatasync(int fd)
{
    atomic_fetch_add(&syncs, 1);
    if (atomic_load(&sync_sticks)) {
        (void)sem_post(&stuck);
        while (sem_wait(&unstick) != 0) {
        }
    }
    if (atomic_load(&sync_fails)) {
        errno = EIO;
        return -1;
    }
    return __real_fdatasync(fd);
}

int __wrap_close(int fd)
{
    int code = __real_close(fd);
    (void)sem_post(&closed);
    return code;
}

enum { MARKS_MAX = 16 };

/* The marks that were reached. */
static struct journal_mark marks[MARKS_MAX];
static uint64_t numbers[MARKS_MAX];
static atomic_size_t mark_count;
static sem_t reached;

static char *directory;
static struct sink_options options;
static struct sink *sink;

static void marked(void *arg, const struct sink_mark *mark)
{
    (void)arg;
    size_t at = atomic_load(&mark_count);
    assert_true(at < MARKS_MAX);
    assert_int_equal(journal_mark_copy(mark, &marks[at]), 0);
    numbers[at] = mark->number;
    atomic_store(&mark_count, at + 1);
    (void)sem_post(&reached);
}

static int setup(void **state)
{
    (void)state;
    char *made = directory_fixture_new();
    directory = realpath(made, NULL); /* as places have it */
    free(made);
    atomic_store(&syncs, 0);
    atomic_store(&sync_fails, false);
    atomic_store(&sync_sticks, false);
    (void)sem_init(&stuck, 0, 0);
    (void)sem_init(&unstick, 0, 0);
    (void)sem_init(&closed, 0, 0);
    atomic_store(&mark_count, 0);
    (void)sem_init(&reached, 0, 0);
    options = (struct sink_options){
        .separator = '\n', .format = SINK_RAW, .is_range = true, .marked = marked};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < atomic_load(&mark_count); i++) {
        journal_mark_deinit(&marks[i]);
    }
    directory_fixture_free(directory);
    return 0;
}

static const char *path(const char *name)
{
    return path_fixture(directory, name);
}

/* For options: path() uses few buffers, in turn. */
static const char *lasting_path(const char *name)
{
    static char paths[16][512];
    static unsigned next;
    char *to = paths[next++ % 16];
    (void)snprintf(to, sizeof(paths[0]), "%s", path(name));
    return to;
}

/* Items that each came to their number and a newline; those of `failed` (a digit each, from the
 * first) failed. */
static void put_from(const char *worker, uint64_t first, uint64_t count, const char *failed)
{
    enum { MAX = 10 };
    struct item_fixture items[MAX] = {{0}};
    char texts[MAX][24];
    assert_true(count <= MAX);
    for (uint64_t i = 0; i < count; i++) {
        bool fails = strchr(failed, (char)('0' + i)) != NULL;
        (void)snprintf(texts[i], sizeof(texts[i]), "%d\n", (int)(first + i));
        items[i].record.status = fails ? RECORD_FAILED : RECORD_OK;
        items[i].record.out = fails ? "" : texts[i];
        items[i].record.out_len = fails ? 0 : (uint32_t)strlen(texts[i]);
    }
    struct sink_batch batch = {
        .first = first,
        .count = count,
        .records = records_fixture(items, count),
        .attempt = 1,
        .worker = worker,
        .withhold_failed = true,
    };
    batch.records_len = blob_len(batch.records);
    assert_int_equal(sink_put(sink, &batch), 0);
    blob_unref(batch.records);
}

static void put(uint64_t first, uint64_t count)
{
    put_from("w", first, count, "");
}

static const struct journal_mark *put_mark(uint64_t number)
{
    assert_int_equal(sink_put_mark(sink, number), 0);
    while (sem_wait(&reached) != 0) {
    }
    size_t at = atomic_load(&mark_count) - 1;
    assert_int_equal(numbers[at], number);
    return &marks[at];
}

static void assert_content(const char *name, const char *expected)
{
    char *content = read_fixture(path(name), NULL);
    assert_string_equal(content, expected);
    free(content);
}

static void assert_place(const struct journal_mark *mark, const char *name, uint64_t length)
{
    for (size_t i = 0; i < mark->place_count; i++) {
        if (strcmp(mark->places[i].path, path(name)) == 0) {
            assert_int_equal(mark->places[i].length, length);
            return;
        }
    }
    fail_msg("no place of %s", name);
}

/* The sink that comes after one whose last mark was this. */
static void resume_from(const struct journal_mark *mark)
{
    options.resume = true;
    options.cuts = mark->places;
    options.cut_count = mark->place_count;
    options.next = mark->next;
}

static void assert_refused(int code, const char *words)
{
    struct err_text error;
    struct sink *none = NULL;
    int actual = sink_open(&options, &error, &none);
    assert_null(none);
    if (actual != code || strstr(error.s, words) == NULL) {
        fail_msg("%d, and not %d with '%s': %s", actual, code, words, error.s);
    }
}

/* --- marks --- */

static void test_sink_marks_have_the_lengths_of_files(void **state)
{
    (void)state;
    options.out = lasting_path("out");
    options.failures = lasting_path("failures");
    options.joblog = lasting_path("log");
    sink = open_fixture(&options);
    put(0, 3);
    const struct journal_mark *mark = put_mark(1);
    assert_int_equal(mark->place_count, 3);
    assert_content("out", "0\n1\n2\n"); /* it is written, however little it is */
    assert_place(mark, "out", 6);
    assert_place(mark, "failures", 0);
    assert_int_equal(mark->waiting_count, 0);
    assert_int_equal(mark->next, 0);
    int before = atomic_load(&syncs);
    assert_true(before >= 2); /* out and log */
    (void)put_mark(2);
    assert_int_equal(atomic_load(&syncs), before); /* nothing was written */
    put(3, 1);
    assert_place(put_mark(7), "out", 8);
    close_fixture(sink);
    assert_int_equal(atomic_load(&mark_count), 3);
}

static void test_sink_marks_have_no_place_for_what_cannot_be_cut(void **state)
{
    (void)state;
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    int before = dup(STDOUT_FILENO);
    (void)fflush(stdout);
    assert_int_equal(dup2(pipe_ends[1], STDOUT_FILENO), STDOUT_FILENO);
    options.out = "-";
    options.joblog = "/dev/null";
    sink = open_fixture(&options);
    put(0, 3);
    assert_int_equal(put_mark(1)->place_count, 0);
    close_fixture(sink);
    assert_int_equal(dup2(before, STDOUT_FILENO), STDOUT_FILENO);
    (void)close(before);
    (void)close(pipe_ends[0]);
    (void)close(pipe_ends[1]);
}

static void test_sink_marks_have_what_waits_once(void **state)
{
    (void)state;
    options.out = lasting_path("out");
    options.keep_order = true;
    sink = open_fixture(&options);
    put(5, 2);
    put(0, 1);
    const struct journal_mark *mark = put_mark(1);
    assert_int_equal(mark->next, 1);
    assert_place(mark, "out", 2);
    assert_int_equal(mark->waiting_count, 1);
    assert_int_equal(mark->waiting[0].first, 5);
    assert_int_equal(mark->waiting[0].count, 2);
    assert_false(mark->waiting[0].waited);
    assert_string_equal(mark->waiting[0].worker, "w");
    put(8, 1);
    put(3, 1); /* waits, and does no more at the mark */
    put(1, 2);
    mark = put_mark(2);
    assert_int_equal(mark->next, 4);
    assert_int_equal(mark->waiting_count, 1);
    assert_int_equal(mark->waiting[0].first, 8);
    mark = put_mark(3);
    assert_int_equal(mark->waiting_count, 0);
    put(4, 1);
    mark = put_mark(4);
    assert_int_equal(mark->next, 7);
    assert_place(mark, "out", 14);
    close_fixture(sink);
}

static void test_sink_marks_have_batches_with_holes(void **state)
{
    (void)state;
    options.out = lasting_path("out");
    options.keep_order = true;
    sink = open_fixture(&options);
    put_from("w", 0, 6, "2");
    const struct journal_mark *mark = put_mark(1);
    assert_int_equal(mark->next, 2); /* a part of it is written */
    assert_place(mark, "out", 4);
    assert_int_equal(mark->waiting_count, 1);
    assert_int_equal(mark->waiting[0].count, 6);
    assert_true(mark->waiting[0].withhold_failed);
    put_from("w", 6, 1, "0"); /* all of it is withheld: nothing of it waits */
    assert_int_equal(put_mark(2)->waiting_count, 0);
    put(2, 1);
    assert_int_equal(put_mark(3)->next, 6);
    close_fixture(sink);
}

static void test_sink_marks_are_not_reached_after_a_failure(void **state)
{
    (void)state;
    struct err_text error;
    options.out = "/dev/full";
    options.joblog = lasting_path("log");
    sink = open_fixture(&options);
    put(0, 3);
    assert_int_equal(sink_put_mark(sink, 1), 0);
    assert_int_equal(sink_put_mark(sink, 2), 0);
    assert_int_equal(sink_close(sink, NULL, &error, NULL), ERR_IO);
    assert_int_equal(atomic_load(&mark_count), 0);
}

static void test_sink_fails_when_a_file_cannot_be_synchronised(void **state)
{
    (void)state;
    struct err_text error;
    options.results = lasting_path("results");
    sink = open_fixture(&options);
    put(0, 3);
    atomic_store(&sync_fails, true);
    assert_int_equal(sink_put_mark(sink, 1), 0);
    assert_int_equal(sink_close(sink, NULL, &error, NULL), ERR_IO);
    assert_non_null(strstr(error.s, "Input/output error"));
    assert_int_equal(atomic_load(&mark_count), 0);
}

/* A disk that hangs is left behind with its thread, and the mark with it. */
static void test_sink_tells_of_no_mark_once_it_is_given_up(void **state)
{
    (void)state;
    struct err_text error;
    const atomic_bool abandon = true;
    options.out = lasting_path("out");
    sink = open_fixture(&options);
    put(0, 3);
    atomic_store(&sync_sticks, true);
    assert_int_equal(sink_put_mark(sink, 1), 0);
    while (sem_wait(&stuck) != 0) {
    }
    assert_int_equal(sink_close(sink, &abandon, &error, NULL), ERR_CANCELLED);
    atomic_store(&sync_sticks, false);
    while (sem_trywait(&closed) == 0) { /* what was closed before */
    }
    (void)sem_post(&unstick);
    while (sem_wait(&closed) != 0) { /* the thread is past the mark */
    }
    assert_int_equal(atomic_load(&mark_count), 0);
}

/* More workers than files that are open at once. */
static void test_sink_marks_have_the_files_of_all_workers(void **state)
{
    (void)state;

    enum { WORKERS = 100 };

    char worker[16];
    options.results = lasting_path("results");
    sink = open_fixture(&options);
    for (uint64_t i = 0; i < WORKERS; i++) {
        (void)snprintf(worker, sizeof(worker), "w%d", (int)i);
        put_from(worker, i, 1, "");
    }
    const struct journal_mark *mark = put_mark(1);
    assert_int_equal(mark->place_count, WORKERS);
    assert_int_equal(atomic_load(&syncs), WORKERS);
    for (size_t i = 0; i < WORKERS; i++) {
        struct stat status;
        assert_int_equal(stat(mark->places[i].path, &status), 0);
        assert_true(status.st_size > 0);
        assert_int_equal(status.st_size, mark->places[i].length);
    }
    close_fixture(sink);
}

static void test_sink_with_marks_wants_a_directory_of_its_own(void **state)
{
    (void)state;
    options.results = lasting_path("results");
    options.out = lasting_path("results/out.ndjson"); /* ours */
    assert_int_equal(mkdir(path("results"), 0700), 0);
    write_fixture(path("results/README"), "mine");
    sink = open_fixture(&options);
    close_fixture(sink);
    write_fixture(path("results/w.ndjson"), "{}\n");
    assert_refused(ERR_INVALID, "w.ndjson");
    assert_content("results/w.ndjson", "{}\n");
    options.marked = NULL; /* without, it is nobody's business */
    sink = open_fixture(&options);
    close_fixture(sink);
}

static void test_sink_does_not_write_over_the_journal(void **state)
{
    (void)state;
    write_fixture(path("journal"), "precious");
    options.journal = lasting_path("journal");
    options.joblog = lasting_path("journal");
    assert_refused(ERR_INVALID, "--journal");
    assert_content("journal", "precious");
}

/* --- going on --- */

static void test_sink_goes_on_behind_the_mark(void **state)
{
    (void)state;
    options.out = lasting_path("out");
    options.format = SINK_TSV;
    options.failures = lasting_path("failures");
    options.joblog = lasting_path("log");
    sink = open_fixture(&options);
    put(0, 2);
    const struct journal_mark *mark = put_mark(1);
    close_fixture(sink);
    char *out = read_fixture(path("out"), NULL);
    char *log = read_fixture(path("log"), NULL);

    options.joblog = NULL; /* all of them, or none */
    resume_from(mark);
    assert_refused(ERR_INVALID, "log");
    options.joblog = lasting_path("log");
    for (int i = 0; i < 3; i++) { /* each time what the one before wrote is cut off */
        sink = open_fixture(&options);
        put(2 + (uint64_t)i, 1);
        close_fixture(sink);
        char *now = read_fixture(path("out"), NULL);
        char line[32];
        (void)snprintf(line, sizeof(line), "%d\t%d\tok\t", 2 + i, 2 + i);
        assert_memory_equal(now, out, strlen(out));
        assert_memory_equal(now + strlen(out), line, strlen(line));
        assert_ptr_equal(strchr(now + strlen(out), '\n'), now + strlen(now) - 1);
        free(now);
    }
    char *now = read_fixture(path("log"), NULL);
    assert_memory_equal(now, log, strlen(log));
    assert_null(strstr(now + strlen(log), "Seq")); /* no second header */
    free(now);
    free(out);
    free(log);
}

static void test_sink_goes_on_in_order(void **state)
{
    (void)state;
    options.out = lasting_path("out");
    options.keep_order = true;
    options.joblog = lasting_path("log");
    sink = open_fixture(&options);
    put(4, 2);
    put_from("w", 0, 3, "1");
    put_from("w", 7, 3, "0"); /* 7 is withheld */
    const struct journal_mark *mark = put_mark(1);
    put(1, 1); /* written, and forgotten */
    close_fixture(sink);
    assert_content("out", "0\n1\n2\n4\n5\n8\n9\n");

    resume_from(mark);
    sink = open_fixture(&options);
    for (size_t i = 0; i < mark->waiting_count; i++) {
        struct sink_batch batch = mark->waiting[i];
        batch.waited = true;
        assert_int_equal(sink_put(sink, &batch), 0);
    }
    const struct journal_mark *again = put_mark(1);
    assert_int_equal(again->waiting_count, 0); /* they were told of before */
    assert_int_equal(again->next, 1);
    put(6, 2);
    put(3, 1);
    put(1, 1);
    again = put_mark(2);
    assert_int_equal(again->next, 10);
    close_fixture(sink);
    assert_content("out", "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    char *log = read_fixture(path("log"), NULL);
    size_t lines = 0;
    for (const char *at = log; *at != '\0'; at++) {
        lines += *at == '\n';
    }
    assert_int_equal(lines, 11); /* each once, and the header */
    free(log);
}

static void test_sink_refuses_to_go_on_with_what_has_changed(void **state)
{
    (void)state;
    options.out = lasting_path("out");
    options.failures = lasting_path("failures");
    options.joblog = lasting_path("log");
    sink = open_fixture(&options);
    put(0, 5);
    resume_from(put_mark(1));
    close_fixture(sink);
    write_fixture(path("failures"), "still here");
    assert_int_equal(rename(path("out"), path("kept")), 0);
    assert_refused(ERR_INVALID, "gone");
    assert_int_equal(access(path("out"), F_OK), -1); /* and not made */
    write_fixture(path("out"), "0\n1\n");
    assert_refused(ERR_INVALID, "has 4 bytes, of which 10 were written");
    assert_int_equal(unlink(path("out")), 0);
    assert_int_equal(mkdir(path("out"), 0700), 0);
    assert_refused(ERR_INVALID, "no regular file");
    assert_int_equal(rmdir(path("out")), 0);
    assert_content("failures", "still here");
    assert_int_equal(rename(path("kept"), path("out")), 0);
    sink = open_fixture(&options);
    close_fixture(sink);
    assert_content("failures", "");
    assert_content("out", "0\n1\n2\n3\n4\n");
}

static void test_sink_goes_on_with_the_files_of_workers(void **state)
{
    (void)state;
    options.results = lasting_path("results");
    sink = open_fixture(&options);
    put_from("a", 0, 1, "");
    put_from("../b c", 1, 1, "");
    put_from("", 2, 1, "");
    const struct journal_mark *mark = put_mark(1);
    put_from("a", 3, 1, "");
    put_from("late", 4, 1, "");
    close_fixture(sink);
    write_fixture(path("results/README"), "mine");
    write_fixture(path("results/notes.NDJSON"), "mine");
    write_fixture(path("results/all.ndjson"), "mine"); /* as if it were a worker's */
    write_fixture(path("results/all.ndjson.aside"), "mine, too");
    char *before = read_fixture(mark->places[0].path, NULL);

    resume_from(mark);
    assert_int_equal(rename(path("results/%.ndjson"), path("kept")), 0);
    assert_refused(ERR_INVALID, "%.ndjson");
    assert_int_equal(access(path("results/late.ndjson"), F_OK), 0);
    assert_int_equal(rename(path("kept"), path("results/%.ndjson")), 0);
    sink = open_fixture(&options);
    put_from("../b c", 3, 1, "");
    put_from("", 4, 1, "");
    mark = put_mark(1);
    assert_int_equal(mark->place_count, 3); /* also of the worker that did not come back */
    close_fixture(sink);
    for (size_t i = 0; i < 3; i++) {
        char *content = read_fixture(mark->places[i].path, NULL);
        assert_int_equal(strlen(content), mark->places[i].length);
        assert_int_equal(strncmp(content, "{\"index\":", 9), 0);
        free(content);
    }
    char *after = read_fixture(path("results/a.ndjson"), NULL);
    assert_int_equal(strlen(after) > 0, 1);
    assert_int_equal(access(path("results/late.ndjson"), F_OK), -1);
    assert_int_equal(access(path("results/late.ndjson.aside"), F_OK), 0);
    assert_int_equal(access(path("results/all.ndjson"), F_OK), -1);
    assert_content("results/all.ndjson.aside-1", "mine");
    assert_content("results/all.ndjson.aside", "mine, too");
    assert_content("results/README", "mine");
    assert_content("results/notes.NDJSON", "mine");
    assert_true(strlen(before) > 0);
    free(before);
    free(after);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_sink_marks_have_the_lengths_of_files),
        TEST(test_sink_marks_have_no_place_for_what_cannot_be_cut),
        TEST(test_sink_marks_have_what_waits_once),
        TEST(test_sink_marks_have_batches_with_holes),
        TEST(test_sink_marks_are_not_reached_after_a_failure),
        TEST(test_sink_fails_when_a_file_cannot_be_synchronised),
        TEST(test_sink_tells_of_no_mark_once_it_is_given_up),
        TEST(test_sink_marks_have_the_files_of_all_workers),
        TEST(test_sink_with_marks_wants_a_directory_of_its_own),
        TEST(test_sink_does_not_write_over_the_journal),
        TEST(test_sink_goes_on_behind_the_mark),
        TEST(test_sink_goes_on_in_order),
        TEST(test_sink_refuses_to_go_on_with_what_has_changed),
        TEST(test_sink_goes_on_with_the_files_of_workers),
    };
    return cmocka_run_group_tests_name("sink_marks", tests, NULL, NULL);
}
