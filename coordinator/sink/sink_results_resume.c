/* The directory with one file per worker, as far as marks and going on are concerned; see
 * sink_results.h. */
#include "coordinator/sink/directory.h"
#include "coordinator/sink/sink_cuts.h"
#include "coordinator/sink/sink_results_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ASIDE_MAX = 100 }; /* resumes, that each left something */

static int failed(struct sink_results *results, const char *name)
{
    return err_set(&results->error, ERR_IO, "cannot write %s: %s", name, strerror(errno));
}

/* What failed first is what everything fails with from then on. */
static int give(struct sink_results *results, int code, struct err_text *ret_error)
{
    if (code != 0) {
        results->code = code;
        (void)err_set(ret_error, code, "%s", results->error.s);
    }
    return code;
}

/* --- names --- */

static unsigned hex_digit(char c)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;
    return at != NULL ? (unsigned)(at - digits) : 0;
}

/* The worker whose file this is, the other way of sink_results_file_name; false: nobody's. */
static bool worker_of(const char *file_name, char ret_worker[SINK_WORKER_SIZE])
{
    char back[SINK_RESULTS_NAME_SIZE];
    size_t len = strlen(file_name);
    size_t ending = strlen(SINK_RESULTS_ENDING);
    const char *at = file_name;
    const char *end = len >= ending ? file_name + len - ending : file_name;
    size_t count = 0;
    if (end - at == 1 && *at == '%') {
        at++; /* no name */
    }
    while (at < end && count < SINK_WORKER_SIZE - 1) {
        bool is_hex = *at == '%' && end - at > 2;
        ret_worker[count++] = is_hex ? (char)(hex_digit(at[1]) * 16 + hex_digit(at[2])) : *at;
        at += is_hex ? 3 : 1;
    }
    ret_worker[count] = '\0';
    sink_results_file_name(ret_worker, back);
    return strcmp(file_name, back) == 0; /* or it was none of these names */
}

static bool have_path(const struct sink_results *results, const char *path)
{
    for (size_t i = 0; i < results->count; i++) {
        if (strcmp(results->entries[i]->path, path) == 0) {
            return true;
        }
    }
    return false;
}

bool sink_results_have(const struct sink_results *results, const char *path)
{
    return results->absolute != NULL && have_path(results, path);
}

/* The part of `path` behind our directory; NULL: it is elsewhere. */
static const char *name_in(const struct sink_results *results, const char *path)
{
    size_t len = strlen(results->absolute);
    bool is_inside = strncmp(path, results->absolute, len) == 0 && path[len] == '/' &&
                     strchr(path + len + 1, '/') == NULL;
    return is_inside ? path + len + 1 : NULL;
}

/* --- opening --- */

/* Look at a file that is gone on with; it is opened again when there is something for it. */
static int open_once(struct sink_results *results, struct entry *entry)
{
    int fd = open(entry->path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        return failed(results, entry->name);
    }
    int code = sink_results_take_file(results, entry, fd);
    if (code != 0) {
        (void)close(fd);
        entry->file.fd = -1;
        return code;
    }
    sink_file_close(&entry->file);
    return sink_file_error(&entry->file, &results->error);
}

static int take_over(struct sink_results *results, const char *worker, const struct sink_place *cut)
{
    struct entry *entry = sink_results_new_entry(results, worker);
    if (entry == NULL) {
        return ERR_NOMEM;
    }
    entry->length = cut->length;
    int code = sink_cuts_check(cut, entry->name, &results->error);
    if (code == 0) {
        code = open_once(results, entry);
    }
    if (code == 0) {
        code = sink_results_keep_entry(results, entry);
    }
    if (code != 0) {
        sink_results_free_entry(entry);
    }
    return code;
}

/* Is it a file of a worker's name that is no output of ours? */
static bool is_stranger(const struct sink_results *results, const char *name, const char *path)
{
    char worker[SINK_WORKER_SIZE];
    struct stat status;
    return worker_of(name, worker) && !have_path(results, path) && lstat(path, &status) == 0 &&
           S_ISREG(status.st_mode) && sink_claims_find_status(results->claims, &status) == NULL;
}

/* Call `take` for each stranger in the directory. */
static int each_stranger(struct sink_results *results,
                         int (*take)(struct sink_results *results, const char *name))
{
    int code = 0;
    DIR *directory = opendir(results->absolute);
    if (directory == NULL) {
        return failed(results, results->absolute);
    }
    for (struct dirent *entry = readdir(directory); entry != NULL && code == 0;
         entry = readdir(directory)) {
        char *path = NULL;
        if (asprintf(&path, "%s/%s", results->absolute, entry->d_name) < 0) {
            code = err_set(&results->error, ERR_NOMEM, "no memory for the files of --results");
            break;
        }
        if (is_stranger(results, entry->d_name, path)) {
            code = take(results, entry->d_name);
        }
        free(path);
    }
    (void)closedir(directory);
    return code;
}

static int refuse(struct sink_results *results, const char *name)
{
    return err_set(&results->error,
                   ERR_INVALID,
                   "--results '%s' has '%s' of an earlier run: to be gone on with, a run needs a "
                   "directory without such files",
                   results->path,
                   name);
}

int sink_results_look(struct sink_results *results, const struct sink_options *options)
{
    char worker[SINK_WORKER_SIZE];
    if (!options->resume) {
        return each_stranger(results, refuse);
    }
    int code = 0;
    for (size_t i = 0; i < options->cut_count && code == 0; i++) {
        const char *name = name_in(results, options->cuts[i].path);
        if (name != NULL && worker_of(name, worker)) {
            code = take_over(results, worker, &options->cuts[i]);
        }
    }
    return code;
}

/* --- going on --- */

/* It was begun after the mark, and its items run again. But it may as well be somebody's own, made since then:
 * it gets a name that is no worker's, which is not taken yet. */
static int set_aside(struct sink_results *results, const char *name)
{
    for (unsigned i = 0; i < ASIDE_MAX; i++) {
        char aside[SINK_RESULTS_NAME_SIZE + sizeof(".aside-99")];
        struct stat status;
        (void)snprintf(aside, sizeof(aside), i == 0 ? "%s.aside" : "%s.aside-%u", name, i);
        if (fstatat(results->directory, aside, &status, AT_SYMLINK_NOFOLLOW) == 0) {
            continue;
        }
        if (errno == ENOENT && renameat(results->directory, name, results->directory, aside) == 0) {
            return 0;
        }
        return failed(results, name);
    }
    return err_set(&results->error,
                   ERR_IO,
                   "--results '%s' has %d files '%s.aside' already: remove or move them",
                   results->path,
                   ASIDE_MAX,
                   name);
}

int sink_results_begin(struct sink_results *results, struct err_text *ret_error)
{
    if (!results->resumes) {
        return 0;
    }
    int code = 0;
    for (size_t i = 0; i < results->count && code == 0; i++) {
        struct entry *entry = results->entries[i];
        entry->file.start = entry->length;
        if (truncate(entry->path, (off_t)entry->length) != 0) {
            code = failed(results, entry->name);
        }
    }
    if (code == 0) {
        code = each_stranger(results, set_aside);
    }
    return give(results, code, ret_error);
}

/* --- marks --- */

/* A file that was closed to make room for others is opened again for this: what was written to it is
 * the file's, not the descriptor's. */
static int sync_entry(struct sink_results *results, struct entry *entry)
{
    struct sink_file *file = &entry->file;
    bool was_closed = file->fd < 0;
    if (file->kind != SINK_FILE_REGULAR || file->synced == file->written) {
        return 0;
    }
    if (was_closed) {
        file->fd = open(entry->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        if (file->fd < 0) {
            return failed(results, entry->name);
        }
    }
    sink_file_sync(file);
    if (was_closed) {
        sink_file_close(file);
    }
    return sink_file_error(file, &results->error);
}

/* The names of the files, and the directory's own. */
static int sync_names(struct sink_results *results)
{
    if (!results->has_new) {
        return 0;
    }
    results->has_new = false;
    bool synced = directory_sync_of(results->entries[0]->path) == 0 &&
                  (!results->created || directory_sync_of(results->absolute) == 0);
    return synced ? 0 : failed(results, results->absolute);
}

int sink_results_sync(struct sink_results *results, struct err_text *ret_error)
{
    int code = 0;
    for (size_t i = 0; i < results->count && code == 0; i++) {
        code = sync_entry(results, results->entries[i]);
    }
    if (code == 0) {
        code = sync_names(results);
    }
    return give(results, code, ret_error);
}

size_t sink_results_count(const struct sink_results *results)
{
    return results->count;
}

size_t sink_results_places(const struct sink_results *results, struct sink_place *ret_places)
{
    size_t count = 0;
    for (size_t i = 0; i < results->count; i++) {
        const struct entry *entry = results->entries[i];
        if (entry->file.kind == SINK_FILE_REGULAR) {
            ret_places[count++] = (struct sink_place){entry->path, sink_file_length(&entry->file)};
        }
    }
    return count;
}
