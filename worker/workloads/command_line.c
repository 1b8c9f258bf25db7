#include "worker/workloads/command_line.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { QUOTED_MAX = 120 }; /* bytes of a refused text that are shown */

void command_words_deinit(struct command_words *words)
{
    free(words->list);
    *words = (struct command_words){0};
}

/* --- quoting --- */

/* Means itself to every shell, at any place of a word. */
static bool is_harmless(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || (byte != '\0' && strchr("_-./:@%+,", byte) != NULL);
}

static bool all_harmless(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!is_harmless(bytes[i])) {
            return false;
        }
    }
    return len > 0;
}

/* Quotes around, and ' as '\'' */
static char *put_in_quotes(char *to, const char *bytes, size_t len)
{
    *to++ = '\'';
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\'') {
            memcpy(to, "'\\''", 4);
            to += 4;
        } else {
            *to++ = bytes[i];
        }
    }
    *to++ = '\'';
    return to;
}

static size_t len_in_quotes(const char *bytes, size_t len)
{
    size_t total = len + 2;
    for (size_t i = 0; i < len; i++) {
        total += bytes[i] == '\'' ? 3 : 0;
    }
    return total;
}

size_t command_line_quoted_len(const char *bytes, size_t len)
{
    return all_harmless(bytes, len) ? len : len_in_quotes(bytes, len);
}

char *command_line_quote(char *to, const char *bytes, size_t len)
{
    if (!all_harmless(bytes, len)) {
        return put_in_quotes(to, bytes, len);
    }
    memcpy(to, bytes, len);
    return to + len;
}

/* May a whole word stand without quotes? Looser than for a part of a word, so that templates
 * stay readable: "if={}" and "{.}.gz" are bare; "A=b" in front is an assignment, "{a,b}" and
 * "{1..3}" are several words to many shells, "#" begins a comment, and braces alone are the
 * shell's grammar. */
static bool word_is_bare(const char *word, bool is_first)
{
    bool braces = false;
    for (const char *at = word; *at != '\0'; at++) {
        bool inside = at > word;
        bool brace = *at == '{' || *at == '}';
        braces |= brace;
        if (!is_harmless(*at) && !brace && !(inside && *at == '#') &&
            !(inside && !is_first && *at == '=')) {
            return false;
        }
    }
    bool expands = braces && (strchr(word, ',') != NULL || strstr(word, "..") != NULL);
    return *word != '\0' && !expands && strcmp(word, "{") != 0 && strcmp(word, "}") != 0;
}

int command_line_join(const char *const *words, size_t count, char **ret_text)
{
    size_t size = 1;
    for (size_t i = 0; i < count; i++) {
        size += len_in_quotes(words[i], strlen(words[i])) + 1;
    }
    char *text = malloc(size);
    if (text == NULL) {
        return ERR_NOMEM;
    }
    char *to = text;
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            *to++ = ' ';
        }
        to = word_is_bare(words[i], i == 0) ? stpcpy(to, words[i])
                                            : put_in_quotes(to, words[i], strlen(words[i]));
    }
    *to = '\0';
    *ret_text = text;
    return 0;
}

/* --- splitting --- */

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n';
}

/* Reads a text and writes words without their quotes, which are never longer. */
struct splitter {
    const char *from;
    char *to;
    const char *problem; /* what is wrong with the text; NULL: nothing so far */
};

static void split_single_quotes(struct splitter *self)
{
    const char *end = strchr(self->from, '\'');
    if (end == NULL) {
        self->problem = "a quote ' is not closed";
        return;
    }
    self->to = mempcpy(self->to, self->from, (size_t)(end - self->from));
    self->from = end + 1;
}

static void split_double_quotes(struct splitter *self)
{
    while (*self->from != '"') {
        char byte = *self->from;
        if (byte == '\0') {
            self->problem = "a quote \" is not closed";
            return;
        }
        self->from++;
        if (byte == '\\' && *self->from == '\n') {
            self->from++;
            continue;
        }
        if (byte == '\\' && *self->from != '\0' && strchr("$`\"\\", *self->from) != NULL) {
            byte = *self->from++;
        }
        *self->to++ = byte;
    }
    self->from++;
}

static void split_backslash(struct splitter *self)
{
    char byte = *self->from;
    if (byte == '\0') {
        self->problem = "a backslash at its end protects nothing";
        return;
    }
    self->from++;
    if (byte != '\n') {
        *self->to++ = byte;
    }
}

static void split_word(struct splitter *self)
{
    while (*self->from != '\0' && !is_blank(*self->from) && self->problem == NULL) {
        char byte = *self->from++;
        switch (byte) {
        case '\'':
            split_single_quotes(self);
            break;
        case '"':
            split_double_quotes(self);
            break;
        case '\\':
            split_backslash(self);
            break;
        default:
            *self->to++ = byte;
        }
    }
    *self->to++ = '\0';
}

/* Between words: blanks, and lines that a backslash continues. */
static void skip_blanks(struct splitter *self)
{
    for (;;) {
        if (is_blank(*self->from)) {
            self->from++;
        } else if (self->from[0] == '\\' && self->from[1] == '\n') {
            self->from += 2;
        } else {
            return;
        }
    }
}

/* There is at least one byte, and one blank behind it, for each word but the last. */
static size_t most_words(size_t text_len)
{
    size_t most = text_len / 2 + 1;
    return most < COMMAND_WORDS_MAX ? most : COMMAND_WORDS_MAX;
}

int command_line_split(const char *text,
                       struct err_text *ret_error,
                       struct command_words *ret_words)
{
    size_t len = strlen(text);
    size_t most = most_words(len);
    char **list = malloc((most + 1) * sizeof(*list) + len + 1);
    if (list == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for a command of %zu bytes", len);
    }
    struct splitter self = {.from = text, .to = (char *)(list + most + 1)};
    size_t count = 0;
    for (skip_blanks(&self); *self.from != '\0' && self.problem == NULL; skip_blanks(&self)) {
        if (count == most) {
            self.problem = "it has more words than a command may have";
            break;
        }
        list[count++] = self.to;
        split_word(&self);
    }
    if (self.problem != NULL) {
        free(list);
        return err_set(
            ret_error, ERR_INVALID, "command \"%.*s\": %s", QUOTED_MAX, text, self.problem);
    }
    list[count] = NULL;
    *ret_words = (struct command_words){.list = list, .count = count};
    return 0;
}
