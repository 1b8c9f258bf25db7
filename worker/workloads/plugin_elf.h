/* Could a file be a shared object that this program can load? Asked before dlopen, which believes
 * what the headers say: of a file that was cut off it maps pages that are not there, and the first
 * look at one of them ends the process with SIGBUS.
 *
 * Two steps, because the second table lies where the first one says. Pure: the caller reads. Not
 * a proof: code that was damaged has the same headers. Refusals say what the file is in words
 * that go behind its name: "it is empty". */
#ifndef QUARTET_WORKER_WORKLOADS_PLUGIN_ELF_H
#define QUARTET_WORKER_WORKLOADS_PLUGIN_ELF_H

#include "common/base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { PLUGIN_ELF_HEAD_SIZE = 64 }; /* bytes from the start of the file that the first step needs */

/* The table of segments: what to read for the second step. */
struct plugin_elf {
    uint64_t file_size;
    uint64_t offset;
    uint64_t count; /* at most 65534 */
    size_t size;    /* bytes of the table */
};

/* `head`: the first `head_len` bytes, PLUGIN_ELF_HEAD_SIZE or the whole file when that is less.
 * Returns 0 or ERR_INVALID. */
int plugin_elf_head(const void *head,
                    size_t head_len,
                    uint64_t file_size,
                    struct err_text *ret_error,
                    struct plugin_elf *ret_elf);

/* `table`: the elf->size bytes at elf->offset. Returns 0 or ERR_INVALID. */
int plugin_elf_segments(const struct plugin_elf *elf,
                        const void *table,
                        struct err_text *ret_error);

#endif
