/* Checks for programmer's errors. A failed check aborts, in release builds too: a scheduler that
 * goes on with a broken invariant loses work silently. Bad input from a user or the network is
 * never a CHECK; it is an error code. */
#ifndef QUARTET_COMMON_BASE_CHECK_H
#define QUARTET_COMMON_BASE_CHECK_H

/* Print "FILE:LINE: check failed: TEXT" on standard error and abort. */
_Noreturn void check_failed(const char *file, int line, const char *text);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            check_failed(__FILE__, __LINE__, #condition);                                          \
        }                                                                                          \
    } while (0)

#endif
