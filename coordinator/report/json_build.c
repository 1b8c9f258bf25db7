#include "coordinator/report/json_build.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *build_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *build_real_if(bool known, double value)
{
    return known ? build_real(value) : json_null();
}

json_t *build_whole(uint64_t value)
{
    if (value <= INT64_MAX) {
        return json_integer((json_int_t)value);
    }
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRIu64, value);
    return json_string(text);
}

json_t *build_hex(uint64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%016" PRIx64, value);
    return json_string(text);
}

json_t *build_text(const char *text)
{
    json_t *plain = json_string(text);
    if (plain != NULL) {
        return plain;
    }
    char *clean = malloc(3 * strlen(text) + 1);
    if (clean == NULL) {
        return NULL;
    }
    size_t used = 0;
    while (*text != '\0') {
        /* jansson is the judge of what is valid: offer it the longest sequence first. */
        size_t len = strnlen(text, 4);
        json_t *try = NULL;
        while (len > 0 && (try = json_stringn(text, len)) == NULL) {
            len--;
        }
        if (try != NULL) {
            memcpy(clean + used, text, len);
            used += len;
            text += len;
            json_decref(try);
        } else {
            memcpy(clean + used, "\xEF\xBF\xBD", 3);
            used += 3;
            text++;
        }
    }
    json_t *result = json_stringn(clean, used);
    free(clean);
    return result;
}

json_t *build_text_if(const char *text)
{
    return text != NULL ? build_text(text) : json_null();
}

struct build build_object(void)
{
    json_t *json = json_object();
    return (struct build){json, json == NULL};
}

struct build build_array(void)
{
    json_t *json = json_array();
    return (struct build){json, json == NULL};
}

void build_set(struct build *build, const char *key, json_t *value)
{
    build->failed = json_object_set_new_nocheck(build->json, key, value) != 0 || build->failed;
}

void build_append(struct build *build, json_t *value)
{
    build->failed = json_array_append_new(build->json, value) != 0 || build->failed;
}

json_t *build_take(struct build *build)
{
    if (build->failed) {
        json_decref(build->json);
        return NULL;
    }
    return build->json;
}
