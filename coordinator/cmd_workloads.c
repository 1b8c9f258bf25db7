/* quartet workloads: list what there is, or describe one with its parameters. */
#include "common/io/cli.h"
#include "common/io/text.h"
#include "coordinator/commands.h"
#include "coordinator/run/plugin_describe.h"
#include "worker/workloads/plugin.h"
#include "worker/workloads/plugin_words.h"
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
    (void)fputs("\n'quartet workloads NAME' describes one with its parameters; so does\n"
                "'quartet workloads ./FILE.so' for a plugin.\n",
                stdout);
}

static void print_param(const struct param_spec *spec)
{
    (void)printf("  --param %s=%s\n      %s", spec->name, spec->unit, spec->help);
    if (spec->default_value != NULL) {
        (void)printf(" (default %s)", spec->default_value);
    }
    (void)fputc('\n', stdout);
}

static void print_range(const struct workload_ops *workload)
{
    if (workload->default_first == 0 && workload->default_last == 0) {
        (void)fputs("default      none: name the items\n", stdout);
        return;
    }
    (void)printf("default      --range %" PRIu64 ":%" PRIu64 "\n",
                 workload->default_first,
                 workload->default_last);
}

/* `forms`: of enum plugin_form; a plugin's description has no functions to be looked at. */
static void print_one(const struct workload_ops *workload, unsigned forms)
{
    (void)printf("%s: %s\n\n", workload->name, workload->summary);
    (void)printf(
        "items        %s%s%s\n",
        workload->traits & WORKLOAD_NUMBERS ? "--range" : "",
        (workload->traits & WORKLOAD_NUMBERS) && (workload->traits & WORKLOAD_BYTES) ? " or " : "",
        workload->traits & WORKLOAD_BYTES ? "--items" : "");
    print_range(workload);
    (void)printf("asynchronous %s\n",
                 (forms & PLUGIN_ASYNC) != 0
                     ? "yes"
                     : "no: strategy async runs its items one at a time on the loop");
    (void)printf("idempotent   %s\n", workload->traits & WORKLOAD_IDEMPOTENT ? "yes" : "no");
    (void)fputs(workload->param_count == 0 ? "parameters   none\n" : "parameters\n", stdout);
    for (size_t i = 0; i < workload->param_count; i++) {
        print_param(&workload->params[i]);
    }
}

static int describe(const char *name, struct err_text *ret_error)
{
    if (plugin_is_path(name)) {
        struct plugin_description description = {.forms = 0};
        const struct plugin_describe_options options = {.path = name};
        int rc = plugin_describe(&options, ret_error, &description);
        if (rc == 0) {
            print_one(&description.workload, description.forms);
            plugin_description_deinit(&description);
        }
        return rc;
    }
    const struct workload_ops *workload = NULL;
    int rc = workload_lookup(name, ret_error, &workload);
    if (rc == 0) {
        print_one(workload, plugin_forms(workload));
    }
    return rc;
}

int cmd_workloads(int argc, char **argv, struct zygote *zygote)
{
    (void)zygote;
    const struct cli cli = {
        .program = "quartet workloads",
        .usage = "[NAME|PLUGIN]",
        .summary = "Lists the workloads, or describes one with its parameters, their units and "
                   "defaults. PLUGIN: the path of a shared object, with a '/' in it or .so at its "
                   "end.",
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
    if (rc == 0 && word_count == 1) {
        rc = describe(words[0], &error);
    }
    if (rc != 0) {
        (void)fprintf(stderr, "quartet workloads: %s\n", error.s);
        return EXIT_WRONG_USAGE;
    }
    if (word_count == 0) {
        print_list();
    }
    return EXIT_ALL_OK;
}
