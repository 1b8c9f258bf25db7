#include "coordinator/journal/journal_sql.h"

#include "coordinator/journal/journal_medium.h"

#include <errno.h>
#include <string.h>

/* Bytes of one row: a payload and the records of one result are less than half of it. */
enum { ROW_BYTES_MAX = 64 * 1024 * 1024 };

int journal_sql_error(sqlite3 *db, const char *path, struct err_text *ret_error)
{
    const char *words = sqlite3_errmsg(db);
    int reason = errno; /* SQLite does not keep it in every case */
    int rc = sqlite3_extended_errcode(db);
    switch (rc == SQLITE_IOERR_NOMEM ? SQLITE_NOMEM : rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(ret_error,
                       ERR_BUSY,
                       "journal '%s' is in use: another coordinator or tool has it open",
                       path);
    case SQLITE_NOTADB:
        return err_set(ret_error, ERR_INVALID, "'%s' is no journal: %s", path, words);
    case SQLITE_CORRUPT:
    case SQLITE_MISMATCH:
    case SQLITE_ERROR: /* all statements are right for tables that are */
        return err_set(ret_error, ERR_INVALID, "journal '%s' is damaged: %s", path, words);
    case SQLITE_CONSTRAINT:
        return err_set(
            ret_error, ERR_INVALID, "journal '%s' has what was noted already: %s", path, words);
    case SQLITE_NOMEM:
        return err_set(ret_error, ERR_NOMEM, "no memory for the journal '%s'", path);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        if (reason != 0) {
            return err_set(ret_error,
                           ERR_IO,
                           "cannot write the journal '%s': %s (%s)",
                           path,
                           words,
                           strerror(reason));
        }
        break;
    default:
        break;
    }
    return err_set(ret_error, ERR_IO, "cannot write the journal '%s': %s", path, words);
}

int journal_sql_distrust(sqlite3 *db)
{
    (void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, ROW_BYTES_MAX);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    return sqlite3_exec(db, "PRAGMA cell_size_check = ON", NULL, NULL, NULL);
}

int journal_sql_open(const char *path, struct err_text *ret_error, sqlite3 **ret_db)
{
    /* mmap: a file that somebody cuts would end the program with SIGBUS. temp_store: what SQLite
     * keeps aside for a transaction needs no file. */
    static const char set_up[] = "PRAGMA locking_mode = EXCLUSIVE;"
                                 "PRAGMA synchronous = FULL;"
                                 "PRAGMA mmap_size = 0;"
                                 "PRAGMA temp_store = MEMORY";
    sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(path, &db, flags, NULL);
    if (rc == SQLITE_OK) {
        rc = journal_sql_distrust(db);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(db, set_up, NULL, NULL, NULL);
    }
    if (rc != SQLITE_OK) {
        int code = journal_sql_error(db, path, ret_error); /* `db` NULL: no memory */
        (void)sqlite3_close(db);
        return code;
    }
    if (sqlite3_db_readonly(db, "main") == 1) {
        (void)sqlite3_close(db);
        return err_set(ret_error, ERR_IO, "cannot write the journal '%s': it is read-only", path);
    }
    *ret_db = db;
    return 0;
}

static int set_mode(sqlite3 *db, const char *sql, const char *mode, bool *ret_is_set)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
    }
    if (rc == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        *ret_is_set = text != NULL && strcmp(text, mode) == 0;
        rc = SQLITE_OK;
    }
    int finalized = sqlite3_finalize(statement);
    return rc == SQLITE_OK ? finalized : rc;
}

/* TRUNCATE and not DELETE: only that is synchronised too, and with it the commit, under FULL. */
int journal_sql_set_mode(sqlite3 *db, const char *path, struct err_text *ret_error)
{
    bool is_set = false;
    if (!journal_medium_is_shared(path) &&
        set_mode(db, "PRAGMA journal_mode = WAL", "wal", &is_set) == SQLITE_OK && is_set) {
        return 0;
    }
    if (set_mode(db, "PRAGMA journal_mode = TRUNCATE", "truncate", &is_set) != SQLITE_OK) {
        return journal_sql_error(db, path, ret_error);
    }
    return is_set ? 0 : err_set(ret_error, ERR_IO, "journal '%s' cannot be written safely", path);
}

int journal_sql_number(sqlite3 *db,
                       const char *path,
                       const char *sql,
                       struct err_text *ret_error,
                       int64_t *ret_number)
{
    sqlite3_stmt *statement = NULL;
    int code = 0;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        *ret_number = sqlite3_column_int64(statement, 0);
    } else {
        code = journal_sql_error(db, path, ret_error);
    }
    (void)sqlite3_finalize(statement);
    return code;
}
