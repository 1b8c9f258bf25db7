/* What a worker is called, by whatever is in its environment. */
#include "worker/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* "NAME=VALUE", NULL behind the last. */
static const char *const *environment;

static char *look_up(const char *name)
{
    size_t len = strlen(name);
    for (const char *const *at = environment; *at != NULL; at++) {
        if (strncmp(*at, name, len) == 0 && (*at)[len] == '=') {
            return (char *)(uintptr_t)(*at + len + 1);
        }
    }
    return NULL;
}

static void expect(const char *const *in, const char *key, const char *name)
{
    char made[WORKER_NAME_SIZE];
    environment = in;
    worker_name_make(key, 2253, look_up, made);
    assert_string_equal(made, name);
}

#define IN(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_name_is_of_the_key_and_the_process(void **state)
{
    (void)state;
    expect(IN("HOME=/root"), NULL, "worker-2253");
    expect(IN("HOME=/root"), "ada", "ada-2253");
}

static void test_name_says_which_task_of_which_step_of_which_job(void **state)
{
    (void)state;
    expect(IN("SLURM_JOB_ID=4711", "SLURM_STEP_ID=0", "SLURM_PROCID=3"),
           "ada",
           "ada-slurm-4711.0.3-2253");
    expect(IN("SLURM_JOB_ID=4711", "SLURM_PROCID=0"), NULL, "worker-slurm-4711.0-2253");
    expect(IN("SLURM_JOB_ID=4713",
              "SLURM_ARRAY_JOB_ID=4711",
              "SLURM_ARRAY_TASK_ID=5",
              "SLURM_STEP_ID=0",
              "SLURM_PROCID=0"),
           NULL,
           "worker-slurm-4711_5.0.0-2253");
}

static void test_shell_of_an_allocation_is_no_task(void **state)
{
    (void)state;
    expect(IN("SLURM_JOB_ID=4711", "SLURM_NTASKS=3"), NULL, "worker-2253");
}

static void test_rank_counts_before_the_task_that_brought_mpirun(void **state)
{
    (void)state;
    expect(IN("OMPI_COMM_WORLD_RANK=7", "SLURM_JOB_ID=1", "SLURM_PROCID=0"),
           NULL,
           "worker-mpi-7-2253");
    expect(IN("PMIX_RANK=2"), "ada", "ada-mpi-2-2253");
    expect(IN("PMI_RANK=0", "PMI_SIZE=4"), NULL, "worker-mpi-0-2253");
}

static void test_pod_of_an_indexed_job_has_its_index(void **state)
{
    (void)state;
    expect(IN("JOB_COMPLETION_INDEX=12", "HOSTNAME=workers-12-x7b2q"), NULL, "worker-k8s-12-2253");
}

static void test_garbage_is_passed_over(void **state)
{
    (void)state;
    expect(IN("OMPI_COMM_WORLD_RANK=", "PMI_RANK=-1"), NULL, "worker-2253");
    expect(IN("PMIX_RANK=1\033[31m"), NULL, "worker-2253");
    expect(IN("PMIX_RANK=12345678901"), NULL, "worker-2253");
    expect(IN("OMPI_COMM_WORLD_RANK=x", "PMI_RANK=4"), NULL, "worker-mpi-4-2253");
    expect(IN("SLURM_JOB_ID=$(id)", "SLURM_PROCID=0"), NULL, "worker-2253");
    expect(IN("SLURM_JOB_ID=1", "SLURM_PROCID=0x1"), NULL, "worker-2253");
    expect(IN("SLURM_JOB_ID=1",
              "SLURM_PROCID=0",
              "SLURM_STEP_ID=batch",
              "SLURM_ARRAY_JOB_ID=9",
              "SLURM_ARRAY_TASK_ID= 3"),
           NULL,
           "worker-slurm-1.0-2253");
    expect(IN("JOB_COMPLETION_INDEX=1 2"), NULL, "worker-2253");
}

static void test_longest_name_is_whole(void **state)
{
    (void)state;
    static const char key[] = "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk";
    char made[WORKER_NAME_SIZE];
    environment = IN("SLURM_JOB_ID=9999999999",
                     "SLURM_ARRAY_JOB_ID=9999999999",
                     "SLURM_ARRAY_TASK_ID=9999999999",
                     "SLURM_STEP_ID=9999999999",
                     "SLURM_PROCID=9999999999");
    worker_name_make(key, 4194304, look_up, made);
    assert_non_null(strstr(made, "-slurm-9999999999_9999999999.9999999999.9999999999-4194304"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name_is_of_the_key_and_the_process),
        cmocka_unit_test(test_name_says_which_task_of_which_step_of_which_job),
        cmocka_unit_test(test_shell_of_an_allocation_is_no_task),
        cmocka_unit_test(test_rank_counts_before_the_task_that_brought_mpirun),
        cmocka_unit_test(test_pod_of_an_indexed_job_has_its_index),
        cmocka_unit_test(test_garbage_is_passed_over),
        cmocka_unit_test(test_longest_name_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
