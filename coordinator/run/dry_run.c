/* What a run would do, without doing it; see dry_run.h. */
#include "coordinator/run/dry_run.h"

#include "common/base/items.h"
#include "coordinator/runner/source.h"
#include "worker/workloads/command_line.h"
#include "worker/workloads/command_template.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK_ITEMS = 1024 };

struct dry_run {
    const struct work *work;
    const struct interval_set *done; /* NULL: nothing */
    FILE *stream;
    struct command_template *template; /* NULL: the workload has none */
    struct command_argv argv;
    char *text; /* a quoted word */
    size_t text_capacity;
};

static bool is_yes(const struct params *params, const char *name)
{
    const char *value = params_get(params, name);
    return value != NULL && strcmp(value, "yes") == 0;
}

/* exec has a template; pipe's command is the same for all items. */
static int open_template(struct dry_run *self, struct err_text *ret_error)
{
    const struct params *params = &self->work->params;
    if (strcmp(self->work->workload->name, "exec") != 0) {
        return 0;
    }
    struct command_words words;
    int rc = command_line_split(params_get(params, "command"), ret_error, &words);
    if (rc != 0) {
        return rc;
    }
    long most = sysconf(_SC_ARG_MAX);
    struct command_template_options options = {
        .colsep = params_get(params, "colsep"),
        .shell = is_yes(params, "shell"),
        .to_stdin = is_yes(params, "stdin"),
        .size_max = most > 0 ? (size_t)most : COMMAND_ARGUMENT_MAX,
    };
    rc = command_template_new(&words, &options, ret_error, &self->template);
    command_words_deinit(&words);
    return rc;
}

static int print_word(struct dry_run *self, const char *bytes, size_t len)
{
    size_t size = command_line_quoted_len(bytes, len) + 1;
    if (size > self->text_capacity) {
        char *text = realloc(self->text, size);
        if (text == NULL) {
            return ERR_NOMEM;
        }
        self->text = text;
        self->text_capacity = size;
    }
    char *end = command_line_quote(self->text, bytes, len);
    (void)fwrite(self->text, 1, (size_t)(end - self->text), self->stream);
    return 0;
}

static int print_argv(struct dry_run *self)
{
    const struct command_argv *argv = &self->argv;
    if (is_yes(&self->work->params, "shell")) {
        (void)fputs(argv->list[argv->count - 1], self->stream);
        return 0;
    }
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < argv->count; i++) {
        if (i > 0) {
            (void)fputc(' ', self->stream);
        }
        rc = print_word(self, argv->list[i], strlen(argv->list[i]));
    }
    return rc;
}

static int print_item(struct dry_run *self,
                      const struct workload_item *item,
                      struct err_text *ret_error)
{
    char number[COMMAND_NUMBER_SIZE];
    size_t len = 0;
    int rc = 0;
    if (self->template != NULL) {
        rc = command_template_expand(self->template, item, ret_error, &self->argv);
        rc = rc != 0 ? rc : print_argv(self);
    } else {
        const char *text = command_item_text(item, number, &len);
        (void)fprintf(self->stream, "%s ", self->work->workload->name);
        rc = print_word(self, text, len);
    }
    (void)fputc('\n', self->stream);
    return rc;
}

/* The items [first, first + count), which the source has read. */
static int print_items(struct dry_run *self,
                       struct source *source,
                       uint64_t first,
                       uint64_t count,
                       struct err_text *ret_error)
{
    struct blob *payload = NULL;
    struct items_cursor cursor = {.left = 0};
    int rc = source_take(source, first, count, &payload);
    if (rc != 0) {
        return rc;
    }
    if (payload != NULL) {
        items_cursor_init(&cursor, blob_bytes(payload), count);
    }
    for (uint64_t i = first; rc == 0 && i < first + count && ferror(self->stream) == 0; i++) {
        struct workload_item item = {.index = i, .attempt = 1};
        item.number = self->work->items.range_first + i;
        if (payload != NULL) {
            (void)items_cursor_next(&cursor, &item.bytes, &item.bytes_len);
        }
        bool is_done = self->done != NULL && interval_contains(self->done, i);
        rc = is_done ? 0 : print_item(self, &item, ret_error);
    }
    blob_unref(payload);
    return rc;
}

static int print_all(struct dry_run *self, struct err_text *ret_error)
{
    struct source *source = NULL;
    uint64_t printed = 0;
    int rc = source_open(&self->work->items, ret_error, &source);
    while (rc == 0 && ferror(self->stream) == 0) {
        uint64_t left = source_available(source) - printed;
        if (left == 0 && source_is_final(source)) {
            break;
        }
        if (left == 0) {
            rc = source_read(source, ret_error);
            continue;
        }
        left = left < CHUNK_ITEMS ? left : (uint64_t)CHUNK_ITEMS;
        rc = print_items(self, source, printed, left, ret_error);
        printed += left;
    }
    source_close(source);
    return rc;
}

int dry_run(const struct work *work,
            const struct interval_set *done,
            FILE *stream,
            struct err_text *ret_error)
{
    struct dry_run self = {.work = work, .done = done, .stream = stream};
    int rc = open_template(&self, ret_error);
    rc = rc != 0 ? rc : print_all(&self, ret_error);
    command_template_free(self.template);
    command_argv_deinit(&self.argv);
    free(self.text);
    return rc;
}
