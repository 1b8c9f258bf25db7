/* quartet launch slurm: workers by sbatch, or by srun inside an allocation.
 *
 * Submitted they are an array of jobs with one worker each, and not one job of many tasks: each begins as soon as there is
 * room for it alone, has its own wall time, and the end of a node is the end of its worker only, whom Slurm queues again. Workers
 * come and go one by one in any case; nothing is won by starting them together.
 *
 * Inside an allocation srun runs in the foreground and hands the access file to all tasks through standard input, which
 * stays open: its end is theirs. (SIGTERM alone would not do: srun then kills its tasks at once.)
 *
 * CPUs are said to sbatch and to srun, which since Slurm 22.05 does not take them from the job. Binding is Slurm's: a worker is on the CPUs
 * that it was granted, and counts them. */
#include "coordinator/launchers/launcher.h"
#include "coordinator/launchers/slurm_time.h"
#include "coordinator/launchers/worker_command.h"

#include <stdio.h>

struct slurm_options {
    uint64_t cpus; /* of each worker; 0: not said */
    const char *time;
    const char *partition;
    const char *account;
    const char *qos;
    const char *job_name;
};

/* Of the time limit, for what is before a worker's first and after its last moment: a prolog, a slow file system. */
enum { MARGIN_S = 15, LEAVING_S = 2, CPUS_MAX = 65536 };

static void defaults(void *options)
{
    struct slurm_options *slurm = options;
    slurm->job_name = "quartet";
}

static void add_options(struct cli_table *table, void *options)
{
    struct slurm_options *slurm = options;
    const struct cli_option list[] = {
        {.name = "cpus",
         .kind = CLI_COUNT,
         .value = "N",
         .target = &slurm->cpus,
         .min = 1,
         .max = CPUS_MAX,
         .default_text = "as Slurm grants",
         .help = "CPUs for each worker"},
        {.name = "time",
         .kind = CLI_TEXT,
         .value = "LIMIT",
         .target = &slurm->time,
         .default_text = "the partition's, which workers do not know; inside: what is left",
         .help = "wall time, as sbatch has it: MINUTES, HOURS:MINUTES:SECONDS, DAYS-HOURS, ... "
                 "Workers drain early enough to be gone by then"},
        {.name = "partition",
         .kind = CLI_TEXT,
         .value = "NAME",
         .target = &slurm->partition,
         .help = "where to submit to"},
        {.name = "account",
         .kind = CLI_TEXT,
         .value = "NAME",
         .target = &slurm->account,
         .help = "whom to charge"},
        {.name = "qos",
         .kind = CLI_TEXT,
         .value = "NAME",
         .target = &slurm->qos,
         .help = "quality of service"},
        {.name = "job-name",
         .kind = CLI_TEXT,
         .value = "NAME",
         .target = &slurm->job_name,
         .default_text = "quartet",
         .help = "what squeue calls it"},
    };
    cli_table_head(table, "Slurm");
    cli_table_add(table, list, sizeof(list) / sizeof(list[0]));
}

/* --- the wall time --- */

static bool is_inside(const struct launcher_request *request)
{
    return request->env("SLURM_JOB_ID") != NULL;
}

/* When does this allocation end? */
static void question(const struct launcher_request *request, struct words *command)
{
    if (is_inside(request)) {
        words_add(command, "squeue");
        words_add(command, "--noheader");
        words_add(command, "--format=%%L");
        words_add(command, "--jobs=%s", request->env("SLURM_JOB_ID"));
    }
}

static int check_limit(const struct launcher_request *request,
                       const char *what,
                       uint64_t seconds,
                       struct err_text *ret_error)
{
    if ((double)seconds - MARGIN_S - request->drain_limit_s - LEAVING_S > 0) {
        return 0;
    }
    return err_set(
        ret_error,
        ERR_INVALID,
        "%s %llu s, of which %d are for starting and ending, %.10g for --drain-limit and "
        "%d for leaving: nothing is left to work in",
        what,
        (unsigned long long)seconds,
        MARGIN_S,
        request->drain_limit_s,
        LEAVING_S);
}

/* By when workers have to be gone: what --time says, and the end of the allocation that this is inside, whichever is
 * first. `*ret_limit_s` is 0 when neither is known. */
static int worker_limit(const struct launcher_request *request,
                        const struct slurm_options *slurm,
                        struct err_text *ret_error,
                        double *ret_limit_s)
{
    uint64_t seconds = 0;
    uint64_t left = 0;
    char what[96];
    (void)snprintf(what, sizeof(what), "--time: %.64s are", slurm->time != NULL ? slurm->time : "");
    if (slurm->time != NULL && slurm_time_parse(slurm->time, &seconds) != 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--time: '%.64s' is no limit of Slurm's: give MINUTES, MINUTES:SECONDS, "
                       "HOURS:MINUTES:SECONDS, DAYS-HOURS or DAYS-HOURS:MINUTES:SECONDS",
                       slurm->time);
    }
    bool ends = request->answer != NULL && slurm_time_left_parse(request->answer, &left) == 0;
    if (ends && (seconds == 0 || left < seconds)) {
        seconds = left;
        (void)snprintf(what, sizeof(what), "the allocation ends in");
    } else if (seconds == 0) {
        *ret_limit_s = 0;
        return 0;
    }
    *ret_limit_s = (double)seconds - MARGIN_S;
    return check_limit(request, what, seconds, ret_error);
}

/* --- words of sbatch and of srun --- */

static void add_text(struct words *words, const char *option, const char *value)
{
    if (value != NULL) {
        words_add(words, "%s=%s", option, value);
    }
}

static void add_count(struct words *words, const char *option, uint64_t value)
{
    if (value > 0) {
        words_add(words, "%s=%llu", option, (unsigned long long)value);
    }
}

static void add_rest(struct words *words, const struct launcher_request *request)
{
    for (size_t i = 0; i < request->rest_count; i++) {
        words_add(words, "%s", request->rest[i]);
    }
}

/* What holds for each step: that a worker ends, and how, is nothing to end the others for. No MPI library needs to be served. */
static void add_step(struct words *words, const struct slurm_options *slurm, uint64_t tasks)
{
    words_add(words, "srun");
    add_count(words, "--ntasks", tasks);
    add_count(words, "--cpus-per-task", slurm->cpus);
    words_add(words, "--kill-on-bad-exit=0");
    words_add(words, "--wait=0");
    words_add(words, "--mpi=none");
}

/* --- inside an allocation --- */

static void plan_step(const struct launcher_request *request,
                      const struct slurm_options *slurm,
                      double limit_s,
                      struct plan *plan)
{
    struct words *words = plan_run(plan);
    add_step(words, slurm, request->workers);
    words_add(words, "--no-kill");
    words_add(words, "--input=all");
    add_text(words, "--time", slurm->time);
    add_text(words, "--job-name", slurm->job_name);
    add_rest(words, request);
    const struct worker_command how = {
        .access = request->access != NULL ? "-" : NULL,
        .end_with_stdin = true,
        .time_limit_s = limit_s,
        .workers = request->workers,
    };
    worker_command_add(words, request, &how);
    worker_command_feed(plan, request);
}

/* --- outside --- */

/* Nothing secret is in it: Slurm keeps it, and shows it to its administrators. */
static void write_script(const struct launcher_request *request,
                         const struct slurm_options *slurm,
                         double limit_s,
                         struct script *script)
{
    struct words words = {.list = NULL};
    const struct worker_command how = {
        .access = request->access != NULL ? "-" : NULL,
        .time_limit_s = limit_s,
        .workers = request->workers,
    };
    words_add(&words, "exec");
    add_step(&words, slurm, 1);
    worker_command_add(&words, request, &how);
    script_add(script, "#!/bin/sh\n");
    script_add_words(script, &words);
    script_add(script, " <");
    script_add_word(script, request->access != NULL ? request->access : "/dev/null");
    script_add(script, "\n");
    words_deinit(&words);
}

static void plan_jobs(const struct launcher_request *request,
                      const struct slurm_options *slurm,
                      double limit_s,
                      struct plan *plan)
{
    struct script script = {.text = NULL};
    struct words *words = plan_run(plan);
    words_add(words, "sbatch");
    words_add(words, "--array=0-%llu", (unsigned long long)request->workers - 1);
    words_add(words, "--ntasks=1");
    add_count(words, "--cpus-per-task", slurm->cpus);
    words_add(words, "--requeue");
    add_text(words, "--time", slurm->time);
    add_text(words, "--partition", slurm->partition);
    add_text(words, "--account", slurm->account);
    add_text(words, "--qos", slurm->qos);
    add_text(words, "--job-name", slurm->job_name);
    add_rest(words, request);
    write_script(request, slurm, limit_s, &script);
    plan_feed(plan, PLAN_TEXT, script.text != NULL ? script.text : "");
    plan_say(plan, "job {}: 'squeue --job {}' shows the workers, 'scancel {}' ends them");
    plan->incomplete |= script.incomplete;
    script_deinit(&script);
}

/* --- the plan --- */

static int check_inside(const struct slurm_options *slurm, struct err_text *ret_error)
{
    const char *name = slurm->partition != NULL ? "--partition"
                       : slurm->account != NULL ? "--account"
                       : slurm->qos != NULL     ? "--qos"
                                                : NULL;
    if (name != NULL) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "%s is for what is submitted, and this is inside an allocation "
                       "(SLURM_JOB_ID is set), which has that already",
                       name);
    }
    return 0;
}

static int plan(const struct launcher_request *request,
                const void *options,
                struct err_text *ret_error,
                struct plan *plan)
{
    const struct slurm_options *slurm = options;
    bool inside = is_inside(request);
    double limit_s = 0;
    int rc = worker_limit(request, slurm, ret_error, &limit_s);
    if (rc == 0 && inside) {
        rc = check_inside(slurm, ret_error);
    } else if (rc == 0 && request->workers == 0) {
        rc = err_set(ret_error, ERR_INVALID, "how many workers? give --workers N");
    }
    if (rc != 0) {
        return rc;
    }
    if (inside) {
        plan_step(request, slurm, limit_s, plan);
    } else {
        plan_jobs(request, slurm, limit_s, plan);
    }
    return 0;
}

const struct launcher_ops launcher_slurm = {
    .name = "slurm",
    .title = "with sbatch, or with srun inside an allocation",
    .summary =
        "Submits workers to Slurm, each as a job of its own, and returns; they read the access "
        "file by its path when they start. Inside an allocation (SLURM_JOB_ID is set) it runs "
        "them with srun instead, until the coordinator is done or they give up; Ctrl-C ends "
        "them.",
    .rest = "OPTIONS OF SBATCH OR SRUN...",
    .examples = "quartet launch slurm --access worker.json --workers 16 --cpus 4 --time 2:00:00\n"
                "quartet launch slurm --access worker.json --workers 8 -- --constraint=fast\n"
                "salloc --ntasks=8 --no-kill quartet launch slurm --access worker.json",
    .options_size = sizeof(struct slurm_options),
    .defaults = defaults,
    .add_options = add_options,
    .question = question,
    .plan = plan,
};
