/* SPDX-License-Identifier: Apache-2.0 */

/* See source.h. The numbers are statfs(2)'s; some are not in every linux/magic.h. */

#include "source.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#define CIFS_MAGIC      0xff534d42UL
#define SMB2_MAGIC      0xfe534d42UL
#define CEPH_MAGIC      0x00c36400UL
#define OVERLAYFS_MAGIC 0x794c7630UL

static unsigned long
kind_of(int fd)
{
    struct statfs s;
    return fstatfs(fd, &s) < 0 ? 0 : (unsigned long)s.f_type & 0xffffffffUL;
}

bool
stoqfs_source_is_remote(int fd)
{
    switch (kind_of(fd)) {
    case 0:
    case NFS_SUPER_MAGIC:
    case SMB_SUPER_MAGIC:
    case CIFS_MAGIC:
    case SMB2_MAGIC:
    case FUSE_SUPER_MAGIC:
    case CEPH_MAGIC:
    case AFS_SUPER_MAGIC:
    case AFS_FS_MAGIC:
    case V9FS_MAGIC:
        return true;
    default:
        return false;
    }
}

bool
stoqfs_source_is_stacked(int fd)
{
    unsigned long kind = kind_of(fd);
    return kind == OVERLAYFS_MAGIC || kind == FUSE_SUPER_MAGIC;
}
