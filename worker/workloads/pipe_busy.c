/* CPU time and state of a process and its descendants; see pipe_busy.h. */
#include "worker/workloads/pipe_busy.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FAMILY_MAX = 64, TEXT_SIZE = 1024, TICKS_FIELD = 11, TICKS_FIELDS = 4 };

/* Found so far, each with its children behind it sooner or later. Enough for a shell that runs a
 * pipeline of wrappers; what a program with more descendants does is told by those. */
struct family {
    pid_t list[FAMILY_MAX];
    size_t count;
};

static bool read_text(const char *path, char text[TEXT_SIZE])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t got = read(fd, text, TEXT_SIZE - 1);
    (void)close(fd);
    text[got > 0 ? got : 0] = '\0';
    return got > 0;
}

static void add_children(struct family *family, pid_t pid)
{
    char path[64];
    char text[TEXT_SIZE];
    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    if (!read_text(path, text)) {
        return;
    }
    for (char *at = text; family->count < FAMILY_MAX;) {
        char *end = NULL;
        long child = strtol(at, &end, 10);
        if (end == at || *end != ' ') { /* the last one may be cut */
            return;
        }
        family->list[family->count++] = (pid_t)child;
        at = end;
    }
}

/* The state letter, and the CPU time of all its threads and of the children that it has waited
 * for. The name in parentheses may hold anything, so fields are counted from its last ')'. */
static bool read_stat(pid_t pid, char *ret_state, uint64_t *ticks)
{
    char path[64];
    char text[TEXT_SIZE];
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    const char *at = read_text(path, text) ? strrchr(text, ')') : NULL;
    if (at == NULL || at[1] != ' ') {
        return false;
    }
    at += 2;
    *ret_state = *at;
    for (int field = 0; field < TICKS_FIELD; field++) {
        at = strchr(at, ' ');
        if (at == NULL) {
            return false;
        }
        at++;
    }
    for (int field = 0; field < TICKS_FIELDS; field++) {
        char *end = NULL;
        *ticks += strtoull(at, &end, 10);
        at = end;
    }
    return true;
}

bool pipe_busy_look(struct pipe_busy *busy, pid_t pid)
{
    struct family family = {.list = {pid}, .count = 1};
    uint64_t ticks = 0;
    bool running = false;
    for (size_t i = 0; i < family.count; i++) {
        char state = 0;
        if (read_stat(family.list[i], &state, &ticks)) {
            running = running || state == 'R' || state == 'D';
            add_children(&family, family.list[i]);
        }
    }
    bool used = busy->known && ticks != busy->cpu_ticks;
    busy->known = true;
    busy->cpu_ticks = ticks;
    return running || used;
}
