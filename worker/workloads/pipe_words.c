/* A program's last words, and its first; see pipe_words.h. */
#include "worker/workloads/pipe_words.h"

#include "common/base/check.h"
#include "common/base/err.h"

#include <string.h>

static const char between[] = " / ";

enum { BETWEEN_LEN = sizeof(between) - 1 };

void pipe_words_reset(struct pipe_words *words)
{
    words->last_len = 0;
    words->first[0] = '\0';
    words->first_len = 0;
    words->first_done = false;
}

static void keep_first(struct pipe_words *words, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len && !words->first_done; i++) {
        if (bytes[i] != '\n') {
            words->first[words->first_len++] = bytes[i];
            words->first[words->first_len] = '\0';
            words->first_done = words->first_len == PIPE_WORDS_FIRST - 1;
        } else {
            words->first_done = words->first_len > 0;
        }
    }
}

static void keep_last(struct pipe_words *words, const char *bytes, size_t len)
{
    if (len > PIPE_WORDS_LAST) {
        bytes += len - PIPE_WORDS_LAST;
        len = PIPE_WORDS_LAST;
    }
    size_t room = PIPE_WORDS_LAST - words->last_len;
    if (len > room) {
        words->last_len -= len - room;
        memmove(words->last, words->last + (len - room), words->last_len);
    }
    memcpy(words->last + words->last_len, bytes, len);
    words->last_len += len;
}

void pipe_words_add(struct pipe_words *words, const char *bytes, size_t len)
{
    keep_first(words, bytes, len);
    keep_last(words, bytes, len);
}

bool pipe_words_any(const struct pipe_words *words)
{
    return words->last_len > 0;
}

const char *pipe_words_first(const struct pipe_words *words, bool over)
{
    return words->first_done || (over && words->first_len > 0) ? words->first : NULL;
}

/* Filled from its end, so that the last lines are those that fit. */
struct backwards {
    char *text;
    size_t at; /* where what is written begins */
};

static void prepend(struct backwards *to, const char *bytes, size_t len)
{
    to->at -= len;
    memcpy(to->text + to->at, bytes, len);
}

void pipe_words_last(const struct pipe_words *words, char *ret_text, size_t size)
{
    CHECK(size > 0);
    struct backwards to = {.text = ret_text, .at = size - 1};
    ret_text[size - 1] = '\0';
    for (size_t end = words->last_len; end > 0;) {
        const char *newline = memrchr(words->last, '\n', end);
        size_t start = newline == NULL ? 0 : (size_t)(newline - words->last) + 1;
        size_t len = end - start;
        bool is_last = to.at == size - 1;
        if (len > 0 && is_last) {
            size_t kept = len < to.at ? len : to.at;
            prepend(&to, words->last + end - kept, kept);
        } else if (len > 0) {
            if (len + BETWEEN_LEN > to.at) {
                break;
            }
            prepend(&to, between, BETWEEN_LEN);
            prepend(&to, words->last + start, len);
        }
        end = start > 0 ? start - 1 : 0;
    }
    size_t text_len = size - 1 - to.at;
    memmove(ret_text, ret_text + to.at, text_len + 1);
    for (size_t i = 0; i < text_len; i++) {
        if (ret_text[i] == '\0') {
            ret_text[i] = '?';
        }
    }
    err_one_line(ret_text);
}
