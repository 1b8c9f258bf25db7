/* The tables of a journal. */
#ifndef QUARTET_COORDINATOR_JOURNAL_JOURNAL_SCHEMA_H
#define QUARTET_COORDINATOR_JOURNAL_JOURNAL_SCHEMA_H

#include "common/base/err.h"

#include <sqlite3.h>

enum {
    JOURNAL_APPLICATION_ID = 0x71744A6C, /* "qtJl": what the header of the file says it is */
    JOURNAL_VERSION = 1,                 /* of the tables and of what is in them: user_version */
};

/* Make the tables in an empty database, inside a transaction of the caller's. Returns SQLite's
 * code. */
int journal_schema_create(sqlite3 *db);

/* Is it a journal of this version, with these tables and nothing else (no views, no triggers)? 0;
 * ERR_INVALID with what it is instead; or an error of reading. */
int journal_schema_check(sqlite3 *db, const char *path, struct err_text *ret_error);

#endif
