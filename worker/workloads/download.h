/* What the two forms of the download workload share: the state of a process, and a transfer,
 * which is one easy handle that downloads one item after the other. Private to download*.c. */
#ifndef QUARTET_WORKER_WORKLOADS_DOWNLOAD_H
#define QUARTET_WORKER_WORKLOADS_DOWNLOAD_H

#include "worker/workloads/http_profile.h"
#include "worker/workloads/workload.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct XXH3_state_s;
struct uv_loop_s;

/* Immutable once open: every slot and loop reads it. */
struct download_state {
    const struct workload_host *host;
    struct http_profile profile;
    char *url; /* for items that are numbers, "{}" stands for the number; NULL: none was given */
    size_t url_size_max; /* bytes of `url` with every "{}" replaced, the NUL included */
};

/* "200 1024 0123456789abcdef 0.0123": status, bytes and hash of the body, seconds. */
enum { DOWNLOAD_FOUND_SIZE = 96 };

struct download_transfer {
    const struct download_state *state;
    CURL *easy;
    struct XXH3_state_s *hash; /* of the body so far */
    uint64_t begun_us;         /* monotonic */
    uint64_t body_bytes;
    bool body_too_large;
    bool cancelled;   /* between two pieces of the body */
    char *url_buffer; /* url_size_max bytes */
    const char *url;  /* of the item being downloaded: url_buffer or the item's own bytes */
    char found[DOWNLOAD_FOUND_SIZE]; /* the last item's outcome.out */
    char curl_error[CURL_ERROR_SIZE];
};

/* Returns 0 or ERR_NOMEM. deinit accepts what a failed init left. */
int download_transfer_init(struct download_transfer *transfer, const struct download_state *state);
void download_transfer_deinit(struct download_transfer *transfer);

/* Point the handle at the item. Returns false when the item cannot be downloaded at all (no URL,
 * not a web URL); the outcome then says why. */
bool download_transfer_begin(struct download_transfer *transfer,
                             const struct workload_item *item,
                             struct workload_outcome *ret_outcome);

/* What the transfer came to, after libcurl has ended it with `result`. The outcome is zeros before;
 * its `out` is the transfer's, until the next item begins. */
void download_transfer_end(struct download_transfer *transfer,
                           const struct workload_item *item,
                           CURLcode result,
                           struct workload_outcome *ret_outcome);

/* Fail the item for a reason that libcurl does not know of. */
void download_transfer_fail(struct download_transfer *transfer,
                            const char *reason,
                            struct workload_outcome *ret_outcome);

/* The asynchronous form, as in workload_ops. */
int download_async_open(void *state,
                        struct uv_loop_s *loop,
                        struct err_text *ret_error,
                        void **ret_async);
void download_async_start(void *async, struct workload_call *call);
void download_async_cancel(void *async);
void download_async_close(void *async);

#endif
