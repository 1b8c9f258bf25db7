#include "coordinator/server/keyring.h"

#include "common/io/secret_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char authorized[] = "authorized";
static const char workers[] = "workers";

enum { LIST_FIRST = 16 };

static int make_path(char to[PATH_MAX],
                     struct err_text *ret_error,
                     const char *directory,
                     const char *part,
                     const char *name,
                     const char *suffix)
{
    int len = snprintf(
        to, PATH_MAX, "%s/%s%s%s%s", directory, part, name[0] == '\0' ? "" : "/", name, suffix);
    return len >= 0 && len < PATH_MAX
               ? 0
               : err_set(ret_error, ERR_INVALID, "'%.300s...' is too long for a path", directory);
}

/* --- making --- */

static int make_directories(const char *directory, struct err_text *ret_error)
{
    char path[PATH_MAX];
    int rc = secret_directory(directory, ret_error);
    rc = rc != 0 ? rc : make_path(path, ret_error, directory, authorized, "", "");
    rc = rc != 0 ? rc : secret_directory(path, ret_error);
    rc = rc != 0 ? rc : make_path(path, ret_error, directory, workers, "", "");
    return rc != 0 ? rc : secret_directory(path, ret_error);
}

/* The public half may be missing after a crash between the two: it follows from the other. */
static int put_public(const char *path, const struct key_pair *pair, struct err_text *ret_error)
{
    char there[KEY_TEXT_SIZE];
    int rc = key_write_public(path, pair->public_key, ret_error);
    if (rc != ERR_BUSY) {
        return rc;
    }
    rc = key_read_public(path, ret_error, there);
    if (rc == 0 && strcmp(there, pair->public_key) != 0) {
        rc = err_set(ret_error,
                     ERR_INVALID,
                     "'%.300s' is not of the secret key beside it: remove the one that is wrong",
                     path);
    }
    return rc;
}

int keyring_make(const char *directory, bool *ret_made, struct err_text *ret_error)
{
    char secret[PATH_MAX];
    char public_path[PATH_MAX];
    struct key_pair pair;
    int rc = make_directories(directory, ret_error);
    rc = rc != 0 ? rc : make_path(secret, ret_error, directory, "coordinator", "", ".key");
    rc = rc != 0 ? rc : make_path(public_path, ret_error, directory, "coordinator", "", ".pub");
    if (rc != 0) {
        return rc;
    }
    key_pair_make(&pair);
    rc = key_write_secret(secret, &pair, ret_error);
    *ret_made = rc == 0;
    if (rc == ERR_BUSY) {
        rc = key_read_secret(secret, ret_error, &pair);
    }
    rc = rc != 0 ? rc : put_public(public_path, &pair, ret_error);
    secret_wipe(&pair, sizeof(pair));
    return rc;
}

static int worker_paths(const char *directory,
                        const char *name,
                        struct err_text *ret_error,
                        char ret_secret[PATH_MAX],
                        char ret_public[PATH_MAX])
{
    if (!key_name_is_valid(name)) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "'%.100s' cannot be the name of a worker's key: letters, digits, '-', '_' "
                       "and '.', at most %d",
                       name,
                       KEY_NAME_MAX);
    }
    int rc = make_path(ret_secret, ret_error, directory, workers, name, ".key");
    return rc != 0 ? rc : make_path(ret_public, ret_error, directory, authorized, name, ".pub");
}

/* There was a key of that name already: is it still let in? */
static int expect_authorized(const char *secret_path,
                             const char *public_path,
                             struct err_text *ret_error)
{
    struct key_pair pair;
    char public_key[KEY_TEXT_SIZE];
    int rc = key_read_secret(secret_path, ret_error, &pair);
    if (rc != 0) {
        return rc;
    }
    rc = key_read_public(public_path, ret_error, public_key);
    if (rc == ERR_NOT_FOUND) {
        rc = err_set(ret_error,
                     ERR_INVALID,
                     "the key '%.300s' was made before and is not authorized: remove it to make a "
                     "new one",
                     secret_path);
    } else if (rc == 0 && strcmp(pair.public_key, public_key) != 0) {
        rc = err_set(ret_error,
                     ERR_INVALID,
                     "'%.200s' and '%.200s' are not a pair",
                     secret_path,
                     public_path);
    }
    secret_wipe(&pair, sizeof(pair));
    return rc;
}

int keyring_add_worker(const char *directory,
                       const char *name,
                       bool *ret_made,
                       struct err_text *ret_error)
{
    char secret_path[PATH_MAX];
    char public_path[PATH_MAX];
    struct stat info;
    struct key_pair pair;
    int rc = worker_paths(directory, name, ret_error, secret_path, public_path);
    if (rc != 0) {
        return rc;
    }
    *ret_made = false;
    if (lstat(secret_path, &info) == 0) {
        return expect_authorized(secret_path, public_path, ret_error);
    }
    if (lstat(public_path, &info) == 0) {
        return 0; /* its secret is kept somewhere else */
    }
    /* The secret first: what is left by a crash in between lets nobody in. */
    key_pair_make(&pair);
    rc = key_write_secret(secret_path, &pair, ret_error);
    rc = rc != 0 ? rc : key_write_public(public_path, pair.public_key, ret_error);
    *ret_made = rc == 0;
    secret_wipe(&pair, sizeof(pair));
    return rc;
}

/* --- listing --- */

/* The name of the key in a file called NAME + suffix; false: it is called something else. */
static bool name_of_file(const char *file, const char *suffix, char ret_name[KEY_NAME_SIZE])
{
    size_t len = strlen(file);
    size_t suffix_len = strlen(suffix);
    if (len <= suffix_len || len - suffix_len > KEY_NAME_MAX ||
        strcmp(file + len - suffix_len, suffix) != 0) {
        return false;
    }
    memcpy(ret_name, file, len - suffix_len);
    ret_name[len - suffix_len] = '\0';
    return key_name_is_valid(ret_name);
}

bool keyring_has_workers(const char *directory)
{
    char path[PATH_MAX];
    char name[KEY_NAME_SIZE];
    DIR *dir = make_path(path, NULL, directory, workers, "", "") == 0 ? opendir(path) : NULL;
    bool any = false;
    const struct dirent *entry;
    while (dir != NULL && !any && (entry = readdir(dir)) != NULL) {
        any = name_of_file(entry->d_name, ".key", name);
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return any;
}

static int reserve(struct key_named **keys, size_t count, size_t *capacity)
{
    if (count < *capacity) {
        return 0;
    }
    size_t more = *capacity == 0 ? LIST_FIRST : *capacity * 2;
    struct key_named *bigger = realloc(*keys, more * sizeof(*bigger));
    if (bigger == NULL) {
        return ERR_NOMEM;
    }
    *keys = bigger;
    *capacity = more;
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    const struct key_named *left = a;
    const struct key_named *right = b;
    return strcmp(left->name, right->name);
}

static int read_entries(DIR *dir,
                        const char *directory,
                        struct err_text *ret_error,
                        struct err_text *ret_trouble,
                        struct key_named **ret_keys,
                        size_t *ret_count)
{
    size_t capacity = 0;
    const struct dirent *entry;
    while ((errno = 0, entry = readdir(dir)) != NULL) {
        struct key_named key;
        char path[PATH_MAX];
        if (!name_of_file(entry->d_name, ".pub", key.name)) {
            continue;
        }
        int rc = make_path(path, ret_trouble, directory, authorized, key.name, ".pub");
        if (rc != 0 || key_read_public(path, ret_trouble, key.public_key) != 0) {
            continue;
        }
        if (*ret_count == KEYRING_AUTHORIZED_MAX) {
            return err_set(ret_error,
                           ERR_INVALID,
                           "more than %d keys are authorized in '%.200s'",
                           KEYRING_AUTHORIZED_MAX,
                           directory);
        }
        if (reserve(ret_keys, *ret_count, &capacity) != 0) {
            return err_set(ret_error, ERR_NOMEM, "no memory for the authorized keys");
        }
        (*ret_keys)[(*ret_count)++] = key;
    }
    return errno == 0
               ? 0
               : err_set(ret_error, ERR_IO, "cannot list '%.300s': %s", directory, strerror(errno));
}

int keyring_list(const char *directory,
                 struct err_text *ret_error,
                 struct err_text *ret_trouble,
                 struct key_named **ret_keys,
                 size_t *ret_count)
{
    char path[PATH_MAX];
    struct key_named *keys = NULL;
    size_t count = 0;
    ret_trouble->s[0] = '\0';
    int rc = make_path(path, ret_error, directory, authorized, "", "");
    rc = rc != 0 ? rc : secret_directory_check(path, ret_error);
    if (rc == 0) {
        DIR *dir = opendir(path);
        rc = dir != NULL
                 ? read_entries(dir, directory, ret_error, ret_trouble, &keys, &count)
                 : err_set(ret_error, ERR_IO, "cannot open '%.300s': %s", path, strerror(errno));
        if (dir != NULL) {
            (void)closedir(dir);
        }
    }
    if (rc != 0 && rc != ERR_NOT_FOUND) {
        free(keys);
        return rc;
    }
    if (count > 0) {
        qsort(keys, count, sizeof(*keys), compare_names);
    }
    *ret_keys = keys;
    *ret_count = count;
    return 0;
}

struct keyring_stamp keyring_stamp(const char *directory)
{
    char path[PATH_MAX];
    struct stat info;
    struct keyring_stamp stamp = {.changed_s = 0};
    if (make_path(path, NULL, directory, authorized, "", "") == 0 && stat(path, &info) == 0) {
        stamp = (struct keyring_stamp){
            info.st_mtim.tv_sec, info.st_mtim.tv_nsec, (unsigned long long)info.st_ino};
    }
    return stamp;
}

bool keyring_stamp_same(struct keyring_stamp a, struct keyring_stamp b)
{
    return a.changed_s == b.changed_s && a.changed_ns == b.changed_ns && a.inode == b.inode;
}

/* --- using --- */

int keyring_read(const char *directory, struct err_text *ret_error, struct key_pair *ret_pair)
{
    char path[PATH_MAX];
    struct err_text error;
    int rc = secret_directory_check(directory, &error);
    rc = rc != 0 ? rc : make_path(path, &error, directory, "coordinator", "", ".key");
    rc = rc != 0 ? rc : key_read_secret(path, &error, ret_pair);
    if (rc == ERR_NOT_FOUND) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "there are no keys in '%.200s' (%.150s): 'quartet keygen' makes them",
                       directory,
                       error.s);
    }
    return rc == 0 ? 0 : err_set(ret_error, rc, "%s", error.s);
}

int keyring_read_worker(const char *directory,
                        const char *name,
                        struct err_text *ret_error,
                        struct key_pair *ret_pair,
                        char *ret_name)
{
    char secret_path[PATH_MAX];
    char public_path[PATH_MAX];
    struct err_text trouble;
    struct key_named *keys = NULL;
    size_t count = 0;
    int rc = keyring_list(directory, ret_error, &trouble, &keys, &count);
    if (rc != 0) {
        return rc;
    }
    size_t at = 0;
    while (at < count && name != NULL && strcmp(keys[at].name, name) != 0) {
        at++;
    }
    if (at == count) {
        rc = err_set(ret_error,
                     ERR_INVALID,
                     "no key '%.64s' is authorized in '%.200s': 'quartet keygen %.100s --worker "
                     "NAME' adds one",
                     name == NULL ? "(of any worker)" : name,
                     directory,
                     directory);
    } else {
        (void)snprintf(ret_name, KEY_NAME_SIZE, "%s", keys[at].name);
        rc = worker_paths(directory, ret_name, ret_error, secret_path, public_path);
    }
    rc = rc != 0 ? rc : key_read_secret(secret_path, ret_error, ret_pair);
    if (rc == 0 && strcmp(ret_pair->public_key, keys[at].public_key) != 0) {
        rc = err_set(ret_error,
                     ERR_INVALID,
                     "'%.200s' and '%.200s' are not a pair",
                     secret_path,
                     public_path);
    }
    free(keys);
    return rc;
}
