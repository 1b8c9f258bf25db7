/* A host for `--push`, played by a shell of this machine: an empty home, a small bundle to send there, and
 * somebody who answers what the shell asks for as the launcher does. */
#ifndef QUARTET_TESTS_COORDINATOR_LAUNCH_PUSH_RIG_H
#define QUARTET_TESTS_COORDINATOR_LAUNCH_PUSH_RIG_H

#include "coordinator/launch/bundle.h"
#include "coordinator/launch/launch_child.h"
#include "coordinator/launch/launch_push.h"

#include <stdbool.h>
#include <uv.h>

enum { PUSH_PATH_SIZE = 512, PUSH_SAID_SIZE = 4096 };

struct push_rig {
    uv_loop_t loop;
    char directory[PUSH_PATH_SIZE]; /* all that is made here; the shell's HOME */
    char kept[PUSH_PATH_SIZE];      /* where the bundle is to be */
    char path[PUSH_PATH_SIZE];      /* the shell's PATH; "": as it is */
    const char *shell;              /* the login shell there */
    struct bundle *bundle;
    struct launch_push push;
    uint64_t cut_bytes; /* the connection breaks after so many; 0: it does not */
};

/* One launch there. */
struct push_visit {
    struct push_rig *rig;
    struct launch_child *child;
    bool ended;
    unsigned asked;              /* so often the bundle was asked for */
    char failed[PUSH_PATH_SIZE]; /* what it says went wrong */
    char said[PUSH_SAID_SIZE];   /* other lines, each with its end */
    struct spawn_end end;
};

/* For cmocka. */
int push_set_up(void **state);
int push_tear_down(void **state);

/* Make the bundle: its worker is `script` for sh. */
void push_make_bundle(struct push_rig *rig, const char *script);

/* Begin a visit; play until those that have begun are over. */
void push_begin(struct push_rig *rig, struct push_visit *visit);
void push_play(struct push_rig *rig);

/* Both. */
void push_visit(struct push_rig *rig, struct push_visit *visit);

/* Run by sh in the rig's directory; fails the test when that does. */
void push_sh(const struct push_rig *rig, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* How many names, hidden ones included, are where bundles are kept. */
size_t push_count_kept(const struct push_rig *rig);

#endif
