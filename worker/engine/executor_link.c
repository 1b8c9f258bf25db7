/* One executor as its feeder sees it; see executor_link.h. */
#include "worker/engine/executor_link.h"

#include "common/base/check.h"
#include "worker/engine/chunk_run.h"
#include "worker/engine/clock.h"
#include "worker/engine/zygote_spawn.h"
#include "worker/workloads/params.h"
#include "worker/workloads/plugin.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

void executor_link_init(struct executor_link *link, struct engine_core *core)
{
    CHECK(pthread_mutex_init(&link->lock, NULL) == 0);
    link->core = core;
    link->fd = -1;
    link->state = EXECUTOR_ABSENT;
    link->records.fd = -1;
}

int executor_link_open(struct executor_link *link)
{
    /* Two batches: one being run, one waiting. Chunks of less than 10 ms are worth one in
     * waiting even when the queue is short of batches: a round trip through the feeder is about
     * 0.1 ms. */
    struct share_policy policy = {
        /* With records one: there is one place for them. */
        .chunks_max = link->core->spare_record != NULL ? 1 : SLOT_RING,
        .expected_ns = UINT64_C(400) * NS_PER_US,
        .ahead_ns = UINT64_C(10) * NS_PER_MS,
    };
    struct zygote *zygote = link->core->zygote;
    int rc = zygote_take_place(zygote, &link->error, &link->place);
    if (rc != 0) {
        return rc;
    }
    link->placed = true;
    if (link->core->spare_record != NULL) {
        rc = records_memory_open(&link->records, &link->error);
        if (rc != 0) {
            return rc;
        }
    }
    share_init(&link->share, zygote_record(zygote, link->place), policy);
    atomic_store(&link->share.record->elsewhere_us, 0);
    share_want_records(&link->share, link->core->spare_record, link->records.bytes);
    exchange_add_share(&link->core->exchange, &link->share);
    return 0;
}

void executor_link_deinit(struct executor_link *link)
{
    CHECK(link->fd < 0);
    if (link->resuming) {
        blob_unref(link->lent.chunk.payload);
    }
    carry_begin(&link->carry, NULL);
    records_memory_close(&link->records);
    if (link->placed) {
        zygote_give_place(link->core->zygote, link->place);
    }
    CHECK(pthread_mutex_destroy(&link->lock) == 0);
    free(link->out);
    link->out = NULL;
}

/* --- sending --- */

static int reserve_out(struct executor_link *link, size_t more)
{
    if (link->out_len + more <= link->out_capacity) {
        return 0;
    }
    size_t capacity = 2 * link->out_len + more;
    char *out = realloc(link->out, capacity);
    if (out == NULL) {
        return err_set(&link->error, ERR_NOMEM, "no memory for %zu bytes to an executor", capacity);
    }
    link->out = out;
    link->out_capacity = capacity;
    return 0;
}

static void append(struct executor_link *link, const void *bytes, size_t len)
{
    if (bytes != NULL && len > 0) {
        memcpy(link->out + link->out_len, bytes, len);
        link->out_len += len;
    }
}

bool executor_link_sending(const struct executor_link *link)
{
    return link->out_len > 0;
}

int executor_link_flush(struct executor_link *link)
{
    while (link->out_sent < link->out_len) {
        size_t size = link->out_len - link->out_sent;
        size = size < EXECUTOR_PACKET_MAX ? size : EXECUTOR_PACKET_MAX;
        ssize_t sent = send(link->fd, link->out + link->out_sent, size, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS)) {
            return 0;
        }
        if (sent < 0) {
            return ERR_GONE;
        }
        link->out_sent += (size_t)sent;
    }
    link->out_len = 0;
    link->out_sent = 0;
    return 0;
}

static int send_job(struct executor_link *link)
{
    const struct params *params = &link->core->params;
    const char *plugin = plugin_path_of(link->core->workload);
    struct executor_job job = {
        .workload = plugin == NULL ? link->core->workload : NULL,
        .path_bytes = plugin == NULL ? 0 : strlen(plugin) + 1,
        .range_first = link->core->range_first,
    };
    for (size_t i = 0; i < params->count; i++) {
        job.param_bytes += strlen(params->list[i].name) + strlen(params->list[i].value) + 2;
    }
    link->out_len = 0;
    link->out_sent = 0;
    int rc = reserve_out(link, sizeof(job) + job.path_bytes + job.param_bytes);
    if (rc != 0) {
        return rc;
    }
    append(link, &job, sizeof(job));
    append(link, plugin, job.path_bytes);
    for (size_t i = 0; i < params->count; i++) {
        append(link, params->list[i].name, strlen(params->list[i].name) + 1);
        append(link, params->list[i].value, strlen(params->list[i].value) + 1);
    }
    return executor_link_flush(link);
}

int executor_link_start(struct executor_link *link)
{
    slot_record_reset(link->share.record, link->share.issued);
    int rc = zygote_spawn(
        link->core->zygote, link->place, link->records.fd, &link->error, &link->fd);
    if (rc != 0) {
        return rc;
    }
    link->state = EXECUTOR_STARTING;
    return send_job(link);
}

void executor_link_end(struct executor_link *link)
{
    executor_link_kill(link);
    while (link->state != EXECUTOR_ABSENT) {
        struct pollfd polled = {.fd = link->fd, .events = POLLIN};
        (void)poll(&polled, 1, -1);
        (void)executor_link_receive(link);
    }
}

void executor_link_terminate(struct executor_link *link)
{
    zygote_terminate(link->core->zygote, link->place);
}

void executor_link_kill(struct executor_link *link)
{
    zygote_kill(link->core->zygote, link->place);
}

/* Append the chunks [seq, seq + count) of the share as one batch. */
static int append_batch(struct executor_link *link, uint32_t seq, uint32_t count, bool resumed)
{
    struct chunk_input inputs[SLOT_RING];
    struct executor_batch batch = {.seq = seq, .count = count, .begun = resumed};
    batch.bytes = count * sizeof(struct executor_chunk);
    for (uint32_t i = 0; i < count; i++) {
        inputs[i] = engine_core_input(link->core, share_chunk(&link->share, seq + i));
        batch.bytes += inputs[i].payload_len;
    }
    int rc = reserve_out(link, sizeof(batch) + batch.bytes);
    if (rc != 0) {
        return rc;
    }
    append(link, &batch, sizeof(batch));
    for (uint32_t i = 0; i < count; i++) {
        struct executor_chunk chunk = {
            .first = inputs[i].first,
            .count = inputs[i].count,
            .skip = resumed ? carry_count(&link->carry) : 0,
            .careful = resumed ? link->careful : 0,
            .attempt = inputs[i].attempt,
            .records_before = resumed ? (uint32_t)link->carry.records.len : 0,
            .payload_len = (uint32_t)inputs[i].payload_len,
            .has_payload = inputs[i].payload != NULL,
        };
        append(link, &chunk, sizeof(chunk));
    }
    for (uint32_t i = 0; i < count; i++) {
        append(link, inputs[i].payload, inputs[i].payload_len);
    }
    return 0;
}

bool executor_link_idle(const struct executor_link *link)
{
    return link->state == EXECUTOR_RUNNING && !executor_link_sending(link) &&
           share_outstanding(&link->share) == 0;
}

int executor_link_feed(struct executor_link *link, uint64_t now_ns)
{
    struct share *share = &link->share;
    struct exchange *exchange = &link->core->exchange;
    uint32_t expected = share->expected;
    int rc = 0;
    link->due = false;
    /* Before looking: what is published after this will be reported again. */
    (void)atomic_exchange(&share->record->told, 0);
    if (link->resuming) {
        exchange_give(exchange, share, &link->lent, &link->carry);
        rc = append_batch(link, share->issued - 1, 1, true);
        link->resuming = false;
        expected = share->expected;
    }
    uint32_t given = exchange_turn(exchange, share, EXCHANGE_NO_WAIT, now_ns);
    if (share->expected != expected) {
        link->false_starts = 0;
    }
    if (given > 0 && rc == 0) {
        rc = append_batch(link, share->issued - given, given, false);
    }
    return rc == 0 && executor_link_sending(link) ? executor_link_flush(link) : rc;
}

/* --- the end of a process --- */

struct process_end {
    char how[CHUNK_ERROR_SIZE]; /* in words */
    int signal;                 /* 0: none */
    int exit_status;
};

static void describe_end(int status, struct process_end *ret_end)
{
    *ret_end = (struct process_end){.signal = 0};
    if (WIFSIGNALED(status)) {
        ret_end->signal = WTERMSIG(status);
        const char *name = sigdescr_np(ret_end->signal);
        (void)snprintf(ret_end->how,
                       sizeof(ret_end->how),
                       "killed by signal %d (%s)",
                       ret_end->signal,
                       name != NULL ? name : "unknown");
    } else {
        ret_end->exit_status = WEXITSTATUS(status);
        (void)snprintf(
            ret_end->how, sizeof(ret_end->how), "exited with status %d", ret_end->exit_status);
    }
}

/* What the process last noted of this chunk; with `block` 0 and nothing done when it had not come
 * to note anything, or has left nonsense. */
static struct slot_progress progress_of(const struct executor_link *link, uint32_t seq)
{
    struct slot_progress progress = slot_record_progress(link->share.record);
    uint64_t skip = carry_count(&link->carry);
    uint64_t left = link->lent.chunk.count - skip;
    uint64_t done = progress.done - skip;
    if (progress.seq != seq || done > left || progress.block > left - done ||
        progress.tally.ok > done || progress.tally.failed != done - progress.tally.ok ||
        progress.error_len > CHUNK_ERROR_SIZE) {
        return (struct slot_progress){.done = skip, .start_ns = clock_now_ns()};
    }
    return progress;
}

/* The item that the process was at, from its beginning until now. */
static struct record crash_record(const struct process_end *end, uint64_t item_ns)
{
    struct record record = carry_failure(RECORD_CRASHED, end->how);
    uint64_t now_ns = clock_now_ns();
    if (item_ns < now_ns && item_ns > 0) {
        record.run_us = (now_ns - item_ns) / NS_PER_US;
        record.start_us -= record.run_us;
    }
    record.signal = (uint8_t)end->signal;
    record.exit_status = (uint8_t)end->exit_status;
    return record;
}

static void carry_progress(struct executor_link *link,
                           uint32_t seq,
                           const struct slot_progress *progress)
{
    struct carry_part part = {
        .tally = progress->tally,
        .error_index = progress->error_index,
        .error = slot_record_error(link->share.record, seq),
        .error_len = progress->error_len,
        .records = link->records.bytes,
        .records_len = progress->records_len,
    };
    carry_add(&link->carry, &link->lent.chunk, &part);
    link->carry.run_ns += clock_now_ns() - progress->start_ns;
}

/* The process has ended in the middle of a chunk: keep what it had done, and blame the item
 * that it was at. In a block of items run at once the culprit is not known; they are run again
 * one by one, and then it is. With enough records the chunk ends here, and whoever was at fault
 * is found in the next one. */
static void account_for_crash(struct executor_link *link,
                              uint32_t seq,
                              const struct process_end *end)
{
    struct carry *carry = &link->carry;
    uint64_t before = carry_count(carry);
    struct slot_progress progress = progress_of(link, seq);
    carry_progress(link, seq, &progress);
    if (progress.block == 1 && !carry_enough(carry)) {
        struct record record = crash_record(end, progress.item_ns);
        carry_fail(carry, &link->lent.chunk, 1, &record);
    } else if (progress.block > 1) {
        link->careful = progress.done + progress.block;
    }
    /* For want of memory a record may be missing; such an item is tried again, but not for ever. */
    if (progress.block > 1 || carry_count(carry) > before) {
        link->false_starts = 0;
    }
}

static void finish_chunk(struct executor_link *link)
{
    struct exchange_done done = {.result = carry_result(&link->carry, &link->lent.chunk),
                                 .place = link->lent.place};
    blob_unref(link->lent.chunk.payload);
    link->resuming = false;
    (void)exchange_trade(&link->core->exchange, &done, 1, NULL, 0);
}

void executor_link_abandon(struct executor_link *link)
{
    if (!link->resuming) {
        return;
    }
    struct record record = carry_failure(RECORD_FAILED, link->error.s);
    carry_fail(&link->carry,
               &link->lent.chunk,
               link->lent.chunk.count - carry_count(&link->carry),
               &record);
    finish_chunk(link);
}

static void recover(struct executor_link *link, const struct process_end *end)
{
    struct share *share = &link->share;
    struct exchange_lent begun;
    uint32_t seq;
    uint32_t expected = share->expected;
    link->false_starts++;
    if (!exchange_recover(&link->core->exchange, share, &begun, &seq)) {
        return;
    }
    if (seq != expected) {
        link->false_starts = 0;
    }
    /* The carry is still there when the chunk to which it belongs is the one that was begun. */
    if (share->carry == NULL) {
        carry_begin(&link->carry, link->core->spare_record);
        link->careful = 0;
    }
    share->carry = NULL;
    link->lent = begun;
    link->resuming = true;
    account_for_crash(link, seq, end);
    if (carry_count(&link->carry) == link->lent.chunk.count || carry_enough(&link->carry)) {
        finish_chunk(link);
    }
}

static void on_end(struct executor_link *link, const struct process_end *end, uint64_t cpu_us)
{
    pthread_mutex_lock(&link->lock);
    /* What wait(2) told has the CPU time of its children in it as well. */
    uint64_t live_us = link->live_us + atomic_exchange(&link->share.record->elsewhere_us, 0);
    link->ended_us += cpu_us > live_us ? cpu_us : live_us;
    link->live_us = 0;
    link->clock_valid = false;
    pthread_mutex_unlock(&link->lock);

    if (link->state == EXECUTOR_STARTING) {
        link->false_starts++;
    } else {
        recover(link, end);
    }
    if (link->error.s[0] == '\0') {
        (void)err_set(&link->error, ERR_CHILD, "an executor %s", end->how);
    }
    link->state = EXECUTOR_ABSENT;
    (void)close(link->fd);
    link->fd = -1;
    link->out_len = 0;
    link->out_sent = 0;
}

/* --- reports --- */

static void on_ready(struct executor_link *link, pid_t pid)
{
    link->state = EXECUTOR_RUNNING;
    link->proven = true;
    link->error.s[0] = '\0';
    link->due = true;
    pthread_mutex_lock(&link->lock);
    link->clock_valid = clock_getcpuclockid(pid, &link->clock) == 0;
    pthread_mutex_unlock(&link->lock);
}

/* A process that went wild may leave the end of it out. */
static void take_text(struct executor_report *report, ssize_t got, struct err_text *ret_text)
{
    if (got < (ssize_t)sizeof(*report)) {
        (void)err_set(ret_text, 0, "an executor sent a message of %zd bytes", got);
        return;
    }
    report->error.s[sizeof(report->error.s) - 1] = '\0';
    *ret_text = report->error;
}

bool executor_link_receive(struct executor_link *link)
{
    struct executor_report report;
    struct err_text text;
    struct process_end end = {.how = "was killed together with the zygote"};
    ssize_t got = recv(link->fd, &report, sizeof(report), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    if (got < EXECUTOR_REPORT_SHORT) {
        on_end(link, &end, 0);
        return false;
    }
    switch (report.kind) {
    case EXECUTOR_READY:
        on_ready(link, report.pid);
        return true;
    case EXECUTOR_RESULTS:
        /* Seldom is there another one behind it; if there is, the next wait returns at once. */
        link->due = true;
        return false;
    case EXECUTOR_OPEN_FAILED:
        take_text(&report, got, &link->error);
        return true;
    case EXECUTOR_NOTE:
        take_text(&report, got, &text);
        engine_core_note(link->core, text.s);
        return true;
    case EXECUTOR_EXITED:
        describe_end(report.status, &end);
        on_end(link, &end, report.cpu_us);
        return false;
    case EXECUTOR_NOT_FORKED:
        (void)err_set(&link->error,
                      ERR_CHILD,
                      "cannot fork an executor: %s (ask for fewer, or raise ulimit -u)",
                      strerrordesc_np(report.status));
        on_end(link, &end, 0);
        return false;
    }
    return true;
}

uint64_t executor_link_cpu_us(struct executor_link *link)
{
    struct timespec used;
    pthread_mutex_lock(&link->lock);
    if (link->clock_valid && clock_gettime(link->clock, &used) == 0) {
        uint64_t now_us = (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / NS_PER_US;
        if (now_us > link->live_us) {
            link->live_us = now_us;
        }
    }
    uint64_t sum_us = link->ended_us + link->live_us;
    if (link->placed && link->share.record != NULL) {
        sum_us += atomic_load(&link->share.record->elsewhere_us);
    }
    pthread_mutex_unlock(&link->lock);
    return sum_us;
}
