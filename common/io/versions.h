/* Which versions of quartet and of its libraries this is. */
#ifndef QUARTET_COMMON_IO_VERSIONS_H
#define QUARTET_COMMON_IO_VERSIONS_H

#include <stddef.h>
#include <stdio.h>

struct version {
    const char *name;
    char text[64];
};

/* "0.1.0"; "1a2b3c4d5e6f" or "unknown" when built outside a checkout. */
const char *versions_quartet(void);
const char *versions_commit(void);

/* The libraries that both programs use, as loaded at run time. Writes at most `max` and returns
 * how many. */
size_t versions_libraries(struct version *ret_list, size_t max);

/* "PROGRAM 0.1.0 (1a2b3c4d5e6f), protocol 1.0" and a line per library. */
void versions_print(FILE *stream, const char *program);

#endif
