/* Command lines: a list of words as one text, and back.
 *
 * A command travels as the text of one parameter. The text reads as what one would type into a
 * POSIX shell to get these words (`gzip -9k {}`, `grep 'a b' {}`), but no shell ever sees it: of
 * a shell's language it knows blanks, quotes and backslashes; everything else ($ * | ; ~) is
 * itself. What is put into the gaps ({}) of a template is command_template.h's. Pure. */
#ifndef QUARTET_WORKER_WORKLOADS_COMMAND_LINE_H
#define QUARTET_WORKER_WORKLOADS_COMMAND_LINE_H

#include "common/base/err.h"

#include <stddef.h>

enum { COMMAND_WORDS_MAX = 4096 };

/* Words as execve takes them: list[count] is NULL. Owned; one block of memory. */
struct command_words {
    char **list;
    size_t count;
};

void command_words_deinit(struct command_words *words);

/* The words joined by single spaces, each quoted where a shell would otherwise read something
 * else. Any bytes but NUL survive. No words: "". `*ret_text` is the caller's to free. Returns 0
 * or ERR_NOMEM. */
int command_line_join(const char *const *words, size_t count, char **ret_text);

/* The words of `text`: separated by blanks (space, tab, newline), with '...' literal, "..." in
 * which a backslash protects $ ` " \ and removes a newline, and a backslash that protects any
 * character outside of quotes. A blank text has no words, which is not an error. Returns 0,
 * ERR_INVALID (a quote that is not closed, a backslash at the end, more than COMMAND_WORDS_MAX
 * words) with the text quoted, or ERR_NOMEM. */
int command_line_split(const char *text,
                       struct err_text *ret_error,
                       struct command_words *ret_words);

/* Bytes that command_line_quote writes for these: at most 4 for each, and 2. */
size_t command_line_quoted_len(const char *bytes, size_t len);

/* Write `bytes` such that a POSIX shell reads exactly them, as (a part of) one word, wherever it
 * stands outside of quotes: bare when they are harmless, otherwise in single quotes. Returns the
 * end of what was written; no NUL is added. */
char *command_line_quote(char *to, const char *bytes, size_t len);

#endif
