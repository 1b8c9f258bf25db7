#include "tests/coordinator/journal/journal_fixture.h"

#include "tests/coordinator/sink/sink_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void wake(void *arg)
{
    (void)sem_post(arg);
}

int journal_fixture_in_memory(void **state)
{
    (void)state;
    return access("/dev/shm", W_OK) == 0 ? setenv("TMPDIR", "/dev/shm", 1) : 0;
}

void journal_fixture_init(struct journal_fixture *fixture, const char *directory)
{
    *fixture = (struct journal_fixture){.input = {.items = 1000000}};
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/journal", directory);
    (void)sem_init(&fixture->woken, 0, 0);
    fixture->options = (struct journal_options){
        .path = fixture->path, .wake = wake, .wake_arg = &fixture->woken};
}

void journal_fixture_deinit(struct journal_fixture *fixture)
{
    journal_fixture_close(fixture);
    (void)sem_destroy(&fixture->woken);
}

static void begin(struct journal_fixture *fixture)
{
    if (fixture->has_sink) {
        journal_expect_marks(fixture->journal);
    }
}

void journal_fixture_create(struct journal_fixture *fixture)
{
    struct err_text error;
    int code = journal_create(&fixture->options, "squares", 77, &error, &fixture->journal);
    if (code != 0) {
        fail_msg("%s", error.s);
    }
    begin(fixture);
}

void journal_fixture_open(struct journal_fixture *fixture, struct journal_state *ret_state)
{
    struct err_text error;
    int code = journal_open(&fixture->options, &error, &fixture->journal, ret_state);
    if (code != 0) {
        fail_msg("%s", error.s);
    }
    fixture->counts = ret_state->counts;
    begin(fixture);
}

void journal_fixture_close(struct journal_fixture *fixture)
{
    journal_close(fixture->journal);
    fixture->journal = NULL;
}

void journal_fixture_refused(struct journal_fixture *fixture, int code, const char *words)
{
    struct err_text error = {""};
    struct journal *journal = NULL;
    struct journal_state state;
    int actual = journal_open(&fixture->options, &error, &journal, &state);
    if (actual != code || strstr(error.s, fixture->path) == NULL ||
        strstr(error.s, words) == NULL) {
        fail_msg("%d, and not %d with '%s': %s", actual, code, words, error.s);
    }
    assert_null(journal);
}

void journal_fixture_ok(struct journal_fixture *fixture, uint64_t first, uint64_t count)
{
    assert_int_equal(journal_note_done(fixture->journal, first, count), 0);
    fixture->counts.tally.ok += count;
    fixture->counts.tally.checksum += first * count;
    fixture->counts.chunks++;
}

void journal_fixture_failed(struct journal_fixture *fixture, uint64_t index, const char *reason)
{
    assert_int_equal(journal_note_done(fixture->journal, index, 1), 0);
    assert_int_equal(journal_note_failed(fixture->journal, index, 2, reason, strlen(reason)), 0);
    fixture->counts.tally.failed++;
    fixture->counts.chunks++;
}

bool journal_fixture_wait(struct journal_fixture *fixture, uint64_t group)
{
    while (journal_durable(fixture->journal) < group) {
        if (journal_error(fixture->journal, NULL) != 0) {
            return false;
        }
        while (sem_wait(&fixture->woken) != 0) {
            assert_int_equal(errno, EINTR);
        }
    }
    return true;
}

bool journal_fixture_commit(struct journal_fixture *fixture, bool last)
{
    uint64_t group = journal_group(fixture->journal);
    assert_true(last || journal_can_close(fixture->journal));
    journal_close_group(fixture->journal, &fixture->counts, &fixture->input, last);
    return journal_fixture_wait(fixture, group);
}

void journal_fixture_assert_done(struct journal_fixture *fixture,
                                 const struct interval *spans,
                                 size_t count)
{
    struct journal_state state;
    journal_fixture_open(fixture, &state);
    assert_int_equal(state.done.count, count);
    assert_memory_equal(state.done.spans, spans, count * sizeof(spans[0]));
    journal_state_deinit(&state);
    journal_fixture_close(fixture);
}

void journal_fixture_copy(const char *from, const char *to, size_t len)
{
    size_t all;
    char *bytes = read_fixture(from, &all);
    FILE *file = fopen(to, "w");
    assert_non_null(file);
    len = len < all ? len : all;
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    free(bytes);
}
