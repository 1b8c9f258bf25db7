/* The squares of 1 to N in a plain loop: every square stored in an array of N numbers and added to the checksum.
 *
 * Twice: into a fresh array, which costs a page fault for every 512 squares, and into the same array again, where memory bandwidth is
 * all there is. The first is what a program without a framework does; the second shows how much of that was the array. */
#include "tests/bench/bare.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] = "bare_squares N";

static uint64_t store_and_fold(uint64_t *squares, uint64_t count)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        squares[i] = (i + 1) * (i + 1);
        sum += squares[i];
    }
    return sum;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s\n", usage);
        return 2;
    }
    uint64_t count = bare_number(argv[1], UINT64_MAX / sizeof(uint64_t), usage);

    uint64_t begin_ns = bare_now_ns();
    uint64_t *squares = malloc(count * sizeof(*squares));
    if (squares == NULL) {
        bare_fail("malloc", NULL);
    }
    uint64_t checksum = store_and_fold(squares, count);
    uint64_t fresh_ns = bare_now_ns() - begin_ns;

    begin_ns = bare_now_ns();
    uint64_t again = store_and_fold(squares, count);
    uint64_t touched_ns = bare_now_ns() - begin_ns;
    free(squares);

    if (again != checksum) {
        bare_fail("bare_squares", "the two loops do not agree");
    }
    (void)printf("{\"wall_s\": %.6f, \"touched_s\": %.6f, \"checksum\": \"%016" PRIx64 "\"}\n",
                 (double)fresh_ns / 1e9,
                 (double)touched_ns / 1e9,
                 checksum);
    return 0;
}
