/* Any bytes at all as the file that a plugin should be in. What is taken has its segments inside the
 * file: every byte of them is read here, in memory of just that size. */
#include "common/base/check.h"
#include "worker/workloads/plugin_elf.h"

#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static unsigned touch(const uint8_t *bytes, const struct plugin_elf *elf)
{
    unsigned sum = 0;
    for (uint64_t i = 0; i < elf->count; i++) {
        ElfW(Phdr) segment;
        memcpy(&segment, bytes + elf->offset + i * sizeof(segment), sizeof(segment));
        for (uint64_t k = 0; segment.p_type != PT_NULL && k < segment.p_filesz; k++) {
            sum += bytes[segment.p_offset + k];
        }
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static volatile unsigned seen; /* so that the reading is done */
    struct err_text error = {""};
    struct plugin_elf elf;
    size_t head_len = len < PLUGIN_ELF_HEAD_SIZE ? len : PLUGIN_ELF_HEAD_SIZE;
    uint8_t *head = malloc(head_len + 1); /* of its own: reading beyond it is seen */
    CHECK(head != NULL);
    if (head_len > 0) {
        memcpy(head, bytes, head_len);
    }
    int rc = plugin_elf_head(head, head_len, len, &error, &elf);
    free(head);
    rc = rc != 0 ? rc : plugin_elf_segments(&elf, bytes + elf.offset, &error);
    if (rc == 0) {
        seen = touch(bytes, &elf);
        (void)seen;
    } else {
        CHECK(error.s[0] != '\0');
    }
    return 0;
}
