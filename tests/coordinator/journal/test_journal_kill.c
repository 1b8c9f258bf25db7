/* A coordinator in small, killed with SIGKILL at random moments and started again, until it is done.
 * Each time what the journal has is what the outputs have, cut back to where it says; in the end
 * every item is in each output once.
 *
 * The process that is killed is this program too, as "test_journal_kill run DIRECTORY SEED ORDERED":
 * it notes results, puts them into a sink, and commits. */
#include "common/base/record.h"
#include "common/base/rng.h"
#include "tests/coordinator/journal/journal_fixture.h"
#include "tests/coordinator/sink/sink_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    ITEMS = 30000,
    BATCH_MAX = 40,
    AHEAD = 400,     /* how far results come before their turn */
    KILLS = 30,      /* of each kind of run */
    LIFE_MS = 25,    /* of a process, at most, before it is killed */
    FAILS_ONCE = 17, /* every 17th item fails at first, and is run again */
    FAILS = 101,     /* every 101st fails for good */
    PATH_SIZE = 600,
};

/* --- the process that is killed ------------------------------------------------------------ */

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, text.s);      \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

struct run {
    struct rng rng;
    struct journal *journal;
    struct sink *sink;
    sem_t woken;
    struct journal_counts counts;
    bool done[ITEMS];
    bool tried[ITEMS];
    uint64_t next; /* all before are done */
};

static struct err_text text;
static struct run run;

static void wake(void *arg)
{
    (void)sem_post(arg);
}

static void marked(void *arg, const struct sink_mark *mark)
{
    journal_marked(arg, mark);
}

static void put_waiting(const struct journal_state *state)
{
    for (size_t i = 0; i < state->waiting_count; i++) {
        MUST(sink_put(run.sink, &state->waiting[i]) == 0);
    }
}

/* Begin, or go on with what is there. */
static void begin(const char *directory, bool ordered)
{
    char paths[5][PATH_SIZE];
    static const char *const names[] = {"journal", "out", "failures", "log", "results"};
    for (size_t i = 0; i < 5; i++) {
        (void)snprintf(paths[i], PATH_SIZE, "%s/%s", directory, names[i]);
    }
    struct journal_state state = {0};
    struct journal_options options = {.path = paths[0], .wake = wake, .wake_arg = &run.woken};
    bool resume = access(paths[0], F_OK) == 0;
    int code = resume ? journal_open(&options, &text, &run.journal, &state)
                      : journal_create(&options, "job", 1, &text, &run.journal);
    if (code == ERR_INVALID && strstr(text.s, "is empty") != NULL) { /* killed in journal_create */
        MUST(remove(paths[0]) == 0);
        code = journal_create(&options, "job", 1, &text, &run.journal);
    }
    MUST(code == 0);
    journal_expect_marks(run.journal);
    struct sink_options sink_options = {
        .out = paths[1],
        .format = SINK_NDJSON,
        .keep_order = ordered,
        .failures = paths[2],
        .joblog = paths[3],
        .results = paths[4],
        .separator = '\n',
        .is_range = true,
        .marked = marked,
        .marked_arg = run.journal,
        .resume = resume,
        .cuts = state.cuts,
        .cut_count = state.cut_count,
        .next = state.next,
        .journal = paths[0],
    };
    MUST(sink_open(&sink_options, &text, &run.sink) == 0);
    for (size_t i = 0; i < state.done.count; i++) {
        for (uint64_t k = state.done.spans[i].first; k < state.done.spans[i].end; k++) {
            run.done[k] = true;
        }
    }
    run.counts = state.counts;
    put_waiting(&state);
    journal_state_deinit(&state);
}

static bool fails(uint64_t index)
{
    return index % FAILS == 0 || (index % FAILS_ONCE == 0 && !run.tried[index]);
}

/* An item was run; when it failed the first time it is not done. */
static void account(uint64_t index)
{
    bool failed = fails(index);
    bool again = failed && !run.tried[index];
    run.tried[index] = true;
    if (again) {
        return;
    }
    MUST(journal_note_done(run.journal, index, 1) == 0);
    if (failed) {
        MUST(journal_note_failed(run.journal, index, 2, "no luck", 7) == 0);
    }
    run.done[index] = true;
    run.counts.tally.ok += !failed;
    run.counts.tally.failed += failed;
    run.counts.tally.checksum += index * index;
}

/* A result of the items from `first` on that are not done; failed ones are run again once. */
static void put_batch(uint64_t first)
{
    static char bytes[BATCH_MAX * RECORD_HEAD_SIZE];
    static const char *const workers[] = {"w1", "w2", "w3"};
    uint64_t max = 1 + rng_below(&run.rng, BATCH_MAX);
    size_t len = 0;
    uint64_t count = 0;
    /* Of one batch all that fail are withheld, or none. */
    while (count < max && first + count < ITEMS && !run.done[first + count] &&
           run.tried[first + count] == run.tried[first]) {
        struct record record = {.status = fails(first + count) ? RECORD_FAILED : RECORD_OK,
                                .out = "",
                                .err = "",
                                .reason = ""};
        record_write(&record, bytes + len);
        len += record_size(&record);
        count++;
    }
    bool withhold = !run.tried[first];
    for (uint64_t i = first; i < first + count; i++) {
        account(i);
    }
    char *copy = malloc(len);
    MUST(copy != NULL);
    memcpy(copy, bytes, len);
    struct sink_batch batch = {
        .first = first,
        .count = count,
        .records = blob_new(copy, len, NULL, NULL),
        .records_len = len,
        .withhold_failed = withhold,
        .attempt = withhold ? 1 : 2,
        .worker = workers[rng_below(&run.rng, 3)],
    };
    MUST(sink_put(run.sink, &batch) == 0);
    blob_unref(batch.records);
}

static void close_group(bool last)
{
    const struct journal_input input = {.items = ITEMS, .final = true};
    uint64_t group = journal_group(run.journal);
    journal_close_group(run.journal, &run.counts, &input, last);
    MUST(sink_put_mark(run.sink, group) == 0);
}

static void wait_durable(void)
{
    while (journal_durable(run.journal) + 1 < journal_group(run.journal)) {
        MUST(journal_error(run.journal, &text) == 0 && sink_error(run.sink, &text, NULL) == 0);
        (void)sem_wait(&run.woken);
    }
}

/* The first item that is not done. */
static uint64_t find_next(void)
{
    while (run.next < ITEMS && run.done[run.next]) {
        run.next++;
    }
    return run.next;
}

static int be_coordinator(const char *directory, uint64_t seed, bool ordered)
{
    rng_init(&run.rng, seed);
    (void)sem_init(&run.woken, 0, 0);
    begin(directory, ordered);
    while (find_next() < ITEMS) {
        uint64_t first = run.next + rng_below(&run.rng, 3) * rng_below(&run.rng, AHEAD);
        while (first < ITEMS && run.done[first]) {
            first++;
        }
        if (first < ITEMS) {
            put_batch(first);
        }
        if (journal_can_close(run.journal)) {
            close_group(false);
        }
        if (rng_below(&run.rng, 3) == 0) {
            wait_durable();
        }
    }
    wait_durable();
    close_group(true);
    wait_durable();
    MUST(sink_close(run.sink, NULL, &text, NULL) == 0);
    journal_close(run.journal);
    return 0;
}

/* --- the one that kills and looks ---------------------------------------------------------- */

static char *directory;
static struct rng rng;

static pid_t start(uint64_t seed, bool ordered)
{
    char name[] = "test_journal_kill";
    char word[] = "run";
    char seed_text[24];
    char ordered_text[] = "0";
    (void)snprintf(seed_text, sizeof(seed_text), "%" PRIu64, seed);
    ordered_text[0] = ordered ? '1' : '0';
    char *arguments[] = {name, word, directory, seed_text, ordered_text, NULL};
    pid_t pid;
    assert_int_equal(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ), 0);
    return pid;
}

/* Let it live for a while, or, at last, as long as it takes. Returns whether it has ended by itself,
 * which it must have done well. */
static bool kill_soon(pid_t pid, bool kills)
{
    const struct timespec life = {.tv_nsec = 1000 * (long)rng_below(&rng, LIFE_MS * 1000)};
    int status;
    if (kills) {
        (void)nanosleep(&life, NULL);
        (void)kill(pid, SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
        return false;
    }
    assert_int_equal(status, 0);
    return true;
}

/* Count the items of the first `length` bytes, which are whole lines of NDJSON. */
static void count_lines(const char *path, size_t length, unsigned *seen, bool ordered)
{
    size_t len;
    uint64_t before = 0;
    char *content = read_fixture(path, &len);
    assert_true(length <= len);
    assert_true(length == 0 || content[length - 1] == '\n');
    for (const char *line = content; line < content + length; line = strchr(line, '\n') + 1) {
        static const char head[] = "{\"index\":";
        assert_int_equal(strncmp(line, head, strlen(head)), 0);
        unsigned long index = strtoul(line + strlen(head), NULL, 10);
        assert_true(index < ITEMS);
        assert_true(!ordered || line == content || index > before);
        before = index;
        seen[index]++;
    }
    free(content);
}

/* The same of a job log, whose first column is the index + 1, behind a header. */
static void count_log(const char *path, size_t length, unsigned *seen)
{
    size_t len;
    char *content = read_fixture(path, &len);
    assert_true(length > 0 && length <= len && content[length - 1] == '\n');
    const char *line = strchr(content, '\n') + 1;
    for (; line < content + length; line = strchr(line, '\n') + 1) {
        unsigned long number = strtoul(line, NULL, 10);
        assert_true(number >= 1 && number <= ITEMS);
        seen[number - 1]++;
    }
    free(content);
}

/* Items that wait are in the ordered output only once they are written. */
static void count_waiting(const struct journal_state *state, unsigned *seen)
{
    for (size_t i = 0; i < state->waiting_count; i++) {
        const struct sink_batch *batch = &state->waiting[i];
        struct record_cursor cursor;
        struct record record;
        record_cursor_init(&cursor, blob_bytes(batch->records), batch->count);
        for (uint64_t k = batch->first; record_cursor_next(&cursor, &record); k++) {
            bool is_withheld = batch->withhold_failed && record.status != RECORD_OK;
            seen[k] += k >= state->next && !is_withheld;
        }
    }
}

static void assert_seen(const struct interval_set *done, const unsigned *seen)
{
    for (uint64_t i = 0; i < ITEMS; i++) {
        if (seen[i] != interval_contains(done, i)) {
            fail_msg("item %d was written %u times", (int)i, seen[i]);
        }
    }
}

/* Outputs of a run that is complete end where the journal says, and there are no others. */
static void check_lengths(const struct journal_state *state)
{
    size_t files = 0;
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/results", directory);
    DIR *results = opendir(path);
    assert_non_null(results);
    for (const struct dirent *entry = readdir(results); entry != NULL; entry = readdir(results)) {
        const char *ending = strrchr(entry->d_name, '.');
        files += ending != NULL &&
                 strcmp(ending, ".ndjson") == 0; /* and not set aside after a kill */
    }
    (void)closedir(results);
    assert_int_equal(state->cut_count, files + 3);
    for (size_t i = 0; i < state->cut_count; i++) {
        struct stat status;
        assert_int_equal(stat(state->cuts[i].path, &status), 0);
        assert_int_equal(status.st_size, state->cuts[i].length);
    }
}

/* What is in the outputs up to where the journal says is what it says is done. */
static void check(const struct journal_state *state, bool ordered)
{
    static unsigned out[ITEMS];
    static unsigned log[ITEMS];
    static unsigned results[ITEMS];
    memset(out, 0, sizeof(out));
    memset(log, 0, sizeof(log));
    memset(results, 0, sizeof(results));
    assert_true(state->cut_count >= 3 || state->done.count == 0);
    for (size_t i = 0; i < state->cut_count; i++) {
        const struct sink_place *cut = &state->cuts[i];
        const char *name = strrchr(cut->path, '/') + 1;
        if (strcmp(name, "out") == 0) {
            count_lines(cut->path, cut->length, out, ordered);
        } else if (strcmp(name, "log") == 0) {
            count_log(cut->path, cut->length, log);
        } else if (strstr(name, ".ndjson") != NULL) {
            count_lines(cut->path, cut->length, results, false);
        }
    }
    count_waiting(state, out);
    assert_seen(&state->done, out);
    assert_seen(&state->done, log);
    assert_seen(&state->done, results);
    assert_int_equal(state->counts.tally.ok + state->counts.tally.failed, state->done.members);
}

static void copy_ending(const char *ending)
{
    char from[PATH_SIZE];
    char to[PATH_SIZE];
    (void)snprintf(from, sizeof(from), "%s/journal%s", directory, ending);
    (void)snprintf(to, sizeof(to), "%s/copy%s", directory, ending);
    (void)remove(to);
    if (access(from, F_OK) == 0) {
        journal_fixture_copy(from, to, SIZE_MAX);
    }
}

/* Look at a copy of the journal, so that whoever comes next finds what the crash left. `has_ended`:
 * its process came to its end. Returns whether the job is complete: it may be killed just then. */
static bool look(bool ordered, bool has_ended)
{
    static const char *const endings[] = {"", "-wal", "-journal"};
    char path[PATH_SIZE];
    struct stat status;
    struct err_text error;
    struct journal *journal;
    struct journal_state state;
    for (size_t i = 0; i < 3; i++) {
        copy_ending(endings[i]);
    }
    (void)snprintf(path, sizeof(path), "%s/copy", directory);
    if (stat(path, &status) != 0 || status.st_size == 0) {
        assert_false(has_ended); /* killed before it had made one */
        return false;
    }
    const struct journal_options options = {.path = path};
    if (journal_open(&options, &error, &journal, &state) != 0) {
        if (!has_ended && strstr(error.s, "is empty") != NULL) {
            return false;
        }
        fail_msg("%s", error.s);
    }
    check(&state, ordered);
    bool is_complete = state.complete;
    assert_true(is_complete || !has_ended);
    if (is_complete) {
        assert_true(state.done.members == ITEMS && state.done.count == 1);
        check_lengths(&state);
    }
    journal_state_deinit(&state);
    journal_close(journal);
    return is_complete;
}

/* One run, begun again after each kill until it is complete. Returns how often it was killed. */
static int run_once(uint64_t seed, bool ordered)
{
    int kills = 0;
    bool is_complete = false;
    directory = directory_fixture_new();
    while (!is_complete) {
        pid_t pid = start(seed * 1000 + (uint64_t)kills, ordered);
        bool has_ended = kill_soon(pid, kills < KILLS);
        kills += !has_ended;
        is_complete = look(ordered, has_ended);
    }
    directory_fixture_free(directory);
    return kills;
}

static void run_killed(bool ordered)
{
    int kills = 0;
    uint64_t seed = 1;
    rng_init(&rng, seed);
    for (; kills < KILLS && seed < 2 * KILLS; seed++) {
        kills += run_once(seed, ordered);
    }
    print_message("killed %d times in %d runs\n", kills, (int)seed - 1);
    assert_true(kills > 0);
}

static void test_journal_and_outputs_agree_after_a_kill(void **state)
{
    (void)state;
    run_killed(false);
}

static void test_journal_and_ordered_outputs_agree_after_a_kill(void **state)
{
    (void)state;
    run_killed(true);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_journal_and_outputs_agree_after_a_kill),
        cmocka_unit_test(test_journal_and_ordered_outputs_agree_after_a_kill),
    };
    if (argc == 5 && strcmp(argv[1], "run") == 0) {
        return be_coordinator(argv[2], strtoull(argv[3], NULL, 10), argv[4][0] == '1');
    }
    return cmocka_run_group_tests_name("journal_kill", tests, journal_fixture_in_memory, NULL);
}
