/* SQLite as the journal uses it: one connection that has the file to itself, and its errors in our
 * words. One thread. */
#ifndef QUARTET_COORDINATOR_JOURNAL_JOURNAL_SQL_H
#define QUARTET_COORDINATOR_JOURNAL_JOURNAL_SQL_H

#include "common/base/err.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/* Open the file that is there, at an absolute path, and set the connection up: full
 * synchronisation, the lock is kept from the first use on, nothing in the file may run code. Nothing is
 * read yet. Returns 0, or as journal_sql_error. */
int journal_sql_open(const char *path, struct err_text *ret_error, sqlite3 **ret_db);

/* Set up for files that may be damaged or meant to harm; part of journal_sql_open, apart for
 * databases in memory. Returns SQLite's code. */
int journal_sql_distrust(sqlite3 *db);

/* A write-ahead log, or, where the file system cannot hold one, a rollback journal. Inside no
 * transaction. Returns 0, or as journal_sql_error. */
int journal_sql_set_mode(sqlite3 *db, const char *path, struct err_text *ret_error);

/* What the connection's last call failed with: ERR_BUSY, somebody else has the file; ERR_INVALID,
 * it is damaged or no database; ERR_NOMEM; ERR_IO for everything else. The text has the path. */
int journal_sql_error(sqlite3 *db, const char *path, struct err_text *ret_error);

/* The number that a statement gives. */
int journal_sql_number(sqlite3 *db,
                       const char *path,
                       const char *sql,
                       struct err_text *ret_error,
                       int64_t *ret_number);

/* Bind and read 64 bits without a sign, as the numbers of SQLite have one. */
static inline int journal_sql_bind(sqlite3_stmt *statement, int column, uint64_t value)
{
    return sqlite3_bind_int64(statement, column, (int64_t)value);
}

static inline uint64_t journal_sql_column(sqlite3_stmt *statement, int column)
{
    return (uint64_t)sqlite3_column_int64(statement, column);
}

#endif
