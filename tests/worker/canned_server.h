/* A server that says what it is told to, for answers that no well-behaved server gives. Test support. */
#ifndef QUARTET_TESTS_WORKER_CANNED_SERVER_H
#define QUARTET_TESTS_WORKER_CANNED_SERVER_H

#include <stdint.h>

struct canned_server;

/* Answers every connection on a free loopback port with `answer` as soon as something was received, and closes it. */
struct canned_server *canned_server_start(const char *answer);
uint16_t canned_server_port(const struct canned_server *server);
void canned_server_stop(struct canned_server *server);

/* A loopback port that nobody listens on. */
uint16_t closed_port(void);

/* A socket that listens, with a full queue: connecting to it hangs. Returns `ret_fds` to be closed. */
enum { HANGING_FDS = 8 };

uint16_t hanging_port(int ret_fds[HANGING_FDS]);

#endif
