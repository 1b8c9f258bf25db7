#include "worker/describe.h"

#include "worker/workloads/plugin.h"
#include "worker/workloads/plugin_words.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_REFUSED = 2 };

static int refuse(const char *text)
{
    (void)fprintf(stderr, "quartet-worker: %s\n", text);
    return EXIT_REFUSED;
}

/* A text or null; NULL `text` gives null. */
static json_t *text_or_null(const char *text)
{
    return text == NULL ? json_null() : json_string(text);
}

static json_t *words_of(const struct plugin_word *words, unsigned bits)
{
    json_t *list = json_array();
    for (; words->word != NULL; words++) {
        if ((bits & words->bit) != 0) {
            (void)json_array_append_new(list, json_string(words->word));
        }
    }
    return list;
}

static json_t *params_of(const struct workload_ops *workload)
{
    json_t *list = json_array();
    for (size_t i = 0; i < workload->param_count; i++) {
        const struct param_spec *spec = &workload->params[i];
        bool has_max = plugin_kind_is_numeric(spec->kind);
        bool has_choices = spec->kind == PARAM_CHOICE;
        json_t *object = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:s}",
                                   "name",
                                   spec->name,
                                   "kind",
                                   plugin_kind_word(spec->kind),
                                   "unit",
                                   spec->unit,
                                   "default",
                                   text_or_null(spec->default_value),
                                   "max",
                                   has_max ? json_real(spec->max) : json_null(),
                                   "choices",
                                   text_or_null(has_choices ? spec->choices : NULL),
                                   "help",
                                   spec->help);
        (void)json_array_append_new(list, object);
    }
    return list;
}

/* As text: a JSON number does not hold every uint64_t. */
static json_t *range_of(const struct workload_ops *workload)
{
    if (workload->default_first == 0 && workload->default_last == 0) {
        return json_null();
    }
    return json_sprintf("%" PRIu64 ":%" PRIu64, workload->default_first, workload->default_last);
}

/* NULL without memory: whatever part could not be had, json_pack fails of it. */
static json_t *description_of(const struct workload_ops *workload)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}",
                     "name",
                     workload->name,
                     "summary",
                     workload->summary,
                     "abi",
                     json_sprintf("%d.%d", workload->abi_major, workload->abi_minor),
                     "traits",
                     words_of(plugin_trait_words, workload->traits),
                     "forms",
                     words_of(plugin_form_words, plugin_forms(workload)),
                     "default_range",
                     range_of(workload),
                     "parameters",
                     params_of(workload));
}

static int print(FILE *output, const struct workload_ops *workload)
{
    json_t *description = description_of(workload);
    if (description == NULL) {
        return refuse("no memory for a description");
    }
    bool failed = json_dumpf(description, output, 0) != 0 || fputc('\n', output) == EOF ||
                  fflush(output) != 0;
    json_decref(description);
    if (failed) {
        return refuse("the description cannot be written to standard output");
    }
    return EXIT_SUCCESS;
}

/* Standard output for ourselves alone: a plugin that prints a greeting when it is loaded does so on
 * standard error. NULL: there is none. */
static FILE *take_standard_output(void)
{
    int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (fd < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        return NULL;
    }
    return fdopen(fd, "w");
}

int describe(const char *path)
{
    struct err_text error = {""};
    const struct workload_ops *workload = NULL;
    FILE *output = take_standard_output();
    if (output == NULL) {
        return refuse("there is no standard output to print a description on");
    }
    int status = EXIT_REFUSED;
    if (plugin_load(path, &error, &workload) != 0) {
        status = refuse(error.s);
    } else {
        status = print(output, workload);
    }
    (void)fclose(output);
    return status;
}
