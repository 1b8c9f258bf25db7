/* The directory; plugin_fetch.c fills it. */
#include "worker/plugin_store.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DIRECTORY_SIZE = 3840, /* leaves room for a file's name below PATH_MAX */
    DIRECTORY_MODE = 0700,
    OTHERS = 0077, /* permissions that nobody else may have */
};

struct plugin_store {
    char directory[DIRECTORY_SIZE];
    bool ours_alone; /* made for this process: goes with it */
    struct err_text note;
};

/* A directory that nobody else can put anything into; made when it is not there. */
static int expect_private(const char *path, struct err_text *ret_error)
{
    struct stat status;
    if (mkdir(path, DIRECTORY_MODE) != 0 && errno != EEXIST) {
        return err_set(ret_error, ERR_IO, "cannot make %s: %s", path, strerror(errno));
    }
    if (lstat(path, &status) != 0) {
        return err_set(ret_error, ERR_IO, "cannot look at %s: %s", path, strerror(errno));
    }
    if (!S_ISDIR(status.st_mode)) {
        return err_set(ret_error, ERR_IO, "%s is no directory", path);
    }
    if (status.st_uid != geteuid()) {
        return err_set(ret_error,
                       ERR_IO,
                       "%s belongs to user %u, not to this one",
                       path,
                       (unsigned)status.st_uid);
    }
    if ((status.st_mode & OTHERS) != 0) {
        return err_set(ret_error,
                       ERR_IO,
                       "%s is open to others (mode %04o): chmod 700 it",
                       path,
                       (unsigned)status.st_mode & 07777);
    }
    return 0;
}

/* PATH, or ERR_INVALID when it is too long. */
static int join(char *ret_path, const char *base, const char *rest, struct err_text *ret_error)
{
    int len = snprintf(ret_path, DIRECTORY_SIZE, "%s%s", base, rest);
    return len < DIRECTORY_SIZE
               ? 0
               : err_set(ret_error, ERR_INVALID, "%.100s... is too long a path", base);
}

/* Use BASE/quartet/plugins. */
static int use_cache(struct plugin_store *store, const char *base, struct err_text *ret_error)
{
    char above[DIRECTORY_SIZE];
    int rc = join(above, base, "/quartet", ret_error);
    rc = rc != 0 ? rc : join(store->directory, base, "/quartet/plugins", ret_error);
    if (rc != 0) {
        return rc;
    }
    (void)mkdir(base, DIRECTORY_MODE); /* what is wrong with it shows in the next one */
    rc = expect_private(above, ret_error);
    rc = rc != 0 ? rc : expect_private(store->directory, ret_error);
    if (rc == 0 && access(store->directory, R_OK | W_OK | X_OK) != 0) {
        rc = err_set(
            ret_error, ERR_IO, "cannot write to %s: %s", store->directory, strerror(errno));
    }
    return rc;
}

static bool is_absolute(const char *path)
{
    return path != NULL && path[0] == '/';
}

static int use_own(struct plugin_store *store, const char *temporary, struct err_text *ret_error)
{
    const char *base = is_absolute(temporary) ? temporary : "/tmp";
    int rc = join(store->directory, base, "/quartet-plugins-XXXXXX", ret_error);
    if (rc != 0) {
        return rc;
    }
    if (mkdtemp(store->directory) == NULL) {
        return err_set(ret_error,
                       ERR_IO,
                       "cannot make a directory for plugins in %s: %s",
                       base,
                       strerror(errno));
    }
    store->ours_alone = true;
    return 0;
}

/* The first place in the cache that the environment names; what is wrong with it is no reason to
 * look into another cache. */
static int use_places(struct plugin_store *store,
                      const struct plugin_store_places *places,
                      struct err_text *ret_error)
{
    char base[DIRECTORY_SIZE];
    if (is_absolute(places->cache_home)) {
        return use_cache(store, places->cache_home, ret_error);
    }
    if (!is_absolute(places->home)) {
        return err_set(ret_error, ERR_IO, "neither XDG_CACHE_HOME nor HOME is an absolute path");
    }
    int rc = join(base, places->home, "/.cache", ret_error);
    return rc != 0 ? rc : use_cache(store, base, ret_error);
}

int plugin_store_new(const struct plugin_store_places *places,
                     struct err_text *ret_error,
                     struct plugin_store **ret_store)
{
    struct plugin_store *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory to keep plugins");
    }
    struct err_text why = {{0}};
    int rc = use_places(store, places, &why);
    if (rc != 0) {
        rc = use_own(store, places->temporary, ret_error);
        (void)err_set(&store->note,
                      0,
                      "plugins are kept in %.150s, for this worker only: %.300s",
                      store->directory,
                      why.s);
    }
    if (rc != 0) {
        free(store);
        return rc;
    }
    *ret_store = store;
    return 0;
}

/* Only files of ours are in it. */
static void remove_directory(const char *path)
{
    DIR *directory = opendir(path);
    if (directory != NULL) {
        const struct dirent *entry;
        while ((entry = readdir(directory)) != NULL) {
            (void)unlinkat(dirfd(directory), entry->d_name, 0);
        }
        (void)closedir(directory);
    }
    (void)rmdir(path);
}

void plugin_store_free(struct plugin_store *store)
{
    if (store == NULL) {
        return;
    }
    if (store->ours_alone) {
        remove_directory(store->directory);
    }
    free(store);
}

const char *plugin_store_directory(const struct plugin_store *store)
{
    return store->directory;
}

const char *plugin_store_note(const struct plugin_store *store)
{
    return store->note.s;
}
