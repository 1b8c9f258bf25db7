#include "common/base/nearest.h"

#include <stdint.h>
#include <string.h>

enum { LEN_MAX = 128 }; /* names are short; a longer word is not a mistyped one */

static size_t min_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits that turn `a` into `b`, neither longer than LEN_MAX. The "optimal string alignment"
 * form: no substring is edited twice, so three rows of the table are enough. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][LEN_MAX + 1];
    size_t *before = rows[0];
    size_t *previous = rows[1];
    size_t *current = rows[2];
    for (size_t j = 0; j <= b_len; j++) {
        previous[j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        current[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t replaced = previous[j - 1] + (a[i - 1] != b[j - 1]);
            size_t least = min_of(replaced, min_of(previous[j], current[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                least = min_of(least, before[j - 2] + 1);
            }
            current[j] = least;
        }
        size_t *oldest = before;
        before = previous;
        previous = current;
        current = oldest;
    }
    return previous[b_len];
}

const char *nearest_name(const char *word, const char *const *names, size_t count)
{
    const char *nearest = NULL;
    size_t least = SIZE_MAX;
    size_t word_len = strlen(word);
    if (word_len > LEN_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        size_t name_len = strlen(names[i]);
        if (name_len > LEN_MAX) {
            continue;
        }
        size_t longer = word_len > name_len ? word_len : name_len;
        size_t edits = distance(word, word_len, names[i], name_len);
        if (edits <= (longer + 2) / 3 && edits < least) {
            least = edits;
            nearest = names[i];
        }
    }
    return nearest;
}
