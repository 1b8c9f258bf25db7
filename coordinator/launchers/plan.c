#include "coordinator/launchers/plan.h"

#include "common/base/check.h"

#include <stdlib.h>
#include <string.h>

/* --- making one --- */

static struct plan_step *add_step(struct plan *plan)
{
    CHECK(plan->count < PLAN_STEPS_MAX);
    return &plan->steps[plan->count++];
}

static struct plan_step *last_step(struct plan *plan)
{
    CHECK(plan->count > 0);
    return &plan->steps[plan->count - 1];
}

static char *copy(struct plan *plan, const char *text)
{
    char *own = strdup(text);
    plan->incomplete |= own == NULL;
    return own;
}

/* A step that is a text with a line end. */
static struct plan_step *add_text(struct plan *plan, enum plan_kind kind, const char *text)
{
    size_t len = strlen(text);
    CHECK(len > 0 && text[len - 1] == '\n');
    struct plan_step *step = add_step(plan);
    step->kind = kind;
    script_add(&step->text, "%s", text);
    return step;
}

void plan_write(struct plan *plan, const char *path, bool is_private, const char *text)
{
    struct plan_step *step = add_text(plan, PLAN_WRITE, text);
    step->path = copy(plan, path);
    step->is_private = is_private;
}

void plan_install(struct plan *plan, const char *path, const char *text)
{
    add_text(plan, PLAN_INSTALL, text)->path = copy(plan, path);
}

void plan_print(struct plan *plan, const char *text)
{
    (void)add_text(plan, PLAN_PRINT, text);
}

struct words *plan_run(struct plan *plan)
{
    return &add_step(plan)->command;
}

void plan_feed(struct plan *plan, enum plan_input input, const char *text)
{
    struct plan_step *step = last_step(plan);
    CHECK(strlen(text) <= PLAN_INPUT_MAX);
    step->input = input;
    script_add(&step->text, "%s", text);
}

void plan_hide(struct plan *plan, const char *shown_as)
{
    last_step(plan)->shown_as = copy(plan, shown_as);
}

void plan_redact(struct plan *plan, const char *shown_text)
{
    last_step(plan)->shown_text = copy(plan, shown_text);
}

void plan_say(struct plan *plan, const char *text)
{
    last_step(plan)->said_then = copy(plan, text);
}

bool plan_is_complete(const struct plan *plan)
{
    bool incomplete = plan->incomplete;
    for (size_t i = 0; i < plan->count; i++) {
        incomplete |= plan->steps[i].command.incomplete || plan->steps[i].text.incomplete;
    }
    return !incomplete;
}

void plan_deinit(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        struct plan_step *step = &plan->steps[i];
        words_deinit(&step->command);
        script_deinit(&step->text);
        free(step->path);
        free(step->shown_as);
        free(step->shown_text);
        free(step->said_then);
    }
    *plan = (struct plan){.count = 0};
}

/* --- showing it --- */

/* A line that no line of the text is: where a here document ends. */
static void choose_end(const char *text, char *ret_end, size_t size)
{
    (void)strncpy(ret_end, "END", size);
    for (const char *at = strstr(text, ret_end); at != NULL; at = strstr(text, ret_end)) {
        size_t len = strlen(ret_end);
        CHECK(len + 1 < size);
        ret_end[len] = '_';
        ret_end[len + 1] = '\0';
    }
}

static void show_document(const char *text, struct script *script)
{
    char end[256];
    choose_end(text, end, sizeof(end));
    bool whole = text[strlen(text) - 1] == '\n';
    script_add(script, " <<'%s'\n%s%s%s\n", end, text, whole ? "" : "\n", end);
}

/* The text of a step, or what may be shown of it. */
static void show_text(const struct plan_step *step, struct script *script)
{
    show_document(step->shown_text != NULL ? step->shown_text : step->text.text, script);
}

static void show_file(const struct plan_step *step, struct script *script)
{
    if (step->kind == PLAN_INSTALL) {
        script_add(script, "# only where there is no file of that name, or the same:\n");
    }
    script_add(script, "cat >");
    script_add_word(script, step->path);
    if (step->shown_as != NULL) {
        script_add(script, " # %s\n", step->shown_as);
    } else {
        show_text(step, script);
    }
    script_add(script, "chmod %s ", step->is_private ? "0600" : "0644");
    script_add_word(script, step->path);
    script_add(script, "\n");
}

static void show_command(const struct plan_step *step, struct script *script)
{
    script_add_words(script, &step->command);
    if (step->shown_as != NULL) {
        script_add(script,
                   " # standard input: %s%s\n",
                   step->shown_as,
                   step->input == PLAN_HELD_TEXT ? "; it stays open" : "");
    } else if (step->input != PLAN_NOTHING) {
        show_text(step, script);
    } else {
        script_add(script, " </dev/null\n");
    }
}

static void show_step(const struct plan_step *step, struct script *script)
{
    switch (step->kind) {
    case PLAN_RUN:
        show_command(step, script);
        break;
    case PLAN_WRITE:
    case PLAN_INSTALL:
        show_file(step, script);
        break;
    case PLAN_PRINT:
        script_add(script, "cat");
        show_text(step, script);
        break;
    }
}

void plan_show(const struct plan *plan, struct script *script)
{
    for (size_t i = 0; i < plan->count; i++) {
        show_step(&plan->steps[i], script);
    }
}
