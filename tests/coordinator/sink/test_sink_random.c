/* The sink as a whole: what comes back of random runs with retries, held against a model. */
#include "common/base/rng.h"
#include "coordinator/sink/sink.h"
#include "tests/coordinator/sink/sink_fixture.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *directory;
static struct sink_options options;
static struct sink *sink;

static int setup(void **state)
{
    (void)state;
    directory = directory_fixture_new();
    options = (struct sink_options){.separator = '\n', .format = SINK_RAW};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    directory_fixture_free(directory);
    return 0;
}

static const char *path(const char *name)
{
    return path_fixture(directory, name);
}

/* --- the model --- */

enum { ITEMS = 1500, ATTEMPTS_MAX = 3, BYTES_MAX = 40, WORKERS = 3 };

/* An item as the model knows it: how it goes at each attempt. */
struct model_item {
    char bytes[BYTES_MAX];
    char out[BYTES_MAX];
    char err[BYTES_MAX];
    struct item_fixture last; /* what it came to in the end */
    unsigned failures;        /* attempts that fail before one succeeds */
    uint32_t attempt;         /* how many were made */
    bool is_lost;             /* lost for good at some point */
    unsigned worker;
};

struct piece {
    uint64_t first;
    uint64_t count;
    uint32_t attempt;
};

struct model {
    struct rng rng;
    struct model_item items[ITEMS];
    struct piece pieces[ITEMS]; /* that are still to be put */
    size_t piece_count;
    struct blob *payload; /* of all items */
};

static size_t random_bytes(struct rng *rng, char *bytes)
{
    size_t len = rng_below(rng, BYTES_MAX);
    bool is_text = rng_below(rng, 2) == 0;
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (char)(is_text ? 'a' + rng_below(rng, 26) : rng_next(rng));
    }
    return len;
}

static void add_piece(struct model *model, uint64_t first, uint64_t count, uint32_t attempt)
{
    assert_true(model->piece_count < ITEMS);
    model->pieces[model->piece_count++] = (struct piece){
        .first = first, .count = count, .attempt = attempt};
}

static struct model *model_new(uint64_t seed)
{
    struct model *model = calloc(1, sizeof(*model));
    static struct item_fixture all[ITEMS];
    assert_non_null(model);
    rng_init(&model->rng, seed);
    for (size_t i = 0; i < ITEMS; i++) {
        struct model_item *item = &model->items[i];
        struct item_fixture *last = &item->last;
        last->bytes = item->bytes;
        last->len = random_bytes(&model->rng, item->bytes);
        last->record.out = item->out;
        last->record.out_len = (uint32_t)random_bytes(&model->rng, item->out);
        last->record.err = item->err;
        last->record.err_len = (uint32_t)random_bytes(&model->rng, item->err);
        item->failures = rng_below(&model->rng, 4) == 0 ? 1 + (unsigned)rng_below(&model->rng, 4)
                                                        : 0;
        all[i] = *last;
    }
    model->payload = payload_fixture(all, ITEMS);
    for (uint64_t first = 0; first < ITEMS;) {
        uint64_t count = 1 + rng_below(&model->rng, 30);
        count = count < ITEMS - first ? count : ITEMS - first;
        add_piece(model, first, count, 1);
        first += count;
    }
    return model;
}

static void model_free(struct model *model)
{
    blob_unref(model->payload);
    free(model);
}

static const char *worker_name(unsigned worker)
{
    static const char *const names[WORKERS] = {"local", "w/1", "w2"};
    return names[worker];
}

static void put_lost(const struct model *model, struct sink_batch *batch, struct model_item *items)
{
    for (uint64_t i = 0; i < batch->count; i++) {
        items[i].is_lost = true;
        items[i].attempt = batch->attempt;
        items[i].last.record = (struct record){.status = RECORD_FAILED};
    }
    batch->lost = "its worker died";
    batch->payload = model->payload;
    assert_int_equal(sink_put(sink, batch), 0);
}

/* Runs of items that failed and have attempts left are pieces again. */
static void put_back(struct model *model, const struct piece *piece, const bool *again)
{
    uint64_t run = 0;
    for (uint64_t i = 0; i <= piece->count; i++) {
        if (i < piece->count && again[i]) {
            run++;
        } else if (run > 0) {
            add_piece(model, piece->first + i - run, run, piece->attempt + 1);
            run = 0;
        }
    }
}

static void put_run(struct model *model, const struct piece *piece, struct sink_batch *batch)
{
    struct item_fixture records[ITEMS];
    bool again[ITEMS];
    for (uint64_t i = 0; i < piece->count; i++) {
        struct model_item *item = &model->items[piece->first + i];
        bool fails = piece->attempt <= item->failures;
        item->last.record.status = fails ? RECORD_FAILED + (uint8_t)rng_below(&model->rng, 3)
                                         : RECORD_OK;
        item->attempt = piece->attempt;
        again[i] = fails && piece->attempt < ATTEMPTS_MAX;
        records[i] = item->last;
    }
    struct blob *blob = records_fixture(records, piece->count);
    batch->payload = model->payload;
    batch->records = blob;
    batch->records_len = blob_len(blob);
    batch->withhold_failed = piece->attempt < ATTEMPTS_MAX;
    assert_int_equal(sink_put(sink, batch), 0);
    blob_unref(blob);
    put_back(model, piece, again);
}

/* Put one piece, chosen at random; it may end early: what it did not get to is a piece again. */
static void put_some(struct model *model)
{
    size_t at = rng_below(&model->rng, model->piece_count);
    struct piece piece = model->pieces[at];
    model->pieces[at] = model->pieces[--model->piece_count];
    if (piece.count > 1 && rng_below(&model->rng, 5) == 0) {
        uint64_t done = 1 + rng_below(&model->rng, piece.count - 1);
        add_piece(model, piece.first + done, piece.count - done, piece.attempt);
        piece.count = done;
    }
    unsigned worker = (unsigned)rng_below(&model->rng, WORKERS);
    struct sink_batch batch = {
        .first = piece.first,
        .count = piece.count,
        .payload_first = 0,
        .payload_count = ITEMS,
        .attempt = piece.attempt,
        .worker = worker_name(worker),
    };
    for (uint64_t i = 0; i < piece.count; i++) {
        model->items[piece.first + i].worker = worker;
    }
    if (rng_below(&model->rng, 40) == 0) {
        put_lost(model, &batch, &model->items[piece.first]);
    } else {
        put_run(model, &piece, &batch);
    }
}

static void assert_bytes(const json_t *object, const char *key, const char *bytes, size_t len)
{
    char back[BYTES_MAX * 2];
    char key_base64[32];
    (void)snprintf(key_base64, sizeof(key_base64), "%s_base64", key);
    const json_t *text = json_object_get(object, key);
    const json_t *base64 = json_object_get(object, key_base64);
    if (base64 != NULL) {
        assert_null(text);
        assert_int_equal(base64_fixture(json_string_value(base64), back), len);
        assert_memory_equal(back, bytes, len);
    } else if (text != NULL) {
        assert_int_equal(json_string_length(text), len);
        assert_memory_equal(json_string_value(text), bytes, len);
    } else {
        assert_int_equal(len, 0);
    }
}

/* The line is what the model says of the item; returns its index. */
static uint64_t check_line(const struct model *model, const char *line, size_t len)
{
    static const char *const names[] = {"ok", "failed", "timeout", "crashed"};
    json_error_t error;
    json_t *object = json_loadb(line, len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
    if (object == NULL) {
        fail_msg("%s: %.*s", error.text, (int)len, line);
    }
    uint64_t index = (uint64_t)json_integer_value(json_object_get(object, "index"));
    assert_true(index < ITEMS);
    const struct model_item *item = &model->items[index];
    const struct record *record = &item->last.record;
    assert_bytes(object, "item", item->last.bytes, item->last.len);
    assert_bytes(object, "stdout", record->out, record->out_len);
    assert_bytes(object, "stderr", record->err, record->err_len);
    assert_int_equal(json_integer_value(json_object_get(object, "attempt")), item->attempt);
    assert_string_equal(json_string_value(json_object_get(object, "worker")),
                        worker_name(item->worker));
    assert_string_equal(json_string_value(json_object_get(object, "status")),
                        item->is_lost ? "lost" : names[record->status]);
    json_decref(object);
    return index;
}

/* Every line of a file is right; counts how often each item is there, and returns the lines. */
static size_t check_lines(const struct model *model, const char *name, unsigned *seen, bool ordered)
{
    size_t len;
    size_t count = 0;
    uint64_t before = 0;
    char *content = read_fixture(path(name), &len);
    for (char *line = content; line < content + len; count++) {
        char *newline = memchr(line, '\n', (size_t)(content + len - line));
        assert_non_null(newline);
        uint64_t index = check_line(model, line, (size_t)(newline - line));
        assert_true(!ordered || count == 0 || index > before);
        before = index;
        seen[index]++;
        line = newline + 1;
    }
    free(content);
    return count;
}

/* A failed item that is there as often as the model says, whatever the order. Items may contain
 * NULs, which are the separators here too: then parts of them are compared, so sums of all bytes
 * are. */
static void check_failures(const struct model *model)
{
    size_t len;
    size_t bytes_left[256] = {0};
    size_t expected = 0;
    char *content = read_fixture(path("failures"), &len);
    for (size_t i = 0; i < len; i++) {
        bytes_left[(unsigned char)content[i]]++;
    }
    for (size_t i = 0; i < ITEMS; i++) {
        const struct item_fixture *item = &model->items[i].last;
        if (item->record.status != RECORD_OK) {
            expected += item->len + 1;
            bytes_left[0]--;
            for (size_t k = 0; k < item->len; k++) {
                bytes_left[(unsigned char)item->bytes[k]]--;
            }
        }
    }
    assert_int_equal(len, expected);
    for (size_t i = 0; i < 256; i++) {
        assert_int_equal(bytes_left[i], 0);
    }
    free(content);
}

static void check_joblog(void)
{
    size_t len;
    size_t lines = 0;
    char *content = read_fixture(path("joblog"), &len);
    for (size_t i = 0; i < len; i++) {
        lines += content[i] == '\n';
    }
    assert_int_equal(lines, ITEMS + 1);
    free(content);
}

static void check_all_seen_once(const unsigned *seen)
{
    for (size_t i = 0; i < ITEMS; i++) {
        assert_int_equal(seen[i], 1);
    }
}

static void run_random(uint64_t seed, bool keep_order)
{
    unsigned out[ITEMS] = {0};
    unsigned results[ITEMS] = {0};
    struct model *model = model_new(seed);
    options.out = path("out");
    options.format = SINK_NDJSON;
    options.keep_order = keep_order;
    options.failures = path("failures");
    options.joblog = path("joblog");
    options.results = path("results");
    options.separator = '\0';
    sink = open_fixture(&options);
    while (model->piece_count > 0) {
        put_some(model);
    }
    close_fixture(sink);
    assert_int_equal(check_lines(model, "out", out, keep_order), ITEMS);
    check_all_seen_once(out);
    (void)check_lines(model, "results/local.ndjson", results, false);
    (void)check_lines(model, "results/w%2F1.ndjson", results, false);
    (void)check_lines(model, "results/w2.ndjson", results, false);
    check_all_seen_once(results);
    check_failures(model);
    check_joblog();
    model_free(model);
}

static void test_sink_writes_each_item_once_in_order_whatever_order_it_came_in(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        run_random(seed, true);
    }
}

static void test_sink_writes_each_item_once_as_they_come(void **state)
{
    (void)state;
    for (uint64_t seed = 101; seed <= 105; seed++) {
        run_random(seed, false);
    }
}

static void test_sink_raw_in_order_is_the_input_again(void **state)
{
    (void)state;
    struct model *model = model_new(7);
    options.out = path("out");
    options.keep_order = true;
    options.raw_lines = true;
    options.separator = '\0';
    for (size_t i = 0; i < ITEMS; i++) { /* as cat */
        model->items[i].failures %= 2;
        model->items[i].last.record.out = model->items[i].last.bytes;
        model->items[i].last.record.out_len = (uint32_t)model->items[i].last.len;
    }
    sink = open_fixture(&options);
    while (model->piece_count > 0) {
        put_some(model);
    }
    close_fixture(sink);
    size_t len;
    size_t at = 0;
    char *content = read_fixture(path("out"), &len);
    for (size_t i = 0; i < ITEMS; i++) {
        const struct item_fixture *item = &model->items[i].last;
        if (!model->items[i].is_lost) {
            assert_true(at + item->len < len);
            assert_memory_equal(content + at, item->bytes, item->len);
            assert_int_equal(content[at + item->len], '\0');
            at += item->len + 1;
        }
    }
    assert_int_equal(at, len);
    free(content);
    model_free(model);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_sink_writes_each_item_once_in_order_whatever_order_it_came_in),
        CASE(test_sink_writes_each_item_once_as_they_come),
        CASE(test_sink_raw_in_order_is_the_input_again),
    };
    return cmocka_run_group_tests_name("sink_random", tests, NULL, NULL);
}
