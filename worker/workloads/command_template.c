/* A template is a list of parts: texts that stay and gaps that are filled. Where a word ends is
 * a part too, so that filling in is one walk. Here it is read; command_expand.c fills it in. */
#include "worker/workloads/command_template_internal.h"

#include <stdlib.h>
#include <string.h>

enum { PARTS_PER_WORD = 2 }; /* room to begin with */

static int read_colsep(struct command_template *self, const char *text, struct err_text *ret_error)
{
    size_t len = 0;
    for (const char *at = text; *at != '\0'; at++) {
        char byte = *at;
        if (byte == '\\') {
            at++;
            byte = *at == 't' ? '\t' : *at == 'n' ? '\n' : *at == '\\' ? '\\' : '\0';
        }
        if (byte == '\0') {
            return err_set(ret_error,
                           ERR_INVALID,
                           "colsep '%.*s': a backslash goes with t, n or another backslash",
                           QUOTED_MAX,
                           text);
        }
        if (len == COMMAND_COLSEP_MAX) {
            return err_set(ret_error,
                           ERR_INVALID,
                           "colsep '%.*s...' is longer than %d bytes",
                           QUOTED_MAX,
                           text,
                           COMMAND_COLSEP_MAX);
        }
        self->colsep[len++] = byte;
    }
    if (len == 0) {
        return err_set(ret_error, ERR_INVALID, "colsep is empty: give what is between columns");
    }
    self->colsep_len = len;
    return 0;
}

static int add_part(struct command_template *self, const struct part *part)
{
    if (self->part_count == self->part_room) {
        size_t room = self->part_room * 2;
        struct part *parts = realloc(self->parts, room * sizeof(*parts));
        if (parts == NULL) {
            return ERR_NOMEM;
        }
        self->parts = parts;
        self->part_room = room;
    }
    self->parts[self->part_count++] = *part;
    return 0;
}

/* Is there a gap at `text`, which begins with a brace? Returns its length, or 0. A column that
 * is too large for any use is returned as COMMAND_COLUMN_MAX + 1. */
static size_t read_gap(const char *text, struct part *ret_part)
{
    static const struct {
        const char *text;
        enum part_view view;
    } views[] = {
        {"}", VIEW_ALL},
        {".}", VIEW_NO_EXTENSION},
        {"/}", VIEW_BASE},
        {"//}", VIEW_DIRECTORY},
        {"/.}", VIEW_BASE_NO_EXTENSION},
    };

    if (strncmp(text, "{#}", 3) == 0) {
        *ret_part = (struct part){.kind = PART_NUMBER};
        return 3;
    }
    const char *at = text + 1;
    uint32_t column = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        column = column * 10 + (uint32_t)(*at - '0');
        column = column > COMMAND_COLUMN_MAX ? COMMAND_COLUMN_MAX + 1 : column;
    }
    if (at > text + 1 && column == 0) {
        column = COMMAND_COLUMN_MAX + 1; /* {0}: columns count from 1 */
    }
    for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
        size_t len = strlen(views[i].text);
        if (strncmp(at, views[i].text, len) == 0) {
            *ret_part = (struct part){.kind = PART_ITEM, .view = views[i].view, .column = column};
            return (size_t)(at - text) + len;
        }
    }
    return 0;
}

static int check_column(const struct command_template *self,
                        const struct piece *gap,
                        uint32_t column,
                        struct err_text *ret_error)
{
    if (column > COMMAND_COLUMN_MAX) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "the command uses column %.*s: columns are 1 to %d",
                       gap->len < QUOTED_MAX ? (int)gap->len : QUOTED_MAX,
                       gap->bytes,
                       COMMAND_COLUMN_MAX);
    }
    if (column > 0 && self->colsep_len == 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "the command uses column %.*s, but no colsep says what is between columns",
                       (int)gap->len,
                       gap->bytes);
    }
    return 0;
}

static int add_word(struct command_template *self, const char *word, struct err_text *ret_error)
{
    const char *text = word; /* that is not in a part yet */
    const char *brace = word;
    int rc = 0;
    while (rc == 0 && (brace = strchr(brace, '{')) != NULL) {
        struct part gap;
        size_t len = read_gap(brace, &gap);
        if (len == 0) {
            brace++;
            continue;
        }
        rc = check_column(self, &(struct piece){brace, len}, gap.column, ret_error);
        if (rc != 0) {
            return rc;
        }
        if (brace > text) {
            size_t before = (size_t)(brace - text);
            rc = add_part(self, &(struct part){.kind = PART_TEXT, .text = text, .len = before});
        }
        rc = rc != 0 ? rc : add_part(self, &gap);
        brace += len;
        text = brace;
    }
    if (rc == 0 && *text != '\0') {
        rc = add_part(self, &(struct part){.kind = PART_TEXT, .text = text, .len = strlen(text)});
    }
    return rc != 0 ? err_set(ret_error, rc, "no memory for a command") : 0;
}

static bool has_gap(const struct command_template *self)
{
    for (size_t i = 0; i < self->part_count; i++) {
        if (self->parts[i].kind == PART_ITEM || self->parts[i].kind == PART_NUMBER) {
            return true;
        }
    }
    return false;
}

/* A word is an argument by itself, or with the shell one more piece of its program. */
static int add_words(struct command_template *self,
                     const struct command_words *words,
                     bool to_stdin,
                     struct err_text *ret_error)
{
    static const struct part blank = {.kind = PART_TEXT, .text = " ", .len = 1};
    static const struct part item = {.kind = PART_ITEM};
    static const struct part end = {.kind = PART_END};
    const struct part *between = self->shell ? &blank : &end;
    const char *word = self->words;
    int rc = 0;
    for (size_t i = 0; i < words->count && rc == 0; i++, word += strlen(word) + 1) {
        rc = i > 0 ? add_part(self, between) : 0;
        rc = rc != 0 ? rc : add_word(self, word, ret_error);
    }
    if (rc == 0 && !to_stdin && !has_gap(self)) {
        rc = add_part(self, between);
        rc = rc != 0 ? rc : add_part(self, &item);
    }
    rc = rc != 0 ? rc : add_part(self, &end);
    return rc == ERR_NOMEM ? err_set(ret_error, rc, "no memory for a command") : rc;
}

static char *copy_words(const struct command_words *words)
{
    size_t size = 1;
    for (size_t i = 0; i < words->count; i++) {
        size += strlen(words->list[i]) + 1;
    }
    char *copy = malloc(size);
    char *to = copy;
    for (size_t i = 0; i < words->count && copy != NULL; i++) {
        to = stpcpy(to, words->list[i]) + 1;
    }
    return copy;
}

static void count_arguments(struct command_template *self)
{
    self->argument_count = self->shell ? 2 : 0; /* /bin/sh -c */
    for (size_t i = 0; i < self->part_count; i++) {
        self->argument_count += self->parts[i].kind == PART_END;
    }
}

int command_template_new(const struct command_words *words,
                         const struct command_template_options *options,
                         struct err_text *ret_error,
                         struct command_template **ret_template)
{
    if (words->count == 0 || (words->list[0][0] == '\0' && !options->shell)) {
        return err_set(ret_error, ERR_INVALID, "the command is empty: give a program to run");
    }
    struct command_template *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for a command");
    }
    self->shell = options->shell;
    self->size_max = options->size_max;
    self->part_room = words->count * PARTS_PER_WORD;
    self->parts = calloc(self->part_room, sizeof(*self->parts));
    self->words = copy_words(words);
    int rc = self->parts != NULL && self->words != NULL
                 ? 0
                 : err_set(ret_error, ERR_NOMEM, "no memory for a command");
    if (rc == 0 && options->colsep != NULL) {
        rc = read_colsep(self, options->colsep, ret_error);
    }
    rc = rc != 0 ? rc : add_words(self, words, options->to_stdin, ret_error);
    if (rc != 0) {
        command_template_free(self);
        return rc;
    }
    count_arguments(self);
    *ret_template = self;
    return 0;
}

void command_template_free(struct command_template *self)
{
    if (self != NULL) {
        free(self->parts);
        free(self->words);
        free(self);
    }
}

const char *command_template_program(const struct command_template *self)
{
    if (self->shell) {
        return "/bin/sh";
    }
    for (size_t i = 0; self->parts[i].kind != PART_END; i++) {
        if (self->parts[i].kind != PART_TEXT) {
            return NULL;
        }
    }
    return self->words; /* the first one */
}
