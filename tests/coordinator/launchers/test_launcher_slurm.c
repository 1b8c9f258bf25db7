/* What `quartet launch slurm` would submit, and what it would run inside an allocation. */
#include "tests/coordinator/launchers/launcher_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define STEP " --kill-on-bad-exit=0 --wait=0 --mpi=none"

static char *inside(const char *name)
{
    static char job[] = "4711";
    return strcmp(name, "SLURM_JOB_ID") == 0 ? job : NULL;
}

static void test_each_worker_is_a_job_of_an_array_that_reads_the_access_by_its_path(void **state)
{
    (void)state;
    struct launcher_request request = rig_request();
    request.workers = 3;
    rig_expect(&launcher_slurm,
               &request,
               RIG_ARGUMENTS(NULL),
               "sbatch --array=0-2 --ntasks=1 --requeue --job-name=quartet <<'END'\n"
               "#!/bin/sh\n"
               "exec srun --ntasks=1" STEP
               " quartet-worker --access - --give-up 600 --drain-limit 30 </home/me/worker.json\n"
               "END\n");
}

static void test_cpus_are_said_to_both_and_the_wall_time_to_the_worker(void **state)
{
    (void)state;
    static const char *const rest[] = {"--constraint=fast", "--comment=two words"};
    struct launcher_request request = rig_request();
    request.workers = 1;
    request.access = "/home/it's me/worker.json";
    request.rest = rest;
    request.rest_count = 2;
    rig_expect(&launcher_slurm,
               &request,
               RIG_ARGUMENTS("--cpus",
                             "4",
                             "--time",
                             "1:00:00",
                             "--partition",
                             "p",
                             "--account",
                             "a",
                             "--qos",
                             "q",
                             "--job-name",
                             "thumbs",
                             NULL),
               "sbatch --array=0-0 --ntasks=1 --cpus-per-task=4 --requeue --time=1:00:00 "
               "--partition=p --account=a --qos=q --job-name=thumbs --constraint=fast "
               "'--comment=two words' <<'END'\n"
               "#!/bin/sh\n"
               "exec srun --ntasks=1 --cpus-per-task=4" STEP
               " quartet-worker --access - --give-up 600 --time-limit 3585 --drain-limit 30 "
               "<'/home/it'\\''s me/worker.json'\n"
               "END\n");
}

static void test_inside_an_allocation_srun_hands_the_access_to_all_tasks(void **state)
{
    (void)state;
    struct launcher_request request = rig_request();
    request.workers = 8;
    request.env = inside;
    rig_expect(&launcher_slurm,
               &request,
               RIG_ARGUMENTS("--cpus", "2", "--time", "2", NULL),
               "srun --ntasks=8 --cpus-per-task=2" STEP
               " --no-kill --input=all --time=2 --job-name=quartet quartet-worker --access - "
               "--give-up 600 --time-limit 105 --drain-limit 30 --end-with-stdin "
               "# standard input: <access file, not shown>; it stays open\n");
}

static void test_inside_an_allocation_as_many_workers_as_it_has_tasks(void **state)
{
    (void)state;
    struct launcher_request request = rig_request();
    request.env = inside;
    request.access = NULL;
    request.access_text = NULL;
    request.connect = "tcp://127.0.0.1:5555";
    rig_expect(&launcher_slurm,
               &request,
               RIG_ARGUMENTS(NULL),
               "srun" STEP " --no-kill --input=all --job-name=quartet quartet-worker --connect "
               "tcp://127.0.0.1:5555 --give-up 600 --drain-limit 30 --end-with-stdin "
               "# standard input: nothing; it stays open\n");
}

static void test_no_limit_of_slurms_is_no_limit_for_the_worker(void **state)
{
    (void)state;
    struct launcher_request request = rig_request();
    request.workers = 1;
    request.access = NULL;
    request.connect = "tcp://127.0.0.1:5555";
    rig_expect(
        &launcher_slurm,
        &request,
        RIG_ARGUMENTS("--time", "UNLIMITED", NULL),
        "sbatch --array=0-0 --ntasks=1 --requeue --time=UNLIMITED --job-name=quartet <<'END'\n"
        "#!/bin/sh\n"
        "exec srun --ntasks=1" STEP " quartet-worker --connect tcp://127.0.0.1:5555 "
        "--give-up 600 --drain-limit 30 </dev/null\n"
        "END\n");
}

static void test_what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    struct launcher_request request = rig_request();
    rig_expect_refused(&launcher_slurm, &request, RIG_ARGUMENTS(NULL), "--workers N");
    request.workers = 1;
    rig_expect_refused(&launcher_slurm, &request, RIG_ARGUMENTS("--time", "1:60", NULL), "'1:60'");
    request.drain_limit_s = 43;
    rig_expect_refused(&launcher_slurm,
                       &request,
                       RIG_ARGUMENTS("--time", "0:30", NULL),
                       "0:30 are 60 s, of which 15 are for starting and ending, 43 for");
    request.env = inside;
    rig_expect_refused(&launcher_slurm, &request, RIG_ARGUMENTS("--qos", "q", NULL), "--qos");
    rig_expect_refused(
        &launcher_slurm, &request, RIG_ARGUMENTS("--account", "a", NULL), "--account");
    rig_expect_refused(
        &launcher_slurm, &request, RIG_ARGUMENTS("--partition", "p", NULL), "--partition");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_worker_is_a_job_of_an_array_that_reads_the_access_by_its_path),
        cmocka_unit_test(test_cpus_are_said_to_both_and_the_wall_time_to_the_worker),
        cmocka_unit_test(test_inside_an_allocation_srun_hands_the_access_to_all_tasks),
        cmocka_unit_test(test_inside_an_allocation_as_many_workers_as_it_has_tasks),
        cmocka_unit_test(test_no_limit_of_slurms_is_no_limit_for_the_worker),
        cmocka_unit_test(test_what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
