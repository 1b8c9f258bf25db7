/* A child that borrows our memory until it has become another program.
 *
 * clone(CLONE_VM | CLONE_VFORK) and not vfork(): the child runs on a stack of its own, so that it
 * cannot spoil the frames of the function that waits for it; and the descriptor of the process
 * comes with it (CLONE_PIDFD) instead of by another call.
 *
 * Between clone and exec the child shares everything in memory with threads that go on running.
 * It calls nothing of libc but syscall(): wrappers may keep notes (of signal handlers, of
 * cancellation) that would then be wrong in this process. */
#include "common/io/spawn.h"

#include "common/base/check.h"
#include "common/io/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <paths.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STACK_SIZE = 16 * 1024, STANDARD_COUNT = 3, SIGNAL_SET_BYTES = _NSIG / 8 };

/* What runs in the child must leave no notes in memory that is the parent's. */
#define IN_CHILD __attribute__((no_sanitize("address"), no_sanitize("thread")))

/* clone under its other name in glibc. The thread sanitizer wraps the first one (and makes forks
 * of vforks), and in the child then resets its own state, which here is still the parent's. */
int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);

enum child_step { STEP_NONE, STEP_DESCRIPTORS, STEP_CWD, STEP_EXEC };

/* Shared with the child, which writes `step` and `error` when it fails. */
struct birth {
    const struct spawn_options *options;
    pid_t parent;
    bool restore_limit;
    struct rlimit limit;
    spawn_note *note; /* of the child's group; NULL: none */
    enum child_step step;
    int error;
};

/* All to their defaults, which exec does for handlers only; and before any is unblocked: a
 * handler would run in our memory. (Nobody handles or ignores real-time signals here; leaving
 * them out saves half the time.) A kernel's struct sigaction of zeros is SIG_DFL. */
IN_CHILD static void reset_signals(void)
{
    static const unsigned char default_action[64];
    static const unsigned char no_signals[SIGNAL_SET_BYTES];
    for (long number = 1; number <= SIGSYS; number++) {
        (void)syscall(SYS_rt_sigaction, number, default_action, NULL, SIGNAL_SET_BYTES);
    }
    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, no_signals, NULL, SIGNAL_SET_BYTES);
}

/* The three become 0, 1 and 2. One that is in the way of another is moved first. */
IN_CHILD static bool set_descriptors(const struct spawn_options *options)
{
    long from[STANDARD_COUNT] = {options->in, options->out, options->err};
    for (long to = 0; to < STANDARD_COUNT; to++) {
        if (from[to] < STANDARD_COUNT && from[to] != to) {
            from[to] = syscall(SYS_fcntl, from[to], F_DUPFD_CLOEXEC, STANDARD_COUNT);
        }
        if (from[to] < 0) {
            return false;
        }
    }
    for (long to = 0; to < STANDARD_COUNT; to++) {
        long rc = from[to] == to ? syscall(SYS_fcntl, to, F_SETFD, 0)
                                 : syscall(SYS_dup3, from[to], to, 0);
        if (rc < 0) {
            return false;
        }
    }
    return true;
}

IN_CHILD static int fail(struct birth *birth, enum child_step step)
{
    birth->error = errno;
    birth->step = step;
    return 127;
}

IN_CHILD static int child_main(void *arg)
{
    struct birth *birth = arg;
    const struct spawn_options *options = birth->options;
    if (options->ends_with_thread) {
        int signal = options->ends_in_order ? SIGTERM : SIGKILL;
        (void)syscall(SYS_prctl, PR_SET_PDEATHSIG, signal, 0, 0, 0);
        /* The parent may have died before the line above: then nothing would come any more. */
        if (syscall(SYS_getppid) != birth->parent) {
            return 127;
        }
    }
    (void)syscall(SYS_setpgid, 0, 0);
    if (birth->note != NULL) {
        /* Here and not in the parent, which may be killed before it could. */
        uint64_t group = (uint64_t)syscall(SYS_getpid);
        atomic_store(birth->note, (uint64_t)birth->parent << 32 | group);
    }
    if (!set_descriptors(options)) {
        return fail(birth, STEP_DESCRIPTORS);
    }
    if (options->cwd != NULL && syscall(SYS_chdir, options->cwd) != 0) {
        return fail(birth, STEP_CWD);
    }
    if (birth->restore_limit) {
        (void)syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &birth->limit, NULL);
    }
    reset_signals();
    (void)syscall(SYS_execve, options->path, options->argv, options->envp);
    return fail(birth, STEP_EXEC);
}

/* --- in the parent --- */

/* Returns 0, or ERR_IO with birth->step and birth->error set (STEP_NONE: there was no child). */
static int start(struct birth *birth, struct spawn_child *ret_child)
{
    _Alignas(16) char stack[STACK_SIZE];
    struct spawn_child child = {.pidfd = -1};
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    birth->step = STEP_NONE;
    birth->note = birth->options->ends_in_order ? NULL : spawn_groups_claim(birth->parent);
    child.note = birth->note;

    /* A signal that came while the child has our memory and our handlers would be handled twice. */
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    child.pid = __clone(child_main,
                        stack + sizeof(stack),
                        CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD,
                        birth,
                        &child.pidfd);
    int error = errno;
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (child.pid < 0) {
        spawn_groups_release(birth->note);
        birth->error = error;
        return ERR_IO;
    }
    if (birth->step != STEP_NONE) {
        struct spawn_end end;
        spawn_reap(&child, &end);
        return ERR_IO;
    }
    *ret_child = child;
    return 0;
}

/* The kernel does not know the file's format: a script without "#!". */
static int start_with_shell(struct birth *birth, struct spawn_child *ret_child)
{
    const struct spawn_options *options = birth->options;
    size_t count = 0;
    while (options->argv[count] != NULL) {
        count++;
    }
    char **argv = calloc(count + 3, sizeof(*argv));
    if (argv == NULL) {
        return ERR_NOMEM;
    }
    argv[0] = (char *)(uintptr_t)_PATH_BSHELL;
    argv[1] = (char *)(uintptr_t)options->path;
    for (size_t i = 1; i < count; i++) {
        argv[i + 1] = options->argv[i];
    }
    struct spawn_options shell = *options;
    shell.path = _PATH_BSHELL;
    shell.argv = argv;
    birth->options = &shell;
    int rc = start(birth, ret_child);
    birth->options = options;
    free(argv);
    return rc;
}

static int describe(const struct birth *birth, struct err_text *ret_error)
{
    const struct spawn_options *options = birth->options;
    const char *reason = strerrordesc_np(birth->error);
    switch (birth->step) {
    case STEP_NONE:
        return err_set(ret_error,
                       ERR_IO,
                       "cannot start a process: %s (run fewer at once, or raise ulimit -u or -n)",
                       reason);
    case STEP_DESCRIPTORS:
        return err_set(ret_error, ERR_IO, "cannot set up a process: %s", reason);
    case STEP_CWD:
        return err_set(ret_error, ERR_IO, "cannot enter directory '%s': %s", options->cwd, reason);
    case STEP_EXEC:
        return err_set(ret_error, ERR_IO, "cannot run '%s': %s", options->path, reason);
    }
    check_failed(__FILE__, __LINE__, "a step that is in the list");
}

int spawn(const struct spawn_options *options,
          struct err_text *ret_error,
          struct spawn_child *ret_child)
{
    struct birth birth = {.options = options, .parent = getpid()};
    uint64_t soft = 0;
    if (descriptors_raised_from(&soft) && getrlimit(RLIMIT_NOFILE, &birth.limit) == 0) {
        birth.limit.rlim_cur = soft;
        birth.restore_limit = true;
    }
    int rc = start(&birth, ret_child);
    if (rc != 0 && birth.step == STEP_EXEC && birth.error == ENOEXEC) {
        rc = start_with_shell(&birth, ret_child);
    }
    if (rc == ERR_NOMEM) {
        return err_set(ret_error, rc, "no memory to run '%s'", options->path);
    }
    return rc != 0 ? describe(&birth, ret_error) : 0;
}

void spawn_signal_group(const struct spawn_child *child, int signal)
{
    (void)kill(-child->pid, signal);
}

/* As waitid(2) of the kernel, which tells the resources as well; that of libc does not. */
static long wait_for_end(int pidfd, siginfo_t *ret_info, struct rusage *ret_used)
{
    return syscall(SYS_waitid, P_PIDFD, pidfd, ret_info, WEXITED, ret_used);
}

static uint64_t us_of(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

void spawn_reap(struct spawn_child *child, struct spawn_end *ret_end)
{
    spawn_groups_release(child->note);
    siginfo_t info = {0};
    struct pollfd polled = {.fd = child->pidfd, .events = POLLIN};
    struct rusage used = {.ru_maxrss = 0};
    while (wait_for_end(child->pidfd, &info, &used) != 0) {
        /* Whoever watches pidfd may have made it O_NONBLOCK, which waitid heeds. */
        CHECK(errno == EINTR || errno == EAGAIN);
        (void)poll(&polled, 1, -1);
    }
    (void)close(child->pidfd);
    bool exited = info.si_code == CLD_EXITED;
    *ret_end = (struct spawn_end){
        .exit_status = exited ? info.si_status & 0xff : 0,
        .signal = exited ? 0 : info.si_status,
        .cpu_us = us_of(used.ru_utime) + us_of(used.ru_stime),
    };
    *child = (struct spawn_child){.pidfd = -1};
}
