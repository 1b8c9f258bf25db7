/* Usable cores, from made-up cgroup trees and from this machine. */
#include "common/io/cores.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int setup(void **state)
{
    char *root = strdup("/tmp/quartet-cores-XXXXXX");
    *state = root;
    return root != NULL && mkdtemp(root) != NULL ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static int teardown(void **state)
{
    char *root = *state;
    int rc = nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(root);
    return rc;
}

/* Write root/path and the folders above it. */
static void put(const char *root, const char *path, const char *text)
{
    char full[PATH_MAX];
    (void)snprintf(full, sizeof(full), "%s/%s", root, path);
    for (char *slash = strchr(full + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        assert_true(mkdir(full, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
    FILE *file = fopen(full, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_cores_knows_no_quota_without_cgroups(void **state)
{
    assert_int_equal(cores_quota_at(*state), UINT32_MAX);
    put(*state, "proc/self/cgroup", "0::/\n");
    assert_int_equal(cores_quota_at(*state), UINT32_MAX);
}

static void test_cores_takes_max_for_no_quota(void **state)
{
    put(*state, "proc/self/cgroup", "0::/a\n");
    put(*state, "sys/fs/cgroup/a/cpu.max", "max 100000\n");
    assert_int_equal(cores_quota_at(*state), UINT32_MAX);
}

static void test_cores_rounds_a_quota_up(void **state)
{
    put(*state, "proc/self/cgroup", "0::/a\n");
    put(*state, "sys/fs/cgroup/a/cpu.max", "150000 100000\n");
    assert_int_equal(cores_quota_at(*state), 2);
    put(*state, "sys/fs/cgroup/a/cpu.max", "200000 100000\n");
    assert_int_equal(cores_quota_at(*state), 2);
    put(*state, "sys/fs/cgroup/a/cpu.max", "1000 100000\n");
    assert_int_equal(cores_quota_at(*state), 1);
}

static void test_cores_takes_the_least_quota_of_all_parents(void **state)
{
    put(*state, "proc/self/cgroup", "0::/a/b/c\n");
    put(*state, "sys/fs/cgroup/a/b/c/cpu.max", "800000 100000\n");
    put(*state, "sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    put(*state, "sys/fs/cgroup/a/cpu.max", "300000 100000\n");
    assert_int_equal(cores_quota_at(*state), 3);
}

static void test_cores_uses_the_mounts_own_quota_in_a_container(void **state)
{
    put(*state, "proc/self/cgroup", "0::/kubepods/pod1/container1\n");
    put(*state, "sys/fs/cgroup/cpu.max", "400000 100000\n");
    assert_int_equal(cores_quota_at(*state), 4);
    put(*state, "proc/self/cgroup", "0::/../../elsewhere\n");
    assert_int_equal(cores_quota_at(*state), 4);
}

static void test_cores_reads_version_1(void **state)
{
    put(*state, "proc/self/cgroup", "9:cpuset:/a\n4:cpu,cpuacct:/a/b\n1:name=systemd:/a\n");
    put(*state, "sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1\n");
    put(*state, "sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n");
    assert_int_equal(cores_quota_at(*state), UINT32_MAX);
    put(*state, "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "250000\n");
    put(*state, "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "50000\n");
    assert_int_equal(cores_quota_at(*state), 5);
}

static void test_cores_finds_version_1_under_cpu_alone(void **state)
{
    put(*state, "proc/self/cgroup", "4:cpuacct,cpu:/\n0::/\n");
    put(*state, "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n");
    put(*state, "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    assert_int_equal(cores_quota_at(*state), 1);
}

static void test_cores_passes_over_what_it_cannot_read(void **state)
{
    put(*state, "proc/self/cgroup", "nonsense\n0:\n0::/a\n::\n");
    put(*state, "sys/fs/cgroup/a/cpu.max", "100000\n");
    assert_int_equal(cores_quota_at(*state), UINT32_MAX);
    put(*state, "sys/fs/cgroup/a/cpu.max", "0 100000\n");
    assert_int_equal(cores_quota_at(*state), UINT32_MAX);
    put(*state, "sys/fs/cgroup/a/cpu.max", "");
    assert_int_equal(cores_quota_at(*state), UINT32_MAX);
    put(*state, "sys/fs/cgroup/a/cpu.max", "100000 0\n");
    assert_int_equal(cores_quota_at(*state), UINT32_MAX);
}

static void test_cores_usable_is_at_least_one_and_at_most_all(void **state)
{
    (void)state;
    assert_true(cores_usable() >= 1);
    assert_true(cores_usable() <= cores_online());
}

static void test_cores_usable_follows_the_affinity_mask(void **state)
{
    (void)state;
    cpu_set_t before;
    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    size_t first = 0;
    while (!CPU_ISSET(first, &before)) {
        first++;
    }
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    uint32_t usable = cores_usable();
    assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
    assert_int_equal(usable, 1);
}

/* What Slurm is made to say. */
static struct {
    char *job, *task, *per_task, *on_node;
} slurm;

static char *slurm_says(const char *name)
{
    return strcmp(name, "SLURM_JOB_ID") == 0          ? slurm.job
           : strcmp(name, "SLURM_PROCID") == 0        ? slurm.task
           : strcmp(name, "SLURM_CPUS_PER_TASK") == 0 ? slurm.per_task
           : strcmp(name, "SLURM_CPUS_ON_NODE") == 0  ? slurm.on_node
                                                      : NULL;
}

static uint32_t granted(const char *job,
                        const char *task,
                        const char *per_task,
                        const char *on_node)
{
    slurm.job = (char *)(uintptr_t)job;
    slurm.task = (char *)(uintptr_t)task;
    slurm.per_task = (char *)(uintptr_t)per_task;
    slurm.on_node = (char *)(uintptr_t)on_node;
    return cores_granted(slurm_says);
}

static void test_cores_granted_are_those_of_the_task(void **state)
{
    (void)state;
    assert_int_equal(granted("7", "0", "4", "16"), 4);
    assert_int_equal(granted("7", "0", NULL, "16"), 16);
    assert_int_equal(granted("7", "3", "4", NULL), 4);
    assert_int_equal(granted("7", "3", "4", "2"), 2);
}

static void test_cores_granted_mean_nothing_outside_of_a_task(void **state)
{
    (void)state;
    assert_int_equal(granted(NULL, NULL, NULL, NULL), UINT32_MAX);
    assert_int_equal(granted(NULL, "0", "4", "4"), UINT32_MAX);
    assert_int_equal(granted("7", NULL, "4", "4"), UINT32_MAX);
    assert_int_equal(granted("7", "0", NULL, NULL), UINT32_MAX);
}

static void test_cores_granted_pass_over_what_is_no_number(void **state)
{
    (void)state;
    static const char *const cases[] = {"", "0", "-1", "4x", " 4", "2(x3)", "99999999999999999999"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(granted("7", "0", cases[i], cases[i]), UINT32_MAX);
        assert_int_equal(granted("7", "0", cases[i], "3"), 3);
    }
}

static void test_cores_usable_are_at_most_those_granted(void **state)
{
    (void)state;
    assert_int_equal(setenv("SLURM_JOB_ID", "7", 1), 0);
    assert_int_equal(setenv("SLURM_PROCID", "0", 1), 0);
    assert_int_equal(setenv("SLURM_CPUS_PER_TASK", "1", 1), 0);
    assert_int_equal(cores_usable(), 1);
    assert_int_equal(unsetenv("SLURM_JOB_ID"), 0);
    assert_int_equal(unsetenv("SLURM_PROCID"), 0);
    assert_int_equal(unsetenv("SLURM_CPUS_PER_TASK"), 0);
}

#define ROOT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOT_TEST(test_cores_knows_no_quota_without_cgroups),
        ROOT_TEST(test_cores_takes_max_for_no_quota),
        ROOT_TEST(test_cores_rounds_a_quota_up),
        ROOT_TEST(test_cores_takes_the_least_quota_of_all_parents),
        ROOT_TEST(test_cores_uses_the_mounts_own_quota_in_a_container),
        ROOT_TEST(test_cores_reads_version_1),
        ROOT_TEST(test_cores_finds_version_1_under_cpu_alone),
        ROOT_TEST(test_cores_passes_over_what_it_cannot_read),
        cmocka_unit_test(test_cores_usable_is_at_least_one_and_at_most_all),
        cmocka_unit_test(test_cores_usable_follows_the_affinity_mask),
        cmocka_unit_test(test_cores_granted_are_those_of_the_task),
        cmocka_unit_test(test_cores_granted_mean_nothing_outside_of_a_task),
        cmocka_unit_test(test_cores_granted_pass_over_what_is_no_number),
        cmocka_unit_test(test_cores_usable_are_at_most_those_granted),
    };
    return cmocka_run_group_tests_name("cores", tests, NULL, NULL);
}
