#include "common/doctor/finding.h"

#include "common/base/check.h"
#include "common/base/err.h"
#include "common/base/printable.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int findings_init(struct findings *findings, size_t max)
{
    *findings = (struct findings){.max = max, .subject = ""};
    findings->list = calloc(max + 1, sizeof(*findings->list));
    return findings->list == NULL ? ERR_NOMEM : 0;
}

void findings_deinit(struct findings *findings)
{
    free(findings->list);
    findings->list = NULL;
}

/* Those for which there is no room are all written into the one place behind the others. */
static struct finding *next_place(struct findings *findings, enum health health)
{
    if (findings->count < findings->max) {
        return &findings->list[findings->count++];
    }
    findings->left_out++;
    if (health > findings->worst_left_out) {
        findings->worst_left_out = health;
    }
    return &findings->list[findings->max];
}

/* Texts quote what names, peers and strangers gave, and may be cut within a character. */
static void clean(char *text)
{
    for (size_t left = strlen(text); left > 0;) {
        size_t step = printable_len(text, left);
        if (step == 0) {
            *text = '?';
            step = 1;
        }
        text += step;
        left -= step;
    }
}

__attribute__((format(printf, 2, 0))) static void write_text(char *ret_text,
                                                             const char *format,
                                                             va_list arguments)
{
    (void)vsnprintf(ret_text, FINDING_TEXT_SIZE, format, arguments);
    clean(ret_text);
}

struct finding *findings_add(struct findings *findings,
                             enum health health,
                             const char *check,
                             const char *format,
                             ...)
{
    struct finding *finding = next_place(findings, health);
    *finding = (struct finding){.health = health, .check = check};
    (void)snprintf(finding->subject, sizeof(finding->subject), "%s", findings->subject);
    clean(finding->subject);
    va_list arguments;
    va_start(arguments, format);
    write_text(finding->text, format, arguments);
    va_end(arguments);
    return finding;
}

void finding_advise(struct finding *finding, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_text(finding->advice, format, arguments);
    va_end(arguments);
}

void finding_measure(struct finding *finding, const char *name, double value)
{
    CHECK(finding->figure_count < FINDING_FIGURES_MAX);
    finding->figures[finding->figure_count++] = (struct figure){name, value};
}

enum health findings_worst(const struct findings *findings, size_t first)
{
    enum health worst = findings->worst_left_out;
    for (size_t i = first; i < findings->count; i++) {
        worst = findings->list[i].health > worst ? findings->list[i].health : worst;
    }
    return worst;
}

void findings_excuse(struct findings *findings, size_t first, size_t end, const char *advice)
{
    for (size_t i = first; i < end && i < findings->count; i++) {
        struct finding *finding = &findings->list[i];
        if (finding->health == HEALTH_FAIL) {
            finding->health = HEALTH_WARN;
            finding_advise(finding, "%s", advice);
        }
    }
}

const char *health_name(enum health health)
{
    static const char *const names[] = {"ok", "warn", "FAIL"};
    CHECK((size_t)health < sizeof(names) / sizeof(names[0]));
    return names[health];
}
