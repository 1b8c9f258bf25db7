/* A small HTTP server to download from, so that a comparison needs no network: the offline stand-in for a slow or an unreliable site.
 * GET and HEAD only; no TLS. It is made for loopback: /bytes and /drip send as much as they are asked for, to anybody.
 *
 *   /delay/SECONDS   a fixed small body, sent after SECONDS (0 to 3600, fractions allowed), never early
 *   /bytes/N         N bytes (up to 1024Gi) whose content depends on the position only
 *   /status/CODE     an answer with that status (200 to 599); 3xx other than 304 redirects to /status/200
 *   /redirect/N      N redirects, then 200; -1: for ever
 *   /drip            a body without an end
 *   /stall           the head of an answer, then silence
 *   /close           closes the connection without an answer
 *
 * Anything else is 404 with this list; a malformed number is 400 and quoted.
 *
 * One thread serves everything: thousands of waiting connections are entries of one heap. */
#ifndef QUARTET_COORDINATOR_ORIGIN_ORIGIN_H
#define QUARTET_COORDINATOR_ORIGIN_ORIGIN_H

#include "common/base/err.h"

#include <stdint.h>

struct origin;

/* Listen on a numeric `address` ("127.0.0.1", "::1"); `port` 0: any free one. Raises this
 * process's soft limit of open files to the hard one. Returns 0; ERR_INVALID (not an address),
 * ERR_BUSY (the port is in use), ERR_IO, ERR_NOMEM. */
int origin_start(const char *address,
                 uint16_t port,
                 struct err_text *ret_error,
                 struct origin **ret_origin);

/* The port that is listened on. */
uint16_t origin_port(const struct origin *origin);

/* Close every connection, end the thread, free. NULL is allowed. */
void origin_stop(struct origin *origin);

#endif
