/* Reading a journal: what its two files share. journal_read.c has the small tables, journal_read_waiting.c
 * the batches that wait. */
#ifndef QUARTET_COORDINATOR_JOURNAL_JOURNAL_READER_H
#define QUARTET_COORDINATOR_JOURNAL_JOURNAL_READER_H

#include "coordinator/journal/journal_store.h"

/* What is being read, and where to. */
struct journal_reader {
    struct journal_store *store;
    struct journal_state *state;
    struct err_text *error; /* may be NULL */
    sqlite3_stmt *row;      /* of the table that is being read */
    uint64_t failed_rows;
    uint64_t seal; /* as the file has it */
};

/* ERR_INVALID, with a line that says what is wrong with the file. */
int journal_reader_damaged(const struct journal_reader *reader, const char *what);

/* The row's text; NULL unless it has at most `max` bytes and no NUL. Borrowed from the row. */
const char *journal_reader_text(const struct journal_reader *reader, int column, size_t max);

/* A number that is no negative one, as SQLite has it; false: it is. */
bool journal_reader_count(const struct journal_reader *reader, int column, uint64_t *ret_count);

/* A list of `count` entries of `size` bytes with room for one more; its room doubles when it is full.
 * NULL without memory; the list is as it was then. */
void *journal_reader_grown(void *list, size_t count, size_t size);

/* Read the row of `waiting` into the state. */
int journal_reader_take_waiting(struct journal_reader *reader);

/* With keep_order: is what is done written, up to `next`, or waiting, and once? */
int journal_reader_check_order(const struct journal_reader *reader);

#endif
