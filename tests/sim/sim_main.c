/* The simulator's command line.
 *
 *   sim --seed N [--family NAME] [--verbose]  one run; --verbose prints a line for each event and action
 *   sim --seeds FIRST:COUNT [--family NAME]   many runs
 *   sim --scenario NAME [--verbose]           a run with a name
 *   sim --scenarios                           all of them, one after the other */
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

/* What the command line asks for. */
struct request {
    const char *program;
    const char *what; /* --seed, --seeds, --scenario or --scenarios */
    const char *value;
    const struct sim_scenario *family;
    bool verbose;
};

static void remember(const struct request *request, const char *flag, const char *value)
{
    (void)snprintf(repeat_with,
                   sizeof(repeat_with),
                   "repeat with: %s %s %s --family %s --verbose\n",
                   request->program,
                   flag,
                   value,
                   request->family->name);
}

static void run_seed(const struct request *request, uint64_t seed)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRIu64, seed);
    remember(request, "--seed", text);
    struct sim_plan plan;
    sim_plan_from_seed(&plan, seed);
    if (request->family->arrange != NULL) {
        request->family->arrange(&plan);
    }
    sim_run(&plan, request->verbose);
}

static void run_scenario(const struct request *request, const struct sim_scenario *scenario)
{
    remember(request, "--scenario", scenario->name);
    struct sim_plan plan;
    sim_plan_from_seed(&plan, scenario->seed);
    if (scenario->arrange != NULL) {
        scenario->arrange(&plan);
    }
    sim_run(&plan, request->verbose);
    printf("%-22s %s\n", scenario->name, scenario->why);
}

static int usage(void)
{
    (void)fprintf(stderr,
                  "usage: sim --seed N [--family NAME] [--verbose] | "
                  "--seeds FIRST:COUNT [--family NAME] | "
                  "--scenario NAME [--verbose] | --scenarios\nscenarios:");
    for (size_t i = 0; sim_scenario_at(i) != NULL; i++) {
        (void)fprintf(stderr, " %s", sim_scenario_at(i)->name);
    }
    (void)fprintf(stderr, "\nfamilies:");
    for (size_t i = 0; sim_family_at(i) != NULL; i++) {
        (void)fprintf(stderr, " %s", sim_family_at(i)->name);
    }
    (void)fputc('\n', stderr);
    return 2;
}

static int run_seeds(const struct request *request)
{
    char *end = NULL;
    uint64_t first = strtoull(request->value, &end, 10);
    if (*end != ':') {
        return usage();
    }
    uint64_t count = strtoull(end + 1, NULL, 10);
    for (uint64_t i = 0; i < count; i++) {
        run_seed(request, first + i);
    }
    printf("%" PRIu64 " seeds from %" PRIu64 "\n", count, first);
    return 0;
}

static int run(const struct request *request)
{
    const struct sim_scenario *scenario = sim_scenario_find(request->value);
    if (strcmp(request->what, "--scenarios") == 0) {
        for (size_t i = 0; sim_scenario_at(i) != NULL; i++) {
            run_scenario(request, sim_scenario_at(i));
        }
    } else if (strcmp(request->what, "--seed") == 0) {
        run_seed(request, strtoull(request->value, NULL, 10));
    } else if (strcmp(request->what, "--seeds") == 0) {
        return run_seeds(request);
    } else if (strcmp(request->what, "--scenario") == 0 && scenario != NULL) {
        run_scenario(request, scenario);
    } else {
        return usage();
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct request request = {.program = argv[0], .what = "", .value = ""};
    request.family = sim_family_find("mixed");
    int next = 1;
    if (next < argc) {
        request.what = argv[next++];
    }
    if (next < argc && argv[next][0] != '-') {
        request.value = argv[next++];
    }
    for (; next < argc; next++) {
        if (strcmp(argv[next], "--verbose") == 0) {
            request.verbose = true;
        } else if (strcmp(argv[next], "--family") == 0 && next + 1 < argc) {
            request.family = sim_family_find(argv[++next]);
        } else {
            return usage();
        }
        if (request.family == NULL) {
            return usage();
        }
    }
    (void)signal(SIGABRT, say_how_to_repeat);
    return run(&request);
}
