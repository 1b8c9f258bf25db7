#include "coordinator/launch/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* deploy/bundle.cmake says which machine this is, and where an installed bundle is from the programs. */
static const char FOUND_NAME[] = "quartet-bundle-" QUARTET_MACHINE ".tar.gz";
static const char NAME_BEGINS[] = "quartet-bundle-";
static const char NAME_ENDS[] = ".tar.gz";

enum { BUNDLE_SIZE_MAX = 1 << 30 };

/* --- where it is --- */

int bundle_find(const char *programs, struct err_text *ret_error, char *ret_path, size_t size)
{
    static const char *const places[] = {"", QUARTET_BUNDLE_DIR "/"};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        int len = snprintf(ret_path, size, "%s%s%s", programs, places[i], FOUND_NAME);
        if (len > 0 && (size_t)len < size && access(ret_path, F_OK) == 0) {
            return 0;
        }
    }
    return err_set(
        ret_error,
        ERR_NOT_FOUND,
        "--push: there is no %s in %.200s or %.200s%s: the target 'bundle' makes it, and "
        "--bundle FILE names another one",
        FOUND_NAME,
        programs,
        programs,
        QUARTET_BUNDLE_DIR);
}

/* --- what it is --- */

/* From the name: quartet-bundle-MACHINE.tar.gz. */
static int read_machine(const char *path, char ret_machine[BUNDLE_MACHINE_SIZE])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    if (strncmp(name, NAME_BEGINS, sizeof(NAME_BEGINS) - 1) != 0) {
        return ERR_INVALID;
    }
    const char *machine = name + sizeof(NAME_BEGINS) - 1;
    size_t len = strspn(machine, letters);
    if (len == 0 || len >= BUNDLE_MACHINE_SIZE || strcmp(machine + len, NAME_ENDS) != 0) {
        return ERR_INVALID;
    }
    memcpy(ret_machine, machine, len);
    ret_machine[len] = '\0';
    return 0;
}

static int open_archive(struct bundle *bundle, struct err_text *ret_error)
{
    struct stat status;
    unsigned char magic[2];
    bundle->fd = open(bundle->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* not kept by a FIFO */
    if (bundle->fd < 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "cannot open the bundle '%.300s': %s",
                       bundle->path,
                       strerror(errno));
    }
    if (fstat(bundle->fd, &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_size > BUNDLE_SIZE_MAX ||
        pread(bundle->fd, magic, sizeof(magic), 0) != sizeof(magic) || magic[0] != 0x1f ||
        magic[1] != 0x8b) {
        return err_set(
            ret_error,
            ERR_INVALID,
            "the bundle '%.300s' is no archive as the target 'bundle' makes it (.tar.gz)",
            bundle->path);
    }
    bundle->size_bytes = (uint64_t)status.st_size;
    return 0;
}

/* --- its hash --- */

static int compute_hash(const struct bundle *bundle,
                        struct err_text *ret_error,
                        char ret_text[HASH_TEXT_SIZE])
{
    unsigned char hash[HASH_SIZE];
    uint64_t size = 0;
    int rc = hash_file(bundle->fd, bundle->path, BUNDLE_SIZE_MAX, ret_error, hash, &size);
    if (rc == 0 && size != bundle->size_bytes) {
        rc = err_set(ret_error,
                     ERR_INVALID,
                     "the bundle '%.300s' changes while it is read: give it a moment",
                     bundle->path);
    }
    if (rc == 0) {
        (void)hash_text(hash, ret_text);
    }
    return rc;
}

/* As sha256sum writes it: the hash, a blank, the name. */
static bool read_hash(const char *path, char ret_text[HASH_TEXT_SIZE])
{
    char name[4096];
    char line[HASH_TEXT_SIZE + 1] = "";
    int len = snprintf(name, sizeof(name), "%s.sha256", path);
    FILE *file = len > 0 && (size_t)len < sizeof(name) ? fopen(name, "re") : NULL;
    if (file == NULL) {
        return false;
    }
    size_t got = fread(line, 1, HASH_TEXT_SIZE, file);
    (void)fclose(file);
    if (got < HASH_TEXT_SIZE || line[HASH_TEXT_SIZE - 1] != ' ' ||
        strspn(line, "0123456789abcdef") != HASH_TEXT_SIZE - 1) {
        return false;
    }
    memcpy(ret_text, line, HASH_TEXT_SIZE - 1);
    ret_text[HASH_TEXT_SIZE - 1] = '\0';
    return true;
}

static int settle_hash(struct bundle *bundle, struct err_text *ret_error)
{
    if (read_hash(bundle->path, bundle->hash)) {
        return 0;
    }
    bundle->verified = true;
    return compute_hash(bundle, ret_error, bundle->hash);
}

int bundle_verify(struct bundle *bundle, struct err_text *ret_error)
{
    char hash[HASH_TEXT_SIZE];
    if (bundle->verified) {
        return 0;
    }
    int rc = compute_hash(bundle, ret_error, hash);
    if (rc == 0 && strcmp(hash, bundle->hash) != 0) {
        rc = err_set(
            ret_error,
            ERR_INVALID,
            "the bundle '%.200s' is not the one that its .sha256 is of: make both anew, or "
            "remove that file",
            bundle->path);
    }
    bundle->verified = rc == 0;
    return rc;
}

/* --- open and close --- */

int bundle_open(const char *path, struct err_text *ret_error, struct bundle **ret_bundle)
{
    struct bundle *bundle = calloc(1, sizeof(*bundle));
    if (bundle == NULL || (bundle->path = strdup(path)) == NULL) {
        free(bundle);
        return err_set(ret_error, ERR_NOMEM, "no memory for a bundle");
    }
    bundle->fd = -1;
    int rc = read_machine(path, bundle->machine);
    if (rc != 0) {
        (void)err_set(ret_error,
                      rc,
                      "the bundle '%.300s' does not say in its name for which machine it is: "
                      "quartet-bundle-MACHINE.tar.gz, MACHINE as 'uname -m' says it there",
                      path);
    }
    rc = rc != 0 ? rc : open_archive(bundle, ret_error);
    rc = rc != 0 ? rc : settle_hash(bundle, ret_error);
    if (rc != 0) {
        bundle_close(bundle);
        return rc;
    }
    *ret_bundle = bundle;
    return 0;
}

void bundle_close(struct bundle *bundle)
{
    if (bundle != NULL) {
        if (bundle->fd >= 0) {
            (void)close(bundle->fd);
        }
        free(bundle->path);
        free(bundle);
    }
}
