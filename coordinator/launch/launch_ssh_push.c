/* The bundle on its way to a host (--push): when the shell there asks for it, how far it is, and what
 * went wrong; see launch_push.h for that side, and launch_ssh_internal.h. */
#include "coordinator/launch/launch_push.h"
#include "coordinator/launch/launch_ssh_internal.h"

#include <stdio.h>

enum { NOT_FOUND = 127, NOT_EXECUTABLE = 126 };

static const double bytes_per_mb = 1e6;

static void say(const struct ssh_host *host, const char *words)
{
    char text[HOST_NAME_MAX_BYTES + 128];
    double mb = (double)host->launch->options.bundle->size_bytes / bytes_per_mb;
    (void)snprintf(text, sizeof(text), "host %s: %s (%.1f MB)", host->host->name, words, mb);
    stage_say(host->launch->stage, text);
}

/* Its bytes are looked at before they go out for the first time, not at each start of this program. */
static void send_bundle(struct ssh_host *host)
{
    struct bundle *bundle = host->launch->options.bundle;
    struct err_text error = {{0}};
    if (bundle_verify(bundle, &error) != 0) {
        (void)snprintf(host->end, sizeof(host->end), "%.390s", error.s);
        launch_child_end_input(host->child);
        return;
    }
    say(host, host->push.anew ? "copying quartet-worker anew" : "copying quartet-worker");
    host->push = (struct ssh_push){.sent = true, .mended = host->push.mended};
    ssh_host_enter(host, HOST_COPYING, stage_now_us());
    launch_child_feed(host->child, bundle->fd, bundle->size_bytes);
    ssh_launch_proceed(host->launch);
}

void ssh_push_hear(struct ssh_host *host, const char *line)
{
    const char *words = "";
    if (host->launch->options.bundle == NULL) {
        return;
    }
    switch (launch_push_hear(line, &words)) {
    case LAUNCH_PUSH_SEND:
        if (host->state == HOST_CONNECTING) { /* once */
            send_bundle(host);
        }
        break;
    case LAUNCH_PUSH_FAILED:
        if (host->end[0] == '\0') {
            (void)snprintf(host->end, sizeof(host->end), "--push: %.380s", words);
            err_one_line(host->end);
        }
        break;
    case LAUNCH_PUSH_OTHER:
        break;
    }
}

void ssh_push_look(struct ssh_host *host, uint64_t now_us)
{
    uint64_t fed_bytes = launch_child_fed_bytes(host->child);
    if (fed_bytes != host->push.fed_bytes) {
        host->push.fed_bytes = fed_bytes;
        host->since_us = now_us;
    }
}

/* Files that were cut, or removed since they were looked at: the loader, or sh, says so with these. */
bool ssh_push_mend(struct ssh_host *host, const struct spawn_end *end)
{
    struct ssh_push *push = &host->push;
    bool is_broken = host->state == HOST_UP && end->signal == 0 &&
                     (end->exit_status == NOT_FOUND || end->exit_status == NOT_EXECUTABLE);
    bool mend = host->launch->options.bundle != NULL && is_broken && !push->sent && !push->mended;
    push->sent = false;
    if (mend) {
        push->anew = push->mended = true;
    }
    return mend;
}

void ssh_push_describe(const struct ssh_host *host, char *ret_words, size_t size)
{
    double size_bytes = (double)host->launch->options.bundle->size_bytes;
    double fed_bytes = (double)host->push.fed_bytes;
    if (host->child != NULL) {
        fed_bytes = (double)launch_child_fed_bytes(host->child);
    }
    (void)snprintf(ret_words,
                   size,
                   "copying %.1f of %.1f MB of quartet-worker%s",
                   fed_bytes / bytes_per_mb,
                   size_bytes / bytes_per_mb,
                   fed_bytes < size_bytes ? "" : ", and unpacking it there");
}
