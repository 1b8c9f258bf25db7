/* How many chunks a worker wants to hold: enough that no slot waits for a message, few enough
 * that the end of a job is short. */
#include "worker/agent_internal.h"

enum {
    LEAST = 4,
    MEASURE_US = AGENT_WINDOW_US / 4, /* shorter spans of time say little about a rate */
};

static uint32_t clamp(uint64_t value, uint32_t least, uint32_t most)
{
    if (value > most) {
        return most;
    }
    return value < least ? least : (uint32_t)value;
}

void agent_window_init(struct agent_window *window,
                       uint32_t slots,
                       uint32_t fixed,
                       uint32_t most,
                       uint64_t now_us)
{
    uint32_t least = clamp((uint64_t)slots * 2, LEAST, most);
    uint32_t size = fixed == 0 ? least : clamp(fixed, 1, most);
    *window = (struct agent_window){
        .size = size,
        .largest = size,
        .least = least,
        .most = most,
        .slots = slots,
        .fixed = fixed != 0,
        .since_us = now_us,
    };
}

void agent_window_note_starved(struct agent_window *window)
{
    window->starved = true;
}

/* Chunks that finish in AGENT_WINDOW_US. The rate alone takes a burst of long chunks that end
 * together for a high rate; what the slots can do at the measured run time bounds it. */
static uint64_t chunks_at_hand(const struct agent_window *window, uint64_t elapsed_us)
{
    uint64_t by_rate = window->finished * AGENT_WINDOW_US / elapsed_us;
    if (window->run_us == 0) {
        return by_rate;
    }
    uint64_t per_slot = window->finished * AGENT_WINDOW_US / window->run_us;
    uint64_t by_slots = (per_slot + 1) * window->slots;
    return by_rate < by_slots ? by_rate : by_slots;
}

static void resize(struct agent_window *window, uint64_t wanted)
{
    uint64_t size = window->size;
    if (window->starved && wanted < 2 * size) {
        wanted = 2 * size;
    }
    if (wanted > 2 * size) {
        wanted = 2 * size;
    }
    if (wanted < size) {
        /* Slowly: one slow chunk among quick ones must not empty the worker. */
        wanted = size - (size - wanted + 7) / 8;
    }
    window->size = clamp(wanted, window->least, window->most);
    if (window->size > window->largest) {
        window->largest = window->size;
    }
}

void agent_window_note_finished(struct agent_window *window,
                                uint64_t now_us,
                                uint64_t count,
                                uint64_t run_us)
{
    window->finished += count;
    window->run_us += run_us;
    uint64_t elapsed_us = now_us - window->since_us;
    if (window->fixed || elapsed_us < MEASURE_US) {
        return;
    }
    resize(window, chunks_at_hand(window, elapsed_us));
    window->starved = false;
    window->since_us = now_us;
    window->finished = 0;
    window->run_us = 0;
}
