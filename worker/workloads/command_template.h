/* The words of a command with gaps in them, filled in for one item after the other.
 *
 * The gaps are GNU Parallel's replacement strings:
 *
 *     {}    the item                  a/b.tar.gz
 *     {.}   without its extension     a/b.tar
 *     {/}   without its directory     b.tar.gz
 *     {//}  its directory             a            ("." when there is none)
 *     {/.}  without either            b.tar
 *     {#}   its place in the input, from 1
 *     {3} {3.} {3/} {3//} {3/.}   the same of its third column, when `colsep` says what is
 *                                 between columns
 *
 * Differences from GNU Parallel: `colsep` is a text and not a regular expression; with columns {}
 * is still the whole item as it came; a column that an item does not have fails the item (GNU
 * Parallel takes an empty text); {%}, {1..} and {= perl =} are not gaps. Any other text in
 * braces is itself. A template without any gap gets {} as its last word, unless the item goes to
 * standard input.
 *
 * What is put into a gap is never split, expanded or read again. With `shell`, the words joined
 * by single spaces are a program for /bin/sh -c, and what is put into a gap is quoted for it; gaps
 * must then stand outside of quotes. Pure. */
#ifndef QUARTET_WORKER_WORKLOADS_COMMAND_TEMPLATE_H
#define QUARTET_WORKER_WORKLOADS_COMMAND_TEMPLATE_H

#include "common/base/err.h"
#include "worker/workloads/command_line.h"
#include "worker/workloads/workload.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    COMMAND_COLUMN_MAX = 9999,             /* highest column that a template may use */
    COMMAND_COLSEP_MAX = 64,               /* bytes of a separator */
    COMMAND_NUMBER_SIZE = 24,              /* a number as text, the NUL included */
    COMMAND_ARGUMENT_MAX = 128 * 1024 - 1, /* bytes of one argument: Linux takes no more */
};

struct command_template_options {
    const char *colsep; /* as the user wrote it: \t, \n and \\ are read; NULL: no columns */
    bool shell;
    bool to_stdin;   /* the item goes to standard input: needs no gap */
    size_t size_max; /* bytes that the arguments of one command may take, NULs and a pointer for
                        each included */
};

struct command_template;

/* Copies what it needs. Returns 0; ERR_INVALID: no words, a column without `colsep` or out of
 * range, a separator that is empty, too long or has an unknown escape; ERR_NOMEM. */
int command_template_new(const struct command_words *words,
                         const struct command_template_options *options,
                         struct err_text *ret_error,
                         struct command_template **ret_template);
void command_template_free(struct command_template *self);

/* What will be argv[0] of every command, "/bin/sh" with `shell`; NULL when it has a gap. Borrowed
 * from the template. */
const char *command_template_program(const struct command_template *self);

/* The arguments of one command, in buffers that are used again. Initialise with {0}. */
struct command_argv {
    char **list; /* list[count] is NULL */
    size_t count;
    size_t words_max; /* that there is room for */
    char *bytes;
    size_t len;
    size_t capacity;
};

void command_argv_deinit(struct command_argv *argv);

/* Fill in one item. A number is its decimal digits. On success `argv` has the arguments until its
 * next use. Returns 0, ERR_INVALID (a NUL in an item that would be put into a gap, a column that
 * is not there, a command that is too large), ERR_NOMEM; `argv` then has no meaning but can be
 * used again. */
int command_template_expand(const struct command_template *self,
                            const struct workload_item *item,
                            struct err_text *ret_error,
                            struct command_argv *argv);

/* The item as text: its bytes, or its number written to `number`. */
const char *command_item_text(const struct workload_item *item,
                              char number[COMMAND_NUMBER_SIZE],
                              size_t *ret_len);

#endif
