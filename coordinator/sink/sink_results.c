/* One file per worker; see sink_results.h. */
#include "coordinator/sink/sink_results.h"

#include "coordinator/sink/sink_results_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIRECTORY_MODE = 0777, FILE_MODE = 0666 };

static bool stands_for_itself(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

void sink_results_file_name(const char *worker, char ret_name[SINK_RESULTS_NAME_SIZE])
{
    char *at = ret_name;
    if (worker[0] == '\0') {
        *at++ = '%'; /* as no name is written */
    }
    for (size_t i = 0; worker[i] != '\0' && i < SINK_WORKER_SIZE - 1; i++) {
        if (stands_for_itself(worker[i]) && (i > 0 || worker[i] != '.')) {
            *at++ = worker[i];
        } else {
            at += snprintf(at, 4, "%%%02X", (unsigned)(unsigned char)worker[i]);
        }
    }
    memcpy(at, SINK_RESULTS_ENDING, sizeof(SINK_RESULTS_ENDING));
}

static int fail(struct sink_results *results, int code)
{
    results->code = results->code == 0 ? code : results->code;
    return results->code;
}

/* Where places are asked for: the absolute path. */
static int find_path(struct sink_results *results, const struct sink_options *options)
{
    if (options->marked == NULL && !options->resume) {
        return 0;
    }
    results->absolute = realpath(results->path, NULL);
    if (results->absolute == NULL) {
        return err_set(&results->error,
                       ERR_IO,
                       "cannot write to --results '%s': %s",
                       results->path,
                       strerror(errno));
    }
    return sink_results_look(results, options);
}

int sink_results_open(const struct sink_options *options,
                      const struct sink_claims *claims,
                      const atomic_bool *give_up,
                      struct err_text *ret_error,
                      struct sink_results **ret_results)
{
    const char *path = options->results;
    struct sink_results *results = calloc(1, sizeof(*results));
    char *copy = strdup(path);
    if (results == NULL || copy == NULL) {
        free(results);
        free(copy);
        return err_set(ret_error, ERR_NOMEM, "no memory for the files of --results '%s'", path);
    }
    results->path = copy;
    results->claims = claims;
    results->give_up = give_up;
    results->created = mkdir(path, DIRECTORY_MODE) == 0;
    results->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (results->directory < 0 ||
        faccessat(results->directory, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        int code = err_set(
            ret_error, ERR_IO, "cannot write to --results '%s': %s", path, strerror(errno));
        sink_results_undo(results);
        sink_results_free(results);
        return code;
    }
    sink_file_buffer_init(&results->buffer);
    results->resumes = options->resume;
    int code = find_path(results, options);
    if (code != 0) {
        (void)err_set(ret_error, code, "%s", results->error.s);
        sink_results_undo(results);
        sink_results_free(results);
        return code;
    }
    *ret_results = results;
    return 0;
}

void sink_results_undo(const struct sink_results *results)
{
    if (results->created) {
        (void)rmdir(results->path);
    }
}

/* Is it a file that something else of the sink is written to? */
static bool is_taken(const struct sink_results *results, int fd, const struct stat *status)
{
    for (size_t i = 0; i < results->count; i++) {
        if (results->entries[i]->device == status->st_dev &&
            results->entries[i]->inode == status->st_ino) {
            return true;
        }
    }
    return sink_claims_find(results->claims, fd) != NULL;
}

int sink_results_take_file(struct sink_results *results, struct entry *entry, int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return err_set(
            &results->error, ERR_IO, "cannot write %s: %s", entry->name, strerror(errno));
    }
    if (is_taken(results, fd, &status)) {
        return err_set(&results->error,
                       ERR_IO,
                       "cannot write %s: something else is written to that file already",
                       entry->name);
    }
    entry->device = status.st_dev;
    entry->inode = status.st_ino;
    return sink_file_init(
        &entry->file, entry->name, fd, &results->buffer, results->give_up, &results->error);
}

/* Open the entry's file. `is_new`: for the first time; else go on at its end. */
static int open_file(struct sink_results *results, struct entry *entry, bool is_new)
{
    char name[SINK_RESULTS_NAME_SIZE];
    sink_results_file_name(entry->worker, name);
    int flags = O_WRONLY | O_CLOEXEC | O_NOCTTY | (is_new ? O_CREAT : 0);
    int fd = openat(results->directory, name, flags, FILE_MODE);
    if (fd < 0) {
        return err_set(
            &results->error, ERR_IO, "cannot write %s: %s", entry->name, strerror(errno));
    }
    if (is_new) {
        int code = sink_results_take_file(results, entry, fd);
        if (code != 0) {
            (void)close(fd);
            return code;
        }
        if (entry->file.kind == SINK_FILE_REGULAR) {
            sink_file_rewind(&entry->file, 0);
        }
        results->has_new = true;
    } else {
        off_t end = lseek(fd, 0, SEEK_END);
        entry->file.start = end > 0 ? (uint64_t)end - entry->file.written : 0;
        entry->file.fd = fd;
    }
    results->open_count++;
    return 0;
}

/* Close one of the files, in turn, so that another can be opened. */
static int close_one(struct sink_results *results)
{
    struct entry *entry;
    do {
        entry = results->entries[results->hand];
        results->hand = (results->hand + 1) % results->count;
    } while (entry->file.fd < 0);
    sink_file_flush(&entry->file);
    sink_file_close(&entry->file);
    results->open_count--;
    return sink_file_error(&entry->file, &results->error);
}

static struct entry *find(const struct sink_results *results, const char *worker)
{
    for (size_t i = 0; i < results->count; i++) {
        if (strcmp(results->entries[i]->worker, worker) == 0) {
            return results->entries[i];
        }
    }
    return NULL;
}

struct entry *sink_results_new_entry(struct sink_results *results, const char *worker)
{
    char name[SINK_RESULTS_NAME_SIZE];
    struct entry *entry = calloc(1, sizeof(*entry));
    sink_results_file_name(worker, name);
    if (entry != NULL && results->absolute != NULL &&
        asprintf(&entry->path, "%s/%s", results->absolute, name) < 0) {
        free(entry);
        entry = NULL;
    }
    if (entry == NULL) {
        (void)err_set(&results->error, ERR_NOMEM, "no memory for the files of --results");
        return NULL;
    }
    entry->file.fd = -1;
    (void)snprintf(entry->worker, sizeof(entry->worker), "%s", worker);
    (void)snprintf(entry->name, sizeof(entry->name), "'%s/%s'", results->path, name);
    return entry;
}

void sink_results_free_entry(struct entry *entry)
{
    free(entry->path);
    free(entry);
}

int sink_results_keep_entry(struct sink_results *results, struct entry *entry)
{
    if (results->count == results->size) {
        size_t size = results->size == 0 ? 16 : 2 * results->size;
        struct entry **entries = reallocarray(results->entries, size, sizeof(struct entry *));
        if (entries == NULL) {
            return err_set(&results->error, ERR_NOMEM, "no memory for the files of --results");
        }
        results->entries = entries;
        results->size = size;
    }
    results->entries[results->count++] = entry;
    return 0;
}

/* A new worker's file, emptied, and open. */
static int add(struct sink_results *results, const char *worker, struct entry **ret_entry)
{
    struct entry *entry = sink_results_new_entry(results, worker);
    int code = entry != NULL ? open_file(results, entry, true) : ERR_NOMEM;
    if (code == 0) {
        code = sink_results_keep_entry(results, entry);
    }
    if (code == 0) {
        *ret_entry = entry;
    } else if (entry != NULL) {
        results->open_count -= entry->file.fd >= 0;
        sink_file_close(&entry->file);
        sink_results_free_entry(entry);
    }
    return code;
}

/* Make the file of `worker` the current one, and open. */
static int select_worker(struct sink_results *results, const char *worker)
{
    if (results->current != NULL && strcmp(results->current->worker, worker) == 0) {
        return 0;
    }
    struct entry *entry = find(results, worker);
    bool is_open = entry != NULL && entry->file.fd >= 0;
    int code = 0;
    if (!is_open && results->open_count == SINK_RESULTS_OPEN_MAX) {
        code = close_one(results);
    }
    if (code == 0 && entry == NULL) {
        code = add(results, worker, &entry);
    } else if (code == 0 && !is_open) {
        code = open_file(results, entry, false);
    }
    results->current = code == 0 ? entry : NULL;
    return code;
}

int sink_results_put(struct sink_results *results,
                     const struct sink_style *style,
                     const struct sink_item *item,
                     struct err_text *ret_error)
{
    int code = results->code;
    if (code == 0) {
        code = fail(results, select_worker(results, item->worker));
    }
    if (code == 0) {
        struct sink_file *file = &results->current->file;
        sink_ndjson_ops.put_item(sink_file_text(file), style, item);
        sink_file_end_item(file);
        code = fail(results, sink_file_error(file, &results->error));
    }
    return code == 0 ? 0 : err_set(ret_error, code, "%s", results->error.s);
}

int sink_results_flush(struct sink_results *results, struct err_text *ret_error)
{
    struct sink_file *file = results->buffer.file;
    if (file != NULL) {
        sink_file_flush(file);
        if (results->code == 0) {
            results->code = sink_file_error(file, &results->error);
        }
    }
    return results->code == 0 ? 0 : err_set(ret_error, results->code, "%s", results->error.s);
}

int sink_results_close(struct sink_results *results, struct err_text *ret_error)
{
    (void)sink_results_flush(results, NULL);
    for (size_t i = 0; i < results->count; i++) {
        sink_file_close(&results->entries[i]->file);
        if (results->code == 0) {
            results->code = sink_file_error(&results->entries[i]->file, &results->error);
        }
    }
    return results->code == 0 ? 0 : err_set(ret_error, results->code, "%s", results->error.s);
}

void sink_results_free(struct sink_results *results)
{
    if (results == NULL) {
        return;
    }
    for (size_t i = 0; i < results->count; i++) {
        sink_results_free_entry(results->entries[i]);
    }
    free(results->entries);
    if (results->directory >= 0) {
        (void)close(results->directory);
    }
    free(results->absolute);
    free(results->path);
    free(results);
}
