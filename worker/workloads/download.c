/* download: gets each item over HTTP. Here are its parameters, the shared state and the blocking
 * form; download_async.c has the asynchronous one.
 *
 * The blocking form is curl_easy_perform written out (which is a multi handle inside, too): that
 * one sleeps up to a second between looks at anything but its socket, and Ctrl-C would have to
 * wait for it. */
#include "worker/workloads/download.h"

#include "worker/workloads/params.h"
#include "worker/workloads/registry.h"

#include <stdlib.h>
#include <string.h>

enum { CANCEL_LOOK_MS = 100 };

struct download_slot {
    struct download_transfer transfer;
    CURLM *multi; /* has the connections, which stay open from item to item */
};

static const struct param_spec download_params[] = {
    {.name = "url",
     .kind = PARAM_URL,
     .unit = "URL",
     .help = "what to download for items that are numbers; {} in it becomes the number "
             "(default: the built-in origin)"},
    {.name = "delay",
     .kind = PARAM_SECONDS,
     .unit = "seconds",
     .default_value = "0.1",
     .max = 3600,
     .help = "how long the built-in origin waits before it answers; without effect on other URLs"},
    {.name = "connect-timeout",
     .kind = PARAM_SECONDS,
     .unit = "seconds",
     .default_value = "10",
     .max = 86400,
     .help = "longest time to look up and connect; 0: no limit"},
    {.name = "timeout",
     .kind = PARAM_SECONDS,
     .unit = "seconds",
     .default_value = "60",
     .max = 86400,
     .help = "longest time for one item, redirects included; 0: no limit"},
    {.name = "stall-timeout",
     .kind = PARAM_SECONDS,
     .unit = "seconds",
     .default_value = "20",
     .max = 86400,
     .help = "longest time under 1 byte/s, the wait for the answer included; whole seconds; 0: no "
             "limit"},
    {.name = "body-max",
     .kind = PARAM_BYTES,
     .unit = "bytes",
     .default_value = "64Mi",
     .max = 0x1p62,
     .help = "largest body; a larger one fails"},
    {.name = "redirects",
     .kind = PARAM_COUNT,
     .unit = "redirects",
     .default_value = "5",
     .max = 50,
     .help = "how many to follow; one more fails"},
    {.name = "http",
     .kind = PARAM_CHOICE,
     .choices = "1.1|2",
     .unit = "version",
     .default_value = "1.1",
     .help = "1.1, or 2 where TLS negotiates it"},
};

/* Rounded up: a limit that was asked for must not become 0, which is none. */
static uint32_t to_units(double seconds, double per_second)
{
    return (uint32_t)(seconds * per_second + 0.999999);
}

static struct http_profile read_profile(const struct params *params)
{
    return (struct http_profile){
        .connect_timeout_ms = to_units(params_seconds(params, "connect-timeout"), 1e3),
        .total_timeout_ms = to_units(params_seconds(params, "timeout"), 1e3),
        .stall_timeout_s = to_units(params_seconds(params, "stall-timeout"), 1),
        .redirects_max = (uint32_t)params_count(params, "redirects"),
        .body_max_bytes = params_bytes(params, "body-max"),
        .http2 = strcmp(params_get(params, "http"), "2") == 0,
    };
}

/* Bytes of `url` with every "{}" become a number of up to 20 digits, the NUL included. */
static size_t filled_size_max(const char *url)
{
    size_t size = strlen(url) + 1;
    for (const char *gap = strstr(url, "{}"); gap != NULL; gap = strstr(gap + 2, "{}")) {
        size += 20 - 2;
    }
    return size;
}

static void download_close(void *opaque)
{
    struct download_state *state = opaque;
    free(state->url);
    free(state);
    curl_global_cleanup();
}

static int download_open(const struct params *params,
                         const struct workload_host *host,
                         struct err_text *ret_error,
                         void **ret_state)
{
    /* Counted and, from libcurl 7.84 on, safe from any thread. It is here and not in main
     * because the processes of a pool must not inherit it: libcurl and OpenSSL do not survive a
     * fork. */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return err_set(ret_error, ERR_NOMEM, "libcurl could not be initialised");
    }
    struct download_state *state = calloc(1, sizeof(*state));
    if (state == NULL) {
        curl_global_cleanup();
        return err_set(ret_error, ERR_NOMEM, "no memory for workload download");
    }
    state->host = host;
    state->profile = read_profile(params);
    state->url_size_max = 1;
    const char *url = params_get(params, "url");
    if (url != NULL) {
        state->url = strdup(url);
        state->url_size_max = filled_size_max(url);
    }
    if (url != NULL && state->url == NULL) {
        download_close(state);
        return err_set(ret_error, ERR_NOMEM, "no memory for workload download");
    }
    *ret_state = state;
    return 0;
}

static void download_slot_close(void *opaque)
{
    struct download_slot *slot = opaque;
    download_transfer_deinit(&slot->transfer);
    (void)curl_multi_cleanup(slot->multi);
    free(slot);
}

static int download_slot_open(void *state, struct err_text *ret_error, void **ret_slot)
{
    struct download_slot *slot = calloc(1, sizeof(*slot));
    if (slot == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for a slot of workload download");
    }
    int rc = download_transfer_init(&slot->transfer, state);
    slot->multi = curl_multi_init();
    if (rc == 0 && slot->multi == NULL) {
        rc = ERR_NOMEM;
    }
    if (rc != 0) {
        download_slot_close(slot);
        return err_set(
            ret_error, rc, "libcurl refused a handle for workload download: %s", err_name(rc));
    }
    *ret_slot = slot;
    return 0;
}

/* Run the transfer to its end. CURLE_ABORTED_BY_CALLBACK: cancelled. */
static CURLcode perform(struct download_slot *slot)
{
    const struct workload_host *host = slot->transfer.state->host;
    int running = 1;
    while (curl_multi_perform(slot->multi, &running) == CURLM_OK && running > 0) {
        if (host->cancelled(host)) {
            return CURLE_ABORTED_BY_CALLBACK;
        }
        if (curl_multi_poll(slot->multi, NULL, 0, CANCEL_LOOK_MS, NULL) != CURLM_OK) {
            break;
        }
    }
    int left = 0;
    const CURLMsg *message = curl_multi_info_read(slot->multi, &left);
    return message != NULL ? message->data.result : CURLE_OUT_OF_MEMORY;
}

static void download_run(void *opaque,
                         const struct workload_item *item,
                         struct workload_outcome *ret_outcome)
{
    struct download_slot *slot = opaque;
    struct download_transfer *transfer = &slot->transfer;
    if (!download_transfer_begin(transfer, item, ret_outcome)) {
        return;
    }
    if (curl_multi_add_handle(slot->multi, transfer->easy) != CURLM_OK) {
        download_transfer_fail(transfer, "no memory to begin the transfer", ret_outcome);
        return;
    }
    CURLcode result = perform(slot);
    (void)curl_multi_remove_handle(slot->multi, transfer->easy);
    if (result == CURLE_ABORTED_BY_CALLBACK) {
        download_transfer_fail(transfer, "cancelled", ret_outcome);
        return;
    }
    download_transfer_end(transfer, item, result, ret_outcome);
}

const struct workload_ops workload_download_ops = {
    WORKLOAD_ABI,
    .name = "download",
    .summary = "gets each item over HTTP and hashes the body: what waiting for a network costs",
    .traits = WORKLOAD_IDEMPOTENT | WORKLOAD_NUMBERS | WORKLOAD_BYTES,
    .params = download_params,
    .param_count = sizeof(download_params) / sizeof(download_params[0]),
    .default_first = 1,
    .default_last = 64,
    .open = download_open,
    .close = download_close,
    .slot_open = download_slot_open,
    .slot_close = download_slot_close,
    .run = download_run,
    .async_open = download_async_open,
    .async_start = download_async_start,
    .async_cancel = download_async_cancel,
    .async_close = download_async_close,
};
