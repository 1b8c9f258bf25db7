/* quartet run: run the items of one workload with one strategy, in this process or across workers, and say what came of it. */
#include "coordinator/commands.h"
#include "coordinator/run/run_internal.h"

#include <stdio.h>

int cmd_run(int argc, char **argv, struct zygote *zygote)
{
    struct run *run = run_new();
    if (run == NULL) {
        (void)fputs("quartet run: no memory\n", stderr);
        return EXIT_CANNOT_GO_ON;
    }
    int status = run_perform(run, argc, argv, zygote);
    run_free(run);
    return status;
}
