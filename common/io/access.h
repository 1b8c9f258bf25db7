/* The access file: all that a worker needs to reach a coordinator, and to know it when it does.
 * JSON, schema "quartet.access/1":
 *
 *   { "schema": "quartet.access/1",
 *     "run": "5f0c...",                            which start of a coordinator wrote it: for people
 *     "endpoints": ["tcp://10.0.0.1:5555", ...],   where it can be reached; to be tried in turn
 *     "server_key": "...",                         whom to obey: the coordinator's public key
 *     "name": "worker",                            of the worker's key, as the coordinator knows it
 *     "public_key": "...", "secret_key": "..." }   the worker's own pair, in Z85
 *
 * It holds a secret: it is written for its owner only, refused when others can read it, and can be
 * handed over through standard input. Keys are only ever added; a removed or changed one is a new
 * schema number. */
#ifndef QUARTET_COMMON_IO_ACCESS_H
#define QUARTET_COMMON_IO_ACCESS_H

#include "common/base/err.h"
#include "common/io/keys.h"

#include <stdbool.h>
#include <stddef.h>

enum { ACCESS_ENDPOINTS_MAX = 32, ACCESS_ENDPOINT_SIZE = 256, ACCESS_RUN_SIZE = 33 };

struct access {
    char run[ACCESS_RUN_SIZE];
    char endpoints[ACCESS_ENDPOINTS_MAX][ACCESS_ENDPOINT_SIZE];
    size_t endpoint_count; /* 1 to ACCESS_ENDPOINTS_MAX */
    char server_key[KEY_TEXT_SIZE];
    char name[KEY_NAME_SIZE];
    struct key_pair pair;
};

/* From the text of a file. ERR_INVALID says which part is wrong, and quotes no key. */
int access_parse(const char *text,
                 size_t len,
                 struct err_text *ret_error,
                 struct access *ret_access);

/* As text, with a newline at its end, and with `one_line` nowhere else; for secret_free. NULL without
 * memory. */
char *access_format(const struct access *access, bool one_line);

/* Read the file `path`, or standard input when that is "-": to its end, or with `one_line` to the end
 * of its first line, as a launcher writes it that keeps standard input open. Returns 0, ERR_INVALID,
 * or as secret_read. */
int access_read(const char *path,
                bool one_line,
                struct err_text *ret_error,
                struct access *ret_access);

/* Write it, 0600, whole or not at all, in the place of what was there. As secret_write. */
int access_write(const char *path, const struct access *access, struct err_text *ret_error);

/* A descriptor from which a child can read it as its standard input; the caller closes it. Returns
 * 0, ERR_IO or ERR_NOMEM. */
int access_open(const struct access *access, struct err_text *ret_error, int *ret_fd);

/* Add an endpoint, unless it is there or there is no room. */
void access_add_endpoint(struct access *access, const char *endpoint);

/* Overwrite the secret. */
void access_wipe(struct access *access);

#endif
