/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_PEINFO_H
#define PLUGINS_PEINFO_H

/*
 * What the tests of peinfo share: a program of its self-test in memory, fields of it by
 * name, and one scan. The programs have two sections: .text at address 0x1000, .rdata
 * with all tables at 0x2000, which is 0x600 in the file.
 */

#include "plugins_support.h"

/* Directories of the header. */
#define EXPORT   0
#define IMPORT   1
#define RESOURCE 2
#define SECURITY 4
#define DEBUG    6
#define TLS      9

/** The program in use; its bytes may be changed, and replaced by others of malloc(3).
 */
extern unsigned char *data;
extern size_t size;

/** Read sample @p name, instead of what was there. */
void take(const char *name);
void put(size_t at, uint64_t value, unsigned width);
uint32_t get(size_t at);
/** Offset of the optional header. */
size_t optional(void);
/** Offset of the row of directory @p i in the header, and of what it refers to. */
size_t row(unsigned i);
size_t table(unsigned i);
/** Offset of an address in .rdata. */
size_t place(uint32_t rva);
/** Scan the first @p length bytes, which may fail only as what is refused. */
int look(struct stoq_loaded *p, size_t length, struct stoq_reply *reply);
/** Compact text of @p key of the results; caller frees. */
char *value_of(const struct stoq_reply *reply, const char *key);
/** Scan the program: the value of @p key, the first soft error, the first limit ("" =
 *  none). */
void expect(const char *key, const char *expected, const char *error,
            const char *limit);

#endif
