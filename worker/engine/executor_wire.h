/* What goes over an executor's connection. Both ends are the same program image (the zygote is a
 * fork), so that plain structs and pointers to constant data travel as they are. */
#ifndef QUARTET_WORKER_ENGINE_EXECUTOR_WIRE_H
#define QUARTET_WORKER_ENGINE_EXECUTOR_WIRE_H

#include "common/base/err.h"
#include "worker/workloads/workload.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Messages to an executor are cut into packets of at most this size: the kernel refuses more
 * than about 208 KiB. */
enum { EXECUTOR_PACKET_MAX = 64 * 1024 };

/* To the executor, first: what to run. Then `path_bytes`: the path of a plugin and its NUL; what
 * the owner has loaded since the fork is not there in an executor, which has to load it itself.
 * Then `param_bytes`: name NUL value NUL, for each parameter. */
struct executor_job {
    const struct workload_ops *workload; /* built in; NULL: a plugin */
    uint64_t path_bytes;                 /* 0: none */
    uint64_t range_first;
    uint64_t param_bytes;
};

/* To the executor, any number of times: `count` struct executor_chunk, then their payloads,
 * `bytes` in all. Chunk i has the seq `seq + i`; when one was revoked so are those behind it. A
 * chunk of which a part was run before has been begun by the feeder already, and is alone in its
 * batch. */
struct executor_batch {
    uint64_t bytes;
    uint32_t seq;
    uint32_t count;
    bool begun;
};

struct executor_chunk {
    uint64_t first;
    uint64_t count;
    uint64_t skip;
    uint64_t careful;
    uint32_t payload_len;
    uint32_t has_payload;
    uint32_t attempt;
    uint32_t records_before;
};

enum executor_report_kind {
    EXECUTOR_READY = 1,   /* workload and slot are open; `pid` is set */
    EXECUTOR_OPEN_FAILED, /* they could not be opened: `error` */
    EXECUTOR_RESULTS,     /* look at the slot record */
    EXECUTOR_NOTE,        /* the workload has something to say: `error` */
    EXECUTOR_EXITED, /* from the zygote: `status` as of wait, `cpu_us` of the whole life. The last one */
    EXECUTOR_NOT_FORKED, /* from the zygote: `status` is errno. The last one */
};

/* From the executor, one packet each; `error` is cut off unless it is used. */
struct executor_report {
    enum executor_report_kind kind;
    pid_t pid;
    int status;
    uint64_t cpu_us;
    struct err_text error;
};

enum { EXECUTOR_REPORT_SHORT = offsetof(struct executor_report, error) };

#endif
