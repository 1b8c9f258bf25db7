/* Progress bars on a terminal, as tqdm users know them: one line per bar with done/total, elapsed and left time, rate.
 *
 *   local threads          62%|██████████████▉         | 40/64 [00:00<00:00, 79.6 items/s]
 *
 * Draws on standard error only, and only when that is a terminal (and neither --no-progress nor --quiet); otherwise every call does nothing. A bar in work is redrawn in
 * place at most 20 times a second; a finished one stays as a line. Fits any width down to 20 columns, and follows a resized terminal.
 * The caller passes the time: nothing here reads a clock. */
#ifndef QUARTET_COORDINATOR_REPORT_PROGRESS_H
#define QUARTET_COORDINATOR_REPORT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct progress;

/* `stream` is standard error; `enabled` false gives a silent one. `width_of(stream)` is asked at
 * each redraw; NULL: the terminal's own (TIOCGWINSZ). Returns NULL without memory. */
struct progress *progress_new(FILE *stream, bool enabled, int (*width_of)(FILE *stream));

/* Is this a terminal that can redraw a line (isatty, and TERM is not "dumb")? */
bool progress_possible(FILE *stream);

/* Begin a bar. `total` 0: unknown, the bar then shows only counts and rate. */
void progress_begin(struct progress *progress, const char *label, uint64_t total, uint64_t now_us);
void progress_update(struct progress *progress, uint64_t done, uint64_t total, uint64_t now_us);

/* Draw the bar a last time and leave it on its own line; `keep` false wipes it instead (warm-up
 * rounds). */
void progress_end(struct progress *progress, uint64_t done, uint64_t now_us, bool keep);

/* Wipe the line so that a message can be printed; the next update draws again. */
void progress_clear(struct progress *progress);
void progress_free(struct progress *progress);

#endif
