#include "common/io/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STATUS_SIZE = 96 };

struct child {
    pid_t pid;
    int pidfd;
    int output; /* -1: none */
    int errors; /* -1: none, or closed by the child */
    bool ended;
    siginfo_t end; /* how, once it has ended */
    char status[STATUS_SIZE];
    char kept[CHILD_ERRORS_SIZE + 1]; /* last bytes of standard error */
    size_t kept_len;
    bool cut; /* what is kept begins inside a line */
};

/* Descriptors that the parent makes before it forks. [0] is read, [1] written. */
struct plumbing {
    int null; /* the child's standard input */
    int output[2];
    int errors[2];
    int failure[2]; /* closed by a good exec; otherwise carries errno */
};

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

static void close_plumbing(struct plumbing *plumbing)
{
    close_fd(&plumbing->null);
    for (size_t i = 0; i < 2; i++) {
        close_fd(&plumbing->output[i]);
        close_fd(&plumbing->errors[i]);
        close_fd(&plumbing->failure[i]);
    }
}

/* Everything close-on-exec: another thread may fork at any moment. */
static int open_plumbing(const struct child_options *options, struct plumbing *plumbing)
{
    *plumbing = (struct plumbing){-1, {-1, -1}, {-1, -1}, {-1, -1}};
    plumbing->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (plumbing->null < 0 || pipe2(plumbing->failure, O_CLOEXEC) != 0 ||
        (options->pipe_output && pipe2(plumbing->output, O_CLOEXEC) != 0) ||
        (options->keep_errors && pipe2(plumbing->errors, O_CLOEXEC) != 0)) {
        return ERR_IO;
    }
    return 0;
}

/* --- in the child, between fork and exec: only calls that are safe in a signal handler, since another thread of the parent may have
 * held any lock when it was forked --- */

/* Duplicating a descriptor onto itself would keep it close-on-exec. */
static int place(int fd, int target)
{
    if (fd == target) {
        return fcntl(fd, F_SETFD, 0);
    }
    return dup2(fd, target);
}

/* A standard descriptor may have been closed in the parent, so that one of ours sits in its place: move ours out of the way first. */
static int above_standard(int fd)
{
    return fd < 0 || fd > STDERR_FILENO ? fd : fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

static int redirect(struct plumbing *plumbing)
{
    int null = above_standard(plumbing->null);
    int output = above_standard(plumbing->output[1]);
    int errors = above_standard(plumbing->errors[1]);
    bool failed = place(null, STDIN_FILENO) < 0 ||
                  (output >= 0 && place(output, STDOUT_FILENO) < 0) ||
                  (errors >= 0 && place(errors, STDERR_FILENO) < 0);
    return failed ? ERR_IO : 0;
}

/* Ignored signals would stay ignored behind exec, and blocked ones blocked. */
static void reset_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++) {
        (void)sigaction(number, &action, NULL); /* fails for those that cannot be caught */
    }
    sigset_t none;
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void become(const struct child_options *options,
                             struct plumbing *plumbing,
                             pid_t parent)
{
    int failure = above_standard(plumbing->failure[1]);
    if (options->parent_death_signal != 0) {
        (void)prctl(PR_SET_PDEATHSIG, options->parent_death_signal);
        /* It may have ended before the line above: then nothing would come any more. */
        if (getppid() != parent) {
            _exit(1);
        }
    }
    reset_signals();
    if (options->own_session) {
        (void)setsid();
    }
    /* Libraries, and whoever started us, may have left descriptors without close-on-exec. */
    (void)close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    if (redirect(plumbing) == 0) {
        (void)execv(options->program, (char *const *)options->arguments);
    }
    int error = errno;
    (void)!write(failure, &error, sizeof(error));
    _exit(127);
}

/* --- in the parent --- */

/* All signals wait meanwhile: a handler of ours must not run in the child. */
static pid_t fork_program(const struct child_options *options, struct plumbing *plumbing)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        become(options, plumbing, parent);
    }
    int error = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return pid;
}

/* errno of the child's exec; 0 when it went well. */
static int read_failure(int fd)
{
    int error = 0;
    ssize_t got;
    do {
        got = read(fd, &error, sizeof(error));
    } while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof(error) ? error : 0;
}

static int refuse(struct err_text *ret_error, int code, const char *program, int error)
{
    char why[128];
    return err_set(
        ret_error, code, "cannot start '%s': %s", program, strerror_r(error, why, sizeof(why)));
}

/* Take the parent's ends out of the plumbing. */
static void keep_ends(struct child *child, struct plumbing *plumbing)
{
    child->output = plumbing->output[0];
    child->errors = plumbing->errors[0];
    plumbing->output[0] = -1;
    plumbing->errors[0] = -1;
    if (child->output >= 0) {
        (void)fcntl(child->output, F_SETFL, O_NONBLOCK);
    }
    if (child->errors >= 0) {
        (void)fcntl(child->errors, F_SETFL, O_NONBLOCK);
    }
}

int child_start(const struct child_options *options,
                struct err_text *ret_error,
                struct child **ret_child)
{
    struct plumbing plumbing;
    struct child *child = NULL;
    int rc = open_plumbing(options, &plumbing);
    if (rc != 0) {
        rc = refuse(ret_error, rc, options->program, errno);
        goto out;
    }
    child = calloc(1, sizeof(*child));
    if (child == NULL) {
        rc = refuse(ret_error, ERR_NOMEM, options->program, ENOMEM);
        goto out;
    }
    child->pid = fork_program(options, &plumbing);
    child->pidfd = child->pid < 0 ? -1 : pidfd_open(child->pid, 0);
    if (child->pidfd < 0) {
        rc = refuse(ret_error, ERR_IO, options->program, errno);
        goto out;
    }
    close_fd(&plumbing.failure[1]);
    keep_ends(child, &plumbing);
    int error = read_failure(plumbing.failure[0]);
    if (error != 0) {
        rc = refuse(ret_error, ERR_CHILD, options->program, error);
        child_free(child);
        child = NULL;
        goto out;
    }
    *ret_child = child;
    child = NULL;
out:
    if (child != NULL && child->pid > 0) {
        /* Without a pidfd it cannot be looked after. It is ours and not reaped, so the number is still its own. */
        (void)kill(child->pid, SIGKILL);
        (void)waitpid(child->pid, NULL, 0);
    }
    close_plumbing(&plumbing);
    free(child);
    return rc;
}

void child_free(struct child *child)
{
    if (child == NULL) {
        return;
    }
    if (!child_has_ended(child)) {
        (void)child_kill(child, SIGKILL);
        (void)waitid(P_PIDFD, (id_t)child->pidfd, &child->end, WEXITED);
    }
    close_fd(&child->pidfd);
    close_fd(&child->output);
    close_fd(&child->errors);
    free(child);
}

pid_t child_pid(const struct child *child)
{
    return child->pid;
}

int child_pidfd(const struct child *child)
{
    return child->pidfd;
}

int child_output_fd(const struct child *child)
{
    return child->output;
}

/* --- its end --- */

bool child_has_ended(struct child *child)
{
    if (!child->ended) {
        siginfo_t end = {0};
        int rc = waitid(P_PIDFD, (id_t)child->pidfd, &end, WEXITED | WNOHANG);
        child->ended = rc == 0 && end.si_pid == child->pid;
        child->end = end;
    }
    return child->ended;
}

int child_kill(struct child *child, int signal_number)
{
    if (child_has_ended(child) || pidfd_send_signal(child->pidfd, signal_number, NULL, 0) != 0) {
        return ERR_GONE;
    }
    return 0;
}

int child_exit_status(struct child *child)
{
    if (!child_has_ended(child)) {
        return -1;
    }
    return child->end.si_code == CLD_EXITED ? child->end.si_status : 128 + child->end.si_status;
}

const char *child_status_text(struct child *child)
{
    int status = child_exit_status(child);
    if (status < 0) {
        return "running";
    }
    if (child->end.si_code == CLD_EXITED) {
        (void)snprintf(child->status, sizeof(child->status), "exited with status %d", status);
        return child->status;
    }
    const char *name = sigdescr_np(child->end.si_status);
    (void)snprintf(child->status,
                   sizeof(child->status),
                   "killed by signal %d (%s)",
                   child->end.si_status,
                   name == NULL ? "unknown" : name);
    return child->status;
}

/* --- what it says --- */

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Add to what is kept; the oldest goes. */
static void keep(struct child *child, const char *bytes, size_t len)
{
    if (len > CHILD_ERRORS_SIZE) {
        bytes += len - CHILD_ERRORS_SIZE;
        len = CHILD_ERRORS_SIZE;
        child->cut = true;
        child->kept_len = 0;
    }
    size_t room = CHILD_ERRORS_SIZE - child->kept_len;
    if (len > room) {
        size_t gone = len - room;
        memmove(child->kept, child->kept + gone, child->kept_len - gone);
        child->kept_len -= gone;
        child->cut = true;
    }
    memcpy(child->kept + child->kept_len, bytes, len);
    child->kept_len += len;
    child->kept[child->kept_len] = '\0';
}

/* Take in what stands in the pipe of standard error. */
static void take_errors(struct child *child)
{
    char bytes[CHILD_ERRORS_SIZE];
    while (child->errors >= 0) {
        ssize_t got = read(child->errors, bytes, sizeof(bytes));
        if (got > 0) {
            keep(child, bytes, (size_t)got);
        } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            close_fd(&child->errors);
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

const char *child_errors(struct child *child)
{
    take_errors(child);
    const char *newline = child->cut ? strchr(child->kept, '\n') : NULL;
    return newline == NULL ? child->kept : newline + 1;
}

/* Sleep until `fd` (-1: nothing), the child's end or its standard error has news, or `until_ms` is over. False: it is over. */
static bool wait_for_news(struct child *child, int fd, int64_t until_ms)
{
    /* Once it has ended its pidfd is readable for good, while a grandchild may still hold its output. */
    struct pollfd polled[] = {
        {.fd = child_has_ended(child) ? -1 : child->pidfd, .events = POLLIN},
        {.fd = child->errors, .events = POLLIN},
        {.fd = fd, .events = POLLIN},
    };
    int64_t left_ms = until_ms - now_ms();
    if (left_ms <= 0) {
        return false;
    }
    (void)poll(polled, sizeof(polled) / sizeof(polled[0]), (int)(left_ms < 1000 ? left_ms : 1000));
    take_errors(child);
    return true;
}

int child_wait(struct child *child, uint32_t timeout_ms)
{
    int64_t until_ms = now_ms() + timeout_ms;
    while (!child_has_ended(child)) {
        if (!wait_for_news(child, -1, until_ms)) {
            return child_has_ended(child) ? 0 : ERR_TIMEOUT;
        }
    }
    return 0;
}

/* How the child that said too little ended, and its last words. Its end may be a moment later than that of its output. */
static int explain_end(struct child *child, struct err_text *ret_error)
{
    enum { GRACE_MS = 1000 };

    (void)child_wait(child, GRACE_MS);
    const char *words = child_errors(child);
    int len = (int)strcspn(words, "\n");
    return err_set(ret_error,
                   ERR_CHILD,
                   "process %ld ended its output too early: %s%s%.*s",
                   (long)child->pid,
                   child_status_text(child),
                   len > 0 ? "; it said: " : "",
                   len,
                   words);
}

int child_read_line(struct child *child,
                    uint32_t timeout_ms,
                    char *ret_line,
                    size_t size,
                    struct err_text *ret_error)
{
    int64_t until_ms = now_ms() + timeout_ms;
    size_t len = 0;
    for (;;) {
        /* One byte at a time: what follows the line stays in the pipe for its reader. */
        char byte;
        ssize_t got = read(child->output, &byte, 1);
        if (got == 1 && byte == '\n') {
            ret_line[len] = '\0';
            return 0;
        }
        if (got == 1 && len + 1 >= size) {
            return err_set(ret_error,
                           ERR_INVALID,
                           "process %ld wrote a line of more than %zu bytes",
                           (long)child->pid,
                           size - 1);
        }
        if (got == 1) {
            ret_line[len++] = byte;
        } else if (got == 0) {
            return explain_end(child, ret_error);
        } else if (!wait_for_news(child, child->output, until_ms)) {
            return err_set(ret_error,
                           ERR_TIMEOUT,
                           "process %ld said nothing within %u ms",
                           (long)child->pid,
                           timeout_ms);
        }
    }
}
