#include "common/doctor/knock.h"

#include "common/io/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { US_PER_MS = 1000 };

/* Wait for `events` until `end_us`. False: it has passed. */
static bool await(int fd, short events, uint64_t end_us)
{
    struct pollfd item = {.fd = fd, .events = events};
    for (;;) {
        uint64_t at_us = clock_now_us();
        uint64_t left_us = at_us < end_us ? end_us - at_us : 0;
        int count = poll(&item, 1, (int)((left_us + US_PER_MS - 1) / US_PER_MS));
        if (count > 0) {
            return true;
        }
        if (count == 0 && left_us == 0) {
            return false;
        }
    }
}

/* --- the way --- */

static void write_address(const struct sockaddr_storage *storage, socklen_t len, char *ret_text)
{
    if (getnameinfo((const struct sockaddr *)storage,
                    len,
                    ret_text,
                    SEEN_ADDRESS_SIZE,
                    NULL,
                    0,
                    NI_NUMERICHOST) != 0) {
        (void)snprintf(ret_text, SEEN_ADDRESS_SIZE, "?");
    }
}

void knock_route(const struct knock_address *address, struct seen_address *ret_seen)
{
    struct sockaddr_storage own;
    socklen_t own_len = sizeof(own);
    write_address(&address->storage, address->len, ret_seen->text);
    int fd = socket(address->storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ret_seen->route_error = 0;
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address->storage, address->len) != 0 ||
        getsockname(fd, (struct sockaddr *)&own, &own_len) != 0) {
        ret_seen->route_error = errno;
    } else {
        write_address(&own, own_len, ret_seen->source);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

/* --- the port --- */

/* The rest of a connect that could not be finished at once. Returns 0 or an errno. */
static int finish_connect(int fd, uint64_t end_us)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (!await(fd, POLLOUT, end_us)) {
        return ETIMEDOUT;
    }
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

static int connect_within(int fd, const struct sockaddr *address, socklen_t len, uint64_t end_us)
{
    if (connect(fd, address, len) == 0) {
        return 0;
    }
    return errno == EINPROGRESS ? finish_connect(fd, end_us) : errno;
}

/* Is what has come enough to know who it is? */
static bool is_enough(const unsigned char *bytes, size_t len)
{
    if (len == 0 || len == GREETING_SIZE) {
        return len > 0;
    }
    enum greeting_kind kind = greeting_read(bytes, len).kind;
    return kind == GREETING_ZMTP || kind == GREETING_TLS || memchr(bytes, '\n', len) != NULL;
}

/* What came before a reset is still there to be read; the reset itself is told only once, perhaps earlier: was_reset. */
static void listen_to(int fd, uint64_t end_us, bool was_reset, struct seen_address *seen)
{
    unsigned char bytes[GREETING_SIZE];
    size_t len = 0;
    seen->hung_up = false;
    seen->reset = false;
    while (!is_enough(bytes, len) && await(fd, POLLIN, end_us)) {
        ssize_t got = recv(fd, bytes + len, sizeof(bytes) - len, MSG_DONTWAIT);
        if (got <= 0 && (got == 0 || (errno != EAGAIN && errno != EINTR))) {
            seen->hung_up = true;
            seen->reset = was_reset || (got < 0 && errno == ECONNRESET);
            break;
        }
        len += got > 0 ? (size_t)got : 0;
    }
    seen->greeting = greeting_read(bytes, len);
}

/* What is said first, by us. */
struct opening {
    const void *bytes;
    size_t len;
};

/* Many who do not know our greeting hang up on it, or wait for the end of a line. */
static const char request[] = "GET / HTTP/1.0\r\n\r\n";

static const struct opening as_zmtp = {greeting_asked, sizeof(greeting_asked)};
static const struct opening as_http = {request, sizeof(request) - 1};

/* A connection that is refused says so otherwise: this one was there, and the other side has ended it. */
static bool is_reset(int error)
{
    return error == ECONNRESET || error == EPIPE;
}

static void knock_once(const struct sockaddr *address,
                       socklen_t len,
                       uint32_t connect_ms,
                       uint32_t greeting_ms,
                       const struct opening *opening,
                       struct seen_address *seen)
{
    uint64_t begun_us = clock_now_us();
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    seen->error = fd < 0 ? errno
                         : connect_within(
                               fd, address, len, begun_us + (uint64_t)connect_ms * US_PER_MS);
    seen->took_us = clock_now_us() - begun_us;
    bool was_reset = fd >= 0 && is_reset(seen->error);
    seen->error = was_reset ? 0 : seen->error;
    seen->knock = seen->error == 0 ? KNOCK_CONNECTED : KNOCK_FAILED;
    if (seen->error == 0) {
        ssize_t sent = send(fd, opening->bytes, opening->len, MSG_NOSIGNAL);
        was_reset |= sent < 0 && errno == ECONNRESET;
        listen_to(fd, clock_now_us() + (uint64_t)greeting_ms * US_PER_MS, was_reset, seen);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

static void knock_at(const struct sockaddr *address,
                     socklen_t len,
                     uint32_t connect_ms,
                     uint32_t greeting_ms,
                     struct seen_address *seen)
{
    knock_once(address, len, connect_ms, greeting_ms, &as_zmtp, seen);
    if (seen->knock == KNOCK_CONNECTED && seen->greeting.kind == GREETING_NONE) {
        struct seen_address again = *seen;
        knock_once(address, len, connect_ms, greeting_ms, &as_http, &again);
        if (again.greeting.kind != GREETING_NONE) {
            *seen = again;
        }
    }
}

void knock(const struct knock_address *address,
           uint32_t connect_ms,
           uint32_t greeting_ms,
           struct seen_address *ret_seen)
{
    knock_at((const struct sockaddr *)&address->storage,
             address->len,
             connect_ms,
             greeting_ms,
             ret_seen);
}

void knock_path(const char *path, uint32_t greeting_ms, struct seen_address *ret_seen)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    (void)snprintf(ret_seen->text, sizeof(ret_seen->text), "%.*s", SEEN_ADDRESS_SIZE - 1, path);
    if (len >= sizeof(address.sun_path)) {
        ret_seen->knock = KNOCK_FAILED;
        ret_seen->error = ENAMETOOLONG;
        return;
    }
    memcpy(address.sun_path, path, len + 1);
    socklen_t used = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
    if (path[0] == '@') { /* an abstract name, as libzmq writes it */
        address.sun_path[0] = '\0';
        used--;
    }
    knock_at((const struct sockaddr *)&address, used, 0, greeting_ms, ret_seen);
}
