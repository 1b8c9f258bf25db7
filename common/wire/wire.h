/* Messages as plain structs <-> bytes. The only code that sees generated protobuf.
 *
 * Decoding takes hostile bytes: at most WIRE_HEADER_MAX of them, into an arena of fixed size,
 * every field validated; a bad frame is ERR_PROTOCOL with a text, never an abort. Decoded
 * strings and arrays point into the decoder's arena and are valid until its next call. Encoding
 * is of our own structs: a value out of range there is a programmer's error. Pure. */
#ifndef QUARTET_COMMON_WIRE_WIRE_H
#define QUARTET_COMMON_WIRE_WIRE_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_MAGIC UINT64_C(0x3174657472617571) /* "quartet1", little-endian */

enum {
    WIRE_PROTOCOL_MAJOR = 1,
    WIRE_PROTOCOL_MINOR = 3,
    WIRE_MINOR_HOLDING = 2, /* from this minor version on a peer knows HOLDING */
    WIRE_MINOR_TEMPO = 3,   /* from this one on HEARTBEAT says how often life signs are expected */
    WIRE_HEADER_MAX = 64 * 1024,         /* bytes of a header frame */
    WIRE_PAYLOAD_MAX = 16 * 1024 * 1024, /* bytes of a payload frame */
    WIRE_CHUNKS_MAX = 896,       /* chunks or results in one message; fits for every value */
    WIRE_ERRORS_MAX = 32,        /* error texts in one RESULTS message */
    WIRE_ERROR_TEXT_MAX = 240,   /* bytes of an item's error; CHUNK_ERROR_SIZE */
    WIRE_TEXT_MAX = 1024,        /* bytes of a text for people */
    WIRE_NAME_MAX = 256,         /* bytes of a name */
    WIRE_VALUE_MAX = 32 * 1024,  /* bytes of a parameter's value: a command line may be one */
    WIRE_LIST_MAX = 256,         /* workloads in a HELLO, parameters in a JOB */
    WIRE_HASH_SIZE = 32,         /* bytes of a SHA-256 */
    WIRE_PART_MAX = 1024 * 1024, /* bytes of one part of a plugin */
    WIRE_PLUGIN_MAX = 256 * 1024 * 1024, /* bytes of a plugin */
    WIRE_PROBE_MAX = 1024 * 1024,        /* bytes of the payload of a PROBE or an ECHO */
};

enum wire_type {
    WIRE_HELLO = 1,     /* worker: register me */
    WIRE_WELCOME = 2,   /* coordinator: you are registered, this is your session */
    WIRE_REJECT = 3,    /* coordinator: you are not, and why */
    WIRE_JOB = 4,       /* coordinator: make an engine for this */
    WIRE_READY = 5,     /* worker: the engine stands (or why not); here is credit */
    WIRE_CHUNKS = 6,    /* coordinator: run these */
    WIRE_RESULTS = 7,   /* worker: these are done; more credit */
    WIRE_ACK = 8,       /* coordinator: only the header's ack */
    WIRE_HEARTBEAT = 9, /* both: I live */
    WIRE_CANCEL = 10,   /* coordinator: forget the header's job */
    WIRE_DRAIN = 11,    /* coordinator: give back what is not begun, finish the rest, leave */
    WIRE_RETURNED = 12, /* worker: I am leaving; these I did not begin */
    WIRE_BYE = 13,      /* both: this was my last word */
    WIRE_FETCH = 14,    /* worker: send me this part of the job's plugin */
    WIRE_PART = 15,     /* coordinator: here it is */
    WIRE_HOLDING = 16,  /* worker: of this job I have these in hand from an earlier session */
    WIRE_PROBE = 17,    /* a doctor: do you hear me? */
    WIRE_ECHO = 18,     /* coordinator: yes, and this is how I am */
};

enum wire_reason {
    WIRE_REASON_NONE = 0,
    WIRE_REASON_VERSION = 1,   /* another protocol version: do not come back */
    WIRE_REASON_FULL = 2,      /* no room for another worker now */
    WIRE_REASON_SESSION = 3,   /* I do not know this session: say HELLO again */
    WIRE_REASON_MALFORMED = 4, /* what you sent could not be read */
    WIRE_REASON_KEY = 5,       /* your key is not accepted any more: do not come back */
};

/* Borrowed bytes, not NUL-terminated; `s` is never NULL in a decoded message.
 *
 * Texts for people (build, name, host, reasons, errors) are cut at their limit on either side.
 * Decoded they are printable UTF-8 of one line: bytes that are not were replaced by '?'. Decoded
 * names of workloads and parameters are that from the start, and not empty. Values of parameters
 * are any bytes but NUL. */
struct wire_text {
    const char *s;
    size_t len;
};

/* Of another protocol_major only the versions, build, name and host are decoded, and nothing
 * else is checked. */
struct wire_hello {
    uint32_t protocol_major, protocol_minor;
    struct wire_text build, name, host;
    uint64_t nonce;
    uint64_t pid;
    uint32_t cores;      /* 1 to 65536 */
    uint32_t strategies; /* bit (1 << enum strategy), at least one; unknown bits are left out */
    uint32_t credit_max; /* 1 to 65536 */
    const struct wire_text *workloads;
    size_t workload_count;
};

struct wire_welcome {
    uint32_t protocol_minor;
    uint32_t heartbeat_ms; /* 10 to 3600000 */
};

struct wire_reject { /* REJECT and BYE */
    uint32_t reason; /* enum wire_reason; one that we do not know decodes as NONE */
    struct wire_text text;
};

struct wire_job {
    struct wire_text workload;
    const struct wire_text *param_names;
    const struct wire_text *param_values;
    size_t param_count;
    uint32_t strategy; /* enum strategy, validated */
    uint32_t slots;    /* 0 to 65536 */
    uint64_t range_first;
    uint32_t credit_fixed;        /* 0 to 65536 */
    bool records;                 /* a record of each item is wanted: RESULTS have records_len */
    struct wire_text plugin_hash; /* SHA-256, WIRE_HASH_SIZE bytes; empty: a built-in workload */
    uint64_t plugin_size;         /* bytes of the plugin, 1 to WIRE_PLUGIN_MAX; 0 without one */
};

struct wire_ready {
    uint32_t slots; /* 1 to 65536, unless there is an error */
    uint32_t credit;
    bool cooperative;
    uint64_t startup_us;
    struct wire_text error;
};

/* Arrays of `count` entries (1 to WIRE_CHUNKS_MAX). payload_len may be NULL: none has a payload.
 * Decoded: every count >= 1, attempt >= 1, id >= 1, first + count does not wrap, and the sum of
 * payload_len is at most WIRE_PAYLOAD_MAX. */
struct wire_chunks {
    size_t count;
    const uint64_t *id;
    const uint64_t *first;
    const uint64_t *items;
    const uint32_t *attempt;
    const uint32_t *payload_len;
};

/* Arrays of `count` entries (0 to WIRE_CHUNKS_MAX); `failed` and `bytes_out` may be NULL: all
 * zero. Decoded: ids and attempts >= 1, ok + failed does not wrap, error_at ascending without
 * repeats and inside the arrays. */
struct wire_results {
    uint64_t seq; /* >= 1 */
    uint32_t credit;
    size_t count;
    const uint64_t *id;
    const uint32_t *attempt;
    const uint64_t *ok;
    const uint64_t *failed;
    const uint64_t *checksum;
    const uint64_t *bytes_out;
    const uint64_t *run_us;
    size_t error_count;
    const uint32_t *error_at;
    const uint64_t *error_index;
    const struct wire_text *error_text;
    uint64_t cpu_us;
    /* Bytes of each result's records, which lie one behind the other in the payload frame; NULL:
     * none has any. Decoded: their sum is at most WIRE_PAYLOAD_MAX. */
    const uint32_t *records_len;
};

/* FETCH: send me the job's plugin from `offset` on. PART: here it is; its bytes are the payload
 * frame, WIRE_PART_MAX at most. None: the coordinator can no longer read it. */
struct wire_fetch {
    struct wire_text hash; /* WIRE_HASH_SIZE bytes */
    uint64_t offset;       /* below WIRE_PLUGIN_MAX */
};

struct wire_heartbeat {
    uint64_t items_done;
    uint32_t held;
    uint64_t cpu_us;
    uint64_t
        coming; /* bytes of the message that follows, when it is a long one: until it is through
                        nothing else can be heard of this worker. At most WIRE_PAYLOAD_MAX */
    uint32_t heartbeat_ms; /* by the coordinator: from now on instead of WELCOME's; 0: as before */
};

struct wire_returned {
    const uint64_t *id;
    size_t count; /* 0 to WIRE_CHUNKS_MAX */
};

/* Of another protocol_major only the versions, build and host of PROBE and ECHO are decoded, and nothing else is
 * checked. */
struct wire_probe {
    uint32_t protocol_major, protocol_minor;
    struct wire_text build, host;
    uint64_t seq;
    uint32_t want; /* bytes of the answer's payload frame, 0 to WIRE_PROBE_MAX */
};

struct wire_echo {
    uint32_t protocol_major, protocol_minor;
    struct wire_text build, host;
    uint64_t seq; /* of the PROBE */
    /* When the PROBE came and when this went, by the coordinator's clock: us since 1970. Decoded: sent_us is not the
     * earlier. */
    uint64_t received_us, sent_us;
    uint32_t got;                   /* bytes of the PROBE's payload frame, 0 to WIRE_PROBE_MAX */
    uint32_t workers, workers_max;  /* registered, and how many may be */
    uint64_t files_max, files_left; /* that the coordinator may have open, and can still open */
    bool running;                   /* a run is on */
};

struct wire_message {
    enum wire_type type;
    uint64_t session; /* >= 1 but for HELLO, REJECT, HEARTBEAT, BYE, PROBE and ECHO */
    uint64_t job;     /* >= 1 for JOB, READY, CHUNKS, RESULTS, CANCEL, FETCH, PART and HOLDING */
    uint64_t ack;

    union {
        struct wire_hello hello;
        struct wire_welcome welcome;
        struct wire_reject reject; /* REJECT and BYE */
        struct wire_job job_spec;
        struct wire_ready ready;
        struct wire_chunks chunks; /* CHUNKS; HOLDING, where payload_len is NULL */
        struct wire_results results;
        struct wire_heartbeat heartbeat;
        struct wire_returned returned;
        struct wire_fetch fetch; /* FETCH and PART */
        struct wire_probe probe;
        struct wire_echo echo;
    } as;
};

/* "HELLO", ...; "?" for an unknown type. */
const char *wire_type_name(enum wire_type type);

/* Text from a NUL-terminated string; NULL gives an empty text. */
struct wire_text wire_text(const char *s);

struct wire_decoder;
struct wire_encoder;

/* Both are reused for every message, so that the hot path does not allocate. NULL without
 * memory. */
struct wire_decoder *wire_decoder_new(void);
void wire_decoder_free(struct wire_decoder *decoder);
struct wire_encoder *wire_encoder_new(void);
void wire_encoder_free(struct wire_encoder *encoder);

/* Would the other side take this message? Returns 0, or ERR_INVALID with the reason. For a
 * message made of a user's input (JOB), which must be refused in words before wire_size aborts. */
int wire_check(struct wire_encoder *encoder,
               const struct wire_message *message,
               struct err_text *ret_error);

/* Decode a header frame. Returns 0, or ERR_PROTOCOL with the reason. A HELLO with another magic
 * is refused; one with another protocol major decodes, so that the coordinator can answer with a
 * REJECT that says which versions met. */
int wire_decode(struct wire_decoder *decoder,
                const void *bytes,
                size_t len,
                struct err_text *ret_error,
                struct wire_message *ret_message);

/* Size in bytes of the header frame for `message` (which wire_check would pass, or it aborts);
 * wire_write then writes exactly so many bytes for that same message, whose texts and arrays
 * must live until then. Two steps so that the caller can make the ZeroMQ message in between and
 * write into it. */
size_t wire_size(struct wire_encoder *encoder, const struct wire_message *message);
void wire_write(struct wire_encoder *encoder, void *ret_bytes);

/* One line for logs and simulator traces: "CHUNKS session=7 job=2 n=3 first=...". Returns
 * `ret_text`. */
char *wire_describe(const struct wire_message *message, char *ret_text, size_t size);

#endif
