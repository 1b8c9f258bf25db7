/* What a child came to, in numbers and in words. */
#include "common/base/err.h"
#include "worker/workloads/exec_child.h"
#include "worker/workloads/mark.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

enum { LAST_LINE_SIZE = 161 };

/* Every byte of the outcome but the text of the error, whose first one is enough: 240 bytes are
 * not cleared for each item. */
static void clear(struct workload_outcome *outcome)
{
    memset(outcome, 0, offsetof(struct workload_outcome, error) + 1);
}

static void set_error(struct workload_outcome *outcome, const char *reason)
{
    (void)snprintf(outcome->error, WORKLOAD_ERROR_SIZE, "%.*s", WORKLOAD_ERROR_SIZE - 1, reason);
}

void exec_outcome_fail(const char *reason, struct workload_outcome *ret_outcome)
{
    clear(ret_outcome);
    set_error(ret_outcome, reason);
}

/* The item, how the command ended, and what it wrote to standard output. */
static uint64_t checksum(const struct exec_child *self, const struct spawn_end *end)
{
    const struct capture *out = &self->captures[EXEC_OUT];
    const uint64_t about[] = {mark_item(self->item), (uint64_t)end->exit_status, out->total};
    uint64_t seed = XXH3_64bits(about, sizeof(about));
    return XXH3_64bits_withSeed(out->bytes, out->len, seed);
}

static void describe_limit(const struct exec_child *self, struct err_text *ret_reason)
{
    double seconds = (double)self->limit_ns / 1e9;
    if (time_limit_moves(&self->state->limit)) {
        (void)err_set(ret_reason,
                      0,
                      "took longer than %.4g s, which is %.4g %% of the median",
                      seconds,
                      self->state->limit.of_median * 100);
    } else {
        (void)err_set(ret_reason, 0, "took longer than %.4g s", seconds);
    }
}

static void describe_end(const struct exec_child *self,
                         const struct spawn_end *end,
                         struct err_text *ret_reason)
{
    char line[LAST_LINE_SIZE];
    const char *colon = "";
    if (*capture_last_line(&self->captures[EXEC_ERR], line, sizeof(line)) != '\0') {
        colon = ": ";
    }
    if (end->signal != 0) {
        const char *name = sigdescr_np(end->signal);
        (void)err_set(ret_reason,
                      0,
                      "killed by signal %d (%s)%s%s",
                      end->signal,
                      name != NULL ? name : "unknown",
                      colon,
                      line);
    } else {
        (void)err_set(ret_reason, 0, "exited with status %d%s%s", end->exit_status, colon, line);
    }
}

static void set_captured(const struct exec_child *self, struct workload_outcome *outcome)
{
    const struct capture *out = &self->captures[EXEC_OUT];
    const struct capture *err = &self->captures[EXEC_ERR];
    outcome->bytes = out->total;
    outcome->out = out->len > 0 ? out->bytes : "";
    outcome->out_len = out->len;
    outcome->err = err->len > 0 ? err->bytes : "";
    outcome->err_len = err->len;
    outcome->flags = (capture_is_cut(out) ? WORKLOAD_OUT_TRUNCATED : 0U) |
                     (capture_is_cut(err) ? WORKLOAD_ERR_TRUNCATED : 0U) |
                     (self->timed_out ? WORKLOAD_TIMED_OUT : 0U);
}

/* Less was kept than the user allowed: elsewhere the item would come to something else. */
static bool is_short(const struct exec_child *self)
{
    return capture_is_short(&self->captures[EXEC_OUT]) ||
           capture_is_short(&self->captures[EXEC_ERR]);
}

void exec_outcome_set(const struct exec_child *self,
                      const struct spawn_end *end,
                      struct workload_outcome *ret_outcome)
{
    struct err_text reason = {.s = ""};
    clear(ret_outcome);
    set_captured(self, ret_outcome);
    ret_outcome->exit_status = end->exit_status;
    ret_outcome->signal = end->signal;
    ret_outcome->cpu_us = end->cpu_us;
    bool ended_well = self->phase == EXEC_RUNNING && end->exit_status == 0 && end->signal == 0;
    ret_outcome->ok = ended_well && !is_short(self);
    if (ret_outcome->ok) {
        ret_outcome->checksum = checksum(self, end);
        return;
    }
    if (self->timed_out) {
        describe_limit(self, &reason);
    } else if (self->phase != EXEC_RUNNING) {
        (void)err_set(&reason, 0, "cancelled");
    } else if (ended_well) {
        (void)err_set(&reason, 0, "no memory for what the command wrote");
    } else {
        describe_end(self, end, &reason);
    }
    set_error(ret_outcome, reason.s);
}
