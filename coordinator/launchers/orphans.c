#include "coordinator/launchers/orphans.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIST_MAX = 256, PAUSE_MS = 10, ROUNDS_MAX = 100 };

/* Children of the main thread, which those that are adopted become. None without /proc. */
static size_t list_children(pid_t *ret_list, size_t size)
{
    char path[64];
    size_t count = 0;
    long pid;
    (void)snprintf(path, sizeof(path), "/proc/self/task/%ld/children", (long)getpid());
    FILE *file = fopen(path, "re");
    while (file != NULL && count < size &&
           fscanf(file, "%ld", &pid) == 1) { /* NOLINT: the kernel's */
        ret_list[count++] = (pid_t)pid;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return count;
}

static bool is_own(const struct orphans *orphans, pid_t pid)
{
    for (size_t i = 0; i < orphans->own_count; i++) {
        if (orphans->own[i] == pid) {
            return true;
        }
    }
    return false;
}

/* Returns how many live on, or are at least not buried yet. */
static size_t bury(const struct orphans *orphans, bool killing)
{
    pid_t list[LIST_MAX];
    size_t count = list_children(list, LIST_MAX);
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_own(orphans, list[i])) {
            continue;
        }
        if (killing) {
            (void)kill(list[i], SIGKILL);
        }
        left += waitpid(list[i], NULL, WNOHANG) == 0;
    }
    return left;
}

void orphans_adopt(struct orphans *ret_orphans)
{
    ret_orphans->own_count = list_children(ret_orphans->own, ORPHANS_OWN_MAX);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

/* The children of one that is killed are left to this process in turn. */
void orphans_end(const struct orphans *orphans, unsigned grace_ms)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    unsigned grace_rounds = grace_ms / PAUSE_MS;
    for (unsigned i = 0; i < grace_rounds + ROUNDS_MAX; i++) {
        if (bury(orphans, i >= grace_rounds) == 0) {
            break;
        }
        (void)nanosleep(&pause, NULL);
    }
    (void)prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}
