/* What a file lies on. */
#ifndef QUARTET_COORDINATOR_JOURNAL_JOURNAL_MEDIUM_H
#define QUARTET_COORDINATOR_JOURNAL_JOURNAL_MEDIUM_H

#include <stdbool.h>

/* Is it a file system that other machines may write to at the same time, or that may stand for one
 * (FUSE)? True also when that cannot be found out. SQLite's write-ahead log is not for these
 * (https://www.sqlite.org/wal.html). */
bool journal_medium_is_shared(const char *path);

#endif
