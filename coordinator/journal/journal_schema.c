/* The tables of a journal; see journal_schema.h. The comments are stored in the file: `.schema` of
 * the sqlite3 tool shows them. */
#include "coordinator/journal/journal_schema.h"

#include "coordinator/journal/journal_sql.h"

#include <stdio.h>
#include <string.h>

/* Word for word as SQLite keeps them, in the order in which they are made. */
static const char *const tables[] = {
    "CREATE TABLE job(\n"
    "  -- What is run: one row, written once.\n"
    "  id INTEGER PRIMARY KEY,\n"
    "  description TEXT NOT NULL\n"
    ") STRICT",

    "CREATE TABLE progress(\n"
    "  -- How the run stood at the last commit: one row. Numbers are of 64 bits without a sign, "
    "kept\n"
    "  -- as if they had one.\n"
    "  number INTEGER PRIMARY KEY CHECK(number = 1),\n"
    "  resumed INTEGER NOT NULL,        -- how often\n"
    "  complete INTEGER NOT NULL,       -- 1: there is nothing to go on with\n"
    "  ok INTEGER NOT NULL,             -- items\n"
    "  failed INTEGER NOT NULL,         -- items; ok + failed is the number of items in `done`\n"
    "  checksum INTEGER NOT NULL,       -- of the results, modulo 2^64: printf('%016x', checksum)\n"
    "  bytes_out INTEGER NOT NULL,\n"
    "  elapsed_us INTEGER NOT NULL,     -- wall time of all runs together\n"
    "  chunks INTEGER NOT NULL,         -- results that counted\n"
    "  retried INTEGER NOT NULL,        -- chunks that were sent again\n"
    "  items_retried INTEGER NOT NULL,\n"
    "  duplicates INTEGER NOT NULL,\n"
    "  workers_lost INTEGER NOT NULL,\n"
    "  written_before INTEGER NOT NULL, -- with --keep-order: all items before this one are "
    "written\n"
    "  input_items INTEGER NOT NULL,    -- of the input, as far as it was read\n"
    "  input_final INTEGER NOT NULL,    -- 1: that was all\n"
    "  seal INTEGER NOT NULL            -- of all that is in this file: finds damage\n"
    ") STRICT",

    "CREATE TABLE done(\n"
    "  -- Which items are accounted for, from `first` to before `end`. Rows never touch.\n"
    "  first INTEGER PRIMARY KEY,\n"
    "  \"end\" INTEGER NOT NULL\n"
    ") STRICT",

    "CREATE TABLE failed(\n"
    "  -- Items that failed for good, as far as they are known one by one.\n"
    "  item INTEGER PRIMARY KEY,\n"
    "  attempt INTEGER NOT NULL,\n"
    "  reason TEXT NOT NULL\n"
    ") STRICT",

    "CREATE TABLE outputs(\n"
    "  -- How much of each output is whole; to go on, it is cut back to that.\n"
    "  path TEXT PRIMARY KEY,\n"
    "  length INTEGER NOT NULL\n"
    ") STRICT, WITHOUT ROWID",

    "CREATE TABLE waiting(\n"
    "  -- With --keep-order: results that wait for earlier items before they can be written.\n"
    "  number INTEGER PRIMARY KEY,\n"
    "  first INTEGER NOT NULL,    -- item\n"
    "  \"end\" INTEGER NOT NULL,    -- one past the last\n"
    "  attempt INTEGER NOT NULL,\n"
    "  withhold INTEGER NOT NULL, -- 1: those that failed are run again, and not written\n"
    "  worker TEXT NOT NULL,\n"
    "  lost TEXT NOT NULL,        -- why there are no records\n"
    "  items BLOB,                -- their lengths, then their bytes; NULL: numbers of a range\n"
    "  records BLOB,              -- what they came to; NULL: see `lost`\n"
    "  seal INTEGER NOT NULL      -- of this row\n"
    ") STRICT",

    "CREATE INDEX waiting_end ON waiting(\"end\")",
};

enum { TABLES = sizeof(tables) / sizeof(tables[0]) };

int journal_schema_create(sqlite3 *db)
{
    char numbers[128];
    (void)snprintf(numbers,
                   sizeof(numbers),
                   "PRAGMA application_id = %d; PRAGMA user_version = %d",
                   JOURNAL_APPLICATION_ID,
                   JOURNAL_VERSION);
    int rc = sqlite3_exec(db, numbers, NULL, NULL, NULL);
    for (size_t i = 0; i < TABLES && rc == SQLITE_OK; i++) {
        rc = sqlite3_exec(db, tables[i], NULL, NULL, NULL);
    }
    return rc;
}

/* Is the text one of `tables`? */
static bool is_ours(const char *sql)
{
    for (size_t i = 0; i < TABLES; i++) {
        if (sql != NULL && strcmp(sql, tables[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Exactly `tables`. As no two tables can have one name, it is enough that all are ours and that
 * there are as many. */
static int check_tables(sqlite3 *db, const char *path, struct err_text *ret_error)
{
    sqlite3_stmt *statement = NULL;
    size_t count = 0;
    bool strange = false;
    int rc = sqlite3_prepare_v2(
        db, "SELECT sql FROM sqlite_schema ORDER BY rowid", -1, &statement, NULL);
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(statement);
        if (rc == SQLITE_ROW) {
            strange = strange || !is_ours((const char *)sqlite3_column_text(statement, 0));
            count++;
        }
    }
    (void)sqlite3_finalize(statement);
    if (rc != SQLITE_DONE) {
        return journal_sql_error(db, path, ret_error);
    }
    if (strange || count != TABLES) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "journal '%s' is damaged: its tables are not those of a journal",
                       path);
    }
    return 0;
}

int journal_schema_check(sqlite3 *db, const char *path, struct err_text *ret_error)
{
    int64_t parts;
    int64_t application_id;
    int64_t version;
    int code = journal_sql_number(
        db, path, "SELECT count(*) FROM sqlite_schema", ret_error, &parts);
    if (code == 0 && parts == 0) { /* also when its making was cut short: that was taken back */
        return err_set(
            ret_error,
            ERR_INVALID,
            "journal '%s' is empty: nothing was begun that could be gone on with; remove "
            "it",
            path);
    }
    if (code == 0) {
        code = journal_sql_number(db, path, "PRAGMA application_id", ret_error, &application_id);
    }
    if (code == 0) {
        code = journal_sql_number(db, path, "PRAGMA user_version", ret_error, &version);
    }
    if (code != 0) {
        return code;
    }
    if (application_id != JOURNAL_APPLICATION_ID) {
        return err_set(ret_error, ERR_INVALID, "'%s' is no journal, but some other database", path);
    }
    if (version != JOURNAL_VERSION) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "journal '%s' is of format %lld, this program reads format %d: go on with "
                       "the version of quartet that began it",
                       path,
                       (long long)version,
                       JOURNAL_VERSION);
    }
    return check_tables(db, path, ret_error);
}
