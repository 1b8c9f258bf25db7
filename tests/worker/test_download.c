/* download, both forms, against the built-in origin and against servers that misbehave: what succeeds, what fails and in which words,
 * and how soon a run lets go. */
#include "coordinator/origin/origin.h"
#include "tests/worker/canned_server.h"
#include "tests/worker/workload_rig.h"
#include "worker/workloads/params.h"
#include "worker/workloads/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { URL_SIZE = 512, ALL_FORMS = 3 };

static int start_origin(void **state)
{
    struct err_text error = {""};
    struct origin *origin = NULL;
    if (origin_start("127.0.0.1", 0, &error, &origin) != 0) {
        print_error("%s\n", error.s);
        return -1;
    }
    *state = origin;
    return 0;
}

static int stop_origin(void **state)
{
    origin_stop(*state);
    return 0;
}

static const char *url_at(uint16_t port, const char *path, char url[URL_SIZE])
{
    (void)snprintf(url, URL_SIZE, "http://127.0.0.1:%u%s", port, path);
    return url;
}

static const char *origin_url(void **state, const char *path, char url[URL_SIZE])
{
    return url_at(origin_port(*state), path, url);
}

/* Run the items in every form; all must come to the same tally, which is returned. */
static struct rig_result run_all_forms(const struct rig_items *items, const char *const *params)
{
    struct rig rig;
    struct rig_result results[ALL_FORMS];
    rig_open(&rig, "download", params);
    rig_run(&rig, items, &results[0]);
    rig_run_threads(&rig, items, 4, &results[1]);
    rig_run_async(&rig, items, 16, &results[2]);
    rig_close(&rig);
    for (int i = 1; i < ALL_FORMS; i++) {
        assert_int_equal(results[i].tally.ok, results[0].tally.ok);
        assert_int_equal(results[i].tally.failed, results[0].tally.failed);
        assert_int_equal(results[i].tally.checksum, results[0].tally.checksum);
        assert_int_equal(results[i].tally.bytes_out, results[0].tally.bytes_out);
    }
    return results[0];
}

/* Runs one URL in the form 0 (blocking) or 1. */
static struct rig_result run_one(const char *url, const char *const *params, int form)
{
    const struct rig_items items = {.count = 1, .texts = &url};
    struct rig rig;
    struct rig_result result;
    rig_open(&rig, "download", params);
    if (form == 0) {
        rig_run(&rig, &items, &result);
    } else {
        rig_run_async(&rig, &items, 1, &result);
    }
    rig_close(&rig);
    return result;
}

/* One URL that must fail in both forms with a text that has `reason` in it. */
static void assert_fails_for(const char *url, const char *const *params, const char *reason)
{
    for (int form = 0; form < 2; form++) {
        struct rig_result result = run_one(url, params, form);
        if (result.tally.failed != 1 || strstr(result.error, reason) == NULL) {
            fail_msg("form %d: wanted '%s', had '%s'", form, reason, result.error);
        }
        assert_int_equal(result.tally.bytes_out, 0);
    }
}

static void test_download_forms_agree_on_numbers(void **state)
{
    char url[URL_SIZE];
    char param[URL_SIZE + 8];
    (void)snprintf(param, sizeof(param), "url=%s", origin_url(state, "/bytes/{}", url));
    const char *params[] = {param, NULL};
    const struct rig_items items = {.count = 200, .first_number = 1000};
    struct rig_result result = run_all_forms(&items, params);
    assert_int_equal(result.tally.ok, 200);
    assert_int_equal(result.tally.bytes_out, 200 * (1000 + 1199) / 2);
}

static void test_download_fills_every_gap_of_the_url(void **state)
{
    char url[URL_SIZE];
    char param[URL_SIZE + 8];
    (void)snprintf(param, sizeof(param), "url=%s", origin_url(state, "/bytes/{}{}?x={}", url));
    const char *params[] = {param, NULL};
    struct rig_result result = run_all_forms(&(struct rig_items){.count = 1, .first_number = 12},
                                             params);
    assert_int_equal(result.tally.bytes_out, 1212);
}

static void test_download_tells_what_it_found(void **state)
{
    char url[URL_SIZE];
    char first[17] = "";
    for (int form = 0; form < 2; form++) {
        long status = 0;
        unsigned long long bytes = 0;
        char hash[17] = "";
        double seconds = -1;
        int end = 0;
        struct rig_result result = run_one(origin_url(state, "/bytes/1024", url), NULL, form);
        assert_int_equal(
            sscanf(result.out, "%ld %llu %16s %lf%n", &status, &bytes, hash, &seconds, &end), 4);
        assert_int_equal(result.out[end], '\0');
        assert_int_equal(status, 200);
        assert_int_equal(bytes, 1024);
        assert_int_equal(strspn(hash, "0123456789abcdef"), 16);
        assert_true(seconds >= 0);
        /* Both forms find the same body. */
        if (form == 0) {
            memcpy(first, hash, sizeof(hash));
        }
        assert_string_equal(hash, first);

        result = run_one(origin_url(state, "/status/404", url), NULL, form);
        assert_memory_equal(result.out, "404 ", 4);
        result = run_one("no URL at all", NULL, form);
        assert_string_equal(result.out, "");
    }
}

static void test_download_marks_what_took_too_long(void **state)
{
    char url[URL_SIZE];
    const char *params[] = {"timeout=0.2", NULL};
    for (int form = 0; form < 2; form++) {
        struct rig_result result = run_one(origin_url(state, "/delay/60", url), params, form);
        assert_int_equal(result.flags, WORKLOAD_TIMED_OUT);
        result = run_one(origin_url(state, "/status/404", url), params, form);
        assert_int_equal(result.flags, 0);
    }
}

static void test_download_forms_agree_on_mixed_urls(void **state)
{
    static const char *const paths[] = {"/bytes/0",
                                        "/bytes/1024",
                                        "/bytes/3000000",
                                        "/delay/0.02",
                                        "/status/404",
                                        "/status/500",
                                        "/status/204",
                                        "/redirect/5",
                                        "/redirect/6",
                                        "/close",
                                        "/status/301"};

    enum { PATHS = sizeof(paths) / sizeof(paths[0]) };

    char urls[PATHS + 1][URL_SIZE];
    const char *texts[PATHS + 1];
    for (size_t i = 0; i < PATHS; i++) {
        texts[i] = origin_url(state, paths[i], urls[i]);
    }
    texts[PATHS] = "no URL at all";
    const struct rig_items items = {.count = PATHS + 1, .texts = texts};
    struct rig_result result = run_all_forms(&items, NULL);
    assert_int_equal(result.tally.ok, 7);
    assert_int_equal(result.tally.failed, 5);
    assert_int_equal(result.tally.bytes_out,
                     0 + 1024 + 3000000 + strlen("done\n") + strlen("arrived\n") +
                         strlen("as asked\n"));
}

static void test_download_checksum_tells_bodies_and_positions_apart(void **state)
{
    char a[URL_SIZE];
    char b[URL_SIZE];
    const char *texts[3][2] = {
        {origin_url(state, "/bytes/10", a), origin_url(state, "/bytes/11", b)},
        {b, a},
        {a, a},
    };
    uint64_t checksums[3];
    for (size_t i = 0; i < 3; i++) {
        const struct rig_items items = {.count = 2, .texts = texts[i]};
        checksums[i] = run_all_forms(&items, NULL).tally.checksum;
    }
    assert_int_not_equal(checksums[0], checksums[1]);
    assert_int_not_equal(checksums[0], checksums[2]);
    assert_int_not_equal(checksums[1], checksums[2]);
}

static void test_download_status_outside_2xx_fails(void **state)
{
    char url[URL_SIZE];
    assert_fails_for(origin_url(state, "/status/404", url), NULL, "/status/404: HTTP status 404");
    assert_fails_for(origin_url(state, "/status/503", url), NULL, ": HTTP status 503");
    assert_fails_for(origin_url(state, "/status/304", url), NULL, ": HTTP status 304");
}

static void test_download_follows_redirects_up_to_the_limit(void **state)
{
    char url[URL_SIZE];
    const char *none[] = {"redirects=0", NULL};
    const char *two[] = {"redirects=2", NULL};
    assert_fails_for(origin_url(state, "/redirect/6", url), NULL, "more than 5 redirects");
    assert_fails_for(origin_url(state, "/redirect/-1", url), NULL, "more than 5 redirects");
    assert_fails_for(origin_url(state, "/redirect/3", url), two, "more than 2 redirects");
    assert_fails_for(origin_url(state, "/redirect/1", url), none, "HTTP status 302");
}

static void test_download_body_beyond_the_limit_fails(void **state)
{
    char url[URL_SIZE];
    const char *params[] = {"body-max=1Mi", NULL};
    assert_fails_for(origin_url(state, "/drip", url), params, "body larger than 1.00 MiB");
    assert_fails_for(origin_url(state, "/bytes/1048577", url), params, "body larger than");

    const char *exact[] = {origin_url(state, "/bytes/1Mi", url)};
    struct rig_result result = run_all_forms(&(struct rig_items){.count = 1, .texts = exact},
                                             params);
    assert_int_equal(result.tally.ok, 1);
}

static void test_download_timeouts_say_which_one(void **state)
{
    char url[URL_SIZE];
    const char *total[] = {"timeout=0.2", NULL};
    assert_fails_for(origin_url(state, "/delay/60", url), total, "timed out after 0.2 s");
    assert_fails_for(origin_url(state, "/stall", url), total, "timed out after 0.2 s");
    const char *stall[] = {"stall-timeout=1", NULL};
    assert_fails_for(origin_url(state, "/stall", url), stall, "stalled: under 1 B/s for 1 s");

    int fds[HANGING_FDS];
    const char *connect[] = {"connect-timeout=0.2", NULL};
    (void)url_at(hanging_port(fds), "/", url);
    assert_fails_for(url, connect, "could not connect: no answer within 0.2 s");
    for (int i = 0; i < HANGING_FDS; i++) {
        (void)close(fds[i]);
    }
}

static void test_download_timeout_of_reused_connection_is_told_as_such(void **state)
{
    char first[URL_SIZE];
    char second[URL_SIZE];
    const char *texts[] = {origin_url(state, "/bytes/1", first),
                           origin_url(state, "/delay/60", second)};
    const char *params[] = {"stall-timeout=1", NULL};
    struct rig rig;
    struct rig_result result;
    rig_open(&rig, "download", params);
    rig_run(&rig, &(struct rig_items){.count = 2, .texts = texts}, &result);
    rig_close(&rig);
    assert_int_equal(result.tally.ok, 1);
    assert_non_null(strstr(result.error, "stalled: under 1 B/s for 1 s"));
}

static void test_download_unreachable_says_why(void **state)
{
    (void)state;
    char url[URL_SIZE];
    (void)url_at(closed_port(), "/x", url);
    assert_fails_for(url, NULL, "/x: could not connect: Connection refused");
}

static void test_download_refuses_what_is_no_web_url(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "file:///etc/passwd", "ftp://127.0.0.1/", "127.0.0.1", "", "-", "http", "scp://h/f"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        assert_fails_for(urls[i], NULL, "not an http or https URL");
    }
    assert_fails_for("http://", NULL, "http://: not a well-formed http or https URL");
    assert_fails_for("http://[::1/x", NULL, "not a well-formed http or https URL");
    assert_fails_for("http://a b/\001", NULL, "http://a b/?: ");
}

static void test_download_without_url_asks_for_one(void **state)
{
    (void)state;
    struct rig_result result = run_all_forms(&(struct rig_items){.count = 3}, NULL);
    assert_int_equal(result.tally.failed, 3);
    assert_non_null(strstr(result.error, "--param url=URL"));
}

static void test_download_item_with_nul_is_refused(void **state)
{
    (void)state;
    struct rig rig;
    struct err_text error;
    struct workload_outcome outcome;
    void *slot = NULL;
    const struct workload_item item = {.bytes = "http://host/\0x", .bytes_len = 14};
    rig_open(&rig, "download", NULL);
    assert_int_equal(rig.ops->slot_open(rig.state, &error, &slot), 0);
    rig.ops->run(slot, &item, &outcome);
    rig.ops->slot_close(slot);
    rig_close(&rig);
    assert_false(outcome.ok);
    assert_non_null(strstr(outcome.error, "not an http or https URL"));
}

static void test_download_error_shortens_url_and_hides_password(void **state)
{
    char url[URL_SIZE];
    char path[300];
    memset(path, 'p', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    (void)origin_url(state, path, url);
    assert_fails_for(url, NULL, "ppp...ppp");
    assert_fails_for(url, NULL, ": HTTP status 404");
    (void)snprintf(url, sizeof(url), "http://me:secret@127.0.0.1:%u/nothing", origin_port(*state));
    assert_fails_for(url, NULL, "http://***@127.0.0.1:");
}

static void test_download_servers_that_misbehave(void **state)
{
    (void)state;

    static const struct {
        const char *answer;
        const char *reason;
    } cases[] = {
        {"", "the server closed the connection without an answer"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "in mid-answer"},
        {"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
         "redirected to what is not an http or https URL"},
        {"garbage\r\n\r\n", ": "},
        {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "body larger than 64.0 MiB"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", ": "},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct canned_server *server = canned_server_start(cases[i].answer);
        char url[URL_SIZE];
        assert_fails_for(url_at(canned_server_port(server), "/", url), NULL, cases[i].reason);
        canned_server_stop(server);
    }
}

static void test_download_lets_go_soon_when_cancelled(void **state)
{
    static const char *const paths[] = {"/delay/60", "/stall", "/bytes/1024Gi"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        char url[URL_SIZE];
        const char *params[] = {"body-max=2000Gi", NULL};
        const char *texts[8];
        for (size_t j = 0; j < 8; j++) {
            texts[j] = origin_url(state, paths[i], url);
        }
        struct rig rig;
        struct rig_result result;
        rig_open(&rig, "download", params);
        rig_cancel_soon(&rig);
        rig_run_threads(&rig, &(struct rig_items){.count = 8, .texts = texts}, 4, &result);
        assert_in_range(rig_cancelled_for_us(&rig), 0, 300000);
        assert_int_equal(result.tally.failed, 8);

        rig_cancel_soon(&rig);
        rig_run_async(&rig, &(struct rig_items){.count = 8, .texts = texts}, 4, &result);
        assert_in_range(rig_cancelled_for_us(&rig), 0, 300000);
        assert_in_range(result.tally.failed, 4, 8);
        assert_non_null(strstr(result.error, "cancelled"));
        rig_close(&rig);
    }
}

static void test_download_hundreds_wait_at_once(void **state)
{
    char url[URL_SIZE];
    char param[URL_SIZE + 8];
    (void)snprintf(param, sizeof(param), "url=%s", origin_url(state, "/delay/0.3", url));
    const char *params[] = {param, NULL};
    struct rig rig;
    struct rig_result result;
    rig_open(&rig, "download", params);
    uint64_t begin = rig_now_us();
    rig_run_async(&rig, &(struct rig_items){.count = 1000}, 500, &result);
    uint64_t elapsed_us = rig_now_us() - begin;
    rig_close(&rig);
    assert_int_equal(result.tally.ok, 1000);
    assert_in_range(elapsed_us, 600000, 3000000); /* one after another it would be 300 s */
}

static void test_download_refuses_unknown_http_version(void **state)
{
    (void)state;
    const struct workload_ops *ops = workload_find("download");
    struct params params = {0};
    struct err_text error;
    assert_int_equal(params_set(&params, "http", "3"), 0);
    assert_int_equal(params_resolve(&params, ops->params, ops->param_count, &error), ERR_INVALID);
    assert_string_equal(error.s, "parameter http=3: give one of 1.1|2");
    params_deinit(&params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_download_forms_agree_on_numbers),
        cmocka_unit_test(test_download_fills_every_gap_of_the_url),
        cmocka_unit_test(test_download_tells_what_it_found),
        cmocka_unit_test(test_download_marks_what_took_too_long),
        cmocka_unit_test(test_download_forms_agree_on_mixed_urls),
        cmocka_unit_test(test_download_checksum_tells_bodies_and_positions_apart),
        cmocka_unit_test(test_download_status_outside_2xx_fails),
        cmocka_unit_test(test_download_follows_redirects_up_to_the_limit),
        cmocka_unit_test(test_download_body_beyond_the_limit_fails),
        cmocka_unit_test(test_download_timeouts_say_which_one),
        cmocka_unit_test(test_download_timeout_of_reused_connection_is_told_as_such),
        cmocka_unit_test(test_download_unreachable_says_why),
        cmocka_unit_test(test_download_refuses_what_is_no_web_url),
        cmocka_unit_test(test_download_without_url_asks_for_one),
        cmocka_unit_test(test_download_item_with_nul_is_refused),
        cmocka_unit_test(test_download_error_shortens_url_and_hides_password),
        cmocka_unit_test(test_download_servers_that_misbehave),
        cmocka_unit_test(test_download_lets_go_soon_when_cancelled),
        cmocka_unit_test(test_download_hundreds_wait_at_once),
        cmocka_unit_test(test_download_refuses_unknown_http_version),
    };
    return !!cmocka_run_group_tests_name("download", tests, start_origin, stop_origin);
}
