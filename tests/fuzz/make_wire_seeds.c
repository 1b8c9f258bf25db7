/* Writes the golden vectors as seeds for fuzz_wire: make_wire_seeds DIRECTORY. */
#include "tests/wire/wire_samples.h"

#include <stdio.h>

enum { SEED_MAX = 1024 };

static int write_seed(const char *directory, const struct wire_sample *sample)
{
    char path[4096];
    unsigned char bytes[SEED_MAX];
    size_t len = wire_sample_golden(sample, bytes, sizeof(bytes));
    (void)snprintf(path, sizeof(path), "%s/%s.bin", directory, sample->name);
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        perror(path);
        return -1;
    }
    size_t written = fwrite(bytes, 1, len, file);
    int rc = fclose(file);
    return written == len && rc == 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fputs("usage: make_wire_seeds DIRECTORY\n", stderr);
        return 2;
    }
    for (size_t i = 0; i < wire_sample_count; i++) {
        if (write_seed(argv[1], &wire_samples[i]) != 0) {
            return 1;
        }
    }
    return 0;
}
