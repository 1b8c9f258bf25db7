/* The bytes of each message type are frozen: what this version writes, every later 1.x must
 * read, and the other way round. */
#include "common/wire/wire.h"
#include "tests/wire/wire_equal.h"
#include "tests/wire/wire_samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { GOLDEN_MAX = 1024 };

static void test_wire_writes_the_golden_bytes(void **state)
{
    (void)state;
    struct wire_encoder *encoder = wire_encoder_new();
    for (size_t i = 0; i < wire_sample_count; i++) {
        unsigned char golden[GOLDEN_MAX];
        unsigned char written[GOLDEN_MAX];
        size_t len = wire_sample_golden(&wire_samples[i], golden, sizeof(golden));

        assert_int_equal(wire_size(encoder, &wire_samples[i].message), len);
        wire_write(encoder, written);

        assert_memory_equal(written, golden, len);
    }
    wire_encoder_free(encoder);
}

static void test_wire_reads_the_golden_bytes(void **state)
{
    (void)state;
    struct wire_decoder *decoder = wire_decoder_new();
    for (size_t i = 0; i < wire_sample_count; i++) {
        unsigned char golden[GOLDEN_MAX];
        size_t len = wire_sample_golden(&wire_samples[i], golden, sizeof(golden));
        struct wire_message message;

        assert_int_equal(wire_decode(decoder, golden, len, NULL, &message), 0);

        assert_true(wire_equal(&message, &wire_samples[i].message));
    }
    wire_decoder_free(decoder);
}

static void test_wire_has_a_golden_vector_of_every_type(void **state)
{
    (void)state;
    for (int type = WIRE_HELLO; type <= WIRE_ECHO; type++) {
        size_t found = 0;
        for (size_t i = 0; i < wire_sample_count; i++) {
            found += (int)wire_samples[i].message.type == type;
        }
        assert_true(found > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_writes_the_golden_bytes),
        cmocka_unit_test(test_wire_reads_the_golden_bytes),
        cmocka_unit_test(test_wire_has_a_golden_vector_of_every_type),
    };
    return cmocka_run_group_tests_name("wire_golden", tests, NULL, NULL);
}
