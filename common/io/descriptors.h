/* File descriptors as the rest of the program expects them: the three standard ones are open,
 * as many as possible are allowed, and there are enough of them before a library is entered that
 * aborts the process for want of one. May be called from any thread, but for
 * descriptors_prepare. */
#ifndef QUARTET_COMMON_IO_DESCRIPTORS_H
#define QUARTET_COMMON_IO_DESCRIPTORS_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* libuv's loop with its signals, and the zygote's socket: what every command opens. */
enum { DESCRIPTORS_OF_A_LOOP = 7 };

/* The first act of both programs, before anything is opened. Closed standard descriptors are
 * opened onto /dev/null so that reading and writing there fails, as it would have: left closed,
 * the next thing opened would become standard output. The soft limit is raised to the hard one.
 * Returns 0, or ERR_IO as descriptors_expect does for DESCRIPTORS_OF_A_LOOP. */
int descriptors_prepare(struct err_text *ret_error);

/* The soft limit as it was before descriptors_prepare raised it: programs that are started by
 * this one get it back, because those that use select() break under a higher one. False: it was
 * not raised. */
bool descriptors_raised_from(uint64_t *ret_soft_limit);

/* Can `count` (1 to 64) more be opened now? Returns 0, or ERR_IO with a text that says what
 * they are for (`what`, as in "for ZeroMQ"), how many there are and what the limit is. */
int descriptors_expect(unsigned count, const char *what, struct err_text *ret_error);

/* Can `count` more be opened bit by bit, beside those that descriptors_kept says? Nothing is opened for it. As
 * descriptors_expect; the text says what the limit would have to be. */
int descriptors_expect_later(uint64_t count, const char *what, struct err_text *ret_error);

/* How many of `limit` stay free for what is opened now and then (outputs, plugins, what is started), when connections would
 * take all there are. */
uint64_t descriptors_kept(uint64_t limit);

/* About how many more can be opened now, and how many in all: the lowest free number says it. Costs a microsecond. */
uint64_t descriptors_left(uint64_t *ret_limit);

#endif
