/* The workers of a session that are launched on other hosts. */
#include "coordinator/session/reach.h"
#include "coordinator/session/session_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TOLD_MAX = 20,                    /* hosts whose words are all printed */
    OTHERS_WAIT_US = 5 * 1000 * 1000, /* so that one run names all hosts that are out of order */
};

/* While workers are gathered, the error says it. */
static void on_given_up(void *arg, size_t index)
{
    struct session *session = arg;
    if (session->closing) {
        return; /* told to leave, it may be gone before the others are */
    }
    if (session->phase != STATUS_GATHERING) {
        struct launch_view view;
        char text[LAUNCH_WORDS_SIZE + HOST_NAME_MAX_BYTES + 32];
        session->launch->ops->view(session->launch, index, &view);
        (void)snprintf(text, sizeof(text), "host %s: %s; not started again", view.name, view.words);
        stage_say(&session->stage, text);
    }
    session_review_workers(session);
}

int session_open_hosts(struct session *session, struct err_text *ret_error)
{
    const struct options *options = session->options;
    if (options->hosts.count == 0) {
        return 0;
    }
    reach_told(options, server_endpoint(session->server), session->told);
    if (options->tunnel &&
        launch_tunnel_to(server_endpoint(session->server), &session->tunnel) != 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--tunnel cannot lead to %.200s",
                       server_endpoint(session->server));
    }
    const struct launch_options launch = {
        .hosts = &options->hosts,
        .command = options->ssh,
        .worker_path = options->remote_path,
        .bundle = options->bundle,
        .tunnel = options->tunnel ? &session->tunnel : NULL,
        .endpoint = session->told[0] != '\0' ? session->told : NULL,
        .port = reach_port(server_endpoint(session->server)),
        .insecure = options->insecure,
        .grant = server_public_key(session->server) != NULL ? session_grant_line : NULL,
        .revoke = session_revoke,
        .given_up = on_given_up,
        .arg = session,
    };
    return launch_ssh_ops.open(&session->stage, &launch, ret_error, &session->launch);
}

bool session_lost_host(struct session *session)
{
    const struct launch *launch = session->launch;
    size_t lost = launch == NULL ? 0 : session->options->hosts.count - launch->ops->coming(launch);
    if (lost == 0) {
        session->lost_host_us = 0;
        return false;
    }
    uint64_t now_us = stage_now_us();
    session->lost_host_us = session->lost_host_us == 0 ? now_us : session->lost_host_us;
    return server_workers(session->server) + lost >= session->expected ||
           now_us - session->lost_host_us >= OTHERS_WAIT_US;
}

static bool is_missing(const struct session *session, const struct launch_view *view, bool given_up)
{
    return given_up ? view->given_up : !server_has_worker(session->server, view->name);
}

int session_say_missing_hosts(const struct session *session, int rc, struct err_text *ret_error)
{
    const struct launch *launch = session->launch;
    size_t count = session->options->hosts.count;
    size_t missing = 0;
    struct launch_view first = {.name = ""};
    for (size_t i = 0; i < count; i++) {
        struct launch_view view;
        launch->ops->view(launch, i, &view);
        if (!is_missing(session, &view, rc == ERR_CHILD)) {
            continue;
        }
        first = missing == 0 ? view : first;
        if (++missing > 1 && missing <= TOLD_MAX) {
            (void)fprintf(stderr, "quartet: host %s: %s\n", view.name, view.words);
        }
    }
    if (missing > TOLD_MAX) {
        (void)fprintf(stderr, "quartet: and %zu more hosts\n", missing - TOLD_MAX);
    }
    return err_set(ret_error,
                   rc,
                   "%zu of %zu hosts did not come; host %s: %s",
                   missing,
                   count,
                   first.name,
                   first.words);
}

bool session_first_missing_host(const struct session *session, char *ret_text, size_t size)
{
    const struct launch *launch = session->launch;
    for (size_t i = 0; launch != NULL && i < session->options->hosts.count; i++) {
        struct launch_view view;
        launch->ops->view(launch, i, &view);
        if (is_missing(session, &view, false)) {
            (void)snprintf(ret_text, size, "host %s: %s", view.name, view.words);
            return true;
        }
    }
    return false;
}

void session_list_hosts(const struct session *session,
                        struct report_host **ret_hosts,
                        size_t *ret_count)
{
    *ret_hosts = NULL;
    *ret_count = 0;
    if (session != NULL && session->server != NULL) {
        (void)server_list_hosts(session->server, ret_hosts, ret_count);
    }
}
