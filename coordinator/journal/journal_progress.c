#include "coordinator/journal/journal_progress.h"

#include <string.h>

void journal_progress_to_numbers(const struct journal_progress *progress,
                                 uint64_t ret_numbers[JOURNAL_NUMBERS])
{
    const struct journal_counts *counts = &progress->counts;
    const struct journal_input *input = &progress->input;
    const uint64_t numbers[JOURNAL_NUMBERS] = {
        progress->resumed,
        progress->complete,
        counts->tally.ok,
        counts->tally.failed,
        counts->tally.checksum,
        counts->tally.bytes_out,
        counts->elapsed_us,
        counts->chunks,
        counts->retried,
        counts->items_retried,
        counts->duplicates,
        counts->workers_lost,
        progress->next,
        input->items,
        input->final,
    };
    memcpy(ret_numbers, numbers, sizeof(numbers));
}

int journal_progress_from_numbers(const uint64_t numbers[JOURNAL_NUMBERS],
                                  struct journal_progress *ret_progress)
{
    struct journal_progress progress = {
        .resumed = (uint32_t)numbers[0],
        .complete = numbers[1] != 0,
        .counts = {.tally = {.ok = numbers[2],
                             .failed = numbers[3],
                             .checksum = numbers[4],
                             .bytes_out = numbers[5]},
                   .elapsed_us = numbers[6],
                   .chunks = numbers[7],
                   .retried = numbers[8],
                   .items_retried = numbers[9],
                   .duplicates = numbers[10],
                   .workers_lost = numbers[11]},
        .next = numbers[12],
        .input = {.items = numbers[13], .final = numbers[14] != 0},
    };
    /* Numbers that did not fit come back as others. */
    uint64_t back[JOURNAL_NUMBERS];
    journal_progress_to_numbers(&progress, back);
    if (memcmp(numbers, back, sizeof(back)) != 0) {
        return ERR_INVALID;
    }
    *ret_progress = progress;
    return 0;
}
