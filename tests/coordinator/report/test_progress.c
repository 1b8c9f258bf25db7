/* Progress bars, drawn into memory at a made-up width and time. */
#include "common/io/text.h"
#include "coordinator/report/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WIPE "\r\033[K"

enum { SECOND_US = 1000000 };

struct screen {
    FILE *stream;
    char *text;
    size_t size;
    size_t seen; /* bytes that earlier calls of `drawn` have handed out */
    struct progress *progress;
};

static struct screen screen;
static int width;

static int fake_width(FILE *stream)
{
    (void)stream;
    return width;
}

static void start(const char *lang, bool enabled)
{
    assert_int_equal(unsetenv("LC_ALL"), 0);
    assert_int_equal(unsetenv("LC_CTYPE"), 0);
    assert_int_equal(setenv("LANG", lang, 1), 0);
    screen = (struct screen){0};
    screen.stream = open_memstream(&screen.text, &screen.size);
    assert_non_null(screen.stream);
    screen.progress = progress_new(screen.stream, enabled, fake_width);
    assert_non_null(screen.progress);
    width = 80;
}

static int setup(void **state)
{
    (void)state;
    start("C.UTF-8", true);
    return 0;
}

static int setup_ascii(void **state)
{
    (void)state;
    start("C", true);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    progress_free(screen.progress);
    (void)fclose(screen.stream);
    free(screen.text);
    return 0;
}

/* What was drawn since the last call. */
static const char *drawn(void)
{
    (void)fflush(screen.stream);
    const char *text = screen.text + screen.seen;
    screen.seen = screen.size;
    return text;
}

/* The line that was drawn last, without what moves the cursor. */
static const char *line(void)
{
    static char copy[1024];
    (void)snprintf(copy, sizeof(copy), "%s", drawn());
    char *begin = strrchr(copy, '\r');
    assert_non_null(begin);
    char *end = strstr(begin, "\033[K");
    assert_non_null(end);
    *end = '\0';
    return begin + 1;
}

static void test_progress_draws_a_bar_as_tqdm_does(void **state)
{
    (void)state;
    progress_begin(screen.progress, "local threads", 64, 0);
    assert_string_equal(
        line(), "local threads            0%|                        | 0/64 [00:00<?, ? items/s]");
    progress_update(screen.progress, 40, 64, SECOND_US / 2);
    assert_string_equal(
        line(), "local threads           62%|██████████      | 40/64 [00:00<00:00, 80.0 items/s]");
}

static void test_progress_draws_hashes_without_utf8(void **state)
{
    (void)state;
    progress_begin(screen.progress, "x", 4, 0);
    width = 40;
    progress_update(screen.progress, 2, 4, 60 * SECOND_US);
    assert_string_equal(line(), "x  50%|######       | 2/4 [01:00<01:00]");
}

static void test_progress_draws_eighths(void **state)
{
    (void)state;
    static const char *const bars[] = {"|      |",
                                       "|▊     |",
                                       "|█▌    |",
                                       "|██▎   |",
                                       "|███   |",
                                       "|███▊  |",
                                       "|████▌ |",
                                       "|█████▎|",
                                       "|██████|"};
    width = 19;
    progress_begin(screen.progress, "x", 8, 0);
    for (uint64_t done = 0; done <= 8; done++) {
        progress_update(screen.progress, done, 8, (done + 1) * SECOND_US);
        if (strstr(line(), bars[done]) == NULL) {
            fail_msg("no %s at %d of 8", bars[done], (int)done);
        }
    }
}

static void test_progress_says_seconds_an_item_when_slow(void **state)
{
    (void)state;
    progress_begin(screen.progress, "x", 10, 0);
    progress_update(screen.progress, 2, 10, 5 * SECOND_US);
    assert_non_null(strstr(line(), "2/10 [00:05<00:20, 2.50 s/item]"));
}

static void test_progress_shortens_large_numbers(void **state)
{
    (void)state;
    progress_begin(screen.progress, "x", 1000000000, 0);
    progress_update(screen.progress, 250000000, 1000000000, 2 * 3600ULL * SECOND_US);
    assert_non_null(strstr(line(), "250M/1.00G [2:00:00<6:00:00, 34.7k items/s]"));
}

static void test_progress_of_unknown_total_shows_counts_only(void **state)
{
    (void)state;
    progress_begin(screen.progress, "x", 0, 0);
    progress_update(screen.progress, 500, 0, 5 * SECOND_US);
    const char *text = line();
    assert_non_null(strstr(text, "500 items [00:05, 100 items/s]"));
    assert_null(strchr(text, '%'));
    assert_null(strchr(text, '|'));
}

static void test_progress_learns_the_total_later(void **state)
{
    (void)state;
    progress_begin(screen.progress, "x", 0, 0);
    progress_update(screen.progress, 5, 10, SECOND_US);
    assert_non_null(strstr(line(), " 50%|"));
}

static void test_progress_beyond_its_total_stays_at_all(void **state)
{
    (void)state;
    progress_begin(screen.progress, "x", 10, 0);
    progress_update(screen.progress, 12, 10, SECOND_US);
    assert_non_null(strstr(line(), "100%|"));
}

static void test_progress_redraws_at_most_20_times_a_second(void **state)
{
    (void)state;
    progress_begin(screen.progress, "x", 1000, 0);
    for (uint64_t ms = 1; ms <= 1000; ms++) {
        progress_update(screen.progress, ms, 1000, ms * 1000);
    }
    size_t draws = 0;
    for (const char *c = drawn(); *c != '\0'; c++) {
        draws += *c == '\r';
    }
    assert_int_equal(draws, 21); /* the first one at the beginning */
}

static void test_progress_leaves_a_finished_bar_as_a_line(void **state)
{
    (void)state;
    progress_begin(screen.progress, "x", 10, 0);
    (void)drawn();
    progress_end(screen.progress, 10, SECOND_US, true);
    const char *text = drawn();
    assert_non_null(strstr(text, "100%|"));
    assert_string_equal(text + strlen(text) - 4, "\033[K\n");
    progress_clear(screen.progress);
    assert_string_equal(drawn(), ""); /* the line is the terminal's now */
}

static void test_progress_wipes_a_bar_that_is_not_kept(void **state)
{
    (void)state;
    progress_begin(screen.progress, "x", 10, 0);
    (void)drawn();
    progress_end(screen.progress, 10, SECOND_US, false);
    assert_string_equal(drawn(), WIPE);
}

static void test_progress_draws_again_after_a_message(void **state)
{
    (void)state;
    progress_begin(screen.progress, "x", 10, 0);
    (void)drawn();
    progress_clear(screen.progress);
    assert_string_equal(drawn(), WIPE);
    progress_clear(screen.progress);
    assert_string_equal(drawn(), "");
    progress_update(screen.progress, 1, 10, 1); /* at once, however soon */
    assert_non_null(strstr(drawn(), " 10%|"));
}

static void test_progress_does_nothing_when_silent(void **state)
{
    (void)state;
    assert_int_equal(teardown(NULL), 0);
    start("C.UTF-8", false);
    progress_begin(screen.progress, "x", 10, 0);
    progress_update(screen.progress, 5, 10, SECOND_US);
    progress_clear(screen.progress);
    progress_end(screen.progress, 10, 2 * SECOND_US, true);
    assert_string_equal(drawn(), "");
}

static void test_progress_never_wraps_at_any_width(void **state)
{
    (void)state;
    static const uint64_t totals[] = {0, 1, 64, 1000000000, UINT64_MAX};
    static const char *const labels[] = {
        "x", "2 workers processes", "a label longer than any we have"};
    for (width = 1; width <= 200; width++) {
        for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
            for (size_t k = 0; k < sizeof(labels) / sizeof(labels[0]); k++) {
                progress_begin(screen.progress, labels[k], totals[i], 0);
                progress_update(
                    screen.progress, totals[i] / 3, totals[i], 400 * 3600ULL * SECOND_US);
                assert_true(text_columns(line()) < (size_t)width);
                progress_end(screen.progress, totals[i], 400 * 3600ULL * SECOND_US, true);
                assert_true(text_columns(line()) < (size_t)width);
            }
        }
    }
}

static void test_progress_shows_percent_and_count_at_20_columns(void **state)
{
    (void)state;
    width = 20;
    progress_begin(screen.progress, "local", 64, 0);
    progress_update(screen.progress, 40, 64, SECOND_US);
    assert_string_equal(line(), "local  62% 40/64");
}

static void test_progress_follows_a_resized_terminal(void **state)
{
    (void)state;
    progress_begin(screen.progress, "x", 10, 0);
    assert_int_equal(text_columns(line()), 79);
    width = 60;
    progress_update(screen.progress, 1, 10, SECOND_US);
    assert_int_equal(text_columns(line()), 59);
}

static void test_progress_takes_80_columns_when_none_are_known(void **state)
{
    (void)state;
    width = 0;
    progress_begin(screen.progress, "x", 10, 0);
    assert_int_equal(text_columns(line()), 79);
}

static void test_progress_is_not_possible_on_a_file(void **state)
{
    (void)state;
    FILE *null = fopen("/dev/null", "w");
    assert_non_null(null);
    assert_false(progress_possible(null));
    (void)fclose(null);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_progress_draws_a_bar_as_tqdm_does),
        cmocka_unit_test_setup_teardown(
            test_progress_draws_hashes_without_utf8, setup_ascii, teardown),
        CASE(test_progress_draws_eighths),
        CASE(test_progress_says_seconds_an_item_when_slow),
        CASE(test_progress_shortens_large_numbers),
        CASE(test_progress_of_unknown_total_shows_counts_only),
        CASE(test_progress_learns_the_total_later),
        CASE(test_progress_beyond_its_total_stays_at_all),
        CASE(test_progress_redraws_at_most_20_times_a_second),
        CASE(test_progress_leaves_a_finished_bar_as_a_line),
        CASE(test_progress_wipes_a_bar_that_is_not_kept),
        CASE(test_progress_draws_again_after_a_message),
        CASE(test_progress_does_nothing_when_silent),
        CASE(test_progress_never_wraps_at_any_width),
        CASE(test_progress_shows_percent_and_count_at_20_columns),
        CASE(test_progress_follows_a_resized_terminal),
        CASE(test_progress_takes_80_columns_when_none_are_known),
        CASE(test_progress_is_not_possible_on_a_file),
    };
    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
