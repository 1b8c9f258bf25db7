/* Other programs started: what they find, how they end, and what is said when they cannot be.
 *
 * This process is a subreaper: what its children leave behind becomes its own child, and can be
 * waited for instead of looked for. */
#include "common/io/descriptors.h"
#include "common/io/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { OUTPUT_MAX = 64 * 1024, FILES_BEFORE = 100, THREADS = 4, STARTS = 40 };

static char no_words[] = "";
static char *no_env[] = {NULL};

struct fixture {
    int null;
    char directory[64]; /* with the files that make_file makes */
};

/* --- helpers --- */

static struct spawn_options options_of(const struct fixture *fixture, char *const *argv)
{
    return (struct spawn_options){
        .path = argv[0],
        .argv = argv,
        .envp = no_env,
        .in = fixture->null,
        .out = fixture->null,
        .err = STDERR_FILENO,
    };
}

static void start(const struct spawn_options *options, struct spawn_child *ret_child)
{
    struct err_text error = {""};
    if (spawn(options, &error, ret_child) != 0) {
        fail_msg("%s", error.s);
    }
}

static size_t read_all(int fd, char *ret_text)
{
    size_t len = 0;
    ssize_t got;
    while ((got = read(fd, ret_text + len, OUTPUT_MAX - 1 - len)) > 0) {
        len += (size_t)got;
    }
    assert_int_equal(got, 0);
    ret_text[len] = '\0';
    return len;
}

/* Run a program to its end; what it printed. */
static void run(struct spawn_options *options, char ret_text[OUTPUT_MAX], struct spawn_end *ret_end)
{
    int ends[2];
    struct spawn_child child;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    options->out = ends[1];
    start(options, &child);
    (void)close(ends[1]);
    (void)read_all(ends[0], ret_text);
    (void)close(ends[0]);
    spawn_reap(&child, ret_end);
}

static void run_witness(struct spawn_options *options, char ret_text[OUTPUT_MAX])
{
    struct spawn_end end;
    options->path = SPAWN_WITNESS;
    run(options, ret_text, &end);
    assert_int_equal(end.exit_status, 0);
    assert_int_equal(end.signal, 0);
}

static void assert_says(const char *text, const char *line)
{
    if (strstr(text, line) == NULL) {
        fail_msg("'%s' is not in:\n%s", line, text);
    }
}

static void run_shell(const struct fixture *fixture, const char *program, struct spawn_end *ret_end)
{
    char shell[] = "/bin/sh";
    char dash_c[] = "-c";
    char *argv[] = {shell, dash_c, (char *)(uintptr_t)program, NULL};
    char text[OUTPUT_MAX];
    struct spawn_options options = options_of(fixture, argv);
    run(&options, text, ret_end);
}

static const char *make_file(const struct fixture *fixture,
                             const char *name,
                             const char *content,
                             mode_t mode,
                             char ret_path[128])
{
    (void)snprintf(ret_path, 128, "%s/%s", fixture->directory, name);
    int fd = open(ret_path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    assert_int_equal(fchmod(fd, mode), 0);
    (void)close(fd);
    return ret_path;
}

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

/* --- what a program finds --- */

static void test_spawn_passes_arguments_and_environment_as_they_are(void **state)
{
    char first[] = "not the path";
    char second[] = " two  words\n'\"$x ";
    char variable[] = "NAME=a b=c\n";
    char *argv[] = {first, second, no_words, NULL};
    char *envp[] = {variable, NULL};
    char text[OUTPUT_MAX];
    struct spawn_options options = options_of(*state, argv);
    options.envp = envp;
    run_witness(&options, text);
    assert_says(text, "arg 0 [not the path]\narg 1 [ two  words\n'\"$x ]\narg 2 []\n");
    assert_says(text, "env [NAME=a b=c\n]\n");
}

static void test_spawn_enters_the_directory(void **state)
{
    const struct fixture *fixture = *state;
    char *argv[] = {no_words, NULL};
    char text[OUTPUT_MAX];
    char line[128];
    struct spawn_options options = options_of(fixture, argv);
    options.cwd = fixture->directory;
    run_witness(&options, text);
    (void)snprintf(line, sizeof(line), "cwd %s\n", fixture->directory);
    assert_says(text, line);
}

static void test_spawn_leaves_three_descriptors_open(void **state)
{
    char *argv[] = {no_words, NULL};
    char text[OUTPUT_MAX];
    struct spawn_options options = options_of(*state, argv);
    int more[2];
    assert_int_equal(pipe2(more, O_CLOEXEC), 0);
    run_witness(&options, text);
    const char *first = strstr(text, "fd 0\nfd 1\nfd 2\n");
    assert_non_null(first);
    assert_null(strstr(first + 15, "fd "));
    (void)close(more[0]);
    (void)close(more[1]);
}

static void on_signal(int number)
{
    (void)number;
}

static void test_spawn_resets_signals(void **state)
{
    char *argv[] = {no_words, NULL};
    char text[OUTPUT_MAX];
    struct spawn_options options = options_of(*state, argv);
    sigset_t blocked;
    sigset_t before;
    sigset_t after;
    (void)sigfillset(&blocked);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &blocked, &before), 0);
    void (*xfsz_before)(int) = signal(SIGXFSZ, SIG_IGN);
    void (*pipe_before)(int) = signal(SIGPIPE, SIG_IGN);
    void (*usr1_before)(int) = signal(SIGUSR1, on_signal);
    run_witness(&options, text);
    assert_says(text, "SigBlk:\t0000000000000000\n");
    assert_says(text, "SigIgn:\t0000000000000000\n");

    /* Ours are as they were. */
    assert_ptr_equal(signal(SIGXFSZ, xfsz_before), SIG_IGN);
    assert_ptr_equal(signal(SIGPIPE, pipe_before), SIG_IGN);
    assert_ptr_equal(signal(SIGUSR1, usr1_before), on_signal);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, &after), 0);
    assert_int_equal(sigismember(&after, SIGTERM), 1);
}

static void test_spawn_gives_back_the_limit_on_open_files(void **state)
{
    char *argv[] = {no_words, NULL};
    char text[OUTPUT_MAX];
    char line[64];
    struct spawn_options options = options_of(*state, argv);
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(limit.rlim_cur > FILES_BEFORE); /* main has had it raised */
    run_witness(&options, text);
    (void)snprintf(line,
                   sizeof(line),
                   "nofile %d of %llu\n",
                   FILES_BEFORE,
                   (unsigned long long)limit.rlim_max);
    assert_says(text, line);
}

static void test_spawn_makes_a_process_group(void **state)
{
    char *argv[] = {no_words, NULL};
    char text[OUTPUT_MAX];
    struct spawn_options options = options_of(*state, argv);
    run_witness(&options, text);
    assert_says(text, "leads its group: 1\n");
    assert_says(text, "pdeathsig 0\n");
    options.ends_with_thread = true;
    run_witness(&options, text);
    assert_says(text, "pdeathsig 9\n");
    options.ends_in_order = true;
    run_witness(&options, text);
    assert_says(text, "pdeathsig 15\n");
}

/* The standard descriptors of a process of its own, crossed: output is 0, input and error are 1. */
static void start_crossed(int out, int null)
{
    char program[] = "/bin/sh";
    char dash_c[] = "-c";
    char script[] = "cat; echo out; echo err >&2";
    char *argv[] = {program, dash_c, script, NULL};
    struct spawn_child child;
    struct spawn_end end = {.exit_status = 1};
    (void)dup2(out, 0);
    (void)dup2(null, 1);
    (void)dup2(null, 2);
    struct spawn_options options = {
        .path = program, .argv = argv, .envp = environ, .in = 1, .out = 0, .err = 0};
    if (spawn(&options, NULL, &child) == 0) {
        spawn_reap(&child, &end);
    }
    _exit(end.exit_status);
}

static void test_spawn_can_cross_the_standard_descriptors(void **state)
{
    const struct fixture *fixture = *state;
    int ends[2];
    char text[OUTPUT_MAX];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        start_crossed(ends[1], fixture->null);
    }
    (void)close(ends[1]);
    (void)read_all(ends[0], text);
    (void)close(ends[0]);
    assert_string_equal(text, "out\nerr\n");
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void test_spawn_runs_scripts_that_do_not_name_a_shell(void **state)
{
    char path[128];
    char text[OUTPUT_MAX];
    char argument[] = "a b";
    struct spawn_end end;
    (void)make_file(*state, "script", "echo \"$0 [$1]\"; exit 4\n", 0700, path);
    char *argv[] = {no_words, argument, NULL};
    struct spawn_options options = options_of(*state, argv);
    options.path = path;
    run(&options, text, &end);
    assert_int_equal(end.exit_status, 4);
    char line[160];
    (void)snprintf(line, sizeof(line), "%s [a b]\n", path);
    assert_string_equal(text, line);
}

/* --- what is said when it cannot be --- */

static void assert_refused(const struct spawn_options *options, const char *reason)
{
    struct err_text error = {""};
    struct spawn_child child = {.pid = 1, .pidfd = 2};
    int before = open_descriptors();
    assert_int_equal(spawn(options, &error, &child), ERR_IO);
    if (strstr(error.s, reason) == NULL) {
        fail_msg("'%s' is not in '%s'", reason, error.s);
    }
    assert_int_equal(child.pid, 1);
    assert_int_equal(child.pidfd, 2);
    /* Nothing stays: neither descriptors nor a dead child. */
    assert_int_equal(open_descriptors(), before);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void test_spawn_tells_why_it_failed(void **state)
{
    const struct fixture *fixture = *state;
    char path[128];
    char *argv[] = {no_words, NULL};
    struct spawn_options options = options_of(fixture, argv);
    options.path = "/nonexistent/x";
    assert_refused(&options, "cannot run '/nonexistent/x': No such file or directory");
    options.path = make_file(fixture, "plain", "", 0600, path);
    assert_refused(&options, "plain': Permission denied");
    options.path = make_file(fixture, "shebang", "#!/nonexistent/y\n", 0700, path);
    assert_refused(&options, "shebang': No such file or directory");
    options.path = SPAWN_WITNESS;
    options.cwd = "/nonexistent/z";
    assert_refused(&options, "cannot enter directory '/nonexistent/z': No such file");
    options.cwd = NULL;
    options.in = 1000000;
    assert_refused(&options, "cannot set up a process: Bad file descriptor");
}

static void test_spawn_tells_that_arguments_are_too_long(void **state)
{
    size_t len = 256 * 1024;
    char *argument = malloc(len + 1);
    assert_non_null(argument);
    memset(argument, 'x', len);
    argument[len] = '\0';
    char *argv[] = {no_words, argument, NULL};
    struct spawn_options options = options_of(*state, argv);
    options.path = SPAWN_WITNESS;
    assert_refused(&options, "Argument list too long");
    free(argument);
}

static bool refused_for_want_of_descriptors(const struct fixture *fixture)
{
    char *argv[] = {no_words, NULL};
    struct spawn_options options = options_of(fixture, argv);
    options.path = SPAWN_WITNESS;
    struct spawn_child child;
    struct err_text error = {""};
    int next = dup(STDERR_FILENO);
    (void)close(next);
    const struct rlimit none = {.rlim_cur = (rlim_t)next, .rlim_max = (rlim_t)next};
    return setrlimit(RLIMIT_NOFILE, &none) == 0 && spawn(&options, &error, &child) == ERR_IO &&
           strstr(error.s, "cannot start a process: Too many open files") != NULL;
}

static void test_spawn_tells_that_descriptors_are_used_up(void **state)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(refused_for_want_of_descriptors(*state) ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* --- how it ends --- */

static void test_spawn_reap_tells_status_or_signal(void **state)
{
    struct spawn_end end;
    run_shell(*state, "exit 255", &end);
    assert_int_equal(end.exit_status, 255);
    assert_int_equal(end.signal, 0);
    run_shell(*state, "kill -11 $$", &end);
    assert_int_equal(end.exit_status, 0);
    assert_int_equal(end.signal, SIGSEGV);
}

static void test_spawn_pidfd_is_readable_when_it_has_ended(void **state)
{
    const struct fixture *fixture = *state;
    char program[] = "/bin/cat";
    char *argv[] = {program, NULL};
    struct spawn_options options = options_of(fixture, argv);
    struct spawn_child child;
    struct spawn_end end;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    options.in = ends[0];
    start(&options, &child);
    (void)close(ends[0]);
    struct pollfd polled = {.fd = child.pidfd, .events = POLLIN};
    assert_int_equal(poll(&polled, 1, 0), 0);
    assert_int_equal(fcntl(child.pidfd, F_GETFD), FD_CLOEXEC);
    (void)close(ends[1]); /* the end of cat's input */
    assert_int_equal(poll(&polled, 1, -1), 1);
    spawn_reap(&child, &end);
    assert_int_equal(child.pidfd, -1);
    assert_int_equal(end.exit_status, 0);
}

/* As libuv does to what it polls. */
static void test_spawn_reap_waits_on_a_pidfd_that_does_not_block(void **state)
{
    struct spawn_child child;
    struct spawn_end end;
    char program[] = "/bin/sleep";
    char seconds[] = "0.05";
    char *argv[] = {program, seconds, NULL};
    struct spawn_options options = options_of(*state, argv);
    start(&options, &child);
    assert_int_equal(fcntl(child.pidfd, F_SETFL, O_NONBLOCK), 0);
    spawn_reap(&child, &end);
    assert_int_equal(end.exit_status, 0);
    assert_int_equal(end.signal, 0);
}

static void test_spawn_signal_group_reaches_grandchildren(void **state)
{
    char shell[] = "/bin/sh";
    char dash_c[] = "-c";
    char script[] = "sleep 1000 >&- & echo $!; exec >&-; wait";
    char *argv[] = {shell, dash_c, script, NULL};
    struct spawn_options options = options_of(*state, argv);
    options.envp = environ;
    struct spawn_child child;
    struct spawn_end end;
    int ends[2];
    char text[OUTPUT_MAX];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    options.out = ends[1];
    start(&options, &child);
    (void)close(ends[1]);
    (void)read_all(ends[0], text);
    (void)close(ends[0]);
    pid_t grandchild = (pid_t)atoi(text);
    assert_true(grandchild > 1);
    spawn_signal_group(&child, SIGKILL);
    spawn_reap(&child, &end);
    assert_int_equal(end.signal, SIGKILL);
    int status = 0;
    assert_int_equal(waitpid(grandchild, &status, 0), grandchild);
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

struct starter {
    const struct fixture *fixture;
    bool ends_with_thread;
    struct spawn_child child;
};

static void *start_sleep(void *arg)
{
    struct starter *starter = arg;
    char program[] = "/bin/sleep";
    char seconds[] = "1000";
    char *argv[] = {program, seconds, NULL};
    struct spawn_options options = options_of(starter->fixture, argv);
    options.ends_with_thread = starter->ends_with_thread;
    start(&options, &starter->child);
    return NULL;
}

static void test_spawn_ends_with_the_thread_if_asked_to(void **state)
{
    struct starter bound = {.fixture = *state, .ends_with_thread = true};
    struct starter free_one = {.fixture = *state};
    struct spawn_end end;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, start_sleep, &free_one), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, start_sleep, &bound), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    spawn_reap(&bound.child, &end);
    assert_int_equal(end.signal, SIGKILL);
    struct pollfd polled = {.fd = free_one.child.pidfd, .events = POLLIN};
    assert_int_equal(poll(&polled, 1, 0), 0);
    spawn_signal_group(&free_one.child, SIGTERM);
    spawn_reap(&free_one.child, &end);
    assert_int_equal(end.signal, SIGTERM);
}

static void *start_many(void *arg)
{
    const struct fixture *fixture = arg;
    char program[] = "/bin/sh";
    char dash_c[] = "-c";
    uintptr_t wrong = 0;
    for (int i = 0; i < STARTS; i++) {
        char script[16];
        (void)snprintf(script, sizeof(script), "exit %d", i);
        char *argv[] = {program, dash_c, script, NULL};
        struct spawn_options options = options_of(fixture, argv);
        options.ends_with_thread = true;
        struct spawn_child child;
        struct spawn_end end = {.exit_status = -1};
        if (spawn(&options, NULL, &child) == 0) {
            spawn_reap(&child, &end);
        }
        wrong += end.exit_status != i;
    }
    return (void *)wrong;
}

static void test_spawn_from_many_threads_at_once(void **state)
{
    pthread_t threads[THREADS];
    int before = open_descriptors();
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, start_many, *state), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *wrong = NULL;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    assert_int_equal(open_descriptors(), before);
}

/* --- where a program is --- */

static void assert_found(const char *name, const char *cwd, const char *expected)
{
    struct err_text error = {""};
    char *path = NULL;
    if (path_find(name, cwd, &error, &path) != 0) {
        fail_msg("%s", error.s);
    }
    assert_string_equal(path, expected);
    free(path);
}

static void assert_not_found(const char *name, const char *cwd, int code, const char *reason)
{
    struct err_text error = {""};
    char *path = NULL;
    assert_int_equal(path_find(name, cwd, &error, &path), code);
    assert_null(path);
    if (strstr(error.s, reason) == NULL) {
        fail_msg("'%s' is not in '%s'", reason, error.s);
    }
}

static void test_path_find_takes_the_first_executable_file(void **state)
{
    const struct fixture *fixture = *state;
    char path[128];
    char variable[256];
    char sub[128];
    (void)snprintf(sub, sizeof(sub), "%s/tool", fixture->directory); /* a directory of that name */
    assert_int_equal(mkdir(sub, 0700), 0);
    (void)snprintf(sub, sizeof(sub), "%s/bin", fixture->directory);
    assert_int_equal(mkdir(sub, 0700), 0);
    (void)make_file(fixture, "bin/tool", "", 0700, path);
    (void)make_file(fixture, "plain-tool", "", 0600, path);

    (void)snprintf(variable,
                   sizeof(variable),
                   "/nonexistent:%s:%s/bin:/bin",
                   fixture->directory,
                   fixture->directory);
    assert_int_equal(setenv("PATH", variable, 1), 0);
    char expected[160];
    (void)snprintf(expected, sizeof(expected), "%s/bin/tool", fixture->directory);
    assert_found("tool", NULL, expected);
    assert_found(expected, NULL, expected);
    assert_found("bin/tool", fixture->directory, expected);
    assert_found("sh", NULL, "/bin/sh");
    assert_not_found("plain-tool", NULL, ERR_INVALID, "plain-tool' is not executable, and nothing");
    assert_not_found(
        "no-such", NULL, ERR_NOT_FOUND, "command 'no-such' was not found in PATH (/non");

    /* Empty places in PATH are the directory one is in. */
    assert_int_equal(setenv("PATH", "/nonexistent::", 1), 0);
    (void)snprintf(expected, sizeof(expected), "%s/./tool", sub);
    assert_found("tool", sub, expected);
    assert_int_equal(unsetenv("PATH"), 0);
    assert_found("sh", NULL, "/bin/sh");
}

static void test_path_find_tells_what_is_wrong_with_a_path(void **state)
{
    char path[128];
    assert_not_found("", NULL, ERR_NOT_FOUND, "name is empty");
    assert_not_found("/tmp", NULL, ERR_INVALID, "command '/tmp' is a directory");
    assert_not_found("/nonexistent/x", NULL, ERR_NOT_FOUND, "'/nonexistent/x' does not exist");
    assert_not_found("./x", "/nonexistent", ERR_NOT_FOUND, "'/nonexistent/./x' does not exist");
    assert_not_found("/dev/null", NULL, ERR_INVALID, "command '/dev/null' is not executable");
    assert_not_found(make_file(*state, "data", "", 0644, path), NULL, ERR_INVALID, "(chmod +x");

    char longest[8192];
    memset(longest, '/', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_not_found(longest, NULL, ERR_INVALID, "is too long for a path");
}

static int set_up(void **state)
{
    static struct fixture fixture;
    /* What whoever runs the tests has left open is not of this program's making. */
    (void)close_range(STDERR_FILENO + 1, ~0U, 0);
    (void)strcpy(fixture.directory, "/tmp/test_spawn.XXXXXX");
    fixture.null = open("/dev/null", O_RDWR | O_CLOEXEC);
    *state = &fixture;
    struct rlimit limit;
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = FILES_BEFORE;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 && descriptors_prepare(NULL) == 0 &&
                   prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 && mkdtemp(fixture.directory) != NULL
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    const struct fixture *fixture = *state;
    char command[128];
    (void)close(fixture->null);
    (void)snprintf(command, sizeof(command), "/bin/rm -rf %s", fixture->directory);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spawn_passes_arguments_and_environment_as_they_are),
        cmocka_unit_test(test_spawn_enters_the_directory),
        cmocka_unit_test(test_spawn_leaves_three_descriptors_open),
        cmocka_unit_test(test_spawn_resets_signals),
        cmocka_unit_test(test_spawn_gives_back_the_limit_on_open_files),
        cmocka_unit_test(test_spawn_makes_a_process_group),
        cmocka_unit_test(test_spawn_can_cross_the_standard_descriptors),
        cmocka_unit_test(test_spawn_runs_scripts_that_do_not_name_a_shell),
        cmocka_unit_test(test_spawn_tells_why_it_failed),
        cmocka_unit_test(test_spawn_tells_that_arguments_are_too_long),
        cmocka_unit_test(test_spawn_tells_that_descriptors_are_used_up),
        cmocka_unit_test(test_spawn_reap_tells_status_or_signal),
        cmocka_unit_test(test_spawn_pidfd_is_readable_when_it_has_ended),
        cmocka_unit_test(test_spawn_reap_waits_on_a_pidfd_that_does_not_block),
        cmocka_unit_test(test_spawn_signal_group_reaches_grandchildren),
        cmocka_unit_test(test_spawn_ends_with_the_thread_if_asked_to),
        cmocka_unit_test(test_spawn_from_many_threads_at_once),
        cmocka_unit_test(test_path_find_takes_the_first_executable_file),
        cmocka_unit_test(test_path_find_tells_what_is_wrong_with_a_path),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
