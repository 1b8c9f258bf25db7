#include "coordinator/run/work.h"

#include "common/base/nearest.h"
#include "coordinator/run/items_copy.h"
#include "coordinator/run/plugin_describe.h"
#include "worker/workloads/command_line.h"
#include "worker/workloads/plugin.h"
#include "worker/workloads/registry.h"
#include "worker/workloads/time_limit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool has_param(const struct workload_ops *workload, const char *name)
{
    for (size_t i = 0; i < workload->param_count; i++) {
        if (strcmp(workload->params[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* The command behind `--` becomes a parameter of the workload that runs it. */
static int take_command(struct work *work,
                        const struct options *options,
                        bool strict,
                        struct err_text *ret_error)
{
    const char *name = work->workload->name;
    if ((work->workload->traits & WORKLOAD_COMMAND) == 0) {
        return options->command_count == 0 || !strict
                   ? 0
                   : err_set(ret_error,
                             ERR_INVALID,
                             "workload %s runs no command, but '-- %s' gives one; exec and pipe do",
                             name,
                             options->command[0]);
    }
    if (options->command_count == 0) {
        return params_get(&options->params, "command") != NULL
                   ? 0
                   : err_set(ret_error,
                             ERR_INVALID,
                             "%s needs a command: quartet ... %s ... -- COMMAND, as in '-- %s'",
                             name,
                             name,
                             strcmp(name, "pipe") == 0 ? "python3 square.py" : "gzip -9k {}");
    }
    char *text = NULL;
    int rc = command_line_join(options->command, options->command_count, &text);
    rc = rc != 0 ? rc : params_set(&work->params, "command", text);
    free(text);
    if (rc != 0) {
        return err_set(ret_error, rc, "the command '%.64s ...' is too long", options->command[0]);
    }
    /* Items that end with a NUL may hold newlines. */
    return options->null_separated && has_param(work->workload, "framing")
               ? params_set(&work->params, "framing", "null")
               : 0;
}

static int find_workload(struct work *work, const char *name, struct err_text *ret_error)
{
    if (!plugin_is_path(name)) {
        return workload_lookup(name, ret_error, &work->workload);
    }
    const struct plugin_describe_options options = {.path = name};
    int rc = plugin_describe(&options, ret_error, &work->description);
    if (rc != 0) {
        return rc;
    }
    rc = job_plugin_open(name, ret_error, &work->plugin);
    if (rc != 0) {
        plugin_description_deinit(&work->description);
        return rc;
    }
    work->is_plugin = true;
    work->workload = &work->description.workload;
    return 0;
}

/* The one parameter whose form its kind does not tell: better now than by each engine. */
static int check_timeout(const struct work *work, struct err_text *ret_error)
{
    struct time_limit trial;
    if (strcmp(work->workload->name, "exec") != 0) {
        return 0;
    }
    int rc = time_limit_init(&trial, params_get(&work->params, "timeout"), ret_error);
    if (rc == 0) {
        time_limit_deinit(&trial);
    }
    return rc;
}

int work_choose(struct work *work,
                const char *name,
                const struct options *options,
                bool strict,
                struct err_text *ret_error)
{
    memset(work, 0, sizeof(*work));
    work->items.fd = -1;
    int rc = find_workload(work, name, ret_error);
    rc = rc != 0 ? rc : take_command(work, options, strict, ret_error);
    for (size_t i = 0; rc == 0 && i < options->params.count; i++) {
        const char *param = options->params.list[i].name;
        if (strict || has_param(work->workload, param)) {
            rc = params_set(&work->params, param, options->params.list[i].value);
        }
    }
    rc = rc != 0 ? rc : check_timeout(work, ret_error);
    if (rc == 0 && strict) {
        /* Refuses unknown names and bad values now, before anything is started. */
        struct params trial = {0};
        rc = params_copy(&trial, &work->params);
        if (rc == 0) {
            rc = params_resolve(
                &trial, work->workload->params, work->workload->param_count, ret_error);
        }
        params_deinit(&trial);
    }
    return rc;
}

static bool known_to_any(const struct work *works, size_t count, const char *param)
{
    for (size_t i = 0; i < count; i++) {
        if (has_param(works[i].workload, param)) {
            return true;
        }
    }
    return false;
}

int work_check_params(const struct work *works,
                      size_t count,
                      const struct options *options,
                      struct err_text *ret_error)
{
    for (size_t i = 0; i < options->params.count; i++) {
        const char *param = options->params.list[i].name;
        if (!known_to_any(works, count, param)) {
            return err_set(
                ret_error,
                ERR_NOT_FOUND,
                "--param '%s': none of the workloads compared has a parameter of that name; "
                "'quartet workloads NAME' lists them",
                param);
        }
    }
    return 0;
}

static bool is_stdin(const struct items_spec *items)
{
    return !items->is_range && strcmp(items->path, "-") == 0;
}

/* Can the items be read once only? Standard input, a named pipe, or a shell's <(...). */
static bool is_stream(const struct items_spec *items)
{
    struct stat status;
    if (items->is_range || is_stdin(items)) {
        return !items->is_range;
    }
    return stat(items->path, &status) == 0 &&
           (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) || S_ISCHR(status.st_mode));
}

static int copy_stream(const char *keep, struct items_spec *items, struct err_text *ret_error)
{
    if (is_stdin(items)) {
        return items_copy(STDIN_FILENO, keep, items, ret_error);
    }
    int from = open(items->path, O_RDONLY | O_CLOEXEC);
    if (from < 0) {
        return err_set(
            ret_error, ERR_IO, "cannot read the items '%s': %s", items->path, strerror(errno));
    }
    int rc = items_copy(from, keep, items, ret_error);
    (void)close(from);
    return rc;
}

static int check_kind(const struct work *work,
                      const struct options *options,
                      struct err_text *ret_error)
{
    unsigned wanted = work->items.is_range ? WORKLOAD_NUMBERS : WORKLOAD_BYTES;
    if (work->workload->traits & wanted) {
        return 0;
    }
    if (work->items.is_range) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "workload %s takes items from --items, not numbers (--range '%s')",
                       work->workload->name,
                       options->range_text);
    }
    return err_set(ret_error,
                   ERR_INVALID,
                   "workload %s takes numbers: give --range FIRST:LAST instead of --items '%s'",
                   work->workload->name,
                   options->items_path);
}

int work_check_items(struct work *work,
                     const struct options *options,
                     enum work_stream stream,
                     const char *keep,
                     struct err_text *ret_error)
{
    if (options->has_items) {
        work->items = options->items;
    } else if (work->workload->default_last == 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "%s has no items of its own: say with --items FILE or --range FIRST:LAST "
                       "what they are ('-' reads standard input)",
                       work->workload->name);
    } else {
        work->items.is_range = true;
        work->items.range_first = work->workload->default_first;
        work->items.range_last = work->workload->default_last;
    }
    work->needs_origin = strcmp(work->workload->name, "download") == 0 && work->items.is_range &&
                         params_get(&work->params, "url") == NULL;
    int rc = check_kind(work, options, ret_error);
    if (rc != 0) {
        return rc;
    }
    if (is_stdin(&work->items) && stream == WORK_STREAM_ONCE) {
        return 0;
    }
    if (stream == WORK_STREAM_KEPT) {
        work->items.path = keep;
    } else if (is_stream(&work->items)) {
        rc = copy_stream(stream == WORK_STREAM_KEEP ? keep : NULL, &work->items, ret_error);
        work->items_kept = rc == 0 && stream == WORK_STREAM_KEEP;
    }
    rc = rc != 0 ? rc
                 : items_count(
                       &work->items, ret_error, &work->count, keep != NULL ? work->print : NULL);
    if (rc == 0 && work->count == 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "there are no items: '%s' is empty",
                       is_stdin(&work->items) ? "standard input" : work->items.path);
    }
    work->items.count = work->count;
    return rc;
}

int work_resolve(struct work *work, const char *origin_url, struct err_text *ret_error)
{
    int rc = 0;
    if (work->needs_origin) {
        /* The delay's default is the workload's: settle the others first, then build the URL
         * from it. */
        struct params settled = {0};
        char url[256];
        rc = params_copy(&settled, &work->params);
        rc = rc != 0
                 ? rc
                 : params_resolve(
                       &settled, work->workload->params, work->workload->param_count, ret_error);
        if (rc == 0) {
            (void)snprintf(
                url, sizeof(url), "%s/delay/%g", origin_url, params_seconds(&settled, "delay"));
            rc = params_set(&work->params, "url", url);
        }
        params_deinit(&settled);
    }
    return rc != 0
               ? rc
               : params_resolve(
                     &work->params, work->workload->params, work->workload->param_count, ret_error);
}

struct job work_job(const struct work *work)
{
    return (struct job){
        .workload = work->workload,
        .params = &work->params,
        .plugin = work->is_plugin ? &work->plugin : NULL,
        .items = work->items,
        .items_count = work->count,
    };
}

void work_deinit(struct work *work)
{
    if (work->is_plugin) {
        job_plugin_close(&work->plugin);
        plugin_description_deinit(&work->description);
    }
    params_deinit(&work->params);
    if (work->items.fd >= 0) {
        (void)close(work->items.fd);
    }
}
