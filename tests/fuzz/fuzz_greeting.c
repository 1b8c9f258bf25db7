/* Any bytes at all from a port, whole and cut at every length: what is read of them is within its bounds, printable, and
 * does not change its mind when more of the same comes. */
#include "common/base/check.h"
#include "common/base/printable.h"
#include "common/doctor/greeting.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void look_at(const uint8_t *bytes, size_t len)
{
    void *copy = malloc(len > 0 ? len : 1); /* of just this size: reading beyond it is seen */
    CHECK(copy != NULL);
    memcpy(copy, bytes, len);
    struct greeting greeting = greeting_read(copy, len);
    CHECK((greeting.kind == GREETING_NONE) == (len == 0));
    CHECK(strlen(greeting.words) < GREETING_WORDS_SIZE);
    CHECK(strlen(greeting.mechanism) < GREETING_MECHANISM_SIZE);
    CHECK(printable(greeting.words, strlen(greeting.words)));
    CHECK(printable(greeting.mechanism, strlen(greeting.mechanism)));
    CHECK(greeting.kind != GREETING_ZMTP || greeting.major >= 3);
    CHECK(greeting.kind != GREETING_OTHER || greeting.words[0] != '\0');
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    for (size_t cut = 0; cut < len && cut < GREETING_SIZE; cut++) {
        look_at(bytes, cut);
    }
    look_at(bytes, len);
    return 0;
}
