#include "coordinator/status/control_client.h"

#include "common/base/units.h"
#include "coordinator/status/status.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_S = 5, ROOM_FIRST = 64 * 1024 };

/* --- one conversation --- */

static int connect_to(const char *path, struct err_text *ret_error, int *ret_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        return err_set(
            ret_error, ERR_INVALID, "'%.200s' is too long for the path of a socket", path);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* Also how long connecting may take while its queue is full. */
    struct timeval patience = {.tv_sec = PATIENCE_S};
    if (fd >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    }
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        int why = errno;
        bool nobody = why == ENOENT || why == ECONNREFUSED || why == ENOTSOCK;
        if (fd >= 0) {
            (void)close(fd);
        }
        return err_set(ret_error,
                       nobody ? ERR_GONE : ERR_IO,
                       "no coordinator can be asked at '%s': %s",
                       path,
                       strerror(why));
    }
    *ret_fd = fd;
    return 0;
}

static int say(int fd, const char *line, struct err_text *ret_error)
{
    size_t len = strlen(line);
    while (len > 0) {
        ssize_t sent = send(fd, line, len, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) {
            return err_set(
                ret_error, ERR_IO, "the coordinator cannot be asked: %s", strerror(errno));
        }
        line += sent > 0 ? sent : 0;
        len -= sent > 0 ? (size_t)sent : 0;
    }
    return 0;
}

static int told_nothing(ssize_t got, struct err_text *ret_error)
{
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        return err_set(
            ret_error, ERR_TIMEOUT, "the coordinator did not answer within %d s", PATIENCE_S);
    }
    return err_set(ret_error,
                   ERR_IO,
                   "the coordinator gave no answer: %s",
                   got < 0 ? strerror(errno) : "it hung up");
}

/* A whole line, the caller's to free. */
static int hear(int fd, struct err_text *ret_error, char **ret_line, size_t *ret_len)
{
    size_t room = ROOM_FIRST;
    size_t len = 0;
    char *line = malloc(room);
    int rc = line == NULL ? ERR_NOMEM : 0;
    while (rc == 0 && (len == 0 || line[len - 1] != '\n')) {
        if (len == room) {
            char *more = room < CONTROL_REPLY_MAX ? realloc(line, room * 2) : NULL;
            rc = more == NULL ? ERR_NOMEM : 0;
            line = more == NULL ? line : more;
            room *= 2;
            continue;
        }
        ssize_t got = recv(fd, line + len, room - len, 0);
        if (got > 0) {
            len += (size_t)got;
        } else if (got == 0 || errno != EINTR) {
            rc = told_nothing(got, ret_error);
        }
    }
    if (rc != 0) {
        free(line);
        return rc == ERR_NOMEM ? err_set(ret_error, rc, "no memory for the answer") : rc;
    }
    *ret_line = line;
    *ret_len = len - 1;
    return 0;
}

int control_ask(const char *path,
                const struct control_request *request,
                struct err_text *ret_error,
                json_t **ret_result)
{
    int fd = -1;
    char *line = NULL;
    size_t len = 0;
    char *asked = control_request_line(request);
    int rc = asked == NULL ? err_set(ret_error,
                                     ERR_INVALID,
                                     "'%.100s' is no worker's name: not UTF-8 text",
                                     request->worker)
                           : connect_to(path, ret_error, &fd);
    rc = rc != 0 ? rc : say(fd, asked, ret_error);
    rc = rc != 0 ? rc : hear(fd, ret_error, &line, &len);
    rc = rc != 0 ? rc : control_reply_parse(line, len, ret_error, ret_result);
    free(asked);
    free(line);
    if (fd >= 0) {
        (void)close(fd);
    }
    return rc;
}

/* --- which one --- */

static int choose_number(const struct control_place *found,
                         size_t count,
                         const char *text,
                         struct err_text *ret_error,
                         char ret_path[CONTROL_PATH_SIZE])
{
    uint64_t pid = 0;
    if (units_parse_u64(text, INT32_MAX, &pid) != 0) {
        return err_set(ret_error, ERR_INVALID, "'%.64s' is not the number of a process", text);
    }
    for (size_t i = 0; i < count; i++) {
        if (found[i].pid == (long)pid) {
            memcpy(ret_path, found[i].path, CONTROL_PATH_SIZE);
            return 0;
        }
    }
    return err_set(ret_error,
                   ERR_GONE,
                   "process %s is no running coordinator of this user that can be asked",
                   text);
}

static void list_all(const struct control_place *found, size_t count)
{
    const struct control_request request = {.kind = CONTROL_STATUS};
    for (size_t i = 0; i < count; i++) {
        struct err_text error = {{0}};
        json_t *status = NULL;
        if (control_ask(found[i].path, &request, &error, &status) == 0) {
            status_print_line(status, stderr);
            json_decref(status);
        } else {
            (void)fprintf(stderr, "%7ld  %s\n", found[i].pid, error.s);
        }
    }
}

int control_choose(const char *program,
                   const char *path,
                   const char *pid,
                   struct err_text *ret_error,
                   char ret_path[CONTROL_PATH_SIZE])
{
    if (path != NULL) {
        int len = snprintf(ret_path, CONTROL_PATH_SIZE, "%s", path);
        return len < CONTROL_PATH_SIZE ? 0
                                       : err_set(ret_error,
                                                 ERR_INVALID,
                                                 "'%.200s' is too long for the path of a socket",
                                                 path);
    }
    struct control_place *found = calloc(CONTROL_FOUND_MAX, sizeof(*found));
    if (found == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory");
    }
    size_t count = control_find(found);
    int rc = 0;
    if (pid != NULL) {
        rc = choose_number(found, count, pid, ret_error, ret_path);
    } else if (count == 1) {
        memcpy(ret_path, found[0].path, CONTROL_PATH_SIZE);
    } else if (count == 0) {
        rc = err_set(ret_error, ERR_GONE, "no coordinator of this user is running");
    } else {
        list_all(found, count);
        rc = err_set(ret_error,
                     ERR_INVALID,
                     "%zu coordinators are running: say which, as '%s PID'",
                     count,
                     program);
    }
    free(found);
    return rc;
}
