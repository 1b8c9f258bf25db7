/* A list of hosts as people write it, close to GNU Parallel's --sshlogin and --sshloginfile: pure.
 *
 *   h1,user@c:2222, 8/big       separated by commas, blanks or line ends
 *   [2001:db8::7]:22            IPv6 addresses in brackets
 *   # down since Monday         from a '#' at the start of a word to the end of the line
 *
 * `8/` in front: items at once there. What ssh would take for an option, or a shell for more than a
 * name, is refused. */
#ifndef QUARTET_COORDINATOR_LAUNCH_HOSTS_H
#define QUARTET_COORDINATOR_LAUNCH_HOSTS_H

#include "common/base/err.h"

#include <stddef.h>
#include <stdint.h>

enum {
    HOSTS_MAX = 4096,
    HOST_NAME_MAX_BYTES = 120,
    HOSTS_TEXT_MAX = 1 << 20, /* bytes of a file of hosts */
};

struct host {
    char name[HOST_NAME_MAX_BYTES + 1];   /* for people: as given, without the slots */
    char target[HOST_NAME_MAX_BYTES + 1]; /* for ssh: "user@host", no brackets, no port */
    uint16_t port;                        /* 0: whatever ssh's configuration says */
    uint32_t slots;                       /* items at once; 0: not said */
};

struct hosts {
    struct host *list; /* in the order given */
    size_t count;      /* at least 1 */
};

/* Read `len` bytes of text. Returns 0; ERR_INVALID quotes the word that is no host, is named twice or
 * says what cannot be, or says that there is none; ERR_NOMEM. */
int hosts_parse(const char *text, size_t len, struct err_text *ret_error, struct hosts *ret_hosts);

/* Also what was never filled in, when it is zero. */
void hosts_deinit(struct hosts *hosts);

#endif
