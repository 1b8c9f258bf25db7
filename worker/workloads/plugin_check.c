/* Everything that is refused in a plugin's table; see plugin_check.h. */
#include "worker/workloads/plugin_check.h"

#include "common/base/printable.h"
#include "worker/workloads/params.h"
#include "worker/workloads/plugin_words.h"
#include "worker/workloads/registry.h"

#include <math.h>
#include <string.h>

_Static_assert(PLUGIN_SIZE_MIN == sizeof(struct workload_ops) || WORKLOAD_ABI_MINOR > 0,
               "members were added: raise WORKLOAD_ABI_MINOR, and leave PLUGIN_SIZE_MIN");

/* --- the table --- */

int plugin_adopt(const struct workload_ops *theirs,
                 struct err_text *ret_error,
                 struct workload_ops *ret_ours)
{
    if (theirs == NULL) {
        return err_set(ret_error, ERR_INVALID, "its " WORKLOAD_PLUGIN_SYMBOL "() returned NULL");
    }
    if (theirs->magic != WORKLOAD_MAGIC) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "its table begins with the magic number 0x%08x, not 0x%08x: is WORKLOAD_ABI "
                       "missing?",
                       theirs->magic,
                       WORKLOAD_MAGIC);
    }
    if (theirs->abi_major != WORKLOAD_ABI_MAJOR) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "it was built for version %d.%d of quartet/workload.h, this program has "
                       "%d.%d: build it anew",
                       theirs->abi_major,
                       theirs->abi_minor,
                       WORKLOAD_ABI_MAJOR,
                       WORKLOAD_ABI_MINOR);
    }
    bool same_version = theirs->abi_minor == WORKLOAD_ABI_MINOR;
    if (theirs->size < PLUGIN_SIZE_MIN || (same_version && theirs->size != sizeof(*ret_ours))) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "its table is of %u bytes, and of version %d.%d, which has %s%zu",
                       theirs->size,
                       theirs->abi_major,
                       theirs->abi_minor,
                       same_version ? "" : "at least ",
                       same_version ? sizeof(*ret_ours) : (size_t)PLUGIN_SIZE_MIN);
    }
    struct workload_ops ours = {.size = 0};
    memcpy(&ours, theirs, theirs->size < sizeof(ours) ? theirs->size : sizeof(ours));
    ours.size = sizeof(ours);
    *ret_ours = ours;
    return 0;
}

/* --- texts --- */

/* One line for people. `what` it is, of `whom`. */
static int check_line(const char *what, const char *whom, const char *text, struct err_text *error)
{
    if (text == NULL || text[0] == '\0') {
        return err_set(error, ERR_INVALID, "the %s of %s is missing", what, whom);
    }
    size_t len = strnlen(text, PLUGIN_LINE_MAX + 1);
    if (len > PLUGIN_LINE_MAX) {
        return err_set(error,
                       ERR_INVALID,
                       "the %s of %s has more than %d bytes: '%.40s...'",
                       what,
                       whom,
                       PLUGIN_LINE_MAX,
                       text);
    }
    if (!printable(text, len)) {
        return err_set(error,
                       ERR_INVALID,
                       "the %s of %s is not one line of printable UTF-8: '%.80s'",
                       what,
                       whom,
                       text);
    }
    return 0;
}

/* A name that is typed on command lines and stands in files: of a workload, of a parameter. */
static int check_name(const char *what, const char *name, size_t max, struct err_text *error)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (name == NULL) {
        return err_set(error, ERR_INVALID, "%s is missing", what);
    }
    size_t len = strnlen(name, max + 1);
    if (len == 0 || len > max || name[0] == '-' || strspn(name, allowed) < len) {
        return err_set(error,
                       ERR_INVALID,
                       "%s '%.*s' is not 1 to %zu letters, digits, '.', '_' and '-'",
                       what,
                       (int)max,
                       name,
                       max);
    }
    return 0;
}

/* --- parameters --- */

/* Does the default pass for a value that a user gave? */
static int check_default(const struct param_spec *spec, struct err_text *ret_error)
{
    struct params params = {.count = 0};
    struct err_text why = {""};
    if (spec->default_value == NULL) {
        return 0;
    }
    if (params_set(&params, spec->name, spec->default_value) != 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "the default of parameter %s has more than %d bytes",
                       spec->name,
                       PARAM_VALUE_MAX - 1);
    }
    int rc = params_resolve(&params, spec, 1, &why);
    params_deinit(&params);
    if (rc != 0) {
        return err_set(ret_error, ERR_INVALID, "a default is wrong: %s", why.s);
    }
    if (!printable(spec->default_value, strlen(spec->default_value))) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "the default of parameter %s is not one line of printable UTF-8: '%.80s'",
                       spec->name,
                       spec->default_value);
    }
    return 0;
}

static int check_kind(const struct param_spec *spec, struct err_text *ret_error)
{
    if (plugin_kind_word(spec->kind) == NULL) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "parameter %s is of kind %d, which is not one of 0 to %d",
                       spec->name,
                       (int)spec->kind,
                       (int)PARAM_TEXT);
    }
    if (plugin_kind_is_numeric(spec->kind) && (!isfinite(spec->max) || spec->max < 0)) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "the largest value of parameter %s is %g, which is not a number from 0 on",
                       spec->name,
                       spec->max);
    }
    if (spec->kind == PARAM_CHOICE) {
        return check_line("list of choices", spec->name, spec->choices, ret_error);
    }
    return 0;
}

static int check_param(const struct workload_ops *ops, size_t index, struct err_text *ret_error)
{
    const struct param_spec *spec = &ops->params[index];
    int rc = check_name("the name of a parameter", spec->name, PARAM_NAME_MAX - 1, ret_error);
    for (size_t i = 0; rc == 0 && i < index; i++) {
        if (strcmp(ops->params[i].name, spec->name) == 0) {
            rc = err_set(
                ret_error, ERR_INVALID, "there are two parameters of the name '%s'", spec->name);
        }
    }
    rc = rc != 0 ? rc : check_kind(spec, ret_error);
    rc = rc != 0 ? rc : check_line("unit", spec->name, spec->unit, ret_error);
    rc = rc != 0 ? rc : check_line("help", spec->name, spec->help, ret_error);
    return rc != 0 ? rc : check_default(spec, ret_error);
}

static int check_params(const struct workload_ops *ops, struct err_text *ret_error)
{
    if (ops->param_count > PARAMS_MAX || (ops->param_count > 0 && ops->params == NULL)) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "it has %zu parameters%s; %d is the most",
                       ops->param_count,
                       ops->params == NULL ? " and no table of them" : "",
                       PARAMS_MAX);
    }
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ops->param_count; i++) {
        rc = check_param(ops, i, ret_error);
    }
    return rc;
}

/* --- items --- */

static int check_traits(const struct workload_ops *ops, struct err_text *ret_error)
{
    /* One that is not known could be a condition: such a plugin is not for this program. */
    if ((ops->traits & ~plugin_traits_known()) != 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "it has the traits 0x%x, of which this program does not know 0x%x",
                       ops->traits,
                       ops->traits & ~plugin_traits_known());
    }
    if ((ops->traits & (WORKLOAD_NUMBERS | WORKLOAD_BYTES)) == 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "its traits 0x%x have neither WORKLOAD_NUMBERS nor WORKLOAD_BYTES: it takes "
                       "no items",
                       ops->traits);
    }
    return 0;
}

static int check_range(const struct workload_ops *ops, struct err_text *ret_error)
{
    uint64_t first = ops->default_first;
    uint64_t last = ops->default_last;
    if (first == 0 && last == 0) {
        return 0;
    }
    if (first > last || last - first == UINT64_MAX) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "its default range %llu:%llu is not one of 1 to %llu numbers",
                       (unsigned long long)first,
                       (unsigned long long)last,
                       (unsigned long long)UINT64_MAX);
    }
    if ((ops->traits & WORKLOAD_NUMBERS) == 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "it has a default range, %llu:%llu, and does not take numbers",
                       (unsigned long long)first,
                       (unsigned long long)last);
    }
    return 0;
}

int plugin_check_description(const struct workload_ops *ops, struct err_text *ret_error)
{
    int rc = check_name("its name", ops->name, PLUGIN_NAME_MAX, ret_error);
    if (rc == 0 && workload_find(ops->name) != NULL) {
        rc = err_set(
            ret_error, ERR_INVALID, "its name '%s' is that of a built-in workload", ops->name);
    }
    rc = rc != 0 ? rc : check_line("summary", ops->name, ops->summary, ret_error);
    rc = rc != 0 ? rc : check_traits(ops, ret_error);
    rc = rc != 0 ? rc : check_params(ops, ret_error);
    return rc != 0 ? rc : check_range(ops, ret_error);
}

/* --- functions --- */

static int refuse_missing(const char *what, struct err_text *ret_error)
{
    return err_set(ret_error, ERR_INVALID, "it has no %s", what);
}

static int check_life(const struct workload_ops *ops, struct err_text *ret_error)
{
    if (ops->open == NULL || ops->close == NULL) {
        return refuse_missing(ops->open == NULL ? "open" : "close", ret_error);
    }
    if (ops->slot_open == NULL || ops->slot_close == NULL) {
        return refuse_missing(ops->slot_open == NULL ? "slot_open" : "slot_close", ret_error);
    }
    if (ops->run == NULL && ops->run_batch == NULL) {
        return refuse_missing("run and no run_batch", ret_error);
    }
    return 0;
}

static int check_batches(const struct workload_ops *ops, struct err_text *ret_error)
{
    if (ops->run_batch != NULL && ops->batch_max == 0) {
        return err_set(ret_error, ERR_INVALID, "it has run_batch and batch_max=0: give at least 1");
    }
    if (ops->run_numbers != NULL && ops->numbers_per_batch == 0) {
        return err_set(
            ret_error, ERR_INVALID, "it has run_numbers and numbers_per_batch=0: give at least 1");
    }
    if (ops->run_numbers != NULL && (ops->traits & WORKLOAD_NUMBERS) == 0) {
        return err_set(
            ret_error, ERR_INVALID, "it has run_numbers, but not the trait WORKLOAD_NUMBERS");
    }
    return 0;
}

static int check_async(const struct workload_ops *ops, struct err_text *ret_error)
{
    int count = (ops->async_open != NULL) + (ops->async_start != NULL) +
                (ops->async_cancel != NULL) + (ops->async_close != NULL);
    if (count != 0 && count != 4) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "it has %d of async_open, async_start, async_cancel and async_close: give "
                       "all four or none",
                       count);
    }
    return 0;
}

int plugin_check_forms(const struct workload_ops *ops, struct err_text *ret_error)
{
    int rc = check_life(ops, ret_error);
    rc = rc != 0 ? rc : check_batches(ops, ret_error);
    return rc != 0 ? rc : check_async(ops, ret_error);
}
