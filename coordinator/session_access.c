/* How workers learn where to go and whom to trust: the access file, and the access of those that are
 * started here. See session_internal.h. */
#include "common/io/access.h"
#include "common/io/secret_file.h"
#include "common/io/zsock.h"
#include "coordinator/addresses.h"
#include "coordinator/keyring.h"
#include "coordinator/session_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* Which start of a coordinator this is. */
static void name_run(struct access *access)
{
    uint64_t number = 0;
    (void)!getrandom(&number, sizeof(number), 0);
    (void)snprintf(access->run, sizeof(access->run), "%016" PRIx64, number);
}

static int fill_access(const struct session *session,
                       struct access *access,
                       struct err_text *ret_error)
{
    const struct options *options = session->options;
    const char *bound = server_endpoint(session->server);
    int rc = 0;
    name_run(access);
    (void)snprintf(
        access->server_key, sizeof(access->server_key), "%s", server_public_key(session->server));
    for (size_t i = 0; rc == 0 && i < options->advertise_count; i++) {
        rc = addresses_add_advertised(access, options->advertise[i], bound, ret_error);
    }
    rc = rc != 0 ? rc : addresses_add_here(access, bound, ret_error);
    return rc != 0
               ? rc
               : keyring_read_worker(
                     options->keys, options->access_for, ret_error, &access->pair, access->name);
}

/* Everybody on the network can read what is said there, and can be a worker or take one over. */
static void warn_of_plaintext(const struct session *session)
{
    const char *endpoint = server_endpoint(session->server);
    if (session->options->insecure && !zsock_endpoint_is_local(endpoint)) {
        (void)fprintf(stderr,
                      "quartet: warning: %s is open to everybody who can reach it, and nothing is "
                      "encrypted (--insecure); --keys DIR ends that\n",
                      endpoint);
    } else if (session->options->insecure && session->options->tunnel) {
        (void)fprintf(stderr,
                      "quartet: warning: the tunnel's end on each host is open to all of its users "
                      "(--insecure)\n");
    }
}

int session_write_access(struct session *session, struct err_text *ret_error)
{
    const struct options *options = session->options;
    struct access access = {.endpoint_count = 0};
    warn_of_plaintext(session);
    if (options->access == NULL) {
        return 0;
    }
    int rc = fill_access(session, &access, ret_error);
    rc = rc != 0 ? rc : access_write(options->access, &access, ret_error);
    if (rc == 0 && !options->quiet) {
        (void)fprintf(stderr,
                      "quartet: run %s; access file %s for worker %s, %zu address%s\n",
                      access.run,
                      options->access,
                      access.name,
                      access.endpoint_count,
                      access.endpoint_count == 1 ? "" : "es");
    }
    access_wipe(&access);
    return rc;
}

/* A key of this run for a worker that is started by us. */
static int admit(struct session *session,
                 const char *name,
                 const char *endpoint,
                 struct err_text *ret_error,
                 struct access *ret_access)
{
    *ret_access = (struct access){.endpoint_count = 0};
    name_run(ret_access);
    access_add_endpoint(ret_access, endpoint);
    (void)snprintf(ret_access->name, sizeof(ret_access->name), "%s", name);
    (void)snprintf(ret_access->server_key,
                   sizeof(ret_access->server_key),
                   "%s",
                   server_public_key(session->server));
    return server_admit(session->server, name, ret_error, &ret_access->pair);
}

/* The name of a key is not the worker's: names of hosts have characters that those of keys have not. */
char *session_grant_line(void *arg,
                         const char *name,
                         const char *endpoint,
                         struct err_text *ret_error)
{
    struct session *session = arg;
    struct access access;
    char *line = NULL;
    if (admit(session, name, endpoint, ret_error, &access) == 0) {
        (void)snprintf(access.name, sizeof(access.name), "launched");
        line = access_format(&access, true);
        if (line == NULL) {
            server_dismiss(session->server, name);
            (void)err_set(ret_error, ERR_NOMEM, "no memory for a worker's access");
        }
    }
    access_wipe(&access);
    return line;
}

/* The endpoint as the server has it: on this machine it leads here, even when it means every address. */
int session_grant(void *arg, const char *name, struct err_text *ret_error, int *ret_fd)
{
    struct session *session = arg;
    struct access access;
    int rc = admit(session, name, server_endpoint(session->server), ret_error, &access);
    if (rc == 0) {
        rc = access_open(&access, ret_error, ret_fd);
        if (rc != 0) {
            server_dismiss(session->server, name);
        }
    }
    access_wipe(&access);
    return rc;
}

void session_revoke(void *arg, const char *name)
{
    struct session *session = arg;
    if (!session->closing) {
        server_dismiss(session->server, name);
    }
}
