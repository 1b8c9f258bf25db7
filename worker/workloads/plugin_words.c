#include "worker/workloads/plugin_words.h"

#include "common/base/err.h"

#include <string.h>

const struct plugin_word plugin_trait_words[] = {
    {WORKLOAD_IDEMPOTENT, "idempotent"},
    {WORKLOAD_NUMBERS, "numbers"},
    {WORKLOAD_BYTES, "bytes"},
    {WORKLOAD_ONE_THREAD, "one-thread"},
    {WORKLOAD_NO_FORK, "no-fork"},
    {WORKLOAD_COMMAND, "command"},
    {WORKLOAD_PRINTS, "prints"},
    {WORKLOAD_LINES, "lines"},
    {0, NULL},
};

const struct plugin_word plugin_form_words[] = {
    {PLUGIN_RUN, "run"},
    {PLUGIN_RUN_NUMBERS, "run_numbers"},
    {PLUGIN_RUN_BATCH, "run_batch"},
    {PLUGIN_ASYNC, "async"},
    {PLUGIN_EXPECTED_CHECKSUM, "expected_checksum"},
    {0, NULL},
};

static const char *const kind_words[] = {
    [PARAM_SECONDS] = "seconds",
    [PARAM_COUNT] = "count",
    [PARAM_BYTES] = "bytes",
    [PARAM_URL] = "url",
    [PARAM_CHOICE] = "choice",
    [PARAM_TEXT] = "text",
};

enum { KIND_COUNT = sizeof(kind_words) / sizeof(kind_words[0]) };

unsigned plugin_word_bit(const struct plugin_word *words, const char *word)
{
    for (; words->word != NULL; words++) {
        if (strcmp(words->word, word) == 0) {
            return words->bit;
        }
    }
    return 0;
}

unsigned plugin_traits_known(void)
{
    unsigned known = 0;
    for (const struct plugin_word *trait = plugin_trait_words; trait->word != NULL; trait++) {
        known |= trait->bit;
    }
    return known;
}

unsigned plugin_forms(const struct workload_ops *ops)
{
    return (ops->run != NULL ? PLUGIN_RUN : 0U) |
           (ops->run_numbers != NULL ? PLUGIN_RUN_NUMBERS : 0U) |
           (ops->run_batch != NULL ? PLUGIN_RUN_BATCH : 0U) |
           (ops->async_open != NULL ? PLUGIN_ASYNC : 0U) |
           (ops->expected_checksum != NULL ? PLUGIN_EXPECTED_CHECKSUM : 0U);
}

const char *plugin_kind_word(enum param_kind kind)
{
    /* It comes from tables that others made: any int may be in it. */
    return (unsigned)kind < KIND_COUNT ? kind_words[kind] : NULL;
}

int plugin_kind_from_word(const char *word, enum param_kind *ret_kind)
{
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        if (strcmp(kind_words[i], word) == 0) {
            *ret_kind = (enum param_kind)i;
            return 0;
        }
    }
    return ERR_NOT_FOUND;
}

bool plugin_kind_is_numeric(enum param_kind kind)
{
    return kind == PARAM_SECONDS || kind == PARAM_COUNT || kind == PARAM_BYTES;
}
