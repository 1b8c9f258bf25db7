/* The simulator's command line.
 *
 *   sim --seed N [--verbose]         one run; --verbose prints a line for each event and action
 *   sim --seeds FIRST:COUNT          many runs
 *   sim --scenario NAME [--verbose]  a run with a name
 *   sim --scenarios                  all of them, one after the other */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a failed check needs to say before the program aborts, from a signal handler: the only mutable state of this kind here. */
static char repeat_with[256];

static void say_how_to_repeat(int signal)
{
    (void)signal;
    (void)!write(STDERR_FILENO, repeat_with, strlen(repeat_with));
}

static void remember(const char *program, const char *flag, const char *value)
{
    (void)snprintf(repeat_with,
                   sizeof(repeat_with),
                   "repeat with: %s %s %s --verbose\n",
                   program,
                   flag,
                   value);
}

static void run_seed(const char *program, uint64_t seed, bool verbose)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRIu64, seed);
    remember(program, "--seed", text);
    struct sim_plan plan;
    sim_plan_from_seed(&plan, seed);
    sim_run(&plan, verbose);
}

static void run_scenario(const char *program, const struct sim_scenario *scenario, bool verbose)
{
    remember(program, "--scenario", scenario->name);
    struct sim_plan plan;
    sim_plan_from_seed(&plan, scenario->seed);
    if (scenario->arrange != NULL) {
        scenario->arrange(&plan);
    }
    sim_run(&plan, verbose);
    printf("%-22s %s\n", scenario->name, scenario->why);
}

static int usage(void)
{
    (void)fprintf(stderr,
                  "usage: sim --seed N [--verbose] | --seeds FIRST:COUNT | "
                  "--scenario NAME [--verbose] | --scenarios\nscenarios:");
    for (size_t i = 0; sim_scenario_at(i) != NULL; i++) {
        (void)fprintf(stderr, " %s", sim_scenario_at(i)->name);
    }
    (void)fputc('\n', stderr);
    return 2;
}

static int run_seeds(const char *program, const char *range)
{
    char *end = NULL;
    uint64_t first = strtoull(range, &end, 10);
    if (*end != ':') {
        return usage();
    }
    uint64_t count = strtoull(end + 1, NULL, 10);
    for (uint64_t i = 0; i < count; i++) {
        run_seed(program, first + i, false);
    }
    printf("%" PRIu64 " seeds from %" PRIu64 "\n", count, first);
    return 0;
}

int main(int argc, char **argv)
{
    const char *value = argc > 2 ? argv[2] : "";
    bool verbose = argc > 3 && strcmp(argv[3], "--verbose") == 0;
    (void)signal(SIGABRT, say_how_to_repeat);
    if (argc == 2 && strcmp(argv[1], "--scenarios") == 0) {
        for (size_t i = 0; sim_scenario_at(i) != NULL; i++) {
            run_scenario(argv[0], sim_scenario_at(i), false);
        }
        return 0;
    }
    if (argc < 3) {
        return usage();
    }
    if (strcmp(argv[1], "--seed") == 0) {
        run_seed(argv[0], strtoull(value, NULL, 10), verbose);
        return 0;
    }
    if (strcmp(argv[1], "--seeds") == 0) {
        return run_seeds(argv[0], value);
    }
    if (strcmp(argv[1], "--scenario") == 0 && sim_scenario_find(value) != NULL) {
        run_scenario(argv[0], sim_scenario_find(value), verbose);
        return 0;
    }
    return usage();
}
