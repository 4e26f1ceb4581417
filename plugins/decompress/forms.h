/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DECOMPRESS_FORMS_H
#define DECOMPRESS_FORMS_H

/*
 * Formats read here and not by libarchive. Each has a reader that walks the payload and
 * hands members to a sink, which keeps the budgets: a reader can only run into them.
 * sink.c is the sink, bits.c reads bit streams, forms.c chooses.
 */

#include "common/bytes.h"
#include "parts.h"

/* ------------------------------------------------------------------------ sink.c */

/** A member being made. All of it is there, so that decoders copy from what they made.
 */
struct stoq_sink {
    const struct stoq_extraction *x;
    uint64_t deadline; /**< ns */
    unsigned char *data;
    size_t size, room;
    size_t wanted;  /**< size that was too much */
    size_t members; /**< emitted, left out or damaged */
    unsigned ticks; /**< since the clock was looked at */
    int error;      /**< of this member: 0, -EFBIG, -E2BIG, -ETIME, -ENOMEM */
    bool stop;      /**< a budget is used up */
};

/** Start with @p x; end with stoq_sink_fini(). */
void stoq_sink_init(struct stoq_sink *s, const struct stoq_extraction *x);
void stoq_sink_fini(struct stoq_sink *s);
/** Start a member. */
void stoq_sink_begin(struct stoq_sink *s);
/** Add bytes. @return false when the member is over, for want of room or time. */
bool stoq_sink_put(struct stoq_sink *s, const void *data, size_t size);
bool stoq_sink_byte(struct stoq_sink *s, unsigned byte);
/** Repeat @p length bytes from @p distance back; what lies before the start is 0. */
bool stoq_sink_copy(struct stoq_sink *s, size_t distance, size_t length);
/** Whether there is time left; costs little. */
bool stoq_sink_time(struct stoq_sink *s);
/** End the member, of @p size bytes of name (no NUL needed; empty = made up). With @p
 * why (static), it is damaged, and what is there is better than none.
 *  @return 0, or -ENOMEM; see stop. */
int stoq_sink_end(struct stoq_sink *s, const char *name, size_t size, const char *why);
/** A member was left out, for it is encrypted. */
void stoq_sink_encrypted(struct stoq_sink *s);
/** The payload itself is damaged or not what it seems. */
void stoq_sink_broken(struct stoq_sink *s, const char *why);

/* ------------------------------------------------------------------------ bits.c */

/** Bits of a slice. Behind its end are zeros, and `over` is set. */
struct stoq_bits {
    struct bytes in;
    size_t at;
    uint32_t hold;
    unsigned count;
    bool high; /**< the high bit of a byte comes first */
    bool over;
};

/** The next @p n bits, at most 16; the first is the lowest, or the highest if `high`.
 */
unsigned stoq_bits_get(struct stoq_bits *b, unsigned n);

#define STOQ_CODES_MAX   510
#define STOQ_LENGTHS_MAX 17

/** A canonical prefix code. */
struct stoq_code {
    uint16_t count[STOQ_LENGTHS_MAX];
    uint16_t symbols[STOQ_CODES_MAX];
    int only; /**< the symbol when there is no other and it takes no bits, or -1 */
};

/** From @p n lengths, each below STOQ_LENGTHS_MAX. @return false when they are no code.
 */
bool stoq_code_make(struct stoq_code *c, const unsigned char *lengths, size_t n);
/** The next symbol, or -1. The code's bits come highest first. */
int stoq_code_next(const struct stoq_code *c, struct stoq_bits *b);

/* --------------------------------------------------------------------- decoders */

/** Decode @p in; on success exactly @p size bytes were put. @return NULL, or what is
 *  wrong (static); when the sink has an error that comes first. */
const char *stoq_lzh_decode(struct stoq_sink *s, struct bytes in, uint64_t size);
const char *stoq_fastest_decode(struct stoq_sink *s, struct bytes in, uint64_t size);
const char *stoq_implode_decode(struct stoq_sink *s, struct bytes in, uint64_t size,
                                unsigned flags);
const char *stoq_shrink_decode(struct stoq_sink *s, struct bytes in, uint64_t size);
const char *stoq_inflate64(struct stoq_sink *s, struct bytes in, uint64_t size);
/** To the end of the stream; @p used may be NULL. @p window as for inflateInit2(3). */
const char *stoq_inflate(struct stoq_sink *s, struct bytes in, int window,
                         size_t *used);
/** Raw LZMA: @p size bytes, or to its end when that is UINT64_MAX. */
const char *stoq_unlzma(struct stoq_sink *s, const unsigned char properties[5],
                        struct bytes in, uint64_t size);
/** UCL's NRV2B, NRV2D and NRV2E; @p method as UPX numbers them. */
const char *stoq_nrv_decode(struct stoq_sink *s, struct bytes in, uint64_t size,
                            unsigned method);

/** Up to the first byte that is no digit, over ends of lines if @p lines. @return how
 *  much was read. */
size_t stoq_base64_decode(struct stoq_sink *s, struct bytes text, bool lines);
/** The lines after "begin". @p used may be NULL. @return whether their end was there.
 */
bool stoq_uu_decode(struct stoq_sink *s, struct bytes text, size_t *used);

/* ---------------------------------------------------------------------- readers */

typedef int stoq_form_reader(struct stoq_sink *s);

stoq_form_reader stoq_arj_read, stoq_sis_read, stoq_binhex_read, stoq_uu_read,
    stoq_data_uri_read, stoq_pdf_read, stoq_iscab_read, stoq_package_read,
    stoq_powerpoint_read, stoq_mbox_read;
/** Whether the bytes are a package, which has no marker. */
bool stoq_package_is(struct bytes data);
/** Each looks for its own in a program, and does nothing when there is none. */
stoq_form_reader stoq_nsis_read, stoq_upx_read, stoq_ishield_read, stoq_autoit_read;
/** A stream of the old format of LZMA. */
stoq_form_reader stoq_lzma_read;
/** By libmspack. */
stoq_form_reader stoq_chm_read, stoq_szdd_read, stoq_kwaj_read;

/** The reader for the payload, or NULL. @p also is set when it may be an archive as
 *  well. */
stoq_form_reader *stoq_form_find(const struct stoq_extraction *x, bool *also);

/** Number of encrypted files in a rar 5 archive; 1 for those whose names are as well.
 */
size_t stoq_rar5_encrypted(struct bytes data);

/** A zip member of a method that libarchive does not know, by its name: decode it.
 *  @p cursor starts at 0. @return 1 when it was found, 0, or -ENOMEM. */
int stoq_zip_legacy(struct stoq_sink *s, const char *name, uint64_t *cursor);

#endif
