/* libcurl calls on_socket, on_timeout, on_open_socket and on_close_socket; libuv calls
 * on_events, on_timer and on_turn. The former only note what libcurl wants; only the latter
 * drive libcurl, which must not be entered from its own callbacks. */
#include "worker/workloads/curl_loop.h"

#include "common/base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

struct watcher {
    uv_poll_t poll;
    struct curl_loop *curl;
    curl_socket_t fd;
    int wanted; /* UV_READABLE | UV_WRITABLE as libcurl last asked; 0: not interested */
    int active; /* what the poll is started for; outlives `wanted` until an event comes that nobody wants */
    bool
        kept; /* from on_open_socket to on_close_socket; otherwise (a resolver's wake-up) until "remove" */
};

struct curl_loop {
    uv_loop_t *loop;
    CURLM *multi; /* NULL: closing */
    uv_timer_t timer;
    uv_prepare_t turn; /* before the loop sleeps: begin what was added */
    uv_idle_t hurry; /* active while something was added after this turn had begun: do not sleep */
    CURL **added;    /* to begin; room for every adopted handle */
    size_t added_count;
    struct watcher **watchers; /* by file descriptor */
    size_t watchers_size;
    size_t handles_open; /* uv handles whose close callback has not come */
    size_t adopted_count;
    struct curl_loop_callbacks callbacks;
};

static void handle_closed(struct curl_loop *curl)
{
    curl->handles_open--;
    if (curl->handles_open > 0) {
        return;
    }
    struct curl_loop_callbacks callbacks = curl->callbacks;
    free(curl->watchers);
    free(curl->added);
    free(curl);
    callbacks.closed(callbacks.arg);
}

/* Watchers. */

static void on_watcher_closed(uv_handle_t *handle)
{
    struct watcher *watcher = handle->data;
    struct curl_loop *curl = watcher->curl;
    free(watcher);
    handle_closed(curl);
}

static struct watcher *watcher_find(const struct curl_loop *curl, curl_socket_t fd)
{
    return (size_t)fd < curl->watchers_size ? curl->watchers[fd] : NULL;
}

static void watcher_drop(struct watcher *watcher)
{
    watcher->curl->watchers[watcher->fd] = NULL;
    uv_close((uv_handle_t *)&watcher->poll, on_watcher_closed);
}

static bool make_room(struct curl_loop *curl, curl_socket_t fd)
{
    size_t size = curl->watchers_size > 0 ? curl->watchers_size : 64;
    while (size <= (size_t)fd) {
        size *= 2;
    }
    if (size == curl->watchers_size) {
        return true;
    }
    struct watcher **watchers = realloc(curl->watchers, size * sizeof(curl->watchers[0]));
    if (watchers == NULL) {
        return false;
    }
    memset(watchers + curl->watchers_size, 0, (size - curl->watchers_size) * sizeof(watchers[0]));
    curl->watchers = watchers;
    curl->watchers_size = size;
    return true;
}

static struct watcher *watcher_new(struct curl_loop *curl, curl_socket_t fd, bool kept)
{
    if (!make_room(curl, fd)) {
        return NULL;
    }
    struct watcher *watcher = calloc(1, sizeof(*watcher));
    if (watcher == NULL || uv_poll_init_socket(curl->loop, &watcher->poll, fd) != 0) {
        free(watcher);
        return NULL;
    }
    watcher->poll.data = watcher;
    watcher->curl = curl;
    watcher->fd = fd;
    watcher->kept = kept;
    curl->watchers[fd] = watcher;
    curl->handles_open++;
    return watcher;
}

/* Driving libcurl. */

static void take_done(struct curl_loop *curl)
{
    int left = 0;
    const CURLMsg *message = NULL;
    /* `done` may close the loop. */
    while (curl->multi != NULL && (message = curl_multi_info_read(curl->multi, &left)) != NULL) {
        /* The message lives inside the handle and dies with the removal. */
        CURL *easy = message->easy_handle;
        CURLcode result = message->data.result;
        CHECK(curl_multi_remove_handle(curl->multi, easy) == CURLM_OK);
        curl->callbacks.done(curl->callbacks.arg, easy, result);
    }
}

static void drive(struct curl_loop *curl, curl_socket_t fd, int what)
{
    int running = 0;
    (void)curl_multi_socket_action(curl->multi, fd, what, &running);
    take_done(curl);
}

static void on_timer(uv_timer_t *timer)
{
    drive(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static void on_events(uv_poll_t *poll, int status, int events)
{
    struct watcher *watcher = poll->data;
    if (status < 0) {
        watcher->active = 0; /* libuv has stopped the poll */
    }
    if (watcher->wanted == 0) {
        (void)uv_poll_stop(poll);
        watcher->active = 0;
        return;
    }
    int what = status < 0 ? CURL_CSELECT_ERR : 0;
    what |= (events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0;
    what |= (events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0;
    drive(watcher->curl, watcher->fd, what);
}

static void on_hurry(uv_idle_t *hurry)
{
    (void)hurry; /* being active is what it is for */
}

/* Begin what has been added until now; `done` may add more behind it. The last is taken first,
 * so that there is always room. */
static void begin_added(struct curl_loop *curl)
{
    for (size_t left = curl->added_count; left > 0 && curl->multi != NULL; left--) {
        CURL *easy = curl->added[--curl->added_count];
        if (curl_multi_add_handle(curl->multi, easy) != CURLM_OK) {
            curl->callbacks.done(curl->callbacks.arg, easy, CURLE_OUT_OF_MEMORY);
        }
    }
    if (curl->multi != NULL) {
        drive(curl, CURL_SOCKET_TIMEOUT, 0);
    }
}

static void on_turn(uv_prepare_t *turn)
{
    struct curl_loop *curl = turn->data;
    if (curl->added_count > 0) {
        begin_added(curl);
    }
    if (curl->added_count == 0) {
        (void)uv_idle_stop(&curl->hurry);
    }
}

/* What libcurl calls. */

static int on_timeout(CURLM *multi, long timeout_ms, void *arg)
{
    (void)multi;
    struct curl_loop *curl = arg;
    if (timeout_ms < 0) {
        return uv_timer_stop(&curl->timer);
    }
    return uv_timer_start(&curl->timer, on_timer, (uint64_t)timeout_ms, 0);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_data)
{
    (void)easy;
    (void)socket_data;
    struct curl_loop *curl = arg;
    struct watcher *watcher = watcher_find(curl, fd);
    if (what == CURL_POLL_REMOVE) {
        if (watcher != NULL && !watcher->kept) {
            watcher_drop(watcher);
        } else if (watcher != NULL) {
            watcher->wanted = 0;
        }
        return 0;
    }
    if (watcher == NULL) {
        watcher = watcher_new(curl, fd, false);
    }
    if (watcher == NULL) {
        return -1;
    }
    watcher->wanted = ((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) |
                      ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0);
    if (watcher->active != watcher->wanted) {
        watcher->active = watcher->wanted;
        return uv_poll_start(&watcher->poll, watcher->active, on_events) == 0 ? 0 : -1;
    }
    return 0;
}

static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)purpose;
    struct curl_loop *curl = arg;
    int type = address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK;
    int fd = socket(address->family, type, address->protocol);
    if (fd < 0) {
        return CURL_SOCKET_BAD;
    }
    if (watcher_new(curl, fd, true) == NULL) {
        (void)close(fd);
        return CURL_SOCKET_BAD;
    }
    return fd;
}

static int on_close_socket(void *arg, curl_socket_t fd)
{
    struct watcher *watcher = watcher_find(arg, fd);
    if (watcher != NULL) {
        watcher_drop(watcher);
    }
    return close(fd);
}

/* Life. */

static void start_handles(struct curl_loop *curl)
{
    CHECK(uv_timer_init(curl->loop, &curl->timer) == 0);
    CHECK(uv_prepare_init(curl->loop, &curl->turn) == 0);
    CHECK(uv_idle_init(curl->loop, &curl->hurry) == 0);
    CHECK(uv_prepare_start(&curl->turn, on_turn) == 0);
    curl->timer.data = curl;
    curl->turn.data = curl;
    curl->hurry.data = curl;
    curl->handles_open = 3;
}

int curl_loop_open(uv_loop_t *loop,
                   const struct curl_loop_callbacks *callbacks,
                   struct err_text *ret_error,
                   struct curl_loop **ret_curl)
{
    struct curl_loop *curl = calloc(1, sizeof(*curl));
    CURLM *multi = curl_multi_init();
    if (curl == NULL || multi == NULL) {
        free(curl);
        (void)curl_multi_cleanup(multi);
        return err_set(ret_error, ERR_NOMEM, "no memory for libcurl on an event loop");
    }
    curl->loop = loop;
    curl->multi = multi;
    curl->callbacks = *callbacks;
    start_handles(curl);
    (void)curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, curl);
    (void)curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    (void)curl_multi_setopt(multi, CURLMOPT_TIMERDATA, curl);
    *ret_curl = curl;
    return 0;
}

int curl_loop_adopt(struct curl_loop *curl, CURL *easy)
{
    CURL **added = realloc(curl->added, (curl->adopted_count + 1) * sizeof(CURL *));
    if (added == NULL) {
        return ERR_NOMEM;
    }
    curl->added = added;
    curl->adopted_count++;
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, curl);
    (void)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    (void)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, curl);
    /* libcurl's default keeps four connections for each transfer that runs at the moment, and so
     * closes most of them when there is a lull. One for each handle is what a full loop uses. */
    (void)curl_multi_setopt(curl->multi, CURLMOPT_MAXCONNECTS, (long)curl->adopted_count);
    return 0;
}

void curl_loop_add(struct curl_loop *curl, CURL *easy)
{
    CHECK(curl->added_count < curl->adopted_count);
    curl->added[curl->added_count++] = easy;
    /* In most turns it is stopped again before it can keep the loop awake. Not when this is
     * called behind on_turn, from somebody else's prepare callback or from `done` in there. */
    (void)uv_idle_start(&curl->hurry, on_hurry);
}

void curl_loop_remove(struct curl_loop *curl, CURL *easy)
{
    for (size_t i = 0; i < curl->added_count; i++) {
        if (curl->added[i] == easy) {
            curl->added[i] = curl->added[--curl->added_count];
            return;
        }
    }
    CHECK(curl_multi_remove_handle(curl->multi, easy) == CURLM_OK);
}

static void on_handle_closed(uv_handle_t *handle)
{
    handle_closed(handle->data);
}

void curl_loop_close(struct curl_loop *curl)
{
    CHECK(curl->added_count == 0);
    CHECK(curl_multi_cleanup(curl->multi) == CURLM_OK); /* closes the idle connections' sockets */
    curl->multi = NULL;
    for (size_t fd = 0; fd < curl->watchers_size; fd++) {
        if (curl->watchers[fd] != NULL) {
            watcher_drop(curl->watchers[fd]);
        }
    }
    uv_close((uv_handle_t *)&curl->timer, on_handle_closed);
    uv_close((uv_handle_t *)&curl->turn, on_handle_closed);
    uv_close((uv_handle_t *)&curl->hurry, on_handle_closed);
}
