/* The workers that the server knows, for whoever asks, and what a person may ask of one: never on
 * the hot path. */
#ifndef QUARTET_COORDINATOR_SERVER_SERVER_STATUS_H
#define QUARTET_COORDINATOR_SERVER_SERVER_STATUS_H

#include "coordinator/server/server.h"
#include "coordinator/status/stall.h"
#include "coordinator/status/status.h"

/* Registered workers of each kind, and what the last one that was lost or unable said, into the
 * members of `ret_view` that are about workers; the others are left alone. Texts are borrowed from
 * the server. `now_us`: as stage_now_us. */
void server_view_workers(const struct server *server, uint64_t now_us, struct stall_view *ret_view);

/* When the last worker of this run was lost; 0: none was. */
uint64_t server_lost_us(const struct server *server);

/* Results that came in sessions that were over, in this run: they were dropped. */
uint64_t server_late(const struct server *server);

/* One entry for each registered worker; the array is the caller's, of server_workers() entries. */
void server_list_workers(const struct server *server,
                         uint64_t now_us,
                         struct status_worker *ret_list);

/* Registered workers that ever were, and those that answered that they cannot run the job on stage. */
uint64_t server_registrations(const struct server *server);
uint32_t server_unable(const struct server *server);

/* Doctors that were answered, and connections that were refused: for their key, or without a proper handshake. */
uint64_t server_doctors(const struct server *server);
uint64_t server_refusals(const struct server *server);

/* Who was not let in first, and why; "": nobody was refused. Borrowed. */
const char *server_first_refusal(const struct server *server);

/* Let a worker leave: it gives back what it has not begun, finishes the rest, and goes. `name`: its
 * name, or name@host. `ret_text` says what was done, or why not. Returns 0; ERR_NOT_FOUND (says who
 * there is); ERR_INVALID: more than one has this name (says which); ERR_GONE: it could not be told. */
int server_drain(struct server *server, const char *name, struct err_text *ret_text);

#endif
