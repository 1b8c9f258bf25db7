#include "coordinator/status/control_message.h"

#include "coordinator/report/json_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The errors that a reply can say. */
static const struct {
    int code;
    const char *name;
} errors[] = {
    {ERR_INVALID, "invalid"},
    {ERR_NOT_FOUND, "not_found"},
    {ERR_GONE, "gone"},
    {ERR_NOMEM, "no_memory"},
};

enum { ERROR_COUNT = sizeof(errors) / sizeof(errors[0]) };

/* --- requests --- */

static int parse_worker(const json_t *json,
                        struct err_text *ret_error,
                        struct control_request *request)
{
    const char *worker = json_string_value(json_object_get(json, "worker"));
    if (worker == NULL || worker[0] == '\0') {
        return err_set(ret_error, ERR_INVALID, "drain: which \"worker\"?");
    }
    int len = snprintf(request->worker, sizeof(request->worker), "%s", worker);
    if ((size_t)len >= sizeof(request->worker)) {
        return err_set(ret_error, ERR_INVALID, "drain: no worker has a name of %d bytes", len);
    }
    return 0;
}

static int parse_object(const json_t *json,
                        struct err_text *ret_error,
                        struct control_request *ret_request)
{
    const char *name = json_string_value(json_object_get(json, "request"));
    struct control_request request = {.kind = CONTROL_STATUS};
    int rc = 0;
    if (name == NULL) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "a request is an object with \"request\": \"status\" or "
                       "\"drain\"");
    }
    if (strcmp(name, "drain") == 0) {
        request.kind = CONTROL_DRAIN;
        rc = parse_worker(json, ret_error, &request);
    } else if (strcmp(name, "status") != 0) {
        rc = err_set(ret_error, ERR_INVALID, "'%.64s' is neither 'status' nor 'drain'", name);
    }
    if (rc == 0) {
        *ret_request = request;
    }
    return rc;
}

int control_request_parse(const char *line,
                          size_t len,
                          struct err_text *ret_error,
                          struct control_request *ret_request)
{
    json_error_t why;
    json_t *json = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
    if (json == NULL) {
        return err_set(ret_error, ERR_INVALID, "a request is one line of JSON: %s", why.text);
    }
    int rc = parse_object(json, ret_error, ret_request);
    json_decref(json);
    return rc;
}

/* --- lines --- */

/* Takes `json`, which may be NULL. */
static char *to_line(json_t *json)
{
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(json);
    size_t len = text == NULL ? 0 : strlen(text);
    char *line = text == NULL ? NULL : realloc(text, len + 2);
    if (line == NULL) {
        free(text);
        return NULL;
    }
    memcpy(line + len, "\n", 2);
    return line;
}

char *control_request_line(const struct control_request *request)
{
    struct build json = build_object();
    if (request->kind == CONTROL_DRAIN) {
        build_set(&json, "request", json_string("drain"));
        build_set(&json, "worker", json_string(request->worker));
    } else {
        build_set(&json, "request", json_string("status"));
    }
    return to_line(build_take(&json));
}

char *control_reply_ok(json_t *result)
{
    struct build json = build_object();
    build_set(&json, "ok", json_true());
    build_set(&json, "result", result);
    return to_line(build_take(&json));
}

char *control_reply_error(int code, const char *text)
{
    const char *name = "failed";
    for (size_t i = 0; i < ERROR_COUNT; i++) {
        name = errors[i].code == code ? errors[i].name : name;
    }
    struct build json = build_object();
    build_set(&json, "ok", json_false());
    build_set(&json, "error", json_string(name));
    build_set(&json, "text", build_text(text));
    return to_line(build_take(&json));
}

/* --- replies --- */

static int parse_error(const json_t *json, struct err_text *ret_error)
{
    const char *name = json_string_value(json_object_get(json, "error"));
    const char *text = json_string_value(json_object_get(json, "text"));
    int code = ERR_PROTOCOL;
    for (size_t i = 0; name != NULL && i < ERROR_COUNT; i++) {
        code = strcmp(errors[i].name, name) == 0 ? errors[i].code : code;
    }
    bool told = text != NULL && text[0] != '\0';
    return err_set(ret_error, code, "%s", told ? text : "the coordinator gave no reason");
}

int control_reply_parse(const char *line,
                        size_t len,
                        struct err_text *ret_error,
                        json_t **ret_result)
{
    json_error_t why;
    json_t *json = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
    json_t *result = json_object_get(json, "result");
    int rc = 0;
    if (json_is_true(json_object_get(json, "ok")) && json_is_object(result)) {
        *ret_result = json_incref(result);
    } else if (json_is_false(json_object_get(json, "ok"))) {
        rc = parse_error(json, ret_error);
    } else {
        rc = err_set(ret_error, ERR_PROTOCOL, "what came back is no answer of a coordinator");
    }
    json_decref(json);
    return rc;
}
