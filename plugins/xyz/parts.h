/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XYZ_PARTS_H
#define XYZ_PARTS_H

/*
 * What the parts of the xyz plugin share. xyz.c is the plugin and the archive's own
 * fields, directory.c reads the central directory, member.c unpacks members, level.c
 * packs them again, entry.c and extra.c describe them, labels.c and names.c turn
 * numbers and bytes into words. Formats: PKWARE's APPNOTE 6.3.3 and Info-ZIP's
 * extrafld.txt.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stoq/plugin.h>

#include "common/bytes.h"

struct xyz_options {
    bool decompress;
    bool derive;
    bool complete;         /**< also what the original never gets to */
    uint64_t maximum_size; /**< bytes a member may unpack to */
    uint64_t timeout;      /**< seconds */
};

#define XYZ_ENCRYPTED   0x0001U
#define XYZ_DESCRIPTOR  0x0008U
#define XYZ_PATCHED     0x0020U
#define XYZ_STRONG      0x0040U
#define XYZ_UTF8        0x0800U
#define XYZ_STORED      0U
#define XYZ_DEFLATED    8U
#define XYZ_BZIP2       12U
#define XYZ_LZMA        14U
#define XYZ_LOCAL_SIZE  30U
#define XYZ_RECORD_SIZE 46U
#define XYZ_END_SIZE    22U
#define XYZ_END64_SIZE  56U
#define XYZ_LOC64_SIZE  20U

/** Text in UTF-8; may hold NUL. */
struct xyz_text {
    char *data; /**< owned */
    size_t size;
};

/** One record of the central directory. Slices are of the payload. */
struct xyz_entry {
    struct bytes extra, comment;
    struct xyz_text name; /**< owned; whole, also beyond a NUL */
    uint64_t record;      /**< offset of the record */
    int64_t offset;       /**< of the local header; may be negative */
    int64_t next;         /**< where the data must have ended */
    uint64_t c_size, u_size;
    uint32_t crc, ext_attr;
    uint16_t flags, method, time, date, volume, int_attr, name_len;
    uint8_t create_version, create_system, extract_version;
};

struct xyz_zip {
    struct bytes data;
    struct bytes comment;
    uint64_t start; /**< of the central directory */
    struct xyz_entry *entries;
    size_t count;
};

/** The work of one call. */
struct xyz_run {
    const struct xyz_options *in;
    struct stoq_reply *reply;
    struct stoq_error *err;
    struct xyz_zip zip;
    uint64_t deadline; /**< ns */
    uint64_t room;     /**< bytes that results may still take, roughly */
    bool late;         /**< the deadline has passed, on record as a limit */
    bool no_memory;    /**< some result could not be made */
    const char *raise; /**< what the original stops with; NULL = nothing */
};

/** What a member unpacked to. */
struct xyz_member {
    bool done;           /**< size and crc are known */
    unsigned char *data; /**< owned; NULL = not kept */
    size_t size;
    uint32_t crc;
    const char *error; /**< "" = none; static */
};

/* ------------------------------------------------------------------- directory.c */

/** Read the directory of @p zip->data. @return 0, -EBADMSG with a sentence, -ENOMEM. */
int xyz_directory_read(struct xyz_zip *zip, struct stoq_error *err);
void xyz_directory_free(struct xyz_zip *zip);

/* ---------------------------------------------------------------------- member.c */

/** Unpack entry @p e. @return 0, also for a member that is damaged (error says so) or
 *  too large (neither done nor error); -ENOMEM. Free data with free(3). */
int xyz_member_read(struct xyz_run *run, const struct xyz_entry *e,
                    struct xyz_member *out);

/* ----------------------------------------------------------------------- level.c */

/** What zlib makes of the member's bytes. */
struct xyz_level {
    int max, min; /**< levels with the same result */
    size_t size;  /**< of that result */
    bool same;    /**< it is what the archive has */
};

/** Find the level. @return 0, -ETIME when the deadline passed, -ENOMEM. */
int xyz_level_find(struct xyz_run *run, struct bytes packed, struct bytes plain,
                   struct xyz_level *out);

/* ----------------------------------------------------------------------- entry.c */

/** The fields of entry @p i, or NULL with the reason in @p run->err and @p r, or with
 *  *r = -E2BIG when there is no more room. @p previous_end is where the entry before
 *  ended in the archive, 0 = none; updated. */
json_t *xyz_entry_describe(struct xyz_run *run, size_t i, uint64_t *previous_end,
                           int *r);

/* ----------------------------------------------------------------------- extra.c */

/** Put the four fields on @p extra into @p object, with @p prefix before their names.
 */
void xyz_extra_put(struct xyz_run *run, json_t *object, const char *prefix,
                   struct bytes extra);

/* ---------------------------------------------------------------------- labels.c */

const char *xyz_label_system(unsigned system);
const char *xyz_label_method(unsigned method);
/** Arrays of labels, and strings of one letter for each. NULL on -ENOMEM. */
json_t *xyz_label_flags(unsigned flags, unsigned method, bool letters);
json_t *xyz_label_block(struct bytes packed, unsigned method, unsigned flags,
                        bool letters);
json_t *xyz_label_dos(uint32_t attributes, bool letters);
/** As ls(1) shows it. */
void xyz_label_mode(uint32_t mode, char text[11]);

/* ----------------------------------------------------------------------- names.c */

/** Code page 437, or UTF-8 with U+FFFD for what is none. @p lossless may be NULL.
 *  @return 0 or -ENOMEM. */
int xyz_text_decode(struct bytes raw, bool utf8, struct xyz_text *out, bool *lossless);
/** Say what is wrong with the UTF-8 in @p raw, in the original's words. @return
 * -EBADMSG. */
int xyz_text_refuse(struct bytes raw, struct stoq_error *err);
/** A name up to its first NUL. */
json_t *xyz_text_name(const struct xyz_text *text);
/** Lower case hexadecimal digits; null when there are no bytes. NULL on -ENOMEM. */
json_t *xyz_hex(struct bytes b);
/** A number that may be larger than JSON integers here: then its digits. */
json_t *xyz_number(uint64_t n);

/* ------------------------------------------------------------------------- xyz.c */

/** Set @p key (@p value taken); notes when memory is short. */
void xyz_put(struct xyz_run *run, json_t *object, const char *key, json_t *value);
/** Whether the deadline has passed; tells the reply once. */
bool xyz_late(struct xyz_run *run);
/** Take @p cost from the room for results. @return whether it was there. */
bool xyz_take_room(struct xyz_run *run, uint64_t cost);

#endif
