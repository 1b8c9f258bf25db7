/* The access file: what is written is read again; what is not one is refused in words that quote no
 * key. */
#include "common/io/access.h"
#include "common/io/secret_file.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char secret[] = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";

static void make(struct access *access)
{
    struct key_pair server;
    memset(access, 0, sizeof(*access));
    key_pair_make(&server);
    (void)snprintf(access->run, sizeof(access->run), "0123456789abcdef");
    (void)snprintf(access->name, sizeof(access->name), "gpu-1");
    memcpy(access->server_key, server.public_key, KEY_TEXT_SIZE);
    assert_int_equal(key_pair_of_secret(secret, NULL, &access->pair), 0);
    access_add_endpoint(access, "tcp://10.0.0.1:5555");
    access_add_endpoint(access, "tcp://[fd00::1]:5555");
    access_add_endpoint(access, "ipc:///run/quartet");
}

static void test_access_says_the_same_when_it_is_read(void **state)
{
    (void)state;
    struct access made;
    struct access read;
    make(&made);
    char *text = access_format(&made, false);
    assert_non_null(text);
    assert_int_equal(access_parse(text, strlen(text), NULL, &read), 0);
    assert_memory_equal(&read, &made, sizeof(read));
    secret_free(text);
}

static void test_access_passes_over_what_a_later_version_adds(void **state)
{
    (void)state;
    struct access made;
    struct access read;
    char longer[2048];
    make(&made);
    char *text = access_format(&made, false);
    assert_non_null(text);
    (void)snprintf(longer, sizeof(longer), "{\"added\": [1, {\"a\": null}], %s", text + 1);
    assert_int_equal(access_parse(longer, strlen(longer), NULL, &read), 0);
    secret_free(text);
}

/* `value` (JSON; NULL: nothing) in the place of a member. */
static char *with(const char *member, const char *value)
{
    struct access made;
    make(&made);
    char *text = access_format(&made, false);
    json_t *root = json_loads(text, 0, NULL);
    assert_non_null(root);
    if (value == NULL) {
        (void)json_object_del(root, member);
    } else {
        (void)json_object_set_new(
            root, member, json_loads(value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL));
    }
    secret_free(text);
    char *changed = json_dumps(root, 0);
    json_decref(root);
    assert_non_null(changed);
    return changed;
}

static void assert_refused(const char *text, const char *part)
{
    struct err_text error = {{0}};
    struct access read = {.run = "untouched"};
    assert_int_equal(access_parse(text, strlen(text), &error, &read), ERR_INVALID);
    assert_non_null(strstr(error.s, part));
    assert_null(strstr(error.s, secret));
    assert_null(strstr(error.s, "D:)Q["));
    assert_string_equal(read.run, "untouched");
}

static void test_access_that_is_none_is_refused_with_the_part_that_is_wrong(void **state)
{
    (void)state;

    static const struct {
        const char *member;
        const char *value;
        const char *part;
    } cases[] = {
        {"schema", NULL, "'schema'"},
        {"schema", "\"quartet.access/2\"", "'schema'"},
        {"schema", "1", "'schema'"},
        {"run", NULL, "'run' is missing"},
        {"run", "\"0123456789012345678901234567890123\"", "'run' is too long"},
        {"endpoints", NULL, "'endpoints'"},
        {"endpoints", "[]", "'endpoints'"},
        {"endpoints", "\"tcp://10.0.0.1:1\"", "'endpoints'"},
        {"endpoints", "[1]", "'endpoints'"},
        {"endpoints", "[\"http://10.0.0.1:1\"]", "http://10.0.0.1:1"},
        {"endpoints", "[\"inproc://zeromq.zap.01\"]", "inproc"},
        {"endpoints", "[\"tcp://a:1\\u0000\"]", "not JSON"},
        {"server_key", NULL, "'server_key' is missing"},
        {"server_key", "\"D:)Q[IlAW\"", "'server_key' is not 40"},
        {"server_key", "null", "'server_key' is not a text"},
        {"name", "\"../../etc\"", "'name'"},
        {"name", "\"\"", "'name'"},
        {"public_key", NULL, "'public_key' is missing"},
        {"public_key", "\"D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs\"", "not a pair"},
        {"secret_key", "\"D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%c\"", "'secret_key' is not 40"},
        {"secret_key", "\"D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%csD:)Q[\"", "'secret_key' is too"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = with(cases[i].member, cases[i].value);
        assert_refused(text, cases[i].part);
        free(text);
    }
    assert_refused("", "not JSON");
    assert_refused("[]", "not a JSON object");
    assert_refused("{\"secret_key\": \"D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs", "not JSON");
    assert_refused("{\"run\": \"a\", \"run\": \"b\"}", "not JSON");
}

static void test_access_with_too_many_endpoints_is_refused_when_read_and_cut_when_made(void **state)
{
    (void)state;
    struct access made;
    char endpoint[ACCESS_ENDPOINT_SIZE + 16];
    make(&made);
    for (int i = 0; i < 2 * ACCESS_ENDPOINTS_MAX; i++) {
        (void)snprintf(endpoint, sizeof(endpoint), "tcp://10.0.1.%d:1", i);
        access_add_endpoint(&made, endpoint);
        access_add_endpoint(&made, endpoint); /* once is enough */
    }
    assert_int_equal(made.endpoint_count, ACCESS_ENDPOINTS_MAX);
    assert_string_equal(made.endpoints[3], "tcp://10.0.1.0:1");
    char *text = access_format(&made, false);
    assert_non_null(text);
    json_t *root = json_loads(text, 0, NULL);
    (void)json_array_append_new(json_object_get(root, "endpoints"), json_string("tcp://b:1"));
    char *longer = json_dumps(root, 0);
    assert_refused(longer, "1 to 32");
    free(longer);
    json_decref(root);
    secret_free(text);
}

static void test_access_file_that_others_can_read_is_refused(void **state)
{
    (void)state;
    char path[] = "/tmp/quartet-access-XXXXXX";
    struct access made;
    struct access read;
    struct stat info;
    struct err_text error = {{0}};
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    make(&made);
    assert_int_equal(access_write(path, &made, NULL), 0);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_int_equal(access_read(path, false, NULL, &read), 0);
    assert_memory_equal(&read, &made, sizeof(read));
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(access_read(path, false, &error, &read), ERR_INVALID);
    assert_non_null(strstr(error.s, path));
    (void)unlink(path);
}

static void test_access_goes_through_a_pipe(void **state)
{
    (void)state;
    struct access made;
    struct access read;
    struct err_text error = {{0}};
    int fd = -1;
    int before = dup(STDIN_FILENO);
    make(&made);
    assert_int_equal(access_open(&made, NULL, &fd), 0);
    assert_true(dup2(fd, STDIN_FILENO) >= 0);
    (void)close(fd);
    assert_int_equal(access_read("-", false, &error, &read), 0);
    assert_memory_equal(&read, &made, sizeof(read));
    assert_int_equal(access_read("-", false, &error, &read), ERR_INVALID); /* it was read to its end */
    assert_non_null(strstr(error.s, "standard input"));
    if (before >= 0) {
        (void)dup2(before, STDIN_FILENO);
        (void)close(before);
    }
}

/* jansson asks here for memory, and does not get it after so many times. */
static unsigned grants;

static void *grant(size_t size)
{
    return grants == 0 ? NULL : (grants--, malloc(size));
}

static void test_access_without_memory_is_an_error_whenever_it_runs_out(void **state)
{
    (void)state;
    struct access made;
    struct access read;
    make(&made);
    char *text = access_format(&made, false);
    assert_non_null(text);
    bool done = false;
    for (unsigned n = 0; !done; n++) {
        json_set_alloc_funcs(grant, free);
        grants = n;
        int rc = access_parse(text, strlen(text), NULL, &read);
        unsigned left = grants;
        grants = n;
        char *again = access_format(&made, false);
        json_set_alloc_funcs(malloc, free);
        done = left > 0 && again != NULL;
        assert_true(left == 0 || rc == 0);
        assert_true(again == NULL || strcmp(again, text) == 0);
        secret_free(again);
    }
    secret_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_access_says_the_same_when_it_is_read),
        cmocka_unit_test(test_access_passes_over_what_a_later_version_adds),
        cmocka_unit_test(test_access_that_is_none_is_refused_with_the_part_that_is_wrong),
        cmocka_unit_test(
            test_access_with_too_many_endpoints_is_refused_when_read_and_cut_when_made),
        cmocka_unit_test(test_access_file_that_others_can_read_is_refused),
        cmocka_unit_test(test_access_goes_through_a_pipe),
        cmocka_unit_test(test_access_without_memory_is_an_error_whenever_it_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
