/* Framing of items and answers; see pipe_frames.h. */
#include "worker/workloads/pipe_frames.h"

#include "common/base/check.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_SIZE = sizeof(uint32_t), ROOM_MIN = 64 * 1024, CAPACITY_FIRST = 2 * ROOM_MIN };

static char terminator(enum pipe_framing framing)
{
    return framing == PIPE_LINES ? '\n' : '\0';
}

bool pipe_frame_holds(enum pipe_framing framing, const char *bytes, size_t len)
{
    return framing == PIPE_LENGTH || len == 0 || memchr(bytes, terminator(framing), len) == NULL;
}

size_t pipe_frame_size(enum pipe_framing framing, size_t len)
{
    return len + (framing == PIPE_LENGTH ? (size_t)LENGTH_SIZE : 1);
}

void pipe_frame_write(enum pipe_framing framing, const char *bytes, size_t len, char *to)
{
    if (framing == PIPE_LENGTH) {
        uint32_t little = htole32((uint32_t)len);
        memcpy(to, &little, LENGTH_SIZE);
        to += LENGTH_SIZE;
    } else {
        to[len] = terminator(framing);
    }
    if (len > 0) {
        memcpy(to, bytes, len);
    }
}

void pipe_splitter_init(struct pipe_splitter *splitter,
                        enum pipe_framing framing,
                        size_t answer_max)
{
    *splitter = (struct pipe_splitter){.framing = framing, .answer_max = answer_max};
}

void pipe_splitter_deinit(struct pipe_splitter *splitter)
{
    free(splitter->bytes);
    *splitter = (struct pipe_splitter){0};
}

void pipe_splitter_reset(struct pipe_splitter *splitter)
{
    splitter->start = 0;
    splitter->searched = 0;
    splitter->end = 0;
    splitter->dropped = 0;
}

/* What is kept of an unfinished answer is at most answer_max and its length, so the capacity
 * stays below twice that and the room behind it. */
static bool grow(struct pipe_splitter *splitter)
{
    size_t capacity = splitter->capacity == 0 ? CAPACITY_FIRST : splitter->capacity * 2;
    char *bytes = realloc(splitter->bytes, capacity);
    if (bytes == NULL) {
        return false;
    }
    splitter->bytes = bytes;
    splitter->capacity = capacity;
    return true;
}

char *pipe_splitter_room(struct pipe_splitter *splitter, size_t *ret_size)
{
    size_t left = splitter->end - splitter->start;
    if (splitter->start > 0 && (left == 0 || splitter->capacity - splitter->end < ROOM_MIN)) {
        memmove(splitter->bytes, splitter->bytes + splitter->start, left);
        splitter->start = 0;
        splitter->end = left;
    }
    if (splitter->capacity - splitter->end < ROOM_MIN && !grow(splitter)) {
        return NULL;
    }
    *ret_size = splitter->capacity - splitter->end;
    return splitter->bytes + splitter->end;
}

void pipe_splitter_add(struct pipe_splitter *splitter, size_t len)
{
    CHECK(len <= splitter->capacity - splitter->end);
    splitter->end += len;
}

/* Of an unfinished answer that lies behind `head` bytes of length, keep answer_max bytes. All
 * that is there belongs to it. */
static void drop_excess(struct pipe_splitter *splitter, size_t head)
{
    size_t len = splitter->end - splitter->start - head;
    if (len > splitter->answer_max) {
        splitter->dropped += len - splitter->answer_max;
        splitter->end = splitter->start + head + splitter->answer_max;
    }
}

/* The answer of `len` bytes that begins `head` bytes behind the start; `skip` more follow that
 * are no content. */
static struct pipe_answer give_out(struct pipe_splitter *splitter,
                                   size_t head,
                                   size_t len,
                                   size_t skip)
{
    struct pipe_answer answer = {
        .bytes = splitter->bytes + splitter->start + head,
        .len = len < splitter->answer_max ? len : splitter->answer_max,
        .whole_len = len + splitter->dropped,
    };
    splitter->start += head + len + skip;
    splitter->searched = 0;
    splitter->dropped = 0;
    return answer;
}

static enum pipe_found next_terminated(struct pipe_splitter *splitter,
                                       struct pipe_answer *ret_answer)
{
    const char *from = splitter->bytes + splitter->start + splitter->searched;
    const char *stop = splitter->bytes + splitter->end;
    const char *found = memchr(from, terminator(splitter->framing), (size_t)(stop - from));
    if (found == NULL) {
        drop_excess(splitter, 0);
        splitter->searched = splitter->end - splitter->start;
        return PIPE_FOUND_NONE;
    }
    size_t len = (size_t)(found - splitter->bytes) - splitter->start;
    *ret_answer = give_out(splitter, 0, len, 1);
    return PIPE_FOUND_ANSWER;
}

static enum pipe_found next_measured(struct pipe_splitter *splitter, struct pipe_answer *ret_answer)
{
    size_t left = splitter->end - splitter->start;
    if (left < LENGTH_SIZE) {
        return PIPE_FOUND_NONE;
    }
    uint32_t little;
    memcpy(&little, splitter->bytes + splitter->start, LENGTH_SIZE);
    uint64_t whole = le32toh(little);
    if (whole > PIPE_ANSWER_LEN_MAX) {
        return PIPE_FOUND_NONSENSE;
    }
    if (left - LENGTH_SIZE + splitter->dropped < whole) {
        drop_excess(splitter, LENGTH_SIZE);
        return PIPE_FOUND_NONE;
    }
    *ret_answer = give_out(splitter, LENGTH_SIZE, (size_t)(whole - splitter->dropped), 0);
    return PIPE_FOUND_ANSWER;
}

enum pipe_found pipe_splitter_next(struct pipe_splitter *splitter, struct pipe_answer *ret_answer)
{
    if (splitter->start == splitter->end) {
        return PIPE_FOUND_NONE;
    }
    return splitter->framing == PIPE_LENGTH ? next_measured(splitter, ret_answer)
                                            : next_terminated(splitter, ret_answer);
}

bool pipe_splitter_last(struct pipe_splitter *splitter, struct pipe_answer *ret_answer)
{
    if (splitter->framing == PIPE_LENGTH || pipe_splitter_is_empty(splitter)) {
        return false;
    }
    *ret_answer = give_out(splitter, 0, splitter->end - splitter->start, 0);
    return true;
}

bool pipe_splitter_is_empty(const struct pipe_splitter *splitter)
{
    return splitter->start == splitter->end && splitter->dropped == 0;
}
