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
}

int executor_link_open(struct executor_link *link)
{
    /* Two batches: one being run, one waiting. Chunks of less than 10 ms are worth one in
     * waiting even when the queue is short of batches: a round trip through the feeder is about
     * 0.1 ms. */
    static const struct share_policy policy = {
        .chunks_max = SLOT_RING,
        .expected_ns = UINT64_C(400) * NS_PER_US,
        .ahead_ns = UINT64_C(10) * NS_PER_MS,
    };
    struct zygote *zygote = link->core->zygote;
    int rc = zygote_take_place(zygote, &link->error, &link->place);
    if (rc == 0) {
        link->placed = true;
        share_init(&link->share, zygote_record(zygote, link->place), policy);
        exchange_add_share(&link->core->exchange, &link->share);
    }
    return rc;
}

void executor_link_deinit(struct executor_link *link)
{
    CHECK(link->fd < 0);
    if (link->resuming) {
        blob_unref(link->chunk.payload);
    }
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
    int rc = zygote_spawn(link->core->zygote, link->place, &link->error, &link->fd);
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
            .skip = resumed ? link->skip : 0,
            .careful = resumed ? link->careful : 0,
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
        exchange_give(exchange, share, &link->chunk, &link->carry);
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

static void describe_end(int status, char *ret_text, size_t size)
{
    if (WIFSIGNALED(status)) {
        const char *name = sigdescr_np(WTERMSIG(status));
        (void)snprintf(ret_text,
                       size,
                       "killed by signal %d (%s)",
                       WTERMSIG(status),
                       name != NULL ? name : "unknown");
    } else {
        (void)snprintf(ret_text, size, "exited with status %d", WEXITSTATUS(status));
    }
}

/* What the process last noted of this chunk; with `block` 0 when it had not come to note
 * anything, or has left nonsense. */
static struct slot_progress progress_of(const struct executor_link *link, uint32_t seq)
{
    struct slot_progress progress = slot_record_progress(link->share.record);
    uint64_t left = link->chunk.count - link->skip;
    uint64_t done = progress.done - link->skip;
    if (progress.seq != seq || done >= left || progress.block > left - done ||
        progress.tally.ok > done || progress.tally.failed != done - progress.tally.ok ||
        progress.error_len > CHUNK_ERROR_SIZE) {
        return (struct slot_progress){.done = link->skip, .start_ns = clock_now_ns()};
    }
    return progress;
}

static void carry_error(struct carry *carry, uint64_t index, const char *error, size_t len)
{
    if (carry->tally.failed == 0) {
        carry->error_index = index;
        carry->error_len = (uint32_t)len;
        memcpy(carry->error, error, len);
    }
}

/* The process has ended in the middle of link->chunk: keep what it had done, and blame the item
 * that it was at. In a block of items run at once the culprit is not known; they are run again
 * one by one, and then it is. */
static void account_for_crash(struct executor_link *link, uint32_t seq, const char *how)
{
    struct carry *carry = &link->carry;
    struct slot_progress progress = progress_of(link, seq);
    if (progress.tally.failed > 0) {
        carry_error(carry,
                    progress.error_index,
                    slot_record_error(link->share.record, seq),
                    progress.error_len);
    }
    tally_merge(&carry->tally, &progress.tally);
    carry->run_ns += clock_now_ns() - progress.start_ns;
    link->skip = progress.done;
    if (progress.block == 1) {
        carry_error(carry, link->chunk.first + progress.done, how, strlen(how));
        carry->tally.failed++;
        link->skip++;
    } else if (progress.block > 1) {
        link->careful = progress.done + progress.block;
    }
    if (progress.block > 0) {
        link->false_starts = 0;
    }
}

static void finish_chunk(struct executor_link *link)
{
    struct carry *carry = &link->carry;
    struct chunk_result result = {
        .id = link->chunk.id,
        .attempt = link->chunk.attempt,
        .run_us = carry->run_ns / NS_PER_US,
        .tally = carry->tally,
        .error_index = carry->error_index,
        .error = carry->error_len > 0 ? malloc(carry->error_len) : NULL,
    };
    if (result.error != NULL) {
        memcpy(result.error, carry->error, carry->error_len);
        result.error_len = carry->error_len;
    }
    blob_unref(link->chunk.payload);
    link->resuming = false;
    (void)exchange_trade(&link->core->exchange, &result, 1, NULL, 0);
}

void executor_link_abandon(struct executor_link *link)
{
    if (!link->resuming) {
        return;
    }
    carry_error(&link->carry,
                link->chunk.first + link->skip,
                link->error.s,
                strnlen(link->error.s, CHUNK_ERROR_SIZE));
    link->carry.tally.failed += link->chunk.count - link->skip;
    finish_chunk(link);
}

static void recover(struct executor_link *link, const char *how)
{
    struct share *share = &link->share;
    struct chunk begun;
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
        link->carry = (struct carry){.run_ns = 0};
        link->skip = 0;
        link->careful = 0;
    }
    share->carry = NULL;
    link->chunk = begun;
    link->resuming = true;
    account_for_crash(link, seq, how);
    if (link->skip == link->chunk.count) {
        finish_chunk(link);
    }
}

static void on_end(struct executor_link *link, const char *how, uint64_t cpu_us)
{
    pthread_mutex_lock(&link->lock);
    link->ended_us += cpu_us > link->live_us ? cpu_us : link->live_us;
    link->live_us = 0;
    link->clock_valid = false;
    pthread_mutex_unlock(&link->lock);

    if (link->state == EXECUTOR_STARTING) {
        link->false_starts++;
    } else {
        recover(link, how);
    }
    if (link->error.s[0] == '\0') {
        (void)err_set(&link->error, ERR_CHILD, "an executor %s", how);
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

bool executor_link_receive(struct executor_link *link)
{
    struct executor_report report;
    char how[CHUNK_ERROR_SIZE] = "was killed together with the zygote";
    ssize_t got = recv(link->fd, &report, sizeof(report), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    if (got < EXECUTOR_REPORT_SHORT) {
        on_end(link, how, 0);
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
        link->error = report.error;
        return true;
    case EXECUTOR_EXITED:
        describe_end(report.status, how, sizeof(how));
        on_end(link, how, report.cpu_us);
        return false;
    case EXECUTOR_NOT_FORKED:
        (void)err_set(&link->error,
                      ERR_CHILD,
                      "cannot fork an executor: %s (ask for fewer, or raise ulimit -u)",
                      strerrordesc_np(report.status));
        on_end(link, how, 0);
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
    pthread_mutex_unlock(&link->lock);
    return sum_us;
}
