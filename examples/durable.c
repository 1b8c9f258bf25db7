/* durable: writes each item as a line to the end of a file, and counts it as done when the disk has
 * it. The batch form over any items, for work of which a part need be done only once for many of
 * them: here, waiting for the disk.
 *
 *   quartet run ./libdurable.so --items events.txt --param file=log.txt
 *
 * There is no `run`: a batch of one does. And it is not idempotent, because an item that is run
 * twice is in the file twice: quartet asks before it compares. */
#include <errno.h>
#include <fcntl.h>
#include <quartet/workload.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { BATCH_MAX = 256 };

struct state {
    const struct workload_host *host;
    char *path;
};

struct slot {
    int fd;
    struct iovec parts[2 * BATCH_MAX]; /* each item's bytes, and its newline */
};

static int durable_open(const struct params *params,
                        const struct workload_host *host,
                        struct err_text *ret_error,
                        void **ret_state)
{
    /* Without a default a parameter may be absent. Values are borrowed for this call: copy them. */
    const char *path = host->param(params, "file");
    if (path == NULL) {
        host->set_error(ret_error, "durable: which file? give --param file=PATH");
        return -1;
    }
    struct state *state = malloc(sizeof(*state));
    char *copy = strdup(path);
    if (state == NULL || copy == NULL) {
        free(state);
        free(copy);
        host->set_error(ret_error, "durable: no memory");
        return -1;
    }
    *state = (struct state){.host = host, .path = copy};
    *ret_state = state;
    return 0;
}

static void durable_close(void *opaque)
{
    struct state *state = opaque;
    free(state->path);
    free(state);
}

static int durable_slot_open(void *opaque, struct err_text *ret_error, void **ret_slot)
{
    const struct state *state = opaque;
    struct slot *slot = malloc(sizeof(*slot));
    int fd = open(state->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (slot == NULL || fd < 0) {
        char text[300];
        (void)snprintf(text, sizeof(text), "durable: '%.200s': %s", state->path, strerror(errno));
        state->host->set_error(ret_error, text);
        if (fd >= 0) {
            (void)close(fd);
        }
        free(slot);
        return -1;
    }
    slot->fd = fd;
    *ret_slot = slot;
    return 0;
}

static void durable_slot_close(void *opaque)
{
    struct slot *slot = opaque;
    (void)close(slot->fd);
    free(slot);
}

/* All of the batch in one call, so that slots of other threads and processes, which have the file
 * open as well, do not get in between; then on to the disk. Returns 0 or an errno. */
static int write_lines(struct slot *slot, const struct workload_batch *batch)
{
    static char newline[] = "\n";
    ssize_t all = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct workload_item *item = &batch->items[i];
        slot->parts[2 * i] = (struct iovec){(void *)(uintptr_t)item->bytes, item->bytes_len};
        slot->parts[2 * i + 1] = (struct iovec){newline, 1};
        all += (ssize_t)item->bytes_len + 1;
    }
    ssize_t written = writev(slot->fd, slot->parts, (int)(2 * batch->count));
    if (written == all) {
        return fdatasync(slot->fd) == 0 ? 0 : errno;
    }
    return written < 0 ? errno : ENOSPC; /* a part only: the disk is full */
}

/* The least that every result shows: this item ran, once. FNV-1a of its bytes. */
static uint64_t hash(const struct workload_item *item)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < item->bytes_len; i++) {
        sum = (sum ^ (unsigned char)item->bytes[i]) * UINT64_C(0x100000001b3);
    }
    return sum;
}

/* Every item that was begun is reported, in order, through `done`. Had we begun them one after the
 * other, we would stop when it says false; all were begun with the one write. */
static void durable_run_batch(void *opaque, struct workload_batch *batch)
{
    int number = write_lines(opaque, batch);
    for (size_t i = 0; i < batch->count; i++) {
        struct workload_outcome outcome = {.ok = number == 0};
        if (outcome.ok) {
            outcome.checksum = hash(&batch->items[i]);
            outcome.bytes = batch->items[i].bytes_len;
        } else {
            (void)snprintf(
                outcome.error, sizeof(outcome.error), "not written: %s", strerror(number));
        }
        (void)batch->done(batch, &outcome);
    }
}

static const struct param_spec durable_params[] = {
    {.name = "file", .kind = PARAM_TEXT, .unit = "PATH", .help = "where the lines are written to"},
};

static const struct workload_ops durable_ops = {
    WORKLOAD_ABI,
    .name = "durable",
    .summary = "writes each item as a line to a file, and waits until the disk has it",
    .traits = WORKLOAD_BYTES,
    .params = durable_params,
    .param_count = sizeof(durable_params) / sizeof(durable_params[0]),
    .open = durable_open,
    .close = durable_close,
    .slot_open = durable_slot_open,
    .slot_close = durable_slot_close,
    .run_batch = durable_run_batch,
    .batch_max = BATCH_MAX,
};

WORKLOAD_PLUGIN(durable_ops)
