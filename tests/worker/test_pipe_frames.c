/* Framing alone: what is written comes back whole, however it is cut up on the way, and hostile
 * streams cost bounded memory. */
#include "common/base/rng.h"
#include "worker/workloads/pipe_frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const enum pipe_framing framings[] = {PIPE_LINES, PIPE_NULL, PIPE_LENGTH};

enum { FRAMINGS = 3 };

static void feed(struct pipe_splitter *splitter, const char *bytes, size_t len)
{
    size_t size = 0;
    char *room = pipe_splitter_room(splitter, &size);
    assert_non_null(room);
    assert_in_range(size, 64 * 1024, SIZE_MAX);
    assert_in_range(len, 0, size);
    memcpy(room, bytes, len);
    pipe_splitter_add(splitter, len);
}

static void expect(struct pipe_splitter *splitter, const char *text)
{
    struct pipe_answer answer;
    assert_int_equal(pipe_splitter_next(splitter, &answer), PIPE_FOUND_ANSWER);
    assert_int_equal(answer.len, strlen(text));
    assert_int_equal(answer.whole_len, strlen(text));
    assert_memory_equal(answer.bytes, text, answer.len);
}

static void expect_none(struct pipe_splitter *splitter)
{
    struct pipe_answer answer;
    assert_int_equal(pipe_splitter_next(splitter, &answer), PIPE_FOUND_NONE);
}

static void test_frame_has_terminator_behind_or_length_before(void **state)
{
    (void)state;
    char frame[16];
    assert_int_equal(pipe_frame_size(PIPE_LINES, 2), 3);
    pipe_frame_write(PIPE_LINES, "ab", 2, frame);
    assert_memory_equal(frame, "ab\n", 3);
    pipe_frame_write(PIPE_NULL, "ab", 2, frame);
    assert_memory_equal(frame, "ab\0", 3);
    assert_int_equal(pipe_frame_size(PIPE_LENGTH, 2), 6);
    pipe_frame_write(PIPE_LENGTH, "ab", 2, frame);
    assert_memory_equal(frame, "\2\0\0\0ab", 6);
    pipe_frame_write(PIPE_LENGTH, NULL, 0, frame);
    assert_memory_equal(frame, "\0\0\0\0", 4);
}

static void test_frame_holds_all_but_its_terminator(void **state)
{
    (void)state;
    assert_false(pipe_frame_holds(PIPE_LINES, "a\nb", 3));
    assert_false(pipe_frame_holds(PIPE_LINES, "\n", 1));
    assert_true(pipe_frame_holds(PIPE_LINES, "a\0b", 3));
    assert_false(pipe_frame_holds(PIPE_NULL, "a\0b", 3));
    assert_true(pipe_frame_holds(PIPE_NULL, "a\nb", 3));
    assert_true(pipe_frame_holds(PIPE_LENGTH, "\n\0", 2));
    for (size_t i = 0; i < FRAMINGS; i++) {
        assert_true(pipe_frame_holds(framings[i], NULL, 0));
    }
}

static void test_splitter_answers_of_several_pieces(void **state)
{
    (void)state;
    struct pipe_splitter splitter;
    pipe_splitter_init(&splitter, PIPE_LINES, 100);
    expect_none(&splitter);
    feed(&splitter, "one\ntw", 6);
    expect(&splitter, "one");
    expect_none(&splitter);
    assert_false(pipe_splitter_is_empty(&splitter));
    feed(&splitter, "o\n\n", 3);
    expect(&splitter, "two");
    expect(&splitter, "");
    expect_none(&splitter);
    assert_true(pipe_splitter_is_empty(&splitter));
    pipe_splitter_deinit(&splitter);
}

static void test_splitter_length_of_several_pieces(void **state)
{
    (void)state;
    static const char bytes[] = "\3\0\0\0abc\0\0\0\0\1\0\0\0\n";
    struct pipe_splitter splitter;
    pipe_splitter_init(&splitter, PIPE_LENGTH, 100);
    for (size_t i = 0; i < sizeof(bytes) - 1; i++) {
        expect_none(&splitter);
        feed(&splitter, bytes + i, 1);
        if (i == 6) {
            expect(&splitter, "abc");
        } else if (i == 10) {
            expect(&splitter, "");
        } else if (i == 15) {
            expect(&splitter, "\n");
        }
    }
    assert_true(pipe_splitter_is_empty(&splitter));
    pipe_splitter_deinit(&splitter);
}

static void test_splitter_last_answer_lacks_only_its_terminator(void **state)
{
    (void)state;
    struct pipe_answer answer;
    struct pipe_splitter splitter;
    pipe_splitter_init(&splitter, PIPE_LINES, 3);
    assert_false(pipe_splitter_last(&splitter, &answer));
    feed(&splitter, "a\nbcde", 6);
    expect(&splitter, "a");
    expect_none(&splitter);
    assert_true(pipe_splitter_last(&splitter, &answer));
    assert_int_equal(answer.len, 3);
    assert_int_equal(answer.whole_len, 4);
    assert_false(pipe_splitter_last(&splitter, &answer));
    pipe_splitter_deinit(&splitter);

    pipe_splitter_init(&splitter, PIPE_LENGTH, 3);
    feed(&splitter, "\2\0\0\0a", 5);
    expect_none(&splitter);
    assert_false(pipe_splitter_last(&splitter, &answer));
    pipe_splitter_deinit(&splitter);
}

static void test_splitter_reset_forgets_the_unfinished(void **state)
{
    (void)state;
    struct pipe_splitter splitter;
    pipe_splitter_init(&splitter, PIPE_LINES, 2);
    feed(&splitter, "unfinished", 10);
    expect_none(&splitter);
    pipe_splitter_reset(&splitter);
    assert_true(pipe_splitter_is_empty(&splitter));
    feed(&splitter, "x\n", 2);
    expect(&splitter, "x");
    pipe_splitter_deinit(&splitter);
}

/* 100 MiB of one answer, of which 1000 bytes are kept: in memory that does not grow with it. */
static void test_splitter_drops_the_rest_of_a_long_answer(void **state)
{
    (void)state;

    enum { PIECE = 50000, PIECES = 2000 };

    static char piece[PIECE];
    memset(piece, 'x', sizeof(piece));
    for (size_t f = 0; f < FRAMINGS; f++) {
        struct pipe_splitter splitter;
        struct pipe_answer answer;
        char frame[PIPE_FRAME_EXTRA] = {0};
        uint32_t whole = PIECE * PIECES;
        memcpy(frame, &whole, sizeof(whole)); /* tested on little-endian machines only */
        pipe_splitter_init(&splitter, framings[f], 1000);
        feed(&splitter, frame, framings[f] == PIPE_LENGTH ? 4 : 0);
        for (size_t i = 0; i < PIECES; i++) {
            expect_none(&splitter);
            feed(&splitter, piece, PIECE);
        }
        assert_in_range(splitter.capacity, 0, 256 * 1024);
        if (framings[f] != PIPE_LENGTH) {
            expect_none(&splitter);
            feed(&splitter, framings[f] == PIPE_LINES ? "\n" : "\0", 1);
        }
        assert_int_equal(pipe_splitter_next(&splitter, &answer), PIPE_FOUND_ANSWER);
        assert_int_equal(answer.len, 1000);
        assert_int_equal(answer.whole_len, whole);
        assert_memory_equal(answer.bytes, piece, 1000);
        assert_true(pipe_splitter_is_empty(&splitter));
        pipe_splitter_deinit(&splitter);
    }
}

static void test_splitter_refuses_text_as_length(void **state)
{
    (void)state;
    struct pipe_answer answer;
    struct pipe_splitter splitter;
    pipe_splitter_init(&splitter, PIPE_LENGTH, 100);
    feed(&splitter, "abc\n", 4);
    assert_int_equal(pipe_splitter_next(&splitter, &answer), PIPE_FOUND_NONSENSE);
    assert_int_equal(pipe_splitter_next(&splitter, &answer), PIPE_FOUND_NONSENSE);
    pipe_splitter_reset(&splitter);
    feed(&splitter, "\0\0\0\x08", 4); /* 128 MiB are a length still */
    assert_int_equal(pipe_splitter_next(&splitter, &answer), PIPE_FOUND_NONE);
    pipe_splitter_deinit(&splitter);
}

/* Frames of random content, lengths and cuts: the same comes out, cut at `answer_max`. */
static void check_random(struct rng *rng, enum pipe_framing framing)
{
    enum { COUNT = 400, LEN_MAX = 3000, ANSWER_MAX = 2000 };

    static char contents[COUNT][LEN_MAX];
    static char stream[COUNT * (LEN_MAX + PIPE_FRAME_EXTRA)];
    size_t lens[COUNT];
    size_t end = 0;
    for (size_t i = 0; i < COUNT; i++) {
        lens[i] = rng_below(rng, 4) == 0 ? rng_below(rng, LEN_MAX) : rng_below(rng, 10);
        for (size_t k = 0; k < lens[i]; k++) {
            do {
                contents[i][k] = (char)rng_next(rng);
            } while (!pipe_frame_holds(framing, &contents[i][k], 1));
        }
        pipe_frame_write(framing, contents[i], lens[i], stream + end);
        end += pipe_frame_size(framing, lens[i]);
    }
    struct pipe_splitter splitter;
    struct pipe_answer answer;
    size_t got = 0;
    pipe_splitter_init(&splitter, framing, ANSWER_MAX);
    for (size_t at = 0; at < end;) {
        size_t len = rng_below(rng, 5) == 0 ? rng_below(rng, 20000) : rng_below(rng, 30);
        len = len < end - at ? len : end - at;
        feed(&splitter, stream + at, len);
        at += len;
        while (pipe_splitter_next(&splitter, &answer) == PIPE_FOUND_ANSWER) {
            size_t kept = lens[got] < ANSWER_MAX ? lens[got] : ANSWER_MAX;
            assert_int_equal(answer.len, kept);
            assert_int_equal(answer.whole_len, lens[got]);
            assert_memory_equal(answer.bytes, contents[got], kept);
            got++;
        }
    }
    assert_int_equal(got, COUNT);
    assert_true(pipe_splitter_is_empty(&splitter));
    pipe_splitter_deinit(&splitter);
}

static void test_splitter_gives_back_random_frames_cut_anywhere(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 7);
    for (int round = 0; round < 20; round++) {
        for (size_t f = 0; f < FRAMINGS; f++) {
            check_random(&rng, framings[f]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame_has_terminator_behind_or_length_before),
        cmocka_unit_test(test_frame_holds_all_but_its_terminator),
        cmocka_unit_test(test_splitter_answers_of_several_pieces),
        cmocka_unit_test(test_splitter_length_of_several_pieces),
        cmocka_unit_test(test_splitter_last_answer_lacks_only_its_terminator),
        cmocka_unit_test(test_splitter_reset_forgets_the_unfinished),
        cmocka_unit_test(test_splitter_drops_the_rest_of_a_long_answer),
        cmocka_unit_test(test_splitter_refuses_text_as_length),
        cmocka_unit_test(test_splitter_gives_back_random_frames_cut_anywhere),
    };
    return !!cmocka_run_group_tests_name("pipe_frames", tests, NULL, NULL);
}
