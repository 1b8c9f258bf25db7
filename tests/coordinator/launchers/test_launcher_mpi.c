/* What `quartet launch mpi` would run. */
#include "tests/coordinator/launchers/launcher_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define OPENMPI                                                                                    \
    " --bind-to none --map-by node --oversubscribe --enable-recovery --stdin all --mca "           \
    "plm_rsh_num_concurrent 10"
#define WORKER         " quartet-worker --access - --give-up 600 --drain-limit 30 --end-with-stdin"
#define ACCESS_FOLLOWS " # standard input: <access file, not shown>; it stays open\n"

static void test_open_mpi_hands_the_access_to_all_ranks_and_binds_none(void **state)
{
    (void)state;
    struct launcher_request request = rig_request();
    rig_expect(&launcher_mpi,
               &request,
               RIG_ARGUMENTS("--hosts", "h1,h2:2", NULL),
               "mpirun --host h1,h2:2" OPENMPI WORKER ACCESS_FOLLOWS);
}

static void test_options_of_all_launchers_reach_the_worker(void **state)
{
    (void)state;
    struct launcher_request request = rig_request();
    request.workers = 3;
    request.slots = 4;
    request.worker_path = "/opt/my programs/quartet-worker";
    request.give_up_s = 0.5;
    request.drain_limit_s = 2;
    request.allow_exec = true;
    request.allow_plugins = true;
    request.quiet = true;
    rig_expect(&launcher_mpi,
               &request,
               RIG_ARGUMENTS(NULL),
               "mpirun" OPENMPI " -n 3 '/opt/my programs/quartet-worker' --access - --give-up 0.5 "
               "--drain-limit 2 --end-with-stdin --slots 4 --allow-exec --allow-plugins "
               "--quiet" ACCESS_FOLLOWS);
}

static void test_many_workers_do_not_call_in_one_instant(void **state)
{
    (void)state;
    struct launcher_request request = rig_request();
    request.workers = 300;
    rig_expect(&launcher_mpi,
               &request,
               RIG_ARGUMENTS(NULL),
               "mpirun" OPENMPI " -n 300 quartet-worker --access - --give-up 600 --spread 1.5 "
               "--drain-limit 30 --end-with-stdin" ACCESS_FOLLOWS);
}

static void test_words_behind_the_dashes_are_mpiruns(void **state)
{
    (void)state;
    static const char *const rest[] = {
        "--allow-run-as-root", "--mca", "btl_tcp_if_include", "it's"};
    struct launcher_request request = rig_request();
    request.rest = rest;
    request.rest_count = 4;
    rig_expect(&launcher_mpi,
               &request,
               RIG_ARGUMENTS("--hostfile", "hosts", "--ssh", "ssh -F file", NULL),
               "mpirun --hostfile hosts" OPENMPI " --mca plm_rsh_agent 'ssh -F file' "
               "--allow-run-as-root --mca btl_tcp_if_include 'it'\\''s'" WORKER ACCESS_FOLLOWS);
}

static void test_without_keys_standard_input_is_open_and_nothing_comes(void **state)
{
    (void)state;
    struct launcher_request request = rig_request();
    request.access = NULL;
    request.access_text = NULL;
    request.connect = "tcp://10.0.0.1:5555";
    request.insecure = true;
    request.workers = 1;
    rig_expect(&launcher_mpi,
               &request,
               RIG_ARGUMENTS(NULL),
               "mpirun" OPENMPI
               " -n 1 quartet-worker --connect tcp://10.0.0.1:5555 --insecure --give-up 600 "
               "--drain-limit 30 --end-with-stdin # standard input: nothing; it stays open\n");
}

#define HYDRA                                                                                      \
    " -bind-to none -disable-auto-cleanup -launcher ssh -launcher-exec /tmp/my-ssh"                \
    " quartet-worker --access /home/me/worker.json --give-up 600 --drain-limit 30 </dev/null\n"

static void test_hydra_is_known_by_its_name_and_reads_the_access_by_its_path(void **state)
{
    (void)state;
    struct launcher_request request = rig_request();
    rig_expect(&launcher_mpi,
               &request,
               RIG_ARGUMENTS(
                   "--hosts", "h1,h2", "--mpirun", "mpiexec.hydra", "--ssh", "/tmp/my-ssh", NULL),
               "mpiexec.hydra -hosts h1,h2" HYDRA);
    rig_expect(&launcher_mpi,
               &request,
               RIG_ARGUMENTS("--hostfile",
                             "hosts",
                             "--mpirun",
                             "/opt/hydra/mpirun",
                             "--mpi",
                             "hydra",
                             "--ssh",
                             "/tmp/my-ssh",
                             NULL),
               "/opt/hydra/mpirun -f hosts" HYDRA);
    rig_expect(&launcher_mpi,
               &request,
               RIG_ARGUMENTS("--hosts", "h1", "--mpirun", "/opt/hydra/bin/mpirun", NULL),
               "/opt/hydra/bin/mpirun --host h1" OPENMPI WORKER ACCESS_FOLLOWS);
}

static void test_what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    struct launcher_request request = rig_request();
    rig_expect_refused(&launcher_mpi, &request, RIG_ARGUMENTS(NULL), "--workers N");
    rig_expect_refused(&launcher_mpi,
                       &request,
                       RIG_ARGUMENTS("--hosts", "a", "--hostfile", "b", NULL),
                       "--hosts and --hostfile");
    rig_expect_refused(
        &launcher_mpi, &request, RIG_ARGUMENTS("--hosts", "a", "--mpi", "lam", NULL), "'lam'");
    rig_expect_refused(&launcher_mpi,
                       &request,
                       RIG_ARGUMENTS("--hosts", "a", "--mpi", "hydra", "--ssh", "ssh -F x", NULL),
                       "'ssh -F x'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_mpi_hands_the_access_to_all_ranks_and_binds_none),
        cmocka_unit_test(test_options_of_all_launchers_reach_the_worker),
        cmocka_unit_test(test_many_workers_do_not_call_in_one_instant),
        cmocka_unit_test(test_words_behind_the_dashes_are_mpiruns),
        cmocka_unit_test(test_without_keys_standard_input_is_open_and_nothing_comes),
        cmocka_unit_test(test_hydra_is_known_by_its_name_and_reads_the_access_by_its_path),
        cmocka_unit_test(test_what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
