#include "common/io/first_process.h"

#include "common/base/check.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BY_SIGNAL = 128 };

/* What is waited for: everything that is not the init's own mistake or about the terminal that it never
 * touches. */
static void handed_on(sigset_t *ret_set)
{
    static const int own[] = {
        SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS, SIGTRAP, SIGABRT, SIGTTIN, SIGTTOU};
    (void)sigfillset(ret_set);
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        (void)sigdelset(ret_set, own[i]);
    }
}

/* Wait for all that have ended; ends this process when `child` has. */
static void reap(pid_t child)
{
    int status;
    pid_t pid;
    bool over = false;
    int exit_status = 0;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == child) {
            over = true;
            exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : BY_SIGNAL + WTERMSIG(status);
        }
    }
    if (over) {
        _exit(exit_status);
    }
}

_Noreturn static void be_init(pid_t child, const sigset_t *signals)
{
    (void)prctl(PR_SET_NAME, "quartet-init");
    for (;;) {
        int number = sigwaitinfo(signals, NULL);
        if (number == SIGCHLD) {
            reap(child);
        } else if (number > 0) {
            (void)kill(child, number);
        }
    }
}

/* A group of its own: what a terminal sends to its foreground, such as Ctrl-C, comes once, and not a second
 * time from the init. */
static void take_terminal(void)
{
    (void)setpgid(0, 0);
    if (isatty(STDIN_FILENO) == 1) {
        (void)tcsetpgrp(STDIN_FILENO, getpgrp());
    }
}

int first_process_leave(struct err_text *ret_error)
{
    if (getpid() != 1) {
        return 0;
    }
    sigset_t signals;
    sigset_t all;
    sigset_t before;
    handed_on(&signals);
    /* All of them: a process that takes the terminal from the background would be stopped by SIGTTOU. */
    (void)sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    /* Whoever started the container may have had it ignored: then no end would be told. */
    CHECK(signal(SIGCHLD, SIG_DFL) != SIG_ERR);
    pid_t child = fork();
    int error = errno;
    if (child > 0) {
        CHECK(pthread_sigmask(SIG_SETMASK, &signals, NULL) == 0);
        be_init(child, &signals);
    }
    if (child == 0) {
        take_terminal();
    }
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    return child == 0 ? 0
                      : err_set(ret_error,
                                ERR_IO,
                                "cannot leave the place of a container's first process: %s (raise "
                                "its limit on processes)",
                                strerrordesc_np(error));
}
