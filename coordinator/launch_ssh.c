/* The launcher that goes over OpenSSH: one ssh for each host, which lives as long as the worker there.
 *
 * The worker ends when its standard input does (--end-with-stdin), which is ssh's: it ends with ssh, and
 * ssh with the coordinator (launch_child.h). sshd alone would leave it running. Polite to whoever
 * guards the way: at most CONNECTING_MAX logins at a time (sshd's MaxStartups begins to drop more than
 * 10), and a refused one is tried again later and later, at times of its own. */
#include "common/base/check.h"
#include "common/base/rng.h"
#include "common/io/text.h"
#include "coordinator/launch.h"
#include "coordinator/launch_child.h"
#include "coordinator/launch_shell.h"
#include "coordinator/program.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    CONNECTING_MAX = 10,
    CONNECT_LIMIT_US = 20 * 1000 * 1000, /* for one login */
    RETRIES_MAX = 3,                     /* in a row */
    RETRY_FIRST_US = 500 * 1000,         /* doubles */
    STEADY_US = 10 * 1000 * 1000,        /* who was up for so long has not failed in a row */
    END_WAIT_US = 2 * 1000 * 1000,
    US_PER_MS = 1000,
    WORDS_LINES = 4, /* last lines that are kept of what a host said */
    EXIT_OF_SSH = 255,
    NOT_FOUND = 127,
    NOT_EXECUTABLE = 126,
    ARGUMENTS_MAX = 24,
};

enum host_state {
    HOST_WAITS,      /* for its time, and for a free place among those that connect */
    HOST_CONNECTING, /* ssh runs and has not got through */
    HOST_UP,         /* its worker was told where to connect */
    HOST_OFF,        /* not begun, ended, or given up */
};

struct ssh_host {
    struct ssh_launch *launch;
    const struct host *host;
    enum host_state state;
    struct launch_child *child;          /* NULL: none */
    uint64_t since_us;                   /* in this state; HOST_WAITS: until */
    uint32_t retries;                    /* in a row */
    bool late;                           /* was ended because it did not get through in time */
    char endpoint[LAUNCH_ENDPOINT_SIZE]; /* what its worker was told */
    char lines[WORDS_LINES][LAUNCH_LINE_SIZE];
    unsigned line_count; /* in all; the last ones are kept */
    char end[160];       /* how it ended; "": it has not */
};

struct ssh_launch {
    struct launch launch;
    struct stage *stage;
    struct launch_options options;
    struct rng rng;
    uv_timer_t timer;
    bool closing;
    size_t count;
    struct ssh_host hosts[];
};

static void proceed(struct ssh_launch *launch);

static void enter(struct ssh_host *host, enum host_state state, uint64_t since_us)
{
    host->state = state;
    host->since_us = since_us;
}

/* --- what a host says --- */

static void keep_line(struct ssh_host *host, const char *line)
{
    char *kept = host->lines[host->line_count++ % WORDS_LINES];
    (void)snprintf(kept, LAUNCH_LINE_SIZE, "%s", line);
    err_one_line(kept);
}

/* Not ssh but the worker speaks: for whoever ran this. */
static void pass_on(const struct ssh_host *host)
{
    char text[LAUNCH_LINE_SIZE + HOST_NAME_MAX_BYTES + 8];
    (void)snprintf(text,
                   sizeof(text),
                   "%s: %s",
                   host->host->name,
                   host->lines[(host->line_count - 1) % WORDS_LINES]);
    stage_say(host->launch->stage, text);
}

/* The way is open: tell the worker where to connect. */
static void greeted(struct ssh_host *host, const char *greeting)
{
    const struct launch_options *options = &host->launch->options;
    char line[LAUNCH_ENDPOINT_SIZE + 1];
    int rc = 0;
    if (options->endpoint != NULL) {
        (void)snprintf(host->endpoint, sizeof(host->endpoint), "%s", options->endpoint);
    } else {
        rc = launch_shell_endpoint(greeting, options->port, host->endpoint);
    }
    if (rc != 0) {
        keep_line(host,
                  "it does not say from which address it was reached (SSH_CONNECTION): "
                  "give --advertise ADDRESS");
        launch_child_end_input(host->child);
        return;
    }
    int len = snprintf(line, sizeof(line), "%s\n", host->endpoint);
    launch_child_write(host->child, line, (size_t)len);
    enter(host, HOST_UP, stage_now_us());
    proceed(host->launch);
}

static void on_line(void *arg, bool is_error_output, const char *line)
{
    struct ssh_host *host = arg;
    if (!is_error_output) {
        if (host->state == HOST_CONNECTING && launch_shell_is_greeting(line)) {
            greeted(host, line);
        }
        return; /* what login scripts print */
    }
    keep_line(host, line);
    if (host->state == HOST_UP) {
        pass_on(host);
    }
}

/* --- how it ended, and what follows --- */

/* Trying again would not help, and might lock an account. */
static bool is_hopeless(const struct ssh_host *host)
{
    static const char *const signs[] = {
        "Permission denied",
        "Host key verification failed",
        "Could not resolve hostname",
        "Too many authentication failures",
        "Bad configuration option",
        "Bad owner or permissions",
        "no matching host key type found",
    };
    for (unsigned i = 0; i < WORDS_LINES && i < host->line_count; i++) {
        for (size_t k = 0; k < sizeof(signs) / sizeof(signs[0]); k++) {
            if (strstr(host->lines[i], signs[k]) != NULL) {
                return true;
            }
        }
    }
    return false;
}

static void describe_end(struct ssh_host *host, const struct spawn_end *end)
{
    const struct launch_options *options = &host->launch->options;
    if (host->late) {
        (void)snprintf(host->end,
                       sizeof(host->end),
                       "ssh did not get through within %d s",
                       CONNECT_LIMIT_US / 1000000);
        return;
    }
    if (end->signal == 0 && (end->exit_status == NOT_FOUND || end->exit_status == NOT_EXECUTABLE)) {
        (void)snprintf(host->end,
                       sizeof(host->end),
                       "'%.60s' cannot be run there (install quartet, or say where it is: "
                       "--remote-path PATH)",
                       options->worker_path);
        return;
    }
    bool own = host->state != HOST_UP || end->signal != 0 || end->exit_status == EXIT_OF_SSH;
    program_describe_end(
        own ? "ssh" : "its worker", end->exit_status, end->signal, host->end, sizeof(host->end));
}

/* Half to one and a half times as long as it would be: hosts behind one gate do not all come back at
 * the same moment. */
static uint64_t retry_delay_us(struct ssh_host *host)
{
    uint64_t delay_us = (uint64_t)RETRY_FIRST_US << host->retries;
    return delay_us / 2 + rng_below(&host->launch->rng, delay_us);
}

static bool may_retry(const struct ssh_host *host, const struct spawn_end *end)
{
    bool of_ssh = host->late || end->signal != 0 || end->exit_status == EXIT_OF_SSH;
    return of_ssh && host->retries < RETRIES_MAX && !is_hopeless(host);
}

static void on_ended(void *arg, const struct spawn_end *end)
{
    struct ssh_host *host = arg;
    struct ssh_launch *launch = host->launch;
    uint64_t now_us = stage_now_us();
    host->child = NULL;
    describe_end(host, end);
    if (host->state == HOST_UP && now_us - host->since_us > STEADY_US) {
        host->retries = 0;
    }
    if (!launch->closing && may_retry(host, end)) {
        enter(host, HOST_WAITS, now_us + retry_delay_us(host));
        host->retries++;
    } else {
        enter(host, HOST_OFF, now_us);
        if (!launch->closing) {
            launch->options.changed(launch->options.arg);
        }
    }
    host->late = false;
    proceed(launch);
}

static const struct launch_child_handlers child_handlers = {.line = on_line, .ended = on_ended};

/* --- starting one --- */

/* What becomes the worker's own arguments. */
static int write_command(const struct ssh_host *host, char *ret_command, size_t size)
{
    const struct launch_options *options = &host->launch->options;
    char slots[16];
    const char *arguments[ARGUMENTS_MAX] = {
        "--name",
        host->host->name,
        "--end-with-stdin",
        "--quiet",
        /* What they run is what this user asks that account to run. */
        "--allow-exec",
        "--allow-plugins",
    };
    size_t count = 6;
    if (options->insecure) {
        arguments[count++] = "--insecure";
    }
    if (host->host->slots > 0) {
        (void)snprintf(slots, sizeof(slots), "%u", host->host->slots);
        arguments[count++] = "--slots";
        arguments[count++] = slots;
    }
    return launch_shell_command(options->worker_path, arguments, ret_command, size);
}

/* ssh as the user has it configured, but for what a launch without a person needs: no question may
 * wait for an answer, and a host that has gone must be noticed. */
static int start_child(struct ssh_host *host, struct err_text *ret_error)
{
    struct ssh_launch *launch = host->launch;
    char command[LAUNCH_COMMAND_SIZE];
    char ssh[LAUNCH_COMMAND_SIZE];
    char port[8];
    int len = snprintf(ssh, sizeof(ssh), "exec %s \"$@\"", launch->options.command);
    if (len < 0 || (size_t)len >= sizeof(ssh) ||
        write_command(host, command, sizeof(command)) != 0) {
        return err_set(ret_error, ERR_INVALID, "the command line is too long");
    }
    (void)snprintf(port, sizeof(port), "%u", host->host->port);
    const char *argv[ARGUMENTS_MAX] = {
        "/bin/sh",
        "-c",
        ssh,
        "ssh",
        "-T",
        "-oBatchMode=yes",
        "-oServerAliveInterval=10",
        "-oServerAliveCountMax=3",
    };
    size_t count = 8;
    if (host->host->port != 0) {
        argv[count++] = "-p";
        argv[count++] = port;
    }
    argv[count++] = "--";
    argv[count++] = host->host->target;
    argv[count++] = command;
    return launch_child_start(
        &launch->stage->loop, argv, &child_handlers, host, ret_error, &host->child);
}

static void start_host(struct ssh_host *host, uint64_t now_us)
{
    struct err_text error = {{0}};
    host->end[0] = '\0';
    host->line_count = 0;
    enter(host, HOST_CONNECTING, now_us);
    if (start_child(host, &error) != 0) {
        (void)snprintf(host->end, sizeof(host->end), "%.150s", error.s);
        enter(host, HOST_OFF, now_us);
        host->launch->options.changed(host->launch->options.arg);
    }
}

/* --- all of them --- */

static size_t count_in(const struct ssh_launch *launch, enum host_state state)
{
    size_t count = 0;
    for (size_t i = 0; i < launch->count; i++) {
        count += launch->hosts[i].state == state;
    }
    return count;
}

/* A login that takes too long is ended; its end says so. */
static void end_late(struct ssh_launch *launch, uint64_t now_us)
{
    for (size_t i = 0; i < launch->count; i++) {
        struct ssh_host *host = &launch->hosts[i];
        if (host->state == HOST_CONNECTING && !host->late &&
            now_us - host->since_us >= CONNECT_LIMIT_US) {
            host->late = true;
            launch_child_signal(host->child, SIGKILL);
        }
    }
}

static void start_due(struct ssh_launch *launch, uint64_t now_us)
{
    size_t connecting = count_in(launch, HOST_CONNECTING);
    for (size_t i = 0; i < launch->count && connecting < CONNECTING_MAX; i++) {
        struct ssh_host *host = &launch->hosts[i];
        if (host->state == HOST_WAITS && host->since_us <= now_us) {
            start_host(host, now_us);
            connecting += host->state == HOST_CONNECTING;
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
        uint64_t at_us = UINT64_MAX;
        if (host->state == HOST_WAITS && host->since_us > now_us) {
            at_us = host->since_us;
        } else if (host->state == HOST_CONNECTING && !host->late) {
            at_us = host->since_us + CONNECT_LIMIT_US;
        }
        due_us = at_us < due_us ? at_us : due_us;
    }
    return due_us;
}

static void on_timer(uv_timer_t *timer)
{
    proceed(timer->data);
}

static void proceed(struct ssh_launch *launch)
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
            enter(host, HOST_WAITS, now_us);
        }
    }
    proceed(launch);
}

static size_t ssh_coming(const struct launch *base)
{
    const struct ssh_launch *launch = (const struct ssh_launch *)base;
    return launch->count - count_in(launch, HOST_OFF);
}

static void ssh_view(const struct launch *base, size_t index, struct launch_view *ret_view)
{
    const struct ssh_launch *launch = (const struct ssh_launch *)base;
    const struct ssh_host *host = &launch->hosts[index];
    char *words = ret_view->words;
    size_t size = sizeof(ret_view->words);
    CHECK(index < launch->count);
    *ret_view = (struct launch_view){.name = host->host->name, .given_up = host->state == HOST_OFF};
    if (host->end[0] != '\0') {
        text_append(words, size, "%s", host->end);
    } else if (host->state == HOST_UP) {
        text_append(words,
                    size,
                    "ssh got through, but its worker did not reach %s (a firewall or another route "
                    "back? --advertise ADDRESS)",
                    host->endpoint);
    } else {
        text_append(words,
                    size,
                    host->state == HOST_CONNECTING ? "ssh has not got through yet"
                                                   : "its turn has not come yet");
    }
    unsigned kept = host->line_count < WORDS_LINES ? host->line_count : WORDS_LINES;
    for (unsigned i = host->line_count - kept; i < host->line_count; i++) {
        text_append(words,
                    size,
                    "%s%s",
                    i + kept == host->line_count ? ": " : " / ",
                    host->lines[i % WORDS_LINES]);
    }
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

/* Those who run a worker, which ends them by itself; and the others, who have nothing to end. */
static void ssh_close(struct launch *base, uint32_t grace_ms)
{
    struct ssh_launch *launch = ssh_of(base);
    launch->closing = true;
    (void)uv_timer_stop(&launch->timer);
    for (size_t i = 0; i < launch->count; i++) {
        if (launch->hosts[i].state == HOST_CONNECTING) {
            launch_child_signal(launch->hosts[i].child, SIGKILL);
        }
    }
    (void)stage_wait_anyway(launch->stage, all_ended, launch, (uint64_t)grace_ms * US_PER_MS);
    for (size_t i = 0; i < launch->count; i++) {
        if (launch->hosts[i].child != NULL) {
            launch_child_end_input(launch->hosts[i].child);
        }
    }
    (void)stage_wait_anyway(launch->stage, all_ended, launch, END_WAIT_US);
    for (size_t i = 0; i < launch->count; i++) {
        if (launch->hosts[i].child != NULL) {
            launch_child_signal(launch->hosts[i].child, SIGKILL);
        }
    }
    (void)stage_wait_anyway(launch->stage, all_ended, launch, END_WAIT_US);
    uv_close((uv_handle_t *)&launch->timer, NULL);
    (void)uv_run(&launch->stage->loop, UV_RUN_NOWAIT); /* close callbacks */
    free(launch);
}

const struct launch_ops launch_ssh_ops = {
    .name = "ssh",
    .open = ssh_open,
    .start = ssh_start,
    .coming = ssh_coming,
    .view = ssh_view,
    .close = ssh_close,
};
