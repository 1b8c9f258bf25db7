/* What `--push` says to the shell on another machine, as text: pure.
 *
 * There a script looks for the bundle under its hash in $XDG_CACHE_HOME/quartet/bundle (or ~/.cache/...).
 * If it is not there whole, the script says SEND, takes the archive from standard input, and keeps it
 * under that name only when it has arrived, has been unpacked and its worker has been seen to run: beside
 * a launch that was killed in the middle, and beside others that do the same, there is a whole one or
 * none. Then it becomes the script of launch_shell.h with the worker of that bundle. What goes wrong it
 * says in a line that begins with FAILED. It needs a POSIX sh (dash, busybox), and of tools: head, wc,
 * tar, gzip, mktemp, ls, uname, and the like; sha256sum is used if there is one. */
#ifndef QUARTET_COORDINATOR_LAUNCH_LAUNCH_PUSH_H
#define QUARTET_COORDINATOR_LAUNCH_LAUNCH_PUSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct launch_push {
    const char *hash;    /* of the archive: its name there */
    const char *machine; /* as `uname -m` has to say there */
    uint64_t size_bytes; /* of the archive */
    bool anew;           /* send it even if one is there: that one does not run */
};

enum launch_push_word {
    LAUNCH_PUSH_OTHER,  /* a line of somebody else's */
    LAUNCH_PUSH_SEND,   /* it waits for the archive, and for nothing behind it */
    LAUNCH_PUSH_FAILED, /* it gives up */
};

/* As launch_shell_command, with the worker of the bundle. Returns 0, or ERR_INVALID: too long. */
int launch_push_command(const struct launch_push *push,
                        bool access,
                        const char *const *arguments,
                        char *ret_command,
                        size_t size);

/* What a line means that came from there. `*ret_words`: of LAUNCH_PUSH_FAILED, what went wrong; within
 * `line`. */
enum launch_push_word launch_push_hear(const char *line, const char **ret_words);

#endif
