#include "coordinator/session/program.h"

#include "common/base/check.h"
#include "common/base/err.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int program_directory(char *ret_directory, size_t size)
{
    char self[PROGRAM_PATH_SIZE];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (len <= 0) {
        return ERR_NOT_FOUND;
    }
    self[len] = '\0';
    char *slash = strrchr(self, '/');
    CHECK(slash != NULL);
    slash[1] = '\0';
    int written = snprintf(ret_directory, size, "%s", self);
    return written < 0 || (size_t)written >= size ? ERR_INVALID : 0;
}

void program_find(const char *name, char *ret_path, size_t size)
{
    char directory[PROGRAM_PATH_SIZE];
    (void)snprintf(ret_path, size, "%s", name);
    if (program_directory(directory, sizeof(directory)) != 0) {
        return;
    }
    char path[PROGRAM_PATH_SIZE * 2];
    (void)snprintf(path, sizeof(path), "%s%s", directory, name);
    if (access(path, X_OK) == 0) {
        (void)snprintf(ret_path, size, "%s", path);
    }
}

void program_describe_end(const char *name, int status, int signal, char *ret_text, size_t size)
{
    if (signal != 0) {
        (void)snprintf(
            ret_text, size, "%s was killed by signal %d (%s)", name, signal, strsignal(signal));
    } else {
        (void)snprintf(ret_text, size, "%s exited with status %d", name, status);
    }
}
