/* The outputs of a sink: writes, synchronises and closes them; see sink_outputs.h. */
#include "coordinator/sink/sink_outputs.h"

#include "coordinator/sink/directory.h"
#include "coordinator/sink/sink_outputs_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int begin_target(struct target *target, struct err_text *ret_error)
{
    struct sink_file *file = &target->file;
    if (file->kind == SINK_FILE_REGULAR && !target->is_stdout) {
        sink_file_rewind(file, target->resumes ? target->length : 0);
    }
    if (target->ops->put_header != NULL && !target->resumes) {
        target->ops->put_header(sink_file_text(file));
        sink_file_end_item(file);
    }
    return sink_file_error(file, ret_error);
}

int sink_outputs_begin(struct sink_outputs *outputs, struct err_text *ret_error)
{
    int code = 0;
    for (size_t i = 0; i < outputs->count && code == 0; i++) {
        code = begin_target(outputs->targets[i], ret_error);
    }
    if (code == 0 && outputs->results != NULL) {
        code = sink_results_begin(outputs->results, ret_error);
    }
    return code;
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

/* Room for the places of all outputs. */
static int reserve_places(struct sink_outputs *outputs, struct err_text *ret_error)
{
    size_t size = TARGETS_MAX;
    size += outputs->results != NULL ? sink_results_count(outputs->results) : 0;
    if (size > outputs->places_size) {
        struct sink_place *places = reallocarray(outputs->places, 2 * size, sizeof(*places));
        if (places == NULL) {
            return err_set(ret_error, ERR_NOMEM, "no memory to write results");
        }
        outputs->places = places;
        outputs->places_size = 2 * size;
    }
    return 0;
}

/* The files, and, the first time, their names. */
static int sync_targets(struct sink_outputs *outputs, struct err_text *ret_error)
{
    for (size_t i = 0; i < outputs->count; i++) {
        struct target *target = outputs->targets[i];
        if (target->path == NULL) {
            continue;
        }
        sink_file_sync(&target->file);
        if (!outputs->entries_synced && target->file.error == 0 &&
            directory_sync_of(target->path) != 0) {
            target->file.error = errno;
        }
    }
    outputs->entries_synced = true;
    return files_error(outputs, ret_error);
}

int sink_outputs_sync(struct sink_outputs *outputs,
                      struct err_text *ret_error,
                      const struct sink_place **ret_places,
                      size_t *ret_count)
{
    struct sink_results *results = outputs->results;
    int code = sink_outputs_flush(outputs, ret_error);
    if (code == 0) {
        code = sync_targets(outputs, ret_error);
    }
    if (code == 0 && results != NULL) {
        code = sink_results_sync(results, ret_error);
    }
    if (code == 0) {
        code = reserve_places(outputs, ret_error);
    }
    if (code != 0) {
        return code;
    }
    size_t count = 0;
    for (size_t i = 0; i < outputs->count; i++) {
        const struct target *target = outputs->targets[i];
        if (target->path != NULL) {
            outputs->places[count++] = (struct sink_place){target->path,
                                                           sink_file_length(&target->file)};
        }
    }
    count += results != NULL ? sink_results_places(results, outputs->places + count) : 0;
    *ret_places = outputs->places;
    *ret_count = count;
    return 0;
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
        free(target->path);
        free(target);
    }
    if (outputs->print != NULL) {
        sink_file_close(&outputs->print->out);
        sink_file_close(&outputs->print->err);
        free(outputs->print);
    }
    sink_results_free(outputs->results);
    free(outputs->command);
    free(outputs->places);
    free(outputs);
}
