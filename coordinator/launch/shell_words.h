/* A command line for a shell on another machine, whichever that is, put together word by word into a
 * buffer of the caller's: pure. */
#ifndef QUARTET_COORDINATOR_LAUNCH_SHELL_WORDS_H
#define QUARTET_COORDINATOR_LAUNCH_SHELL_WORDS_H

#include <stdbool.h>
#include <stddef.h>

struct shell_words {
    char *bytes; /* NUL-terminated once something was added */
    size_t size;
    size_t len;
    bool full; /* something did not fit; from then on nothing is added */
};

/* As it stands: words that every shell takes for the same. */
void shell_words_add(struct shell_words *words, const char *text);

/* A blank, and a word that the shell takes for nothing but itself: in single quotes. Where that shell may be csh
 * or fish it has no line end, backslash or exclamation mark. */
void shell_words_quote(struct shell_words *words, const char *word);

#endif
