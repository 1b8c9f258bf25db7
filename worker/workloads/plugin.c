/* Loading plugins, and the list of those that are; see plugin.h.
 *
 * The list is of the whole process, as what the dynamic linker has loaded is. It is needed for
 * what the linker does not tell: a path that it has seen before gives what was loaded then, even
 * when another file is there now. */
#include "worker/workloads/plugin.h"

#include "worker/workloads/plugin_check.h"
#include "worker/workloads/plugin_elf.h"
#include "worker/workloads/registry.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file that the linker has mapped, whether or not it was a plugin that we can use. */
struct plugin {
    struct plugin *next;
    dev_t device; /* these two are the file; they are not given to another while it is mapped */
    ino_t inode;
    int rc; /* what plugin_load answers */
    struct err_text why;
    struct workload_ops ops;
    char path[]; /* absolute */
};

/* Grows at its head only, so that looking through it takes no lock; `lock` is for who loads. */
static _Atomic(struct plugin *) loaded;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* --- the file --- */

/* malloc'd; NULL without memory or working directory. Links stay as they are: a plugin may find
 * its own files by the name it was loaded under. */
static char *absolute_path(const char *path)
{
    char *absolute = NULL;
    if (path[0] == '/') {
        return strdup(path);
    }
    char *directory = getcwd(NULL, 0);
    if (directory == NULL || asprintf(&absolute, "%s/%s", directory, path) < 0) {
        absolute = NULL;
    }
    free(directory);
    return absolute;
}

static int open_file(const char *path, struct err_text *ret_error, int *ret_fd, struct stat *status)
{
    /* Without O_NONBLOCK a named pipe would be waited for. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, status) != 0) {
        int rc = err_set(ret_error, ERR_IO, "it cannot be read: %s", strerrordesc_np(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return rc;
    }
    if (!S_ISREG(status->st_mode)) {
        (void)close(fd);
        return err_set(ret_error,
                       ERR_INVALID,
                       "it is %s, not a file",
                       S_ISDIR(status->st_mode) ? "a directory" : "a pipe, socket or device");
    }
    *ret_fd = fd;
    return 0;
}

/* `size` bytes at `offset`; the file is as long as that, unless somebody cuts it just now. */
static int read_at(int fd, void *bytes, size_t size, uint64_t offset, struct err_text *ret_error)
{
    ssize_t got = pread(fd, bytes, size, (off_t)offset);
    if (got == (ssize_t)size) {
        return 0;
    }
    return err_set(ret_error,
                   ERR_IO,
                   "its %zu bytes at %llu cannot be read: %s",
                   size,
                   (unsigned long long)offset,
                   got < 0 ? strerrordesc_np(errno) : "the file is being written");
}

static int check_elf(int fd, uint64_t file_size, struct err_text *ret_error)
{
    char head[PLUGIN_ELF_HEAD_SIZE];
    struct plugin_elf elf;
    size_t head_len = file_size < sizeof(head) ? (size_t)file_size : sizeof(head);
    int rc = read_at(fd, head, head_len, 0, ret_error);
    rc = rc != 0 ? rc : plugin_elf_head(head, head_len, file_size, ret_error, &elf);
    if (rc != 0) {
        return rc;
    }
    void *table = malloc(elf.size);
    if (table == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for its %zu bytes of segments", elf.size);
    }
    rc = read_at(fd, table, elf.size, elf.offset, ret_error);
    rc = rc != 0 ? rc : plugin_elf_segments(&elf, table, ret_error);
    free(table);
    return rc;
}

/* --- its code --- */

/* What dlopen has against it, without the path, which stands before it already. */
static int refuse_linking(const char *path, struct err_text *ret_error)
{
    const char *why = dlerror();
    size_t len = strlen(path);
    why = why == NULL ? "the dynamic linker does not say why" : why;
    if (strncmp(why, path, len) == 0 && strncmp(why + len, ": ", 2) == 0) {
        why += len + 2;
    }
    return err_set(ret_error, ERR_INVALID, "it cannot be loaded: %s", why);
}

static int get_table(void *handle, struct err_text *ret_error, struct workload_ops *ret_ops)
{
    workload_plugin_fn *get = NULL;
    struct workload_ops ops;
    void *symbol = dlsym(handle, WORKLOAD_PLUGIN_SYMBOL);
    if (symbol == NULL) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "it has no function " WORKLOAD_PLUGIN_SYMBOL
                       ": WORKLOAD_PLUGIN(...) is missing, or it is no plugin of quartet");
    }
    memcpy(&get, &symbol, sizeof(get)); /* ISO C has no cast for this; POSIX says that it is one */
    int rc = plugin_adopt(get(), ret_error, &ops);
    rc = rc != 0 ? rc : plugin_check_description(&ops, ret_error);
    rc = rc != 0 ? rc : plugin_check_forms(&ops, ret_error);
    if (rc == 0) {
        *ret_ops = ops;
    }
    return rc;
}

/* Map the file and remember it; from here on it is answered from the list. */
static int load_code(const char *path,
                     const struct stat *status,
                     struct err_text *ret_error,
                     const struct plugin **ret_plugin)
{
    size_t path_size = strlen(path) + 1;
    struct plugin *plugin = calloc(1, sizeof(*plugin) + path_size);
    if (plugin == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory to load it");
    }
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        free(plugin);
        return refuse_linking(path, ret_error);
    }
    plugin->device = status->st_dev;
    plugin->inode = status->st_ino;
    memcpy(plugin->path, path, path_size);
    plugin->rc = get_table(handle, &plugin->why, &plugin->ops);
    plugin->next = atomic_load(&loaded);
    atomic_store(&loaded, plugin);
    *ret_plugin = plugin;
    return 0;
}

/* --- both --- */

/* The one that is in this file. ERR_INVALID: one that was in another file of the same path, which
 * the linker would give again. */
static int find_loaded(const char *path,
                       const struct stat *status,
                       struct err_text *ret_error,
                       const struct plugin **ret_plugin)
{
    const struct plugin *same_path = NULL;
    for (const struct plugin *p = atomic_load(&loaded); p != NULL; p = p->next) {
        if (p->device == status->st_dev && p->inode == status->st_ino) {
            *ret_plugin = p;
            return 0;
        }
        if (strcmp(p->path, path) == 0) {
            same_path = p;
        }
    }
    if (same_path != NULL) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "the file was replaced after it had been loaded: start the program again");
    }
    return 0;
}

/* With the lock, and the refusal without the path. */
static int load(const char *path, struct err_text *ret_error, const struct plugin **ret_plugin)
{
    int fd = -1;
    struct stat status;
    const struct plugin *plugin = NULL;
    int rc = open_file(path, ret_error, &fd, &status);
    if (rc != 0) {
        return rc;
    }
    rc = find_loaded(path, &status, ret_error, &plugin);
    if (rc == 0 && plugin == NULL) {
        rc = check_elf(fd, (uint64_t)status.st_size, ret_error);
        rc = rc != 0 ? rc : load_code(path, &status, ret_error, &plugin);
    }
    (void)close(fd);
    if (rc == 0 && plugin->rc != 0) {
        rc = plugin->rc;
        *ret_error = plugin->why;
    }
    if (rc == 0) {
        *ret_plugin = plugin;
    }
    return rc;
}

int plugin_load(const char *path,
                struct err_text *ret_error,
                const struct workload_ops **ret_workload)
{
    const struct plugin *plugin = NULL;
    struct err_text why = {""};
    char *absolute = absolute_path(path);
    if (absolute == NULL) {
        return err_set(ret_error,
                       ERR_NOMEM,
                       "plugin '%.200s': there is no memory, or no working directory",
                       path);
    }
    pthread_mutex_lock(&lock);
    int rc = load(absolute, &why, &plugin);
    pthread_mutex_unlock(&lock);
    free(absolute);
    if (rc != 0) {
        return err_set(ret_error, rc, "plugin '%.200s': %s", path, why.s);
    }
    *ret_workload = &plugin->ops;
    return 0;
}

const char *plugin_path_of(const struct workload_ops *workload)
{
    for (const struct plugin *p = atomic_load(&loaded); p != NULL; p = p->next) {
        if (&p->ops == workload) {
            return p->path;
        }
    }
    return NULL;
}

bool plugin_is_path(const char *name)
{
    static const char ending[] = ".so";
    size_t len = strlen(name);
    size_t ending_len = sizeof(ending) - 1;
    return strchr(name, '/') != NULL ||
           (len >= ending_len && strcmp(name + len - ending_len, ending) == 0);
}

int workload_resolve(const char *name,
                     struct err_text *ret_error,
                     const struct workload_ops **ret_workload)
{
    if (plugin_is_path(name)) {
        return plugin_load(name, ret_error, ret_workload);
    }
    return workload_lookup(name, ret_error, ret_workload);
}
