/* Workload pipe with programs that behave: every way of framing, every habit of buffering, items
 * and answers of every size. What bad programs lead to is in test_pipe_faults.c. */
#include "common/base/rng.h"
#include "tests/worker/pipe_rig.h"
#include "worker/workloads/mark.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 20000, MIB = 1024 * 1024 };

static void assert_numbers(const struct pipe_rig *rig, uint64_t first, size_t count)
{
    assert_int_equal(rig->count, count);
    for (size_t i = 0; i < count; i++) {
        char number[32];
        (void)snprintf(number, sizeof(number), "%" PRIu64, first + i);
        if (!rig->results[i].ok) {
            fail_msg("item %zu: %s", i, rig->results[i].error);
        }
        assert_string_equal(rig->results[i].out, number);
    }
}

/* A program that gives back what it gets. */
static void check_echo(const char *const *command, const char *const *params)
{
    struct pipe_rig rig;
    pipe_rig_open(&rig, command, params);
    for (uint64_t round = 0; round < 3; round++) {
        pipe_rig_run_numbers(&rig, round * MANY, MANY);
        assert_numbers(&rig, round * MANY, MANY);
    }
    pipe_rig_run_numbers(&rig, 7, 1);
    assert_numbers(&rig, 7, 1);
    pipe_rig_close(&rig);
}

static void test_pipe_answers_of_programs_that_flush(void **state)
{
    (void)state;
    const char *const cat[] = {"cat", NULL};
    check_echo(cat, NULL);
    const char *const swift[] = {pipe_actor, "swift", NULL};
    check_echo(swift, NULL);
    const char *const python[] = {
        "env",
        "-u",
        "PYTHONUNBUFFERED",
        "python3",
        "-c",
        "import sys\nfor line in sys.stdin: print(line, end='', flush=True)",
        NULL};
    check_echo(python, NULL);
}

static void test_pipe_answers_of_programs_that_hold_back(void **state)
{
    (void)state;
    const char *const sed[] = {"sed", "s/x/y/", NULL};
    check_echo(sed, NULL);
    const char *const awk[] = {"awk", "{print $1}", NULL};
    check_echo(awk, NULL);
    const char *const hold[] = {pipe_actor, "hold", NULL};
    check_echo(hold, NULL);
    /* mawk collects its input, even if it is told to flush its output. */
    const char *const mawk[] = {"awk", "{ print $1; fflush() }", NULL};
    check_echo(mawk, NULL);
    const char *const sort[] = {"sort", "-n", NULL}; /* says nothing before it has read all */
    check_echo(sort, NULL);
    const char *const python[] = {"env",
                                  "-u",
                                  "PYTHONUNBUFFERED",
                                  "python3",
                                  "-c",
                                  "import sys\nfor line in sys.stdin: print(line, end='')",
                                  NULL};
    check_echo(python, NULL);
}

static void test_pipe_window_of_any_size_and_kind_of_program(void **state)
{
    (void)state;
    const char *const small[] = {"window=1", "stall=0", NULL};
    const char *const bytes[] = {"window-bytes=100", NULL};
    const char *const odd[] = {"window=777", NULL};
    const char *const swift[] = {pipe_actor, "swift", NULL};
    check_echo(swift, small);
    check_echo(swift, bytes);
    check_echo(swift, odd);
    const char *const hold[] = {pipe_actor, "hold", NULL};
    check_echo(hold, odd);
}

static void test_pipe_program_that_holds_back_is_told_of_once(void **state)
{
    (void)state;
    const char *const hold[] = {pipe_actor, "hold", NULL};
    struct pipe_rig rig;
    pipe_rig_open(&rig, hold, NULL);
    pipe_rig_run_numbers(&rig, 0, 10);
    assert_true(pipe_rig_noted(&rig, "holds its answers back"));
    assert_true(atomic_load(&rig.slot->state->habit.holds_back));
    for (int i = 0; i < 5; i++) {
        pipe_rig_run_numbers(&rig, 0, 10);
        assert_numbers(&rig, 0, 10);
        assert_false(rig.slot->program.runs);
    }
    assert_int_equal(rig.note_count, 1);
    pipe_rig_close(&rig);
}

static void test_pipe_program_that_answers_is_never_started_again(void **state)
{
    (void)state;
    const char *const swift[] = {pipe_actor, "swift", NULL};
    struct pipe_rig rig;
    pipe_rig_open(&rig, swift, NULL);
    pipe_rig_run_numbers(&rig, 0, 10);
    int pid = rig.slot->program.child.pid;
    for (int i = 0; i < 20; i++) {
        pipe_rig_run_numbers(&rig, 0, 1000);
        assert_int_equal(rig.slot->program.child.pid, pid);
    }
    assert_int_equal(rig.note_count, 0);
    pipe_rig_close(&rig);
    assert_true(pipe_rig_await_gone(pid));
}

/* Slower than the stall, so that its input is ended at first; but its answers come one by one,
 * and that is learned. */
static void test_pipe_slow_program_is_not_taken_for_one_that_holds_back(void **state)
{
    (void)state;
    const char *const slow[] = {pipe_actor, "slow", "30", NULL};
    const char *const params[] = {"stall=0.01", NULL};
    struct pipe_rig rig;
    pipe_rig_open(&rig, slow, params);
    for (int i = 0; i < 4; i++) {
        pipe_rig_run_numbers(&rig, 0, 4);
        assert_numbers(&rig, 0, 4);
    }
    assert_false(atomic_load(&rig.slot->state->habit.holds_back));
    assert_true(atomic_load(&rig.slot->state->habit.flushes));
    assert_int_equal(rig.note_count, 0);
    pipe_rig_close(&rig);
}

/* What looks like holding back and is not: the end of input is not even tried. */
static void test_pipe_program_that_starts_or_computes_is_waited_for(void **state)
{
    (void)state;
    static const char *const roles[] = {"late", "work"};
    const char *const params[] = {"stall=0.02", NULL};
    for (size_t k = 0; k < 2; k++) {
        const char *const command[] = {pipe_actor, roles[k], "200", NULL};
        struct pipe_rig rig;
        pipe_rig_open(&rig, command, params);
        pipe_rig_run_numbers(&rig, 0, 10);
        assert_numbers(&rig, 0, 10);
        assert_true(rig.slot->program.runs);
        assert_true(pipe_program_listens(&rig.slot->program));
        assert_true(atomic_load(&rig.slot->state->habit.flushes));
        pipe_rig_close(&rig);
    }
}

static void test_pipe_single_items(void **state)
{
    (void)state;
    struct workload_item items[50];
    for (size_t i = 0; i < 50; i++) {
        items[i] = (struct workload_item){.index = i, .number = 1000 + i, .attempt = 1};
    }
    const char *const swift[] = {pipe_actor, "swift", NULL};
    const char *const hold[] = {pipe_actor, "hold", NULL};
    const char *const *const commands[] = {swift, hold};
    const char *const params[] = {"stall=0.001", NULL};
    for (size_t k = 0; k < 2; k++) {
        struct pipe_rig rig;
        pipe_rig_open(&rig, commands[k], params);
        pipe_rig_run_singly(&rig, items, 50);
        assert_numbers(&rig, 1000, 50);
        pipe_rig_close(&rig);
    }
}

static void test_pipe_result_is_answer_and_mark_of_both(void **state)
{
    (void)state;
    const char *const tr[] = {"tr", "a-z", "A-Z", NULL};
    const char *const texts[] = {"one", "", "two two", NULL};
    const char *const answers[] = {"ONE", "", "TWO TWO"};
    struct pipe_rig rig;
    pipe_rig_open(&rig, tr, NULL);
    pipe_rig_run_texts(&rig, texts);
    assert_int_equal(rig.count, 3);
    for (size_t i = 0; i < 3; i++) {
        struct workload_item item = {.index = i, .bytes = texts[i], .bytes_len = strlen(texts[i])};
        assert_true(rig.results[i].ok);
        assert_string_equal(rig.results[i].out, answers[i]);
        assert_int_equal(rig.results[i].bytes, strlen(answers[i]));
        assert_int_equal(rig.results[i].checksum,
                         mark_output(&item, answers[i], strlen(answers[i])));
    }
    pipe_rig_close(&rig);
}

static void test_pipe_number_is_written_in_decimal(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {0, 9, 10, 4294967296U, UINT64_MAX};
    const char *const cat[] = {"cat", NULL};
    struct pipe_rig rig;
    pipe_rig_open(&rig, cat, NULL);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        pipe_rig_run_numbers(&rig, numbers[i], 1);
        assert_numbers(&rig, numbers[i], 1);
    }
    pipe_rig_close(&rig);
}

static void fill_random(struct rng *rng, char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (char)rng_next(rng);
    }
}

static void test_pipe_length_framing_carries_any_bytes(void **state)
{
    (void)state;

    enum { COUNT = 300, LEN_MAX = 5000 };

    struct rng rng;
    rng_init(&rng, 1);
    char *bytes = malloc((size_t)COUNT * (LEN_MAX + 1));
    struct workload_item items[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        char *at = bytes + i * (LEN_MAX + 1);
        size_t len = i < 2 ? i : (size_t)(rng_next(&rng) % LEN_MAX);
        fill_random(&rng, at, len);
        at[len] = '\0';
        items[i] = (struct workload_item){.index = i, .bytes = at, .bytes_len = len};
    }
    const char *const reverse[] = {pipe_actor, "reverse", NULL};
    const char *const params[] = {"framing=length", NULL};
    struct pipe_rig rig;
    pipe_rig_open(&rig, reverse, params);
    pipe_rig_run(&rig, items, COUNT);
    assert_int_equal(rig.count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(rig.results[i].ok);
        assert_int_equal(rig.results[i].out_len, items[i].bytes_len);
        for (size_t k = 0; k < items[i].bytes_len; k++) {
            assert_int_equal(rig.results[i].out[k], items[i].bytes[items[i].bytes_len - 1 - k]);
        }
    }
    pipe_rig_close(&rig);
    free(bytes);
}

static void test_pipe_null_framing_carries_newlines(void **state)
{
    (void)state;
    const char *const cat[] = {"cat", NULL};
    const char *const params[] = {"framing=null", NULL};
    const char *const texts[] = {"a\nb", "\n", "", "\n\nc\n", NULL};
    struct pipe_rig rig;
    pipe_rig_open(&rig, cat, params);
    pipe_rig_run_texts(&rig, texts);
    assert_int_equal(rig.count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(rig.results[i].out, texts[i]);
    }
    pipe_rig_close(&rig);
}

/* Every other one cannot be written; the first and the last neither. */
static void test_pipe_item_with_terminator_fails_alone(void **state)
{
    (void)state;

    enum { COUNT = 401 };

    struct workload_item items[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        items[i] = (struct workload_item){.index = i, .bytes = "good", .bytes_len = 4};
        if (i % 2 == 0) {
            items[i].bytes = "bad\nitem";
            items[i].bytes_len = 8;
        }
    }
    const char *const cat[] = {"cat", NULL};
    struct pipe_rig rig;
    pipe_rig_open(&rig, cat, NULL);
    pipe_rig_run(&rig, items, COUNT);
    assert_int_equal(rig.count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(rig.results[i].ok, i % 2);
        assert_string_equal(rig.results[i].out, i % 2 ? "good" : "");
    }
    assert_string_equal(rig.results[0].error,
                        "the item holds a newline, which ends an item with framing=lines (use "
                        "framing=null or length): 'bad?item'");
    pipe_rig_close(&rig);
}

static void test_pipe_nothing_but_items_that_cannot_be_written(void **state)
{
    (void)state;
    struct workload_item items[200];
    for (size_t i = 0; i < 200; i++) {
        items[i] = (struct workload_item){.index = i, .bytes = "\n", .bytes_len = 1};
    }
    const char *const cat[] = {"cat", NULL};
    struct pipe_rig rig;
    pipe_rig_open(&rig, cat, NULL);
    pipe_rig_run(&rig, items, 200);
    assert_int_equal(rig.count, 200);
    assert_false(rig.results[199].ok);
    pipe_rig_run_numbers(&rig, 5, 3);
    assert_numbers(&rig, 5, 3);
    pipe_rig_close(&rig);
}

/* Both pipes are full at times: who waits for one while the other waits for it hangs. */
static void test_pipe_large_items_and_answers(void **state)
{
    (void)state;

    enum { COUNT = 8 };

    char *text = malloc(MIB + 1);
    struct workload_item items[COUNT];
    memset(text, 'x', MIB);
    text[MIB] = '\0';
    for (size_t i = 0; i < COUNT; i++) {
        items[i] = (struct workload_item){.index = i, .bytes = text, .bytes_len = MIB};
    }
    const char *const cat[] = {"cat", NULL};
    const char *const hold[] = {pipe_actor, "hold", NULL};
    const char *const *const commands[] = {cat, hold};
    const char *const params[] = {"window-bytes=4Mi", NULL};
    for (size_t k = 0; k < 2; k++) {
        struct pipe_rig rig;
        pipe_rig_open(&rig, commands[k], params);
        pipe_rig_run(&rig, items, COUNT);
        assert_int_equal(rig.count, COUNT);
        for (size_t i = 0; i < COUNT; i++) {
            assert_true(rig.results[i].ok);
            assert_int_equal(rig.results[i].flags, 0);
            assert_string_equal(rig.results[i].out, text);
        }
        pipe_rig_close(&rig);
    }
    free(text);
}

static void test_pipe_long_answer_is_cut_and_marked(void **state)
{
    (void)state;
    const char *const huge[] = {pipe_actor, "huge", "3000000", NULL};
    const char *const params[] = {"max-output=100000", NULL};
    const char *const texts[] = {"a", "b", "c", NULL};
    struct pipe_rig rig;
    pipe_rig_open(&rig, huge, params);
    pipe_rig_run_texts(&rig, texts);
    assert_int_equal(rig.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(rig.results[i].ok);
        assert_int_equal(rig.results[i].flags, WORKLOAD_OUT_TRUNCATED);
        assert_int_equal(rig.results[i].out_len, 100000);
        assert_int_equal(rig.results[i].bytes, 3000000);
        assert_int_equal(rig.results[i].out[99999], 'a' + (int)i);
    }
    pipe_rig_close(&rig);
}

static void test_pipe_last_answer_may_lack_its_newline(void **state)
{
    (void)state;
    const char *const unfinished[] = {pipe_actor, "unfinished", NULL};
    struct pipe_rig rig;
    pipe_rig_open(&rig, unfinished, NULL);
    for (int i = 0; i < 2; i++) {
        pipe_rig_run_numbers(&rig, 0, 10);
        assert_numbers(&rig, 0, 10);
    }
    pipe_rig_close(&rig);
}

static void test_pipe_batch_that_stops_awaits_those_begun(void **state)
{
    (void)state;
    const char *const swift[] = {pipe_actor, "swift", NULL};
    const char *const hold[] = {pipe_actor, "hold", NULL};
    const char *const *const commands[] = {swift, hold};
    for (size_t k = 0; k < 2; k++) {
        struct pipe_rig rig;
        pipe_rig_open(&rig, commands[k], NULL);
        rig.stop_after = 100;
        pipe_rig_run_numbers(&rig, 0, 60000);
        size_t reported = rig.count;
        assert_in_range(reported, 101, 59999);
        assert_numbers(&rig, 0, reported);
        rig.stop_after = SIZE_MAX;
        pipe_rig_run_numbers(&rig, reported, 100);
        assert_numbers(&rig, reported, 100);
        pipe_rig_close(&rig);
    }
}

static void test_pipe_program_runs_where_it_is_told(void **state)
{
    (void)state;
    const char *const pwd[] = {"sh", "-c", "while read -r x; do pwd; done", NULL};
    const char *const params[] = {"cwd=/usr/../tmp", NULL};
    const char *const texts[] = {"x", NULL};
    struct pipe_rig rig;
    pipe_rig_open(&rig, pwd, params);
    pipe_rig_run_texts(&rig, texts);
    assert_string_equal(rig.results[0].out, "/tmp");
    pipe_rig_close(&rig);
}

static void refuse(const char *const *command, const char *const *params, const char *text)
{
    struct pipe_rig rig;
    struct err_text error = {""};
    assert_true(pipe_rig_try(&rig, command, params, &error) < 0);
    if (strstr(error.s, text) == NULL) {
        fail_msg("'%s' does not say '%s'", error.s, text);
    }
}

static void test_pipe_command_that_cannot_run_is_refused_at_once(void **state)
{
    (void)state;
    const char *const missing[] = {"no-such-program", "x", NULL};
    refuse(missing, NULL, "'no-such-program' was not found in PATH (");
    const char *const absent[] = {"/no/such/program", NULL};
    refuse(absent, NULL, "'/no/such/program' does not exist");
    const char *const directory[] = {"/tmp", NULL};
    refuse(directory, NULL, "'/tmp' is a directory");
    const char *const none[] = {NULL};
    refuse(none, NULL, "needs a command");
    const char *const cat[] = {"cat", NULL};
    const char *const cwd[] = {"cwd=/no/such/directory", NULL};
    refuse(cat, cwd, "cwd=/no/such/directory: No such file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipe_answers_of_programs_that_flush),
        cmocka_unit_test(test_pipe_answers_of_programs_that_hold_back),
        cmocka_unit_test(test_pipe_window_of_any_size_and_kind_of_program),
        cmocka_unit_test(test_pipe_program_that_holds_back_is_told_of_once),
        cmocka_unit_test(test_pipe_program_that_answers_is_never_started_again),
        cmocka_unit_test(test_pipe_slow_program_is_not_taken_for_one_that_holds_back),
        cmocka_unit_test(test_pipe_program_that_starts_or_computes_is_waited_for),
        cmocka_unit_test(test_pipe_single_items),
        cmocka_unit_test(test_pipe_result_is_answer_and_mark_of_both),
        cmocka_unit_test(test_pipe_number_is_written_in_decimal),
        cmocka_unit_test(test_pipe_length_framing_carries_any_bytes),
        cmocka_unit_test(test_pipe_null_framing_carries_newlines),
        cmocka_unit_test(test_pipe_item_with_terminator_fails_alone),
        cmocka_unit_test(test_pipe_nothing_but_items_that_cannot_be_written),
        cmocka_unit_test(test_pipe_large_items_and_answers),
        cmocka_unit_test(test_pipe_long_answer_is_cut_and_marked),
        cmocka_unit_test(test_pipe_last_answer_may_lack_its_newline),
        cmocka_unit_test(test_pipe_batch_that_stops_awaits_those_begun),
        cmocka_unit_test(test_pipe_program_runs_where_it_is_told),
        cmocka_unit_test(test_pipe_command_that_cannot_run_is_refused_at_once),
    };
    return !!cmocka_run_group_tests_name("pipe", tests, NULL, NULL);
}
