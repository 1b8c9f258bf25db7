/* Where a worker keeps plugins, by their SHA-256, and how one that is missing gets there.
 *
 * The directory is $XDG_CACHE_HOME/quartet/plugins, else ~/.cache/quartet/plugins, else one made
 * for this process alone and removed with it. What lies in it will be run as code: it and the
 * directory above must be ours, closed to everybody else and no symbolic links, or they are not used. A file's name says
 * nothing: its bytes are hashed before every use, and what does not match is fetched anew. Several workers may use
 * one directory: files appear in it whole, by a rename, and one that is right is never replaced.
 *
 * No thread and no socket: the owner asks plugin_fetch_state what is to be done, and does it. No call
 * takes much longer than to read, hash and write one megabyte. */
#ifndef QUARTET_WORKER_PLUGIN_STORE_H
#define QUARTET_WORKER_PLUGIN_STORE_H

#include "common/base/err.h"
#include "common/io/hash.h"

#include <stddef.h>
#include <stdint.h>

struct plugin_store;

/* What the environment says; any may be NULL. Paths that are not absolute are passed over. */
struct plugin_store_places {
    const char *cache_home; /* XDG_CACHE_HOME */
    const char *home;       /* HOME */
    const char *temporary;  /* TMPDIR; /tmp without it */
};

/* Returns 0, ERR_IO when no directory can be had, with why, or ERR_NOMEM. */
int plugin_store_new(const struct plugin_store_places *places,
                     struct err_text *ret_error,
                     struct plugin_store **ret_store);

/* Removes the directory when it is this process's own. NULL is allowed. */
void plugin_store_free(struct plugin_store *store);

/* The directory; and, when it is this process's own, why not the one in the cache: a line, else
 * "". Borrowed. */
const char *plugin_store_directory(const struct plugin_store *store);
const char *plugin_store_note(const struct plugin_store *store);

/* --- one plugin on its way --- */

struct plugin_fetch;

enum plugin_state {
    PLUGIN_CHECKING = 1, /* there is a file of that name, or one came meanwhile:
                            plugin_fetch_step, again and again */
    PLUGIN_WANTED,       /* ask for the bytes from plugin_fetch_offset on, once */
    PLUGIN_THERE,        /* plugin_fetch_path has exactly these bytes */
    PLUGIN_FAILED,       /* plugin_fetch_error says why */
};

/* Begin with the plugin of `size` bytes and this hash. `store` outlives the fetch. Returns 0 or ERR_NOMEM. */
int plugin_fetch_new(struct plugin_store *store,
                     const unsigned char hash[HASH_SIZE],
                     uint64_t size,
                     struct plugin_fetch **ret_fetch);

/* What had come of an unfinished one is removed. NULL is allowed. */
void plugin_fetch_free(struct plugin_fetch *fetch);

enum plugin_state plugin_fetch_state(const struct plugin_fetch *fetch);

/* Hash some more of the file that is there. In other states than PLUGIN_CHECKING nothing happens. */
void plugin_fetch_step(struct plugin_fetch *fetch);

uint64_t plugin_fetch_offset(const struct plugin_fetch *fetch);

/* The bytes from `offset` on came from the peer, and may be anything. One that was not asked for is
 * passed over; one without bytes means that the peer has no more. */
void plugin_fetch_part(struct plugin_fetch *fetch, uint64_t offset, const void *bytes, size_t len);

/* Borrowed until plugin_fetch_free. */
const char *plugin_fetch_path(const struct plugin_fetch *fetch);
const char *plugin_fetch_error(const struct plugin_fetch *fetch);

#endif
