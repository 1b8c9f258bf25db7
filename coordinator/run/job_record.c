#include "coordinator/run/job_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 100000 };

static const char schema[] = "quartet.job/1";

/* --- words of any bytes as text --- */

static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x7f && byte != '%';
}

static json_t *encode(const char *word)
{
    char *text = malloc(3 * strlen(word) + 1);
    if (text == NULL) {
        return NULL;
    }
    char *to = text;
    for (const unsigned char *from = (const unsigned char *)word; *from != '\0'; from++) {
        if (is_plain(*from)) {
            *to++ = (char)*from;
        } else {
            to += snprintf(to, 4, "%%%02x", *from);
        }
    }
    *to = '\0';
    json_t *encoded = json_string(text);
    free(text);
    return encoded;
}

/* The value of a hexadecimal digit, or -1. */
static int digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c);
    return at == NULL ? -1 : (int)(at - digits);
}

/* NULL: no text, not in this encoding, or no memory. */
static char *decode(const json_t *encoded)
{
    const char *from = json_string_value(encoded);
    char *word = from == NULL ? NULL : malloc(strlen(from) + 1);
    if (word == NULL) {
        return NULL;
    }
    char *to = word;
    while (*from != '\0') {
        if (*from != '%') {
            *to++ = *from++;
            continue;
        }
        int high = digit(from[1]);
        int low = high < 0 ? -1 : digit(from[2]);
        if (low < 0 || high * 16 + low == 0) {
            free(word);
            return NULL;
        }
        *to++ = (char)(high * 16 + low);
        from += 3;
    }
    *to = '\0';
    return word;
}

/* --- what makes it the same job --- */

static void say(json_t *identity, const char *name, const char *value)
{
    (void)json_object_set_new(identity, name, encode(value == NULL ? "" : value));
}

static void say_flag(json_t *identity, const char *name, bool value)
{
    say(identity, name, value ? "yes" : "no");
}

static void say_items(json_t *identity, const struct work *work)
{
    char text[96];
    const struct items_spec *items = &work->items;
    if (items->is_range) {
        (void)snprintf(
            text, sizeof(text), "%" PRIu64 ":%" PRIu64, items->range_first, items->range_last);
    } else {
        (void)snprintf(
            text, sizeof(text), "%" PRIu64 " items, fingerprint %s", work->count, work->print);
    }
    say(identity, "items", text);
    say(identity, "separator", items->separator == '\0' ? "NUL" : "newline");
}

static void say_params(json_t *identity, const struct work *work)
{
    struct params settled = {0};
    char name[PARAM_NAME_MAX + 16];
    if (params_copy(&settled, &work->params) != 0 ||
        (work->needs_origin && params_set(&settled, "url", "http://origin") != 0) ||
        params_resolve(&settled, work->workload->params, work->workload->param_count, NULL) != 0) {
        params_deinit(&settled);
        return;
    }
    for (size_t i = 0; i < settled.count; i++) {
        if (!work->needs_origin || strcmp(settled.list[i].name, "url") != 0) {
            (void)snprintf(name, sizeof(name), "parameter %s", settled.list[i].name);
            say(identity, name, settled.list[i].value);
        }
    }
    params_deinit(&settled);
}

static void say_results(json_t *identity, const struct options *options)
{
    static const char *const formats[] = {
        [SINK_NDJSON] = "ndjson", [SINK_TSV] = "tsv", [SINK_CSV] = "csv", [SINK_RAW] = "raw"};
    const struct sink_options *sink = &options->sink;
    say(identity, "--out", sink->out);
    say(identity, "--format", formats[sink->format]);
    say(identity, "--failures", sink->failures);
    say(identity, "--joblog", sink->joblog);
    say(identity, "--results", sink->results);
    say_flag(identity, "--keep-order", sink->keep_order);
    say_flag(identity, "--tag", sink->tag);
}

json_t *job_identity(const struct work *work, const struct options *options)
{
    json_t *identity = json_object();
    if (identity == NULL) {
        return NULL;
    }
    say(identity, "workload", work->workload->name);
    if (work->is_plugin) {
        char hash[HASH_TEXT_SIZE];
        say(identity, "plugin", hash_text(work->plugin.hash, hash));
    }
    say_items(identity, work);
    say_params(identity, work);
    say_results(identity, options);
    return identity;
}

int job_record_compare(const struct job_record *record,
                       const json_t *now,
                       struct err_text *ret_error)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)now, name, value)
    {
        const char *was = json_string_value(json_object_get(record->identity, name));
        if (was == NULL || strcmp(was, json_string_value(value)) != 0) {
            return err_set(
                ret_error,
                ERR_INVALID,
                "%s: '%.120s' when the run began, '%.120s' now; results of both would be "
                "mixed: go on with the same, or begin a new journal",
                name,
                was == NULL ? "" : was,
                json_string_value(value));
        }
    }
    return json_object_size(record->identity) == json_object_size(now)
               ? 0
               : err_set(ret_error,
                         ERR_INVALID,
                         "it was begun with more parameters than there are now");
}

/* --- the whole text --- */

char *job_record_write(const char *directory,
                       int argc,
                       const char *const *argv,
                       size_t rest_count,
                       bool items_kept,
                       json_t *identity)
{
    json_t *words = json_array();
    for (int i = 0; i < argc; i++) {
        (void)json_array_append_new(words, encode(argv[i]));
    }
    json_t *record = json_pack("{s:s, s:o, s:o, s:I, s:b, s:O}",
                               "schema",
                               schema,
                               "directory",
                               encode(directory),
                               "words",
                               words,
                               "rest",
                               (json_int_t)rest_count,
                               "items_kept",
                               (int)items_kept,
                               "identity",
                               identity);
    char *text = record == NULL || json_array_size(words) != (size_t)argc
                     ? NULL
                     : json_dumps(record, JSON_INDENT(1));
    json_decref(record);
    return text;
}

static int read_words(const json_t *words, struct job_record *record)
{
    size_t count = json_array_size(words);
    if (count == 0 || count > WORDS_MAX || record->rest_count >= count) {
        return ERR_INVALID;
    }
    record->words = calloc(count + 1, sizeof(*record->words));
    if (record->words == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        record->words[i] = decode(json_array_get(words, i));
        if (record->words[i] == NULL) {
            return ERR_INVALID;
        }
        record->word_count++;
    }
    return 0;
}

static bool all_texts(json_t *identity)
{
    const char *name;
    json_t *value;
    json_object_foreach(identity, name, value)
    {
        if (!json_is_string(value)) {
            return false;
        }
    }
    return json_is_object(identity);
}

static int read_record(json_t *json, struct job_record *record)
{
    const char *found = json_string_value(json_object_get(json, "schema"));
    json_int_t rest = json_integer_value(json_object_get(json, "rest"));
    json_t *identity = json_object_get(json, "identity");
    if (found == NULL || strcmp(found, schema) != 0 || rest < 0 || rest > WORDS_MAX ||
        !all_texts(identity)) {
        return ERR_INVALID;
    }
    record->rest_count = (size_t)rest;
    record->items_kept = json_is_true(json_object_get(json, "items_kept"));
    record->identity = json_incref(identity);
    record->directory = decode(json_object_get(json, "directory"));
    return record->directory == NULL ? ERR_INVALID
                                     : read_words(json_object_get(json, "words"), record);
}

int job_record_read(const char *text, struct err_text *ret_error, struct job_record *ret_record)
{
    *ret_record = (struct job_record){.directory = NULL};
    json_t *json = json_loads(text, 0, NULL);
    int rc = json == NULL ? ERR_INVALID : read_record(json, ret_record);
    json_decref(json);
    if (rc != 0) {
        job_record_deinit(ret_record);
        return err_set(ret_error, rc, "what it says about its job cannot be read");
    }
    return 0;
}

void job_record_deinit(struct job_record *record)
{
    for (size_t i = 0; i < record->word_count; i++) {
        free(record->words[i]);
    }
    free(record->words);
    free(record->directory);
    json_decref(record->identity);
    *record = (struct job_record){.directory = NULL};
}
