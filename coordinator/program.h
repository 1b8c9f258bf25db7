/* Where the other program of this pair is. */
#ifndef QUARTET_COORDINATOR_PROGRAM_H
#define QUARTET_COORDINATOR_PROGRAM_H

#include <stddef.h>

enum { PROGRAM_PATH_SIZE = 4096 };

/* The path of the program `name` beside this one; its bare name, which is then looked for in PATH,
 * when it is not there. */
void program_find(const char *name, char *ret_path, size_t size);

#endif
