/* One message of each type, with the bytes it must have on the wire for ever: shared by the
 * golden, round-trip and fuzz tests. */
#ifndef QUARTET_TESTS_WIRE_SAMPLES_H
#define QUARTET_TESTS_WIRE_SAMPLES_H

#include "common/wire/wire.h"

#include <stddef.h>

struct wire_sample {
    const char *name;
    struct wire_message message;
    const char *golden; /* hexadecimal; blanks mean nothing */
};

extern const struct wire_sample wire_samples[];
extern const size_t wire_sample_count;

/* Bytes of a sample's golden vector. Returns how many; at most `size`, or it aborts. */
size_t wire_sample_golden(const struct wire_sample *sample, unsigned char *ret_bytes, size_t size);

#endif
