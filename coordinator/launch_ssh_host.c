/* One host of the ssh launcher; see launch_ssh_internal.h. */
#include "common/io/secret_file.h"
#include "common/io/text.h"
#include "coordinator/launch_ssh_internal.h"
#include "coordinator/program.h"

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
    ARGUMENTS_MAX = 24,
};

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
    if (options->endpoint == NULL) {
        return launch_shell_endpoint(greeting, options->port, host->endpoint);
    }
    (void)snprintf(host->endpoint, sizeof(host->endpoint), "%s", options->endpoint);
    return 0;
}

/* The way is open: tell the worker where to connect. */
static void on_greeting(struct ssh_host *host, const char *greeting)
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

static void on_line(void *arg, bool is_error_output, const char *line)
{
    struct ssh_host *host = arg;
    if (!is_error_output) {
        if (host->state == HOST_CONNECTING && launch_shell_is_greeting(line)) {
            on_greeting(host, line);
        } else if (host->state == HOST_UP && host->launch->options.heard != NULL) {
            host->launch->options.heard(
                host->launch->options.arg, (size_t)(host - host->launch->hosts), line);
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
    for (unsigned i = 0; i < LAUNCH_WORDS_LINES && i < host->line_count; i++) {
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
    bool began = host->state == HOST_UP && end->signal == 0; /* sh there was to become the worker */
    int status = end->exit_status;
    if (host->late) {
        (void)snprintf(host->end,
                       sizeof(host->end),
                       "ssh did not get through within %d s",
                       LAUNCH_CONNECT_LIMIT_US / 1000000);
        return;
    }
    if (began && (status == NOT_FOUND || status == NOT_EXECUTABLE)) {
        (void)snprintf(host->end,
                       sizeof(host->end),
                       "'%.60s' cannot be run there (install quartet, or say where it is: "
                       "--remote-path PATH)",
                       host->launch->options.worker_path);
        return;
    }
    const char *who = began && status != EXIT_OF_SSH ? "its worker" : "ssh";
    program_describe_end(who, status, end->signal, host->end, sizeof(host->end));
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
    if (!host->launch->closing && may_retry(host, end)) {
        try_again(host, now_us);
    } else {
        give_up(host, now_us);
    }
    host->late = false;
    ssh_launch_proceed(host->launch);
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
    return launch_shell_command(options->worker_path,
                                options->grant != NULL,
                                options->arguments != NULL ? options->arguments : arguments,
                                ret_command,
                                size);
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

void ssh_host_start(struct ssh_host *host, uint64_t now_us)
{
    struct err_text error = {{0}};
    host->end[0] = '\0';
    host->line_count = 0;
    ssh_host_enter(host, HOST_CONNECTING, now_us);
    if (start_child(host, &error) != 0) {
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
                    "ssh got through, but its worker did not reach %s (a firewall or another route "
                    "back? --advertise ADDRESS)",
                    host->endpoint);
    } else if (host->state == HOST_CONNECTING) {
        text_append(ret_words, size, "ssh has not got through yet");
    } else {
        text_append(ret_words, size, "its turn has not come yet");
    }
    append_lines(host, ret_words, size);
}
