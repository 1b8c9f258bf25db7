/* The checksum of an item that has no result but the fact that it ran: its number, or a hash of
 * its bytes and position. The sum over a run then shows an item that was lost or ran twice. */
#ifndef QUARTET_WORKER_WORKLOADS_MARK_H
#define QUARTET_WORKER_WORKLOADS_MARK_H

#include "worker/workloads/workload.h"

#include <stdint.h>

uint64_t mark_item(const struct workload_item *item);

/* The checksum of an item whose result is `len` bytes of output. */
uint64_t mark_output(const struct workload_item *item, const char *out, size_t len);

/* Of the numbers [first, first + count) together, modulo 2^64. */
uint64_t mark_numbers(uint64_t first, uint64_t count);

#endif
