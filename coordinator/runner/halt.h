/* When to stop before all items are done: `--halt soon|now,fail|success|done=N|N%`, GNU Parallel's
 * grammar (its older short forms too: 0, 1, 2, -1, -2, N%). A share is of all items of the input,
 * so that it waits until they are counted. Pure. */
#ifndef QUARTET_COORDINATOR_RUNNER_HALT_H
#define QUARTET_COORDINATOR_RUNNER_HALT_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum halt_when {
    HALT_NEVER = 0,
    HALT_SOON, /* begin nothing more, wait for what runs */
    HALT_NOW,  /* end what runs */
};

enum halt_why { HALT_FAIL = 0, HALT_SUCCESS, HALT_DONE };

struct halt {
    enum halt_when when;
    enum halt_why why;
    uint64_t count; /* items; 0: see percent */
    double percent; /* of all items */
};

/* ERR_INVALID quotes `text`. */
int halt_parse(const char *text, struct halt *ret_halt, struct err_text *ret_error);

/* What to do when `ok` items have succeeded and `failed` have failed, of `total`; 0: not known
 * yet. */
enum halt_when halt_check(const struct halt *halt, uint64_t ok, uint64_t failed, uint64_t total);

#endif
