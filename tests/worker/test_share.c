/* Tests of worker/engine/share.c and carry.c: what becomes of results and records that an executor has left, right ones and
 * those of one that went wild. */
#include "worker/engine/chunk_run.h"
#include "worker/engine/share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Allocations of at least `fail_size` bytes fail; 0: none. */
static size_t fail_size;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
    return fail_size > 0 && size >= fail_size ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fail_size > 0 && size >= fail_size ? NULL : __real_realloc(old, size);
}

struct fixture {
    struct slot_record record;
    struct share share;
    struct blob *spare;
    char *memory; /* shared with an executor */
    struct record_buffer writer;
    struct slot_result *written;
};

enum { FIRST = 50, COUNT = 10 };

/* One chunk of COUNT items, begun, with no result yet. */
static int set_up(void **state)
{
    struct fixture *f = aligned_alloc(_Alignof(struct fixture), sizeof(*f));
    assert_non_null(f);
    f->spare = record_spare();
    f->memory = calloc(1, RECORDS_MAX);
    assert_true(f->spare != NULL && f->memory != NULL);
    record_buffer_init_fixed(&f->writer, f->memory, RECORDS_MAX);
    share_init(&f->share, &f->record, (struct share_policy){.chunks_max = 1});
    share_want_records(&f->share, f->spare, f->memory);
    *share_chunk(&f->share,
                 0) = (struct chunk){.id = {9}, .first = FIRST, .count = COUNT, .attempt = 2};
    f->share.issued = 1;
    f->share.limit = 1;
    slot_record_issue(&f->record, 0, 1);
    assert_true(slot_record_begin(&f->record, 0));
    f->written = slot_record_result(&f->record, 0);
    *f->written = (struct slot_result){.run_ns = 5000};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    fail_size = 0;
    blob_unref(f->spare);
    free(f->memory);
    free(f);
    return 0;
}

/* As the executor: `ok` items that succeeded. */
static void write_items(struct fixture *f, uint64_t ok)
{
    struct record record = {.status = RECORD_OK};
    assert_int_equal(record_buffer_repeat(&f->writer, &record, ok), ok);
    f->written->tally.ok += ok;
    f->written->records_len = (uint32_t)f->writer.len;
}

static struct chunk_result collect(struct fixture *f)
{
    struct chunk_result result;
    slot_record_publish(&f->record, 0);
    assert_int_equal(share_ready(&f->share), 1);
    share_collect(&f->share, &result);
    assert_int_equal(result.id.value, 9);
    assert_int_equal(result.attempt, 2);
    assert_int_equal(result.first, FIRST);
    assert_non_null(result.records);
    assert_int_equal(result.records_len, blob_len(result.records));
    uint64_t count = result.tally.ok + result.tally.failed;
    assert_in_range(count, 1, COUNT);
    assert_true(records_valid(blob_bytes(result.records), result.records_len, count));
    assert_null(f->share.carry);
    return result;
}

/* All of `failed` failed, and each record says why. */
static void assert_failed(struct chunk_result *result, uint64_t failed, const char *reason)
{
    struct record_cursor cursor;
    struct record record;
    assert_int_equal(result->tally.ok, 0);
    assert_int_equal(result->tally.failed, failed);
    assert_int_equal(result->tally.checksum, 0);
    assert_int_equal(result->error_index, FIRST);
    record_cursor_init(&cursor, blob_bytes(result->records), failed);
    while (record_cursor_next(&cursor, &record)) {
        assert_int_equal(record.status, RECORD_FAILED);
        assert_int_equal(record.reason_len, strlen(reason));
        assert_memory_equal(record.reason, reason, record.reason_len);
    }
    assert_int_equal(result->error_len, strlen(reason));
    assert_memory_equal(result->error, reason, result->error_len);
    chunk_result_deinit(result);
}

static void test_share_copies_what_an_executor_wrote(void **state)
{
    struct fixture *f = *state;
    write_items(f, COUNT);
    f->written->tally.checksum = 77;
    struct chunk_result result = collect(f);
    memset(f->memory, 0xff, 4096);
    assert_true(records_valid(blob_bytes(result.records), result.records_len, COUNT));
    assert_int_equal(result.tally.ok, COUNT);
    assert_int_equal(result.tally.checksum, 77);
    assert_int_equal(result.run_us, 5);
    assert_null(result.error);
    chunk_result_deinit(&result);
}

static void test_share_takes_results_of_chunks_that_ended_early(void **state)
{
    struct fixture *f = *state;
    write_items(f, 1);
    struct chunk_result result = collect(f);
    assert_int_equal(result.tally.ok, 1);
    assert_int_equal(result.tally.failed, 0);
    chunk_result_deinit(&result);
}

static const char wild_result[] = "its executor left a result that makes no sense";
static const char wild_records[] = "its executor left records that are none of these items'";

static void test_share_fails_a_chunk_whose_tally_is_impossible(void **state)
{
    static const struct tally impossible[] = {
        {.ok = 0},
        {.ok = COUNT + 1},
        {.ok = COUNT, .failed = 1},
        {.ok = 1, .failed = UINT64_MAX},
        {.ok = UINT64_MAX, .failed = COUNT},
    };
    for (size_t i = 0; i < sizeof(impossible) / sizeof(impossible[0]); i++) {
        if (i > 0) {
            (void)tear_down(state);
            (void)set_up(state);
        }
        struct fixture *f = *state;
        write_items(f, COUNT);
        f->written->tally = impossible[i];
        f->written->tally.checksum = 12345;
        struct chunk_result result = collect(f);
        assert_failed(&result, COUNT, wild_result);
    }
}

static void test_share_fails_items_whose_records_are_not_theirs(void **state)
{
    for (int wildness = 0; wildness < 6; wildness++) {
        if (wildness > 0) {
            (void)tear_down(state);
            (void)set_up(state);
        }
        struct fixture *f = *state;
        write_items(f, COUNT - 1);
        f->written->error_len = UINT32_MAX;
        switch (wildness) {
        case 0:
            f->written->records_len -= 1;
            break;
        case 1:
            f->written->records_len = UINT32_MAX;
            break;
        case 2:
            f->written->records_len = 0;
            break;
        case 3:
            f->memory[0] = 17;
            break; /* a status that there is not */
        case 4:
            memset(f->memory, 0xff, RECORD_HEAD_SIZE);
            break; /* lengths beyond everything */
        case 5:
            f->written->records_len -= RECORD_HEAD_SIZE;
            break; /* one too few */
        }
        struct chunk_result result = collect(f);
        assert_failed(&result, COUNT - 1, wild_records);
    }
}

static void test_share_appends_to_what_was_carried(void **state)
{
    struct fixture *f = *state;
    struct carry carry = {.run_ns = 2000};
    struct record crash = carry_failure(RECORD_CRASHED, "killed");
    carry_begin(&carry, f->spare);
    carry.run_ns = 2000;
    carry_fail(&carry, share_chunk(&f->share, 0), 2, &crash);
    f->share.carry = &carry;
    write_items(f, COUNT - 2);
    struct chunk_result result = collect(f);
    assert_int_equal(result.tally.ok, COUNT - 2);
    assert_int_equal(result.tally.failed, 2);
    assert_int_equal(result.error_index, FIRST);
    assert_int_equal(result.error_len, 6);
    assert_int_equal(result.run_us, 7);
    struct record_cursor cursor;
    struct record record;
    record_cursor_init(&cursor, blob_bytes(result.records), COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_true(record_cursor_next(&cursor, &record));
        assert_int_equal(record.status, i < 2 ? RECORD_CRASHED : RECORD_OK);
    }
    chunk_result_deinit(&result);
    carry_begin(&carry, NULL);
}

/* An executor that had no room for even one more item ends a chunk behind what was carried. */
static void test_share_takes_nothing_behind_what_was_carried(void **state)
{
    struct fixture *f = *state;
    struct carry carry = {.run_ns = 0};
    struct record crash = carry_failure(RECORD_CRASHED, "killed");
    carry_begin(&carry, f->spare);
    carry_fail(&carry, share_chunk(&f->share, 0), 3, &crash);
    f->share.carry = &carry;
    struct chunk_result result = collect(f);
    assert_int_equal(result.tally.failed, 3);
    chunk_result_deinit(&result);
    carry_begin(&carry, NULL);
}

static void test_share_without_memory_has_the_spare_record(void **state)
{
    struct fixture *f = *state;
    write_items(f, COUNT);
    fail_size = 400; /* the records; an error text can be had */
    struct chunk_result result = collect(f);
    assert_ptr_equal(result.records, f->spare);
    assert_failed(&result, 1, record_spare_reason);
}

static void test_share_gives_a_threads_own_records(void **state)
{
    struct fixture *f = *state;
    struct record_buffer own = {.len = 0};
    struct record record = {.status = RECORD_OK};
    assert_int_equal(record_buffer_repeat(&own, &record, COUNT), COUNT);
    share_want_records(&f->share, f->spare, NULL);
    struct blob *blob = record_buffer_take(&own);
    f->share.records[0] = blob;
    f->written->tally.ok = COUNT;
    struct chunk_result result = collect(f);
    assert_ptr_equal(result.records, blob);
    chunk_result_deinit(&result);
}

static void test_share_without_records_wants_every_item(void **state)
{
    struct fixture *f = *state;
    struct chunk_result result;
    share_want_records(&f->share, NULL, NULL);
    f->written->tally.ok = COUNT - 1;
    slot_record_publish(&f->record, 0);
    share_collect(&f->share, &result);
    assert_int_equal(result.tally.failed, COUNT);
    assert_int_equal(result.error_len, strlen(wild_result));
    assert_null(result.records);
    chunk_result_deinit(&result);
}

#define SHARE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHARE_TEST(test_share_copies_what_an_executor_wrote),
        SHARE_TEST(test_share_takes_results_of_chunks_that_ended_early),
        SHARE_TEST(test_share_fails_a_chunk_whose_tally_is_impossible),
        SHARE_TEST(test_share_fails_items_whose_records_are_not_theirs),
        SHARE_TEST(test_share_appends_to_what_was_carried),
        SHARE_TEST(test_share_takes_nothing_behind_what_was_carried),
        SHARE_TEST(test_share_without_memory_has_the_spare_record),
        SHARE_TEST(test_share_gives_a_threads_own_records),
        SHARE_TEST(test_share_without_records_wants_every_item),
    };
    return cmocka_run_group_tests_name("share", tests, NULL, NULL) != 0;
}
