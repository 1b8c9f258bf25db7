/* Parameters as lists of owned texts; what a text means is looked up in the specs each time. */
#include "worker/workloads/params.h"

#include "common/base/check.h"
#include "common/base/nearest.h"
#include "common/base/units.h"

#include <float.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { QUOTED_MAX = 120 }; /* bytes of a refused value that are shown */

static struct param *find(const struct params *params, const char *name)
{
    for (size_t i = 0; i < params->count; i++) {
        if (strcmp(params->list[i].name, name) == 0) {
            return (struct param *)&params->list[i];
        }
    }
    return NULL;
}

static const struct param_spec *find_spec(const struct param_spec *specs,
                                          size_t spec_count,
                                          const char *name)
{
    for (size_t i = 0; i < spec_count; i++) {
        if (strcmp(specs[i].name, name) == 0) {
            return &specs[i];
        }
    }
    return NULL;
}

static int append(struct params *params, const char *name, char *take_value)
{
    if (params->count == PARAMS_MAX) {
        free(take_value);
        return ERR_INVALID;
    }
    char *own_name = strdup(name);
    if (own_name == NULL) {
        free(take_value);
        return ERR_NOMEM;
    }
    params->list[params->count++] = (struct param){.name = own_name, .value = take_value};
    return 0;
}

int params_set(struct params *params, const char *name, const char *value)
{
    size_t name_len = strlen(name);
    if (name_len == 0 || name_len >= PARAM_NAME_MAX || strlen(value) >= PARAM_VALUE_MAX) {
        return ERR_INVALID;
    }
    char *own_value = strdup(value);
    if (own_value == NULL) {
        return ERR_NOMEM;
    }
    struct param *known = find(params, name);
    if (known == NULL) {
        return append(params, name, own_value);
    }
    free(known->value);
    known->value = own_value;
    return 0;
}

int params_set_text(struct params *params, const char *text, struct err_text *ret_error)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text) {
        return err_set(
            ret_error, ERR_INVALID, "parameter '%.*s' is not NAME=VALUE", QUOTED_MAX, text);
    }
    size_t name_len = (size_t)(equals - text);
    char name[PARAM_NAME_MAX];
    if (name_len >= sizeof(name)) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "parameter name in '%.*s' is longer than %d bytes",
                       QUOTED_MAX,
                       text,
                       PARAM_NAME_MAX - 1);
    }
    memcpy(name, text, name_len);
    name[name_len] = '\0';

    int rc = params_set(params, name, equals + 1);
    if (rc == ERR_INVALID) {
        return err_set(
            ret_error,
            rc,
            "parameter '%.*s': more than %d parameters, or a value of more than %d bytes",
            QUOTED_MAX,
            text,
            PARAMS_MAX,
            PARAM_VALUE_MAX - 1);
    }
    if (rc != 0) {
        return err_set(ret_error, rc, "no memory for parameter '%s'", name);
    }
    return 0;
}

const char *params_get(const struct params *params, const char *name)
{
    const struct param *param = find(params, name);
    return param == NULL ? NULL : param->value;
}

/* A spec's `max` is a double so that one member serves every kind; 2^64 and above mean no limit. */
static uint64_t whole_max(double max)
{
    return max >= 0x1p64 ? UINT64_MAX : (uint64_t)max;
}

static bool is_web_url(const char *text)
{
    size_t skip = 0;
    if (strncasecmp(text, "http://", 7) == 0) {
        skip = 7;
    } else if (strncasecmp(text, "https://", 8) == 0) {
        skip = 8;
    }
    return skip > 0 && text[skip] != '\0' && text[skip] != '/';
}

/* Is `value` one of the words in "a|b|c"? */
static bool is_choice(const char *choices, const char *value)
{
    size_t len = strlen(value);
    for (const char *at = choices; *at != '\0';) {
        size_t word = strcspn(at, "|");
        if (word == len && strncmp(at, value, len) == 0) {
            return true;
        }
        at += at[word] == '\0' ? word : word + 1;
    }
    return false;
}

static int check_value(const struct param_spec *spec, const char *value, struct err_text *ret_error)
{
    double seconds = 0;
    uint64_t whole = 0;
    char limit[UNITS_TEXT_SIZE];
    switch (spec->kind) {
    case PARAM_SECONDS:
        if (units_parse_seconds(value, spec->max, &seconds) == 0) {
            return 0;
        }
        return err_set(ret_error,
                       ERR_INVALID,
                       "parameter %s=%.*s: give seconds from 0 to %g, such as 0.1, 20ms or 2m",
                       spec->name,
                       QUOTED_MAX,
                       value,
                       spec->max);
    case PARAM_COUNT:
        if (units_parse_u64(value, whole_max(spec->max), &whole) == 0) {
            return 0;
        }
        return err_set(ret_error,
                       ERR_INVALID,
                       "parameter %s=%.*s: give a whole number from 0 to %llu",
                       spec->name,
                       QUOTED_MAX,
                       value,
                       (unsigned long long)whole_max(spec->max));
    case PARAM_BYTES:
        if (units_parse_bytes(value, whole_max(spec->max), &whole) == 0) {
            return 0;
        }
        return err_set(ret_error,
                       ERR_INVALID,
                       "parameter %s=%.*s: give bytes up to %s, such as 4096, 64Ki or 10M",
                       spec->name,
                       QUOTED_MAX,
                       value,
                       units_format_bytes(whole_max(spec->max), limit));
    case PARAM_URL:
        if (is_web_url(value)) {
            return 0;
        }
        return err_set(ret_error,
                       ERR_INVALID,
                       "parameter %s=%.*s: give a URL that begins with http:// or https://",
                       spec->name,
                       QUOTED_MAX,
                       value);
    case PARAM_CHOICE:
        if (is_choice(spec->choices, value)) {
            return 0;
        }
        return err_set(ret_error,
                       ERR_INVALID,
                       "parameter %s=%.*s: give one of %s",
                       spec->name,
                       QUOTED_MAX,
                       value,
                       spec->choices);
    case PARAM_TEXT:
        return 0;
    }
    check_failed(__FILE__, __LINE__, "a kind of parameter that is in the list");
}

static int refuse_unknown(const char *name,
                          const struct param_spec *specs,
                          size_t spec_count,
                          struct err_text *ret_error)
{
    if (spec_count == 0) {
        return err_set(ret_error,
                       ERR_NOT_FOUND,
                       "parameter '%s' is not known: this workload takes none",
                       name);
    }
    CHECK(spec_count <= PARAMS_MAX);
    const char *names[PARAMS_MAX];
    for (size_t i = 0; i < spec_count; i++) {
        names[i] = specs[i].name;
    }
    const char *nearest = nearest_name(name, names, spec_count);
    if (nearest == NULL) {
        return err_set(
            ret_error, ERR_NOT_FOUND, "parameter '%s' is not known to this workload", name);
    }
    return err_set(
        ret_error, ERR_NOT_FOUND, "parameter '%s' is not known; did you mean '%s'?", name, nearest);
}

int params_resolve(struct params *params,
                   const struct param_spec *specs,
                   size_t spec_count,
                   struct err_text *ret_error)
{
    for (size_t i = 0; i < params->count; i++) {
        const struct param *param = &params->list[i];
        const struct param_spec *spec = find_spec(specs, spec_count, param->name);
        if (spec == NULL) {
            return refuse_unknown(param->name, specs, spec_count, ret_error);
        }
        int rc = check_value(spec, param->value, ret_error);
        if (rc != 0) {
            return rc;
        }
    }
    for (size_t i = 0; i < spec_count; i++) {
        if (specs[i].default_value == NULL || find(params, specs[i].name) != NULL) {
            continue;
        }
        int rc = params_set(params, specs[i].name, specs[i].default_value);
        if (rc != 0) {
            return err_set(ret_error, rc, "no room for parameter '%s'", specs[i].name);
        }
    }
    return 0;
}

double params_seconds(const struct params *params, const char *name)
{
    const char *value = params_get(params, name);
    double seconds = 0;
    CHECK(value != NULL && units_parse_seconds(value, DBL_MAX, &seconds) == 0);
    return seconds;
}

uint64_t params_count(const struct params *params, const char *name)
{
    const char *value = params_get(params, name);
    uint64_t count = 0;
    CHECK(value != NULL && units_parse_u64(value, UINT64_MAX, &count) == 0);
    return count;
}

uint64_t params_bytes(const struct params *params, const char *name)
{
    const char *value = params_get(params, name);
    uint64_t bytes = 0;
    CHECK(value != NULL && units_parse_bytes(value, UINT64_MAX, &bytes) == 0);
    return bytes;
}

int params_copy(struct params *into, const struct params *from)
{
    struct params copy = {0};
    for (size_t i = 0; i < from->count; i++) {
        int rc = params_set(&copy, from->list[i].name, from->list[i].value);
        if (rc != 0) {
            params_deinit(&copy);
            return rc;
        }
    }
    params_deinit(into);
    *into = copy;
    return 0;
}

void params_deinit(struct params *params)
{
    for (size_t i = 0; i < params->count; i++) {
        free(params->list[i].name);
        free(params->list[i].value);
    }
    *params = (struct params){0};
}
