/* One host of the ssh launcher; see launch_ssh_internal.h. */
#include "common/io/secret_file.h"
#include "common/io/text.h"
#include "coordinator/launch/launch_ssh_internal.h"
#include "coordinator/session/program.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
    RETRIES_MAX = 3,              /* in a row */
    RETRY_FIRST_US = 500 * 1000,  /* doubles */
    STEADY_US = 10 * 1000 * 1000, /* who was up for so long has not failed in a row */
    EXIT_OF_SSH = 255,
    NOT_FOUND = 127,
    NOT_EXECUTABLE = 126,
};

/* ssh's words when the sshd there does not listen for us. */
static const char TUNNEL_REFUSED[] = "remote port forwarding failed";
static const char TUNNEL_FORBIDDEN[] =
    "its sshd does not allow the way back of --tunnel (AllowTcpForwarding, PermitListen)";
static const char NO_TUNNEL_PORT[] =
    "ssh got through, but does not say which port its tunnel has (a LogLevel below INFO in --ssh?)";

void ssh_host_enter(struct ssh_host *host, enum host_state state, uint64_t since_us)
{
    host->state = state;
    host->since_us = since_us;
}

/* --- what a host says --- */

static void keep_line(struct ssh_host *host, const char *line)
{
    char *kept = host->lines[host->line_count++ % LAUNCH_WORDS_LINES];
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
                   host->lines[(host->line_count - 1) % LAUNCH_WORDS_LINES]);
    stage_say(host->launch->stage, text);
}

/* What the script of launch_shell.c, or the worker, reads on standard input. */
static int hand_over(struct ssh_host *host, struct err_text *ret_error)
{
    const struct launch_options *options = &host->launch->options;
    if (options->grant != NULL) {
        char *line = options->grant(options->arg, host->host->name, host->endpoint, ret_error);
        if (line == NULL) {
            return ERR_NOMEM;
        }
        host->granted = true;
        launch_child_write(host->child, line, strlen(line));
        secret_free(line);
        return 0;
    }
    char line[LAUNCH_ENDPOINT_SIZE + 1];
    int len = snprintf(line, sizeof(line), "%s\n", host->endpoint);
    launch_child_write(host->child, line, (size_t)len);
    return 0;
}

static void take_back(struct ssh_host *host)
{
    const struct launch_options *options = &host->launch->options;
    if (host->granted) {
        options->revoke(options->arg, host->host->name);
        host->granted = false;
    }
}

static int settle_endpoint(struct ssh_host *host, const char *greeting)
{
    const struct launch_options *options = &host->launch->options;
    if (options->tunnel != NULL) {
        (void)snprintf(
            host->endpoint, sizeof(host->endpoint), "tcp://127.0.0.1:%u", host->tunnel_port);
        return 0;
    }
    if (options->endpoint == NULL) {
        return launch_shell_endpoint(greeting, options->port, host->endpoint);
    }
    (void)snprintf(host->endpoint, sizeof(host->endpoint), "%s", options->endpoint);
    return 0;
}

/* The way is open: tell the worker where to connect. */
static void open_way(struct ssh_host *host, const char *greeting)
{
    if (settle_endpoint(host, greeting) != 0) {
        keep_line(host,
                  "it does not say from which address it was reached (SSH_CONNECTION): "
                  "give --advertise ADDRESS");
        launch_child_end_input(host->child);
        return;
    }
    struct err_text error = {{0}};
    if (hand_over(host, &error) != 0) {
        keep_line(host, error.s);
        launch_child_end_input(host->child);
        return;
    }
    ssh_host_enter(host, HOST_UP, stage_now_us());
    ssh_launch_proceed(host->launch);
}

/* Which port the tunnel has comes by another pipe: before the greeting or after it. */
static void on_greeting(struct ssh_host *host, const char *greeting)
{
    if (host->launch->options.tunnel != NULL && host->tunnel_port == 0) {
        host->greeted = true;
        return;
    }
    open_way(host, greeting);
}

static bool hear_tunnel(struct ssh_host *host, const char *line)
{
    const struct launch_tunnel *tunnel = host->launch->options.tunnel;
    if (tunnel == NULL || launch_tunnel_port(tunnel, line, &host->tunnel_port) != 0) {
        return false;
    }
    if (host->greeted) {
        host->greeted = false;
        open_way(host, "");
    }
    return true;
}

static void on_output(struct ssh_host *host, const char *line)
{
    const struct launch_options *options = &host->launch->options;
    if (host->state == HOST_UP && options->heard != NULL) {
        options->heard(options->arg, (size_t)(host - host->launch->hosts), line);
    }
    if (host->state != HOST_CONNECTING && host->state != HOST_COPYING) {
        return;
    }
    if (launch_shell_is_greeting(line)) {
        on_greeting(host, line);
    } else {
        ssh_push_hear(host, line);
    }
}

static void on_line(void *arg, bool is_error_output, const char *line)
{
    struct ssh_host *host = arg;
    if (!is_error_output) {
        on_output(host, line);
        return;
    }
    if (hear_tunnel(host, line)) {
        return;
    }
    keep_line(host, line);
    if (host->state == HOST_UP) {
        pass_on(host);
    }
}

/* --- how it ended, and what follows --- */

static bool said(const struct ssh_host *host, const char *words)
{
    for (unsigned i = 0; i < LAUNCH_WORDS_LINES && i < host->line_count; i++) {
        if (strstr(host->lines[i], words) != NULL) {
            return true;
        }
    }
    return false;
}

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
        TUNNEL_REFUSED,
    };
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        if (said(host, signs[i])) {
            return true;
        }
    }
    return false;
}

/* It was ended because it took too long over something. */
static void describe_late(struct ssh_host *host)
{
    if (host->greeted) {
        (void)snprintf(host->end, sizeof(host->end), "%s", NO_TUNNEL_PORT);
    } else if (host->state == HOST_COPYING) {
        char how_far[LAUNCH_END_SIZE / 2];
        ssh_push_describe(host, how_far, sizeof(how_far));
        (void)snprintf(host->end,
                       sizeof(host->end),
                       "nothing moved for %d s while %s",
                       LAUNCH_COPY_LIMIT_US / 1000000,
                       how_far);
    } else {
        (void)snprintf(host->end,
                       sizeof(host->end),
                       "ssh did not get through within %d s",
                       LAUNCH_CONNECT_LIMIT_US / 1000000);
    }
}

static void describe_missing(struct ssh_host *host)
{
    if (host->launch->options.bundle != NULL) {
        (void)snprintf(
            host->end, sizeof(host->end), "the quartet-worker that was copied cannot be run there");
        return;
    }
    (void)snprintf(host->end,
                   sizeof(host->end),
                   "'%.60s' cannot be run there (install quartet, let --push copy it, or say where "
                   "it is: --remote-path PATH)",
                   host->launch->options.worker_path);
}

static void describe_end(struct ssh_host *host, const struct spawn_end *end)
{
    bool began = host->state == HOST_UP && end->signal == 0; /* sh there was to become the worker */
    int status = end->exit_status;
    if (host->end[0] != '\0') {
        return; /* it said why itself */
    }
    if (host->late) {
        describe_late(host);
    } else if (began && (status == NOT_FOUND || status == NOT_EXECUTABLE)) {
        describe_missing(host);
    } else if (status == EXIT_OF_SSH && said(host, TUNNEL_REFUSED)) {
        (void)snprintf(host->end, sizeof(host->end), "%s", TUNNEL_FORBIDDEN);
    } else {
        const char *who = began && status != EXIT_OF_SSH ? "its worker" : "ssh";
        program_describe_end(who, status, end->signal, host->end, sizeof(host->end));
    }
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

static void give_up(struct ssh_host *host, uint64_t now_us)
{
    const struct ssh_launch *launch = host->launch;
    ssh_host_enter(host, HOST_OFF, now_us);
    if (!launch->closing) {
        launch->options.given_up(launch->options.arg, (size_t)(host - launch->hosts));
    }
}

/* A worker that was there is missed. What a login fails of is said when it is given up. */
static void try_again(struct ssh_host *host, uint64_t now_us)
{
    char text[LAUNCH_END_SIZE + HOST_NAME_MAX_BYTES + 32];
    if (host->state == HOST_UP) {
        (void)snprintf(
            text, sizeof(text), "host %s: %s; started again", host->host->name, host->end);
        stage_say(host->launch->stage, text);
    }
    ssh_host_enter(host, HOST_WAITS, now_us + retry_delay_us(host));
    host->retries++;
}

static void on_ended(void *arg, const struct spawn_end *end)
{
    struct ssh_host *host = arg;
    uint64_t now_us = stage_now_us();
    host->child = NULL;
    take_back(host);
    describe_end(host, end);
    if (host->state == HOST_UP && now_us - host->since_us > STEADY_US) {
        host->retries = 0;
    }
    if (!host->launch->closing && ssh_push_mend(host, end)) {
        ssh_host_enter(host, HOST_WAITS, now_us);
    } else if (!host->launch->closing && may_retry(host, end)) {
        try_again(host, now_us);
    } else {
        give_up(host, now_us);
    }
    host->late = false;
    ssh_launch_proceed(host->launch);
}

static const struct launch_child_handlers child_handlers = {.line = on_line, .ended = on_ended};

/* --- starting one --- */

void ssh_host_start(struct ssh_host *host, uint64_t now_us)
{
    struct err_text error = {{0}};
    host->end[0] = '\0';
    host->line_count = 0;
    host->greeted = false;
    host->tunnel_port = 0;
    ssh_host_enter(host, HOST_CONNECTING, now_us);
    if (ssh_command_start(host, &child_handlers, &error) != 0) {
        (void)snprintf(host->end, sizeof(host->end), "%.150s", error.s);
        give_up(host, now_us);
    }
}

void ssh_host_end_late(struct ssh_host *host)
{
    host->late = true;
    launch_child_signal(host->child, SIGKILL);
}

/* --- in words --- */

static void append_lines(const struct ssh_host *host, char *words, size_t size)
{
    unsigned kept = host->line_count < LAUNCH_WORDS_LINES ? host->line_count : LAUNCH_WORDS_LINES;
    for (unsigned i = host->line_count - kept; i < host->line_count; i++) {
        text_append(words,
                    size,
                    "%s%s",
                    i + kept == host->line_count ? ": " : " / ",
                    host->lines[i % LAUNCH_WORDS_LINES]);
    }
}

void ssh_host_describe(const struct ssh_host *host, char *ret_words, size_t size)
{
    ret_words[0] = '\0';
    if (host->end[0] != '\0') {
        text_append(ret_words, size, "%s", host->end);
    } else if (host->state == HOST_UP) {
        text_append(ret_words,
                    size,
                    "ssh got through, but its worker did not reach %s (%s)",
                    host->endpoint,
                    host->launch->options.tunnel != NULL
                        ? "the tunnel's end there"
                        : "a firewall or another route back? --advertise ADDRESS, or --tunnel; "
                          "'quartet doctor "
                          "--hosts' finds out");
    } else if (host->greeted) {
        text_append(ret_words, size, "%s", NO_TUNNEL_PORT);
    } else if (host->state == HOST_COPYING) {
        ssh_push_describe(host, ret_words, size);
    } else if (host->state == HOST_CONNECTING) {
        text_append(ret_words, size, "ssh has not got through yet");
    } else {
        text_append(ret_words, size, "its turn has not come yet");
    }
    append_lines(host, ret_words, size);
}
