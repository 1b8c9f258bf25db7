/* The engine's test rig; see test_engine_rig.h. */
#include "test_engine_rig.h"

#include "common/base/items.h"
#include "worker/workloads/params.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

/* One page for all engines of a test program: workloads have no other way to it. */
static struct rig_shared *shared;

/* --- workloads --- */

struct rig_state {
    const struct workload_host *host;
};

static int open_state(const struct params *params,
                      const struct workload_host *host,
                      struct err_text *ret_error,
                      void **ret_state)
{
    (void)params;
    atomic_fetch_add(&shared->opened, 1);
    if (atomic_load(&shared->open_fails) != 0) {
        return err_set(ret_error, ERR_IO, "open was told to fail");
    }
    struct rig_state *state = malloc(sizeof(*state));
    assert_non_null(state);
    state->host = host;
    *ret_state = state;
    return 0;
}

static void close_state(void *state)
{
    free(state);
}

/* A slot is a pointer to memory of its own, so that a leak or a double close shows. */
static int slot_open(void *state, struct err_text *ret_error, void **ret_slot)
{
    (void)ret_error;
    struct rig_state **slot = malloc(sizeof(struct rig_state *));
    assert_non_null(slot);
    *slot = state;
    *ret_slot = slot;
    return 0;
}

static void slot_close(void *slot)
{
    free(slot);
}

static uint64_t mix(uint64_t number)
{
    return (number + 1) * 0x9E3779B97F4A7C15U;
}

static void run_sum(void *slot, const struct workload_item *item, struct workload_outcome *outcome)
{
    (void)slot;
    outcome->ok = true;
    outcome->checksum = mix(item->number);
    outcome->bytes = 8;
}

#define RIG_COMMON                                                                                 \
    .summary = "a test", .open = open_state, .close = close_state, .slot_open = slot_open,         \
    .slot_close = slot_close

const struct workload_ops rig_sum = {WORKLOAD_ABI,
                                     .name = "sum",
                                     RIG_COMMON,
                                     .traits = WORKLOAD_NUMBERS,
                                     .run = run_sum};

static void run_sum_numbers(void *slot,
                            uint64_t first,
                            uint64_t count,
                            uint64_t *checksum,
                            uint64_t *bytes)
{
    (void)slot;
    for (uint64_t i = 0; i < count; i++) {
        *checksum += mix(first + i);
    }
    *bytes += 8 * count;
}

const struct workload_ops rig_batch = {WORKLOAD_ABI,
                                       .name = "batch",
                                       RIG_COMMON,
                                       .traits = WORKLOAD_NUMBERS,
                                       .run = run_sum,
                                       .run_numbers = run_sum_numbers,
                                       .numbers_per_batch = 100};

static void run_hash(void *slot, const struct workload_item *item, struct workload_outcome *outcome)
{
    (void)slot;
    uint64_t hash = 14695981039346656037U;
    for (size_t i = 0; i < item->bytes_len; i++) {
        hash = (hash ^ (unsigned char)item->bytes[i]) * 1099511628211U;
    }
    outcome->ok = item->bytes[item->bytes_len] == '\0';
    outcome->checksum = hash + item->index;
    outcome->bytes = item->bytes_len;
}

const struct workload_ops rig_hash = {WORKLOAD_ABI,
                                      .name = "hash",
                                      RIG_COMMON,
                                      .traits = WORKLOAD_BYTES,
                                      .run = run_hash};

static void run_third(void *slot,
                      const struct workload_item *item,
                      struct workload_outcome *outcome)
{
    run_sum(slot, item, outcome);
    outcome->ok = item->number % 3 != 0;
    (void)snprintf(outcome->error,
                   sizeof(outcome->error),
                   "number %llu is a multiple of 3",
                   (unsigned long long)item->number);
}

const struct workload_ops rig_third = {WORKLOAD_ABI,
                                       .name = "third",
                                       RIG_COMMON,
                                       .traits = WORKLOAD_NUMBERS,
                                       .run = run_third};

static void run_gate(void *slot, const struct workload_item *item, struct workload_outcome *outcome)
{
    struct rig_state *const *state = slot;
    run_sum(slot, item, outcome);
    if (item->number < RIG_GATE_NUMBER) {
        return;
    }
    atomic_fetch_add(&shared->gate_items, 1);
    (void)sem_post(&shared->begun);
    while (!atomic_load(&shared->gate_open) && !(*state)->host->cancelled((*state)->host)) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

const struct workload_ops rig_gate = {WORKLOAD_ABI,
                                      .name = "gate",
                                      RIG_COMMON,
                                      .traits = WORKLOAD_NUMBERS,
                                      .run = run_gate};

static uint64_t thread_cpu_us(void)
{
    struct timespec used;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

static void run_burn(void *slot, const struct workload_item *item, struct workload_outcome *outcome)
{
    uint64_t until_us = thread_cpu_us() + RIG_BURN_US;
    while (thread_cpu_us() < until_us) {
    }
    run_sum(slot, item, outcome);
}

const struct workload_ops rig_burn = {WORKLOAD_ABI,
                                      .name = "burn",
                                      RIG_COMMON,
                                      .traits = WORKLOAD_NUMBERS,
                                      .run = run_burn};

static int open_refused(const struct params *params,
                        const struct workload_host *host,
                        struct err_text *ret_error,
                        void **ret_state)
{
    (void)params;
    (void)host;
    (void)ret_state;
    return err_set(ret_error, ERR_IO, "this workload never opens");
}

const struct workload_ops rig_no_open = {WORKLOAD_ABI,
                                         .name = "no-open",
                                         .summary = "a test",
                                         .traits = WORKLOAD_NUMBERS,
                                         .open = open_refused,
                                         .close = close_state,
                                         .slot_open = slot_open,
                                         .slot_close = slot_close,
                                         .run = run_sum};

static int slot_refused(void *state, struct err_text *ret_error, void **ret_slot)
{
    (void)state;
    (void)ret_slot;
    return err_set(ret_error, ERR_IO, "this slot never opens");
}

const struct workload_ops rig_no_slot = {WORKLOAD_ABI,
                                         .name = "no-slot",
                                         .summary = "a test",
                                         .traits = WORKLOAD_NUMBERS,
                                         .open = open_state,
                                         .close = close_state,
                                         .slot_open = slot_refused,
                                         .slot_close = slot_close,
                                         .run = run_sum};

/* --- an asynchronous form: every item is a timer, of 0 or 1 ms --- */

struct rig_timers {
    uv_loop_t *loop;
    struct rig_timer *first; /* outstanding */
};

struct rig_timer {
    uv_timer_t timer;
    struct rig_timers *owner;
    struct workload_call *call;
    struct rig_timer *next;
    struct rig_timer **link; /* what points to this one */
};

static int timers_open(void *state,
                       struct uv_loop_s *loop,
                       struct err_text *ret_error,
                       void **ret_async)
{
    (void)state;
    (void)ret_error;
    struct rig_timers *timers = calloc(1, sizeof(*timers));
    assert_non_null(timers);
    timers->loop = loop;
    *ret_async = timers;
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void end_timer(struct rig_timer *timer, const struct workload_outcome *outcome)
{
    struct workload_call *call = timer->call;
    *timer->link = timer->next;
    if (timer->next != NULL) {
        timer->next->link = timer->link;
    }
    uv_close((uv_handle_t *)&timer->timer, on_timer_closed);
    call->done(call, outcome);
}

static void on_timer(uv_timer_t *handle)
{
    struct rig_timer *timer = handle->data;
    struct workload_outcome outcome = {.ok = false};
    run_sum(NULL, &timer->call->item, &outcome);
    end_timer(timer, &outcome);
}

static void timers_start(void *async, struct workload_call *call)
{
    struct rig_timers *timers = async;
    struct rig_timer *timer = calloc(1, sizeof(*timer));
    assert_non_null(timer);
    timer->owner = timers;
    timer->call = call;
    timer->next = timers->first;
    timer->link = &timers->first;
    if (timer->next != NULL) {
        timer->next->link = &timer->next;
    }
    timers->first = timer;
    (void)uv_timer_init(timers->loop, &timer->timer);
    timer->timer.data = timer;
    bool forever = call->item.number >= RIG_GATE_NUMBER;
    if (forever) {
        (void)sem_post(&shared->begun);
    }
    (void)uv_timer_start(&timer->timer, on_timer, forever ? UINT32_MAX : call->item.number % 2, 0);
}

static void timers_cancel(void *async)
{
    struct rig_timers *timers = async;
    while (timers->first != NULL) {
        struct workload_outcome outcome = {.ok = false, .error = "cancelled"};
        end_timer(timers->first, &outcome);
    }
}

static void timers_close(void *async)
{
    struct rig_timers *timers = async;
    assert_null(timers->first);
    free(timers);
}

const struct workload_ops rig_timer = {WORKLOAD_ABI,
                                       .name = "timer",
                                       RIG_COMMON,
                                       .traits = WORKLOAD_NUMBERS,
                                       .run = run_sum,
                                       .async_open = timers_open,
                                       .async_start = timers_start,
                                       .async_cancel = timers_cancel,
                                       .async_close = timers_close};

static int async_refused(void *state,
                         struct uv_loop_s *loop,
                         struct err_text *ret_error,
                         void **ret_async)
{
    (void)state;
    (void)loop;
    (void)ret_async;
    return err_set(ret_error, ERR_IO, "this loop is not good enough");
}

const struct workload_ops rig_no_async = {WORKLOAD_ABI,
                                          .name = "no-async",
                                          RIG_COMMON,
                                          .traits = WORKLOAD_NUMBERS,
                                          .run = run_sum,
                                          .async_open = async_refused,
                                          .async_start = timers_start,
                                          .async_cancel = timers_cancel,
                                          .async_close = timers_close};

/* --- workloads that crash --- */

static void crash_at(uint64_t number)
{
    if (number == 7) {
        (void)raise(SIGSEGV);
    }
    if (number == 9) {
        _exit(3);
    }
}

static void run_crash(void *slot,
                      const struct workload_item *item,
                      struct workload_outcome *outcome)
{
    atomic_fetch_add(&shared->runs[item->number % 64], 1);
    crash_at(item->number);
    run_third(slot, item, outcome);
}

const struct workload_ops rig_crash = {WORKLOAD_ABI,
                                       .name = "crash",
                                       RIG_COMMON,
                                       .traits = WORKLOAD_NUMBERS,
                                       .run = run_crash};

static void run_crash_numbers(void *slot,
                              uint64_t first,
                              uint64_t count,
                              uint64_t *checksum,
                              uint64_t *bytes)
{
    for (uint64_t i = 0; i < count; i++) {
        crash_at(first + i);
    }
    run_sum_numbers(slot, first, count, checksum, bytes);
}

static void run_crash_number(void *slot,
                             const struct workload_item *item,
                             struct workload_outcome *outcome)
{
    crash_at(item->number);
    run_sum(slot, item, outcome);
}

const struct workload_ops rig_crash_batch = {WORKLOAD_ABI,
                                             .name = "crash-batch",
                                             RIG_COMMON,
                                             .traits = WORKLOAD_NUMBERS,
                                             .run = run_crash_number,
                                             .run_numbers = run_crash_numbers,
                                             .numbers_per_batch = 5};

static void run_crash_all(void *slot,
                          const struct workload_item *item,
                          struct workload_outcome *outcome)
{
    (void)slot;
    (void)item;
    (void)outcome;
    (void)raise(SIGKILL);
}

const struct workload_ops rig_crash_all = {WORKLOAD_ABI,
                                           .name = "crash-all",
                                           RIG_COMMON,
                                           .traits = WORKLOAD_NUMBERS,
                                           .run = run_crash_all};

static void run_crash_bytes(void *slot,
                            const struct workload_item *item,
                            struct workload_outcome *outcome)
{
    if (item->index == 17) {
        (void)raise(SIGSEGV);
    }
    run_hash(slot, item, outcome);
}

const struct workload_ops rig_crash_bytes = {WORKLOAD_ABI,
                                             .name = "crash-bytes",
                                             RIG_COMMON,
                                             .traits = WORKLOAD_BYTES,
                                             .run = run_crash_bytes};

static void run_burn_crash(void *slot,
                           const struct workload_item *item,
                           struct workload_outcome *outcome)
{
    run_burn(slot, item, outcome);
    (void)raise(SIGSEGV);
}

const struct workload_ops rig_burn_crash = {WORKLOAD_ABI,
                                            .name = "burn-crash",
                                            RIG_COMMON,
                                            .traits = WORKLOAD_NUMBERS,
                                            .run = run_burn_crash};

static void run_census(void *slot,
                       const struct workload_item *item,
                       struct workload_outcome *outcome)
{
    unsigned descriptors = 0;
    for (int fd = 0; fd < 1024; fd++) {
        descriptors += fcntl(fd, F_GETFD) >= 0;
    }
    atomic_store(&shared->descriptors, descriptors);
    sigset_t mask;
    (void)sigprocmask(SIG_SETMASK, NULL, &mask);
    struct sigaction terminate;
    struct sigaction interrupt;
    (void)sigaction(SIGTERM, NULL, &terminate);
    (void)sigaction(SIGINT, NULL, &interrupt);
    atomic_store(&shared->masked, sigisemptyset(&mask) == 0);
    atomic_store(&shared->ignored,
                 terminate.sa_handler == SIG_IGN || interrupt.sa_handler != SIG_DFL);
    atomic_store(&shared->pids[item->number % 64], getpid());
    run_gate(slot, item, outcome);
}

static void close_census(void *slot)
{
    atomic_fetch_add(&shared->slots_closed, 1);
    slot_close(slot);
}

const struct workload_ops rig_census = {WORKLOAD_ABI,
                                        .name = "census",
                                        .summary = "a test",
                                        .traits = WORKLOAD_NUMBERS,
                                        .open = open_state,
                                        .close = close_state,
                                        .slot_open = slot_open,
                                        .slot_close = close_census,
                                        .run = run_census};

/* --- the owner --- */

static void on_wake(void *arg)
{
    struct rig *rig = arg;
    atomic_fetch_add(&rig->wakes, 1);
    (void)sem_post(&rig->woken);
}

static void on_note(void *arg, const char *text)
{
    struct rig *rig = arg;
    unsigned at = atomic_fetch_add(&rig->notes, 1);
    if (at < RIG_NOTES_MAX) {
        (void)snprintf(rig->note[at], sizeof(rig->note[at]), "%s", text);
    }
}

int rig_setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    rig->shared = shared;
    struct err_text error;
    assert_int_equal(zygote_start(&error, &rig->zygote), 0);
    assert_int_equal(sem_init(&rig->woken, 0, 0), 0);
    *state = rig;
    return 0;
}

int rig_teardown(void **state)
{
    struct rig *rig = *state;
    zygote_stop(rig->zygote);
    (void)sem_destroy(&rig->woken);
    (void)munmap(shared, sizeof(*shared));
    free(rig);
    return 0;
}

int rig_reset(void **state)
{
    struct rig *rig = *state;
    memset(shared, 0, sizeof(*shared));
    (void)sem_init(&shared->begun, 1, 0);
    atomic_store(&rig->payloads_released, 0);
    rig->records = false;
    return 0;
}

void rig_engine(struct rig *rig,
                const struct workload_ops *workload,
                enum strategy strategy,
                uint32_t slots)
{
    struct params params = {.count = 0};
    struct engine_options options = {
        .workload = workload,
        .params = &params,
        .strategy = strategy,
        .slots = slots,
        .range_first = 0,
        .zygote = rig->zygote,
        .wake = on_wake,
        .wake_arg = rig,
        .records = rig->records,
        .note = on_note,
        .note_arg = rig,
    };
    struct err_text error = {.s = ""};
    atomic_store(&rig->wakes, 0);
    atomic_store(&rig->notes, 0);
    int rc = engine_new(&options, &error, &rig->engine);
    if (rc != 0) {
        fail_msg("engine_new: %d %s", rc, error.s);
    }
}

void rig_await(sem_t *semaphore)
{
    struct timespec deadline;
    (void)clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += RIG_DEADLINE_S;
    int rc;
    do {
        rc = sem_timedwait(semaphore, &deadline);
    } while (rc != 0 && errno == EINTR);
    if (rc != 0) {
        fail_msg("nothing happened in %d s", RIG_DEADLINE_S);
    }
}

void rig_await_state(struct rig *rig, enum engine_state state)
{
    struct err_text error = {.s = ""};
    while (engine_state(rig->engine, &error) != state) {
        if (engine_state(rig->engine, &error) == ENGINE_FAILED) {
            fail_msg("engine failed: %s", error.s);
        }
        rig_await(&rig->woken);
    }
}

void rig_take(struct rig *rig, struct chunk_result *ret_results, size_t count)
{
    size_t taken = 0;
    while (taken < count) {
        size_t more = engine_take(rig->engine, ret_results + taken, count - taken);
        taken += more;
        if (more == 0) {
            rig_await(&rig->woken);
        }
    }
}

void rig_assert_holding(struct rig *rig, const struct chunk *chunks, size_t count)
{
    struct chunk *held = calloc(count + 1, sizeof(*held));
    bool *seen = calloc(count + 1, sizeof(*seen));
    assert_true(held != NULL && seen != NULL);
    assert_int_equal(engine_holding(rig->engine, held, count + 1), engine_held(rig->engine));
    assert_in_range(engine_held(rig->engine), 0, count);
    for (size_t i = 0; i < engine_held(rig->engine); i++) {
        uint64_t id = held[i].id.value;
        assert_in_range(id, 1, count);
        assert_false(seen[id]);
        seen[id] = true;
        assert_int_equal(held[i].first, chunks[id - 1].first);
        assert_int_equal(held[i].count, chunks[id - 1].count);
        assert_int_equal(held[i].attempt, chunks[id - 1].attempt);
        assert_null(held[i].payload);
    }
    free(held);
    free(seen);
}

void rig_drop(struct chunk_result *results, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        chunk_result_deinit(&results[i]);
    }
}

void rig_end(struct rig *rig)
{
    engine_stop(rig->engine);
    assert_int_equal(engine_join(rig->engine, RIG_DEADLINE_S * 1000), 0);
    assert_int_equal(engine_state(rig->engine, NULL), ENGINE_STOPPED);
    engine_free(rig->engine);
    rig->engine = NULL;
    while (sem_trywait(&rig->woken) == 0) {
    }
}

struct chunk rig_chunk(uint64_t id, uint64_t first, uint64_t count)
{
    return (struct chunk){.id = {id}, .first = first, .count = count, .attempt = 1};
}

struct rig_payload {
    struct rig *rig;
    char bytes[];
};

static void release_payload(void *arg)
{
    struct rig_payload *payload = arg;
    atomic_fetch_add(&payload->rig->payloads_released, 1);
    free(payload);
}

static size_t item_text(uint64_t index, char text[32])
{
    return (size_t)snprintf(text, 32, "item-%llu", (unsigned long long)index);
}

struct chunk rig_bytes_chunk(struct rig *rig, uint64_t id, uint64_t first, uint64_t count)
{
    enum { PREFIX = 3 }; /* the slice does not begin where the blob does */

    char text[32];
    size_t bytes = 0;
    for (uint64_t i = 0; i < count; i++) {
        bytes += item_text(first + i, text);
    }
    size_t size = items_payload_size(count, bytes);
    struct rig_payload *payload = malloc(sizeof(*payload) + PREFIX + size);
    assert_non_null(payload);
    payload->rig = rig;
    char *lengths = payload->bytes + PREFIX;
    char *next = lengths + count * sizeof(uint32_t);
    for (uint64_t i = 0; i < count; i++) {
        uint32_t len = (uint32_t)item_text(first + i, text);
        memcpy(lengths + i * sizeof(len), &len, sizeof(len));
        memcpy(next, text, len + 1);
        next += len + 1;
    }
    struct chunk chunk = rig_chunk(id, first, count);
    chunk.payload = blob_new(payload->bytes, PREFIX + size, release_payload, payload);
    assert_non_null(chunk.payload);
    chunk.payload_offset = PREFIX;
    chunk.payload_len = (uint32_t)size;
    return chunk;
}

struct tally rig_expected(const struct workload_ops *workload, uint64_t first, uint64_t count)
{
    struct tally tally = {.ok = 0};
    for (uint64_t i = 0; i < count; i++) {
        char text[32];
        struct workload_item item = {.index = first + i, .number = first + i};
        struct workload_outcome outcome = {.ok = false};
        if ((workload->traits & WORKLOAD_BYTES) != 0) {
            item.bytes_len = item_text(first + i, text);
            item.bytes = text;
        }
        workload->run(NULL, &item, &outcome);
        tally.ok += outcome.ok;
        tally.failed += !outcome.ok;
        tally.checksum += outcome.ok ? outcome.checksum : 0;
        tally.bytes_out += outcome.ok ? outcome.bytes : 0;
    }
    return tally;
}

void rig_assert_tally(const struct tally *got, const struct tally *expected)
{
    assert_int_equal(got->ok, expected->ok);
    assert_int_equal(got->failed, expected->failed);
    assert_int_equal(got->checksum, expected->checksum);
    assert_int_equal(got->bytes_out, expected->bytes_out);
}

void rig_assert_error(const struct chunk_result *result, const char *text)
{
    char error[CHUNK_ERROR_SIZE + 1] = "";
    assert_true(result->error_len <= CHUNK_ERROR_SIZE);
    if (result->error_len > 0) {
        memcpy(error, result->error, result->error_len);
    }
    if (strstr(error, text) == NULL) {
        fail_msg("error \"%s\" does not say \"%s\"", error, text);
    }
}
