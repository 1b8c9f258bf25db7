/* linecount: how many lines has the file that the item names? The blocking form, the simplest there
 * is: one function that runs one item to its end.
 *
 *   ls *.txt | quartet run ./liblinecount.so --items - --param longer-than=80
 *
 * A plugin is a table of functions (struct workload_ops) and the one function that returns it
 * (WORKLOAD_PLUGIN, last line). It links nothing of quartet: what it needs of the program comes
 * through `host`, a table of functions as well. */
#include <errno.h>
#include <fcntl.h>
#include <quartet/workload.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER_SIZE = 64 * 1024 };

/* What all slots of a process share. Made once, in open; not changed after that, so that slots on
 * several threads may read it without a lock. */
struct state {
    const struct workload_host *host;
    uint64_t longer_than;
};

/* What one slot needs for itself: a slot runs one item at a time. */
struct slot {
    const struct state *state;
    char buffer[BUFFER_SIZE];
};

static int linecount_open(const struct params *params,
                          const struct workload_host *host,
                          struct err_text *ret_error,
                          void **ret_state)
{
    struct state *state = malloc(sizeof(*state));
    if (state == NULL) {
        host->set_error(ret_error, "linecount: no memory");
        return -1;
    }
    state->host = host;
    /* There is a value, because the parameter has a default, and it is a whole number, because it
     * is a PARAM_COUNT: that was checked before any of this was loaded. */
    state->longer_than = strtoull(host->param(params, "longer-than"), NULL, 10);
    *ret_state = state;
    return 0;
}

static void linecount_close(void *state)
{
    free(state);
}

static int linecount_slot_open(void *state, struct err_text *ret_error, void **ret_slot)
{
    struct slot *slot = malloc(sizeof(*slot));
    if (slot == NULL) {
        ((struct state *)state)->host->set_error(ret_error, "linecount: no memory for a slot");
        return -1;
    }
    slot->state = state;
    *ret_slot = slot;
    return 0;
}

static void linecount_slot_close(void *slot)
{
    free(slot);
}

/* An item fails with a text in its outcome. It costs its neighbours nothing, and may be tried
 * again if the user said so. */
static void fail(struct workload_outcome *outcome, const char *path, int number)
{
    (void)snprintf(outcome->error, sizeof(outcome->error), "'%.100s': %s", path, strerror(number));
}

/* Count in what is read from `fd`; false with errno set when it cannot be read. */
static bool count_lines(struct slot *slot, int fd, uint64_t *ret_lines)
{
    const struct state *state = slot->state;
    uint64_t lines = 0;
    uint64_t len = 0; /* of the line so far */
    ssize_t got = 0;
    /* What takes long looks at `cancelled` every now and then: that is how Ctrl-C works. */
    while (!state->host->cancelled(state->host) &&
           (got = read(fd, slot->buffer, sizeof(slot->buffer))) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            if (slot->buffer[i] != '\n') {
                len++;
                continue;
            }
            lines += len > state->longer_than || state->longer_than == 0;
            len = 0;
        }
    }
    lines += len > state->longer_than; /* a last line without its newline */
    *ret_lines = lines;
    return got >= 0;
}

/* `outcome` comes as zeros. The item's bytes have a NUL behind them. */
static void linecount_run(void *opaque,
                          const struct workload_item *item,
                          struct workload_outcome *outcome)
{
    struct slot *slot = opaque;
    uint64_t lines = 0;
    int fd = open(item->bytes, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fail(outcome, item->bytes, errno);
        return;
    }
    if (count_lines(slot, fd, &lines)) {
        outcome->ok = true;
        outcome->flags = WORKLOAD_HAS_VALUE;
        outcome->value = lines;
        /* Added up over all items, and compared between strategies and hosts: it must follow from
         * the item and its result alone. The 1 shows an item that was lost, or ran twice. */
        outcome->checksum = 1 + lines;
    } else {
        fail(outcome, item->bytes, errno);
    }
    (void)close(fd);
}

static const struct param_spec linecount_params[] = {
    {.name = "longer-than",
     .kind = PARAM_COUNT,
     .unit = "bytes",
     .default_value = "0",
     .max = 1 << 30,
     .help = "count only lines of more bytes than this; 0: count all"},
};

static const struct workload_ops linecount_ops = {
    WORKLOAD_ABI,
    .name = "linecount",
    .summary = "counts the lines of the file that an item names",
    .traits = WORKLOAD_IDEMPOTENT | WORKLOAD_BYTES,
    .params = linecount_params,
    .param_count = sizeof(linecount_params) / sizeof(linecount_params[0]),
    .open = linecount_open,
    .close = linecount_close,
    .slot_open = linecount_slot_open,
    .slot_close = linecount_slot_close,
    .run = linecount_run,
};

WORKLOAD_PLUGIN(linecount_ops)
