/* What a command says when it is asked, before a plan is made: the one thing that a launcher cannot know by itself. */
#ifndef QUARTET_COORDINATOR_LAUNCHERS_ASK_H
#define QUARTET_COORDINATOR_LAUNCHERS_ASK_H

#include "coordinator/launchers/words.h"

#include <stddef.h>

/* Run the command, which must only look, for at most `limit_ms`, with nothing to read and its errors unheard; the first line of
 * what it says goes to `ret_line`, without its end and cut to `size`. Returns 0; ERR_NOT_FOUND when there is no such
 * command, it failed or said nothing; ERR_TIMEOUT (it is ended then); ERR_IO, ERR_NOMEM. */
int ask(const struct words *command, int limit_ms, char *ret_line, size_t size);

#endif
