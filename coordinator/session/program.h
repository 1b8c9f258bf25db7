/* The other program of this pair: where it is; and how a program has ended. */
#ifndef QUARTET_COORDINATOR_SESSION_PROGRAM_H
#define QUARTET_COORDINATOR_SESSION_PROGRAM_H

#include <stddef.h>

enum { PROGRAM_PATH_SIZE = 4096 };

/* Where this program is, with a slash at the end. Returns 0; ERR_NOT_FOUND (no /proc), ERR_INVALID: too
 * long; `ret_directory` is then undefined. */
int program_directory(char *ret_directory, size_t size);

/* The path of the program `name` beside this one; its bare name, which is then looked for in PATH,
 * when it is not there. */
void program_find(const char *name, char *ret_path, size_t size);

/* How the program `name` ended, for people: "NAME exited with status 3", "NAME was killed by signal 9
 * (Killed)". `signal` 0: it exited. */
void program_describe_end(const char *name, int status, int signal, char *ret_text, size_t size);

#endif
