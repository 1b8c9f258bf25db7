/* One thread, one connection at a time. */
#include "tests/worker/canned_server.h"

#include "common/base/check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct canned_server {
    const char *answer;
    int listen_fd;
    uint16_t port;
    pthread_t thread;
};

static int listen_anywhere(int backlog, uint16_t *ret_port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    CHECK(bind(fd, (struct sockaddr *)&at, len) == 0);
    CHECK(backlog < 0 || listen(fd, backlog) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static void *serve(void *arg)
{
    const struct canned_server *server = arg;
    int fd = -1;
    /* Stopping shuts the listening socket down, and accept fails. */
    while ((fd = accept(server->listen_fd, NULL, NULL)) >= 0) {
        char request[4096];
        if (recv(fd, request, sizeof(request), 0) > 0) {
            (void)send(fd, server->answer, strlen(server->answer), MSG_NOSIGNAL);
        }
        (void)close(fd);
    }
    return NULL;
}

struct canned_server *canned_server_start(const char *answer)
{
    struct canned_server *server = calloc(1, sizeof(*server));
    CHECK(server != NULL);
    server->answer = answer;
    server->listen_fd = listen_anywhere(16, &server->port);
    CHECK(pthread_create(&server->thread, NULL, serve, server) == 0);
    return server;
}

uint16_t canned_server_port(const struct canned_server *server)
{
    return server->port;
}

void canned_server_stop(struct canned_server *server)
{
    CHECK(shutdown(server->listen_fd, SHUT_RDWR) == 0);
    CHECK(pthread_join(server->thread, NULL) == 0);
    (void)close(server->listen_fd);
    free(server);
}

uint16_t closed_port(void)
{
    uint16_t port = 0;
    (void)close(listen_anywhere(-1, &port));
    return port;
}

uint16_t hanging_port(int ret_fds[HANGING_FDS])
{
    uint16_t port = 0;
    ret_fds[0] = listen_anywhere(0, &port);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 1; i < HANGING_FDS; i++) {
        ret_fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        CHECK(ret_fds[i] >= 0);
        (void)connect(ret_fds[i], (struct sockaddr *)&to, sizeof(to));
    }
    return port;
}
