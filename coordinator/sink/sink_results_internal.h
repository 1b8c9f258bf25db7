/* What the two files of the sink's directory share: sink_results.c writes, sink_results_resume.c has
 * what marks and going on need. */
#ifndef QUARTET_COORDINATOR_SINK_SINK_RESULTS_INTERNAL_H
#define QUARTET_COORDINATOR_SINK_SINK_RESULTS_INTERNAL_H

#include "coordinator/sink/sink_results.h"

#include <sys/stat.h>

enum { NAME_SIZE = 512 };

/* A worker's file; apart on the heap, as the buffer points to it. */
struct entry {
    struct sink_file file;
    char worker[SINK_WORKER_SIZE];
    char name[NAME_SIZE]; /* for messages: the whole path, quoted */
    char *path;           /* absolute; NULL: nobody asks for places */
    uint64_t length;      /* to begin with: what it is cut back to */
    dev_t device;
    ino_t inode;
};

struct sink_results {
    char *path;
    char *absolute; /* the same; NULL: nobody asks for places */
    int directory;
    bool created;
    bool resumes;
    bool has_new; /* files were made since the last mark */
    const struct sink_claims *claims;
    const atomic_bool *give_up;
    struct entry **entries;
    size_t count;
    size_t size;
    size_t open_count;
    size_t hand;           /* the entry that is looked at next when one must be closed */
    struct entry *current; /* the one the last item was for; NULL at first */
    int code;              /* what failed first */
    struct err_text error;
    struct sink_file_buffer buffer;
};

/* A new entry for `worker`, whose file is closed and not looked at, in no list yet; NULL without
 * memory, as `error` says. */
struct entry *sink_results_new_entry(struct sink_results *results, const char *worker);
void sink_results_free_entry(struct entry *entry);

/* Put it into the list. Returns 0 or ERR_NOMEM, as `error` says. */
int sink_results_keep_entry(struct sink_results *results, struct entry *entry);

/* Make the file that is open at `fd` the entry's, unless it is another output's. Returns 0 or ERR_IO,
 * as `error` says: `fd` stays the caller's. */
int sink_results_take_file(struct sink_results *results, struct entry *entry, int fd);

/* The end of the names of workers' files. */
#define SINK_RESULTS_ENDING ".ndjson"

/* When the sink is opened: take over what is gone on with; or, with marks, refuse what is not ours.
 * Returns 0 or an error, as `error` says. */
int sink_results_look(struct sink_results *results, const struct sink_options *options);

#endif
