/* The lines of the control socket: what is taken, what is refused and with which words. */
#include "coordinator/status/control_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int parse(const char *line, struct err_text *ret_error, struct control_request *ret_request)
{
    return control_request_parse(line, strlen(line), ret_error, ret_request);
}

static void assert_refused(const char *line, const char *part)
{
    struct err_text error = {""};
    struct control_request request;
    memset(&request, 7, sizeof(request));
    const struct control_request before = request;
    assert_int_equal(parse(line, &error, &request), ERR_INVALID);
    assert_non_null(strstr(error.s, part));
    assert_memory_equal(&request, &before, sizeof(request));
}

static void test_control_takes_the_two_requests(void **state)
{
    (void)state;
    struct err_text error = {""};
    struct control_request request;
    assert_int_equal(parse("{\"request\":\"status\"}", &error, &request), 0);
    assert_int_equal(request.kind, CONTROL_STATUS);
    assert_int_equal(parse(" {\"worker\" : \"ada@vm\", \"request\":\"drain\", \"later\":[1]}\r",
                           &error,
                           &request),
                     0);
    assert_int_equal(request.kind, CONTROL_DRAIN);
    assert_string_equal(request.worker, "ada@vm");
}

static void test_control_refuses_what_is_no_request(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "status",
        "[]",
        "\"status\"",
        "null",
        "{}",
        "{\"request\":1}",
        "{\"request\":\"status\"",
        "{\"request\":\"status\"}}",
        "{\"request\":\"status\",\"request\":\"drain\"}",
        "{\"request\":\"st\\u0000atus\"}",
        "{\"request\":\"\xff\"}",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_refused(lines[i], "");
    }
    assert_refused("{\"request\":\"stop\"}", "'stop' is neither 'status' nor 'drain'");
    assert_refused("{\"request\":\"drain\"}", "which \"worker\"?");
    assert_refused("{\"request\":\"drain\",\"worker\":\"\"}", "which \"worker\"?");
    assert_refused("{\"request\":\"drain\",\"worker\":[\"a\"]}", "which \"worker\"?");
}

static void test_control_refuses_names_that_no_worker_has(void **state)
{
    (void)state;
    char line[CONTROL_REQUEST_MAX];
    char name[CONTROL_WORKER_SIZE + 1];
    struct err_text error = {""};
    struct control_request request;
    memset(name, 'n', sizeof(name));
    (void)snprintf(line,
                   sizeof(line),
                   "{\"request\":\"drain\",\"worker\":\"%.*s\"}",
                   CONTROL_WORKER_SIZE - 1,
                   name);
    assert_int_equal(parse(line, &error, &request), 0);
    assert_int_equal(strlen(request.worker), CONTROL_WORKER_SIZE - 1);
    (void)snprintf(line,
                   sizeof(line),
                   "{\"request\":\"drain\",\"worker\":\"%.*s\"}",
                   CONTROL_WORKER_SIZE,
                   name);
    assert_refused(line, "264 bytes");
}

/* Nesting as deep as a line allows, and numbers without end. */
static void test_control_survives_lines_made_to_hurt(void **state)
{
    (void)state;
    char line[CONTROL_REQUEST_MAX];
    struct err_text error = {""};
    struct control_request request;
    memset(line, '[', sizeof(line));
    assert_int_equal(control_request_parse(line, sizeof(line), &error, &request), ERR_INVALID);
    memset(line, '9', sizeof(line));
    assert_int_equal(control_request_parse(line, sizeof(line), &error, &request), ERR_INVALID);
    memset(line, 0, sizeof(line));
    assert_int_equal(control_request_parse(line, sizeof(line), &error, &request), ERR_INVALID);
}

static void test_control_requests_come_back_as_they_were(void **state)
{
    (void)state;
    struct control_request given = {.kind = CONTROL_DRAIN, .worker = "a \"b\"\n\xc3\xa9@vm"};
    struct control_request got;
    struct err_text error = {""};
    char *line = control_request_line(&given);
    assert_non_null(line);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    assert_int_equal(control_request_parse(line, strlen(line) - 1, &error, &got), 0);
    assert_string_equal(got.worker, given.worker);
    free(line);
    struct control_request wild = {.kind = CONTROL_DRAIN, .worker = "\xff"};
    assert_null(control_request_line(&wild));
}

static void test_control_replies_come_back_as_they_were(void **state)
{
    (void)state;
    struct err_text error = {""};
    json_t *result = NULL;
    char *line = control_reply_ok(json_pack("{s:i}", "a", 1));
    assert_int_equal(control_reply_parse(line, strlen(line) - 1, &error, &result), 0);
    assert_int_equal(json_integer_value(json_object_get(result, "a")), 1);
    json_decref(result);
    free(line);
    static const int codes[] = {ERR_INVALID, ERR_NOT_FOUND, ERR_GONE, ERR_NOMEM};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        line = control_reply_error(codes[i], "why \xff not");
        assert_int_equal(control_reply_parse(line, strlen(line) - 1, &error, &result), codes[i]);
        assert_string_equal(error.s, "why \xEF\xBF\xBD not");
        free(line);
    }
    assert_null(control_reply_ok(NULL));
    const char *silent = "{\"ok\":false,\"error\":\"gone\",\"text\":\"\"}";
    assert_int_equal(control_reply_parse(silent, strlen(silent), &error, &result), ERR_GONE);
    assert_string_equal(error.s, "the coordinator gave no reason");
}

static void test_control_takes_nothing_else_for_a_reply(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "{}",
        "[]",
        "{\"ok\":true}",
        "{\"ok\":true,\"result\":[]}",
        "{\"ok\":1,\"result\":{}}",
        "{\"ok\":false}",
        "{\"ok\":false,\"error\":\"new\",\"text\":7}",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct err_text error = {""};
        json_t *result = NULL;
        assert_int_equal(control_reply_parse(lines[i], strlen(lines[i]), &error, &result),
                         ERR_PROTOCOL);
        assert_true(error.s[0] != '\0');
        assert_null(result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_control_takes_the_two_requests),
        cmocka_unit_test(test_control_refuses_what_is_no_request),
        cmocka_unit_test(test_control_refuses_names_that_no_worker_has),
        cmocka_unit_test(test_control_survives_lines_made_to_hurt),
        cmocka_unit_test(test_control_requests_come_back_as_they_were),
        cmocka_unit_test(test_control_replies_come_back_as_they_were),
        cmocka_unit_test(test_control_takes_nothing_else_for_a_reply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
