#include "common/io/access.h"

#include "common/io/secret_file.h"
#include "common/io/zsock.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char schema[] = "quartet.access/1";

void access_wipe(struct access *access)
{
    secret_wipe(access, sizeof(*access));
}

void access_add_endpoint(struct access *access, const char *endpoint)
{
    size_t len = strlen(endpoint);
    for (size_t i = 0; i < access->endpoint_count; i++) {
        if (strcmp(access->endpoints[i], endpoint) == 0) {
            return;
        }
    }
    if (access->endpoint_count < ACCESS_ENDPOINTS_MAX && len < ACCESS_ENDPOINT_SIZE) {
        memcpy(access->endpoints[access->endpoint_count++], endpoint, len + 1);
    }
}

/* --- reading --- */

/* Copy a member that is a text without NUL, and shorter than `size`. */
static int get_text(const json_t *root,
                    const char *name,
                    char *to,
                    size_t size,
                    struct err_text *ret_error)
{
    const json_t *value = json_object_get(root, name);
    const char *text = json_string_value(value);
    if (text == NULL) {
        return err_set(
            ret_error, ERR_INVALID, "'%s' is %s", name, value == NULL ? "missing" : "not a text");
    }
    size_t len = json_string_length(value);
    if (len >= size || strlen(text) != len) {
        return err_set(ret_error, ERR_INVALID, "'%s' is too long, or no text", name);
    }
    memcpy(to, text, len + 1);
    return 0;
}

static int get_key(const json_t *root,
                   const char *name,
                   char to[KEY_TEXT_SIZE],
                   struct err_text *ret_error)
{
    int rc = get_text(root, name, to, KEY_TEXT_SIZE, ret_error);
    if (rc == 0 && !key_is_valid(to)) {
        rc = err_set(ret_error, ERR_INVALID, "'%s' is not 40 characters of Z85", name);
    }
    return rc;
}

static int get_pair(const json_t *root, struct key_pair *to, struct err_text *ret_error)
{
    char secret[KEY_TEXT_SIZE] = "";
    char public_key[KEY_TEXT_SIZE] = "";
    int rc = get_key(root, "public_key", public_key, ret_error);
    rc = rc != 0 ? rc : get_key(root, "secret_key", secret, ret_error);
    rc = rc != 0 ? rc : key_pair_of_secret(secret, ret_error, to);
    if (rc == 0 && strcmp(to->public_key, public_key) != 0) {
        rc = err_set(ret_error, ERR_INVALID, "'public_key' and 'secret_key' are not a pair");
    }
    secret_wipe(secret, sizeof(secret));
    return rc;
}

static int get_endpoint(const json_t *value, struct access *access, struct err_text *ret_error)
{
    const char *text = json_string_value(value);
    if (text == NULL || strlen(text) != json_string_length(value) ||
        strlen(text) >= ACCESS_ENDPOINT_SIZE || !zsock_endpoint_has_form(text) ||
        strncmp(text, "inproc:", strlen("inproc:")) == 0) {
        return err_set(
            ret_error,
            ERR_INVALID,
            "'endpoints' has one that is not like tcp://HOST:PORT or ipc://PATH: '%.100s'",
            text == NULL ? "(no text)" : text);
    }
    access_add_endpoint(access, text);
    return 0;
}

static int get_endpoints(const json_t *root, struct access *access, struct err_text *ret_error)
{
    const json_t *list = json_object_get(root, "endpoints");
    size_t count = json_array_size(list); /* 0 when it is no array */
    if (count == 0 || count > ACCESS_ENDPOINTS_MAX) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "'endpoints' is not a list of 1 to %d addresses",
                       ACCESS_ENDPOINTS_MAX);
    }
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = get_endpoint(json_array_get(list, i), access, ret_error);
    }
    return rc;
}

static int get_all(const json_t *root, struct access *access, struct err_text *ret_error)
{
    char version[sizeof(schema)] = "";
    if (!json_is_object(root)) {
        return err_set(ret_error, ERR_INVALID, "it is not a JSON object");
    }
    if (get_text(root, "schema", version, sizeof(version), NULL) != 0 ||
        strcmp(version, schema) != 0) {
        return err_set(ret_error, ERR_INVALID, "its 'schema' is not \"%s\"", schema);
    }
    int rc = get_text(root, "run", access->run, sizeof(access->run), ret_error);
    rc = rc != 0 ? rc : get_endpoints(root, access, ret_error);
    rc = rc != 0 ? rc : get_key(root, "server_key", access->server_key, ret_error);
    rc = rc != 0 ? rc : get_text(root, "name", access->name, sizeof(access->name), ret_error);
    if (rc == 0 && !key_name_is_valid(access->name)) {
        rc = err_set(ret_error, ERR_INVALID, "'name' is not the name of a key");
    }
    return rc != 0 ? rc : get_pair(root, &access->pair, ret_error);
}

int access_parse(const char *text,
                 size_t len,
                 struct err_text *ret_error,
                 struct access *ret_access)
{
    struct access access = {.endpoint_count = 0};
    json_error_t error;
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        /* jansson's own text may quote what is near the mistake: a key. */
        return err_set(ret_error,
                       ERR_INVALID,
                       "it is not JSON (line %d, column %d)",
                       error.line,
                       error.column);
    }
    int rc = get_all(root, &access, ret_error);
    json_decref(root);
    if (rc == 0) {
        err_one_line(access.run);
        *ret_access = access;
    }
    access_wipe(&access);
    return rc;
}

int access_read(const char *path,
                bool one_line,
                struct err_text *ret_error,
                struct access *ret_access)
{
    bool from_input = strcmp(path, "-") == 0;
    const char *name = from_input ? "standard input" : path;
    struct err_text error;
    char *text = NULL;
    size_t len = 0;
    int rc = from_input ? secret_read_from(STDIN_FILENO, name, one_line, ret_error, &text, &len)
                        : secret_read(path, SECRET_PRIVATE, ret_error, &text, &len);
    if (rc != 0) {
        return rc;
    }
    rc = access_parse(text, len, &error, ret_access);
    secret_free(text);
    return rc == 0 ? 0
                   : err_set(ret_error, rc, "'%.200s' is not an access file: %s", name, error.s);
}

/* --- writing --- */

char *access_format(const struct access *access, bool one_line)
{
    json_t *list = json_array();
    for (size_t i = 0; i < access->endpoint_count; i++) {
        (void)json_array_append_new(list, json_string(access->endpoints[i]));
    }
    json_t *root = json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:s}",
                             "schema",
                             schema,
                             "run",
                             access->run,
                             "endpoints",
                             list,
                             "server_key",
                             access->server_key,
                             "name",
                             access->name,
                             "public_key",
                             access->pair.public_key,
                             "secret_key",
                             access->pair.secret_key);
    char *text = root == NULL || json_array_size(list) != access->endpoint_count
                     ? NULL
                     : json_dumps(root, one_line ? JSON_COMPACT : JSON_INDENT(2));
    json_decref(root);
    if (text == NULL) {
        return NULL;
    }
    size_t len = strlen(text);
    char *line = malloc(len + 2);
    if (line != NULL) {
        memcpy(line, text, len);
        memcpy(line + len, "\n", 2);
    }
    secret_free(text);
    return line;
}

int access_write(const char *path, const struct access *access, struct err_text *ret_error)
{
    char *text = access_format(access, false);
    if (text == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for '%.300s'", path);
    }
    int rc = secret_write(path, text, SECRET_PRIVATE, true, ret_error);
    secret_free(text);
    return rc;
}

int access_open(const struct access *access, struct err_text *ret_error, int *ret_fd)
{
    int ends[2];
    char *text = access_format(access, false);
    if (text == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for a worker's access");
    }
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        secret_free(text);
        return err_set(ret_error, ERR_IO, "cannot make a pipe: %s", strerror(errno));
    }
    /* It fits into the pipe, which nobody else writes to. */
    size_t len = strlen(text);
    bool written = write(ends[1], text, len) == (ssize_t)len;
    int error = errno;
    secret_free(text);
    (void)close(ends[1]);
    (void)fcntl(ends[0], F_SETFL, 0); /* whoever reads it waits for its end */
    if (!written) {
        (void)close(ends[0]);
        return err_set(ret_error, ERR_IO, "cannot write to a pipe: %s", strerror(error));
    }
    *ret_fd = ends[0];
    return 0;
}
