/* Where a program is; declared in spawn.h. */
#include "common/base/check.h"
#include "common/io/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_SHOWN_MAX = 100, PATH_SHOWN_MAX = 300 };

/* glibc's for when there is no PATH. */
static const char default_path[] = "/bin:/usr/bin";

enum found { FOUND_NOTHING, FOUND_DIRECTORY, FOUND_NOT_EXECUTABLE, FOUND_PROGRAM };

static enum found look_at(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return errno == EACCES ? FOUND_NOT_EXECUTABLE : FOUND_NOTHING;
    }
    if (S_ISDIR(status.st_mode)) {
        return FOUND_DIRECTORY;
    }
    return S_ISREG(status.st_mode) && faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0
               ? FOUND_PROGRAM
               : FOUND_NOT_EXECUTABLE;
}

/* Write cwd/directory/name, of which `cwd` is left out when it is NULL or what follows is
 * absolute, and `directory` when it is empty. False: too long to be a path. */
static bool write_path(char ret_path[PATH_MAX],
                       const char *cwd,
                       const char *directory,
                       size_t directory_len,
                       const char *name)
{
    const char *rest = directory_len > 0 ? directory : name;
    bool from_cwd = cwd != NULL && rest[0] != '/';
    int len = snprintf(ret_path,
                       PATH_MAX,
                       "%s%s%.*s%s%s",
                       from_cwd ? cwd : "",
                       from_cwd ? "/" : "",
                       (int)directory_len,
                       directory,
                       directory_len > 0 ? "/" : "",
                       name);
    return len > 0 && len < PATH_MAX;
}

/* A name with a slash is the path itself. */
static int find_named(const char *name,
                      const char *cwd,
                      struct err_text *ret_error,
                      char ret_path[PATH_MAX])
{
    if (!write_path(ret_path, cwd, "", 0, name)) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "command '%.*s...' is too long for a path",
                       NAME_SHOWN_MAX,
                       name);
    }
    switch (look_at(ret_path)) {
    case FOUND_PROGRAM:
        return 0;
    case FOUND_DIRECTORY:
        return err_set(ret_error, ERR_INVALID, "command '%s' is a directory", ret_path);
    case FOUND_NOT_EXECUTABLE:
        return err_set(ret_error,
                       ERR_INVALID,
                       "command '%s' is not executable (chmod +x, or name its interpreter)",
                       ret_path);
    case FOUND_NOTHING:
        return err_set(ret_error, ERR_NOT_FOUND, "command '%s' does not exist", ret_path);
    }
    check_failed(__FILE__, __LINE__, "a finding that is in the list");
}

static int not_in_path(const char *name,
                       const char *path,
                       const char *unusable,
                       struct err_text *ret_error)
{
    const char *cut = strlen(path) > PATH_SHOWN_MAX ? "..." : "";
    if (unusable[0] != '\0') {
        return err_set(ret_error,
                       ERR_INVALID,
                       "command '%.*s': '%s' is not executable, and nothing else in PATH is "
                       "(%.*s%s)",
                       NAME_SHOWN_MAX,
                       name,
                       unusable,
                       PATH_SHOWN_MAX,
                       path,
                       cut);
    }
    return err_set(ret_error,
                   ERR_NOT_FOUND,
                   "command '%.*s' was not found in PATH (%.*s%s)",
                   NAME_SHOWN_MAX,
                   name,
                   PATH_SHOWN_MAX,
                   path,
                   cut);
}

/* As execvp: files that cannot be run are passed over, an empty directory is this one. */
static int find_in_path(const char *name,
                        const char *cwd,
                        struct err_text *ret_error,
                        char ret_path[PATH_MAX])
{
    const char *path = getenv("PATH");
    path = path != NULL ? path : default_path;
    char unusable[PATH_MAX] = "";
    for (const char *at = path;;) {
        size_t len = strcspn(at, ":");
        const char *directory = len > 0 ? at : ".";
        if (write_path(ret_path, cwd, directory, len > 0 ? len : 1, name)) {
            enum found found = look_at(ret_path);
            if (found == FOUND_PROGRAM) {
                return 0;
            }
            if (found == FOUND_NOT_EXECUTABLE && unusable[0] == '\0') {
                memcpy(unusable, ret_path, strlen(ret_path) + 1);
            }
        }
        if (at[len] == '\0') {
            return not_in_path(name, path, unusable, ret_error);
        }
        at += len + 1;
    }
}

int path_find(const char *name, const char *cwd, struct err_text *ret_error, char **ret_path)
{
    char path[PATH_MAX];
    if (name[0] == '\0') {
        return err_set(ret_error, ERR_NOT_FOUND, "the command's name is empty");
    }
    int rc = strchr(name, '/') != NULL ? find_named(name, cwd, ret_error, path)
                                       : find_in_path(name, cwd, ret_error, path);
    if (rc != 0) {
        return rc;
    }
    char *copy = strdup(path);
    if (copy == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for the path of '%s'", path);
    }
    *ret_path = copy;
    return 0;
}
