/* The JSON of worker/describe.h, read. Texts stay where jansson has put them: the description keeps the
 * whole of it. */
#include "coordinator/run/plugin_description.h"

#include "common/base/units.h"
#include "worker/workloads/params.h"
#include "worker/workloads/plugin_check.h"
#include "worker/workloads/plugin_words.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int refuse(const char *what, struct err_text *ret_error)
{
    return err_set(
        ret_error, ERR_INVALID, "the description of it has no '%s' that can be read", what);
}

/* The member is a text; or, where that is allowed, null. */
static int get_text(json_t *object,
                    const char *key,
                    bool optional,
                    struct err_text *ret_error,
                    const char **ret_text)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value) && !(optional && json_is_null(value))) {
        return refuse(key, ret_error);
    }
    *ret_text = json_string_value(value); /* of null: NULL */
    return 0;
}

/* The member is a list of words, each of them known. */
static int get_words(json_t *object,
                     const char *key,
                     const struct plugin_word *words,
                     struct err_text *ret_error,
                     unsigned *ret_bits)
{
    const json_t *list = json_object_get(object, key);
    unsigned bits = 0;
    size_t i = 0;
    const json_t *entry = NULL;
    if (!json_is_array(list)) {
        return refuse(key, ret_error);
    }
    json_array_foreach(list, i, entry)
    {
        unsigned bit = json_is_string(entry) ? plugin_word_bit(words, json_string_value(entry)) : 0;
        if (bit == 0) {
            return refuse(key, ret_error);
        }
        bits |= bit;
    }
    *ret_bits = bits;
    return 0;
}

/* "FIRST:LAST" or null. */
static int get_range(json_t *object, struct workload_ops *workload, struct err_text *ret_error)
{
    static const char key[] = "default_range";
    const char *text = NULL;
    char first[UNITS_TEXT_SIZE];
    int rc = get_text(object, key, true, ret_error, &text);
    if (rc != 0 || text == NULL) {
        return rc;
    }
    size_t len = strcspn(text, ":");
    if (text[len] != ':' || len >= sizeof(first)) {
        return refuse(key, ret_error);
    }
    memcpy(first, text, len);
    first[len] = '\0';
    if (units_parse_u64(first, UINT64_MAX, &workload->default_first) != 0 ||
        units_parse_u64(text + len + 1, UINT64_MAX, &workload->default_last) != 0) {
        return refuse(key, ret_error);
    }
    return 0;
}

static int get_param(json_t *object, struct err_text *ret_error, struct param_spec *spec)
{
    const char *kind = NULL;
    int rc = get_text(object, "name", false, ret_error, &spec->name);
    rc = rc != 0 ? rc : get_text(object, "kind", false, ret_error, &kind);
    rc = rc != 0 ? rc : get_text(object, "unit", false, ret_error, &spec->unit);
    rc = rc != 0 ? rc : get_text(object, "default", true, ret_error, &spec->default_value);
    rc = rc != 0 ? rc : get_text(object, "choices", true, ret_error, &spec->choices);
    rc = rc != 0 ? rc : get_text(object, "help", false, ret_error, &spec->help);
    if (rc == 0 && plugin_kind_from_word(kind, &spec->kind) != 0) {
        rc = refuse("kind", ret_error);
    }
    if (rc == 0 && plugin_kind_is_numeric(spec->kind)) {
        const json_t *max = json_object_get(object, "max");
        if (!json_is_number(max)) {
            return refuse("max", ret_error);
        }
        spec->max = json_number_value(max);
    }
    return rc;
}

static int get_params(json_t *root,
                      struct plugin_description *description,
                      struct err_text *ret_error)
{
    static const char key[] = "parameters";
    const json_t *list = json_object_get(root, key);
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count > PARAMS_MAX) {
        return refuse(key, ret_error);
    }
    if (count == 0) {
        return 0;
    }
    description->params = calloc(count, sizeof(*description->params));
    if (description->params == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for its %zu parameters", count);
    }
    description->workload.params = description->params;
    description->workload.param_count = count;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = get_param(json_array_get(list, i), ret_error, &description->params[i]);
    }
    return rc;
}

static int get_all(struct plugin_description *description, struct err_text *ret_error)
{
    json_t *root = description->texts;
    struct workload_ops *workload = &description->workload;
    int rc = get_text(root, "name", false, ret_error, &workload->name);
    rc = rc != 0 ? rc : get_text(root, "summary", false, ret_error, &workload->summary);
    rc = rc != 0 ? rc : get_words(root, "traits", plugin_trait_words, ret_error, &workload->traits);
    rc = rc != 0 ? rc : get_words(root, "forms", plugin_form_words, ret_error, &description->forms);
    rc = rc != 0 ? rc : get_range(root, workload, ret_error);
    rc = rc != 0 ? rc : get_params(root, description, ret_error);
    return rc != 0 ? rc : plugin_check_description(workload, ret_error);
}

int plugin_description_parse(const char *text,
                             size_t len,
                             struct err_text *ret_error,
                             struct plugin_description *ret_description)
{
    json_error_t where;
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
    if (root == NULL) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "the description of it is not JSON: see its byte %d",
                       where.position);
    }
    struct plugin_description description = {.workload = {WORKLOAD_ABI}, .texts = root};
    int rc = get_all(&description, ret_error);
    if (rc != 0) {
        plugin_description_deinit(&description);
        return rc;
    }
    *ret_description = description;
    return 0;
}

void plugin_description_deinit(struct plugin_description *description)
{
    json_decref(description->texts);
    free(description->params);
    *description = (struct plugin_description){.forms = 0};
}
