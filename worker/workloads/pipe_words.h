/* What a program says on its standard error: its first line, for the user to see that it says
 * something, and the last of it, for when it dies. Pure. */
#ifndef QUARTET_WORKER_WORKLOADS_PIPE_WORDS_H
#define QUARTET_WORKER_WORKLOADS_PIPE_WORDS_H

#include <stdbool.h>
#include <stddef.h>

enum { PIPE_WORDS_LAST = 2048, PIPE_WORDS_FIRST = 200 };

struct pipe_words {
    char last[PIPE_WORDS_LAST];
    size_t last_len;
    char first[PIPE_WORDS_FIRST]; /* NUL-terminated */
    size_t first_len;
    bool first_done;
};

void pipe_words_reset(struct pipe_words *words);
void pipe_words_add(struct pipe_words *words, const char *bytes, size_t len);

/* Has it said anything? */
bool pipe_words_any(const struct pipe_words *words);

/* The first line that is not empty, cut to PIPE_WORDS_FIRST - 1 bytes; borrowed. NULL when there
 * is none, or it is not whole and may still get longer (not `over`). */
const char *pipe_words_first(const struct pipe_words *words, bool over);

/* The last lines, as many as fit, as one: empty ones left out, " / " between them, control
 * characters replaced. The last one is cut at its beginning when it alone is too long. Writes at
 * most `size` bytes, at least 1, with the NUL. */
void pipe_words_last(const struct pipe_words *words, char *ret_text, size_t size);

#endif
