/* Files of whole items: what is in them when writing fails, and readers that are slow or gone.
 * write and close are wrapped, so that they can be made to fail. */
#include "coordinator/sink/sink_file.h"
#include "tests/coordinator/sink/sink_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);
int __real_close(int fd);
int __wrap_close(int fd);

/* The disk: how many bytes fit still (-1: any), and what others write just when it is full. */
static ssize_t space = -1;
static int other_fd = -1;
static int close_error;

ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
    if (space < 0) {
        return __real_write(fd, bytes, len);
    }
    if (space == 0 && len > 0) {
        if (other_fd >= 0) {
            (void)__real_write(other_fd, "note", 4);
        }
        errno = ENOSPC;
        return -1;
    }
    ssize_t n = __real_write(fd, bytes, len < (size_t)space ? len : (size_t)space);
    space -= n > 0 ? n : 0;
    return n;
}

int __wrap_close(int fd)
{
    int code = __real_close(fd);
    if (code == 0 && close_error != 0) {
        errno = close_error;
        return -1;
    }
    return code;
}

static char *directory;
static struct sink_file_buffer buffer;
static struct sink_file file;
static atomic_bool give_up;

static int setup(void **state)
{
    (void)state;
    space = -1;
    other_fd = -1;
    close_error = 0;
    atomic_store(&give_up, false);
    directory = directory_fixture_new();
    sink_file_buffer_init(&buffer);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    space = -1;
    close_error = 0;
    sink_file_flush(&file);
    sink_file_close(&file);
    directory_fixture_free(directory);
    return 0;
}

static void open_fd(int fd)
{
    struct err_text error;
    assert_true(fd >= 0);
    assert_int_equal(sink_file_init(&file, "'it'", fd, &buffer, &give_up, &error), 0);
}

static void open_file(int flags)
{
    open_fd(open(path_fixture(directory, "out"), O_WRONLY | O_CREAT | flags, 0600));
}

static void put(const char *bytes, size_t len)
{
    sink_text_put(sink_file_text(&file), bytes, len);
    sink_file_end_item(&file);
}

static void assert_content(const char *bytes, size_t len)
{
    size_t there;
    char *content = read_fixture(path_fixture(directory, "out"), &there);
    assert_int_equal(there, len);
    assert_memory_equal(content, bytes, len);
    free(content);
}

static void assert_error(int code, const char *words)
{
    struct err_text error;
    assert_int_equal(sink_file_error(&file, &error), code);
    assert_non_null(strstr(error.s, "'it'"));
    if (strstr(error.s, words) == NULL) {
        fail_msg("no '%s' in: %s", words, error.s);
    }
}

static void test_sink_file_has_what_was_put(void **state)
{
    (void)state;
    char *expected = malloc(1000000);
    size_t len = 0;
    assert_non_null(expected);
    open_file(0);
    for (unsigned i = 0; len < 900000; i++) {
        size_t item_len = i * 7 % 1000;
        memset(expected + len, 'a' + (int)(i % 26), item_len);
        put(expected + len, item_len);
        len += item_len;
    }
    assert_true(file.written >= len - SINK_FILE_BUFFER_BYTES); /* it does not wait for the end */
    sink_file_flush(&file);
    assert_content(expected, len);
    assert_int_equal(sink_file_error(&file, NULL), 0);
    free(expected);
}

static void test_sink_file_writes_much_at_a_time(void **state)
{
    (void)state;
    open_file(0);
    for (int i = 0; i < SINK_FILE_WRITE_BYTES - 1; i++) {
        put("x", 1);
    }
    assert_int_equal(file.written, 0);
    put("x", 1);
    assert_int_equal(file.written, SINK_FILE_WRITE_BYTES);
}

/* Items of these lengths; an empty one is an item too. */
static const size_t lengths[] = {3, 0, 1, 70, 64, 63, 0, 0, 129, 5};

enum { LENGTHS = sizeof(lengths) / sizeof(lengths[0]) };

/* The items in one file on a disk of `fits` bytes, flushed after each `flush_every`; returns what is
 * whole of them. */
static size_t fill_disk(size_t fits, size_t flush_every)
{
    char bytes[256];
    size_t whole = 0;
    size_t all = 0;
    open_file(O_TRUNC);
    space = (ssize_t)fits;
    memset(bytes, 'x', sizeof(bytes));
    for (size_t i = 0; i < LENGTHS; i++) {
        put(bytes, lengths[i]);
        if ((i + 1) % flush_every == 0) {
            sink_file_flush(&file);
        }
        all += lengths[i];
        whole = all <= fits ? all : whole;
    }
    sink_file_flush(&file);
    sink_file_close(&file);
    space = -1;
    if (all > fits) {
        assert_error(ERR_IO, "No space left on device; it ends with the last whole item");
    } else {
        assert_int_equal(sink_file_error(&file, NULL), 0);
    }
    return whole;
}

static void test_sink_file_ends_with_a_whole_item_wherever_the_disk_is_full(void **state)
{
    (void)state;
    size_t all = 0;
    for (size_t i = 0; i < LENGTHS; i++) {
        all += lengths[i];
    }
    for (size_t flush_every = 1; flush_every <= LENGTHS; flush_every += 3) {
        for (size_t fits = 0; fits <= all; fits++) {
            size_t whole = fill_disk(fits, flush_every);
            struct stat status;
            assert_int_equal(stat(path_fixture(directory, "out"), &status), 0);
            assert_int_equal(status.st_size, whole);
        }
    }
}

static void test_sink_file_cuts_an_item_larger_than_its_buffer(void **state)
{
    (void)state;
    static char large[3 * SINK_FILE_BUFFER_BYTES];
    open_file(0);
    space = SINK_FILE_BUFFER_BYTES;
    put("first", 5);
    put(large, sizeof(large));
    sink_file_flush(&file);
    assert_error(ERR_IO, "No space left");
    put("more", 4); /* swallowed */
    space = -1;
    sink_file_flush(&file);
    assert_content("first", 5);
}

static void test_sink_file_of_limited_size_ends_with_a_whole_item(void **state)
{
    (void)state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit limit = {.rlim_cur = 100000, .rlim_max = before.rlim_max};
    (void)signal(SIGXFSZ, SIG_IGN);
    open_file(0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (int i = 0; i < 20000; i++) {
        put("seven!\n", 7);
    }
    sink_file_flush(&file);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_DFL);
    assert_error(ERR_IO, "File too large");
    size_t len;
    char *content = read_fixture(path_fixture(directory, "out"), &len);
    assert_int_equal(len, 100000 / 7 * 7);
    free(content);
}

static void test_sink_file_that_appends_keeps_what_was_there(void **state)
{
    (void)state;
    write_fixture(path_fixture(directory, "out"), "before");
    open_file(O_APPEND);
    space = 5;
    put("abc", 3);
    put("def", 3);
    sink_file_flush(&file);
    assert_content("beforeabc", 9);
}

static void test_sink_file_does_not_cut_what_others_wrote(void **state)
{
    (void)state;
    open_file(O_APPEND);
    other_fd = open(path_fixture(directory, "out"), O_WRONLY | O_APPEND);
    space = 5;
    put("abc", 3);
    put("def", 3);
    sink_file_flush(&file);
    (void)close(other_fd);
    assert_error(ERR_IO, "No space left");
    assert_content("abcdenote", 9);
}

static void test_sink_file_of_a_device_tells_its_error(void **state)
{
    (void)state;
    struct err_text error;
    open_fd(open("/dev/full", O_WRONLY));
    put("abc", 3);
    sink_file_flush(&file);
    assert_error(ERR_IO, "No space left on device");
    (void)sink_file_error(&file, &error);
    assert_null(strstr(error.s, "whole")); /* nothing is promised of a device */
}

static void test_sink_file_tells_what_only_closing_it_reports(void **state)
{
    (void)state;
    struct err_text error;
    open_file(0);
    put("abc", 3);
    sink_file_flush(&file);
    close_error = EDQUOT;
    sink_file_close(&file);
    close_error = 0;
    assert_error(ERR_IO, strerror(EDQUOT));
    (void)sink_file_error(&file, &error);
    assert_null(strstr(error.s, "whole"));
}

static void test_sink_files_share_a_buffer_in_turn(void **state)
{
    (void)state;
    struct sink_file second;
    struct err_text error;
    open_file(0);
    int fd = open(path_fixture(directory, "second"), O_WRONLY | O_CREAT, 0600);
    assert_int_equal(sink_file_init(&second, "second", fd, &buffer, &give_up, &error), 0);
    for (int i = 0; i < 100; i++) {
        put("ab", 2);
        sink_text_put(sink_file_text(&second), "c", 1);
        sink_file_end_item(&second);
        sink_file_flush(&file); /* has nothing in the buffer */
    }
    sink_file_flush(&second);
    sink_file_close(&second);
    assert_int_equal(file.whole, 200);
    assert_int_equal(second.whole, 100);
    size_t len;
    char *content = read_fixture(path_fixture(directory, "second"), &len);
    assert_int_equal(len, 100);
    assert_int_equal(strspn(content, "c"), 100);
    free(content);
}

/* A reader on a thread: takes small parts until the end, and counts. */
struct reader {
    pthread_t thread;
    int fd;
    size_t len;
    bool is_right; /* byte i is (char)i */
};

static void *read_all(void *arg)
{
    struct reader *reader = arg;
    char bytes[777];
    ssize_t n;
    reader->is_right = true;
    while ((n = read(reader->fd, bytes, sizeof(bytes))) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            reader->is_right = reader->is_right && bytes[i] == (char)reader->len++;
        }
    }
    return NULL;
}

static void check_reader(int read_fd, int write_fd)
{
    enum { BYTES = 1024 * 1024 };
    struct reader reader = {.fd = read_fd};
    open_fd(write_fd);
    assert_int_equal(pthread_create(&reader.thread, NULL, read_all, &reader), 0);
    for (size_t i = 0; i < BYTES; i += 4) {
        const char item[4] = {(char)i, (char)(i + 1), (char)(i + 2), (char)(i + 3)};
        put(item, sizeof(item));
    }
    sink_file_flush(&file);
    sink_file_close(&file);
    assert_int_equal(pthread_join(reader.thread, NULL), 0);
    (void)close(read_fd);
    assert_int_equal(sink_file_error(&file, NULL), 0);
    assert_int_equal(reader.len, BYTES);
    assert_true(reader.is_right);
}

static void test_sink_file_waits_for_a_slow_reader(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    check_reader(fds[0], fds[1]);
}

static void test_sink_file_waits_also_when_its_pipe_does_not_block(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
    check_reader(fds[0], fds[1]);
}

static void test_sink_file_waits_for_the_reader_of_a_socket(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    check_reader(fds[0], fds[1]);
}

static void test_sink_file_tells_that_its_reader_is_gone(void **state)
{
    (void)state;
    int fds[2];
    (void)signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(fds), 0);
    (void)close(fds[0]);
    open_fd(fds[1]);
    put("abc", 3);
    sink_file_flush(&file);
    assert_error(ERR_IO, "its reader is gone");
    (void)signal(SIGPIPE, SIG_DFL);
}

static void test_sink_file_tells_that_the_other_end_of_a_socket_is_gone(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    (void)close(fds[0]);
    open_fd(fds[1]);
    put("abc", 3);
    sink_file_flush(&file);
    assert_error(ERR_IO, "its reader is gone");
}

/* Gives up once the pipe has as much in it as it takes. */
static void *give_up_when_full(void *arg)
{
    const int *fd = arg;
    int waiting = 0;
    int size = fcntl(*fd, F_GETPIPE_SZ);
    while (waiting < size && ioctl(*fd, FIONREAD, &waiting) == 0) {
        (void)sched_yield();
    }
    atomic_store(&give_up, true);
    return NULL;
}

static void test_sink_file_gives_a_sleeping_reader_up(void **state)
{
    (void)state;
    static char large[1024 * 1024];
    int fds[2];
    pthread_t thread;
    assert_int_equal(pipe(fds), 0);
    open_fd(fds[1]);
    assert_int_equal(pthread_create(&thread, NULL, give_up_when_full, &fds[0]), 0);
    put(large, sizeof(large)); /* would wait for ever */
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_error(ERR_CANCELLED, "not waited for");
    (void)close(fds[0]);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_sink_file_has_what_was_put),
        CASE(test_sink_file_writes_much_at_a_time),
        CASE(test_sink_file_ends_with_a_whole_item_wherever_the_disk_is_full),
        CASE(test_sink_file_cuts_an_item_larger_than_its_buffer),
        CASE(test_sink_file_of_limited_size_ends_with_a_whole_item),
        CASE(test_sink_file_that_appends_keeps_what_was_there),
        CASE(test_sink_file_does_not_cut_what_others_wrote),
        CASE(test_sink_file_of_a_device_tells_its_error),
        CASE(test_sink_file_tells_what_only_closing_it_reports),
        CASE(test_sink_files_share_a_buffer_in_turn),
        CASE(test_sink_file_waits_for_a_slow_reader),
        CASE(test_sink_file_waits_also_when_its_pipe_does_not_block),
        CASE(test_sink_file_waits_for_the_reader_of_a_socket),
        CASE(test_sink_file_tells_that_its_reader_is_gone),
        CASE(test_sink_file_tells_that_the_other_end_of_a_socket_is_gone),
        CASE(test_sink_file_gives_a_sleeping_reader_up),
    };
    return cmocka_run_group_tests_name("sink_file", tests, NULL, NULL);
}
