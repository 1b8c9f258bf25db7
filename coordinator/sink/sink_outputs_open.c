/* Opens the outputs of a sink; see sink_outputs.h. */
#include "coordinator/sink/directory.h"
#include "coordinator/sink/sink_cuts.h"
#include "coordinator/sink/sink_outputs_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char *quoted_name(const char *path)
{
    char *name = NULL;
    if (strcmp(path, "-") == 0) {
        return strdup(SINK_STDOUT_NAME);
    }
    return asprintf(&name, "'%s'", path) >= 0 ? name : NULL;
}

static struct target *new_target(const char *path, const struct sink_format_ops *ops)
{
    struct target *target = calloc(1, sizeof(*target));
    char *name = quoted_name(path);
    if (target == NULL || name == NULL) {
        free(target);
        free(name);
        return NULL;
    }
    target->name = name;
    target->ops = ops;
    target->when = SINK_AT_ONCE;
    target->is_stdout = strcmp(path, "-") == 0;
    target->file.fd = -1;
    sink_file_buffer_init(&target->buffer);
    return target;
}

/* Find out where the target is among the cuts, if it is; what is to be gone on with must be there. */
static int find_cut(struct target *target,
                    const struct sink_options *options,
                    const char *path,
                    struct err_text *ret_error)
{
    if (target->is_stdout || (options->marked == NULL && !options->resume)) {
        return 0;
    }
    target->path = directory_absolute(path);
    if (target->path == NULL) {
        int code = errno == ENOMEM ? ERR_NOMEM : ERR_IO;
        return err_set(ret_error, code, "cannot write %s: %s", target->name, strerror(errno));
    }
    const struct sink_place *cut = sink_cuts_find(options, target->path);
    if (cut == NULL) {
        return 0;
    }
    target->resumes = true;
    target->length = cut->length;
    return sink_cuts_check(cut, target->name, ret_error);
}

static int open_target(struct sink_outputs *outputs,
                       struct target *target,
                       const char *use,
                       const char *path,
                       struct err_text *ret_error)
{
    int fd;
    int code = sink_claims_open(&outputs->claims, use, target->name, path, ret_error, &fd);
    if (code != 0) {
        return code;
    }
    code = sink_file_init(
        &target->file, target->name, fd, &target->buffer, outputs->give_up, ret_error);
    if (code != 0) {
        (void)close(fd);
        target->file.fd = -1;
    }
    if (code == 0 && target->file.kind != SINK_FILE_REGULAR) {
        free(target->path); /* it has no place */
        target->path = NULL;
    }
    return code;
}

/* Open `path` for `ops`; NULL: there is no such output. */
static int add_target(struct sink_outputs *outputs,
                      const struct sink_options *options,
                      const char *use,
                      const char *path,
                      const struct sink_format_ops *ops,
                      struct err_text *ret_error)
{
    if (path == NULL) {
        return 0;
    }
    struct target *target = new_target(path, ops);
    if (target == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory to write %s '%s'", use, path);
    }
    outputs->targets[outputs->count++] = target;
    int code = find_cut(target, options, path, ret_error);
    return code == 0 ? open_target(outputs, target, use, path, ret_error) : code;
}

/* A duplicate of a standard stream as a file. */
static int open_stream(struct sink_file *file,
                       const char *name,
                       int stream,
                       struct sink_file_buffer *buffer,
                       const atomic_bool *give_up,
                       struct err_text *ret_error)
{
    sink_file_buffer_init(buffer);
    int fd = fcntl(stream, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
        return err_set(ret_error, ERR_IO, "cannot write %s: %s", name, strerror(errno));
    }
    int code = sink_file_init(file, name, fd, buffer, give_up, ret_error);
    if (code != 0) {
        (void)close(fd);
        file->fd = -1;
    }
    return code;
}

/* Standard error may be the same as standard output here: that is the user's wish (2>&1), and
 * whole items are written in turn. */
static int claim_streams(struct sink_outputs *outputs, struct err_text *ret_error)
{
    struct sink_print *print = outputs->print;
    struct sink_claims *claims = &outputs->claims;
    size_t mine = claims->count;
    int code = sink_claims_add(claims, "printing to", SINK_STDOUT_NAME, print->out.fd, ret_error);
    if (code != 0 || sink_claims_find(claims, print->err.fd) == &claims->list[mine]) {
        return code;
    }
    return sink_claims_add(claims, "printing to", "standard error", print->err.fd, ret_error);
}

static int add_print(struct sink_outputs *outputs,
                     const struct sink_options *options,
                     struct err_text *ret_error)
{
    if (!options->print) {
        return 0;
    }
    struct sink_print *print = calloc(1, sizeof(*print));
    if (print == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory to print results");
    }
    print->tag = options->tag;
    print->out.fd = -1;
    print->err.fd = -1;
    outputs->print = print;
    const atomic_bool *give_up = outputs->give_up;
    int code = open_stream(
        &print->out, SINK_STDOUT_NAME, STDOUT_FILENO, &print->out_buffer, give_up, ret_error);
    if (code == 0) {
        code = open_stream(
            &print->err, "standard error", STDERR_FILENO, &print->err_buffer, give_up, ret_error);
    }
    return code == 0 ? claim_streams(outputs, ret_error) : code;
}

/* Is each of the cuts an output? */
static int check_all_found(const struct sink_outputs *outputs,
                           const struct sink_options *options,
                           struct err_text *ret_error)
{
    for (size_t i = 0; options->resume && i < options->cut_count; i++) {
        const char *path = options->cuts[i].path;
        bool found = outputs->results != NULL && sink_results_have(outputs->results, path);
        for (size_t k = 0; k < outputs->count && !found; k++) {
            const struct target *target = outputs->targets[k];
            found = target->path != NULL && strcmp(target->path, path) == 0;
        }
        if (!found) {
            return err_set(ret_error,
                           ERR_INVALID,
                           "'%s' was written before and is no output now: go on with the same ones",
                           path);
        }
    }
    return 0;
}

/* What the run reads, or writes by itself. */
static void reserve(struct sink_outputs *outputs, const struct sink_options *options)
{
    sink_claims_reserve(&outputs->claims, "--journal", options->journal);
    sink_claims_reserve(&outputs->claims, "--items", options->items);
    sink_claims_reserve(&outputs->claims, "--json", options->json);
}

static int open_all(struct sink_outputs *outputs,
                    const struct sink_options *options,
                    struct err_text *ret_error)
{
    const struct sink_format_ops *ops = sink_format_get(options->format);
    reserve(outputs, options);
    int code = add_target(outputs, options, "--out", options->out, ops, ret_error);
    if (code == 0 && options->keep_order && outputs->count > 0) {
        outputs->targets[0]->when = SINK_IN_ORDER;
    }
    if (code == 0) {
        code = add_target(
            outputs, options, "--failures", options->failures, &sink_failures_ops, ret_error);
    }
    if (code == 0) {
        code = add_target(
            outputs, options, "--joblog", options->joblog, &sink_joblog_ops, ret_error);
    }
    if (code == 0) {
        code = add_print(outputs, options, ret_error);
    }
    if (code == 0 && options->results != NULL) {
        code = sink_results_open(
            options, &outputs->claims, outputs->give_up, ret_error, &outputs->results);
    }
    return code == 0 ? check_all_found(outputs, options, ret_error) : code;
}

int sink_outputs_open(const struct sink_options *options,
                      const atomic_bool *give_up,
                      struct err_text *ret_error,
                      struct sink_outputs **ret_outputs)
{
    struct sink_outputs *outputs = calloc(1, sizeof(*outputs));
    char *command = options->command != NULL ? strdup(options->command) : NULL;
    if (outputs == NULL || (options->command != NULL && command == NULL)) {
        free(outputs);
        free(command);
        return err_set(ret_error, ERR_NOMEM, "no memory to write results");
    }
    outputs->give_up = give_up;
    outputs->print_when = options->keep_order ? SINK_IN_ORDER : SINK_AT_ONCE;
    outputs->command = command;
    outputs->style = (struct sink_style){
        .separator = options->separator,
        .raw_lines = options->raw_lines,
        .exits = options->exits,
        .command = command,
    };
    int code = open_all(outputs, options, ret_error);
    if (code != 0) {
        sink_outputs_undo(outputs);
        return code;
    }
    *ret_outputs = outputs;
    return 0;
}

void sink_outputs_undo(struct sink_outputs *outputs)
{
    sink_claims_undo(&outputs->claims);
    if (outputs->results != NULL) {
        sink_results_undo(outputs->results);
    }
    sink_outputs_free(outputs);
}
