#include "coordinator/launchers/ask.h"

#include "common/base/err.h"
#include "common/io/clock.h"
#include "common/io/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { US_PER_MS = 1000 };

/* Wait until `fd` can be read, which a child's is when it has ended; not beyond `until_us`. */
static int wait_for(int fd, uint64_t until_us)
{
    for (;;) {
        uint64_t now_us = clock_now_us();
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        int left_ms = now_us < until_us ? (int)((until_us - now_us) / US_PER_MS) + 1 : 0;
        int count = left_ms > 0 ? poll(&readable, 1, left_ms) : 0;
        if (count >= 0 || errno != EINTR) {
            return count > 0 ? 0 : count == 0 ? ERR_TIMEOUT : ERR_IO;
        }
    }
}

static int start(const struct words *command, int null, int out, struct spawn_child *ret_child)
{
    char *path = NULL;
    int rc = path_find(command->list[0], NULL, NULL, &path);
    if (rc != 0) {
        return rc == ERR_NOMEM ? rc : ERR_NOT_FOUND;
    }
    const struct spawn_options options = {
        .path = path,
        .argv = command->list,
        .envp = environ,
        .in = null,
        .out = out,
        .err = null,
        .ends_with_thread = true,
    };
    rc = spawn(&options, NULL, ret_child);
    free(path);
    return rc;
}

/* Read to the end, keeping what fits. */
static int hear(int from, uint64_t until_us, char *text, size_t size)
{
    size_t len = 0;
    int rc;
    while ((rc = wait_for(from, until_us)) == 0) {
        char buffer[512];
        ssize_t got = read(from, buffer, sizeof(buffer));
        if (got <= 0) {
            text[len] = '\0';
            return got == 0 ? 0 : ERR_IO;
        }
        for (ssize_t i = 0; i < got && len + 1 < size; i++) {
            text[len++] = buffer[i];
        }
    }
    return rc;
}

int ask(const struct words *command, int limit_ms, char *ret_line, size_t size)
{
    int ends[2];
    struct spawn_child child;
    struct spawn_end end = {0};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || pipe2(ends, O_CLOEXEC) != 0) {
        if (null >= 0) {
            (void)close(null);
        }
        return ERR_IO;
    }
    uint64_t until_us = clock_now_us() + (uint64_t)limit_ms * US_PER_MS;
    int rc = command->incomplete ? ERR_NOMEM : start(command, null, ends[1], &child);
    (void)close(ends[1]);
    (void)close(null);
    if (rc == 0) {
        rc = hear(ends[0], until_us, ret_line, size);
        rc = rc != 0 ? rc : wait_for(child.pidfd, until_us);
        if (rc != 0) {
            spawn_signal_group(&child, SIGKILL);
        }
        spawn_reap(&child, &end);
    }
    (void)close(ends[0]);
    if (rc != 0) {
        return rc;
    }
    ret_line[strcspn(ret_line, "\n")] = '\0';
    bool said = end.signal == 0 && end.exit_status == 0 && ret_line[0] != '\0';
    return said ? 0 : ERR_NOT_FOUND;
}
