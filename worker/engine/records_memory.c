/* Memory that an executor leaves records in; see records_memory.h. */
#include "worker/engine/records_memory.h"

#include "common/base/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int records_memory_open(struct records_memory *memory, struct err_text *ret_error)
{
    /* Sealed: a process that made it smaller would kill its reader with SIGBUS. */
    int fd = memfd_create("quartet-records", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, RECORDS_MAX) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        int rc = err_set(ret_error,
                         ERR_IO,
                         "cannot make memory for records: %s (raise ulimit -n)",
                         strerrordesc_np(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return rc;
    }
    const char *bytes = mmap(NULL, RECORDS_MAX, PROT_READ, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED) {
        (void)close(fd);
        return err_set(ret_error, ERR_NOMEM, "no memory to share records with an executor");
    }
    *memory = (struct records_memory){.fd = fd, .bytes = bytes};
    return 0;
}

void records_memory_close(struct records_memory *memory)
{
    if (memory->fd >= 0) {
        (void)munmap((void *)(uintptr_t)memory->bytes, RECORDS_MAX);
        (void)close(memory->fd);
    }
    *memory = (struct records_memory){.fd = -1};
}
