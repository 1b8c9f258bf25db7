#include "common/base/blob.h"

#include "common/base/check.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

struct blob {
    const void *bytes;
    size_t len;
    void (*release)(void *arg);
    void *arg;
    atomic_uint_fast32_t refs;
};

struct blob *blob_new(const void *bytes, size_t len, void (*release)(void *arg), void *arg)
{
    struct blob *blob = malloc(sizeof(*blob));
    if (blob == NULL) {
        return NULL;
    }
    blob->bytes = bytes;
    blob->len = len;
    blob->release = release;
    blob->arg = arg;
    atomic_init(&blob->refs, 1);
    return blob;
}

struct blob *blob_ref(struct blob *blob)
{
    if (blob != NULL) {
        atomic_fetch_add_explicit(&blob->refs, 1, memory_order_relaxed);
    }
    return blob;
}

void blob_unref(struct blob *blob)
{
    if (blob == NULL) {
        return;
    }
    /* acq_rel: the last holder must see every other holder's reads finished before it frees. */
    uint_fast32_t before = atomic_fetch_sub_explicit(&blob->refs, 1, memory_order_acq_rel);
    CHECK(before > 0);
    if (before > 1) {
        return;
    }
    if (blob->release != NULL) {
        blob->release(blob->arg);
    } else {
        free((void *)(uintptr_t)blob->bytes);
    }
    free(blob);
}

const void *blob_bytes(const struct blob *blob)
{
    return blob->bytes;
}

size_t blob_len(const struct blob *blob)
{
    return blob->len;
}
