#include "common/doctor/report.h"

#include "common/base/printable.h"
#include "common/io/versions.h"
#include "common/wire/wire.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What is not printable UTF-8 was cut in the middle of a character, or came from elsewhere. */
json_t *report_text(const char *text)
{
    char clean[1024];
    size_t len = 0;
    if (text == NULL || text[0] == '\0') {
        return json_null();
    }
    for (size_t left = strlen(text); left > 0 && len + 4 < sizeof(clean);) {
        size_t step = printable_len(text, left);
        if (step == 0) {
            clean[len++] = '?';
            step = 1;
        } else {
            memcpy(clean + len, text, step);
            len += step;
        }
        text += step;
        left -= step;
    }
    return json_stringn(clean, len);
}

static json_t *figures_of(const struct finding *finding)
{
    json_t *figures = json_object();
    for (size_t i = 0; i < finding->figure_count; i++) {
        const struct figure *figure = &finding->figures[i];
        json_t *value = isfinite(figure->value) ? json_real(figure->value) : json_null();
        if (json_object_set_new(figures, figure->name, value) != 0) {
            json_decref(figures);
            return NULL;
        }
    }
    return figures;
}

static json_t *check_of(const struct finding *finding)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}",
                     "health",
                     health_name(finding->health),
                     "check",
                     finding->check,
                     "subject",
                     finding->subject[0] == '\0' ? json_string("") : report_text(finding->subject),
                     "text",
                     report_text(finding->text),
                     "advice",
                     report_text(finding->advice),
                     "figures",
                     figures_of(finding));
}

static json_t *checks_of(const struct findings *findings)
{
    json_t *checks = json_array();
    for (size_t i = 0; i < findings->count; i++) {
        if (json_array_append_new(checks, check_of(&findings->list[i])) != 0) {
            json_decref(checks);
            return NULL;
        }
    }
    return checks;
}

json_t *report_of(const char *side, const struct findings *findings)
{
    char host[64] = "";
    char protocol[32];
    (void)gethostname(host, sizeof(host) - 1);
    (void)snprintf(protocol, sizeof(protocol), "%d.%d", WIRE_PROTOCOL_MAJOR, WIRE_PROTOCOL_MINOR);
    return json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:o}",
                     "schema",
                     "quartet.doctor/1",
                     "quartet",
                     versions_quartet(),
                     "protocol",
                     protocol,
                     "host",
                     report_text(host),
                     "side",
                     side,
                     "health",
                     health_name(findings_worst(findings, 0)),
                     "checks",
                     checks_of(findings));
}

/* Of a host that is asked: it says what it likes. */
static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static bool read_check(const json_t *check, struct findings *findings)
{
    const char *name = text_at(check, "check");
    const char *health = text_at(check, "health");
    for (int i = HEALTH_OK; i <= HEALTH_FAIL; i++) {
        if (strcmp(health, health_name((enum health)i)) == 0) {
            findings->subject = text_at(check, "subject");
            struct finding *finding = findings_add(findings,
                                                   (enum health)i,
                                                   printable(name, strlen(name)) ? name : "?",
                                                   "%s",
                                                   text_at(check, "text"));
            finding_advise(finding, "%s", text_at(check, "advice"));

            findings->subject = "";
            return true;
        }
    }
    return false;
}

int report_read(const json_t *report, struct findings *findings)
{
    const json_t *checks = json_object_get(report, "checks");
    size_t index;
    const json_t *check;
    if (strcmp(text_at(report, "schema"), "quartet.doctor/1") != 0 || !json_is_array(checks)) {
        return ERR_INVALID;
    }
    json_array_foreach(checks, index, check)
    {
        if (!read_check(check, findings)) {
            return ERR_INVALID;
        }
    }
    return 0;
}

int report_write(json_t *report, const char *path, struct err_text *ret_error)
{
    bool is_stdout = strcmp(path, "-") == 0;
    FILE *file = is_stdout ? stdout : fopen(path, "we");
    int rc = 0;
    if (report == NULL) {
        rc = err_set(ret_error, ERR_IO, "no memory for the report");
    } else if (file == NULL ||
               json_dumpf(report, file, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) != 0 ||
               fputc('\n', file) == EOF || fflush(file) != 0) {
        rc = err_set(ret_error, ERR_IO, "cannot write '%.200s': %s", path, strerror(errno));
    }
    if (file != NULL && !is_stdout && fclose(file) != 0 && rc == 0) {
        rc = err_set(ret_error, ERR_IO, "cannot write '%.200s': %s", path, strerror(errno));
    }
    json_decref(report);
    return rc;
}
