/* Reports written, read again, and printed; and what others may say in place of one. */
#include "common/doctor/print.h"
#include "common/doctor/report.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct findings made(void)
{
    struct findings findings;
    assert_int_equal(findings_init(&findings, FINDINGS_MAX), 0);
    (void)findings_add(&findings, HEALTH_OK, "files", "enough");
    findings.subject = "tcp://10.0.0.1:5555";
    struct finding *finding = findings_add(
        &findings, HEALTH_WARN, "clock", "it says \"90 s\", and \xff\xfe");
    finding_advise(finding, "set it");
    finding_measure(finding, "offset_s", 90.5);
    finding_measure(finding, "error_s", (double)NAN);
    findings.subject = "";
    return findings;
}

static void test_report_has_what_was_found(void **state)
{
    (void)state;
    struct findings findings = made();
    json_t *report = report_of("worker", &findings);
    assert_non_null(report);
    assert_string_equal(json_string_value(json_object_get(report, "schema")), "quartet.doctor/1");
    assert_string_equal(json_string_value(json_object_get(report, "side")), "worker");
    assert_string_equal(json_string_value(json_object_get(report, "health")), "warn");
    const json_t *check = json_array_get(json_object_get(report, "checks"), 1);
    assert_string_equal(json_string_value(json_object_get(check, "text")),
                        "it says \"90 s\", and ??");
    assert_string_equal(json_string_value(json_object_get(check, "advice")), "set it");
    const json_t *figures = json_object_get(check, "figures");
    assert_true(json_real_value(json_object_get(figures, "offset_s")) == 90.5);
    assert_true(json_is_null(json_object_get(figures, "error_s")));
    assert_true(json_is_null(
        json_object_get(json_array_get(json_object_get(report, "checks"), 0), "advice")));
    json_decref(report);
    findings_deinit(&findings);
}

static void test_report_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct findings findings = made();
    struct findings again;
    json_t *report = report_of("worker", &findings);
    assert_int_equal(findings_init(&again, FINDINGS_MAX), 0);
    assert_int_equal(report_read(report, &again), 0);
    assert_int_equal(again.count, findings.count);
    for (size_t i = 0; i < again.count; i++) {
        assert_int_equal(again.list[i].health, findings.list[i].health);
        assert_string_equal(again.list[i].check, findings.list[i].check);
        assert_string_equal(again.list[i].subject, findings.list[i].subject);
        assert_string_equal(again.list[i].advice, findings.list[i].advice);
    }
    findings_deinit(&again);
    json_decref(report);
    findings_deinit(&findings);
}

/* In lines that a launcher does not cut. */
static void test_report_is_written_in_short_lines(void **state)
{
    (void)state;
    char path[] = "/tmp/quartet-report-XXXXXX";
    char line[4096];
    struct findings findings;
    struct err_text error = {{0}};
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(findings_init(&findings, FINDINGS_MAX), 0);
    finding_advise(findings_add(&findings, HEALTH_FAIL, "port", "%01000d", 0), "%01000d", 0);
    assert_int_equal(report_write(report_of("worker", &findings), path, &error), 0);
    FILE *file = fdopen(fd, "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        assert_true(strlen(line) < 512);
    }
    (void)fclose(file);
    (void)remove(path);
    findings_deinit(&findings);
}

static void test_report_that_cannot_be_written_is_said(void **state)
{
    (void)state;
    struct findings findings = made();
    struct err_text error = {{0}};
    assert_int_equal(report_write(report_of("worker", &findings), "/nonexistent/x", &error),
                     ERR_IO);
    assert_non_null(strstr(error.s, "/nonexistent/x"));
    findings_deinit(&findings);
}

static void test_report_of_somebody_hostile_is_refused_or_harmless(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "[]",
        "{\"schema\": \"quartet.doctor/1\"}",
        "{\"schema\": \"quartet.doctor/1\", \"checks\": {}}",
        "{\"schema\": \"quartet.doctor/2\", \"checks\": []}",
        "{\"schema\": 1, \"checks\": []}",
        "{\"schema\": \"quartet.doctor/1\", \"checks\": [1]}",
        "{\"schema\": \"quartet.doctor/1\", \"checks\": [{\"health\": \"fine\"}]}",
    };
    struct findings findings;
    assert_int_equal(findings_init(&findings, FINDINGS_MAX), 0);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        json_t *report = json_loads(texts[i], 0, NULL);
        assert_non_null(report);
        assert_int_equal(report_read(report, &findings), ERR_INVALID);
        json_decref(report);
    }
    json_t *report = json_loads(
        "{\"schema\": \"quartet.doctor/1\", \"checks\": [{\"health\": \"ok\", \"check\": "
        "\"\\u001b[2J\", \"subject\": \"\\u0007\", \"text\": \"\\u001b[2J\", \"advice\": 7}]}",
        0,
        NULL);
    assert_non_null(report);
    assert_int_equal(report_read(report, &findings), 0);
    const struct finding *finding = &findings.list[findings.count - 1];
    assert_string_equal(finding->check, "?");
    assert_string_equal(finding->subject, "?");
    assert_string_equal(finding->text, "?[2J");
    assert_string_equal(finding->advice, "");
    json_decref(report);
    findings_deinit(&findings);
}

static void test_print_puts_the_endpoint_above_and_the_advice_below(void **state)
{
    (void)state;
    struct findings findings = made();
    const struct print_options options = {.width = 60};
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    (void)findings_add(&findings, HEALTH_FAIL, "a-host-with-a-long-name", "gone");
    print_findings(stream, &options, &findings, 0);
    (void)fclose(stream);
    assert_string_equal(text,
                        "ok    files       enough\n"
                        "tcp://10.0.0.1:5555\n"
                        "warn  clock       it says \"90 s\", and ??\n"
                        "               -> set it\n"
                        "FAIL  a-host-with-a-long-name\n"
                        "                  gone\n");
    free(text);
    findings_deinit(&findings);
}

static void test_print_has_color_only_when_told(void **state)
{
    (void)state;
    for (int color = 0; color <= 1; color++) {
        char *text = NULL;
        size_t size = 0;
        FILE *stream = open_memstream(&text, &size);
        const struct print_options options = {.width = 80, .color = color != 0};
        print_health(stream, &options, HEALTH_FAIL);
        (void)fclose(stream);
        assert_string_equal(text, color != 0 ? "\x1b[1;31mFAIL\x1b[0m  " : "FAIL  ");
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report_has_what_was_found),
        cmocka_unit_test(test_report_is_read_as_it_was_written),
        cmocka_unit_test(test_report_is_written_in_short_lines),
        cmocka_unit_test(test_report_that_cannot_be_written_is_said),
        cmocka_unit_test(test_report_of_somebody_hostile_is_refused_or_harmless),
        cmocka_unit_test(test_print_puts_the_endpoint_above_and_the_advice_below),
        cmocka_unit_test(test_print_has_color_only_when_told),
    };
    return cmocka_run_group_tests_name("doctor_report", tests, NULL, NULL);
}
