/* The control socket: where it is, who is answered, and that nobody who asks can hold it up. The clients are
 * plain sockets of this process, and the loop is turned by hand. */
#include "coordinator/status/control.h"
#include "coordinator/status/control_message.h"
#include "coordinator/status/control_path.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { LIMIT_MS = 20000, STRANGER = 65533, PASSED = 3 };

static const char stranger_place[] = "/tmp/quartet-65533";

struct scene {
    uv_loop_t loop;
    uv_timer_t limit; /* of the whole test; and it keeps the loop going, as the socket does not */
    struct control *control;
    char directory[64]; /* and XDG_RUNTIME_DIR */
    char path[CONTROL_PATH_SIZE];
    unsigned asked;
    size_t answer_len; /* of what is answered; 0: the line that came, with its end */
};

static char *answer(void *arg, const char *line, size_t len)
{
    struct scene *scene = arg;
    size_t size = scene->answer_len > 0 ? scene->answer_len : len;
    char *text = malloc(size + 2);
    assert_non_null(text);
    scene->asked++;
    memset(text, 'x', size);
    if (scene->answer_len == 0) {
        memcpy(text, line, len);
    }
    memcpy(text + size, "\n", 2);
    return text;
}

static void no_time_left(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("the test took more than %d ms", LIMIT_MS);
}

static int setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    assert_non_null(scene);
    (void)snprintf(scene->directory, sizeof(scene->directory), "/tmp/quartet-test-XXXXXX");
    assert_non_null(mkdtemp(scene->directory));
    (void)snprintf(scene->path, sizeof(scene->path), "%s/socket", scene->directory);
    assert_int_equal(setenv("XDG_RUNTIME_DIR", scene->directory, 1), 0);
    assert_int_equal(uv_loop_init(&scene->loop), 0);
    (void)uv_timer_init(&scene->loop, &scene->limit);
    (void)uv_timer_start(&scene->limit, no_time_left, LIMIT_MS, 0);
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    char command[128];
    control_close(scene->control);
    uv_close((uv_handle_t *)&scene->limit, NULL);
    (void)uv_run(&scene->loop, UV_RUN_NOWAIT);
    assert_int_equal(uv_loop_close(&scene->loop), 0); /* nothing was left open */
    (void)snprintf(command, sizeof(command), "rm -r %s", scene->directory);
    assert_int_equal(system(command), 0);
    free(scene);
    return 0;
}

static int open_at(struct scene *scene, const char *path, struct err_text *ret_error)
{
    const struct control_options options = {
        .loop = &scene->loop, .path = path, .answer = answer, .arg = scene};
    return control_open(&options, ret_error, &scene->control);
}

static void open_here(struct scene *scene)
{
    struct err_text error = {""};
    assert_int_equal(open_at(scene, scene->path, &error), 0);
    assert_non_null(scene->control);
}

static int dial(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Turn the loop until the other side has hung up. Returns how many bytes came; the first ones into `ret_text`. */
static size_t hear(struct scene *scene, int fd, char *ret_text, size_t size)
{
    static char bytes[65536];
    size_t len = 0;
    for (;;) {
        ssize_t got = recv(fd, bytes, sizeof(bytes), 0);
        if (got > 0) {
            size_t room = len < size - 1 ? size - 1 - len : 0;
            memcpy(ret_text + (len < size - 1 ? len : 0),
                   bytes,
                   (size_t)got < room ? (size_t)got : room);
            len += (size_t)got;
        } else if (got == 0 || errno != EAGAIN) {
            break;
        } else {
            (void)uv_run(&scene->loop, UV_RUN_ONCE);
        }
    }
    ret_text[len < size - 1 ? len : size - 1] = '\0';
    (void)close(fd);
    return len;
}

static void assert_answered(struct scene *scene, const char *path)
{
    char text[64];
    int fd = dial(path);
    assert_true(fd >= 0);
    say(fd, "hello\n");
    (void)hear(scene, fd, text, sizeof(text));
    assert_string_equal(text, "hello\n");
}

/* --- where it is --- */

static void test_control_answers_at_the_path_it_was_given(void **state)
{
    struct scene *scene = *state;
    struct stat status;
    open_here(scene);
    assert_int_equal(lstat(scene->path, &status), 0);
    assert_true(S_ISSOCK(status.st_mode));
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_answered(scene, scene->path);
    assert_answered(scene, scene->path);
    control_close(scene->control);
    scene->control = NULL;
    assert_int_equal(lstat(scene->path, &status), -1);
}

static void test_control_has_a_private_default_place(void **state)
{
    struct scene *scene = *state;
    struct err_text error = {""};
    struct stat status;
    struct control_place found[CONTROL_FOUND_MAX];
    char directory[CONTROL_PATH_SIZE];
    char path[CONTROL_PATH_SIZE];
    assert_int_equal(open_at(scene, NULL, &error), 0);
    assert_non_null(scene->control);
    (void)snprintf(directory, sizeof(directory), "%s/quartet", scene->directory);
    (void)snprintf(path, sizeof(path), "%s/quartet/%ld.sock", scene->directory, (long)getpid());
    assert_int_equal(stat(directory, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_answered(scene, path);
    size_t count = control_find(found);
    bool listed = false;
    for (size_t i = 0; i < count; i++) {
        listed = listed || (found[i].pid == (long)getpid() && strcmp(found[i].path, path) == 0);
    }
    assert_true(listed);
}

/* Run a part of a test as a user of whom nothing is in /tmp. Needs root. */
static void as_stranger(struct scene *scene, bool (*part)(struct scene *scene))
{
    int status = 0;
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(chmod(scene->directory, 0777), 0);
    pid_t child = fork();
    if (child == 0) {
        _exit(setuid(STRANGER) == 0 && part(scene) ? PASSED : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), PASSED);
}

/* Is the default place the one in /tmp, because the other one cannot be trusted? */
static bool goes_to_tmp(void)
{
    char expected[CONTROL_PATH_SIZE];
    char path[CONTROL_PATH_SIZE];
    int fd = -1;
    (void)snprintf(expected, sizeof(expected), "%s/%ld.sock", stranger_place, (long)getpid());
    bool there = control_listen_default(path, &fd) == 0 && strcmp(path, expected) == 0;
    (void)close(fd);
    (void)unlink(path);
    (void)rmdir(stranger_place);
    return there;
}

static bool avoid_shared_and_linked(struct scene *scene)
{
    char directory[CONTROL_PATH_SIZE];
    char elsewhere[CONTROL_PATH_SIZE];
    (void)snprintf(directory, sizeof(directory), "%s/quartet", scene->directory);
    (void)snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", scene->directory);
    bool fine = mkdir(directory, 0700) == 0 && chmod(directory, 0770) == 0 && goes_to_tmp();
    fine = fine && rmdir(directory) == 0 && mkdir(elsewhere, 0700) == 0;
    return fine && symlink(elsewhere, directory) == 0 && goes_to_tmp();
}

/* Whoever may write to the place could have made a directory for us. */
static void test_control_uses_no_directory_that_others_may_enter(void **state)
{
    as_stranger(*state, avoid_shared_and_linked);
}

static bool avoid_strange_owner(struct scene *scene)
{
    (void)scene;
    return goes_to_tmp();
}

static void test_control_uses_no_directory_of_somebody_else(void **state)
{
    struct scene *scene = *state;
    char directory[CONTROL_PATH_SIZE];
    (void)snprintf(directory, sizeof(directory), "%s/quartet", scene->directory);
    assert_int_equal(mkdir(directory, 0700), 0);
    as_stranger(scene, avoid_strange_owner);
}

static bool go_on_without(struct scene *scene)
{
    struct err_text error = {""};
    int fd = open(stranger_place, O_WRONLY | O_CREAT | O_EXCL, 0600); /* in the way */
    bool fine = fd >= 0 && setenv("XDG_RUNTIME_DIR", "/nonexistent", 1) == 0 &&
                open_at(scene, NULL, &error) == 0 && scene->control == NULL;
    (void)unlink(stranger_place);
    return fine;
}

static void test_control_without_a_default_place_is_no_error(void **state)
{
    as_stranger(*state, go_on_without);
}

static void test_control_removes_what_a_dead_process_left(void **state)
{
    struct scene *scene = *state;
    struct err_text error = {""};
    struct control_place found[CONTROL_FOUND_MAX];
    char path[CONTROL_PATH_SIZE];
    struct stat status;
    int fd = -1;
    pid_t dead = fork();
    if (dead == 0) {
        _exit(0);
    }
    assert_int_equal(waitpid(dead, NULL, 0), dead);
    open_here(scene);
    (void)snprintf(path, sizeof(path), "%s/quartet", scene->directory);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/quartet/%ld.sock", scene->directory, (long)dead);
    assert_int_equal(control_listen(path, &error, &fd), 0);
    (void)control_find(
        found); /* somebody listens there, whatever number that process has where it is */
    assert_int_equal(lstat(path, &status), 0);
    (void)close(fd);
    assert_int_equal(lstat(path, &status), 0);
    size_t count = control_find(found);
    for (size_t i = 0; i < count; i++) {
        assert_int_not_equal(found[i].pid, dead);
    }
    assert_int_equal(lstat(path, &status), -1);
    /* And at a path that was asked for, a socket at which nobody listens is in nobody's way. */
    assert_int_equal(control_listen(path, &error, &fd), 0);
    (void)close(fd);
    assert_int_equal(control_listen(path, &error, &fd), 0);
    (void)close(fd);
}

static void test_control_does_not_take_what_is_not_its_own(void **state)
{
    struct scene *scene = *state;
    struct err_text error = {""};
    char path[CONTROL_PATH_SIZE + 1];
    int fd = -1;
    open_here(scene);
    assert_int_equal(control_listen(scene->path, &error, &fd), ERR_BUSY);
    assert_non_null(strstr(error.s, "another coordinator listens there"));
    (void)snprintf(path, sizeof(path), "%s/file", scene->directory);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fclose(file);
    assert_int_equal(control_listen(path, &error, &fd), ERR_INVALID);
    assert_non_null(strstr(error.s, "something else is there"));
    assert_int_equal(access(path, F_OK), 0);
    (void)snprintf(path, sizeof(path), "%s/no/such", scene->directory);
    assert_int_equal(control_listen(path, &error, &fd), ERR_IO);
    assert_non_null(strstr(error.s, "No such file"));
    memset(path, 'p', CONTROL_PATH_SIZE);
    path[CONTROL_PATH_SIZE] = '\0';
    assert_int_equal(control_listen(path, &error, &fd), ERR_INVALID);
    assert_non_null(strstr(error.s, "107 bytes"));
    assert_int_equal(fd, -1);
}

/* --- who asks --- */

static void test_control_takes_a_request_in_pieces(void **state)
{
    struct scene *scene = *state;
    char text[64];
    open_here(scene);
    int fd = dial(scene->path);
    say(fd, "he");
    (void)uv_run(&scene->loop, UV_RUN_NOWAIT);
    say(fd, "llo");
    (void)uv_run(&scene->loop, UV_RUN_NOWAIT);
    say(fd, "\nand more that nobody reads");
    (void)hear(scene, fd, text, sizeof(text));
    assert_string_equal(text, "hello\n");
    assert_int_equal(scene->asked, 1);
}

static void test_control_gives_a_long_answer_to_a_slow_reader(void **state)
{
    struct scene *scene = *state;
    char text[8];
    open_here(scene);
    scene->answer_len = 4 * 1024 * 1024;
    int fd = dial(scene->path);
    say(fd, "hello\n");
    assert_int_equal(hear(scene, fd, text, sizeof(text)), scene->answer_len + 1);
}

static void test_control_hangs_up_on_a_request_without_an_end(void **state)
{
    struct scene *scene = *state;
    char line[2 * CONTROL_REQUEST_MAX];
    char text[8];
    open_here(scene);
    memset(line, 'a', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    int fd = dial(scene->path);
    say(fd, line);
    assert_int_equal(hear(scene, fd, text, sizeof(text)), 0);
    assert_int_equal(scene->asked, 0);
    assert_answered(scene, scene->path);
}

static void test_control_forgets_who_leaves(void **state)
{
    struct scene *scene = *state;
    open_here(scene);
    for (int i = 0; i < 3 * CONTROL_CONNECTIONS_MAX; i++) {
        int fd = dial(scene->path);
        say(fd, i % 2 == 0 ? "hello\n" : "hel");
        (void)close(fd);
        (void)uv_run(&scene->loop, UV_RUN_NOWAIT);
    }
    assert_answered(scene, scene->path);
}

/* More than it talks to at a time, and none of them says a word: the one behind them gets its
 * answer when their time is over. */
static void test_control_waits_for_silent_ones_only_so_long(void **state)
{
    struct scene *scene = *state;
    int fds[CONTROL_CONNECTIONS_MAX];
    open_here(scene);
    for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        fds[i] = dial(scene->path);
        assert_true(fds[i] >= 0);
    }
    uint64_t begun_ns = uv_hrtime();
    assert_answered(scene, scene->path);
    assert_true((uv_hrtime() - begun_ns) / 1000000 >= CONTROL_REQUEST_TIMEOUT_MS / 2);
    for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        (void)close(fds[i]);
    }
}

static void test_control_does_not_wait_for_who_does_not_read(void **state)
{
    struct scene *scene = *state;
    open_here(scene);
    scene->answer_len = 4 * 1024 * 1024;
    int fd = dial(scene->path);
    say(fd, "hello\n");
    while (scene->asked == 0) {
        (void)uv_run(&scene->loop, UV_RUN_NOWAIT);
    }
    scene->answer_len = 0;
    assert_answered(scene, scene->path); /* another one, meanwhile */
    (void)close(fd);
}

static void test_control_closes_in_the_middle_of_everything(void **state)
{
    struct scene *scene = *state;
    open_here(scene);
    scene->answer_len = 4 * 1024 * 1024;
    int silent = dial(scene->path);
    int reading = dial(scene->path);
    say(reading, "hello\n");
    while (scene->asked == 0) {
        (void)uv_run(&scene->loop, UV_RUN_NOWAIT);
    }
    int waiting = dial(scene->path);
    control_close(scene->control);
    scene->control = NULL;
    (void)uv_run(&scene->loop, UV_RUN_NOWAIT); /* teardown finds nothing left */
    (void)close(silent);
    (void)close(reading);
    (void)close(waiting);
}

/* Only root can be somebody else. The socket's mode is taken away first: the credentials alone are to keep it shut. */
static void test_control_answers_no_other_user(void **state)
{
    struct scene *scene = *state;
    int status = 0;
    if (geteuid() != 0) {
        skip();
    }
    open_here(scene);
    assert_int_equal(chmod(scene->directory, 0755), 0);
    pid_t other = fork();
    if (other == 0) {
        /* The mode keeps it out; and when that is changed, its number does. */
        bool out = setuid(STRANGER) == 0 && dial(scene->path) < 0 && errno == EACCES;
        _exit(out ? PASSED : 0);
    }
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_int_equal(WEXITSTATUS(status), PASSED);
    assert_int_equal(chmod(scene->path, 0666), 0);
    int pair[2];
    assert_int_equal(pipe(pair), 0);
    other = fork();
    if (other == 0) {
        char byte;
        int fd = setuid(STRANGER) == 0 ? dial(scene->path) : -1;
        bool sent = fd >= 0 && send(fd, "hello\n", 6, MSG_NOSIGNAL) == 6;
        (void)!write(pair[1], "x", 1);
        while (sent && recv(fd, &byte, 1, 0) < 0 && errno == EAGAIN) {
            (void)usleep(1000);
        }
        _exit(sent ? PASSED : 0);
    }
    char byte;
    assert_int_equal(read(pair[0], &byte, 1), 1);
    while (waitpid(other, &status, WNOHANG) == 0) {
        (void)uv_run(&scene->loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(WEXITSTATUS(status), PASSED);
    assert_int_equal(scene->asked, 0);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_control_answers_at_the_path_it_was_given),
        TEST(test_control_has_a_private_default_place),
        TEST(test_control_uses_no_directory_that_others_may_enter),
        TEST(test_control_uses_no_directory_of_somebody_else),
        TEST(test_control_removes_what_a_dead_process_left),
        TEST(test_control_does_not_take_what_is_not_its_own),
        TEST(test_control_without_a_default_place_is_no_error),
        TEST(test_control_takes_a_request_in_pieces),
        TEST(test_control_gives_a_long_answer_to_a_slow_reader),
        TEST(test_control_hangs_up_on_a_request_without_an_end),
        TEST(test_control_forgets_who_leaves),
        TEST(test_control_waits_for_silent_ones_only_so_long),
        TEST(test_control_does_not_wait_for_who_does_not_read),
        TEST(test_control_closes_in_the_middle_of_everything),
        TEST(test_control_answers_no_other_user),
    };
    (void)signal(SIGPIPE, SIG_IGN); /* as main does */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
