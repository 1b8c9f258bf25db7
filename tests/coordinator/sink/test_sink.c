/* The sink as a whole, with its thread: what happens when readers sleep and disks fill, and how the
 * backlog is told. */
#include "coordinator/sink/sink.h"
#include "tests/coordinator/sink/sink_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);
int __real_close(int fd);
int __wrap_close(int fd);

/* A system that does not let go of a write until it is told. */
static atomic_bool is_stuck;
static sem_t stuck;
static sem_t unstick;
static sem_t closed;

ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
    if (atomic_load(&is_stuck)) {
        (void)sem_post(&stuck);
        while (sem_wait(&unstick) != 0) {
        }
    }
    return __real_write(fd, bytes, len);
}

int __wrap_close(int fd)
{
    int code = __real_close(fd);
    (void)sem_post(&closed);
    return code;
}

static char *directory;
static struct sink_options options;
static struct sink *sink;
static sem_t woken;

static void wake(void *arg)
{
    (void)sem_post(arg);
}

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0) {
        assert_int_equal(errno, EINTR);
    }
}

static int setup(void **state)
{
    (void)state;
    atomic_store(&is_stuck, false);
    (void)sem_init(&woken, 0, 0);
    (void)sem_init(&stuck, 0, 0);
    (void)sem_init(&unstick, 0, 0);
    (void)sem_init(&closed, 0, 0);
    directory = directory_fixture_new();
    options = (struct sink_options){
        .separator = '\n', .format = SINK_RAW, .wake = wake, .wake_arg = &woken};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    directory_fixture_free(directory);
    return 0;
}

static const char *path(const char *name)
{
    return path_fixture(directory, name);
}

/* --- single batches -------------------------------------------------------------------------- */

/* Items of a range with this output each. */
static void put_range(uint64_t first, uint64_t count, const char *out, size_t len)
{
    struct item_fixture *items = calloc(count, sizeof(*items));
    assert_non_null(items);
    for (uint64_t i = 0; i < count; i++) {
        items[i].record.out = out;
        items[i].record.out_len = (uint32_t)len;
    }
    struct blob *records = records_fixture(items, count);
    const struct sink_batch batch = {
        .first = first,
        .count = count,
        .records = records,
        .records_len = blob_len(records),
        .attempt = 1,
        .worker = "w",
    };
    assert_int_equal(sink_put(sink, &batch), 0);
    blob_unref(records);
    free(items);
}

static void test_sink_writes_at_the_end_what_waits_for_items_that_never_came(void **state)
{
    (void)state;
    options.out = path("out");
    options.keep_order = true;
    options.is_range = true;
    sink = open_fixture(&options);
    put_range(30, 1, "d", 1);
    put_range(10, 2, "b", 1);
    put_range(0, 1, "a", 1);
    put_range(12, 1, "c", 1);
    close_fixture(sink);
    char *content = read_fixture(path("out"), NULL);
    assert_string_equal(content, "abbcd");
    free(content);
}

/* A named pipe as `out`, whose reader is this test. */
static int open_pipe_sink(void)
{
    const char *pipe_path = path("pipe");
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    int fd = open(pipe_path, O_RDONLY | O_NONBLOCK);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
    options.out = pipe_path;
    options.is_range = true;
    sink = open_fixture(&options);
    return fd;
}

static void test_sink_writes_at_once_what_nobody_follows_up(void **state)
{
    (void)state;
    char bytes[2];
    int fd = open_pipe_sink();
    put_range(0, 1, "ab", 2);
    assert_int_equal(read(fd, bytes, 2), 2); /* without closing the sink first */
    assert_memory_equal(bytes, "ab", 2);
    close_fixture(sink);
    (void)close(fd);
}

struct reader {
    pthread_t thread;
    int fd;
    uint64_t len;
};

static void *read_all(void *arg)
{
    static char bytes[65536];
    struct reader *reader = arg;
    ssize_t n;
    while ((n = read(reader->fd, bytes, sizeof(bytes))) > 0) {
        reader->len += (uint64_t)n;
    }
    return NULL;
}

enum { LARGE = 1024 * 1024 };

static void test_sink_is_full_while_its_reader_sleeps_and_wakes_when_it_reads(void **state)
{
    (void)state;
    static char large[LARGE];
    struct reader reader = {.fd = open_pipe_sink()};
    uint64_t count = 0;
    assert_false(sink_is_full(sink));
    while (!sink_is_full(sink)) {
        put_range(count++, 1, large, LARGE);
    }
    assert_true(count >= SINK_FULL_BYTES / LARGE - 1 && count <= SINK_FULL_BYTES / LARGE + 2);
    for (int i = 0; i < 5; i++) { /* what is under way is taken all the same */
        put_range(count++, 1, large, LARGE);
    }
    assert_int_equal(sem_trywait(&woken), -1);
    assert_int_equal(pthread_create(&reader.thread, NULL, read_all, &reader), 0);
    wait_for(&woken);
    assert_false(sink_is_full(sink));
    close_fixture(sink);
    assert_int_equal(pthread_join(reader.thread, NULL), 0);
    assert_int_equal(reader.len, count * LARGE);
    assert_int_equal(sem_trywait(&woken), -1); /* it was full once */
    (void)close(reader.fd);
}

static void test_sink_that_is_finished_says_when_all_is_written(void **state)
{
    (void)state;
    options.out = "/dev/null";
    options.is_range = true;
    sink = open_fixture(&options);
    put_range(0, 3, "x", 1);
    assert_false(sink_is_written(sink));
    sink_finish(sink);
    wait_for(&woken);
    assert_true(sink_is_written(sink));
    close_fixture(sink);
}

static void test_sink_counts_what_waits_for_its_turn(void **state)
{
    (void)state;
    static char large[LARGE];
    options.out = "/dev/null";
    options.keep_order = true;
    options.is_range = true;
    sink = open_fixture(&options);
    uint64_t count = 1;
    while (!sink_is_full(sink)) {
        put_range(count++, 1, large, LARGE);
    }
    put_range(count++, 1, large, LARGE);
    assert_true(sink_is_full(sink)); /* nothing of it can be written */
    put_range(0, 1, "x", 1);
    wait_for(&woken);
    assert_false(sink_is_full(sink));
    close_fixture(sink);
}

/* The items that wait in many runs take memory for each run too. */
static void test_sink_counts_runs_between_withheld_items(void **state)
{
    (void)state;

    enum { COUNT = 500000 };
    struct item_fixture *items = calloc(COUNT, sizeof(*items));
    assert_non_null(items);
    for (size_t i = 0; i < COUNT; i += 2) {
        items[i].record.status = RECORD_FAILED;
    }
    struct blob *records = records_fixture(items, COUNT);
    const struct sink_batch batch = {
        .count = COUNT,
        .records = records,
        .records_len = blob_len(records),
        .withhold_failed = true,
        .attempt = 1,
        .worker = "w",
    };
    assert_true(blob_len(records) < SINK_FULL_BYTES); /* alone they do not make it full */
    options.out = "/dev/null";
    options.keep_order = true;
    options.failures = path("failures");
    options.is_range = true;
    sink = open_fixture(&options);
    assert_int_equal(sink_put(sink, &batch), 0);
    while (!sink_is_full(sink)) {
        (void)sched_yield();
    }
    close_fixture(sink);
    size_t len;
    free(read_fixture(path("failures"), &len));
    assert_int_equal(len, 0); /* they will come again */
    blob_unref(records);
    free(items);
}

/* --- failures ------------------------------------------------------------------------------ */

static void test_sink_ends_a_file_with_a_whole_item_when_the_disk_is_full(void **state)
{
    (void)state;
    struct rlimit before;
    struct err_text error;
    bool broken_pipe = true;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit limit = {.rlim_cur = 300000, .rlim_max = before.rlim_max};
    options.out = path("out");
    options.is_range = true;
    options.keep_order = true;
    sink = open_fixture(&options);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (uint64_t i = 0; i < 100; i++) { /* SIGXFSZ would end the test here */
        put_range(i * 1000, 1000, "thirteen here", 13);
    }
    wait_for(&woken);
    assert_int_equal(sink_error(sink, &error, &broken_pipe), ERR_IO);
    assert_non_null(strstr(error.s, options.out));
    assert_non_null(strstr(error.s, "File too large"));
    assert_false(broken_pipe);
    put_range(100000, 1, "more", 4); /* dropped */
    assert_int_equal(sink_close(sink, NULL, &error, &broken_pipe), ERR_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_non_null(strstr(error.s, "File too large"));
    assert_false(broken_pipe);
    size_t len;
    free(read_fixture(path("out"), &len));
    assert_int_equal(len, 300000 / 13 * 13);
}

static void test_sink_holds_nothing_after_a_failure(void **state)
{
    (void)state;
    static char large[LARGE];
    options.out = "/dev/full";
    options.keep_order = true;
    options.is_range = true;
    sink = open_fixture(&options);
    uint64_t count = 1;
    while (!sink_is_full(sink)) {
        put_range(count++, 1, large, LARGE);
    }
    put_range(0, 1, large, LARGE); /* this one has its turn, and fails */
    wait_for(&woken);
    while (sink_is_full(sink)) {
        wait_for(&woken);
    }
    for (int i = 0; i < 100; i++) {
        put_range(count++, 1, large, LARGE);
        assert_false(sink_is_full(sink));
    }
    struct err_text error;
    assert_int_equal(sink_close(sink, NULL, &error, NULL), ERR_IO);
    assert_non_null(strstr(error.s, "No space left on device"));
}

static void test_sink_tells_that_the_reader_of_a_file_is_gone(void **state)
{
    (void)state;
    struct err_text error;
    bool broken_pipe = true;
    int fd = open_pipe_sink();
    (void)close(fd);
    put_range(0, 1, "x", 1);
    wait_for(&woken);
    assert_int_equal(sink_error(sink, &error, &broken_pipe), ERR_IO);
    assert_non_null(strstr(error.s, "its reader is gone"));
    assert_false(broken_pipe); /* that is standard output's */
    assert_int_equal(sink_close(sink, NULL, &error, NULL), ERR_IO);
}

static void *set_abandon(void *arg)
{
    atomic_store((atomic_bool *)arg, true);
    return NULL;
}

static void test_sink_close_waits_for_no_reader_after_it_is_abandoned(void **state)
{
    (void)state;
    static char large[LARGE];
    struct err_text error;
    atomic_bool abandon = false;
    pthread_t thread;
    int fd = open_pipe_sink();
    for (uint64_t i = 0; i < 10; i++) {
        put_range(i, 1, large, LARGE);
    }
    assert_int_equal(pthread_create(&thread, NULL, set_abandon, &abandon), 0);
    assert_int_equal(sink_close(sink, &abandon, &error, NULL), ERR_CANCELLED);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)close(fd);
}

static void test_sink_close_writes_everything_though_it_could_be_abandoned(void **state)
{
    (void)state;
    struct err_text error;
    const atomic_bool abandon = false;
    options.out = path("out");
    options.is_range = true;
    sink = open_fixture(&options);
    put_range(0, 5, "x", 1);
    assert_int_equal(sink_close(sink, &abandon, &error, NULL), 0);
    char *content = read_fixture(path("out"), NULL);
    assert_string_equal(content, "xxxxx");
    free(content);
}

static void test_sink_close_leaves_a_write_behind_that_the_system_does_not_let_go(void **state)
{
    (void)state;
    struct err_text error;
    const atomic_bool abandon = true;
    options.out = path("out");
    options.is_range = true;
    sink = open_fixture(&options);
    atomic_store(&is_stuck, true);
    put_range(0, 5, "x", 1);
    wait_for(&stuck);
    assert_int_equal(sink_close(sink, &abandon, &error, NULL), ERR_CANCELLED);
    assert_non_null(strstr(error.s, "left behind"));
    while (sem_trywait(&closed) == 0) { /* of files that were closed so far */
    }
    atomic_store(&is_stuck, false);
    (void)sem_post(&unstick);
    wait_for(&closed);                         /* the thread goes on alone, and frees the sink */
    assert_int_equal(sem_trywait(&woken), -1); /* and wakes nobody */
}

static void test_sink_without_outputs_takes_everything(void **state)
{
    (void)state;
    options.is_range = true;
    sink = open_fixture(&options);
    put_range(0, 5, "x", 1);
    close_fixture(sink);
    assert_int_equal(sink_close(NULL, NULL, NULL, NULL), 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_sink_writes_at_the_end_what_waits_for_items_that_never_came),
        CASE(test_sink_writes_at_once_what_nobody_follows_up),
        CASE(test_sink_is_full_while_its_reader_sleeps_and_wakes_when_it_reads),
        CASE(test_sink_that_is_finished_says_when_all_is_written),
        CASE(test_sink_counts_what_waits_for_its_turn),
        CASE(test_sink_counts_runs_between_withheld_items),
        CASE(test_sink_ends_a_file_with_a_whole_item_when_the_disk_is_full),
        CASE(test_sink_holds_nothing_after_a_failure),
        CASE(test_sink_tells_that_the_reader_of_a_file_is_gone),
        CASE(test_sink_close_waits_for_no_reader_after_it_is_abandoned),
        CASE(test_sink_close_writes_everything_though_it_could_be_abandoned),
        CASE(test_sink_close_leaves_a_write_behind_that_the_system_does_not_let_go),
        CASE(test_sink_without_outputs_takes_everything),
    };
    return cmocka_run_group_tests_name("sink", tests, NULL, NULL);
}
