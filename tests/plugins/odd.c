/* A plugin with one thing wrong, or odd, with it: which is said by a macro ODD_... when it is compiled. See
 * CMakeLists.txt here for the list. */
#include <quartet/workload.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef ODD_UNDEFINED_SYMBOL
int nobody_has_this_function(void);
#endif

static int odd_open(const struct params *params,
                    const struct workload_host *host,
                    struct err_text *ret_error,
                    void **ret_state)
{
    (void)params;
    (void)host;
    (void)ret_error;
    *ret_state = NULL;
#ifdef ODD_UNDEFINED_SYMBOL
    return nobody_has_this_function();
#else
    return 0;
#endif
}

static void odd_close(void *state)
{
    (void)state;
}

static int odd_slot_open(void *state, struct err_text *ret_error, void **ret_slot)
{
    (void)ret_error;
    *ret_slot = state;
    return 0;
}

#ifndef ODD_NO_RUN
static void odd_run(void *slot, const struct workload_item *item, struct workload_outcome *outcome)
{
    (void)slot;
    outcome->ok = true;
    outcome->checksum = item->number;
}
#endif

#ifdef ODD_BAD_DEFAULT
static const struct param_spec odd_params[] = {
    {.name = "level",
     .kind = PARAM_COUNT,
     .unit = "levels",
     .default_value = "11",
     .max = 10,
     .help = "how odd it is"},
};
#endif

/* As a table of some later minor version: larger, with a member that this one does not know. */
struct odd_table {
    struct workload_ops ops;
    void (*later)(void);
};

static void later(void)
{
}

static const struct odd_table odd_table = {
    .ops =
        {
#ifdef ODD_NEWER_MINOR
            .size = sizeof(struct odd_table),
            .abi_minor = WORKLOAD_ABI_MINOR + 1,
#elif defined(ODD_SHORT_TABLE)
            .size = offsetof(struct workload_ops, run),
            .abi_minor = WORKLOAD_ABI_MINOR,
#else
            .size = sizeof(struct workload_ops),
            .abi_minor = WORKLOAD_ABI_MINOR,
#endif
#ifdef ODD_WRONG_MAGIC
            .magic = 0x12345678,
#else
            .magic = WORKLOAD_MAGIC,
#endif
#ifdef ODD_OTHER_MAJOR
            .abi_major = WORKLOAD_ABI_MAJOR + 1,
#else
            .abi_major = WORKLOAD_ABI_MAJOR,
#endif
            .name = "odd",
            .summary = "is odd",
            .traits = WORKLOAD_NUMBERS,
#ifdef ODD_BAD_DEFAULT
            .params = odd_params,
            .param_count = 1,
#endif
            .open = odd_open,
            .close = odd_close,
            .slot_open = odd_slot_open,
            .slot_close = odd_close,
#ifndef ODD_NO_RUN
            .run = odd_run,
#endif
        },
    .later = later,
};

#ifndef ODD_NO_SYMBOL
const struct workload_ops *quartet_workload(void);

const struct workload_ops *quartet_workload(void)
{
#    if defined(ODD_NULL_TABLE)
    return NULL;
#    elif defined(ODD_HANGS)
    for (;;) {
        (void)pause();
    }
#    elif defined(ODD_ABORTS)
    abort();
#    elif defined(ODD_EXITS)
    _exit(EXIT_SUCCESS);
#    else
#        ifdef ODD_CHATTY
    (void)printf("{\"name\": \"chatter\"}\n");
    (void)fflush(stdout);
    (void)fprintf(stderr, "chatter on standard error\n");
#        endif
    return &odd_table.ops;
#    endif
}
#endif

/* Keeps the table of the one that has no function to return it. */
__attribute__((visibility("default"))) const struct odd_table *odd_itself(void);

const struct odd_table *odd_itself(void)
{
    return &odd_table;
}
