#include "coordinator/program.h"

#include "common/base/check.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void program_find(const char *name, char *ret_path, size_t size)
{
    char self[PROGRAM_PATH_SIZE];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    (void)snprintf(ret_path, size, "%s", name);
    if (len <= 0) {
        return;
    }
    self[len] = '\0';
    char *slash = strrchr(self, '/');
    CHECK(slash != NULL);
    slash[1] = '\0';
    char path[PROGRAM_PATH_SIZE * 2];
    (void)snprintf(path, sizeof(path), "%s%s", self, name);
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
