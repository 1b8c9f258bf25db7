/* A template filled in for one item. */
#include "common/base/check.h"
#include "worker/workloads/command_template_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARGV_KEEP_MAX = 64 * 1024 }; /* a larger buffer is given back after its command */

/* --- views of an item --- */

const char *command_item_text(const struct workload_item *item,
                              char number[COMMAND_NUMBER_SIZE],
                              size_t *ret_len)
{
    if (item->bytes != NULL) {
        *ret_len = item->bytes_len;
        return item->bytes;
    }
    *ret_len = (size_t)snprintf(number, COMMAND_NUMBER_SIZE, "%" PRIu64, item->number);
    return number;
}

static struct piece base_of(struct piece path)
{
    const char *slash = memrchr(path.bytes, '/', path.len);
    if (slash == NULL) {
        return path;
    }
    size_t skip = (size_t)(slash - path.bytes) + 1;
    return (struct piece){path.bytes + skip, path.len - skip};
}

/* Everything from the last dot on, when no slash is behind it. */
static struct piece without_extension(struct piece path)
{
    struct piece base = base_of(path);
    const char *dot = base.len > 0 ? memrchr(base.bytes, '.', base.len) : NULL;
    return dot == NULL ? path : (struct piece){path.bytes, (size_t)(dot - path.bytes)};
}

/* All slashes at the end but one in front. */
static struct piece without_slashes(struct piece path)
{
    while (path.len > 1 && path.bytes[path.len - 1] == '/') {
        path.len--;
    }
    return path;
}

/* As dirname(1) has it. */
static struct piece directory_of(struct piece path)
{
    path = without_slashes(path);
    struct piece base = base_of(path);
    path.len -= base.len;
    return path.len > 0 ? without_slashes(path) : (struct piece){".", 1};
}

static struct piece view_of(struct piece path, enum part_view view)
{
    switch (view) {
    case VIEW_ALL:
        return path;
    case VIEW_NO_EXTENSION:
        return without_extension(path);
    case VIEW_BASE:
        return base_of(path);
    case VIEW_DIRECTORY:
        return directory_of(path);
    case VIEW_BASE_NO_EXTENSION:
        return without_extension(base_of(path));
    }
    check_failed(__FILE__, __LINE__, "a view that is in the list");
}

/* The bytes of a column (from 1), or false with how many there are. */
static bool find_column(const struct command_template *self,
                        struct piece item,
                        uint32_t column,
                        uint32_t *ret_columns,
                        struct piece *ret_piece)
{
    for (uint32_t i = 1;; i++) {
        const char *end = memmem(item.bytes, item.len, self->colsep, self->colsep_len);
        size_t len = end == NULL ? item.len : (size_t)(end - item.bytes);
        if (i == column) {
            *ret_piece = (struct piece){item.bytes, len};
            return true;
        }
        if (end == NULL) {
            *ret_columns = i;
            return false;
        }
        item.bytes += len + self->colsep_len;
        item.len -= len + self->colsep_len;
    }
}

/* --- filling in --- */

struct filling {
    const struct command_template *self;
    struct command_argv *argv;
    struct piece item;
    uint64_t place;
    size_t argument_at; /* where in argv->bytes the argument begins that is being written */
    size_t size;        /* of all before it, as size_max counts */
    struct err_text *error;
};

void command_argv_deinit(struct command_argv *argv)
{
    free(argv->list);
    free(argv->bytes);
    *argv = (struct command_argv){0};
}

static int argv_begin(struct command_argv *argv, const struct command_template *self)
{
    argv->count = 0;
    argv->len = 0;
    if (argv->capacity > ARGV_KEEP_MAX) {
        free(argv->bytes);
        argv->bytes = NULL;
        argv->capacity = 0;
    }
    if (argv->words_max >= self->argument_count) {
        return 0;
    }
    char **list = realloc(argv->list, (self->argument_count + 1) * sizeof(*list));
    if (list == NULL) {
        return ERR_NOMEM;
    }
    argv->list = list;
    argv->words_max = self->argument_count;
    return 0;
}

/* Room for `len` more bytes of this argument and its NUL. */
static int make_room(struct filling *fill, size_t len)
{
    struct command_argv *argv = fill->argv;
    size_t argument = argv->len - fill->argument_at + len;
    if (argument > COMMAND_ARGUMENT_MAX) {
        return err_set(fill->error,
                       ERR_INVALID,
                       "argument %zu of the command would have %zu bytes or more, the system takes "
                       "at most %d (on standard input it may be larger)",
                       argv->count,
                       argument,
                       COMMAND_ARGUMENT_MAX);
    }
    if (fill->size + argument + 1 + sizeof(char *) > fill->self->size_max) {
        return err_set(fill->error,
                       ERR_INVALID,
                       "the command would take more than the %zu bytes that the system allows",
                       fill->self->size_max);
    }
    if (argv->capacity - argv->len > len) {
        return 0;
    }
    size_t capacity = (argv->len + len + 1) * 2;
    char *bytes = realloc(argv->bytes, capacity);
    if (bytes == NULL) {
        return err_set(fill->error, ERR_NOMEM, "no memory for a command of %zu bytes", capacity);
    }
    argv->bytes = bytes;
    argv->capacity = capacity;
    return 0;
}

static int put_text(struct filling *fill, struct piece text)
{
    int rc = make_room(fill, text.len);
    if (rc == 0 && text.len > 0) {
        memcpy(fill->argv->bytes + fill->argv->len, text.bytes, text.len);
        fill->argv->len += text.len;
    }
    return rc;
}

static int put_value(struct filling *fill, struct piece value)
{
    if (!fill->self->shell) {
        return put_text(fill, value);
    }
    size_t len = command_line_quoted_len(value.bytes, value.len);
    int rc = make_room(fill, len);
    if (rc == 0) {
        char *to = fill->argv->bytes + fill->argv->len;
        (void)command_line_quote(to, value.bytes, value.len);
        fill->argv->len += len;
    }
    return rc;
}

/* Arguments are kept by where they begin until all are there: the buffer may move. */
static int end_argument(struct filling *fill)
{
    struct command_argv *argv = fill->argv;
    int rc = make_room(fill, 0);
    if (rc != 0) {
        return rc;
    }
    argv->bytes[argv->len++] = '\0';
    fill->size += argv->len - fill->argument_at + sizeof(char *);
    fill->argument_at = argv->len;
    argv->count++;
    return 0;
}

static int put_item(struct filling *fill, const struct part *part)
{
    struct piece value = fill->item;
    if (memchr(value.bytes, '\0', value.len) != NULL) {
        return err_set(fill->error, ERR_INVALID, "item holds a NUL byte, which no argument can");
    }
    uint32_t columns = 0;
    if (part->column > 0 && !find_column(fill->self, value, part->column, &columns, &value)) {
        return err_set(fill->error,
                       ERR_INVALID,
                       "item '%.*s%s' has no column %u, it has %u",
                       value.len < QUOTED_MAX ? (int)value.len : QUOTED_MAX,
                       value.bytes,
                       value.len > QUOTED_MAX ? "..." : "",
                       part->column,
                       columns);
    }
    return put_value(fill, view_of(value, part->view));
}

static int put_part(struct filling *fill, const struct part *part)
{
    char number[COMMAND_NUMBER_SIZE];
    switch (part->kind) {
    case PART_TEXT:
        return put_text(fill, (struct piece){part->text, part->len});
    case PART_ITEM:
        return put_item(fill, part);
    case PART_NUMBER: {
        int len = snprintf(number, sizeof(number), "%" PRIu64, fill->place);
        return put_text(fill, (struct piece){number, (size_t)len});
    }
    case PART_END:
        return end_argument(fill);
    }
    check_failed(__FILE__, __LINE__, "a part that is in the list");
}

static int put_shell(struct filling *fill)
{
    int rc = put_text(fill, (struct piece){"/bin/sh", 7});
    rc = rc != 0 ? rc : end_argument(fill);
    rc = rc != 0 ? rc : put_text(fill, (struct piece){"-c", 2});
    return rc != 0 ? rc : end_argument(fill);
}

static void list_arguments(struct command_argv *argv)
{
    char *at = argv->bytes;
    for (size_t i = 0; i < argv->count; i++) {
        argv->list[i] = at;
        at += strlen(at) + 1;
    }
    argv->list[argv->count] = NULL;
}

int command_template_expand(const struct command_template *self,
                            const struct workload_item *item,
                            struct err_text *ret_error,
                            struct command_argv *argv)
{
    char number[COMMAND_NUMBER_SIZE];
    struct filling fill = {
        .self = self, .argv = argv, .place = item->index + 1, .error = ret_error};
    fill.item.bytes = command_item_text(item, number, &fill.item.len);
    fill.size = sizeof(char *); /* of the NULL at the end */
    int rc = argv_begin(argv, self);
    if (rc != 0) {
        return err_set(ret_error, rc, "no memory for a command");
    }
    rc = self->shell ? put_shell(&fill) : 0;
    for (size_t i = 0; i < self->part_count && rc == 0; i++) {
        rc = put_part(&fill, &self->parts[i]);
    }
    if (rc == 0) {
        list_arguments(argv);
    }
    return rc;
}
