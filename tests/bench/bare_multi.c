/* Bare libcurl, many downloads at once in one thread: `socket` is curl_multi_socket_action on a libuv loop, as in libcurl's own
 * example but for the timer (the example makes 1 ms of 0 ms, which costs 1.2 ms a request); `poll` is curl_multi_poll in a loop.
 *
 * Both keep N transfers in flight and use a handle again when its transfer is done. Handles exist before the clock starts. */
#include "tests/bench/bare.h"
#include "tests/bench/bare_http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { IN_FLIGHT_MAX = 10000 };

static const char usage[] = "bare_multi socket|poll IN_FLIGHT URLS_FILE";

struct downloads {
    CURLM *multi;
    const struct bare_urls *urls;
    size_t next;
    size_t done;
    uint64_t failed;
    uint64_t bytes;
    uv_loop_t loop; /* these two for `socket` only */
    uv_timer_t timer;
};

static void begin_next(struct downloads *downloads, CURL *handle)
{
    if (downloads->next == downloads->urls->count) {
        return;
    }
    (void)curl_easy_setopt(handle, CURLOPT_URL, downloads->urls->list[downloads->next++]);
    if (curl_multi_add_handle(downloads->multi, handle) != CURLM_OK) {
        bare_fail("curl_multi_add_handle", "refused");
    }
}

static void take_done(struct downloads *downloads)
{
    int left = 0;
    const CURLMsg *message = NULL;
    while ((message = curl_multi_info_read(downloads->multi, &left)) != NULL) {
        CURL *handle = message->easy_handle;
        downloads->failed += bare_http_ok(handle, message->data.result) ? 0 : 1;
        downloads->done++;
        (void)curl_multi_remove_handle(downloads->multi, handle);
        begin_next(downloads, handle);
    }
}

/* --- poll --- */

static void run_poll(struct downloads *downloads)
{
    while (downloads->done < downloads->urls->count) {
        int running = 0;
        if (curl_multi_perform(downloads->multi, &running) != CURLM_OK) {
            bare_fail("curl_multi_perform", "refused");
        }
        take_done(downloads);
        if (downloads->done < downloads->urls->count) {
            (void)curl_multi_poll(downloads->multi, NULL, 0, 1000, NULL);
        }
    }
}

/* --- socket --- */

struct watcher {
    uv_poll_t poll;
    struct downloads *downloads;
    curl_socket_t fd;
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_timer(uv_timer_t *timer)
{
    struct downloads *downloads = timer->data;
    int running = 0;
    (void)curl_multi_socket_action(downloads->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    take_done(downloads);
}

static void on_events(uv_poll_t *poll, int status, int events)
{
    struct watcher *watcher = poll->data;
    struct downloads *downloads = watcher->downloads;
    int what = status < 0 ? CURL_CSELECT_ERR : 0;
    what |= (events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0;
    what |= (events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0;
    int running = 0;
    (void)curl_multi_socket_action(downloads->multi, watcher->fd, what, &running);
    take_done(downloads);
}

static int on_timeout(CURLM *multi, long timeout_ms, void *arg)
{
    (void)multi;
    struct downloads *downloads = arg;
    if (timeout_ms < 0) {
        return uv_timer_stop(&downloads->timer);
    }
    return uv_timer_start(&downloads->timer, on_timer, (uint64_t)timeout_ms, 0);
}

static struct watcher *watch(struct downloads *downloads, curl_socket_t fd)
{
    struct watcher *watcher = calloc(1, sizeof(*watcher));
    if (watcher == NULL || uv_poll_init_socket(&downloads->loop, &watcher->poll, fd) != 0) {
        bare_fail("uv_poll_init_socket", "refused");
    }
    watcher->poll.data = watcher;
    watcher->downloads = downloads;
    watcher->fd = fd;
    (void)curl_multi_assign(downloads->multi, fd, watcher);
    return watcher;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_data)
{
    (void)easy;
    struct downloads *downloads = arg;
    struct watcher *watcher = socket_data;
    if (what == CURL_POLL_REMOVE) {
        if (watcher != NULL) {
            (void)curl_multi_assign(downloads->multi, fd, NULL);
            (void)uv_poll_stop(&watcher->poll);
            uv_close((uv_handle_t *)&watcher->poll, on_closed);
        }
        return 0;
    }
    if (watcher == NULL) {
        watcher = watch(downloads, fd);
    }
    int events = ((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) |
                 ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0);
    return uv_poll_start(&watcher->poll, events, on_events);
}

static void open_loop(struct downloads *downloads)
{
    if (uv_loop_init(&downloads->loop) != 0 ||
        uv_timer_init(&downloads->loop, &downloads->timer) != 0) {
        bare_fail("uv_loop_init", NULL);
    }
    downloads->timer.data = downloads;
    (void)curl_multi_setopt(downloads->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(downloads->multi, CURLMOPT_SOCKETDATA, downloads);
    (void)curl_multi_setopt(downloads->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    (void)curl_multi_setopt(downloads->multi, CURLMOPT_TIMERDATA, downloads);
}

static void run_socket(struct downloads *downloads)
{
    while (downloads->done < downloads->urls->count) {
        (void)uv_run(&downloads->loop, UV_RUN_ONCE);
    }
}

/* After the multi handle: that closes sockets that are still watched. */
static void close_loop(struct downloads *downloads)
{
    uv_close((uv_handle_t *)&downloads->timer, NULL);
    (void)uv_run(&downloads->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&downloads->loop);
}

/* --- both --- */

static CURL **make_handles(struct downloads *downloads, size_t count)
{
    CURL **handles = calloc(count, sizeof(*handles));
    if (handles == NULL) {
        bare_fail("calloc", NULL);
    }
    for (size_t i = 0; i < count; i++) {
        handles[i] = bare_http_handle(&downloads->bytes);
    }
    (void)curl_multi_setopt(downloads->multi, CURLMOPT_MAXCONNECTS, (long)count);
    return handles;
}

int main(int argc, char **argv)
{
    bool socket = argc == 4 && strcmp(argv[1], "socket") == 0;
    if (!socket && (argc != 4 || strcmp(argv[1], "poll") != 0)) {
        (void)fprintf(stderr, "usage: %s\n", usage);
        return 2;
    }
    size_t in_flight = bare_number(argv[2], IN_FLIGHT_MAX, usage);
    struct bare_urls urls;
    bare_urls_read(argv[3], &urls);
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    struct downloads downloads = {.multi = curl_multi_init(), .urls = &urls};
    CURL **handles = make_handles(&downloads, in_flight);
    if (socket) {
        open_loop(&downloads);
    }

    uint64_t begin_ns = bare_now_ns();
    for (size_t i = 0; i < in_flight; i++) {
        begin_next(&downloads, handles[i]);
    }
    if (socket) {
        run_socket(&downloads);
    } else {
        run_poll(&downloads);
    }
    double wall_s = (double)(bare_now_ns() - begin_ns) / 1e9;

    bare_http_print(urls.count, downloads.failed, downloads.bytes, wall_s);
    for (size_t i = 0; i < in_flight; i++) {
        curl_easy_cleanup(handles[i]);
    }
    (void)curl_multi_cleanup(downloads.multi);
    if (socket) {
        close_loop(&downloads);
    }
    free(handles);
    bare_urls_free(&urls);
    curl_global_cleanup();
    return 0;
}
