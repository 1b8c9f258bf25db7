#include "coordinator/session/fleet.h"

#include "common/base/check.h"
#include "coordinator/session/program.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FLEET_MAX = 256, END_SIZE = 160, ARGUMENT_SIZE = 32 };

struct member {
    uv_process_t process;
    struct fleet *fleet;
    char name[ARGUMENT_SIZE];
    bool alive;
    bool open; /* its handle is not closed yet */
};

struct fleet {
    struct stage *stage;
    struct fleet_options options;
    struct fleet_access access; /* with options.access */
    char program[PROGRAM_PATH_SIZE];
    struct member members[FLEET_MAX];
    uint32_t started; /* in all; names the next one */
    uint32_t alive;
    bool closing;
    char last_end[END_SIZE];
};

int fleet_new(struct stage *stage,
              const struct fleet_options *options,
              struct err_text *ret_error,
              struct fleet **ret_fleet)
{
    struct fleet *fleet = calloc(1, sizeof(*fleet));
    if (fleet == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory to start workers");
    }
    fleet->stage = stage;
    fleet->options = *options;
    if (options->access != NULL) {
        fleet->access = *options->access;
    }
    program_find("quartet-worker", fleet->program, sizeof(fleet->program));
    *ret_fleet = fleet;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct member *member = handle->data;
    member->open = false;
}

static void take_back_key(const struct member *member)
{
    const struct fleet *fleet = member->fleet;
    if (fleet->options.access != NULL) {
        fleet->access.revoke(fleet->options.arg, member->name);
    }
}

static void on_ended(uv_process_t *process, int64_t status, int signal_number)
{
    struct member *member = process->data;
    struct fleet *fleet = member->fleet;
    member->alive = false;
    fleet->alive--;
    take_back_key(member);
    program_describe_end(
        member->name, (int)status, signal_number, fleet->last_end, sizeof(fleet->last_end));
    uv_close((uv_handle_t *)process, on_closed);
    if (!fleet->closing) {
        const struct fleet_end end = {
            .status = (int)status, .signal = signal_number, .how = fleet->last_end};
        fleet->options.ended(fleet->options.arg, &end);
    }
}

/* `input`: a descriptor to read the access file from; -1: none is needed. */
static int start(struct fleet *fleet, struct member *member, int input, struct err_text *ret_error)
{
    char parent[ARGUMENT_SIZE];
    (void)snprintf(parent, sizeof(parent), "%ld", (long)getpid());
    const char *arguments[] = {
        fleet->program,
        input >= 0 ? "--access" : "--connect",
        input >= 0 ? "-" : fleet->options.endpoint,
        "--name",
        member->name,
        "--parent",
        parent,
        "--quiet",
        "--insecure",
        /* What they run is what this user asks this machine to run. */
        "--allow-exec",
        "--allow-plugins",
        NULL,
    };
    uv_stdio_container_t stdio[] = {
        {.flags = input >= 0 ? UV_INHERIT_FD : UV_IGNORE, .data.fd = input},
        {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO}, /* workers print no results */
        {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
    };
    uv_process_options_t options = {
        .file = fleet->program,
        .args = (char **)(uintptr_t)arguments, /* uv_spawn does not write to them */
        .exit_cb = on_ended,
        .stdio = stdio,
        .stdio_count = 3,
        /* A group of its own: Ctrl-C is for the coordinator, which then tells its workers. */
        .flags = UV_PROCESS_DETACHED,
    };
    memset(&member->process, 0, sizeof(member->process));
    int rc = uv_spawn(&fleet->stage->loop, &member->process, &options);
    member->process.data = member;
    member->open = true;
    if (rc != 0) {
        uv_close((uv_handle_t *)&member->process, on_closed);
        return err_set(ret_error,
                       ERR_CHILD,
                       "cannot start a worker with '%s': %s",
                       fleet->program,
                       uv_strerror(rc));
    }
    member->alive = true;
    fleet->alive++;
    return 0;
}

/* With keys it finds what it needs on its standard input: nobody else can read that, as they could its
 * arguments. */
static int start_with_access(struct fleet *fleet, struct member *member, struct err_text *ret_error)
{
    int input = -1;
    member->fleet = fleet;
    (void)snprintf(member->name, sizeof(member->name), "local-%u", ++fleet->started);
    if (fleet->options.access != NULL) {
        int rc = fleet->access.grant(fleet->options.arg, member->name, ret_error, &input);
        if (rc != 0) {
            return rc;
        }
    }
    int rc = start(fleet, member, input, ret_error);
    if (input >= 0) {
        (void)close(input);
    }
    if (rc != 0) {
        take_back_key(member);
    }
    return rc;
}

int fleet_ensure(struct fleet *fleet, uint32_t count, struct err_text *ret_error)
{
    CHECK(count <= FLEET_MAX);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < FLEET_MAX && fleet->alive < count; i++) {
        if (!fleet->members[i].open) {
            rc = start_with_access(fleet, &fleet->members[i], ret_error);
        }
    }
    return rc;
}

uint32_t fleet_alive(const struct fleet *fleet)
{
    return fleet->alive;
}

const char *fleet_last_end(const struct fleet *fleet)
{
    return fleet->last_end;
}

static bool all_closed(void *arg)
{
    const struct fleet *fleet = arg;
    for (uint32_t i = 0; i < FLEET_MAX; i++) {
        if (fleet->members[i].open) {
            return false;
        }
    }
    return true;
}

void fleet_free(struct fleet *fleet, uint32_t grace_ms)
{
    if (fleet == NULL) {
        return;
    }

    enum { US_PER_MS = 1000, KILL_WAIT_US = 5 * 1000 * 1000 };

    fleet->closing = true;
    (void)stage_wait_anyway(fleet->stage, all_closed, fleet, (uint64_t)grace_ms * US_PER_MS);
    for (uint32_t i = 0; i < FLEET_MAX; i++) {
        if (fleet->members[i].alive) {
            (void)uv_process_kill(&fleet->members[i].process, SIGKILL);
        }
    }
    (void)stage_wait_anyway(fleet->stage, all_closed, fleet, KILL_WAIT_US);
    free(fleet);
}
