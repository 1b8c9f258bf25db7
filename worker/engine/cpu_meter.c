/* CPU time of one thread; see cpu_meter.h. */
#include "worker/engine/cpu_meter.h"

#include "common/base/check.h"
#include "worker/engine/clock.h"

void cpu_meter_init(struct cpu_meter *meter)
{
    *meter = (struct cpu_meter){.running = false};
    CHECK(pthread_mutex_init(&meter->lock, NULL) == 0);
}

void cpu_meter_deinit(struct cpu_meter *meter)
{
    CHECK(pthread_mutex_destroy(&meter->lock) == 0);
}

static uint64_t read_clock_us(clockid_t clock)
{
    struct timespec used;
    if (clock_gettime(clock, &used) != 0) {
        return 0;
    }
    return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / NS_PER_US;
}

void cpu_meter_begin(struct cpu_meter *meter)
{
    pthread_mutex_lock(&meter->lock);
    meter->running = pthread_getcpuclockid(pthread_self(), &meter->clock) == 0;
    pthread_mutex_unlock(&meter->lock);
}

void cpu_meter_end(struct cpu_meter *meter)
{
    pthread_mutex_lock(&meter->lock);
    if (meter->running) {
        meter->used_us = read_clock_us(meter->clock);
    }
    meter->running = false;
    pthread_mutex_unlock(&meter->lock);
}

uint64_t cpu_meter_us(struct cpu_meter *meter)
{
    /* The lock keeps the thread from ending while its clock is read. */
    pthread_mutex_lock(&meter->lock);
    if (meter->running) {
        meter->used_us = read_clock_us(meter->clock);
    }
    uint64_t used_us = meter->used_us;
    pthread_mutex_unlock(&meter->lock);
    return used_us;
}
