/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Character sets of the smtp worker, by iconv(3). All converters are opened when the
 * plugin is, because a scan may open no file; other names are unknown charsets. UTF-8,
 * ASCII and Latin-1 are read here. Called by header.c, mime.c, select.c, smtp.c.
 */

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "parts.h"

/* Names with letters and digits only, between blanks, and what iconv calls it. */
static const struct {
    const char *names, *iconv;
} table[] = {
    {" cp1252 windows1252 1252 ", "CP1252"},
    {" cp1250 windows1250 1250 ", "CP1250"},
    {" cp1251 windows1251 1251 ", "CP1251"},
    {" cp1253 windows1253 1253 ", "CP1253"},
    {" cp1254 windows1254 1254 ", "CP1254"},
    {" cp1255 windows1255 1255 ", "CP1255"},
    {" cp1256 windows1256 1256 ", "CP1256"},
    {" cp1257 windows1257 1257 ", "CP1257"},
    {" cp1258 windows1258 1258 ", "CP1258"},
    {" iso88592 latin2 l2 csisolatin2 isoir101 ", "ISO-8859-2"},
    {" iso88593 latin3 l3 csisolatin3 ", "ISO-8859-3"},
    {" iso88594 latin4 l4 csisolatin4 ", "ISO-8859-4"},
    {" iso88595 cyrillic csisolatincyrillic ", "ISO-8859-5"},
    {" iso88596 arabic asmo708 ecma114 iso88596e iso88596i ", "ISO-8859-6"},
    {" iso88597 greek greek8 ecma118 elot928 ", "ISO-8859-7"},
    {" iso88598 hebrew iso88598e iso88598i ", "ISO-8859-8"},
    {" iso88599 latin5 l5 csisolatin5 ", "ISO-8859-9"},
    {" iso885910 latin6 l6 ", "ISO-8859-10"},
    {" iso885911 thai ", "ISO-8859-11"},
    {" iso885913 latin7 l7 ", "ISO-8859-13"},
    {" iso885914 latin8 l8 isoceltic ", "ISO-8859-14"},
    {" iso885915 latin9 l9 ", "ISO-8859-15"},
    {" iso885916 latin10 l10 ", "ISO-8859-16"},
    {" koi8r cskoi8r ", "KOI8-R"},
    {" koi8u ", "KOI8-U"},
    {" tis620 tis6200 ", "TIS-620"},
    {" macroman macintosh mac ", "MACINTOSH"},
    {" cp437 ibm437 437 ", "CP437"},
    {" cp775 ibm775 775 ", "CP775"},
    {" cp850 ibm850 850 ", "CP850"},
    {" cp852 ibm852 852 ", "CP852"},
    {" cp855 ibm855 855 ", "CP855"},
    {" cp857 ibm857 857 ", "CP857"},
    {" cp860 ibm860 860 ", "CP860"},
    {" cp861 ibm861 861 ", "CP861"},
    {" cp862 ibm862 862 ", "CP862"},
    {" cp863 ibm863 863 ", "CP863"},
    {" cp865 ibm865 865 ", "CP865"},
    {" cp866 ibm866 866 ", "CP866"},
    {" cp869 ibm869 869 ", "CP869"},
    {" cp874 ", "CP874"},
    {" cp037 ibm037 ibm039 ", "IBM037"},
    {" cp500 ibm500 ", "IBM500"},
    {" utf16 u16 ", "UTF-16"},
    {" utf16le unicodelittleunmarked ", "UTF-16LE"},
    {" utf16be unicodebigunmarked ", "UTF-16BE"},
    {" utf32 u32 ", "UTF-32"},
    {" utf32le ", "UTF-32LE"},
    {" utf32be ", "UTF-32BE"},
    {" utf7 u7 unicode11utf7 ", "UTF-7"},
    {" gb2312 euccn gb231280 eucgb2312cn chinese csiso58gb231280 isoir58 ", "EUC-CN"},
    {" gbk cp936 936 ms936 ", "GBK"},
    {" gb18030 gb180302000 ", "GB18030"},
    {" big5 big5tw csbig5 ", "BIG5"},
    {" big5hkscs hkscs ", "BIG5-HKSCS"},
    {" cp950 950 ms950 ", "CP950"},
    {" shiftjis sjis csshiftjis sjis xsjis ", "SHIFT_JIS"},
    {" cp932 932 ms932 mskanji windows31j ", "CP932"},
    {" eucjp ujis ", "EUC-JP"},
    {" iso2022jp csiso2022jp ", "ISO-2022-JP"},
    {" iso2022jp1 ", "ISO-2022-JP-1"},
    {" iso2022jp2 ", "ISO-2022-JP-2"},
    {" euckr korean ksc5601 ksc56011987 ksx1001 ", "EUC-KR"},
    {" cp949 949 ms949 uhc ", "CP949"},
    {" johab cp1361 ms1361 ", "JOHAB"},
    {" iso2022kr csiso2022kr ", "ISO-2022-KR"},
};
#define TABLE_SIZE (sizeof table / sizeof *table)
_Static_assert(TABLE_SIZE <= CHARSETS_MAX, "room for every converter");

void
charsets_open(struct charsets *c)
{
    for (size_t i = 0; i < CHARSETS_MAX; i++)
        c->all[i] = i < TABLE_SIZE ? iconv_open("UTF-8", table[i].iconv) : (iconv_t)-1;
}

void
charsets_close(struct charsets *c)
{
    for (size_t i = 0; i < CHARSETS_MAX; i++)
        if (c->all[i] != (iconv_t)-1)
            (void)iconv_close(c->all[i]);
}

/* Charsets that need no converter. */
enum plain { PLAIN_NO, PLAIN_UTF8, PLAIN_ASCII, PLAIN_LATIN1 };

#define NAME_ROOM 34

/* " name ", letters and digits only, as in the table. @return false: no such name. */
static bool
normalise(struct str charset, char name[NAME_ROOM])
{
    size_t n = 0;
    name[n++] = ' ';
    for (size_t i = 0; i < charset.size; i++) {
        char c = charset.at[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
            if (n >= NAME_ROOM - 2)
                return false;
            name[n++] = c;
        } else if (c == '\0') {
            return false;
        }
    }
    name[n++] = ' ';
    name[n] = '\0';
    return n > 2;
}

static enum plain
plain_charset(const char *name)
{
    if (strstr(" utf8 utf u8 cp65001 utf8ucs2 utf8ucs4 ", name))
        return PLAIN_UTF8;
    if (strstr(" ascii usascii 646 ansix341968 ansix341986 cp367 csascii ibm367 "
               "iso646us iso646irv1991 isoir6 us ",
               name))
        return PLAIN_ASCII;
    if (strstr(" iso88591 latin1 latin 8859 cp819 csisolatin1 ibm819 isoir100 l1 "
               "iso885911987 ",
               name))
        return PLAIN_LATIN1;
    return PLAIN_NO;
}

/* What one bad byte or sequence becomes. @return 0 or -EILSEQ. */
static int
add_bad(struct buf *out, const char *at, size_t size, enum bad_bytes bad)
{
    if (bad == BAD_FAIL)
        return -EILSEQ;
    if (bad == BAD_KEEP)
        buf_add(out, at, size);
    else
        buf_add_code(out, 0xfffd);
    return 0;
}

static int
decode_plain(enum plain plain, struct str bytes, enum bad_bytes bad, struct buf *out)
{
    const char *end = bytes.at + bytes.size;
    for (const char *at = bytes.at; at < end;) {
        uint32_t code = 0;
        size_t wrong = 1, n = 1;
        if (*at & (char)0x80) {
            n = plain == PLAIN_UTF8 ? utf8_at(at, end, &code, &wrong) : 0;
            if (plain == PLAIN_LATIN1) {
                buf_add_code(out, (unsigned char)*at++);
                continue;
            }
        }
        if (!n && add_bad(out, at, wrong, bad) < 0)
            return -EILSEQ;
        if (n)
            buf_add(out, at, n);
        at += n ? n : wrong;
    }
    return 0;
}

static int
decode_iconv(iconv_t cd, struct str bytes, enum bad_bytes bad, struct buf *out)
{
    char *in = (char *)(uintptr_t)bytes.at;
    size_t left = bytes.size;
    (void)iconv(cd, NULL, NULL, NULL, NULL);
    for (bool flush = false;;) {
        char block[4096], *to = block;
        size_t room = sizeof block;
        size_t r = flush ? iconv(cd, NULL, NULL, &to, &room)
                         : iconv(cd, &in, &left, &to, &room);
        const int error = r == (size_t)-1 ? errno : 0;
        buf_add(out, block, sizeof block - room);
        if (out->failed)
            return 0;
        if (error == E2BIG)
            continue;
        if (flush)
            return 0;
        if (error && left > 0) {
            /* what is cut off at the end is one thing that is wrong */
            size_t n = error == EINVAL ? left : 1;
            if (add_bad(out, in, n, bad) < 0)
                return -EILSEQ;
            in += n;
            left -= n;
            continue;
        }
        flush = true;
    }
}

int
charset_decode(const struct charsets *c, struct str charset, struct str bytes,
               enum bad_bytes bad, struct buf *out)
{
    char name[NAME_ROOM];
    if (!normalise(charset, name))
        return -ENOENT;
    const enum plain plain = plain_charset(name);
    if (plain != PLAIN_NO)
        return decode_plain(plain, bytes, bad, out);
    for (size_t i = 0; i < TABLE_SIZE; i++)
        if (c->all[i] != (iconv_t)-1 && strstr(table[i].names, name))
            return decode_iconv(c->all[i], bytes, bad, out);
    return -ENOENT;
}

/* --------------------------------------------------------------------- guessing */

static bool
try_charset(const struct charsets *c, const char *charset, size_t size,
            struct str bytes, struct buf *out)
{
    const size_t before = out->size;
    if (charset_decode(c, (struct str){charset, size}, bytes, BAD_FAIL, out) == 0)
        return true;
    out->size = before;
    return false;
}

static const char *
byte_order_mark(struct str *bytes)
{
    static const struct {
        const char *mark;
        size_t size, least;
        const char *charset;
    } marks[] = {{"\xfe\xff", 2, 4, "utf-16be"},
                 {"\xff\xfe", 2, 4, "utf-16le"},
                 {"\xef\xbb\xbf", 3, 3, "utf-8"},
                 {"\0\0\xfe\xff", 4, 4, "utf-32be"}};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (bytes->size >= marks[i].least &&
            memcmp(bytes->at, marks[i].mark, marks[i].size) == 0) {
            bytes->at += marks[i].size;
            bytes->size -= marks[i].size;
            return marks[i].charset;
        }
    return NULL;
}

/* The encoding that an XML declaration names, or a size of 0. */
static struct str
declared(struct str bytes)
{
    static const char word[] = "encoding=";
    const char *at = bytes.at;
    const char *end = at + (bytes.size < 1024 ? bytes.size : 1024);
    while (at < end && (*at == ' ' || (*at >= '\t' && *at <= '\r')))
        at++;
    if (end - at < 2 || memcmp(at, "<?", 2) != 0)
        return (struct str){at, 0};
    const char *line = memchr(at, '\n', (size_t)(end - at));
    const char *stop = line ? line : end;
    /* the last one of the line whose quotes close before a "?>" */
    for (const char *p = stop; p-- > at;) {
        if ((size_t)(stop - p) < sizeof word ||
            strncasecmp(p, word, sizeof word - 1) != 0)
            continue;
        const char *name = p + sizeof word, *q = name;
        if (name[-1] != '"' && name[-1] != '\'')
            continue;
        while (q < stop && *q != '"' && *q != '\'')
            q++;
        if (q < stop && memmem(q + 1, (size_t)(stop - q - 1), "?>", 2))
            return (struct str){name, (size_t)(q - name)};
    }
    return (struct str){at, 0};
}

void
charset_guess(const struct charsets *c, struct str bytes, struct buf *out)
{
    const char *mark = byte_order_mark(&bytes);
    if (mark && try_charset(c, mark, strlen(mark), bytes, out))
        return;
    const struct str name = declared(bytes);
    if (name.size && try_charset(c, name.at, name.size, bytes, out))
        return;
    if (try_charset(c, "utf-8", 5, bytes, out) ||
        try_charset(c, "windows-1252", 12, bytes, out))
        return;
    /* with replacements, the first of them that exists */
    const struct str utf8 = {"utf-8", 5};
    if (mark)
        (void)charset_decode(c, (struct str){mark, strlen(mark)}, bytes, BAD_REPLACE,
                             out);
    else if (!name.size || charset_decode(c, name, bytes, BAD_REPLACE, out) < 0)
        (void)charset_decode(c, utf8, bytes, BAD_REPLACE, out);
}
