/* What was seen of one endpoint, step by step, as plain facts: look.c sees, diagnose.c says what it means. What comes
 * behind the first step that failed may not have been looked at. */
#ifndef QUARTET_COMMON_DOCTOR_SEEN_H
#define QUARTET_COMMON_DOCTOR_SEEN_H

#include "common/doctor/echoes.h"
#include "common/doctor/greeting.h"
#include "common/io/zdial.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SEEN_ADDRESSES_MAX = 8,
    SEEN_ADDRESS_SIZE = 80, /* of IPv6 with the name of an interface, or a cut path */
    SEEN_WORDS_SIZE = 160,
    SEEN_ENDPOINT_SIZE = 256,
};

/* What became of a connection of our own, which says more of a failure than libzmq's does. */
enum seen_knock {
    KNOCK_NONE,      /* it was not tried */
    KNOCK_CONNECTED, /* what was said is in the greeting */
    KNOCK_FAILED,    /* for `error` */
};

/* Who says what on the way to an address where nobody answers us, or somebody refuses: found by packets that must not go
 * further than so many hops. */
enum seen_hops {
    HOPS_NONE,    /* not asked, or nobody said a word */
    HOPS_LAST,    /* the last one that was heard of, `hop` hops away */
    HOPS_REFUSED, /* that one says why it does not go on: an ICMP message */
    HOPS_ARRIVED, /* the address itself answers */
};

struct seen_way {
    enum seen_hops hops;
    unsigned hop;
    char address[SEEN_ADDRESS_SIZE];
    bool forbidden; /* HOPS_REFUSED: by a rule, says the message; otherwise it knows no way */
};

struct seen_address {
    char text[SEEN_ADDRESS_SIZE];
    int route_error;                /* errno; 0: there is a route */
    char source[SEEN_ADDRESS_SIZE]; /* our address on it */
    enum seen_knock knock;
    int error; /* errno */
    uint64_t took_us;
    struct greeting greeting;
    bool hung_up; /* by the other side, after what was said */
    bool reset;   /* and without good manners */
    struct seen_way way;
};

enum seen_form { FORM_NONE, FORM_TCP, FORM_IPC, FORM_EVERY_ADDRESS, FORM_BAD_PORT };

/* What came of asking over a connection that stands. */
enum seen_talk {
    TALK_NONE, /* there was no asking */
    TALK_ANSWERED,
    TALK_OTHER_VERSION, /* only the versions are known */
    TALK_TOO_OLD,       /* it does not know the question */
    TALK_REJECTED,      /* `words` say why */
    TALK_KEY_REFUSED,   /* taken back since the handshake */
    TALK_GARBLED,       /* what it says cannot be read, `words` say why */
    TALK_SILENCE,
};

struct seen_load {
    uint64_t bytes; /* of the last load; 0: not measured */
    double bytes_per_s;
};

struct seen_coordinator {
    uint32_t protocol_major, protocol_minor;
    char build[64];
    char host[64];
    uint32_t workers, workers_max;
    uint64_t files_max, files_left;
    bool running;
};

struct seen {
    char endpoint[SEEN_ENDPOINT_SIZE];
    enum seen_form form;
    char host[SEEN_ENDPOINT_SIZE]; /* of the endpoint, without brackets; of ipc: the path */
    uint16_t port;
    bool numeric; /* the host is an address, not a name */
    bool keys;    /* we have keys, and want them to be used */
    const char *key_name;

    char name_error[SEEN_WORDS_SIZE]; /* why the name is none, in words; "": it is one */
    bool name_timeout;
    uint64_t name_us;
    struct seen_address addresses[SEEN_ADDRESSES_MAX]; /* the first is the one that libzmq takes */
    size_t address_count;

    enum zdial_end end;  /* of libzmq's connection to the endpoint */
    uint64_t connect_us; /* that it took, as long as it got so far */

    enum seen_talk talk;
    char words[SEEN_WORDS_SIZE];
    struct seen_coordinator coordinator;
    struct echoes echoes;
    bool load_wanted;
    struct seen_load up, down;
};

/* And of this host. */
struct seen_host {
    uint64_t files_max, files_left;
    uint32_t cores_usable, cores_online;
};

#endif
