/* Bare libzmq over tcp on loopback: a ROUTER asks, DEALERs in processes of their own answer, one request a message, at most
 * `credit` requests outstanding to each. What distributing chunks could cost at best, when each chunk is a message.
 *
 * Both sides block in zmq_msg_recv, which takes what has arrived without a system call and sleeps only when nothing has: with these
 * two sockets alone, a poll loop would only add to that. */
#include "tests/bench/bare.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

enum { BODY_BYTES = 64, WORKERS_MAX = 16, CREDIT_MAX = 65536, ENDPOINT_SIZE = 128 };

static const char usage[] = "bare_router WORKERS CREDIT REQUESTS";

/* The asking side. Round trips are kept only at credit 1, where they mean something. */
struct asker {
    void *context;
    void *socket;
    uint64_t sent;
    uint64_t received;
    uint64_t requests;
    uint64_t asked_ns; /* when the one request that is out was sent */
    uint64_t *round_trips_ns;
};

static void receive(void *socket, zmq_msg_t *message)
{
    while (zmq_msg_recv(message, socket, 0) < 0) {
        if (errno != EINTR) {
            bare_fail("zmq_msg_recv", zmq_strerror(errno));
        }
    }
}

static void send_bytes(void *socket, size_t size)
{
    static const char body[BODY_BYTES];
    if (zmq_send(socket, body, size, 0) < 0) {
        bare_fail("zmq_send", zmq_strerror(errno));
    }
}

static void set(void *socket, int option, int value)
{
    if (zmq_setsockopt(socket, option, &value, sizeof(value)) != 0) {
        bare_fail("zmq_setsockopt", zmq_strerror(errno));
    }
}

static void *open_socket(void *context, int type)
{
    void *socket = context == NULL ? NULL : zmq_socket(context, type);
    if (socket == NULL) {
        bare_fail("zmq_socket", zmq_strerror(errno));
    }
    set(socket, ZMQ_SNDHWM, 0); /* the credit is the limit */
    set(socket, ZMQ_RCVHWM, 0);
    return socket;
}

/* --- the answering side --- */

static _Noreturn void answer(const char *endpoint)
{
    void *context = zmq_ctx_new();
    void *socket = open_socket(context, ZMQ_DEALER);
    if (zmq_connect(socket, endpoint) != 0) {
        bare_fail("zmq_connect", zmq_strerror(errno));
    }
    send_bytes(socket, BODY_BYTES); /* hello */
    zmq_msg_t request;
    (void)zmq_msg_init(&request);
    for (;;) {
        receive(socket, &request);
        if (zmq_msg_size(&request) == 0) {
            break;
        }
        send_bytes(socket, BODY_BYTES);
    }
    (void)zmq_msg_close(&request);
    (void)zmq_close(socket);
    (void)zmq_ctx_term(context);
    _exit(0);
}

/* A worker is forked before any context exists (libzmq does not survive a fork) and learns the endpoint from the pipe. */
static int start_worker(void)
{
    int ends[2];
    if (pipe(ends) != 0) {
        bare_fail("pipe", NULL);
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        bare_fail("fork", NULL);
    }
    if (pid > 0) {
        (void)close(ends[0]);
        return ends[1];
    }
    (void)close(ends[1]);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    char endpoint[ENDPOINT_SIZE] = {0};
    if (getppid() != parent || read(ends[0], endpoint, sizeof(endpoint) - 1) <= 0) {
        _exit(1);
    }
    (void)close(ends[0]);
    answer(endpoint);
}

/* --- the asking side --- */

static void tell_endpoint(void *socket, const int *pipes, uint64_t workers)
{
    char endpoint[ENDPOINT_SIZE];
    size_t size = sizeof(endpoint);
    if (zmq_bind(socket, "tcp://127.0.0.1:*") != 0 ||
        zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size) != 0) {
        bare_fail("zmq_bind", zmq_strerror(errno));
    }
    for (uint64_t i = 0; i < workers; i++) {
        if (write(pipes[i], endpoint, size) != (ssize_t)size) {
            bare_fail("write", NULL);
        }
        (void)close(pipes[i]);
    }
}

static void ask(struct asker *asker, zmq_msg_t *to, size_t size)
{
    if (zmq_msg_send(to, asker->socket, ZMQ_SNDMORE) < 0) {
        bare_fail("zmq_msg_send", zmq_strerror(errno));
    }
    send_bytes(asker->socket, size);
}

static void take_answer(struct asker *asker, zmq_msg_t *ret_from)
{
    zmq_msg_t body;
    (void)zmq_msg_init(&body);
    receive(asker->socket, ret_from);
    receive(asker->socket, &body);
    (void)zmq_msg_close(&body);
}

/* Hellos, so that connecting is not timed. */
static void meet(struct asker *asker, zmq_msg_t *names, uint64_t workers)
{
    for (uint64_t i = 0; i < workers; i++) {
        (void)zmq_msg_init(&names[i]);
        take_answer(asker, &names[i]);
    }
}

static void ask_first(struct asker *asker, zmq_msg_t *names, uint64_t workers, uint64_t credit)
{
    for (uint64_t i = 0; i < workers * credit && asker->sent < asker->requests; i++) {
        zmq_msg_t to;
        (void)zmq_msg_init(&to);
        (void)zmq_msg_copy(&to, &names[i % workers]);
        asker->asked_ns = bare_now_ns();
        ask(asker, &to, BODY_BYTES);
        asker->sent++;
    }
}

static void ask_all(struct asker *asker)
{
    zmq_msg_t from;
    (void)zmq_msg_init(&from);
    while (asker->received < asker->requests) {
        take_answer(asker, &from);
        if (asker->round_trips_ns != NULL) {
            uint64_t now_ns = bare_now_ns();
            asker->round_trips_ns[asker->received] = now_ns - asker->asked_ns;
            asker->asked_ns = now_ns;
        }
        asker->received++;
        if (asker->sent < asker->requests) {
            ask(asker, &from, BODY_BYTES);
            asker->sent++;
        }
    }
    (void)zmq_msg_close(&from);
}

static void dismiss(struct asker *asker, zmq_msg_t *names, uint64_t workers)
{
    for (uint64_t i = 0; i < workers; i++) {
        ask(asker, &names[i], 0);
        (void)zmq_msg_close(&names[i]);
    }
    while (wait(NULL) > 0) {
    }
    (void)zmq_close(asker->socket);
    (void)zmq_ctx_term(asker->context);
}

static int compare_ns(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static void print_round_trips(const struct asker *asker)
{
    uint64_t *list = asker->round_trips_ns;
    qsort(list, asker->requests, sizeof(*list), compare_ns);
    (void)printf(", \"round_trip_us_median\": %.2f, \"round_trip_us_p99\": %.2f",
                 (double)list[asker->requests / 2] / 1e3,
                 (double)list[asker->requests * 99 / 100] / 1e3);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        (void)fprintf(stderr, "usage: %s\n", usage);
        return 2;
    }
    uint64_t workers = bare_number(argv[1], WORKERS_MAX, usage);
    uint64_t credit = bare_number(argv[2], CREDIT_MAX, usage);
    struct asker asker = {.requests = bare_number(argv[3], UINT32_MAX, usage)};
    if (workers == 1 && credit == 1) {
        asker.round_trips_ns = calloc(asker.requests, sizeof(*asker.round_trips_ns));
        if (asker.round_trips_ns == NULL) {
            bare_fail("calloc", NULL);
        }
    }
    int pipes[WORKERS_MAX];
    for (uint64_t i = 0; i < workers; i++) {
        pipes[i] = start_worker();
    }
    asker.context = zmq_ctx_new();
    asker.socket = open_socket(asker.context, ZMQ_ROUTER);
    tell_endpoint(asker.socket, pipes, workers);
    zmq_msg_t names[WORKERS_MAX];
    meet(&asker, names, workers);

    uint64_t begin_ns = bare_now_ns();
    ask_first(&asker, names, workers, credit);
    ask_all(&asker);
    double wall_s = (double)(bare_now_ns() - begin_ns) / 1e9;

    dismiss(&asker, names, workers);
    (void)printf("{\"wall_s\": %.6f, \"per_second\": %.0f, \"cpu_s\": %.6f",
                 wall_s,
                 (double)asker.requests / wall_s,
                 bare_cpu_s());
    if (asker.round_trips_ns != NULL) {
        print_round_trips(&asker);
        free(asker.round_trips_ns);
    }
    (void)printf("}\n");
    return 0;
}
