/* Any bytes at all as what a program answers, in pieces of any size: the answers must be the same
 * as when all comes at once, and what is kept must stay bounded. The first byte chooses the
 * framing and the longest answer kept, the next ones the sizes of the pieces in turn. */
#include "common/base/check.h"
#include "worker/workloads/pipe_frames.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { HEAD = 4, INPUT_MAX = 65536 };

static void add(struct pipe_splitter *splitter, const uint8_t *bytes, size_t len)
{
    size_t size = 0;
    char *room = pipe_splitter_room(splitter, &size);
    CHECK(room != NULL && size >= INPUT_MAX);
    CHECK(splitter->capacity <= (size_t)4 * INPUT_MAX);
    if (len > 0) {
        memcpy(room, bytes, len);
    }
    pipe_splitter_add(splitter, len);
}

static void check_same(const struct pipe_answer *a, const struct pipe_answer *b, size_t answer_max)
{
    CHECK(a->len == b->len && a->whole_len == b->whole_len);
    CHECK(a->len <= answer_max && a->len <= a->whole_len);
    CHECK(a->len == 0 || memcmp(a->bytes, b->bytes, a->len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len <= HEAD || len > INPUT_MAX) {
        return 0;
    }
    enum pipe_framing framing = (enum pipe_framing)(bytes[0] % 3);
    size_t answer_max = bytes[0] / 3;
    struct pipe_splitter whole;
    struct pipe_splitter cut;
    struct pipe_answer expected;
    struct pipe_answer answer;
    pipe_splitter_init(&whole, framing, answer_max);
    pipe_splitter_init(&cut, framing, answer_max);
    add(&whole, bytes + HEAD, len - HEAD);
    enum pipe_found found = PIPE_FOUND_NONE;
    for (size_t at = HEAD, turn = 1; at < len && found != PIPE_FOUND_NONSENSE; turn++) {
        size_t piece = bytes[turn % HEAD] + (size_t)1;
        piece = piece < len - at ? piece : len - at;
        add(&cut, bytes + at, piece);
        at += piece;
        while ((found = pipe_splitter_next(&cut, &answer)) == PIPE_FOUND_ANSWER) {
            CHECK(pipe_splitter_next(&whole, &expected) == PIPE_FOUND_ANSWER);
            check_same(&expected, &answer, answer_max);
        }
    }
    CHECK(pipe_splitter_next(&whole, &expected) == found);
    bool last = pipe_splitter_last(&whole, &expected);
    CHECK(pipe_splitter_last(&cut, &answer) == last);
    if (last && found == PIPE_FOUND_NONE) {
        check_same(&expected, &answer, answer_max);
    }
    pipe_splitter_deinit(&whole);
    pipe_splitter_deinit(&cut);
    return 0;
}
