/* A process that runs chunks; see executor.h. Single-threaded and blocking: it sleeps in recv
 * when it has nothing to do. */
#include "worker/engine/executor.h"

#include "worker/engine/chunk_run.h"
#include "worker/engine/clock.h"
#include "worker/engine/executor_wire.h"
#include "worker/engine/note_set.h"
#include "worker/workloads/params.h"
#include "worker/workloads/plugin.h"
#include "worker/workloads/registry.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    REPORT_NS = 200 * NS_PER_US,
    RECORDS_KEPT = 2 * RECORDS_ENOUGH_BYTES, /* memory for records that is not given back at once */
};

/* Reads whole messages out of packets. The bytes of one message stay where they are until the
 * next one is asked for. */
struct inbox {
    int fd;
    char *bytes;
    size_t capacity;
    size_t start;
    size_t end;
};

struct executor {
    int fd;
    struct slot_record *record;
    struct inbox inbox;
    struct params params;
    uint64_t range_first;
    struct workload_host host;
    struct note_set notes; /* sent already */
    struct record_buffer records;
    struct chunk_run run;
    bool opened; /* run.slot */
    uint64_t now_ns;
    uint64_t reported_ns;
    bool unreported; /* a result was published since */
};

/* Set by SIGTERM, which is for one executor alone: the only state of this file. */
static volatile sig_atomic_t asked_to_end;

static void on_terminate(int number)
{
    (void)number;
    asked_to_end = 1;
}

/* Without SA_RESTART: what sleeps in a system call wakes. */
static void take_terminate(void)
{
    struct sigaction action = {.sa_handler = on_terminate};
    (void)sigaction(SIGTERM, &action, NULL);
}

static bool is_cancelled(const struct workload_host *host)
{
    (void)host;
    return asked_to_end != 0;
}

_Noreturn static void end(void)
{
    /* Not exit: what the zygote's parent registered and buffered is not ours. */
    _exit(EXIT_SUCCESS);
}

/* The feeder is gone, or has asked for the end: what the slot has started ends with it. */
_Noreturn static void leave(struct executor *self)
{
    if (self->opened) {
        self->run.workload->slot_close(self->run.slot);
    }
    end();
}

static void report(struct executor *self, const struct executor_report *message, size_t size)
{
    if (send(self->fd, message, size, MSG_NOSIGNAL) < 0) {
        end();
    }
}

static void send_note(const struct workload_host *host, const char *text)
{
    char *at = (char *)(uintptr_t)host;
    struct executor *self = (struct executor *)(void *)(at - offsetof(struct executor, host));
    struct executor_report message = {.kind = EXECUTOR_NOTE};
    (void)err_set(&message.error, 0, "%s", text);
    if (note_set_add(&self->notes, message.error.s)) {
        report(self, &message, sizeof(message));
    }
}

static void make_room(struct inbox *inbox, size_t size)
{
    size_t left = inbox->end - inbox->start;
    if (inbox->capacity - inbox->start >= size + EXECUTOR_PACKET_MAX) {
        return;
    }
    if (inbox->capacity < size + EXECUTOR_PACKET_MAX) {
        char *bytes = malloc(size + EXECUTOR_PACKET_MAX);
        if (bytes == NULL) {
            abort(); /* told to the feeder as any other crash; the kernel would kill us next */
        }
        if (left > 0) {
            memcpy(bytes, inbox->bytes + inbox->start, left);
        }
        free(inbox->bytes);
        inbox->bytes = bytes;
        inbox->capacity = size + EXECUTOR_PACKET_MAX;
    } else {
        memmove(inbox->bytes, inbox->bytes + inbox->start, left);
    }
    inbox->start = 0;
    inbox->end = left;
}

/* The next `size` bytes, which stay valid until inbox_skip. Ends the process at the end of the
 * connection, and when it is asked to end. */
static const char *inbox_peek(struct inbox *inbox, size_t size)
{
    make_room(inbox, size);
    while (inbox->end - inbox->start < size) {
        ssize_t got = recv(inbox->fd, inbox->bytes + inbox->end, inbox->capacity - inbox->end, 0);
        if (got <= 0) {
            leave((struct executor *)((char *)inbox - offsetof(struct executor, inbox)));
        }
        inbox->end += (size_t)got;
    }
    return inbox->bytes + inbox->start;
}

static void inbox_skip(struct inbox *inbox, size_t size)
{
    inbox->start += size;
    if (inbox->start == inbox->end) {
        inbox->start = 0;
        inbox->end = 0;
    }
}

static void read_params(struct executor *self, size_t size)
{
    const char *bytes = inbox_peek(&self->inbox, size);
    const char *stop = bytes + size;
    for (const char *name = bytes; name < stop;) {
        const char *value = name + strlen(name) + 1;
        if (params_set(&self->params, name, value) != 0) {
            abort();
        }
        name = value + strlen(value) + 1;
    }
    inbox_skip(&self->inbox, size);
}

/* Finds self->run.workload. Returns 0, or the refusal of plugin_load. */
static int find_workload(struct executor *self,
                         const struct executor_job *job,
                         struct err_text *ret_error)
{
    self->run.workload = job->workload;
    if (job->path_bytes == 0) {
        return 0;
    }
    const char *path = inbox_peek(&self->inbox, job->path_bytes);
    int rc = plugin_load(path, ret_error, &self->run.workload);
    inbox_skip(&self->inbox, job->path_bytes);
    return rc;
}

/* Returns 0, or what the workload says that it is. */
static int open_slot(struct executor *self, struct err_text *ret_error)
{
    const struct workload_ops *workload = self->run.workload;
    void *state = NULL;
    int rc = workload->open(&self->params, &self->host, ret_error, &state);
    if (rc == 0) {
        rc = workload->slot_open(state, ret_error, &self->run.slot);
        self->opened = rc == 0;
    }
    if (rc == 0 && chunk_run_init(&self->run) != 0) {
        rc = err_set(ret_error, ERR_NOMEM, "no memory for a slot of workload %s", workload->name);
    }
    return rc;
}

static void open_workload(struct executor *self, const void *records)
{
    struct executor_job job;
    memcpy(&job, inbox_peek(&self->inbox, sizeof(job)), sizeof(job));
    inbox_skip(&self->inbox, sizeof(job));

    struct executor_report message = {.kind = EXECUTOR_READY, .pid = getpid()};
    int rc = find_workload(self, &job, &message.error);
    read_params(self, job.param_bytes);
    self->range_first = job.range_first;
    if (rc == 0 && records == MAP_FAILED) {
        rc = err_set(&message.error, ERR_NOMEM, "no memory to share records with an executor");
    }
    rc = rc != 0 ? rc : open_slot(self, &message.error);
    if (rc != 0) {
        message.kind = EXECUTOR_OPEN_FAILED;
        report(self, &message, sizeof(message));
        end();
    }
    report(self, &message, EXECUTOR_REPORT_SHORT);
}

static void report_results(struct executor *self)
{
    self->reported_ns = self->now_ns;
    self->unreported = false;
    if (atomic_exchange(&self->record->told, 1) == 0) {
        static const struct executor_report message = {.kind = EXECUTOR_RESULTS};
        report(self, &message, EXECUTOR_REPORT_SHORT);
    }
}

/* The feeder has its copy of the chunk before this one. What large outputs took is given back, so
 * that a pool keeps little; what small ones take is used again, because clearing pages costs. */
static void trim_records(struct executor *self)
{
    if (self->records.len > RECORDS_KEPT) {
        (void)madvise(self->records.bytes, self->records.capacity, MADV_REMOVE);
    }
}

static void run_chunk(struct executor *self, uint32_t seq, const struct chunk_input *input)
{
    struct chunk_run *run = &self->run;
    trim_records(self);
    run->record = self->record;
    run->elsewhere_us = &self->record->elsewhere_us;
    run->seq = seq;
    run->error = slot_record_error(self->record, seq);
    chunk_run_begin(run, input, self->now_ns);
    chunk_run_step(run, &self->host, UINT64_MAX);
    if (asked_to_end) {
        leave(self);
    }
    self->now_ns = clock_now_ns();
    *slot_record_result(self->record, seq) = (struct slot_result){
        .tally = run->tally,
        .run_ns = self->now_ns - run->start_ns,
        .error_index = run->error_index,
        .error_len = run->error_len,
        .records_len = (uint32_t)self->records.len,
    };
    slot_record_publish(self->record, seq);
    self->unreported = true;
    if (self->now_ns - self->reported_ns > REPORT_NS) {
        report_results(self);
    }
}

static void run_batch(struct executor *self, const char *bytes, const struct executor_batch *batch)
{
    const char *payload = bytes + batch->count * sizeof(struct executor_chunk);
    self->now_ns = clock_now_ns();
    self->reported_ns = self->now_ns;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct executor_chunk chunk;
        memcpy(&chunk, bytes + i * sizeof(chunk), sizeof(chunk));
        if (!batch->begun && !slot_record_begin(self->record, batch->seq + i)) {
            break;
        }
        struct chunk_input input = {
            .first = chunk.first,
            .count = chunk.count,
            .range_first = self->range_first,
            .skip = chunk.skip,
            .careful = chunk.careful,
            .payload = chunk.has_payload ? payload : NULL,
            .payload_len = chunk.payload_len,
            .attempt = chunk.attempt,
            .records_before = chunk.records_before,
        };
        run_chunk(self, batch->seq + i, &input);
        payload += chunk.payload_len;
    }
    if (self->unreported) {
        report_results(self);
    }
}

_Noreturn void executor_main(int fd, struct slot_record *record, void *records)
{
    struct executor self = {.fd = fd, .record = record, .inbox = {.fd = fd}};
    workload_host_init(&self.host);
    self.host.cancelled = is_cancelled;
    self.host.note = send_note;
    note_set_init(&self.notes);
    if (records != NULL && records != MAP_FAILED) {
        record_buffer_init_fixed(&self.records, records, RECORDS_MAX);
        self.run.records = &self.records;
    }
    take_terminate();
    open_workload(&self, records);
    for (;;) {
        struct executor_batch batch;
        memcpy(&batch, inbox_peek(&self.inbox, sizeof(batch)), sizeof(batch));
        inbox_skip(&self.inbox, sizeof(batch));
        run_batch(&self, inbox_peek(&self.inbox, batch.bytes), &batch);
        inbox_skip(&self.inbox, batch.bytes);
    }
}
