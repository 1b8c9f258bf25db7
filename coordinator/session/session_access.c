/* How workers learn where to go and whom to trust: the access file, and the access of those that are
 * started here. See session_internal.h. */
#include "common/io/access.h"
#include "common/io/zsock.h"
#include "coordinator/session/reach.h"
#include "coordinator/session/session_internal.h"

#include <stdio.h>

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
    int rc = reach_fill_access(options, session->server, ret_error, &access);
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

char *session_grant_line(void *arg,
                         const char *name,
                         const char *endpoint,
                         struct err_text *ret_error)
{
    struct session *session = arg;
    return reach_grant_line(session->server, name, endpoint, ret_error);
}

/* The endpoint as the server has it: on this machine it leads here, even when it means every address. */
int session_grant(void *arg, const char *name, struct err_text *ret_error, int *ret_fd)
{
    struct session *session = arg;
    struct access access;
    int rc = reach_admit(
        session->server, name, server_endpoint(session->server), ret_error, &access);
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
