#include "coordinator/options/options.h"

#include "common/base/nearest.h"
#include "common/base/units.h"
#include "coordinator/options/options_internal.h"
#include "worker/engine/engine.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS_DEFAULT = 3, WARMUP_DEFAULT = 1, WAIT_DEFAULT_S = 60 };

void options_init(struct options *options, uint64_t workers_default)
{
    memset(options, 0, sizeof(*options));
    options->items.fd = -1;
    options->items.separator = '\n';
    for (int i = 0; i < STRATEGY_COUNT; i++) {
        options->strategies[i] = (enum strategy)(STRATEGY_SERIAL + i);
    }
    options->strategy_count = STRATEGY_COUNT;
    options->workers = WORKERS_NOT_GIVEN;
    options->workers_default = workers_default;
    options->wait_timeout_s = WAIT_DEFAULT_S;
    options->rounds = ROUNDS_DEFAULT;
    options->warmup = WARMUP_DEFAULT;
    options->seed = 1;
}

void options_deinit(struct options *options)
{
    params_deinit(&options->params);
    hosts_deinit(&options->hosts);
    bundle_close(options->bundle);
}

/* --- values that need more than a kind --- */

static int parse_range(const char *value, void *target, struct err_text *ret_error)
{
    struct options *options = target;
    options->range_text = value;
    options->has_items = true;
    return items_parse_range(value, &options->items, ret_error);
}

static int parse_items(const char *value, void *target, struct err_text *ret_error)
{
    struct options *options = target;
    if (value[0] == '\0') {
        return err_set(ret_error, ERR_INVALID, "'' names no file");
    }
    options->items_path = value;
    options->items.path = value;
    options->has_items = true;
    return 0;
}

static int parse_param(const char *value, void *target, struct err_text *ret_error)
{
    struct options *options = target;
    return params_set_text(&options->params, value, ret_error);
}

static int parse_strategy_name(const char *name,
                               enum strategy *ret_strategy,
                               struct err_text *ret_error)
{
    if (strategy_from_name(name, ret_strategy) == 0) {
        return 0;
    }
    const char *names[STRATEGY_COUNT];
    for (int i = 0; i < STRATEGY_COUNT; i++) {
        names[i] = strategy_name((enum strategy)(STRATEGY_SERIAL + i));
    }
    const char *near = nearest_name(name, names, STRATEGY_COUNT);
    return err_set(ret_error,
                   ERR_INVALID,
                   "strategy '%.64s' is not one of serial, threads, async, processes%s%s%s",
                   name,
                   near == NULL ? "" : "; did you mean '",
                   near == NULL ? "" : near,
                   near == NULL ? "" : "'?");
}

static int parse_one_strategy(const char *value, void *target, struct err_text *ret_error)
{
    struct options *options = target;
    options->strategy_count = 1;
    return parse_strategy_name(value, &options->strategies[0], ret_error);
}

static bool has_strategy(const struct options *options, enum strategy strategy)
{
    for (size_t i = 0; i < options->strategy_count; i++) {
        if (options->strategies[i] == strategy) {
            return true;
        }
    }
    return false;
}

static int parse_strategies(const char *value, void *target, struct err_text *ret_error)
{
    struct options *options = target;
    options->strategy_count = 0;
    const char *at = value;
    for (;;) {
        size_t len = strcspn(at, ",");
        char name[65];
        (void)snprintf(name, sizeof(name), "%.*s", (int)(len < 64 ? len : 64), at);
        enum strategy strategy = STRATEGY_SERIAL;
        int rc = parse_strategy_name(name, &strategy, ret_error);
        if (rc != 0) {
            return rc;
        }
        if (has_strategy(options, strategy)) {
            return err_set(ret_error, ERR_INVALID, "'%.64s' names %s twice", value, name);
        }
        options->strategies[options->strategy_count++] = strategy;
        if (at[len] == '\0') {
            return 0;
        }
        at += len + 1;
    }
}

static int parse_chunk(const char *value, void *target, struct err_text *ret_error)
{
    struct options *options = target;
    options->chunk_items = 0;
    if (strcmp(value, "auto") == 0) {
        return 0;
    }
    if (units_parse_u64(value, UINT64_MAX, &options->chunk_items) != 0 ||
        options->chunk_items == 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "'%.64s' is neither 'auto' nor a whole number of items from 1",
                       value);
    }
    return 0;
}

/* --- groups --- */

static void add(struct cli_table *table, struct cli_option option)
{
    cli_table_add(table, &option, 1);
}

void options_add_items(struct cli_table *table, struct options *options)
{
    cli_table_head(table, "Items");
    add(table,
        (struct cli_option){.name = "range",
                            .kind = CLI_CALL,
                            .value = "FIRST:LAST",
                            .target = options,
                            .call = parse_range,
                            .default_text = "the workload's own",
                            .help = "the integers from FIRST to LAST, both included"});
    add(table,
        (struct cli_option){.name = "items",
                            .kind = CLI_CALL,
                            .value = "FILE",
                            .target = options,
                            .call = parse_items,
                            .help = "one item per line of FILE; '-' reads standard input"});
    add(table,
        (struct cli_option){.name = "null",
                            .kind = CLI_FLAG,
                            .target = &options->null_separated,
                            .help = "items end with a NUL byte instead of a newline"});
    add(table,
        (struct cli_option){
            .name = "param",
            .kind = CLI_CALL,
            .value = "NAME=VALUE",
            .target = options,
            .call = parse_param,
            .repeatable = true,
            .help = "a parameter of the workload; repeatable. 'quartet workloads NAME' lists "
                    "them"});
}

void options_add_one_strategy(struct cli_table *table, struct options *options)
{
    cli_table_head(table, "Strategy");
    options->strategies[0] = STRATEGY_THREADS;
    options->strategy_count = 1;
    add(table,
        (struct cli_option){
            .name = "strategy",
            .kind = CLI_CALL,
            .value = "NAME",
            .target = options,
            .call = parse_one_strategy,
            .default_text = "threads",
            .help = "how items run at the same time: serial, threads, async or processes"});
    options_add_concurrency(table, options);
}

void options_add_strategies(struct cli_table *table, struct options *options)
{
    cli_table_head(table, "Strategies");
    add(table,
        (struct cli_option){.name = "strategies",
                            .kind = CLI_CALL,
                            .value = "LIST",
                            .target = options,
                            .call = parse_strategies,
                            .default_text = "serial,threads,async,processes",
                            .help = "which strategies to compare, separated by commas"});
    options_add_concurrency(table, options);
}

void options_add_concurrency(struct cli_table *table, struct options *options)
{
    add(table,
        (struct cli_option){.name = "threads",
                            .kind = CLI_COUNT,
                            .value = "N",
                            .target = &options->threads,
                            .min = 1,
                            .max = ENGINE_SLOTS_MAX,
                            .default_text = "8, or the usable cores if more",
                            .help = "threads in each engine of strategy threads"});
    add(table,
        (struct cli_option){.name = "processes",
                            .kind = CLI_COUNT,
                            .value = "N",
                            .target = &options->processes,
                            .min = 1,
                            .max = ENGINE_PROCESSES_MAX,
                            .default_text = "8, or the usable cores if more",
                            .help = "processes in each engine of strategy processes"});
    add(table,
        (struct cli_option){.name = "in-flight",
                            .kind = CLI_COUNT,
                            .value = "N",
                            .target = &options->in_flight,
                            .min = 1,
                            .max = ENGINE_SLOTS_MAX,
                            .default_text = "100",
                            .help = "items in flight in each engine of strategy async"});
}

void options_add_placement(struct cli_table *table,
                           struct options *options,
                           const char *workers_default,
                           bool sweep)
{
    cli_table_head(table, "Placement");
    add(table,
        (struct cli_option){.name = "local",
                            .kind = CLI_FLAG,
                            .target = &options->local_only,
                            .help = "only in this process: no workers, no sockets"});
    if (sweep) {
        options_add_sweep(table, options, workers_default);
    } else {
        add(table,
            (struct cli_option){.name = "workers",
                                .kind = CLI_COUNT,
                                .value = "N",
                                .target = &options->workers,
                                .min = 0,
                                .max = WORKERS_LOCAL_MAX,
                                .default_text = workers_default,
                                .help = "start N worker processes on this machine"});
    }
    add(table,
        (struct cli_option){
            .name = "listen",
            .kind = CLI_TEXT,
            .value = "ENDPOINT",
            .target = &options->listen,
            .help =
                "wait for workers at tcp://ADDRESS:PORT or ipc://PATH; they are started "
                "with 'quartet-worker --connect ENDPOINT', or with --access FILE when there are "
                "keys. tcp://*:PORT is every address of this machine"});
    add(table,
        (struct cli_option){.name = "wait",
                            .kind = CLI_COUNT,
                            .value = "N",
                            .target = &options->wait_count,
                            .min = 1,
                            .max = WORKERS_MAX,
                            .default_text = "1",
                            .help = "with --listen: begin when N workers have come by themselves"});
    add(table,
        (struct cli_option){
            .name = "wait-timeout",
            .kind = CLI_SECONDS,
            .value = "SECONDS",
            .target = &options->wait_timeout_s,
            .min = 0.1,
            .max = 604800,
            .default_text = "60",
            .help =
                "give up when they have not come after so long, or when all are gone for so long"});
    add(table,
        (struct cli_option){
            .name = "insecure",
            .kind = CLI_FLAG,
            .target = &options->insecure,
            .help = "without --keys: allow an endpoint that other machines can reach; nothing is "
                    "encrypted, and whoever reaches it can be a worker"});
    options_add_keys(table, options);
    options_add_hosts(table, options);
}

void options_add_chunks(struct cli_table *table, struct options *options)
{
    cli_table_head(table, "Chunks");
    add(table,
        (struct cli_option){.name = "chunk",
                            .kind = CLI_CALL,
                            .value = "auto|N",
                            .target = options,
                            .call = parse_chunk,
                            .default_text = "auto",
                            .help = "items of one chunk; auto: as many as take about 100 ms"});
    add(table,
        (struct cli_option){.name = "credit",
                            .kind = CLI_COUNT,
                            .value = "N",
                            .target = &options->credit,
                            .min = 1,
                            .max = 65536,
                            .default_text = "adapts to the rate",
                            .help = "chunks that a worker may hold at a time"});
}

void options_add_measuring(struct cli_table *table, struct options *options)
{
    cli_table_head(table, "Measuring");
    add(table,
        (struct cli_option){
            .name = "rounds",
            .kind = CLI_COUNT,
            .value = "N",
            .target = &options->rounds,
            .min = 1,
            .max = SAMPLES_MAX,
            .default_text = "3",
            .help = "timed rounds; each runs every cell once, in a shuffled order"});
    add(table,
        (struct cli_option){.name = "warmup",
                            .kind = CLI_COUNT,
                            .value = "N",
                            .target = &options->warmup,
                            .min = 0,
                            .max = SAMPLES_MAX,
                            .default_text = "1",
                            .help = "rounds that are run first and not counted"});
    add(table,
        (struct cli_option){.name = "seed",
                            .kind = CLI_COUNT,
                            .value = "N",
                            .target = &options->seed,
                            .min = 0,
                            .max = 0,
                            .default_text = "1",
                            .help = "of the order of cells"});
}

void options_add_output(struct cli_table *table, struct options *options, bool tables)
{
    cli_table_head(table, "Output");
    add(table,
        (struct cli_option){
            .name = "json",
            .kind = CLI_TEXT,
            .value = "FILE",
            .target = &options->json,
            .help = "write the report, every sample included; '-' is standard output"});
    if (tables) {
        add(table,
            (struct cli_option){.name = "csv",
                                .kind = CLI_TEXT,
                                .value = "FILE",
                                .target = &options->csv,
                                .help = "write the table as CSV"});
        add(table,
            (struct cli_option){.name = "markdown",
                                .kind = CLI_TEXT,
                                .value = "FILE",
                                .target = &options->markdown,
                                .help = "write the table as Markdown"});
    }
    add(table,
        (struct cli_option){.name = "no-progress",
                            .kind = CLI_FLAG,
                            .target = &options->no_progress,
                            .help = "no progress bars"});
    add(table,
        (struct cli_option){.name = "quiet",
                            .kind = CLI_FLAG,
                            .target = &options->quiet,
                            .help = "no progress bars and no notes; results and errors only"});
}

/* --- afterwards --- */

int options_check(struct options *options, struct err_text *ret_error)
{
    if (options->range_text != NULL && options->items_path != NULL) {
        return err_set(
            ret_error,
            ERR_INVALID,
            "--range '%s' and --items '%s' both say what the items are: give one of them",
            options->range_text,
            options->items_path);
    }
    if (options->null_separated && options->items_path == NULL) {
        return err_set(
            ret_error, ERR_INVALID, "--null says how --items is read, but there is no --items");
    }
    options->items.separator = options->null_separated ? '\0' : '\n';
    if (options->has_format && options->sink.out == NULL) {
        return err_set(
            ret_error, ERR_INVALID, "--format says how --out is written, but there is no --out");
    }
    if ((options->shell && params_set(&options->params, "shell", "yes") != 0) ||
        (options->give_stdin && params_set(&options->params, "stdin", "yes") != 0)) {
        return err_set(ret_error, ERR_INVALID, "too many parameters");
    }
    if (options->local_only && options->listen != NULL) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--local and --listen '%s' contradict each other: give one of them",
                       options->listen);
    }
    if (options->wait_count > 0 && options->listen == NULL) {
        return err_set(
            ret_error,
            ERR_INVALID,
            "--wait %llu waits for workers that come by themselves: say where with --listen",
            (unsigned long long)options->wait_count);
    }
    int rc = options_check_keys(options, ret_error);
    if (rc != 0) {
        return rc;
    }
    rc = options_settle_workers(options, ret_error);
    if (rc != 0) {
        return rc;
    }
    if (options->listen != NULL && options->hosts_text == NULL && options->wait_count == 0) {
        options->wait_count = options->sweep_count > 0 ? options_sweep_most(options) : 1;
    }
    rc = options_check_hosts(options, ret_error);
    return rc != 0 ? rc : options_check_sweep(options, ret_error);
}

uint32_t options_slots(const struct options *options, enum strategy strategy)
{
    switch (strategy) {
    case STRATEGY_THREADS:
        return (uint32_t)options->threads;
    case STRATEGY_PROCESSES:
        return (uint32_t)options->processes;
    case STRATEGY_ASYNC:
        return (uint32_t)options->in_flight;
    case STRATEGY_SERIAL:
        break;
    }
    return 1;
}

bool options_distributed(const struct options *options)
{
    return !options->local_only &&
           (options->workers > 0 || options->listen != NULL || options->hosts.count > 0);
}
