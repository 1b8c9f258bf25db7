/* A libcurl multi handle that lives on a libuv loop: sockets become uv_poll handles, libcurl's
 * timeout one uv_timer. It knows nothing of workloads. All functions are for the loop's thread.
 *
 * It follows libcurl's example multi-uv.c with these corrections: a timeout of 0 is passed on
 * (the example waits a millisecond for every request), the status of a poll is looked at, the
 * return of uv_poll_init is checked, everything is closed in the end. And two changes:
 *
 * libcurl says "remove" for a socket at the end of a transfer and "add" at the start of the next
 * on the same connection, which costs the example five system calls. Here a socket keeps its
 * uv_poll from its opening to its closing, and what is removed is merely ignored.
 *
 * A transfer that is added from inside `done` would begin, and against a fast server also end,
 * before libcurl returns: one connection would then serve one item after the other, while the
 * rest of the loop waits (no other connection, no cancel). Here transfers begin once in every
 * turn of the loop, all together. */
#ifndef QUARTET_WORKER_WORKLOADS_CURL_LOOP_H
#define QUARTET_WORKER_WORKLOADS_CURL_LOOP_H

#include "common/base/err.h"

#include <curl/curl.h>

struct curl_loop;
struct uv_loop_s;

struct curl_loop_callbacks {
    /* A transfer has ended; `easy` is no longer in the loop and may be added again, from inside
     * this call too. */
    void (*done)(void *arg, CURL *easy, CURLcode result);
    void (*closed)(void *arg); /* after curl_loop_close: the memory of the loop is gone */
    void *arg;
};

/* Returns 0, ERR_NOMEM or ERR_IO. */
int curl_loop_open(struct uv_loop_s *loop,
                   const struct curl_loop_callbacks *callbacks,
                   struct err_text *ret_error,
                   struct curl_loop **ret_curl);

/* Once for each easy handle, before it is first added: route its sockets through the loop and
 * make room for it. Returns 0 or ERR_NOMEM. */
int curl_loop_adopt(struct curl_loop *curl, CURL *easy);

/* Begin a transfer at the loop's next turn. `done` is never called from inside this call. */
void curl_loop_add(struct curl_loop *curl, CURL *easy);

/* Drop a transfer without `done`. */
void curl_loop_remove(struct curl_loop *curl, CURL *easy);

/* Begin to close, which may be done from inside `done`. No transfer may be left, and all adopted
 * handles must have been cleaned up. */
void curl_loop_close(struct curl_loop *curl);

#endif
