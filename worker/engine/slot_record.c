/* What a slot shares with its feeder; see slot_record.h. */
#include "worker/engine/slot_record.h"

/* Shared with other processes: a lock hidden in an atomic would be a different one in each of
 * them. */
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "atomics need no lock");

static uint64_t pack(uint32_t next, uint32_t limit)
{
    return (uint64_t)next << 32 | limit;
}

static struct slot_range unpack(uint64_t value)
{
    return (struct slot_range){.next = (uint32_t)(value >> 32), .limit = (uint32_t)value};
}

void slot_record_reset(struct slot_record *record, uint32_t seq)
{
    atomic_store(&record->range, pack(seq, seq));
    atomic_store(&record->published, seq);
    atomic_store(&record->told, 0);
    atomic_store(&record->current, 0);
    record->progress[0] = (struct slot_progress){.seq = seq - 1};
}

struct slot_range slot_record_range(const struct slot_record *record)
{
    return unpack(atomic_load_explicit(&record->range, memory_order_acquire));
}

bool slot_record_begin(struct slot_record *record, uint32_t seq)
{
    uint64_t value = atomic_load_explicit(&record->range, memory_order_acquire);
    do {
        struct slot_range range = unpack(value);
        if (range.next != seq || range.next == range.limit) {
            return false;
        }
    } while (
        !atomic_compare_exchange_weak(&record->range, &value, pack(seq + 1, unpack(value).limit)));
    return true;
}

void slot_record_issue(struct slot_record *record, uint32_t seq, uint32_t count)
{
    uint64_t value = atomic_load_explicit(&record->range, memory_order_acquire);
    uint64_t grown;
    do {
        struct slot_range range = unpack(value);
        grown = pack(range.limit == seq ? range.next : seq, seq + count);
    } while (!atomic_compare_exchange_weak(&record->range, &value, grown));
}

struct slot_range slot_record_revoke(struct slot_record *record)
{
    uint64_t value = atomic_load_explicit(&record->range, memory_order_acquire);
    while (unpack(value).next != unpack(value).limit &&
           !atomic_compare_exchange_weak(
               &record->range, &value, pack(unpack(value).next, unpack(value).next))) {
    }
    return unpack(value);
}

void slot_record_note(struct slot_record *record, const struct slot_progress *progress)
{
    uint32_t spare = 1 - (atomic_load_explicit(&record->current, memory_order_relaxed) & 1);
    record->progress[spare] = *progress;
    atomic_store_explicit(&record->current, spare, memory_order_release);
}

struct slot_progress slot_record_progress(const struct slot_record *record)
{
    return record->progress[atomic_load_explicit(&record->current, memory_order_acquire) & 1];
}

struct slot_result *slot_record_result(struct slot_record *record, uint32_t seq)
{
    return &record->results[seq % SLOT_RING];
}

char *slot_record_error(struct slot_record *record, uint32_t seq)
{
    return record->errors[seq % SLOT_RING];
}

void slot_record_publish(struct slot_record *record, uint32_t seq)
{
    atomic_store_explicit(&record->published, seq + 1, memory_order_release);
}
