/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What macros say, as MacroRaptor judges it: names that an Office program runs by
 * itself, words that write, words that execute. Keywords are its, in any case; each
 * kind reports the first place in the code. One pass over the words, and over each line
 * one more at most: no code makes it slow.
 *
 * A word is a run of letters and digits of any script and underscores.
 */

#include <string.h>
#include <strings.h>
#include <wctype.h>

#include "parts.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Words that begin so. */
static const char *const autoexec[] = {
    "AutoExec",
    "AutoOpen",
    "Auto_Open",
    "AutoClose",
    "Auto_Close",
    "AutoExit",
    "AutoNew",
    "DocumentOpen",
    "Document_Open",
    "Document_Close",
    "DocumentBeforeClose",
    "Document_BeforeClose",
    "DocumentChange",
    "Document_New",
    "NewDocument",
    "Workbook_Open",
    "Workbook_Activate",
    "Workbook_Close",
    "Workbook_BeforeClose",
};
/* Events: what follows an object's name and an underscore begins so. */
static const char *const events[] = {
    "Painted",
    "Painting",
    "GotFocus",
    "LostFocus",
    "MouseHover",
    "Layout",
    "Click",
    "Change",
    "Resize",
    "BeforeNavigate2",
    "BeforeScriptExecute",
    "DocumentComplete",
    "DownloadBegin",
    "DownloadComplete",
    "FileDownload",
    "NavigateComplete2",
    "NavigateError",
    "ProgressChange",
    "PropertyChange",
    "SetSecureLockIcon",
    "StatusTextChange",
    "TitleChange",
    "MouseMove",
    "MouseEnter",
    "MouseLeave",
    "OnConnecting",
};
/* Whole words. */
static const char *const writes[] = {
    "FileCopy",
    "CopyFile",
    "Kill",
    "CreateTextFile",
    "VirtualAlloc",
    "RtlMoveMemory",
    "URLDownloadToFile",
    "URLDownloadToFileA",
    "AltStartupPath",
    "WriteProcessMemory",
    "WriteText",
    "SaveToFile",
    "SaveAs",
    "SaveAsRTF",
    "FileSaveAs",
    "MkDir",
    "RmDir",
    "SaveSetting",
    "SetAttr",
};
static const char *const open_modes[] = {"Write", "Append", "Binary", "Output",
                                         "Random"};
static const char *const executes[] = {
    "Shell",        "CreateObject", "GetObject",     "SendKeys",
    "Run",          "Call",         "MacScript",     "FollowHyperlink",
    "CreateThread", "ShellExecute", "ShellExecuteA", "ExecuteExcel4Macro",
    "Exec",         "Register",     "SetTimer",
};
static const char *const declare_lib[] = {"Lib"};

/* ---------------------------------------------------------------------------- words */

static size_t
is_ascii_word(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_';
}

/* Bytes of the word character at @at that is not ASCII; 0 when there is none. The code
 * is valid UTF-8. */
static size_t
word_char(struct bytes code, size_t at, locale_t words)
{
    unsigned char c = bytes_u8(code, at);
    if (c < 0xc2)
        return 0;
    size_t size = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    wint_t point = c & (0x7fU >> size);
    for (size_t i = 1; i < size; i++)
        point = point << 6 | (bytes_u8(code, at + i) & 0x3f);
    if (!bytes_has(code, at, size))
        return 0;
    /* Python counts these numbers in, too: superscripts and fractions of Latin-1 */
    if (point == 0xb2 || point == 0xb3 || point == 0xb9 ||
        (point >= 0xbc && point <= 0xbe))
        return size;
    return !words || iswalnum_l(point, words) ? size : 0;
}

/* The next word at or after @at, before @end; size 0: none. */
static struct bytes
next_word(struct bytes code, size_t at, size_t end, locale_t words)
{
    const unsigned char *d = code.data;
    size_t n = 0;
    /* ASCII, which is nearly all there is, needs no call */
    while (at < end && (d[at] < 0x80 ? !is_ascii_word(d[at])
                                     : (n = word_char(code, at, words)) == 0))
        at++; /* the other bytes of a character are none either */
    size_t from = at;
    while (at < end && (d[at] < 0x80 ? (n = is_ascii_word(d[at])) > 0
                                     : (n = word_char(code, at, words)) > 0))
        at += n;
    return bytes_at(code, from, at - from);
}

static size_t
offset_of(struct bytes code, struct bytes part)
{
    return (size_t)(part.data - code.data);
}

/* Most words differ from most keywords in the first letter. */
static bool
begins(struct bytes word, const char *text)
{
    if (word.size == 0 || ((word.data[0] ^ (unsigned char)text[0]) & 0xdf) != 0)
        return false;
    const size_t n = strlen(text);
    return n <= word.size && strncasecmp((const char *)word.data, text, n) == 0;
}

static bool
is_among(struct bytes word, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (begins(word, list[i]) && strlen(list[i]) == word.size)
            return true;
    return false;
}

/* ------------------------------------------------------------------------- autoexec */

/* The longest beginning of a word that is an object and an event. */
static struct bytes
event_of(struct bytes word)
{
    const unsigned char *low = NULL;
    for (size_t size = word.size; size > 1; size = (size_t)(low - word.data)) {
        low = memrchr(word.data + 1, '_', size - 1);
        if (!low)
            break;
        size_t at = (size_t)(low - word.data) + 1;
        struct bytes rest = bytes_from(word, at);
        for (size_t i = 0; i < COUNT(events) && rest.size > 0 && rest.data[0] != '_';
             i++)
            if (begins(rest, events[i]))
                return bytes_at(word, 0, at + strlen(events[i]));
    }
    return (struct bytes){0};
}

static struct bytes
autoexec_of(struct bytes word)
{
    /* a name that some tool cuts short, at the end of any word */
    static const char cut[] = "Auto_Ope";
    const size_t cut_size = sizeof cut - 1;
    for (size_t i = 0; i < COUNT(autoexec); i++)
        if (begins(word, autoexec[i]))
            return bytes_at(word, 0, strlen(autoexec[i]));
    struct bytes event = event_of(word);
    if (event.size == 0 && word.size >= cut_size &&
        begins(bytes_from(word, word.size - cut_size), cut))
        return bytes_from(word, word.size - cut_size);
    return event;
}

/* ------------------------------------------------------------------- write, execute */

/* A kind of statement: one of the words, or a first word with one of others behind it
 * in its line. */
struct statement {
    const char *const *words;
    size_t word_count;
    const char *first;
    const char *const *last;
    size_t last_count;
    size_t hopeless; /* up to here no line has any of the others */
};

static size_t
end_of_line(struct bytes code, size_t at)
{
    struct bytes rest = bytes_from(code, at);
    const unsigned char *end = rest.size ? memchr(rest.data, '\n', rest.size) : NULL;
    return end ? (size_t)(end - code.data) : code.size;
}

static struct bytes
statement_of(struct bytes code, struct bytes word, struct statement *s, locale_t words)
{
    size_t from = offset_of(code, word);
    if (is_among(word, s->words, s->word_count))
        return word;
    if (from < s->hopeless || !is_among(word, &s->first, 1))
        return (struct bytes){0};
    size_t end = end_of_line(code, from), last = 0;
    for (struct bytes w = next_word(code, from + word.size, end, words); w.size > 0;
         w = next_word(code, offset_of(code, w) + w.size, end, words))
        if (is_among(w, s->last, s->last_count))
            last = offset_of(code, w) + w.size;
    s->hopeless = end;
    return last ? bytes_at(code, from, last - from) : (struct bytes){0};
}

/* "ADODB.Stream", which is two words. */
static struct bytes
stream_of(struct bytes code, struct bytes word, locale_t words)
{
    static const char adodb[] = "ADODB", stream[] = "Stream";
    size_t from = offset_of(code, word), dot = from + word.size;
    if (word.size != sizeof adodb - 1 || !begins(word, adodb) ||
        bytes_u8(code, dot) != '.')
        return (struct bytes){0};
    struct bytes next = next_word(code, dot + 1, code.size, words);
    if (next.size != sizeof stream - 1 || !begins(next, stream) ||
        offset_of(code, next) != dot + 1)
        return (struct bytes){0};
    return bytes_at(code, from, word.size + 1 + next.size);
}

/* ------------------------------------------------------------------------------ all */

void
judge_join_lines(struct text *t)
{
    size_t to = 0;
    for (size_t at = 0; at < t->size;) {
        const char *c = t->data + at;
        size_t left = t->size - at;
        bool joined =
            left >= 3 && c[0] == ' ' && c[1] == '_' && (c[2] == '\r' || c[2] == '\n');
        t->data[to++] = *c;
        at += !joined ? 1 : left >= 4 && c[2] == '\r' && c[3] == '\n' ? 4 : 3;
    }
    t->size = to;
}

struct judgement
judge(struct bytes code, locale_t words)
{
    struct judgement j = {.autoexec = {0}};
    struct statement write = {.words = writes,
                              .word_count = COUNT(writes),
                              .first = "Open",
                              .last = open_modes,
                              .last_count = COUNT(open_modes)};
    struct statement execute = {.words = executes,
                                .word_count = COUNT(executes),
                                .first = "Declare",
                                .last = declare_lib,
                                .last_count = COUNT(declare_lib)};
    for (struct bytes w = next_word(code, 0, code.size, words); w.size > 0;
         w = next_word(code, offset_of(code, w) + w.size, code.size, words)) {
        if (j.autoexec.size == 0)
            j.autoexec = autoexec_of(w);
        if (j.write.size == 0)
            j.write = statement_of(code, w, &write, words);
        if (j.write.size == 0)
            j.write = stream_of(code, w, words);
        if (j.execute.size == 0)
            j.execute = statement_of(code, w, &execute, words);
    }
    return j;
}
