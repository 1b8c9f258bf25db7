/* Placement `distributed`: the shell around the scheduler that talks to workers over a ROUTER
 * socket. Registers them, hands them the job of the run on stage, turns their messages into
 * runner events, and gathers what is due to each into one message a turn. It decides nothing
 * about chunks. */
#ifndef QUARTET_COORDINATOR_SERVER_SERVER_H
#define QUARTET_COORDINATOR_SERVER_SERVER_H

#include "common/base/err.h"
#include "common/io/keys.h"
#include "coordinator/runner/job.h"
#include "coordinator/session/stage.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct server;

struct server_options {
    const char *endpoint; /* to listen on; "tcp://127.0.0.1:*" picks a free port */
    /* Directory of keys (keyring.h): everything is encrypted, and only who is authorized there gets
     * in. NULL: plaintext. */
    const char *keys;
    bool
        run_keys; /* without `keys`: encrypted too, and only workers that are started here get in */
    bool insecure; /* allow plaintext on endpoints that are neither ipc nor loopback */
    uint32_t heartbeat_ms;
    uint32_t workers_max;
    uint64_t
        alone_limit_us; /* a run that has no worker left for so long ends; 0: it waits for ever */
    bool quiet;         /* no notes about workers that come and go */
};

/* Listen. Returns 0; ERR_INVALID (not an endpoint, or refused without `keys` or `insecure`; keys that
 * are missing or not as they have to be), ERR_BUSY (address in use), ERR_IO (with keys also:
 * the proof that strangers are refused has failed), ERR_NOMEM; texts quote the endpoint. */
int server_new(struct stage *stage,
               const struct server_options *options,
               struct err_text *ret_error,
               struct server **ret_server);

/* Say BYE to every worker, let it leave the socket, close, free. NULL is allowed. */
void server_free(struct server *server);

/* Where workers connect: the endpoint with its real port. */
const char *server_endpoint(const struct server *server);

/* Why workers are refused now for want of room (open files, places); "" when they are not. */
const char *server_full(const struct server *server);

/* Workers registered now. */
uint32_t server_workers(const struct server *server);

/* Is a worker of that name registered? Names are for people: whoever asks has given them. */
bool server_has_worker(const struct server *server, const char *name);

/* "name@host, name@host" of those registered. Returns `ret_text`. */
char *server_describe_workers(const struct server *server, char *ret_text, size_t size);

/* The machines that registered workers are on, by name. `*ret_hosts` is the caller's to free. Returns 0 or ERR_NOMEM. */
int server_list_hosts(const struct server *server,
                      struct report_host **ret_hosts,
                      size_t *ret_count);

/* Can no worker join any more but those that are registered (every other one that was started here
 * has ended, and nobody else is expected)? A run then ends when none of these can run it. */
void server_no_more_workers(struct server *server, bool none);

/* --- with keys --- */

/* Whom workers have to look for; NULL: plaintext. Borrowed. */
const char *server_public_key(const struct server *server);

/* A pair for a worker that is started here, called `name`: let in until server_dismiss, or the end.
 * Returns 0 or ERR_NOMEM. */
int server_admit(struct server *server,
                 const char *name,
                 struct err_text *ret_error,
                 struct key_pair *ret_pair);
void server_dismiss(struct server *server, const char *name);

/* Run `job` on all registered workers to its end. Never fails as a call: what went wrong is in
 * the result. */
void server_run(struct server *server, const struct job *job, struct job_result *ret_result);

#endif
