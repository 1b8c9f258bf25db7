/* What `quartet launch slurm` would submit, and what it would run inside an allocation. */
#include "tests/coordinator/launchers/launcher_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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

static void expect_limit(const char *answer,
                         const char *time,
                         const char *time_word,
                         const char *limit)
{
    char shown[512];
    struct launcher_request request = rig_request();
    request.env = inside;
    request.answer = answer;
    (void)snprintf(
        shown,
        sizeof(shown),
        "srun" STEP
        " --no-kill --input=all%s --job-name=quartet quartet-worker --access - --give-up 600%s "
        "--drain-limit 30 --end-with-stdin # standard input: <access file, not shown>; it stays "
        "open\n",
        time_word,
        limit);
    rig_expect(&launcher_slurm,
               &request,
               RIG_ARGUMENTS(time != NULL ? "--time" : NULL, time, NULL),
               shown);
}

static void test_workers_leave_before_the_allocation_ends_if_that_is_before_their_time(void **state)
{
    (void)state;
    expect_limit("2:00", NULL, "", " --time-limit 105");
    expect_limit("2:00", "3", " --time=3", " --time-limit 105");
    expect_limit("1-00:00:00", "3", " --time=3", " --time-limit 165");
    expect_limit("UNLIMITED", NULL, "", "");
    expect_limit("UNLIMITED", "3", " --time=3", " --time-limit 165");
    expect_limit(NULL, NULL, "", "");

    struct launcher_request request = rig_request();
    request.env = inside;
    request.answer = "0:47";
    rig_expect_refused(
        &launcher_slurm, &request, RIG_ARGUMENTS(NULL), "the allocation ends in 47 s, of which 15");
}

static void test_only_inside_an_allocation_its_end_is_asked_for(void **state)
{
    (void)state;
    struct words question = {.list = NULL};
    struct launcher_request request = rig_request();
    launcher_slurm.question(&request, &question);
    assert_int_equal(question.count, 0);
    request.env = inside;
    launcher_slurm.question(&request, &question);
    assert_int_equal(question.count, 4);
    assert_string_equal(question.list[0], "squeue");
    assert_string_equal(question.list[2], "--format=%L");
    assert_string_equal(question.list[3], "--jobs=4711");
    words_deinit(&question);
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
        cmocka_unit_test(
            test_workers_leave_before_the_allocation_ends_if_that_is_before_their_time),
        cmocka_unit_test(test_only_inside_an_allocation_its_end_is_asked_for),
        cmocka_unit_test(test_no_limit_of_slurms_is_no_limit_for_the_worker),
        cmocka_unit_test(test_what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
