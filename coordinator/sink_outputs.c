/* The outputs of a sink; see sink_outputs.h. */
#include "coordinator/sink_outputs.h"

#include "coordinator/sink_claims.h"
#include "coordinator/sink_file.h"
#include "coordinator/sink_print.h"
#include "coordinator/sink_results.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TARGETS_MAX = 3 };

/* A file with one format: results, failed items, job log. */
struct target {
    const struct sink_format_ops *ops;
    enum sink_when when;
    char *name; /* "'PATH'" or "standard output" */
    bool is_stdout;
    struct sink_file file;
    struct sink_file_buffer buffer;
};

struct sink_outputs {
    struct sink_style style;
    char *command; /* what style.command points to */
    struct target *targets[TARGETS_MAX];
    size_t count;
    struct sink_print *print; /* NULL: nothing is printed */
    enum sink_when print_when;
    struct sink_results *results; /* NULL: no directory */
    struct sink_claims claims;
    const atomic_bool *give_up;
};

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

/* Open `path` for `ops`; NULL: there is no such output. */
static int add_target(struct sink_outputs *outputs,
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
    return code;
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

static int open_all(struct sink_outputs *outputs,
                    const struct sink_options *options,
                    struct err_text *ret_error)
{
    const struct sink_format_ops *ops = sink_format_get(options->format);
    int code = add_target(outputs, "--out", options->out, ops, ret_error);
    if (code == 0 && options->keep_order && outputs->count > 0) {
        outputs->targets[0]->when = SINK_IN_ORDER;
    }
    if (code == 0) {
        code = add_target(outputs, "--failures", options->failures, &sink_failures_ops, ret_error);
    }
    if (code == 0) {
        code = add_target(outputs, "--joblog", options->joblog, &sink_joblog_ops, ret_error);
    }
    if (code == 0) {
        code = add_print(outputs, options, ret_error);
    }
    if (code == 0 && options->results != NULL) {
        code = sink_results_open(
            options->results, &outputs->claims, outputs->give_up, ret_error, &outputs->results);
    }
    return code;
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

int sink_outputs_begin(struct sink_outputs *outputs, struct err_text *ret_error)
{
    for (size_t i = 0; i < outputs->count; i++) {
        struct target *target = outputs->targets[i];
        struct sink_file *file = &target->file;
        if (file->kind == SINK_FILE_REGULAR && !target->is_stdout && ftruncate(file->fd, 0) != 0) {
            file->error = errno;
        }
        if (target->ops->put_header != NULL) {
            target->ops->put_header(sink_file_text(file));
            sink_file_end_item(file);
        }
        int code = sink_file_error(file, ret_error);
        if (code != 0) {
            return code;
        }
    }
    return 0;
}

bool sink_outputs_have(const struct sink_outputs *outputs, enum sink_when when)
{
    for (size_t i = 0; i < outputs->count; i++) {
        if (outputs->targets[i]->when == when) {
            return true;
        }
    }
    return (outputs->print != NULL && outputs->print_when == when) ||
           (outputs->results != NULL && when == SINK_AT_ONCE);
}

static int print_error(const struct sink_print *print, struct err_text *ret_error)
{
    int code = sink_file_error(&print->out, ret_error);
    return code != 0 ? code : sink_file_error(&print->err, ret_error);
}

int sink_outputs_put(struct sink_outputs *outputs,
                     unsigned when,
                     const struct sink_item *item,
                     struct err_text *ret_error)
{
    int code = 0;
    for (size_t i = 0; i < outputs->count && code == 0; i++) {
        struct target *target = outputs->targets[i];
        if ((target->when & when) != 0) {
            target->ops->put_item(sink_file_text(&target->file), &outputs->style, item);
            sink_file_end_item(&target->file);
            code = sink_file_error(&target->file, ret_error);
        }
    }
    if (code == 0 && outputs->print != NULL && (outputs->print_when & when) != 0) {
        sink_print_put(outputs->print, &outputs->style, item);
        code = print_error(outputs->print, ret_error);
    }
    if (code == 0 && outputs->results != NULL && (when & SINK_AT_ONCE) != 0) {
        code = sink_results_put(outputs->results, &outputs->style, item, ret_error);
    }
    return code;
}

/* The first error there is; the others are still done. */
static void flush_files(struct sink_outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++) {
        sink_file_flush(&outputs->targets[i]->file);
    }
    if (outputs->print != NULL) {
        sink_file_flush(&outputs->print->out);
        sink_file_flush(&outputs->print->err);
    }
}

static int files_error(const struct sink_outputs *outputs, struct err_text *ret_error)
{
    int code = 0;
    for (size_t i = 0; i < outputs->count && code == 0; i++) {
        code = sink_file_error(&outputs->targets[i]->file, ret_error);
    }
    return code == 0 && outputs->print != NULL ? print_error(outputs->print, ret_error) : code;
}

int sink_outputs_flush(struct sink_outputs *outputs, struct err_text *ret_error)
{
    flush_files(outputs);
    int code = files_error(outputs, ret_error);
    if (outputs->results == NULL) {
        return code;
    }
    int results_code = sink_results_flush(outputs->results, code == 0 ? ret_error : NULL);
    return code != 0 ? code : results_code;
}

int sink_outputs_close(struct sink_outputs *outputs, struct err_text *ret_error)
{
    flush_files(outputs);
    for (size_t i = 0; i < outputs->count; i++) {
        sink_file_close(&outputs->targets[i]->file);
    }
    if (outputs->print != NULL) {
        sink_file_close(&outputs->print->out);
        sink_file_close(&outputs->print->err);
    }
    int code = files_error(outputs, ret_error);
    if (outputs->results == NULL) {
        return code;
    }
    int results_code = sink_results_close(outputs->results, code == 0 ? ret_error : NULL);
    return code != 0 ? code : results_code;
}

bool sink_outputs_broken_pipe(const struct sink_outputs *outputs)
{
    bool broken = outputs->print != NULL && outputs->print->out.error == EPIPE;
    for (size_t i = 0; i < outputs->count; i++) {
        broken = broken ||
                 (outputs->targets[i]->is_stdout && outputs->targets[i]->file.error == EPIPE);
    }
    return broken;
}

void sink_outputs_free(struct sink_outputs *outputs)
{
    if (outputs == NULL) {
        return;
    }
    for (size_t i = 0; i < outputs->count; i++) {
        struct target *target = outputs->targets[i];
        sink_file_close(&target->file);
        free(target->name);
        free(target);
    }
    if (outputs->print != NULL) {
        sink_file_close(&outputs->print->out);
        sink_file_close(&outputs->print->err);
        free(outputs->print);
    }
    sink_results_free(outputs->results);
    free(outputs->command);
    free(outputs);
}
