/* quartet workloads: list what there is, or describe one with its parameters. */
#include "common/io/cli.h"
#include "common/io/text.h"
#include "coordinator/commands.h"
#include "worker/workloads/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { NAME_WIDTH = 11, HELP_WIDTH = 80 };

static void print_list(void)
{
    for (size_t i = 0; i < workload_registry_count; i++) {
        (void)printf("%-10s ", workload_registry[i]->name);
        text_wrap(stdout, workload_registry[i]->summary, NAME_WIDTH, NAME_WIDTH, HELP_WIDTH);
    }
    (void)fputs("\n'quartet workloads NAME' describes one with its parameters.\n", stdout);
}

static void print_param(const struct param_spec *spec)
{
    (void)printf("  --param %s=%s\n      %s", spec->name, spec->unit, spec->help);
    if (spec->default_value != NULL) {
        (void)printf(" (default %s)", spec->default_value);
    }
    (void)fputc('\n', stdout);
}

static void print_one(const struct workload_ops *workload)
{
    (void)printf("%s: %s\n\n", workload->name, workload->summary);
    (void)printf(
        "items        %s%s%s\n",
        workload->traits & WORKLOAD_NUMBERS ? "--range" : "",
        (workload->traits & WORKLOAD_NUMBERS) && (workload->traits & WORKLOAD_BYTES) ? " or " : "",
        workload->traits & WORKLOAD_BYTES ? "--items" : "");
    (void)printf("default      --range %" PRIu64 ":%" PRIu64 "\n",
                 workload->default_first,
                 workload->default_last);
    (void)printf("asynchronous %s\n",
                 workload->async_start != NULL
                     ? "yes"
                     : "no: strategy async runs its items one at a time on the loop");
    (void)printf("idempotent   %s\n", workload->traits & WORKLOAD_IDEMPOTENT ? "yes" : "no");
    (void)fputs(workload->param_count == 0 ? "parameters   none\n" : "parameters\n", stdout);
    for (size_t i = 0; i < workload->param_count; i++) {
        print_param(&workload->params[i]);
    }
}

int cmd_workloads(int argc, char **argv, struct zygote *zygote)
{
    (void)zygote;
    const struct cli cli = {
        .program = "quartet workloads",
        .usage = "[NAME]",
        .summary =
            "Lists the workloads, or describes one with its parameters, their units and defaults.",
        .positional_max = 1,
    };
    struct err_text error = {{0}};
    const char *words[8] = {NULL};
    size_t word_count = 0;
    if (argc > 8) {
        (void)fputs("quartet workloads: one NAME at most\n", stderr);
        return EXIT_WRONG_USAGE;
    }
    int rc = cli_parse(&cli, argc, argv, &error, words, &word_count, NULL, NULL);
    if (rc == 1) {
        cli_help(&cli, stdout);
        return EXIT_ALL_OK;
    }
    const struct workload_ops *workload = NULL;
    if (rc != 0 || (word_count == 1 && workload_lookup(words[0], &error, &workload) != 0)) {
        (void)fprintf(stderr, "quartet workloads: %s\n", error.s);
        return EXIT_WRONG_USAGE;
    }
    if (workload == NULL) {
        print_list();
    } else {
        print_one(workload);
    }
    return EXIT_ALL_OK;
}
