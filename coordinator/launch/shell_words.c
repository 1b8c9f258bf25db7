#include "coordinator/launch/shell_words.h"

#include <string.h>

static void append(struct shell_words *words, const char *bytes, size_t len)
{
    if (words->full || len >= words->size - words->len) {
        words->full = true;
        return;
    }
    memcpy(words->bytes + words->len, bytes, len);
    words->len += len;
    words->bytes[words->len] = '\0';
}

void shell_words_add(struct shell_words *words, const char *text)
{
    append(words, text, strlen(text));
}

/* In single quotes shells take everything as it is; one in the text itself is put between two
 * such strings. */
void shell_words_quote(struct shell_words *words, const char *word)
{
    append(words, " '", 2);
    for (; *word != '\0'; word++) {
        if (*word == '\'') {
            append(words, "'\\''", 4);
        } else {
            append(words, word, 1);
        }
    }
    append(words, "'", 1);
}
