/* A program that must not outlive the one that started it. */
#ifndef QUARTET_COMMON_IO_PARENT_H
#define QUARTET_COMMON_IO_PARENT_H

#include <stdint.h>

/* Be killed when the parent's thread that started us ends, however it ends; exit at once when
 * the parent `pid` is gone already. 0: do nothing. */
void parent_bind(uint64_t pid);

#endif
