/* Strategy processes: a fixed pool of processes, forked by the zygote, fed by one thread over
 * sockets. A process that crashes costs the item that it was at; another takes its place. */
#include "common/base/check.h"
#include "worker/engine/clock.h"
#include "worker/engine/executor_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { EVENTS_AT_ONCE = 64, FALSE_STARTS_MAX = 3, END_GRACE_MS = 300 };

struct processes {
    struct engine_core *core;
    int epoll;
    int kick;         /* eventfd: chunks came, or the end */
    bool look;        /* there may be chunks for slots that are not due */
    bool ready;       /* engine_core_ready was called */
    bool failed;      /* engine_core_failed was called */
    bool ending;      /* all were asked to end; waiting for that */
    bool killed;      /* they had their time */
    uint64_t kill_ns; /* when it is over */
    uint32_t opened;  /* links that have a place */
    struct executor_link links[];
};

static void notify(void *arg)
{
    struct processes *self = arg;
    uint64_t one = 1;
    (void)!write(self->kick, &one, sizeof(one));
}

/* Events carry the link's index; the eventfd's is behind the last. */
static int watch(struct processes *self, int operation, int fd, uint32_t index, bool writable)
{
    struct epoll_event event = {
        .events = EPOLLIN | (writable ? (uint32_t)EPOLLOUT : 0),
        .data.u32 = index,
    };
    return epoll_ctl(self->epoll, operation, fd, &event);
}

static void fail(struct processes *self, const struct err_text *why)
{
    self->failed = true;
    engine_core_failed(self->core, why);
}

static void start(struct processes *self, uint32_t index)
{
    struct executor_link *link = &self->links[index];
    int rc = executor_link_start(link);
    bool sending = executor_link_sending(link);
    if (link->fd >= 0 && watch(self, EPOLL_CTL_ADD, link->fd, index, sending) != 0) {
        rc = err_set(&link->error, ERR_IO, "cannot watch an executor: %s", strerrordesc_np(errno));
        executor_link_end(link);
    }
    if (rc != 0) {
        fail(self, &link->error);
    }
}

static void start_all(struct processes *self)
{
    for (uint32_t i = 0; i < self->core->slots && !self->failed; i++) {
        if (executor_link_open(&self->links[i]) != 0) {
            fail(self, &self->links[i].error);
            return;
        }
        self->opened++;
        start(self, i);
    }
}

static bool all_proven(const struct processes *self)
{
    for (uint32_t i = 0; i < self->core->slots; i++) {
        if (!self->links[i].proven) {
            return false;
        }
    }
    return true;
}

static uint32_t count_absent(const struct processes *self)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->opened; i++) {
        count += self->links[i].state == EXECUTOR_ABSENT;
    }
    return count;
}

/* A process has ended. Put another in its place, unless that has been in vain: then go on with
 * fewer, as long as there are any. One that could never start is a failure of the whole: the job
 * is wrong, or the machine. */
static void replace(struct processes *self, uint32_t index)
{
    struct executor_link *link = &self->links[index];
    if (self->ending || self->failed) {
        return;
    }
    if (link->proven && link->false_starts < FALSE_STARTS_MAX) {
        start(self, index);
        return;
    }
    executor_link_abandon(link);
    if (!link->proven || count_absent(self) == self->core->slots) {
        fail(self, &link->error);
    }
}

static void on_event(struct processes *self, uint32_t index, uint32_t events)
{
    struct executor_link *link = &self->links[index];
    if (link->fd < 0) {
        return;
    }
    if ((events & EPOLLOUT) != 0 && executor_link_flush(link) == 0 &&
        !executor_link_sending(link)) {
        (void)watch(self, EPOLL_CTL_MOD, link->fd, index, false);
        link->due = true;
    }
    if ((events & ~(uint32_t)EPOLLOUT) == 0) {
        return;
    }
    while (executor_link_receive(link)) {
    }
    if (link->state == EXECUTOR_ABSENT) {
        self->look = true;
        replace(self, index);
    } else if (!self->ready && all_proven(self)) {
        self->ready = true;
        engine_core_ready(self->core);
    }
}

static void feed(struct processes *self, uint32_t index, uint64_t now_ns)
{
    struct executor_link *link = &self->links[index];
    if (link->state != EXECUTOR_RUNNING || executor_link_sending(link) ||
        (!link->due && !self->look)) {
        return;
    }
    if (executor_link_feed(link, now_ns) != 0) {
        executor_link_kill(link);
    } else if (executor_link_sending(link)) {
        (void)watch(self, EPOLL_CTL_MOD, link->fd, index, true);
    }
}

static void feed_all(struct processes *self)
{
    bool idle;
    do {
        uint64_t now_ns = clock_now_ns();
        idle = false;
        for (uint32_t i = 0; i < self->opened; i++) {
            feed(self, i, now_ns);
            idle = idle || executor_link_idle(&self->links[i]);
        }
        self->look = idle && !exchange_arm(&self->core->exchange);
    } while (self->look);
}

static bool anything_to_rescue(const struct processes *self)
{
    for (uint32_t i = 0; i < self->opened; i++) {
        if (share_outstanding(&self->links[i].share) >= 2) {
            return true;
        }
    }
    return false;
}

/* Ask all to end, and later make them. Returns how long there is to wait for, in ms; -1: for ever. */
static int end_all(struct processes *self)
{
    uint64_t now_ns = clock_now_ns();
    if (!self->ending) {
        self->ending = true;
        self->kill_ns = now_ns + (uint64_t)END_GRACE_MS * NS_PER_MS;
        for (uint32_t i = 0; i < self->opened; i++) {
            executor_link_terminate(&self->links[i]);
        }
    }
    if (!self->killed && now_ns >= self->kill_ns) {
        self->killed = true;
        for (uint32_t i = 0; i < self->opened; i++) {
            executor_link_kill(&self->links[i]);
        }
    }
    return self->killed ? -1 : (int)((self->kill_ns - now_ns) / NS_PER_MS) + 1;
}

static void await_events(struct processes *self, int timeout_ms)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int count = epoll_wait(self->epoll, events, EVENTS_AT_ONCE, timeout_ms);
    for (int i = 0; i < count; i++) {
        if (events[i].data.u32 == self->core->slots) {
            uint64_t kicks;
            (void)!read(self->kick, &kicks, sizeof(kicks));
            self->look = true;
        } else {
            on_event(self, events[i].data.u32, events[i].events);
        }
    }
    if (count == 0 && !self->ending) {
        exchange_rescue(&self->core->exchange);
        self->look = true;
    }
}

static void run(void *state)
{
    struct processes *self = state;
    start_all(self);
    for (;;) {
        int timeout_ms = -1;
        if (self->failed || atomic_load(&self->core->cancelled)) {
            timeout_ms = end_all(self);
        }
        if (self->ending && count_absent(self) == self->opened) {
            break;
        }
        if (!self->ending) {
            feed_all(self);
            timeout_ms = anything_to_rescue(self) ? EXCHANGE_TICK_MS : -1;
        }
        await_events(self, timeout_ms);
    }
    exchange_drop_shares(&self->core->exchange);
}

static uint64_t cpu_us(void *state)
{
    struct processes *self = state;
    uint64_t sum_us = 0;
    for (uint32_t i = 0; i < self->core->slots; i++) {
        sum_us += executor_link_cpu_us(&self->links[i]);
    }
    return sum_us;
}

static void free_state(void *state)
{
    struct processes *self = state;
    for (uint32_t i = 0; i < self->core->slots; i++) {
        executor_link_deinit(&self->links[i]);
    }
    (void)close(self->epoll);
    (void)close(self->kick);
    free(self);
}

static int prepare(struct engine_core *core, struct err_text *ret_error, void **ret_state)
{
    struct processes *self = calloc(1, sizeof(*self) + core->slots * sizeof(struct executor_link));
    if (self == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for %u processes", core->slots);
    }
    self->core = core;
    for (uint32_t i = 0; i < core->slots; i++) {
        executor_link_init(&self->links[i], core);
    }
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    self->kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (self->epoll < 0 || self->kick < 0 ||
        watch(self, EPOLL_CTL_ADD, self->kick, core->slots, false) != 0) {
        int rc = err_set(
            ret_error, ERR_IO, "cannot make an event queue: %s", strerrordesc_np(errno));
        free_state(self);
        return rc;
    }
    exchange_set_notify(&core->exchange, notify, self);
    *ret_state = self;
    return 0;
}

const struct strategy_ops strategy_processes_ops = {
    .strategy = STRATEGY_PROCESSES,
    .slots_max = ENGINE_PROCESSES_MAX,
    .needs_zygote = true,
    .prepare = prepare,
    .run = run,
    .cpu_us = cpu_us,
    .free = free_state,
};
