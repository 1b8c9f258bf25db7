/* Any command with any item: a byte of options, the command's text, a NUL, the column separator, a
 * NUL, the item. What is read comes back the same when it is written and read again; what is
 * filled in keeps to its bounds. */
#include "common/base/check.h"
#include "worker/workloads/command_template.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE_MAX_BYTES = 32 * 1024, WITH_SHELL = 1, WITH_STDIN = 2, WITH_COLSEP = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_same(const struct command_words *a, const struct command_words *b)
{
    CHECK(a->count == b->count);
    for (size_t i = 0; i < a->count; i++) {
        CHECK(strcmp(a->list[i], b->list[i]) == 0);
    }
}

static void write_and_read_again(const struct command_words *words)
{
    char *text = NULL;
    struct err_text error;
    struct command_words again;
    CHECK(command_line_join((const char *const *)words->list, words->count, &text) == 0);
    CHECK(command_line_split(text, &error, &again) == 0);
    check_same(words, &again);
    command_words_deinit(&again);
    free(text);
}

static void fill_in(const struct command_words *words,
                    const struct command_template_options *options,
                    const struct workload_item *item)
{
    struct err_text error = {""};
    struct command_template *template = NULL;
    struct command_argv argv = {0};
    if (command_template_new(words, options, &error, &template) != 0) {
        CHECK(error.s[0] != '\0');
        return;
    }
    for (int twice = 0; twice < 2; twice++) {
        if (command_template_expand(template, item, &error, &argv) != 0) {
            CHECK(error.s[0] != '\0');
            continue;
        }
        size_t size = sizeof(char *);
        for (size_t i = 0; i < argv.count; i++) {
            size += strlen(argv.list[i]) + 1 + sizeof(char *);
        }
        CHECK(argv.list[argv.count] == NULL && size <= options->size_max);
        const char *program = command_template_program(template);
        CHECK(program == NULL || strcmp(program, argv.list[0]) == 0);
    }
    command_argv_deinit(&argv);
    command_template_free(template);
}

/* As a part of a word, whatever it is. */
static void quote(const char *item, size_t len)
{
    struct err_text error;
    struct command_words words;
    size_t size = command_line_quoted_len(item, len);
    char *quoted = malloc(size + 1);
    CHECK(quoted != NULL && command_line_quote(quoted, item, len) == quoted + size);
    quoted[size] = '\0';
    if (memchr(item, '\0', len) == NULL) {
        CHECK(command_line_split(quoted, &error, &words) == 0);
        CHECK(words.count == 1 && strlen(words.list[0]) == len);
        CHECK(memcmp(words.list[0], item, len) == 0);
        command_words_deinit(&words);
    }
    free(quoted);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len == 0) {
        return 0;
    }
    char *copy = calloc(1, len + 3); /* there are at least three NULs */
    CHECK(copy != NULL);
    memcpy(copy, bytes + 1, len - 1);
    const char *text = copy;
    const char *colsep = text + strlen(text) + 1;
    const char *item = colsep + strlen(colsep) + 1;
    const char *end = copy + len - 1;
    size_t item_len = item < end ? (size_t)(end - item) : 0;
    item = item < end ? item : "";
    struct command_template_options options = {
        .colsep = (bytes[0] & WITH_COLSEP) != 0 ? colsep : NULL,
        .shell = (bytes[0] & WITH_SHELL) != 0,
        .to_stdin = (bytes[0] & WITH_STDIN) != 0,
        .size_max = SIZE_MAX_BYTES,
    };
    const struct workload_item one = {.bytes = item, .bytes_len = item_len, .attempt = 1};
    struct err_text error = {""};
    struct command_words words;
    if (command_line_split(text, &error, &words) == 0) {
        write_and_read_again(&words);
        fill_in(&words, &options, &one);
        command_words_deinit(&words);
    } else {
        CHECK(error.s[0] != '\0');
    }
    quote(item, item_len);
    free(copy);
    return 0;
}
