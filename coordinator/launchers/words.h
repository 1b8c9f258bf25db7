/* The words of a command: a list that grows, and the way to write words so that sh reads them as they
 * are. Pure. Without memory a list is marked as incomplete, which is asked for once, at the end. */
#ifndef QUARTET_COORDINATOR_LAUNCHERS_WORDS_H
#define QUARTET_COORDINATOR_LAUNCHERS_WORDS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct words {
    char **list; /* NULL behind the last: an argv */
    size_t count;
    size_t capacity;
    bool incomplete;
};

/* Begin as {0}. */
void words_add(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));
void words_deinit(struct words *words);

/* Text that grows: what a command is to read, or how it is shown. Begin as {0}. */
struct script {
    char *text; /* NULL: nothing was added */
    size_t len;
    size_t size;
    bool incomplete;
};

void script_add(struct script *script, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* One word for sh, in single quotes where it needs them. */
void script_add_word(struct script *script, const char *word);

/* All of them, with blanks between. */
void script_add_words(struct script *script, const struct words *words);

/* Overwrites it first: it may hold a secret. */
void script_deinit(struct script *script);

#endif
