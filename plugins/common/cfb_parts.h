/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_COMMON_CFB_PARTS_H
#define PLUGINS_COMMON_CFB_PARTS_H

/* What cfb.c and cfb_directory.c share; others use cfb.h. */

#include "common/cfb.h"

struct cfb {
    struct bytes file; /* borrowed */
    unsigned shift;    /* sectors have 1 << shift bytes */
    unsigned mini_shift;
    size_t sectors; /* that the file has room for, the last one perhaps in part */
    uint32_t *fat;
    size_t fat_count;
    uint32_t *mini_fat;
    size_t mini_count;
    unsigned char *mini; /* the mini stream */
    size_t mini_size;
    uint64_t root_size; /* of the mini stream, as declared */
    uint32_t root_start;
    struct cfb_entry *list;
    size_t count;
    size_t count_all;
    bool is_cut;
};

/** The directory stream, of unknown size: the whole chain. Caller frees @p data. */
int cfb_read_directory(const struct cfb *c, unsigned char **data, size_t *size);

/** Read the directory into c->list and c->root_*. @return 0, -ENOMEM, or -EBADMSG when
 *  there is no root. */
int cfb_list(struct cfb *c);

#endif
