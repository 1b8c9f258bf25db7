/* CPU time of one thread, readable by any other thread while it runs and after it has ended. The
 * thread itself pays nothing for it: whoever wants to know makes the system call. */
#ifndef QUARTET_WORKER_ENGINE_CPU_METER_H
#define QUARTET_WORKER_ENGINE_CPU_METER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct cpu_meter {
    pthread_mutex_t lock;
    bool running;    /* `clock` belongs to a live thread */
    clockid_t clock; /* of the thread between begin and end */
    uint64_t used_us;
};

void cpu_meter_init(struct cpu_meter *meter);
void cpu_meter_deinit(struct cpu_meter *meter);

/* Called by the thread to be measured, first and last thing. */
void cpu_meter_begin(struct cpu_meter *meter);
void cpu_meter_end(struct cpu_meter *meter);

/* CPU microseconds of the thread so far, user and system; 0 before cpu_meter_begin. Any thread. */
uint64_t cpu_meter_us(struct cpu_meter *meter);

#endif
