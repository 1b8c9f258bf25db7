/* The formats but NDJSON: tsv, csv, raw, the failed items and the job log, and their names. */
#include "common/base/rng.h"
#include "tests/coordinator/sink/sink_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { COLUMNS = 13 };

static struct text_fixture fixture;
static struct sink_style style;

static int setup(void **state)
{
    (void)state;
    text_fixture_init(&fixture);
    style = (struct sink_style){.separator = '\n'};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    text_fixture_clear(&fixture);
    return 0;
}

static struct sink_item plain(void)
{
    return (struct sink_item){
        FIXTURE_ITEM("a.txt"),
        .index = 3,
        .attempt = 1,
        .worker = "w1",
        .record = {.start_us = UINT64_C(1764010223000001),
                   .run_us = 1234,
                   FIXTURE_OUT("out"),
                   FIXTURE_ERR(""),
                   FIXTURE_REASON("")},
    };
}

static struct sink_item lost(void)
{
    struct sink_item item = plain();
    item.is_lost = true;
    item.record = (struct record){
        .status = RECORD_FAILED, FIXTURE_OUT(""), FIXTURE_ERR(""), FIXTURE_REASON("gone")};
    return item;
}

/* What a format says about the item; borrowed until the next call. */
static const char *written(const struct sink_format_ops *ops, const struct sink_item *item)
{
    text_fixture_clear(&fixture);
    ops->put_item(&fixture.text, &style, item);
    return text_fixture_all(&fixture, NULL);
}

static const char *header(const struct sink_format_ops *ops)
{
    text_fixture_clear(&fixture);
    ops->put_header(&fixture.text);
    return text_fixture_all(&fixture, NULL);
}

static void test_sink_format_is_found_by_its_name(void **state)
{
    (void)state;
    static const char *const names[] = {"ndjson", "tsv", "csv", "raw"};
    enum sink_format format = SINK_RAW;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(sink_format_from_name(names[i], &format, NULL), 0);
        assert_int_equal(format, i);
        assert_string_equal(sink_format_get(format)->name, names[i]);
    }
    struct err_text error;
    format = SINK_TSV;
    assert_int_equal(sink_format_from_name("json", &format, &error), ERR_NOT_FOUND);
    assert_non_null(strstr(error.s, "'json'"));
    for (int i = 0; i < 4; i++) {
        assert_non_null(strstr(error.s, names[i]));
    }
    assert_int_equal(format, SINK_TSV);
}

static void test_sink_tsv_writes_a_row(void **state)
{
    (void)state;
    struct sink_item item = plain();
    assert_string_equal(
        header(&sink_tsv_ops),
        "index\titem\tstatus\tattempt\tworker\tstart\tseconds\texit\tsignal\tvalue\t"
        "stdout\tstderr\treason\n");
    assert_string_equal(
        written(&sink_tsv_ops, &item),
        "3\ta.txt\tok\t1\tw1\t2025-11-24T18:50:23.000001Z\t0.001234\t\t\t\tout\t\t\n");
    item.bytes = NULL;
    item.number = 77;
    item.record.status = RECORD_CRASHED;
    item.record.exit_status = 2;
    item.record.signal = 11;
    item.record.flags = RECORD_HAS_VALUE;
    item.record.reason = "a\tb";
    item.record.reason_len = 3;
    assert_string_equal(
        written(&sink_tsv_ops, &item),
        "3\t77\tcrashed\t1\tw1\t2025-11-24T18:50:23.000001Z\t0.001234\t2\t11\t0\tout\t\ta\\tb\n");
    item = lost();
    assert_string_equal(written(&sink_tsv_ops, &item),
                        "3\ta.txt\tlost\t1\tw1\t\t\t\t\t\t\t\tgone\n");
}

static void test_sink_csv_writes_a_row(void **state)
{
    (void)state;
    struct sink_item item = plain();
    assert_string_equal(
        header(&sink_csv_ops),
        "index,item,status,attempt,worker,start,seconds,exit,signal,value,stdout,stderr,reason\n");
    item.bytes = "a,\"b\"\n";
    item.len = 6;
    style.exits = true;
    assert_string_equal(
        written(&sink_csv_ops, &item),
        "3,\"a,\"\"b\"\"\n\",ok,1,w1,2025-11-24T18:50:23.000001Z,0.001234,0,,,out,,\n");
    item = lost();
    assert_string_equal(written(&sink_csv_ops, &item), "3,a.txt,lost,1,w1,,,,,,,,gone\n");
}

struct field {
    char bytes[512];
    size_t len;
};

/* The fields of a row as PostgreSQL reads them. */
static size_t read_tsv(const char *row, size_t len, struct field *fields)
{
    size_t count = 0;
    fields[0].len = 0;
    for (size_t i = 0; i < len; i++) {
        struct field *field = &fields[count];
        if (row[i] == '\t' || row[i] == '\n') {
            fields[++count].len = 0;
        } else if (row[i] == '\\') {
            i++;
            field->bytes[field->len++] = row[i] == 't'   ? '\t'
                                         : row[i] == 'n' ? '\n'
                                         : row[i] == 'r' ? '\r'
                                                         : row[i];
        } else {
            field->bytes[field->len++] = row[i];
        }
    }
    return count;
}

/* The fields of a record as RFC 4180 reads them. */
static size_t read_csv(const char *row, size_t len, struct field *fields)
{
    size_t count = 0;
    bool is_quoted = false;
    fields[0].len = 0;
    for (size_t i = 0; i < len; i++) {
        struct field *field = &fields[count];
        if (is_quoted && row[i] == '"' && row[i + 1] == '"') {
            field->bytes[field->len++] = row[i++];
        } else if (row[i] == '"') {
            is_quoted = !is_quoted;
        } else if (!is_quoted && (row[i] == ',' || row[i] == '\n')) {
            fields[++count].len = 0;
        } else {
            field->bytes[field->len++] = row[i];
        }
    }
    assert_false(is_quoted);
    return count;
}

typedef size_t read_fn(const char *row, size_t len, struct field *fields);

/* Many of the bytes are the ones that need care. */
static size_t random_bytes(struct rng *rng, char *bytes, size_t size)
{
    static const char special[] = "\t\n\r\\,\"\0 ";
    size_t len = rng_below(rng, size);
    for (size_t i = 0; i < len; i++) {
        bytes[i] = rng_below(rng, 2) == 0 ? special[rng_below(rng, 8)] : (char)rng_next(rng);
    }
    return len;
}

static void check_random_bytes(const struct sink_format_ops *ops, read_fn *read, uint64_t seed)
{
    static struct field fields[COLUMNS + 1];
    char bytes[3][256];
    struct rng rng;
    rng_init(&rng, seed);
    for (int i = 0; i < 5000; i++) {
        struct sink_item item = plain();
        item.bytes = bytes[0];
        item.len = random_bytes(&rng, bytes[0], sizeof(bytes[0]));
        item.record.out = bytes[1];
        item.record.out_len = (uint32_t)random_bytes(&rng, bytes[1], sizeof(bytes[1]));
        item.record.reason = bytes[2];
        item.record.reason_len = (uint32_t)random_bytes(&rng, bytes[2], sizeof(bytes[2]));
        const char *row = written(ops, &item);
        assert_int_equal(read(row, fixture.len, fields), COLUMNS);
        assert_int_equal(fields[1].len, item.len);
        assert_memory_equal(fields[1].bytes, item.bytes, item.len);
        assert_int_equal(fields[10].len, item.record.out_len);
        assert_memory_equal(fields[10].bytes, item.record.out, item.record.out_len);
        assert_int_equal(fields[12].len, item.record.reason_len);
        assert_memory_equal(fields[12].bytes, item.record.reason, item.record.reason_len);
    }
}

static void test_sink_tsv_random_bytes_come_back(void **state)
{
    (void)state;
    check_random_bytes(&sink_tsv_ops, read_tsv, 1);
}

static void test_sink_csv_random_bytes_come_back(void **state)
{
    (void)state;
    check_random_bytes(&sink_csv_ops, read_csv, 2);
}

static void test_sink_tsv_row_is_one_line(void **state)
{
    (void)state;
    struct sink_item item = plain();
    item.record.out = "\n\r\n";
    item.record.out_len = 3;
    const char *row = written(&sink_tsv_ops, &item);
    assert_ptr_equal(strchr(row, '\n'), row + fixture.len - 1);
    assert_null(strchr(row, '\r'));
}

static void test_sink_raw_writes_outputs_as_they_are(void **state)
{
    (void)state;
    struct sink_item item = plain();
    item.record.out = "a\0b\xff";
    item.record.out_len = 4;
    const char *text = written(&sink_raw_ops, &item);
    assert_int_equal(fixture.len, 4);
    assert_memory_equal(text, "a\0b\xff", 4);
    item = lost();
    assert_string_equal(written(&sink_raw_ops, &item), "");
}

static void test_sink_raw_puts_separators_back_when_asked(void **state)
{
    (void)state;
    struct sink_item item = plain();
    style.raw_lines = true;
    assert_string_equal(written(&sink_raw_ops, &item), "out\n");
    item.record.out_len = 0;
    assert_string_equal(written(&sink_raw_ops, &item), "\n"); /* an empty line is a result */
    item.record.status = RECORD_FAILED;
    assert_string_equal(written(&sink_raw_ops, &item), ""); /* no result is none */
    item = lost();
    assert_string_equal(written(&sink_raw_ops, &item), "");
    item = plain();
    style.separator = '\0';
    assert_memory_equal(written(&sink_raw_ops, &item), "out\0", 4);
    assert_int_equal(fixture.len, 4);
}

static void test_sink_failures_writes_items_that_failed_as_they_were_given(void **state)
{
    (void)state;
    struct sink_item item = plain();
    assert_string_equal(written(&sink_failures_ops, &item), "");
    for (int status = RECORD_FAILED; status <= RECORD_CRASHED; status++) {
        item.record.status = (uint8_t)status;
        assert_string_equal(written(&sink_failures_ops, &item), "a.txt\n");
    }
    item = lost();
    style.separator = '\0';
    item.bytes = "x\ny";
    item.len = 3;
    assert_memory_equal(written(&sink_failures_ops, &item), "x\ny\0", 4);
    assert_int_equal(fixture.len, 4);
    style.separator = '\n';
    item.bytes = NULL;
    item.number = UINT64_MAX;
    assert_string_equal(written(&sink_failures_ops, &item), "18446744073709551615\n");
}

static void test_sink_joblog_has_the_columns_of_gnu_parallel(void **state)
{
    (void)state;
    struct sink_item item = plain();
    style.command = "gzip -9";
    assert_string_equal(
        header(&sink_joblog_ops),
        "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n");
    assert_string_equal(written(&sink_joblog_ops, &item),
                        "4\tw1\t1764010223.000\t     0.001\t0\t3\t0\t0\tgzip -9 a.txt\n");
    style.command = "cp {} {}.bak";
    assert_string_equal(written(&sink_joblog_ops, &item),
                        "4\tw1\t1764010223.000\t     0.001\t0\t3\t0\t0\tcp a.txt a.txt.bak\n");
    style.command = NULL;
    item.bytes = NULL;
    item.number = 12;
    assert_string_equal(written(&sink_joblog_ops, &item),
                        "4\tw1\t1764010223.000\t     0.001\t0\t3\t0\t0\t12\n");
}

static void test_sink_joblog_keeps_a_job_on_one_line(void **state)
{
    (void)state;
    struct sink_item item = plain();
    item.worker = "w\t1\n";
    item.bytes = "a\nb\r";
    item.len = 4;
    style.command = "x\n";
    assert_string_equal(written(&sink_joblog_ops, &item),
                        "4\tw?1?\t1764010223.000\t     0.001\t0\t3\t0\t0\tx\\n a\\nb\\r\n");
}

static void test_sink_joblog_says_of_every_failure_that_it_failed(void **state)
{
    (void)state;
    struct sink_item item = plain();
    item.record.status = RECORD_FAILED;
    item.record.exit_status = 7;
    assert_non_null(strstr(written(&sink_joblog_ops, &item), "\t7\t0\ta.txt\n"));
    item.record.exit_status = 0;
    item.record.signal = 9;
    assert_non_null(strstr(written(&sink_joblog_ops, &item), "\t0\t9\ta.txt\n"));
    item.record.signal = 0;
    assert_non_null(strstr(written(&sink_joblog_ops, &item), "\t-1\t0\ta.txt\n"));
    item = lost();
    item.worker = "";
    assert_string_equal(written(&sink_joblog_ops, &item),
                        "4\t-\t0.000\t     0.000\t0\t0\t-1\t0\ta.txt\n");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_sink_format_is_found_by_its_name),
        CASE(test_sink_tsv_writes_a_row),
        CASE(test_sink_csv_writes_a_row),
        CASE(test_sink_tsv_random_bytes_come_back),
        CASE(test_sink_csv_random_bytes_come_back),
        CASE(test_sink_tsv_row_is_one_line),
        CASE(test_sink_raw_writes_outputs_as_they_are),
        CASE(test_sink_raw_puts_separators_back_when_asked),
        CASE(test_sink_failures_writes_items_that_failed_as_they_were_given),
        CASE(test_sink_joblog_has_the_columns_of_gnu_parallel),
        CASE(test_sink_joblog_keeps_a_job_on_one_line),
        CASE(test_sink_joblog_says_of_every_failure_that_it_failed),
    };
    return cmocka_run_group_tests_name("sink_format", tests, NULL, NULL);
}
