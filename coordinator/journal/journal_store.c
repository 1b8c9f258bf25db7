/* The file of a journal: made, opened, closed; see journal_store.h. */
#include "coordinator/journal/journal_store.h"

#include "coordinator/journal/journal_schema.h"
#include "coordinator/journal/journal_sql.h"
#include "coordinator/sink/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MODE = 0666, HEADER_SIZE = 100, APPLICATION_ID_AT = 68 };

static const char *const statements[JOURNAL_STATEMENTS] = {
    [JOURNAL_BEGIN] = "BEGIN EXCLUSIVE",
    [JOURNAL_COMMIT] = "COMMIT",
    [JOURNAL_PUT_DONE] = "INSERT OR REPLACE INTO done VALUES(?, ?)",
    [JOURNAL_DROP_DONE] = "DELETE FROM done WHERE first = ?",
    [JOURNAL_PUT_FAILED] = "INSERT INTO failed VALUES(?, ?, ?)",
    [JOURNAL_PUT_OUTPUT] = "INSERT OR REPLACE INTO outputs VALUES(?, ?)",
    [JOURNAL_PUT_WAITING] = "INSERT INTO waiting VALUES(NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [JOURNAL_DROP_WAITING] = "DELETE FROM waiting WHERE \"end\" <= ? RETURNING seal",
    [JOURNAL_PUT_PROGRESS] = ("INSERT OR REPLACE INTO progress VALUES("
                              "1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
};

static int failed(const struct journal_store *store, struct err_text *ret_error)
{
    return journal_sql_error(store->db, store->path, ret_error);
}

/* A store of an absolute path, without a database. */
static int new_store(const char *path, struct err_text *ret_error, struct journal_store **ret_store)
{
    struct journal_store *store = calloc(1, sizeof(*store));
    char *absolute = directory_absolute(path);
    if (store == NULL || absolute == NULL) {
        int reason = store == NULL ? ENOMEM : errno;
        free(store);
        free(absolute);
        return err_set(ret_error,
                       reason == ENOMEM ? ERR_NOMEM : ERR_IO,
                       "journal '%s': %s",
                       path,
                       strerror(reason));
    }
    store->path = absolute;
    *ret_store = store;
    return 0;
}

void journal_store_close(struct journal_store *store, bool orderly)
{
    if (store == NULL) {
        return;
    }
    for (size_t i = 0; i < JOURNAL_STATEMENTS; i++) {
        (void)sqlite3_finalize(store->statements[i]);
    }
    if (store->db != NULL) {
        if (orderly) {
            (void)sqlite3_exec(store->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
        } else {
            (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        }
        (void)sqlite3_close(store->db);
    }
    interval_deinit(&store->done);
    journal_places_free(store->places, store->place_count);
    free(store->path);
    free(store);
}

int journal_store_run(struct journal_store *store, enum journal_statement which)
{
    sqlite3_stmt *statement = store->statements[which];
    int rc = sqlite3_step(statement);
    int reset = sqlite3_reset(statement);
    return rc == SQLITE_DONE ? reset : rc;
}

static int prepare_all(struct journal_store *store, struct err_text *ret_error)
{
    for (size_t i = 0; i < JOURNAL_STATEMENTS; i++) {
        int rc = sqlite3_prepare_v3(
            store->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &store->statements[i], NULL);
        if (rc != SQLITE_OK) {
            return failed(store, ret_error);
        }
    }
    return 0;
}

/* --- a new one --- */

/* Does the file begin as a journal does? */
static bool looks_like_journal(const char *path)
{
    static const char magic[] = "SQLite format 3";
    unsigned char header[HEADER_SIZE] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    ssize_t len = fd >= 0 ? read(fd, header, sizeof(header)) : -1;
    if (fd >= 0) {
        (void)close(fd);
    }
    const unsigned char *id = header + APPLICATION_ID_AT;
    return len == HEADER_SIZE && memcmp(header, magic, sizeof(magic)) == 0 &&
           ((uint32_t)id[0] << 24 | (uint32_t)id[1] << 16 | (uint32_t)id[2] << 8 | id[3]) ==
               JOURNAL_APPLICATION_ID;
}

/* Make the empty file, so that nobody else's is taken. */
static int make_file(const char *path, struct err_text *ret_error)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    if (fd >= 0) {
        (void)close(fd);
        return 0;
    }
    if (errno != EEXIST) {
        return err_set(
            ret_error, ERR_IO, "cannot make the journal '%s': %s", path, strerror(errno));
    }
    if (looks_like_journal(path)) {
        return err_set(ret_error,
                       ERR_BUSY,
                       "journal '%s' exists: go on with `quartet resume %s`, or remove it to begin "
                       "anew",
                       path,
                       path);
    }
    return err_set(ret_error,
                   ERR_BUSY,
                   "'%s' exists and is no journal: give --journal a name that is free",
                   path);
}

/* The tables and the job, in one transaction. With a rollback journal, so that the file alone is
 * whole from the beginning. */
static int fill(struct journal_store *store,
                const char *job,
                uint64_t job_id,
                struct err_text *ret_error)
{
    sqlite3_stmt *statement = NULL;
    size_t len = strlen(job);
    store->sums.job = journal_seal_job(job_id, job, len);
    int rc = sqlite3_exec(store->db, "BEGIN EXCLUSIVE", NULL, NULL, NULL);
    if (rc == SQLITE_OK) {
        rc = journal_schema_create(store->db);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_prepare_v2(store->db, "INSERT INTO job VALUES(?, ?)", -1, &statement, NULL);
    }
    if (rc == SQLITE_OK) {
        (void)journal_sql_bind(statement, 1, job_id);
        (void)sqlite3_bind_text64(statement, 2, job, len, SQLITE_STATIC, SQLITE_UTF8);
        rc = sqlite3_step(statement) == SQLITE_DONE ? SQLITE_OK : SQLITE_ERROR;
    }
    int code = rc == SQLITE_OK ? prepare_all(store, ret_error) : failed(store, ret_error);
    (void)sqlite3_finalize(statement);
    if (code == 0 && (journal_write_progress(store) != SQLITE_OK ||
                      journal_store_run(store, JOURNAL_COMMIT) != SQLITE_OK)) {
        code = failed(store, ret_error);
    }
    return code;
}

static void remove_files(const char *path)
{
    static const char *const endings[] = {"", "-journal", "-wal"};
    char *name = NULL;
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        if (asprintf(&name, "%s%s", path, endings[i]) >= 0) {
            (void)unlink(name);
            free(name);
        }
    }
}

static int check_job(const char *path, const char *job, struct err_text *ret_error)
{
    size_t len = strlen(job);
    if (len == 0 || len > JOURNAL_JOB_MAX) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "journal '%s': the job takes %zu bytes to describe, 1 to %d can be kept",
                       path,
                       len,
                       JOURNAL_JOB_MAX);
    }
    return 0;
}

int journal_store_create(const char *path,
                         const char *job,
                         uint64_t job_id,
                         struct err_text *ret_error,
                         struct journal_store **ret_store)
{
    struct journal_store *store = NULL;
    int code = check_job(path, job, ret_error);
    if (code == 0) {
        code = new_store(path, ret_error, &store);
    }
    if (code == 0) {
        code = make_file(store->path, ret_error);
    }
    if (code != 0) {
        journal_store_close(store, false);
        return code;
    }
    code = journal_sql_open(store->path, ret_error, &store->db);
    if (code == 0) {
        code = fill(store, job, job_id, ret_error);
    }
    if (code == 0) {
        code = journal_sql_set_mode(store->db, store->path, ret_error);
    }
    if (code == 0 && directory_sync_of(store->path) != 0) {
        code = err_set(
            ret_error, ERR_IO, "cannot make the journal '%s': %s", path, strerror(errno));
    }
    if (code != 0) {
        remove_files(store->path);
        journal_store_close(store, false);
        return code;
    }
    *ret_store = store;
    return 0;
}

/* --- one that is there --- */

static int check_file(const char *path, struct err_text *ret_error)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return err_set(ret_error,
                       errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO,
                       "cannot read the journal '%s': %s",
                       path,
                       strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "'%s' is no journal: it is %s",
                       path,
                       S_ISDIR(status.st_mode) ? "a directory" : "no regular file");
    }
    return 0;
}

/* Is what SQLite put into the file as SQLite put it? */
static int check_integrity(struct journal_store *store, struct err_text *ret_error)
{
    sqlite3_stmt *statement = NULL;
    int code = 0;
    int rc = sqlite3_prepare_v2(store->db, "PRAGMA integrity_check(1)", -1, &statement, NULL);
    if (rc != SQLITE_OK || sqlite3_step(statement) != SQLITE_ROW) {
        code = failed(store, ret_error);
    } else {
        const char *word = (const char *)sqlite3_column_text(statement, 0);
        if (word == NULL || strcmp(word, "ok") != 0) {
            code = err_set(ret_error,
                           ERR_INVALID,
                           "journal '%s' is damaged: %s",
                           store->path,
                           word != NULL ? word : "it cannot be checked");
        }
    }
    (void)sqlite3_finalize(statement);
    return code;
}

/* Once more begun: written at once, which shows too whether it can be written. */
static int note_resumed(struct journal_store *store, struct err_text *ret_error)
{
    store->progress.resumed++;
    if (journal_store_run(store, JOURNAL_BEGIN) != SQLITE_OK ||
        journal_write_progress(store) != SQLITE_OK ||
        journal_store_run(store, JOURNAL_COMMIT) != SQLITE_OK) {
        return failed(store, ret_error);
    }
    return 0;
}

/* Under the lock, which is kept. */
static int read_store(struct journal_store *store,
                      struct err_text *ret_error,
                      struct journal_state *ret_state)
{
    int code = 0;
    if (sqlite3_exec(store->db, "BEGIN EXCLUSIVE", NULL, NULL, NULL) != SQLITE_OK) {
        return failed(store, ret_error);
    }
    code = journal_schema_check(store->db, store->path, ret_error);
    if (code == 0) {
        code = check_integrity(store, ret_error);
    }
    if (code == 0) {
        code = journal_read_all(store, ret_error, ret_state);
    }
    if (sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK && code == 0) {
        code = failed(store, ret_error);
        journal_state_deinit(ret_state);
    }
    return code;
}

static int make_ready(struct journal_store *store, struct err_text *ret_error)
{
    if (store->progress.complete) {
        return 0; /* nothing will be written */
    }
    int code = journal_sql_set_mode(store->db, store->path, ret_error);
    if (code == 0) {
        code = prepare_all(store, ret_error);
    }
    return code == 0 ? note_resumed(store, ret_error) : code;
}

int journal_store_open(const char *path,
                       struct err_text *ret_error,
                       struct journal_store **ret_store,
                       struct journal_state *ret_state)
{
    struct journal_store *store = NULL;
    struct journal_state state;
    int code = check_file(path, ret_error);
    if (code == 0) {
        code = new_store(path, ret_error, &store);
    }
    if (code == 0) {
        code = journal_sql_open(store->path, ret_error, &store->db);
    }
    if (code == 0) {
        code = read_store(store, ret_error, &state);
    }
    if (code != 0) {
        journal_store_close(store, false);
        return code;
    }
    code = make_ready(store, ret_error);
    if (code != 0) {
        journal_state_deinit(&state);
        journal_store_close(store, false);
        return code;
    }
    *ret_store = store;
    *ret_state = state;
    return 0;
}
