/* The flags that several commands share, with one meaning and one --help text wherever they
 * appear. */
#ifndef QUARTET_COORDINATOR_OPTIONS_OPTIONS_H
#define QUARTET_COORDINATOR_OPTIONS_OPTIONS_H

#include "common/base/chunk.h"
#include "common/base/err.h"
#include "common/io/cli.h"
#include "coordinator/launch/bundle.h"
#include "coordinator/launch/hosts.h"
#include "coordinator/runner/job.h"
#include "coordinator/sink/sink.h"
#include "worker/workloads/params.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    OPTIONS_MAX = 80,
    WORKERS_LOCAL_MAX = 256, /* started on this machine */
    WORKERS_MAX = 16384,     /* that a coordinator holds */
    ADVERTISE_MAX = 8,
    SWEEP_MAX = 16, /* numbers of workers in one comparison */
};

/* What the flags said. Filled with defaults by options_init. */
struct options {
    /* items */
    bool has_items;
    struct items_spec items;
    bool null_separated;
    const char *items_path;
    const char *range_text;
    struct params params; /* as given, not resolved */
    const char **command; /* the words behind `--`; borrowed */
    size_t command_count;
    bool shell;
    bool give_stdin;
    bool yes; /* run items that may not be idempotent several times */

    /* strategies */
    enum strategy strategies[STRATEGY_COUNT];
    size_t strategy_count;
    uint64_t threads; /* 0: the default of each engine's machine */
    uint64_t processes;
    uint64_t in_flight;

    /* placement */
    bool local_only;
    uint64_t workers; /* to start on this machine; settled by options_check */
    uint64_t workers_default;
    uint64_t sweep[SWEEP_MAX]; /* numbers of workers to compare, rising, of those that are there */
    size_t sweep_count;        /* 0: one, all of them */
    bool no_local;             /* compare without local cells */
    const char *listen;        /* NULL: nobody but our own workers is expected */
    uint64_t wait_count;       /* workers to wait for, with --listen */
    double wait_timeout_s;
    bool insecure;

    /* keys, and where workers elsewhere find us */
    const char *keys;       /* directory; NULL: plaintext */
    const char *access;     /* where the access file goes; NULL: none is written */
    const char *access_for; /* whose; NULL: the first worker's by name */
    const char *advertise[ADVERTISE_MAX];
    size_t advertise_count;

    /* workers on other hosts */
    const char *hosts_text;  /* FILE or LIST as given; NULL: none */
    struct hosts hosts;      /* settled by options_check_hosts */
    const char *ssh;         /* what reaches them, in sh's words */
    const char *remote_path; /* of quartet-worker there */
    bool push;               /* copy quartet-worker to where it is not */
    const char *bundle_path; /* what is copied; NULL: the one that belongs to this program */
    struct bundle *bundle;   /* settled by options_check_hosts; NULL: nothing is copied */
    bool tunnel;             /* workers come through their ssh */

    /* chunks */
    uint64_t chunk_items; /* 0: automatic */
    uint64_t credit;      /* 0: workers adapt */

    /* measuring */
    uint64_t rounds;
    uint64_t warmup;
    uint64_t seed;

    /* results of single items, and what happens when some fail */
    struct sink_options sink; /* paths and forms as given */
    bool has_format;
    bool dry_run;
    uint64_t retries;
    struct halt halt;
    const char *journal; /* what it takes to go on after this process died; NULL: nothing is kept */

    /* when workers die or are late */
    uint64_t crash_limit;
    bool speculate;

    /* asking how it is doing */
    const char *control; /* path of the socket; NULL: the default one, or none */
    bool control_off;
    char **argv; /* the command with its words, NULL-terminated; borrowed */

    /* output */
    const char *json;
    const char *csv;
    const char *markdown;
    bool no_progress;
    bool quiet;
};

/* `workers_default`: workers to start when neither --workers, --listen nor --local says
 * otherwise. */
void options_init(struct options *options, uint64_t workers_default);
void options_deinit(struct options *options);

/* Each adds a group of flags to the table of a command. */
void options_add_items(struct cli_table *table, struct options *options);
/* What workloads that run a command take: flags that are parameters of theirs. */
void options_add_command(struct cli_table *table, struct options *options);
/* Where results of single items go. */
void options_add_results(struct cli_table *table, struct options *options);
/* What happens when items fail. */
void options_add_policy(struct cli_table *table, struct options *options);
/* What is kept in case the coordinator dies. */
void options_add_journal(struct cli_table *table, struct options *options);
/* When workers die, or are late. `speculate`: the default. */
void options_add_recovery(struct cli_table *table, struct options *options, bool speculate);
/* Where `quartet status` asks. */
void options_add_control(struct cli_table *table, struct options *options);
void options_add_yes(struct cli_table *table, struct options *options);
void options_add_one_strategy(struct cli_table *table, struct options *options);
void options_add_strategies(struct cli_table *table, struct options *options);
void options_add_concurrency(struct cli_table *table, struct options *options);
/* Where it runs. `sweep`: several numbers of workers may be given, and placements be left out. */
void options_add_placement(struct cli_table *table,
                           struct options *options,
                           const char *workers_default,
                           bool sweep);
/* Who may be a worker, and how it learns where to go; part of options_add_placement. */
void options_add_keys(struct cli_table *table, struct options *options);
/* Workers on other hosts; part of the placement. */
void options_add_hosts(struct cli_table *table, struct options *options);
void options_add_chunks(struct cli_table *table, struct options *options);
void options_add_measuring(struct cli_table *table, struct options *options);
void options_add_output(struct cli_table *table, struct options *options, bool tables);

/* After parsing: items and placement make sense together. Quotes what does not. */
int options_check(struct options *options, struct err_text *ret_error);

/* Likewise, of those of options_add_hosts: the list is read. */
int options_check_hosts(struct options *options, struct err_text *ret_error);

/* Workers that a run begins with: those started here and elsewhere, and those that are waited for. */
uint64_t options_workers(const struct options *options);

/* Are results of single items asked for? */
bool options_want_results(const struct options *options);

/* Items at once for a strategy, as the flags said; 0: each engine's default. */
uint32_t options_slots(const struct options *options, enum strategy strategy);

/* Are workers involved: --workers above 0, --hosts, or --listen? */
bool options_distributed(const struct options *options);

/* Can a report be written there at the end? Asked before any work is done; with --dry-run nothing is made. "-" and NULL are
 * fine. */
int options_check_outputs(const struct options *options, struct err_text *ret_error);

#endif
