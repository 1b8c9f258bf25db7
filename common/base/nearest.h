/* "did you mean": the known name nearest to a mistyped one. */
#ifndef QUARTET_COMMON_BASE_NEAREST_H
#define QUARTET_COMMON_BASE_NEAREST_H

#include <stddef.h>

/* The entry of `names` (of `count`, none NULL) with the smallest edit distance
 * (Damerau-Levenshtein, adjacent transpositions count one) to `word`, when that distance is at
 * most a third of the longer length, rounded up; otherwise NULL. The result is borrowed from
 * `names`. */
const char *nearest_name(const char *word, const char *const *names, size_t count);

#endif
