#include "coordinator/journal/journal_medium.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/vfs.h>

/* f_type of statfs(2); the kernel's headers have some of them (linux/magic.h), the file systems'
 * own sources the others. */
static const uint32_t shared[] = {
    0x6969,     /* NFS */
    0x517B,     /* SMB */
    0xFF534D42, /* CIFS */
    0xFE534D42, /* SMB2 and later */
    0x65735546, /* FUSE: sshfs, GlusterFS, s3fs and others */
    0x01021997, /* 9P */
    0x00C36400, /* Ceph */
    0x5346414F, /* AFS */
    0x6B414653, /* kAFS */
    0x73757245, /* Coda */
    0x0BD00BD0, /* Lustre */
    0x47504653, /* GPFS */
    0x19830326, /* BeeGFS */
    0x01161970, /* GFS2 */
    0x7461636F, /* OCFS2 */
    0x20030528, /* OrangeFS */
    0xAAD7AAEA, /* PanFS */
    0x786F4256, /* VirtualBox shared folders */
    0xBACBACBC, /* VMware shared folders */
};

bool journal_medium_is_shared(const char *path)
{
    struct statfs about;
    if (statfs(path, &about) != 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
        if ((uint32_t)about.f_type == shared[i]) {
            return true;
        }
    }
    return false;
}
