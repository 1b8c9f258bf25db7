/* The words for traits, forms and kinds of parameters that a description has in it: one list for
 * who writes it (quartet-worker --describe) and who reads it (the coordinator). Pure. */
#ifndef QUARTET_WORKER_WORKLOADS_PLUGIN_WORDS_H
#define QUARTET_WORKER_WORKLOADS_PLUGIN_WORDS_H

#include "worker/workloads/workload.h"

#include <stdbool.h>

/* Which of its functions a workload has. */
enum plugin_form {
    PLUGIN_RUN = 1,
    PLUGIN_RUN_NUMBERS = 2,
    PLUGIN_RUN_BATCH = 4,
    PLUGIN_ASYNC = 8,
    PLUGIN_EXPECTED_CHECKSUM = 16,
};

struct plugin_word {
    unsigned bit;
    const char *word;
};

/* Every trait and every form; the list ends with the word NULL. */
extern const struct plugin_word plugin_trait_words[];
extern const struct plugin_word plugin_form_words[];

/* The bit of a word, 0 when it is not in the list. */
unsigned plugin_word_bit(const struct plugin_word *words, const char *word);

unsigned plugin_traits_known(void);

/* What `ops` has: of enum plugin_form. */
unsigned plugin_forms(const struct workload_ops *ops);

/* "seconds", "count", ...; NULL for what is no kind. */
const char *plugin_kind_word(enum param_kind kind);

/* Returns 0 or ERR_NOT_FOUND. */
int plugin_kind_from_word(const char *word, enum param_kind *ret_kind);

/* Does `max` matter? */
bool plugin_kind_is_numeric(enum param_kind kind);

#endif
