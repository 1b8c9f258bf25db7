/* One easy handle and what it downloads: the URL in, the body hashed and counted as it comes,
 * the outcome in one line. */
#include "common/base/check.h"
#include "common/base/err.h"
#include "common/base/units.h"
#include "worker/workloads/download.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

enum {
    URL_SHOWN_MAX = 120, /* bytes of a URL in an error text */
    URL_SHOWN_TAIL = 30, /* of these, from its end when it is longer */
    TIMER_SLACK_US =
        2000, /* libcurl counts in whole milliseconds, rounded up, and so may be early */
};

static uint64_t now_us(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000U + (uint64_t)now.tv_nsec / 1000U;
}

/* The last step of splitmix64: every bit of the input moves every bit of the output. */
static uint64_t mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31);
}

static uint64_t checksum(uint64_t index, long status, uint64_t body_hash)
{
    return mix(mix(mix(index + 0x9e3779b97f4a7c15U) + (uint64_t)status) + body_hash);
}

/* A short return ends the transfer with CURLE_WRITE_ERROR.
 *
 * libcurl goes on reading a connection for as long as it has something to give, and does not
 * return to its caller before: an endless body from a fast server would hold the loop, and
 * nobody could cancel it. So it is looked at here too. */
static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct download_transfer *transfer = arg;
    size_t len = size * count;
    if (len > transfer->state->profile.body_max_bytes - transfer->body_bytes) {
        transfer->body_too_large = true;
        return 0;
    }
    if (transfer->state->host->cancelled(transfer->state->host)) {
        transfer->cancelled = true;
        return 0;
    }
    transfer->body_bytes += len;
    (void)XXH3_64bits_update(transfer->hash, bytes, len);
    return len;
}

int download_transfer_init(struct download_transfer *transfer, const struct download_state *state)
{
    *transfer = (struct download_transfer){
        .state = state,
        .easy = curl_easy_init(),
        .hash = XXH3_createState(),
        .url_buffer = malloc(state->url_size_max),
    };
    if (transfer->easy == NULL || transfer->hash == NULL || transfer->url_buffer == NULL) {
        return ERR_NOMEM;
    }
    int rc = http_profile_apply(&state->profile, transfer->easy);
    if (rc != 0) {
        return rc;
    }
    (void)curl_easy_setopt(transfer->easy, CURLOPT_ERRORBUFFER, transfer->curl_error);
    (void)curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer);
    (void)curl_easy_setopt(transfer->easy, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(transfer->easy, CURLOPT_WRITEDATA, transfer);
    return 0;
}

void download_transfer_deinit(struct download_transfer *transfer)
{
    curl_easy_cleanup(transfer->easy);
    (void)XXH3_freeState(transfer->hash);
    free(transfer->url_buffer);
    *transfer = (struct download_transfer){0};
}

/* URLs. */

static void fill_in_number(struct download_transfer *transfer, uint64_t number)
{
    char *to = transfer->url_buffer;
    const char *from = transfer->state->url;
    const char *gap = NULL;
    while ((gap = strstr(from, "{}")) != NULL) {
        memcpy(to, from, (size_t)(gap - from));
        to += gap - from;
        to += sprintf(to, "%" PRIu64, number);
        from = gap + 2;
    }
    strcpy(to, from);
}

static bool is_web_url(const char *url)
{
    return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

/* Copy `url` for a person to read: no password, no control characters, the middle of a long one
 * left out. */
static void show_url(const char *url, char shown[URL_SHOWN_MAX + 1])
{
    size_t len = strlen(url);
    size_t at = 0;
    const char *authority = strstr(url, "://");
    if (authority != NULL) {
        authority += 3;
        size_t authority_len = strcspn(authority, "/?#");
        const char *user_end = memrchr(authority, '@', authority_len);
        if (user_end != NULL && authority - url < URL_SHOWN_TAIL) {
            at = (size_t)sprintf(shown, "%.*s***", (int)(authority - url), url);
            len -= (size_t)(user_end - url);
            url = user_end;
        }
    }
    if (at + len <= URL_SHOWN_MAX) {
        memcpy(shown + at, url, len + 1);
    } else {
        int head = (int)(URL_SHOWN_MAX - URL_SHOWN_TAIL - 3 - at);
        (void)sprintf(shown + at, "%.*s...%s", head, url, url + len - URL_SHOWN_TAIL);
    }
    for (char *c = shown; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f) {
            *c = '?';
        }
    }
}

/* Outcomes. */

void download_transfer_fail(struct download_transfer *transfer,
                            const char *reason,
                            struct workload_outcome *ret_outcome)
{
    char shown[URL_SHOWN_MAX + 1] = "";
    show_url(transfer->url, shown);
    ret_outcome->ok = false;
    ret_outcome->checksum = 0;
    ret_outcome->bytes = 0;
    /* The URL has room for two thirds of it, so that the reason is always there. */
    (void)snprintf(ret_outcome->error, sizeof(ret_outcome->error), "%s: %s", shown, reason);
}

bool download_transfer_begin(struct download_transfer *transfer,
                             const struct workload_item *item,
                             struct workload_outcome *ret_outcome)
{
    transfer->begun_us = now_us();
    transfer->body_bytes = 0;
    transfer->body_too_large = false;
    transfer->cancelled = false;
    transfer->curl_error[0] = '\0';
    (void)XXH3_64bits_reset(transfer->hash);
    if (item->bytes != NULL) {
        transfer->url = item->bytes;
    } else if (transfer->state->url != NULL) {
        fill_in_number(transfer, item->number);
        transfer->url = transfer->url_buffer;
    } else {
        transfer->url = "(no URL)";
        download_transfer_fail(transfer, "give one with --param url=URL", ret_outcome);
        return false;
    }
    bool has_nul = item->bytes != NULL && strlen(item->bytes) != item->bytes_len;
    if (has_nul || !is_web_url(transfer->url)) {
        download_transfer_fail(transfer, "not an http or https URL", ret_outcome);
        return false;
    }
    if (curl_easy_setopt(transfer->easy, CURLOPT_URL, transfer->url) != CURLE_OK) {
        download_transfer_fail(transfer, "no memory for the URL, or it is too long", ret_outcome);
        return false;
    }
    return true;
}

/* libcurl keeps the error of connect, but not that of socket: ask for one, and see whether the
 * system still refuses. Returns errno or 0. */
static int why_no_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return errno;
    }
    (void)close(fd);
    return 0;
}

static const char *os_error(CURL *easy)
{
    long os_errno = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_errno);
    if (os_errno == 0) {
        os_errno = why_no_socket();
    }
    if (os_errno == EMFILE) {
        return "too many open files (raise ulimit -n, or run fewer items at once)";
    }
    const char *text = os_errno > 0 ? strerrordesc_np((int)os_errno) : NULL;
    return text != NULL ? text : "no route, or nobody answered";
}

static const char *curl_text(const struct download_transfer *transfer, CURLcode result)
{
    return transfer->curl_error[0] != '\0' ? transfer->curl_error : curl_easy_strerror(result);
}

/* libcurl has one code for three timeouts; what had happened until then tells them apart. The
 * clock is ours because libcurl's total time stops at the last event and may fall short of the
 * limit that it exceeded. */
static void describe_timeout(const struct download_transfer *transfer, struct err_text *ret_reason)
{
    const struct http_profile *profile = &transfer->state->profile;
    uint64_t elapsed_us = now_us() - transfer->begun_us + TIMER_SLACK_US;
    uint64_t total_us = profile->total_timeout_ms * (uint64_t)1000;
    uint64_t stall_us = profile->stall_timeout_s * (uint64_t)1000000;
    curl_off_t connected_us = 0;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
    if (total_us > 0 && elapsed_us >= total_us) {
        (void)err_set(ret_reason, 0, "timed out after %g s", profile->total_timeout_ms / 1e3);
    } else if (stall_us > 0 && elapsed_us >= stall_us && connected_us > 0) {
        (void)err_set(ret_reason, 0, "stalled: under 1 B/s for %u s", profile->stall_timeout_s);
    } else {
        double connect_s = profile->connect_timeout_ms / 1e3;
        (void)err_set(ret_reason, 0, "could not connect: no answer within %g s", connect_s);
    }
}

static void describe(const struct download_transfer *transfer,
                     CURLcode result,
                     struct err_text *ret_reason)
{
    const struct http_profile *profile = &transfer->state->profile;
    char limit[UNITS_TEXT_SIZE];
    if (transfer->body_too_large || result == CURLE_FILESIZE_EXCEEDED) {
        (void)units_format_bytes(profile->body_max_bytes, limit);
        (void)err_set(ret_reason, 0, "body larger than %s", limit);
        return;
    }
    if (transfer->cancelled) {
        (void)err_set(ret_reason, 0, "cancelled");
        return;
    }
    switch (result) {
    case CURLE_UNSUPPORTED_PROTOCOL: /* of a redirect: begin has looked at the item's own URL */
        (void)err_set(ret_reason, 0, "redirected to what is not an http or https URL");
        break;
    case CURLE_URL_MALFORMAT:
        (void)err_set(ret_reason, 0, "not a well-formed http or https URL");
        break;
    case CURLE_COULDNT_RESOLVE_HOST:
        (void)err_set(ret_reason, 0, "could not find the host's address");
        break;
    case CURLE_COULDNT_CONNECT:
        (void)err_set(ret_reason, 0, "could not connect: %s", os_error(transfer->easy));
        break;
    case CURLE_OPERATION_TIMEDOUT:
        describe_timeout(transfer, ret_reason);
        break;
    case CURLE_TOO_MANY_REDIRECTS:
        (void)err_set(ret_reason, 0, "more than %u redirects", profile->redirects_max);
        break;
    case CURLE_GOT_NOTHING:
        (void)err_set(ret_reason, 0, "the server closed the connection without an answer");
        break;
    case CURLE_PARTIAL_FILE:
        (void)err_set(ret_reason, 0, "the server closed the connection in mid-answer");
        break;
    default:
        (void)err_set(ret_reason, 0, "%s", curl_text(transfer, result));
    }
}

/* What there is to be seen of an answer, on one line. */
static void describe_found(struct download_transfer *transfer,
                           long status,
                           struct workload_outcome *ret_outcome)
{
    double seconds = (double)(now_us() - transfer->begun_us) / 1e6;
    int len = snprintf(transfer->found,
                       sizeof(transfer->found),
                       "%ld %" PRIu64 " %016" PRIx64 " %.4f",
                       status,
                       transfer->body_bytes,
                       (uint64_t)XXH3_64bits_digest(transfer->hash),
                       seconds);
    ret_outcome->out = transfer->found;
    ret_outcome->out_len = (size_t)len;
}

void download_transfer_end(struct download_transfer *transfer,
                           const struct workload_item *item,
                           CURLcode result,
                           struct workload_outcome *ret_outcome)
{
    struct err_text reason;
    if (result != CURLE_OK) {
        describe(transfer, result, &reason);
        download_transfer_fail(transfer, reason.s, ret_outcome);
        if (result == CURLE_OPERATION_TIMEDOUT && !transfer->cancelled) {
            ret_outcome->flags = WORKLOAD_TIMED_OUT;
        }
        return;
    }
    long status = 0;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    describe_found(transfer, status, ret_outcome);
    if (status < 200 || status > 299) {
        (void)err_set(&reason, 0, "HTTP status %ld", status);
        download_transfer_fail(transfer, reason.s, ret_outcome);
        /* Which refusal it was is a result and must agree; an error page is not (it may tell the
         * time). */
        ret_outcome->checksum = checksum(item->index, status, 0);
        return;
    }
    ret_outcome->ok = true;
    ret_outcome->checksum = checksum(item->index, status, XXH3_64bits_digest(transfer->hash));
    ret_outcome->bytes = transfer->body_bytes;
}
