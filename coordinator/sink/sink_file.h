/* A file that whole items are written to, through a buffer.
 *
 * When a write fails, a regular file is cut back to the end of the last whole item that was
 * written; from then on the file swallows what it is given and remembers why. Writing to a pipe, a
 * socket or a terminal waits in short steps, so that a reader who sleeps can be given up. One
 * thread. */
#ifndef QUARTET_COORDINATOR_SINK_SINK_FILE_H
#define QUARTET_COORDINATOR_SINK_SINK_FILE_H

#include "common/base/err.h"
#include "coordinator/sink/sink_text.h"

#include <stdatomic.h>
#include <sys/types.h>

enum {
    SINK_FILE_WRITE_BYTES = 64 * 1024, /* as much is waited for before anything is written */
    SINK_FILE_BUFFER_BYTES = SINK_FILE_WRITE_BYTES + 16 * 1024,
};

/* What is to be written, and where items end in it. Files that are written in turn may share
 * one. */
struct sink_file_buffer {
    struct sink_text text;
    struct sink_file *file; /* what is in the buffer is for; NULL: for none, it is empty */
    uint64_t ends[SINK_FILE_BUFFER_BYTES / 64 + 1]; /* bit i: an item ends before byte i */
    char bytes[SINK_FILE_BUFFER_BYTES];
};

void sink_file_buffer_init(struct sink_file_buffer *buffer);

enum sink_file_kind {
    SINK_FILE_REGULAR, /* can be cut back; writing does not wait for a reader */
    SINK_FILE_DEVICE,  /* as /dev/null: neither */
    SINK_FILE_PIPE,    /* has a reader who may sleep: a pipe, a terminal */
    SINK_FILE_SOCKET,  /* the same */
};

struct sink_file {
    const char *name; /* for messages; borrowed */
    int fd;           /* -1: closed for the time being */
    enum sink_file_kind kind;
    uint64_t start;   /* where in the file its first byte went */
    uint64_t written; /* bytes that were written since */
    uint64_t whole;   /* of these, up to the end of the last whole item */
    uint64_t synced;  /* of these, that are on disk for certain */
    int error;        /* errno of what failed first; ECANCELED: it was given up; 0: all is well */
    bool failed_late; /* only closing it failed */
    struct sink_file_buffer *buffer; /* borrowed */
    const atomic_bool *give_up;      /* borrowed; true: wait for no reader any more */
};

/* A file that is open for writing at `fd`, which becomes the file's. Nothing is written yet; what
 * is put goes where `fd` stands, or to the end when it appends. Returns 0 or ERR_IO with the name
 * and the reason; the descriptor stays the caller's then. */
int sink_file_init(struct sink_file *file,
                   const char *name,
                   int fd,
                   struct sink_file_buffer *buffer,
                   const atomic_bool *give_up,
                   struct err_text *ret_error);

/* Where its text goes. When the buffer was another file's, that one is flushed first. */
struct sink_text *sink_file_text(struct sink_file *file);

/* An item, or the header, ends here. Writes when there is enough. */
void sink_file_end_item(struct sink_file *file);

/* Write what is in the buffer. */
void sink_file_flush(struct sink_file *file);

/* Begin at `length`: what a regular file has behind that is cut off. Before anything is put. */
void sink_file_rewind(struct sink_file *file, uint64_t length);

/* What was written is on disk when this is done and the file has no error; of a regular file whose
 * buffer is empty. */
void sink_file_sync(struct sink_file *file);

/* How long a regular file is with what was written. */
static inline uint64_t sink_file_length(const struct sink_file *file)
{
    return file->start + file->written;
}

/* Close the descriptor; what the system reports only now becomes the file's error. Nothing may be
 * in the buffer for it. May be called again. */
void sink_file_close(struct sink_file *file);

/* ERR_IO, or ERR_CANCELLED when it was given up, with the name and the reason; 0 when all is
 * well. */
int sink_file_error(const struct sink_file *file, struct err_text *ret_error);

#endif
