#include "coordinator/launchers/ask.h"

#include "common/base/err.h"
#include "common/io/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
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
static int hear(int from, int64_t until_ms, char *text, size_t size)
{
    size_t len = 0;
    for (;;) {
        char buffer[512];
        int64_t left_ms = until_ms - now_ms();
        struct pollfd readable = {.fd = from, .events = POLLIN};
        int count = left_ms <= 0 ? 0 : poll(&readable, 1, (int)left_ms);
        ssize_t got = count > 0 ? read(from, buffer, sizeof(buffer)) : -1;
        if (count == 0) {
            return ERR_TIMEOUT;
        }
        if (got < 0 && errno != EINTR) {
            return ERR_IO;
        }
        if (got == 0) {
            text[len] = '\0';
            return 0;
        }
        for (ssize_t i = 0; i < got && len + 1 < size; i++) {
            text[len++] = buffer[i];
        }
    }
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
    int64_t until_ms = now_ms() + limit_ms;
    int rc = command->incomplete ? ERR_NOMEM : start(command, null, ends[1], &child);
    (void)close(ends[1]);
    (void)close(null);
    if (rc == 0) {
        rc = hear(ends[0], until_ms, ret_line, size);
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
