/* Immutable bytes with a reference count, so that many chunks can point into one received
 * message without a copy.
 *
 * References may be taken and given back from any thread. */
#ifndef QUARTET_COMMON_BASE_BLOB_H
#define QUARTET_COMMON_BASE_BLOB_H

#include <stddef.h>

struct blob;

/* Own `bytes` (of `len`) through one reference. `release(arg)` is called once, by whichever
 * thread gives the last reference back. NULL `release`: free(bytes). Returns NULL without
 * memory; the bytes then stay the caller's. */
struct blob *blob_new(const void *bytes, size_t len, void (*release)(void *arg), void *arg);

/* One more reference. Returns `blob`; NULL is allowed and stays NULL. */
struct blob *blob_ref(struct blob *blob);

/* Give one reference back. NULL is allowed. */
void blob_unref(struct blob *blob);

const void *blob_bytes(const struct blob *blob);
size_t blob_len(const struct blob *blob);

#endif
