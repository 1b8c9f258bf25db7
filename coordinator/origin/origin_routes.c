/* Which path gets which answer. A route is a function and a line in the table. */
#include "common/base/err.h"
#include "common/base/units.h"
#include "coordinator/origin/origin_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DELAY_MAX_S = 3600, REDIRECTS_MAX = 1000000, BLOCK_SIZE = 64 * 1024, QUOTED_MAX = 120 };

static const uint64_t bytes_max = 1ULL << 40;

static const char help_text[] = "/delay/SECONDS  a small body after SECONDS (0 to 3600)\n"
                                "/bytes/N        N bytes, up to 1024Gi\n"
                                "/status/CODE    an answer with that status, 200 to 599\n"
                                "/redirect/N     N redirects, then 200; -1: for ever\n"
                                "/drip           a body without an end\n"
                                "/stall          the head of an answer, then silence\n"
                                "/close          closes without an answer\n";

/* Where a request is answered: the rest of its path behind the route's name, and what to keep
 * until it is complete. */
struct request {
    struct routes *routes;
    struct MHD_Connection *connection;
    const char *value;
    void **kept;
};

/* Answers. */

static enum MHD_Result send_and_release(const struct request *request,
                                        unsigned status,
                                        struct MHD_Response *take_answer)
{
    if (take_answer == NULL) {
        return MHD_NO; /* no memory: the connection closes */
    }
    enum MHD_Result rc = MHD_queue_response(request->connection, status, take_answer);
    MHD_destroy_response(take_answer);
    return rc;
}

static struct MHD_Response *new_text(const char *text)
{
    struct MHD_Response *answer = MHD_create_response_from_buffer(
        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (answer != NULL) {
        (void)MHD_add_response_header(answer, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain");
    }
    return answer;
}

static enum MHD_Result send_text(const struct request *request, unsigned status, const char *text)
{
    return send_and_release(request, status, new_text(text));
}

/* 400: what was wrong with the value. */
static enum MHD_Result refuse(const struct request *request, const char *wanted)
{
    char quoted[QUOTED_MAX + 1];
    char text[2 * QUOTED_MAX];
    (void)snprintf(quoted, sizeof(quoted), "%s", request->value);
    for (char *c = quoted; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ') {
            *c = '?'; /* a terminal may be at the other end */
        }
    }
    (void)snprintf(text, sizeof(text), "'%s': give %s\n", quoted, wanted);
    return send_text(request, MHD_HTTP_BAD_REQUEST, text);
}

static enum MHD_Result redirect(const struct request *request, unsigned status, const char *to)
{
    struct MHD_Response *answer = new_text("elsewhere\n");
    if (answer != NULL) {
        (void)MHD_add_response_header(answer, MHD_HTTP_HEADER_LOCATION, to);
    }
    return send_and_release(request, status, answer);
}

/* Routes. */

static enum MHD_Result answer_delay(const struct request *request)
{
    double seconds = 0;
    if (units_parse_seconds(request->value, DELAY_MAX_S, &seconds) != 0) {
        return refuse(request, "seconds from 0 to 3600");
    }
    if (seconds <= 0) {
        return MHD_queue_response(request->connection, MHD_HTTP_OK, request->routes->delay_answer);
    }
    struct waiter *waiter = calloc(1, sizeof(*waiter));
    if (waiter == NULL) {
        return MHD_NO;
    }
    waiter->connection = request->connection;
    waiter->due_ns = origin_now_ns() + (uint64_t)(seconds * 1e9);
    *request->kept = waiter;
    waiters_suspend(&request->routes->waiters, waiter);
    return MHD_YES;
}

static ssize_t read_pattern(void *arg, uint64_t position, char *ret_bytes, size_t max)
{
    const struct routes *routes = arg;
    size_t offset = (size_t)(position % PATTERN_SIZE);
    size_t len = max < PATTERN_SIZE - offset ? max : PATTERN_SIZE - offset;
    memcpy(ret_bytes, routes->pattern + offset, len);
    return (ssize_t)len;
}

static enum MHD_Result answer_bytes(const struct request *request)
{
    struct routes *routes = request->routes;
    uint64_t size = 0;
    if (units_parse_bytes(request->value, bytes_max, &size) != 0) {
        return refuse(request, "a number of bytes up to 1024Gi");
    }
    if (size > PATTERN_SIZE) {
        return send_and_release(
            request,
            MHD_HTTP_OK,
            MHD_create_response_from_callback(size, BLOCK_SIZE, read_pattern, routes, NULL));
    }
    if (routes->bytes_answer != NULL && routes->bytes_answer_size != size) {
        MHD_destroy_response(routes->bytes_answer);
        routes->bytes_answer = NULL;
    }
    if (routes->bytes_answer == NULL) {
        routes->bytes_answer = MHD_create_response_from_buffer(
            size, routes->pattern, MHD_RESPMEM_PERSISTENT);
        routes->bytes_answer_size = size;
    }
    return routes->bytes_answer == NULL
               ? MHD_NO
               : MHD_queue_response(request->connection, MHD_HTTP_OK, routes->bytes_answer);
}

static enum MHD_Result answer_status(const struct request *request)
{
    uint64_t status = 0;
    if (units_parse_u64(request->value, 599, &status) != 0 || status < 200) {
        return refuse(request, "a status from 200 to 599");
    }
    if (status >= 300 && status <= 399 && status != MHD_HTTP_NOT_MODIFIED) {
        return redirect(request, (unsigned)status, "/status/200");
    }
    if (status == MHD_HTTP_NO_CONTENT || status == MHD_HTTP_NOT_MODIFIED) {
        return send_text(request, (unsigned)status, "");
    }
    return send_text(request, (unsigned)status, "as asked\n");
}

static enum MHD_Result answer_redirect(const struct request *request)
{
    uint64_t left = 0;
    if (strcmp(request->value, "-1") == 0) {
        return redirect(request, MHD_HTTP_FOUND, "/redirect/-1");
    }
    if (units_parse_u64(request->value, REDIRECTS_MAX, &left) != 0) {
        return refuse(request, "a number of redirects up to 1000000, or -1");
    }
    if (left == 0) {
        return send_text(request, MHD_HTTP_OK, "arrived\n");
    }
    char to[64];
    (void)snprintf(to, sizeof(to), "/redirect/%llu", (unsigned long long)(left - 1));
    return redirect(request, MHD_HTTP_FOUND, to);
}

static enum MHD_Result answer_drip(const struct request *request)
{
    return send_and_release(request,
                            MHD_HTTP_OK,
                            MHD_create_response_from_callback(
                                MHD_SIZE_UNKNOWN, BLOCK_SIZE, read_pattern, request->routes, NULL));
}

struct stall {
    struct waiter waiter;
    struct routes *routes;
};

/* Called when the head has been sent, and again when the client has gone. */
static ssize_t read_nothing(void *arg, uint64_t position, char *ret_bytes, size_t max)
{
    (void)position;
    (void)ret_bytes;
    (void)max;
    struct stall *stall = arg;
    if (stall->waiter.gone) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    waiters_suspend(&stall->routes->waiters, &stall->waiter);
    return 0;
}

static enum MHD_Result answer_stall(const struct request *request)
{
    struct stall *stall = calloc(1, sizeof(*stall));
    if (stall == NULL) {
        return MHD_NO;
    }
    stall->waiter.connection = request->connection;
    stall->waiter.due_ns = UINT64_MAX;
    stall->routes = request->routes;
    struct MHD_Response *answer = MHD_create_response_from_callback(
        PATTERN_SIZE, BLOCK_SIZE, read_nothing, stall, free);
    if (answer == NULL) {
        free(stall);
    }
    return send_and_release(request, MHD_HTTP_OK, answer);
}

static enum MHD_Result answer_close(const struct request *request)
{
    (void)request;
    return MHD_NO;
}

/* A name that ends in a slash takes the rest of the path as its value. */
static const struct route {
    const char *name;
    enum MHD_Result (*answer)(const struct request *request);
} table[] = {
    {"/delay/", answer_delay},
    {"/bytes/", answer_bytes},
    {"/status/", answer_status},
    {"/redirect/", answer_redirect},
    {"/drip", answer_drip},
    {"/stall", answer_stall},
    {"/close", answer_close},
};

static const struct route *find_route(const char *path)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        size_t len = strlen(table[i].name);
        bool takes_value = table[i].name[len - 1] == '/';
        if (strncmp(path, table[i].name, len) == 0 && (takes_value || path[len] == '\0')) {
            return &table[i];
        }
    }
    return NULL;
}

enum MHD_Result routes_answer(void *arg,
                              struct MHD_Connection *connection,
                              const char *path,
                              const char *method,
                              const char *version,
                              const char *upload,
                              size_t *upload_size,
                              void **request_kept)
{
    (void)version;
    (void)upload;
    (void)upload_size;
    struct routes *routes = arg;
    /* The first call is for the head alone: libmicrohttpd closes the connection when it is
     * answered then. What is kept is the routes until there is something better to keep, a
     * waiter. */
    if (*request_kept == NULL) {
        *request_kept = routes;
        return MHD_YES;
    }
    if (*request_kept != routes) {
        const struct waiter *waiter = *request_kept; /* a delay that is over */
        return waiter->gone ? MHD_NO
                            : MHD_queue_response(connection, MHD_HTTP_OK, routes->delay_answer);
    }
    struct request request = {.routes = routes, .connection = connection, .kept = request_kept};
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        return send_text(&request, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD only\n");
    }
    const struct route *route = find_route(path);
    if (route == NULL) {
        return send_text(&request, MHD_HTTP_NOT_FOUND, help_text);
    }
    request.value = path + strlen(route->name);
    return route->answer(&request);
}

void routes_completed(void *arg,
                      struct MHD_Connection *connection,
                      void **request_kept,
                      enum MHD_RequestTerminationCode why)
{
    (void)connection;
    (void)why;
    if (*request_kept != arg) {
        free(*request_kept);
    }
    *request_kept = NULL;
}

int routes_init(struct routes *routes, size_t connections_max)
{
    *routes = (struct routes){.pattern = malloc(PATTERN_SIZE), .delay_answer = new_text("done\n")};
    if (routes->pattern == NULL || routes->delay_answer == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < PATTERN_SIZE; i++) {
        routes->pattern[i] = (unsigned char)(i + (i >> 8) + (i >> 16));
    }
    return waiters_init(&routes->waiters, connections_max);
}

void routes_deinit(struct routes *routes)
{
    waiters_deinit(&routes->waiters);
    if (routes->bytes_answer != NULL) {
        MHD_destroy_response(routes->bytes_answer);
    }
    if (routes->delay_answer != NULL) {
        MHD_destroy_response(routes->delay_answer);
    }
    free(routes->pattern);
}
