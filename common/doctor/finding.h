/* What a doctor found: one line for each thing that was looked at, and what to change when it is not well. A list of
 * them, and how they are to be judged together. Pure; print.c and report.c show them. */
#ifndef QUARTET_COMMON_DOCTOR_FINDING_H
#define QUARTET_COMMON_DOCTOR_FINDING_H

#include <stdbool.h>
#include <stddef.h>

enum health { HEALTH_OK, HEALTH_WARN, HEALTH_FAIL };

enum {
    FINDINGS_MAX = 400, /* of one host: 32 addresses have 12 each */
    FINDING_TEXT_SIZE = 400,
    FINDING_SUBJECT_SIZE = 256,
    FINDING_FIGURES_MAX = 4,
};

/* A measured number, for programs. */
struct figure {
    const char *name; /* with its unit at the end: "median_s" */
    double value;
};

struct finding {
    enum health health;
    const char *check;                  /* what was looked at, in a word or two: "name", "clock" */
    char subject[FINDING_SUBJECT_SIZE]; /* an endpoint; "": this host */
    char text[FINDING_TEXT_SIZE];
    char advice[FINDING_TEXT_SIZE]; /* what to change; "": nothing */
    struct figure figures[FINDING_FIGURES_MAX];
    size_t figure_count;
};

struct findings {
    struct finding *list;
    size_t count;
    size_t max; /* what comes after so many is counted, and judged with the others */
    size_t left_out;
    enum health worst_left_out;
    const char *subject; /* of those that are added; borrowed */
};

/* Room for `max` of them. Returns 0 or ERR_NOMEM. */
int findings_init(struct findings *findings, size_t max);
void findings_deinit(struct findings *findings);

/* Append one; `check` is a literal. Returns it, for advice and figures; never NULL. */
struct finding *findings_add(struct findings *findings,
                             enum health health,
                             const char *check,
                             const char *format,
                             ...) __attribute__((format(printf, 4, 5)));

void finding_advise(struct finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void finding_measure(struct finding *finding, const char *name, double value);

/* The worst of all from `first` on. */
enum health findings_worst(const struct findings *findings, size_t first);

/* Of those from `first` to before `end`: what failed is only a warning, for `advice`'s reason: there is another way. */
void findings_excuse(struct findings *findings, size_t first, size_t end, const char *advice);

/* "ok", "warn", "FAIL". */
const char *health_name(enum health health);

#endif
