/* The machine that a report names: the real one, and made-up cgroups. */
#include "coordinator/report/report.h"
#include "coordinator/report/report_parts.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct root {
    char path[64];
};

static int setup(void **state)
{
    static struct root root;
    (void)strcpy(root.path, "/tmp/test_environment.XXXXXX");
    *state = &root;
    return mkdtemp(root.path) == NULL;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static int teardown(void **state)
{
    struct root *root = *state;
    return nftw(root->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void write_file(const struct root *root, const char *path, const char *text)
{
    char full[512];
    (void)snprintf(full, sizeof(full), "%s%s", root->path, path);
    for (char *slash = strchr(full + strlen(root->path) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(full, 0700);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_environment_of_this_machine_is_filled_in(void **state)
{
    (void)state;
    struct environment environment;
    environment_read(&environment);
    assert_true(environment.host[0] != '\0');
    assert_true(environment.kernel[0] != '\0');
    assert_true(environment.cpu[0] != '\0');
    assert_true(environment.cores_online >= 1);
    assert_in_range(environment.cores_usable, 1, environment.cores_online);
    assert_true(environment.memory_bytes > 1024 * 1024);
    assert_true(environment.load_before >= 0);
    assert_true(environment.library_count >= 6);
    for (size_t i = 0; i < environment.library_count; i++) {
        assert_true(environment.libraries[i][0][0] != '\0');
        assert_true(environment.libraries[i][1][0] >= '0' && environment.libraries[i][1][0] <= '9');
    }
}

static void test_environment_memory_is_the_machines_without_limit(void **state)
{
    const struct root *root = *state;
    write_file(root, "/proc/meminfo", "MemTotal:        2048 kB\nMemFree: 1 kB\n");
    assert_int_equal(environment_memory_at(root->path), 2048 * 1024);
    write_file(root, "/proc/self/cgroup", "0::/a/b\n");
    write_file(root, "/sys/fs/cgroup/a/b/memory.max", "max\n");
    assert_int_equal(environment_memory_at(root->path), 2048 * 1024);
}

static void test_environment_memory_is_the_smallest_limit_of_the_parents(void **state)
{
    const struct root *root = *state;
    write_file(root, "/proc/meminfo", "MemTotal: 2048 kB\n");
    write_file(root, "/proc/self/cgroup", "0::/a/b\n");
    write_file(root, "/sys/fs/cgroup/a/b/memory.max", "1500000\n");
    write_file(root, "/sys/fs/cgroup/a/memory.max", "1000000\n");
    assert_int_equal(environment_memory_at(root->path), 1000000);
}

static void test_environment_memory_limit_of_version_1(void **state)
{
    const struct root *root = *state;
    write_file(root, "/proc/meminfo", "MemTotal: 2048 kB\n");
    write_file(root, "/proc/self/cgroup", "12:cpu,cpuacct:/x\n4:memory:/y\n0::/z\n");
    write_file(root, "/sys/fs/cgroup/memory/y/memory.limit_in_bytes", "4096\n");
    write_file(root, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    assert_int_equal(environment_memory_at(root->path), 4096);
}

static void test_environment_memory_in_the_root_cgroup(void **state)
{
    const struct root *root = *state;
    write_file(root, "/proc/self/cgroup", "0::/\n");
    write_file(root, "/sys/fs/cgroup/memory.max", "777216\n");
    assert_int_equal(environment_memory_at(root->path), 777216);
}

static void test_environment_memory_is_0_when_nothing_can_be_read(void **state)
{
    const struct root *root = *state;
    assert_int_equal(environment_memory_at(root->path), 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_environment_of_this_machine_is_filled_in),
        CASE(test_environment_memory_is_the_machines_without_limit),
        CASE(test_environment_memory_is_the_smallest_limit_of_the_parents),
        CASE(test_environment_memory_limit_of_version_1),
        CASE(test_environment_memory_in_the_root_cgroup),
        CASE(test_environment_memory_is_0_when_nothing_can_be_read),
    };
    return cmocka_run_group_tests_name("report_environment", tests, NULL, NULL);
}
