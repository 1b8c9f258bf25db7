/* What the bare download programs share: the list of URLs, a handle with the HTTP options of the workload `download`, and the line they
 * print. The options are the workload's own (http_profile.h) with its defaults, so that only the way of driving libcurl differs.
 * A body is counted and thrown away; the workload also hashes it. */
#ifndef QUARTET_TESTS_BENCH_BARE_HTTP_H
#define QUARTET_TESTS_BENCH_BARE_HTTP_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bare_urls {
    char *text; /* the file; each URL in it ends with a NUL */
    char **list;
    size_t count;
};

/* One URL a line. Exits when the file cannot be read or is empty. */
void bare_urls_read(const char *path, struct bare_urls *ret_urls);
void bare_urls_free(struct bare_urls *urls);

/* A handle that adds the bytes of bodies to `*bytes`, which must outlive it. Exits when there is none to be had. */
CURL *bare_http_handle(uint64_t *bytes);

/* Did the transfer that `handle` has just ended succeed, with a status from 200 to 299? */
bool bare_http_ok(CURL *handle, CURLcode result);

/* Call after all children were waited for: the line has their CPU time. */
void bare_http_print(uint64_t requests, uint64_t failed, uint64_t bytes, double wall_s);

#endif
