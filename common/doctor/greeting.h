/* The first bytes that come from a port, and who talks so. A ZeroMQ socket says its version and whether it wants keys
 * (ZMTP, RFC 23); of anybody else it is said who it is, as far as bytes tell. Takes any bytes. Pure. */
#ifndef QUARTET_COMMON_DOCTOR_GREETING_H
#define QUARTET_COMMON_DOCTOR_GREETING_H

#include <stddef.h>

enum {
    GREETING_SIZE = 64, /* bytes of a whole one of ZMTP 3; more are not looked at */
    GREETING_ASKED_SIZE =
        11, /* bytes that have to be said for the other side to say all of its own */
    GREETING_WORDS_SIZE = 80,
    GREETING_MECHANISM_SIZE = 21,
};

enum greeting_kind {
    GREETING_NONE,     /* not a byte */
    GREETING_ZMTP,     /* of version 3 or later, whole */
    GREETING_ZMTP_OLD, /* of a version before 3 */
    GREETING_ZMTP_CUT, /* the beginning of one */
    GREETING_SSH,
    GREETING_HTTP,
    GREETING_TLS,
    GREETING_OTHER,
};

struct greeting {
    enum greeting_kind kind;
    unsigned major, minor;                   /* of ZMTP */
    char mechanism[GREETING_MECHANISM_SIZE]; /* of ZMTP: "NULL", "CURVE", ... */
    /* The first line that was said, printable; of what is no text the first bytes in hexadecimal. */
    char words[GREETING_WORDS_SIZE];
};

struct greeting greeting_read(const void *bytes, size_t len);

/* What makes a ZeroMQ socket say all of its greeting, and is nothing but the beginning of ours. */
extern const unsigned char greeting_asked[GREETING_ASKED_SIZE];

#endif
