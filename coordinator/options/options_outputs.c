/* Where reports go: looked at before any work is done. */
#include "coordinator/options/options.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Can it be written? What an earlier run wrote stays until this one is done. */
static int check_output(const char *path, const char *flag, struct err_text *ret_error)
{
    if (path == NULL || strcmp(path, "-") == 0) {
        return 0;
    }
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
    if (fd < 0) {
        return err_set(ret_error, ERR_IO, "cannot write %s '%s': %s", flag, path, strerror(errno));
    }
    (void)close(fd);
    return 0;
}

/* Is what `report` names the same regular file as `other`, by whatever names? "-" of `other` is standard input. */
static bool is_same_file(const char *report, const char *other)
{
    struct stat a;
    struct stat b;
    int rc = strcmp(other, "-") == 0 ? fstat(STDIN_FILENO, &b) : stat(other, &b);
    return rc == 0 && stat(report, &a) == 0 && S_ISREG(a.st_mode) && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* Of two reports. */
static bool is_one_place(const char *a, const char *b)
{
    if (a == NULL || b == NULL) {
        return false;
    }
    bool is_file = strcmp(a, "-") != 0 && strcmp(b, "-") != 0;
    return strcmp(a, b) == 0 || (is_file && is_same_file(a, b));
}

/* A report replaces what is in its file. */
static int check_apart(const char *flag,
                       const char *report,
                       const char *other_flag,
                       const char *other,
                       struct err_text *ret_error)
{
    bool apart = report == NULL || other == NULL || strcmp(report, "-") == 0 ||
                 (strcmp(report, other) != 0 && !is_same_file(report, other));
    return apart ? 0
                 : err_set(ret_error,
                           ERR_INVALID,
                           "%s '%s' is the same file as %s '%s': give each its own",
                           flag,
                           report,
                           other_flag,
                           other);
}

/* Two reports in one place would overwrite or follow each other, and nothing could read them. */
static int check_places(const struct options *options, struct err_text *ret_error)
{
    const char *const paths[] = {options->json, options->csv, options->markdown};
    static const char *const flags[] = {"--json", "--csv", "--markdown"};
    for (size_t i = 0; i < 3; i++) {
        int rc = check_apart(flags[i], paths[i], "--items", options->items_path, ret_error);
        rc = rc != 0 ? rc
                     : check_apart(flags[i], paths[i], "--journal", options->journal, ret_error);
        if (rc != 0) {
            return rc;
        }
        for (size_t k = i + 1; k < 3; k++) {
            if (is_one_place(paths[i], paths[k])) {
                return err_set(ret_error,
                               ERR_INVALID,
                               "%s and %s both write to '%s': give each its own",
                               flags[i],
                               flags[k],
                               paths[i]);
            }
        }
    }
    return 0;
}

int options_check_outputs(const struct options *options, struct err_text *ret_error)
{
    int rc = check_places(options, ret_error);
    if (rc != 0 || options->dry_run) {
        return rc;
    }
    rc = check_output(options->json, "--json", ret_error);
    if (rc == 0) {
        rc = check_output(options->csv, "--csv", ret_error);
    }
    if (rc == 0) {
        rc = check_output(options->markdown, "--markdown", ret_error);
    }
    return rc != 0
               ? rc
               : check_places(options, ret_error); /* of new files, too, now that they are there */
}
