/* Any bytes at all into the decoder of header frames. What it takes must mean the same after
 * another trip over the wire, and print. */
#include "common/base/check.h"
#include "common/wire/wire.h"
#include "tests/wire/wire_equal.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Two decoders: the first one's message must live while its second trip is decoded. */
struct wire {
    struct wire_decoder *there;
    struct wire_decoder *back;
    struct wire_encoder *encoder;
};

static void go_round(const struct wire *wire, const uint8_t *bytes, size_t len)
{
    char line[256];
    struct err_text error = {""};
    struct wire_message message;
    struct wire_message again;
    if (wire_decode(wire->there, bytes, len, &error, &message) != 0) {
        CHECK(error.s[0] != '\0');
        return;
    }
    size_t size = wire_size(wire->encoder, &message);
    void *frame = malloc(size); /* of just this size: writing beyond it is seen */
    CHECK(frame != NULL);
    wire_write(wire->encoder, frame);
    CHECK(wire_decode(wire->back, frame, size, &error, &again) == 0);
    CHECK(wire_equal(&message, &again));
    CHECK(wire_describe(&message, line, sizeof(line)) == line);
    free(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct wire wire; /* made once: that costs more than an input */
    if (wire.there == NULL) {
        wire = (struct wire){wire_decoder_new(), wire_decoder_new(), wire_encoder_new()};
        CHECK(wire.there != NULL && wire.back != NULL && wire.encoder != NULL);
    }
    go_round(&wire, bytes, len);
    return 0;
}
