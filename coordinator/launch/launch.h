/* Launchers: what starts workers on other machines, keeps them there while they are wanted, and says
 * what each place had to say. The contract; one file per launcher (launch_ssh.c), whose `ops` the
 * session calls. A launcher knows nothing of the wire: whether a worker has registered is for the
 * server to say.
 *
 * Everything happens on the stage's loop. Nothing that a launcher starts outlives the coordinator,
 * however that ends. */
#ifndef QUARTET_COORDINATOR_LAUNCH_LAUNCH_H
#define QUARTET_COORDINATOR_LAUNCH_LAUNCH_H

#include "common/base/err.h"
#include "coordinator/launch/bundle.h"
#include "coordinator/launch/hosts.h"
#include "coordinator/launch/launch_tunnel.h"
#include "coordinator/session/stage.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LAUNCH_WORDS_SIZE = 1024 };

/* A launcher at work: each has this as its first member. */
struct launch {
    const struct launch_ops *ops;
};

struct launch_options {
    const struct hosts *hosts; /* a worker on each, named as the host is; outlives the launch */
    const char *command;       /* that reaches them, in sh's words: "ssh", "ssh -F FILE" */
    const char *worker_path; /* of quartet-worker there; without a slash it is looked for in PATH */
    struct bundle *bundle;   /* what places are sent that lack it, and run instead; NULL: nothing */
    const struct launch_tunnel
        *tunnel; /* workers come through it, and are told its other end; NULL: by themselves */
    const char *endpoint; /* what workers are told; NULL: the address that the host knows us by */
    uint16_t port;        /* of that */
    bool insecure;
    /* With keys: one line of text with which a worker named `name` gets to `endpoint` and is let in
     * (malloc'd; for secret_free), or NULL with the reason. What it was given is taken back when it has
     * ended. NULL: there are no keys. */
    char *(*grant)(void *arg, const char *name, const char *endpoint, struct err_text *ret_error);
    void (*revoke)(void *arg, const char *name);
    /* A place is given up: its worker has ended, or could not be started, and nothing more is tried. */
    void (*given_up)(void *arg, size_t index);
    /* What is run there in place of a worker that works: the arguments of quartet-worker, NULL-terminated, and who hears
     * each line of its standard output. NULL: a worker, which says nothing there. */
    const char *const *arguments;
    void (*heard)(void *arg, size_t index, const char *line);
    void *arg;
};

/* How far one place is. */
struct launch_view {
    const char *name; /* of its worker; borrowed */
    bool given_up;    /* it has ended, or never was, and nothing more is tried */
    char
        words[LAUNCH_WORDS_SIZE]; /* what became of it or what it waits for, in a line for people */
};

struct launch_ops {
    const char *name; /* "ssh" */

    /* Nothing is started yet. Returns 0 or ERR_NOMEM. */
    int (*open)(struct stage *stage,
                const struct launch_options *options,
                struct err_text *ret_error,
                struct launch **ret_launch);

    /* Start whoever is not there and not under way, also those that were given up. Returns at once;
     * what becomes of them is seen by `view`. */
    void (*start)(struct launch *launch);

    /* How many workers are there or may still come. */
    size_t (*coming)(const struct launch *launch);

    /* `index`: the place of a host in options->hosts. */
    void (*view)(const struct launch *launch, size_t index, struct launch_view *ret_view);

    /* Start nobody any more; wait up to `grace_ms` for those that were told BYE to end, then end all
     * and free. */
    void (*close)(struct launch *launch, uint32_t grace_ms);
};

extern const struct launch_ops launch_ssh_ops;

#endif
