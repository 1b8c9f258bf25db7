/* The launcher that goes over OpenSSH: one ssh for each host, which lives as long as the worker there.
 *
 * The worker ends when its standard input does (--end-with-stdin), which is ssh's: it ends with ssh, and
 * ssh with the coordinator (launch_child.h). sshd alone would leave it running. Polite to whoever
 * guards the way: at most CONNECTING_MAX logins at a time (sshd's MaxStartups begins to drop more than
 * 10), and a refused one is tried again later and later, at times of its own. */
#include "common/base/check.h"
#include "coordinator/launch/launch_ssh_internal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { CONNECTING_MAX = 10, END_WAIT_US = 2 * 1000 * 1000, US_PER_MS = 1000 };

/* --- all of them --- */

static size_t count_in(const struct ssh_launch *launch, enum host_state state)
{
    size_t count = 0;
    for (size_t i = 0; i < launch->count; i++) {
        count += launch->hosts[i].state == state;
    }
    return count;
}

/* Of the places of CONNECTING_MAX: a copy has one too, so that ten copies have the line to themselves and are done
 * soon, instead of all at once late. */
static bool has_place(const struct ssh_host *host)
{
    return host->state == HOST_CONNECTING || host->state == HOST_COPYING;
}

/* When it has taken too long over what it is at; UINT64_MAX: never. */
static uint64_t late_at_us(const struct ssh_host *host)
{
    if (!has_place(host) || host->late) {
        return UINT64_MAX;
    }
    return host->since_us + (host->state == HOST_COPYING ? (uint64_t)LAUNCH_COPY_LIMIT_US
                                                         : (uint64_t)LAUNCH_CONNECT_LIMIT_US);
}

/* A login, or a copy, that takes too long is ended; its end says so. */
static void end_late(struct ssh_launch *launch, uint64_t now_us)
{
    for (size_t i = 0; i < launch->count; i++) {
        struct ssh_host *host = &launch->hosts[i];
        if (host->state == HOST_COPYING) {
            ssh_push_look(host, now_us);
        }
        if (late_at_us(host) <= now_us) {
            ssh_host_end_late(host);
        }
    }
}

static void start_due(struct ssh_launch *launch, uint64_t now_us)
{
    size_t connecting = count_in(launch, HOST_CONNECTING) + count_in(launch, HOST_COPYING);
    for (size_t i = 0; i < launch->count && connecting < CONNECTING_MAX; i++) {
        struct ssh_host *host = &launch->hosts[i];
        if (host->state == HOST_WAITS && host->since_us <= now_us) {
            ssh_host_start(host, now_us);
            connecting += has_place(host);
        }
    }
}

/* When the timer has something to do; UINT64_MAX: never. Who waits for a place is started by the end
 * of another's login. */
static uint64_t next_due_us(const struct ssh_launch *launch, uint64_t now_us)
{
    uint64_t due_us = UINT64_MAX;
    for (size_t i = 0; i < launch->count; i++) {
        const struct ssh_host *host = &launch->hosts[i];
        uint64_t at_us = late_at_us(host);
        if (host->state == HOST_WAITS && host->since_us > now_us) {
            at_us = host->since_us;
        }
        due_us = at_us < due_us ? at_us : due_us;
    }
    return due_us;
}

static void on_timer(uv_timer_t *timer)
{
    ssh_launch_proceed(timer->data);
}

void ssh_launch_proceed(struct ssh_launch *launch)
{
    if (launch->closing) {
        return;
    }
    uint64_t now_us = stage_now_us();
    end_late(launch, now_us);
    start_due(launch, now_us);
    uint64_t due_us = next_due_us(launch, now_us);
    if (due_us == UINT64_MAX) {
        (void)uv_timer_stop(&launch->timer);
    } else {
        uint64_t wait_ms = (due_us - now_us + US_PER_MS - 1) / US_PER_MS;
        (void)uv_timer_start(&launch->timer, on_timer, wait_ms, 0);
    }
}

/* --- the contract --- */

static struct ssh_launch *ssh_of(struct launch *launch)
{
    return (struct ssh_launch *)launch; /* its first member */
}

static int ssh_open(struct stage *stage,
                    const struct launch_options *options,
                    struct err_text *ret_error,
                    struct launch **ret_launch)
{
    size_t count = options->hosts->count;
    struct ssh_launch *launch = calloc(1, sizeof(*launch) + count * sizeof(launch->hosts[0]));
    if (launch == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory to launch on %zu hosts", count);
    }
    uint64_t seed = 0;
    (void)!getrandom(&seed, sizeof(seed), 0);
    rng_init(&launch->rng, seed);
    launch->launch.ops = &launch_ssh_ops;
    launch->stage = stage;
    launch->options = *options;
    launch->count = count;
    for (size_t i = 0; i < count; i++) {
        launch->hosts[i].launch = launch;
        launch->hosts[i].host = &options->hosts->list[i];
        launch->hosts[i].state = HOST_OFF;
    }
    (void)uv_timer_init(&stage->loop, &launch->timer);
    launch->timer.data = launch;
    *ret_launch = &launch->launch;
    return 0;
}

static void ssh_start(struct launch *base)
{
    struct ssh_launch *launch = ssh_of(base);
    uint64_t now_us = stage_now_us();
    for (size_t i = 0; i < launch->count; i++) {
        struct ssh_host *host = &launch->hosts[i];
        if (host->state == HOST_OFF) {
            host->retries = 0;
            ssh_host_enter(host, HOST_WAITS, now_us);
        }
    }
    ssh_launch_proceed(launch);
}

static size_t ssh_coming(const struct launch *base)
{
    const struct ssh_launch *launch = (const struct ssh_launch *)base;
    return launch->count - count_in(launch, HOST_OFF);
}

static void ssh_view(const struct launch *base, size_t index, struct launch_view *ret_view)
{
    const struct ssh_launch *launch = (const struct ssh_launch *)base;
    CHECK(index < launch->count);
    const struct ssh_host *host = &launch->hosts[index];
    *ret_view = (struct launch_view){.name = host->host->name, .given_up = host->state == HOST_OFF};
    ssh_host_describe(host, ret_view->words, sizeof(ret_view->words));
}

static bool all_ended(void *arg)
{
    const struct ssh_launch *launch = arg;
    for (size_t i = 0; i < launch->count; i++) {
        if (launch->hosts[i].child != NULL) {
            return false;
        }
    }
    return true;
}

static void end_children(struct ssh_launch *launch, bool only_on_the_way)
{
    for (size_t i = 0; i < launch->count; i++) {
        struct ssh_host *host = &launch->hosts[i];
        if (host->child != NULL && (!only_on_the_way || has_place(host))) {
            launch_child_signal(host->child, SIGKILL);
        }
    }
}

/* Who has not got through has nothing there to end. The others end with their workers, which were told
 * BYE; those that did not hear it, with their standard input. */
static void ssh_close(struct launch *base, uint32_t grace_ms)
{
    struct ssh_launch *launch = ssh_of(base);
    launch->closing = true;
    (void)uv_timer_stop(&launch->timer);
    end_children(launch, true);
    (void)stage_wait_anyway(launch->stage, all_ended, launch, (uint64_t)grace_ms * US_PER_MS);
    for (size_t i = 0; i < launch->count; i++) {
        if (launch->hosts[i].child != NULL) {
            launch_child_end_input(launch->hosts[i].child);
        }
    }
    (void)stage_wait_anyway(launch->stage, all_ended, launch, END_WAIT_US);
    end_children(launch, false);
    (void)stage_wait_anyway(launch->stage, all_ended, launch, END_WAIT_US);
    uv_close((uv_handle_t *)&launch->timer, NULL);
    (void)uv_run(&launch->stage->loop, UV_RUN_NOWAIT); /* close callbacks */
    if (all_ended(
            launch)) { /* otherwise its end would still be told to the launch; it ends with the program */
        free(launch);
    }
}

const struct launch_ops launch_ssh_ops = {
    .name = "ssh",
    .open = ssh_open,
    .start = ssh_start,
    .coming = ssh_coming,
    .view = ssh_view,
    .close = ssh_close,
};
