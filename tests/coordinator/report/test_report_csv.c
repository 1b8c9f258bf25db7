/* The report as CSV and as Markdown: the same cells, quoted as each format wants it. */
#include "coordinator/report/report.h"
#include "tests/coordinator/report/report_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
    static struct fixture fixture;
    fixture_init_io(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_deinit(*state);
    return 0;
}

/* Split one record of RFC 4180 in place. Returns the number of fields; `*text` is then behind the record. */
static size_t read_record(char **text, char **fields, size_t max)
{
    size_t count = 0;
    char *in = *text;
    for (;;) {
        bool quoted = *in == '"';
        in += quoted;
        char *out = in;
        assert_true(count < max);
        fields[count++] = in;
        while (*in != '\0' && (quoted || (*in != ',' && *in != '\n'))) {
            if (quoted && *in == '"') {
                in++;
                if (*in != '"') {
                    break;
                }
            }
            *out++ = *in++;
        }
        char end = *in;
        in += end != '\0';
        *out = '\0';
        if (end != ',') {
            *text = in;
            return count;
        }
    }
}

enum { FIELDS_MAX = 64 };

struct record {
    char *fields[FIELDS_MAX];
};

/* Find a column by its name in the header, so that the test does not depend on the order. */
static const char *field(const struct record *header, const struct record *row, const char *name)
{
    for (size_t i = 0; i < FIELDS_MAX && header->fields[i] != NULL; i++) {
        if (strcmp(header->fields[i], name) == 0) {
            return row->fields[i];
        }
    }
    fail_msg("no column %s", name);
    return NULL;
}

static void test_csv_has_a_header_and_a_row_a_cell(void **state)
{
    struct fixture *fixture = *state;
    char *text = fixture_render(&fixture->report, report_write_csv);
    char *rest = text;
    struct record header = {{0}};
    size_t columns = read_record(&rest, header.fields, FIELDS_MAX);
    for (size_t i = 0; i < FIXTURE_CELLS; i++) {
        struct record row = {{0}};
        assert_int_equal(read_record(&rest, row.fields, FIELDS_MAX), columns);
        assert_string_equal(field(&header, &row, "workload"), "fetch");
        assert_string_equal(field(&header, &row, "parameters"), "delay=0.1");
        assert_string_equal(field(&header, &row, "has_time"), "true");
        assert_string_equal(field(&header, &row, "ok"), "192");
        if (i == FAR_THREADS) {
            assert_string_equal(field(&header, &row, "strategy"), "threads");
            assert_string_equal(field(&header, &row, "placement"), "distributed");
            assert_string_equal(field(&header, &row, "workers"), "2");
            assert_string_equal(field(&header, &row, "concurrency"), "16");
            assert_string_equal(field(&header, &row, "median_s"), "0.41");
            assert_string_equal(field(&header, &row, "checksum"), "0000000000005f0c");
        }
    }
    assert_string_equal(rest, "");
    free(text);
}

static void test_csv_quotes_what_needs_it(void **state)
{
    struct fixture *fixture = *state;
    (void)strcpy(fixture->cells[LOCAL_SERIAL].trouble, "said \"no\", twice\nand went");
    char *text = fixture_render(&fixture->report, report_write_csv);
    assert_contains(text, "\"no time: said \"\"no\"\", twice\nand went\",0,0,0,0,0,,\n");
    char *rest = text;
    struct record header = {{0}};
    struct record row = {{0}};
    (void)read_record(&rest, header.fields, FIELDS_MAX);
    (void)read_record(&rest, row.fields, FIELDS_MAX);
    assert_string_equal(field(&header, &row, "note"), "no time: said \"no\", twice\nand went");
    assert_string_equal(field(&header, &row, "median_s"), "");
    assert_string_equal(field(&header, &row, "speedup"), "");
    free(text);
}

static void test_csv_adds_up_what_was_run_twice(void **state)
{
    struct fixture *fixture = *state;
    fixture->samples[LOCAL_SERIAL][0].speculated = 3;
    fixture->samples[LOCAL_SERIAL][2].speculated = 1;
    fixture->samples[LOCAL_SERIAL][2].speculations_won = 1;
    fixture->samples[LOCAL_SERIAL][2].saved_s = 1.5;
    fixture->samples[LOCAL_SERIAL][1].adopted = 7;
    fixture->samples[LOCAL_SERIAL][1].late = 2;
    char *text = fixture_render(&fixture->report, report_write_csv);
    char *rest = text;
    struct record header = {{0}};
    struct record row = {{0}};
    (void)read_record(&rest, header.fields, FIELDS_MAX);
    (void)read_record(&rest, row.fields, FIELDS_MAX);
    assert_string_equal(field(&header, &row, "speculated"), "4");
    assert_string_equal(field(&header, &row, "speculations_won"), "1");
    assert_string_equal(field(&header, &row, "saved_s"), "1.5");
    assert_string_equal(field(&header, &row, "adopted"), "7");
    assert_string_equal(field(&header, &row, "late"), "2");
    free(text);
}

static void test_csv_sees_a_full_disk(void **state)
{
    struct fixture *fixture = *state;
    fixture_assert_full_disk_is_seen(&fixture->report, report_write_csv);
}

static void test_markdown_has_the_table_and_the_lines(void **state)
{
    struct fixture *fixture = *state;
    char *text = fixture_render(&fixture->report, report_write_markdown);
    assert_contains(
        text,
        "### fetch\n\n64 items, delay=0.1\n\n"
        "medians of 3 rounds after 1 warm-up; speed-up over serial; span: range/median\n\n"
        "| strategy | local: at once | seconds | span | speed-up | 2 workers: at once | "
        "seconds | span | speed-up |\n"
        "| :--- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        "| serial | 1 | 6.430 | 2 % | 1.00 | 2 | 3.220 | 2 % | 2.00 |\n");
    assert_contains(text, "| async | 100 | **0.105** | 2 % | 61.24 | 200 | **0.106** |");
    assert_contains(text, "\nresults agree: 64 items, checksum 0000000000005f0c, in all 8 cells\n");
    assert_contains(text, "\n**Verdict:** Locally async is fastest");
    free(text);
}

static void test_markdown_escapes_what_would_break_the_table(void **state)
{
    struct fixture *fixture = *state;
    (void)strcpy(fixture->cells[FAR_ASYNC].trouble, "a|b *c*\n<d>");
    char *text = fixture_render(&fixture->report, report_write_markdown);
    assert_contains(text, "| - (a) | - | - |");
    assert_contains(text, "\n(a) no time: a\\|b \\*c\\* \\<d\\>\n");
    free(text);
}

static void test_markdown_has_as_many_cells_in_every_row(void **state)
{
    struct fixture *fixture = *state;
    fixture->comparison.cell_count = FAR_ASYNC; /* no async and processes with workers */
    char *text = fixture_render(&fixture->report, report_write_markdown);
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        size_t bars = 0;
        for (const char *c = line; *line == '|' && *c != '\0'; c++) {
            bars += *c == '|';
        }
        assert_true(bars == 0 || bars == 10);
    }
    free(text);
}

static void test_markdown_sees_a_full_disk(void **state)
{
    struct fixture *fixture = *state;
    fixture_assert_full_disk_is_seen(&fixture->report, report_write_markdown);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_csv_has_a_header_and_a_row_a_cell),
        CASE(test_csv_quotes_what_needs_it),
        CASE(test_csv_adds_up_what_was_run_twice),
        CASE(test_csv_sees_a_full_disk),
        CASE(test_markdown_has_the_table_and_the_lines),
        CASE(test_markdown_escapes_what_would_break_the_table),
        CASE(test_markdown_has_as_many_cells_in_every_row),
        CASE(test_markdown_sees_a_full_disk),
    };
    return cmocka_run_group_tests_name("report_csv", tests, NULL, NULL);
}
