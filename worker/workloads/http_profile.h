/* One way to speak HTTP for every handle of every strategy. If one strategy had other timeouts,
 * another version or no keep-alive, the comparison would compare those. Nothing else sets what
 * is set here. */
#ifndef QUARTET_WORKER_WORKLOADS_HTTP_PROFILE_H
#define QUARTET_WORKER_WORKLOADS_HTTP_PROFILE_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

/* 0 in a timeout: no limit. */
struct http_profile {
    uint32_t connect_timeout_ms;
    uint32_t total_timeout_ms; /* one item from its start to its end, redirects included */
    uint32_t stall_timeout_s; /* how long under 1 byte a second, the wait for the answer included */
    uint32_t redirects_max;
    uint64_t
        body_max_bytes; /* the caller's write callback must keep to it as well: a server may not tell the length */
    bool http2; /* HTTP/2 where TLS negotiates it, otherwise and by default HTTP/1.1 */
};

/* Set `easy` up to the profile. Returns 0, or ERR_NOMEM or ERR_INVALID (libcurl refuses an
 * option). */
int http_profile_apply(const struct http_profile *profile, CURL *easy);

#endif
