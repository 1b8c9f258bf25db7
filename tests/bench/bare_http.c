#include "tests/bench/bare_http.h"

#include "tests/bench/bare.h"
#include "worker/workloads/http_profile.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The defaults of `quartet workloads download`. */
static const struct http_profile profile = {
    .connect_timeout_ms = 10000,
    .total_timeout_ms = 60000,
    .stall_timeout_s = 20,
    .redirects_max = 5,
    .body_max_bytes = 64 << 20,
};

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        bare_fail(path, NULL);
    }
    char *text = NULL;
    size_t size = 0;
    if (getdelim(&text, &size, '\0', file) <= 0) {
        bare_fail(path, "no URL in it");
    }
    (void)fclose(file);
    return text;
}

void bare_urls_read(const char *path, struct bare_urls *ret_urls)
{
    struct bare_urls urls = {.text = read_file(path)};
    size_t lines = 1;
    for (const char *at = urls.text; (at = strchr(at, '\n')) != NULL; at++) {
        lines++;
    }
    urls.list = calloc(lines, sizeof(*urls.list));
    if (urls.list == NULL) {
        bare_fail("calloc", NULL);
    }
    char *rest = urls.text;
    char *line = NULL;
    while ((line = strsep(&rest, "\n")) != NULL) {
        if (line[0] != '\0') {
            urls.list[urls.count++] = line;
        }
    }
    *ret_urls = urls;
}

void bare_urls_free(struct bare_urls *urls)
{
    free(urls->list);
    free(urls->text);
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    (void)data;
    uint64_t *bytes = arg;
    *bytes += size * count;
    return size * count;
}

CURL *bare_http_handle(uint64_t *bytes)
{
    CURL *handle = curl_easy_init();
    if (handle == NULL || http_profile_apply(&profile, handle) != 0 ||
        curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body) != CURLE_OK ||
        curl_easy_setopt(handle, CURLOPT_WRITEDATA, bytes) != CURLE_OK) {
        bare_fail("libcurl", "no handle, or it refuses an option");
    }
    return handle;
}

bool bare_http_ok(CURL *handle, CURLcode result)
{
    long status = 0;
    (void)curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    return result == CURLE_OK && status >= 200 && status <= 299;
}

void bare_http_print(uint64_t requests, uint64_t failed, uint64_t bytes, double wall_s)
{
    (void)printf("{\"wall_s\": %.6f, \"per_second\": %.1f, \"cpu_s\": %.6f, \"failed\": %" PRIu64
                 ", \"bytes\": %" PRIu64 "}\n",
                 wall_s,
                 (double)requests / wall_s,
                 bare_cpu_s(),
                 failed,
                 bytes);
}
