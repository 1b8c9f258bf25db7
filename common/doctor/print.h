/* Findings for people: a line for each, and what to change under those that are not well. */
#ifndef QUARTET_COMMON_DOCTOR_PRINT_H
#define QUARTET_COMMON_DOCTOR_PRINT_H

#include "common/doctor/finding.h"

#include <stdbool.h>
#include <stdio.h>

struct print_options {
    size_t width; /* columns */
    bool color;
};

/* Those from `first` on. An endpoint stands above what was found of it. */
void print_findings(FILE *stream,
                    const struct print_options *options,
                    const struct findings *findings,
                    size_t first);

/* "ok    ", in its color. */
void print_health(FILE *stream, const struct print_options *options, enum health health);

/* `text` behind a margin of `indent` columns, of which `column` are taken. */
void print_text(FILE *stream,
                const struct print_options *options,
                const char *text,
                size_t column,
                size_t indent);

#endif
