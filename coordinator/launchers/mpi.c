/* quartet launch mpi: mpirun as a mere launcher. Workers are no MPI programs and need no MPI library; what
 * a rank would be told they use for their names at most.
 *
 * Open MPI hands the access file to all of them through standard input, and that stays open: when mpirun
 * ends, however it ends, so does the standard input of each worker, and with it the worker. Hydra
 * (MPICH, Intel MPI) gives standard input to one rank alone, so workers read the file by its path. */
#include "coordinator/launchers/launcher.h"
#include "coordinator/launchers/worker_command.h"

#include <string.h>

struct mpi_options {
    const char *mpirun;
    const char *kind; /* NULL: as the name of mpirun says */
    const char *hosts;
    const char *hostfile;
    const char *ssh;
};

/* sshd's MaxStartups begins to refuse beyond so many logins that are under way. */
#define LOGINS_MAX "10"

static void defaults(void *options)
{
    struct mpi_options *mpi = options;
    mpi->mpirun = "mpirun";
}

static void add_options(struct cli_table *table, void *options)
{
    struct mpi_options *mpi = options;
    const struct cli_option list[] = {
        {.name = "hosts",
         .kind = CLI_TEXT,
         .value = "LIST",
         .target = &mpi->hosts,
         .help = "the hosts, as mpirun has them: h1,h2 or, for two workers on the second, h1,h2:2"},
        {.name = "hostfile",
         .kind = CLI_TEXT,
         .value = "FILE",
         .target = &mpi->hostfile,
         .help = "a file of hosts, as mpirun has it"},
        {.name = "mpirun",
         .kind = CLI_TEXT,
         .value = "COMMAND",
         .target = &mpi->mpirun,
         .default_text = "mpirun",
         .help = "the command that starts MPI programs"},
        {.name = "mpi",
         .kind = CLI_TEXT,
         .value = "KIND",
         .target = &mpi->kind,
         .default_text = "hydra when its name has 'hydra' or 'mpich' in it, otherwise openmpi",
         .help = "whose command that is: openmpi or hydra (MPICH, Intel MPI)"},
        {.name = "ssh",
         .kind = CLI_TEXT,
         .value = "COMMAND",
         .target = &mpi->ssh,
         .default_text = "mpirun's own",
         .help = "what mpirun is to reach hosts by: 'ssh -F FILE'; for hydra a single word"},
    };
    cli_table_head(table, "MPI");
    cli_table_add(table, list, sizeof(list) / sizeof(list[0]));
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static bool is_hydra(const struct mpi_options *mpi)
{
    if (mpi->kind != NULL) {
        return strcmp(mpi->kind, "hydra") == 0;
    }
    const char *name = base_name(mpi->mpirun);
    return strstr(name, "hydra") != NULL || strstr(name, "mpich") != NULL;
}

static int check(const struct launcher_request *request,
                 const struct mpi_options *mpi,
                 struct err_text *ret_error)
{
    if (mpi->kind != NULL && strcmp(mpi->kind, "openmpi") != 0 && strcmp(mpi->kind, "hydra") != 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--mpi: '%.64s' is not known; give openmpi or hydra",
                       mpi->kind);
    }
    if (mpi->hosts != NULL && mpi->hostfile != NULL) {
        return err_set(ret_error, ERR_INVALID, "--hosts and --hostfile contradict: give one");
    }
    if (request->workers == 0 && mpi->hosts == NULL && mpi->hostfile == NULL) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "how many workers, and where? give --workers N, --hosts LIST or "
                       "--hostfile FILE");
    }
    if (is_hydra(mpi) && mpi->ssh != NULL && strchr(mpi->ssh, ' ') != NULL) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--ssh: hydra takes a single word, not '%.200s': put that into a script",
                       mpi->ssh);
    }
    return 0;
}

static void add_pair(struct words *words, const char *option, const char *value)
{
    if (value != NULL) {
        words_add(words, "%s", option);
        words_add(words, "%s", value);
    }
}

static void add_count_and_rest(struct words *words, const struct launcher_request *request)
{
    if (request->workers > 0) {
        words_add(words, "-n");
        words_add(words, "%llu", (unsigned long long)request->workers);
    }
    for (size_t i = 0; i < request->rest_count; i++) {
        words_add(words, "%s", request->rest[i]);
    }
}

/* No binding: a worker has slots of its own, and would be confined to a core or a socket. By node:
 * workers go to as many hosts as there are; more workers than MPI has slots are nobody's mistake.
 * Recovery: the end of one, also a violent one, is nothing to end the others for. */
static void plan_openmpi(const struct launcher_request *request,
                         const struct mpi_options *mpi,
                         struct plan *plan)
{
    struct words *words = plan_run(plan);
    words_add(words, "%s", mpi->mpirun);
    add_pair(words, "--host", mpi->hosts);
    add_pair(words, "--hostfile", mpi->hostfile);
    add_pair(words, "--bind-to", "none");
    add_pair(words, "--map-by", "node");
    words_add(words, "--oversubscribe");
    words_add(words, "--enable-recovery");
    add_pair(words, "--stdin", "all");
    words_add(words, "--mca");
    add_pair(words, "plm_rsh_num_concurrent", LOGINS_MAX);
    if (mpi->ssh != NULL) {
        words_add(words, "--mca");
        add_pair(words, "plm_rsh_agent", mpi->ssh);
    }
    add_count_and_rest(words, request);
    const struct worker_command how = {
        .access = request->access != NULL ? "-" : NULL,
        .end_with_stdin = true,
        .workers = request->workers,
    };
    worker_command_add(words, request, &how);
    worker_command_feed(plan, request);
}

/* Without clean-up the end of one worker does not end the others; and when mpiexec ends, its proxies
 * end what they have started. */
static void plan_hydra(const struct launcher_request *request,
                       const struct mpi_options *mpi,
                       struct plan *plan)
{
    struct words *words = plan_run(plan);
    words_add(words, "%s", mpi->mpirun);
    add_pair(words, "-hosts", mpi->hosts);
    add_pair(words, "-f", mpi->hostfile);
    add_pair(words, "-bind-to", "none");
    words_add(words, "-disable-auto-cleanup");
    if (mpi->ssh != NULL) {
        add_pair(words, "-launcher", "ssh");
        add_pair(words, "-launcher-exec", mpi->ssh);
    }
    add_count_and_rest(words, request);
    const struct worker_command how = {.access = request->access, .workers = request->workers};
    worker_command_add(words, request, &how);
}

static int plan(const struct launcher_request *request,
                const void *options,
                struct err_text *ret_error,
                struct plan *plan)
{
    const struct mpi_options *mpi = options;
    int rc = check(request, mpi, ret_error);
    if (rc != 0) {
        return rc;
    }
    if (is_hydra(mpi)) {
        plan_hydra(request, mpi, plan);
    } else {
        plan_openmpi(request, mpi, plan);
    }
    return 0;
}

const struct launcher_ops launcher_mpi = {
    .name = "mpi",
    .title = "with mpirun, of Open MPI or MPICH",
    .summary =
        "Starts workers with mpirun, of Open MPI or of MPICH, which is a mere launcher here: "
        "nothing is bound to cores, and a worker that ends does not end the others. Runs until "
        "the coordinator is done or the workers give up; Ctrl-C ends them.",
    .rest = "OPTIONS OF MPIRUN...",
    .examples = "quartet launch mpi --access worker.json --hosts h1,h2,h3\n"
                "quartet launch mpi --access worker.json --hostfile hosts --allow-exec\n"
                "quartet launch mpi --access worker.json --workers 4 -- --allow-run-as-root\n"
                "quartet launch mpi --access worker.json --hosts h1,h2 --mpirun mpiexec.hydra",
    .options_size = sizeof(struct mpi_options),
    .defaults = defaults,
    .add_options = add_options,
    .plan = plan,
};
