/* Do two messages mean the same? For tests: a missing optional array equals one of zeros. */
#ifndef QUARTET_TESTS_WIRE_EQUAL_H
#define QUARTET_TESTS_WIRE_EQUAL_H

#include "common/wire/wire.h"

#include <stdbool.h>

bool wire_equal(const struct wire_message *a, const struct wire_message *b);

#endif
