/* What the files of the ssh launcher share: launch_ssh.c has the contract and whose turn it is,
 * launch_ssh_host.c one host: starting its ssh, hearing it, judging its end; launch_ssh_command.c what
 * is run here and there, launch_ssh_push.c the bundle on its way. */
#ifndef QUARTET_COORDINATOR_LAUNCH_LAUNCH_SSH_INTERNAL_H
#define QUARTET_COORDINATOR_LAUNCH_LAUNCH_SSH_INTERNAL_H

#include "common/base/rng.h"
#include "coordinator/launch/launch.h"
#include "coordinator/launch/launch_child.h"
#include "coordinator/launch/launch_shell.h"

enum {
    LAUNCH_CONNECT_LIMIT_US = 20 * 1000 * 1000, /* for one login */
    LAUNCH_COPY_LIMIT_US = 60 * 1000 * 1000, /* for the next bytes of a bundle, or its unpacking */
    LAUNCH_WORDS_LINES = 4,                  /* last lines that are kept of what a host said */
    LAUNCH_END_SIZE = 400,
};

enum host_state {
    HOST_WAITS,      /* for its time, and for a free place among those that connect */
    HOST_CONNECTING, /* ssh runs and has not got through */
    HOST_COPYING,    /* the bundle is being sent, or unpacked there */
    HOST_UP,         /* its worker was told where to connect */
    HOST_OFF,        /* not begun, ended, or given up */
};

/* What is sent to a host (--push). */
struct ssh_push {
    bool sent;          /* this ssh sends, or has sent, the bundle */
    bool anew;          /* the next one is to: what is there does not run */
    bool mended;        /* one was: that helps once */
    uint64_t fed_bytes; /* as was last seen */
};

struct ssh_host {
    struct ssh_launch *launch;
    const struct host *host;
    enum host_state state;
    struct launch_child *child; /* NULL: none */
    uint64_t since_us;    /* in this state; HOST_WAITS: until; HOST_COPYING: the last progress */
    uint32_t retries;     /* in a row */
    bool granted;         /* it was given a key */
    bool late;            /* was ended because it did not get through in time */
    bool greeted;         /* sh there is ready, and its tunnel not yet known of */
    uint16_t tunnel_port; /* at that end; 0: not known */
    struct ssh_push push;
    char endpoint[LAUNCH_ENDPOINT_SIZE]; /* what its worker was told */
    char lines[LAUNCH_WORDS_LINES][LAUNCH_LINE_SIZE];
    unsigned line_count;       /* in all; the last ones are kept */
    char end[LAUNCH_END_SIZE]; /* how it ended; "": it has not */
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

/* See whose turn it is: after every change of a host's state. */
void ssh_launch_proceed(struct ssh_launch *launch);

void ssh_host_enter(struct ssh_host *host, enum host_state state, uint64_t since_us);

/* Start its ssh: HOST_CONNECTING, or HOST_OFF when that could not be. */
void ssh_host_start(struct ssh_host *host, uint64_t now_us);

/* It has not got through in time. Its end follows. */
void ssh_host_end_late(struct ssh_host *host);

/* --- launch_ssh_command.c --- */

/* Start ssh with all that it is asked to do there: host->child. Returns 0, ERR_INVALID (too long), or as
 * launch_child_start. */
int ssh_command_start(struct ssh_host *host,
                      const struct launch_child_handlers *handlers,
                      struct err_text *ret_error);

/* --- launch_ssh_push.c --- */

/* A line from there that may be about the bundle: sends it, or notes in host->end what went wrong.
 * What login scripts print is passed over. */
void ssh_push_hear(struct ssh_host *host, const char *line);

/* HOST_COPYING: have more bytes gone since this was last asked? Then host->since_us is now. */
void ssh_push_look(struct ssh_host *host, uint64_t now_us);

/* The worker there could not be run: is another copy worth trying? Then the next start brings it. */
bool ssh_push_mend(struct ssh_host *host, const struct spawn_end *end);

/* HOST_COPYING in words: "copying 3.1 of 10.8 MB". */
void ssh_push_describe(const struct ssh_host *host, char *ret_words, size_t size);

/* --- launch_ssh_host.c --- */

/* What became of it, or what it waits for, with the last lines that it said. */
void ssh_host_describe(const struct ssh_host *host, char *ret_words, size_t size);

#endif
