/* Lists of findings, and how they are judged together. */
#include "common/doctor/finding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 4 };

static int setup(void **state)
{
    static struct findings findings;
    *state = &findings;
    return findings_init(&findings, ROOM);
}

static int teardown(void **state)
{
    findings_deinit(*state);
    return 0;
}

static void test_findings_keep_what_was_found_in_order(void **state)
{
    struct findings *findings = *state;
    findings->subject = "tcp://10.0.0.1:5555";
    struct finding *finding = findings_add(findings, HEALTH_WARN, "clock", "%d s", 7);
    finding_advise(finding, "set %s", "it");
    finding_measure(finding, "offset_s", 7);
    (void)findings_add(findings, HEALTH_OK, "room", "enough");
    assert_int_equal(findings->count, 2);
    finding = &findings->list[0];
    assert_string_equal(finding->check, "clock");
    assert_string_equal(finding->subject, "tcp://10.0.0.1:5555");
    assert_string_equal(finding->text, "7 s");
    assert_string_equal(finding->advice, "set it");
    assert_int_equal(finding->figure_count, 1);
    assert_string_equal(findings->list[1].advice, "");
}

static void test_findings_quote_nothing_that_drives_a_terminal(void **state)
{
    struct findings *findings = *state;
    struct finding *finding = findings_add(findings, HEALTH_OK, "name", "a\x1b[2J\nb");
    finding_advise(finding, "c\x07");
    assert_string_equal(finding->text, "a?[2J?b");
    assert_string_equal(finding->advice, "c?");
}

static void test_findings_cut_what_is_too_long(void **state)
{
    struct findings *findings = *state;
    struct finding *finding = findings_add(findings, HEALTH_OK, "name", "%01000d", 0);
    assert_int_equal(strlen(finding->text), FINDING_TEXT_SIZE - 1);
}

static void test_findings_beyond_the_room_are_counted_and_judged(void **state)
{
    struct findings *findings = *state;
    for (int i = 0; i < ROOM + 2; i++) {
        enum health health = i == ROOM ? HEALTH_FAIL : HEALTH_OK;
        finding_advise(findings_add(findings, health, "port", "no %d", i), "x");
    }
    assert_int_equal(findings->count, ROOM);
    assert_int_equal(findings->left_out, 2);
    assert_int_equal(findings_worst(findings, 0), HEALTH_FAIL);
}

static void test_findings_worst_is_that_of_the_rest(void **state)
{
    struct findings *findings = *state;
    (void)findings_add(findings, HEALTH_FAIL, "a", "x");
    (void)findings_add(findings, HEALTH_WARN, "b", "x");
    (void)findings_add(findings, HEALTH_OK, "c", "x");
    assert_int_equal(findings_worst(findings, 0), HEALTH_FAIL);
    assert_int_equal(findings_worst(findings, 1), HEALTH_WARN);
    assert_int_equal(findings_worst(findings, 2), HEALTH_OK);
    assert_int_equal(findings_worst(findings, 3), HEALTH_OK);
}

static void test_findings_are_excused_where_there_is_another_way(void **state)
{
    struct findings *findings = *state;
    (void)findings_add(findings, HEALTH_FAIL, "files", "x");
    (void)findings_add(findings, HEALTH_FAIL, "port", "x");
    (void)findings_add(findings, HEALTH_OK, "route", "x");
    (void)findings_add(findings, HEALTH_FAIL, "name", "x");
    findings_excuse(findings, 1, 3, "another one works");
    assert_int_equal(findings->list[0].health, HEALTH_FAIL);
    assert_int_equal(findings->list[1].health, HEALTH_WARN);
    assert_string_equal(findings->list[1].advice, "another one works");
    assert_int_equal(findings->list[2].health, HEALTH_OK);
    assert_string_equal(findings->list[2].advice, "");
    assert_int_equal(findings->list[3].health, HEALTH_FAIL);
}

static void test_health_has_names(void **state)
{
    (void)state;
    assert_string_equal(health_name(HEALTH_OK), "ok");
    assert_string_equal(health_name(HEALTH_WARN), "warn");
    assert_string_equal(health_name(HEALTH_FAIL), "FAIL");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_findings_keep_what_was_found_in_order),
        TEST(test_findings_quote_nothing_that_drives_a_terminal),
        TEST(test_findings_cut_what_is_too_long),
        TEST(test_findings_beyond_the_room_are_counted_and_judged),
        TEST(test_findings_worst_is_that_of_the_rest),
        TEST(test_findings_are_excused_where_there_is_another_way),
        TEST(test_health_has_names),
    };
    return cmocka_run_group_tests_name("doctor_finding", tests, NULL, NULL);
}
