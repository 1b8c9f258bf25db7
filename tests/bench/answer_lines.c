/* A trivial program for `pipe`: answers each line with itself. Reads and writes as much at once as
 * there is, which is what makes a program quick at this. */
#include <stdlib.h>
#include <unistd.h>

static void write_all(const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t written = write(STDOUT_FILENO, bytes, len);
        if (written <= 0) {
            exit(EXIT_FAILURE);
        }
        bytes += written;
        len -= (size_t)written;
    }
}

int main(void)
{
    static char buffer[64 * 1024];
    for (;;) {
        ssize_t got = read(STDIN_FILENO, buffer, sizeof(buffer));
        if (got <= 0) {
            return got == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        }
        write_all(buffer, (size_t)got);
    }
}
