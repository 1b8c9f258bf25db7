#include "common/doctor/print.h"

#include "common/io/text.h"

#include <string.h>

enum { HEALTH_COLUMNS = 6, CHECK_COLUMNS = 12 };

void print_health(FILE *stream, const struct print_options *options, enum health health)
{
    static const char *const colors[] = {"\x1b[32m", "\x1b[33m", "\x1b[1;31m"};
    (void)fprintf(stream,
                  "%s%-4s%s  ",
                  options->color ? colors[health] : "",
                  health_name(health),
                  options->color ? "\x1b[0m" : "");
}

void print_text(FILE *stream,
                const struct print_options *options,
                const char *text,
                size_t column,
                size_t indent)
{
    text_wrap(stream, text, column, indent, options->width);
}

static void print_finding(FILE *stream,
                          const struct print_options *options,
                          const struct finding *finding)
{
    const size_t margin = HEALTH_COLUMNS + CHECK_COLUMNS;
    print_health(stream, options, finding->health);
    if (strlen(finding->check) < CHECK_COLUMNS) {
        (void)fprintf(stream, "%-*s", CHECK_COLUMNS, finding->check);
    } else { /* the name of a host may be long */
        (void)fprintf(stream, "%s\n%*s", finding->check, (int)margin, "");
    }
    print_text(stream, options, finding->text, margin, margin);
    if (finding->advice[0] != '\0') {
        (void)fprintf(stream, "%*s-> ", HEALTH_COLUMNS + CHECK_COLUMNS - 3, "");
        print_text(stream, options, finding->advice, margin, margin);
    }
}

void print_findings(FILE *stream,
                    const struct print_options *options,
                    const struct findings *findings,
                    size_t first)
{
    const char *subject = "";
    for (size_t i = first; i < findings->count; i++) {
        const struct finding *finding = &findings->list[i];
        if (strcmp(finding->subject, subject) != 0 && finding->subject[0] != '\0') {
            (void)fprintf(stream, "%s\n", finding->subject);
        }
        subject = finding->subject;
        print_finding(stream, options, finding);
    }
    if (findings->left_out > 0) {
        (void)fprintf(stream, "and %zu more, left out\n", findings->left_out);
    }
}
