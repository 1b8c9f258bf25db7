#include "coordinator/launchers/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As printf would print it; NULL without memory. */
static char *format_new(const char *format, va_list arguments)
    __attribute__((format(printf, 1, 0)));

static char *format_new(const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = len < 0 ? NULL : malloc((size_t)len + 1);
    if (text != NULL) {
        (void)vsnprintf(text, (size_t)len + 1, format, arguments);
    }
    return text;
}

/* --- words --- */

static bool make_room(struct words *words)
{
    enum { FIRST_CAPACITY = 16 };

    if (words->count + 1 < words->capacity) {
        return true;
    }
    size_t capacity = words->capacity == 0 ? FIRST_CAPACITY : 2 * words->capacity;
    char **list = realloc(words->list, capacity * sizeof(*list));
    if (list == NULL) {
        return false;
    }
    words->list = list;
    words->capacity = capacity;
    return true;
}

void words_add(struct words *words, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *word = make_room(words) ? format_new(format, arguments) : NULL;
    va_end(arguments);
    if (word == NULL) {
        words->incomplete = true;
        return;
    }
    words->list[words->count++] = word;
    words->list[words->count] = NULL;
}

void words_deinit(struct words *words)
{
    for (size_t i = 0; i < words->count; i++) {
        free(words->list[i]);
    }
    free(words->list);
    *words = (struct words){.list = NULL};
}

/* --- text --- */

/* The compiler may leave out a memset of what is freed next; it may not leave out these. */
static void wipe(char *bytes, size_t len)
{
    volatile char *at = bytes;
    while (len-- > 0) {
        *at++ = 0;
    }
}

/* A new piece of memory each time, and not realloc, which would leave a copy behind. */
static bool grow(struct script *script, size_t more)
{
    enum { FIRST_SIZE = 256 };

    size_t size = script->size == 0 ? FIRST_SIZE : script->size;
    while (size - script->len <= more) {
        size *= 2;
    }
    if (size == script->size) {
        return true;
    }
    char *text = malloc(size);
    if (text == NULL) {
        script->incomplete = true;
        return false;
    }
    if (script->text != NULL) {
        memcpy(text, script->text, script->len);
        wipe(script->text, script->len);
        free(script->text);
    }
    script->text = text;
    script->size = size;
    return true;
}

static void append(struct script *script, const char *bytes, size_t len)
{
    if (grow(script, len)) {
        memcpy(script->text + script->len, bytes, len);
        script->len += len;
        script->text[script->len] = '\0';
    }
}

void script_add(struct script *script, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = format_new(format, arguments);
    va_end(arguments);
    if (text == NULL) {
        script->incomplete = true;
        return;
    }
    append(script, text, strlen(text));
    wipe(text, strlen(text));
    free(text);
}

/* Does sh take it as it is, wherever it stands? */
static bool is_plain(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-+=./,:@%";
    return word[0] != '\0' && word[strspn(word, plain)] == '\0';
}

void script_add_word(struct script *script, const char *word)
{
    if (is_plain(word)) {
        append(script, word, strlen(word));
        return;
    }
    append(script, "'", 1);
    for (; *word != '\0'; word++) {
        if (*word == '\'') {
            append(script, "'\\''", 4);
        } else {
            append(script, word, 1);
        }
    }
    append(script, "'", 1);
}

void script_add_words(struct script *script, const struct words *words)
{
    script->incomplete |= words->incomplete;
    for (size_t i = 0; i < words->count; i++) {
        append(script, " ", i > 0 ? 1 : 0);
        script_add_word(script, words->list[i]);
    }
}

void script_deinit(struct script *script)
{
    if (script->text != NULL) {
        wipe(script->text, script->len);
        free(script->text);
    }
    *script = (struct script){.text = NULL};
}
