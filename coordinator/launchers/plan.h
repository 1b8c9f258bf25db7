/* A plan: what is to be done so that workers start, step by step, as a launcher has worked it out.
 * A step writes a file, prints a text or runs a command. Nothing has happened yet: perform.h does it, plan_show says
 * it. Pure.
 *
 * Steps are added in order, and what follows a step in the calls belongs to it. Texts are copied.
 * Without memory the plan is marked as incomplete, which is asked for once, at the end. */
#ifndef QUARTET_COORDINATOR_LAUNCHERS_PLAN_H
#define QUARTET_COORDINATOR_LAUNCHERS_PLAN_H

#include "coordinator/launchers/words.h"

#include <stdbool.h>
#include <stddef.h>

enum plan_kind {
    PLAN_RUN,     /* a command */
    PLAN_WRITE,   /* a file */
    PLAN_INSTALL, /* a file that is there as it is, or not at all */
    PLAN_PRINT,   /* a text, on standard output */
};

/* What a command finds on its standard input. */
enum plan_input {
    PLAN_NOTHING,
    PLAN_TEXT,
    PLAN_HELD_TEXT, /* which does not end behind the text, but when the workers are to end */
};

enum {
    PLAN_STEPS_MAX = 64,
    PLAN_INPUT_MAX = 60 * 1024, /* a pipe takes so much at once */
};

struct plan_step {
    enum plan_kind kind;
    char *path;      /* of the file to write */
    bool is_private; /* nobody else may read the file */
    struct words command;
    enum plan_input input;
    struct script text; /* of the file, to be printed, or for the command's standard input */
    char *shown_as;     /* instead of the text, which is a secret; NULL: it may be shown, */
    char *shown_text;   /* or this text in its place, which is the same without the secret */
    char *said_then;    /* for people, when it is done; NULL: nothing. See plan_say */
};

struct plan {
    struct plan_step steps[PLAN_STEPS_MAX];
    size_t count;
    bool incomplete;
};

/* Begin as {0}. */
void plan_deinit(struct plan *plan);

/* Write a file, in the place of what was there, readable by this user only or by all. `text` ends with a line end. */
void plan_write(struct plan *plan, const char *path, bool is_private, const char *text);

/* Write a file that all may read, unless it is there and is the same. Another one that is there stays, and is an error. `text` ends with
 * a line end. */
void plan_install(struct plan *plan, const char *path, const char *text);

/* Print a text, which ends with a line end. One with a secret in it (plan_redact) is not printed on a terminal. */
void plan_print(struct plan *plan, const char *text);

/* Run a command; words are added to what is returned, which is the plan's. Without a slash in its first word it is looked for in PATH. Its exit status 0 is success. */
struct words *plan_run(struct plan *plan);

/* Its standard input, at most PLAN_INPUT_MAX bytes. */
void plan_feed(struct plan *plan, enum plan_input input, const char *text);

/* The text of the step, of the file or for the command, is a secret; what is shown instead. */
void plan_hide(struct plan *plan, const char *shown_as);

/* The text of the step has a secret in it: `shown_text` is the same without, and is shown. */
void plan_redact(struct plan *plan, const char *shown_text);

/* What people are told when the step is done. Each "{}" in `text` becomes the last word that the
 * command printed, the number of a job for instance, and the command's standard output is not shown
 * apart from that. */
void plan_say(struct plan *plan, const char *text);

/* Was there memory for all of it? */
bool plan_is_complete(const struct plan *plan);

/* All of it in sh's words, as it would be done: files and inputs as here documents, secrets by their
 * names. */
void plan_show(const struct plan *plan, struct script *script);

#endif
