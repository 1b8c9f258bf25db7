/* Options are applied once to a handle; libcurl keeps them from item to item. */
#include "worker/workloads/http_profile.h"

#include "common/base/err.h"
#include "worker/workloads/http_authorities.h"

#include <stddef.h>

/* An option that takes a long. */
struct setting {
    CURLoption option;
    long value;
};

static int to_err(CURLcode code)
{
    if (code == CURLE_OK) {
        return 0;
    }
    return code == CURLE_OUT_OF_MEMORY ? ERR_NOMEM : ERR_INVALID;
}

static int apply_longs(CURL *easy, const struct setting *settings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int rc = to_err(curl_easy_setopt(easy, settings[i].option, settings[i].value));
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int apply_limits(const struct http_profile *profile, CURL *easy)
{
    /* For this one option 0 means 300 seconds, not "no limit". */
    long connect_timeout_ms = profile->connect_timeout_ms > 0 ? (long)profile->connect_timeout_ms
                                                              : INT32_MAX;
    const struct setting settings[] = {
        {CURLOPT_CONNECTTIMEOUT_MS, connect_timeout_ms},
        {CURLOPT_TIMEOUT_MS, (long)profile->total_timeout_ms},
        {CURLOPT_LOW_SPEED_LIMIT, 1},
        {CURLOPT_LOW_SPEED_TIME, (long)profile->stall_timeout_s},
        {CURLOPT_FOLLOWLOCATION, profile->redirects_max > 0},
        {CURLOPT_MAXREDIRS, (long)profile->redirects_max},
    };
    int rc = apply_longs(easy, settings, sizeof(settings) / sizeof(settings[0]));
    if (rc != 0) {
        return rc;
    }
    curl_off_t body_max = (curl_off_t)profile->body_max_bytes;
    return to_err(curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, body_max));
}

static int apply_manners(const struct http_profile *profile, CURL *easy)
{
    const struct setting settings[] = {
        {CURLOPT_HTTP_VERSION, profile->http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1},
        /* Signals cannot serve many threads: no alarm() for name lookups, and SIGPIPE is main's
         * to ignore. */
        {CURLOPT_NOSIGNAL, 1},
        {CURLOPT_TCP_NODELAY, 1},
        {CURLOPT_NETRC, CURL_NETRC_IGNORED},
        /* Without it, dropping a transfer whose name lookup hangs waits for the lookup, which
         * cannot be interrupted. */
        {CURLOPT_QUICK_EXIT, 1},
    };
    return apply_longs(easy, settings, sizeof(settings) / sizeof(settings[0]));
}

static int apply_authorities(CURL *easy)
{
    const char *file = http_authorities();
    return file == NULL ? 0 : to_err(curl_easy_setopt(easy, CURLOPT_CAINFO, file));
}

int http_profile_apply(const struct http_profile *profile, CURL *easy)
{
    int rc = apply_limits(profile, easy);
    rc = rc != 0 ? rc : apply_manners(profile, easy);
    rc = rc != 0 ? rc : apply_authorities(easy);
    if (rc != 0) {
        return rc;
    }

    /* libcurl's own default would be thirty schemes, file:// and scp:// among them. */
    const struct {
        CURLoption option;
        const char *value;
    } texts[] = {
        {CURLOPT_PROTOCOLS_STR, "http,https"},
        {CURLOPT_REDIR_PROTOCOLS_STR, "http,https"},
        {CURLOPT_PROXY,
         ""}, /* not even from the environment, which differs from worker to worker */
        {CURLOPT_USERAGENT, "quartet/" QUARTET_VERSION},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && rc == 0; i++) {
        rc = to_err(curl_easy_setopt(easy, texts[i].option, texts[i].value));
    }
    return rc;
}
