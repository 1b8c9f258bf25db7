/* The origin's life: its socket, its thread, and the loop that the thread runs. The loop is ours
 * and not libmicrohttpd's so that waiting answers and connections belong to the same thread, and
 * so that a wait ends on the nanosecond and not on the next millisecond. */
#include "coordinator/origin/origin.h"

#include "common/base/check.h"
#include "coordinator/origin/origin_internal.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    LISTEN_BACKLOG = 4096,
    CONNECTIONS_MAX = 65536,
    FILES_RESERVED = 64,          /* for everything that is not a connection */
    CONNECTION_MEMORY = 8 * 1024, /* holds the head of a request; bodies are not copied into it */
};

struct origin {
    struct routes routes;
    struct MHD_Daemon *daemon;
    int listen_fd;
    int stop_fd; /* eventfd */
    uint16_t port;
    bool thread_started;
    pthread_t thread;
};

/* Files. */

/* Thousands of connections need as many descriptors; the usual soft limit of 1,024 is there for
 * programs that use select. Returns how many connections there is room for. */
static unsigned raise_file_limit(void)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0) {
            limit = raised;
        }
    }
    if (limit.rlim_cur >= CONNECTIONS_MAX + FILES_RESERVED) {
        return CONNECTIONS_MAX;
    }
    return limit.rlim_cur > 2 * FILES_RESERVED ? (unsigned)limit.rlim_cur - FILES_RESERVED
                                               : FILES_RESERVED;
}

/* Socket. */

static uint16_t bound_port(int fd)
{
    struct sockaddr_storage bound;
    socklen_t len = sizeof(bound);
    CHECK(getsockname(fd, (struct sockaddr *)&bound, &len) == 0);
    char port[NI_MAXSERV];
    CHECK(getnameinfo(
              (struct sockaddr *)&bound, len, NULL, 0, port, sizeof(port), NI_NUMERICSERV) == 0);
    return (uint16_t)strtoul(port, NULL, 10);
}

/* Returns the socket, or an error code. */
static int open_listener(const struct addrinfo *at)
{
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return ERR_IO;
    }
    const int yes = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, LISTEN_BACKLOG) == 0) {
        return fd;
    }
    int reason = errno;
    (void)close(fd);
    errno = reason;
    return reason == EADDRINUSE ? ERR_BUSY : ERR_IO;
}

static int listen_on(struct origin *origin,
                     const char *address,
                     uint16_t port,
                     struct err_text *ret_error)
{
    char service[16];
    (void)snprintf(service, sizeof(service), "%u", port);
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (getaddrinfo(address, service, &hints, &found) != 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "'%.100s' is not a numeric address, such as 127.0.0.1 or ::1",
                       address);
    }
    int fd = open_listener(found);
    int reason = errno;
    freeaddrinfo(found);
    if (fd < 0) {
        return err_set(ret_error,
                       fd,
                       "the origin cannot listen on %s port %u: %s",
                       address,
                       port,
                       strerrordesc_np(reason));
    }
    origin->listen_fd = fd;
    origin->port = bound_port(fd);
    return 0;
}

/* Loop. */

/* Sleep until the daemon has something to do, a waiter is to be woken, or the origin stops.
 * Returns true when it stops. */
static bool wait_for_work(const struct origin *origin, int epoll_fd)
{
    uint64_t now = origin_now_ns();
    uint64_t next = waiters_next_ns(&origin->routes.waiters);
    uint64_t sleep_ns = next == UINT64_MAX ? UINT64_MAX : next > now ? next - now : 0;
    MHD_UNSIGNED_LONG_LONG daemon_ms = 0;
    if (MHD_get_timeout(origin->daemon, &daemon_ms) == MHD_YES && daemon_ms < sleep_ns / 1000000U) {
        sleep_ns = daemon_ms * 1000000U;
    }
    struct timespec sleep_time = {.tv_sec = (time_t)(sleep_ns / 1000000000U),
                                  .tv_nsec = (long)(sleep_ns % 1000000000U)};
    struct pollfd fds[] = {
        {.fd = epoll_fd, .events = POLLIN},
        {.fd = origin->stop_fd, .events = POLLIN},
    };
    (void)ppoll(fds, 2, next == UINT64_MAX && sleep_ns == UINT64_MAX ? NULL : &sleep_time, NULL);
    return fds[1].revents != 0;
}

static void *serve(void *arg)
{
    struct origin *origin = arg;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(origin->daemon,
                                                           MHD_DAEMON_INFO_EPOLL_FD);
    int epoll_fd = info->epoll_fd;
    while (!wait_for_work(origin, epoll_fd)) {
        (void)MHD_run(origin->daemon);
        if (waiters_resume_due(&origin->routes.waiters, origin_now_ns())) {
            (void)MHD_run(origin->daemon);
        }
    }
    /* A daemon must not be stopped while connections are suspended, and a run may suspend
     * another. */
    do {
        waiters_resume_all(&origin->routes.waiters);
        (void)MHD_run(origin->daemon);
    } while (origin->routes.waiters.count > 0);
    return NULL;
}

/* Life. */

static int start_daemon(struct origin *origin, unsigned connections_max)
{
    origin->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO |
                                          MHD_USE_SUPPRESS_DATE_NO_CLOCK,
                                      0,
                                      NULL,
                                      NULL,
                                      routes_answer,
                                      &origin->routes,
                                      MHD_OPTION_LISTEN_SOCKET,
                                      origin->listen_fd,
                                      MHD_OPTION_CONNECTION_LIMIT,
                                      connections_max,
                                      MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                      (size_t)CONNECTION_MEMORY,
                                      MHD_OPTION_NOTIFY_COMPLETED,
                                      routes_completed,
                                      &origin->routes,
                                      MHD_OPTION_END);
    return origin->daemon == NULL ? ERR_IO : 0;
}

/* Signals are the business of the program's other threads. */
static int start_thread(struct origin *origin)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    origin->thread_started = pthread_create(&origin->thread, NULL, serve, origin) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return origin->thread_started ? 0 : ERR_IO;
}

int origin_start(const char *address,
                 uint16_t port,
                 struct err_text *ret_error,
                 struct origin **ret_origin)
{
    unsigned connections_max = raise_file_limit();
    struct origin *origin = calloc(1, sizeof(*origin));
    if (origin == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for the origin");
    }
    origin->listen_fd = -1;
    origin->stop_fd = -1;
    int rc = listen_on(origin, address, port, ret_error);
    if (rc != 0) {
        goto out;
    }
    rc = routes_init(&origin->routes, connections_max);
    if (rc != 0) {
        (void)err_set(ret_error, rc, "no memory for the origin");
        goto out;
    }
    origin->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (origin->stop_fd < 0) {
        rc = err_set(ret_error, ERR_IO, "the origin has no descriptor: %s", strerrordesc_np(errno));
        goto out;
    }
    rc = start_daemon(origin, connections_max);
    if (rc == 0) {
        rc = start_thread(origin);
    }
    if (rc != 0) {
        (void)err_set(ret_error, rc, "the origin cannot start on %s port %u", address, port);
        goto out;
    }
    *ret_origin = origin;
    origin = NULL;
out:
    origin_stop(origin);
    return rc;
}

uint16_t origin_port(const struct origin *origin)
{
    return origin->port;
}

void origin_stop(struct origin *origin)
{
    if (origin == NULL) {
        return;
    }
    if (origin->thread_started) {
        CHECK(eventfd_write(origin->stop_fd, 1) == 0);
        CHECK(pthread_join(origin->thread, NULL) == 0);
    }
    if (origin->daemon != NULL) {
        MHD_stop_daemon(origin->daemon); /* closes listen_fd */
    } else if (origin->listen_fd >= 0) {
        (void)close(origin->listen_fd);
    }
    routes_deinit(&origin->routes);
    if (origin->stop_fd >= 0) {
        (void)close(origin->stop_fd);
    }
    free(origin);
}
