/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of resource types and languages, those of winnt.h. See pe_tables.h. A number of
 * a sublanguage stands for different ones in different languages: the first whose name
 * has the language's in it is taken, else the first of the number, by pefile's rule.
 */

#include "common/pe_tables.h"

#include <stdio.h>

struct row {
    uint32_t number;
    const char *name;
};

/* clang-format off */
static const struct row types[] = {
    {0x01, "RT_CURSOR"}, {0x02, "RT_BITMAP"}, {0x03, "RT_ICON"}, {0x04, "RT_MENU"},
    {0x05, "RT_DIALOG"}, {0x06, "RT_STRING"}, {0x07, "RT_FONTDIR"}, {0x08, "RT_FONT"},
    {0x09, "RT_ACCELERATOR"}, {0x0a, "RT_RCDATA"}, {0x0b, "RT_MESSAGETABLE"},
    {0x0c, "RT_GROUP_CURSOR"}, {0x0e, "RT_GROUP_ICON"}, {0x10, "RT_VERSION"},
    {0x11, "RT_DLGINCLUDE"}, {0x13, "RT_PLUGPLAY"}, {0x14, "RT_VXD"},
    {0x15, "RT_ANICURSOR"}, {0x16, "RT_ANIICON"}, {0x17, "RT_HTML"},
    {0x18, "RT_MANIFEST"},
};

static const struct row languages[] = {
    {0x00, "NEUTRAL"}, {0x01, "ARABIC"}, {0x02, "BULGARIAN"}, {0x03, "CATALAN"},
    {0x04, "CHINESE"}, {0x05, "CZECH"}, {0x06, "DANISH"}, {0x07, "GERMAN"},
    {0x08, "GREEK"}, {0x09, "ENGLISH"}, {0x0a, "SPANISH"}, {0x0b, "FINNISH"},
    {0x0c, "FRENCH"}, {0x0d, "HEBREW"}, {0x0e, "HUNGARIAN"}, {0x0f, "ICELANDIC"},
    {0x10, "ITALIAN"}, {0x11, "JAPANESE"}, {0x12, "KOREAN"}, {0x13, "DUTCH"},
    {0x14, "NORWEGIAN"}, {0x15, "POLISH"}, {0x16, "PORTUGUESE"},
    {0x17, "RHAETO_ROMANCE"}, {0x18, "ROMANIAN"}, {0x19, "RUSSIAN"}, {0x1a, "SERBIAN"},
    {0x1b, "SLOVAK"}, {0x1c, "ALBANIAN"}, {0x1d, "SWEDISH"}, {0x1e, "THAI"},
    {0x1f, "TURKISH"}, {0x20, "URDU"}, {0x21, "INDONESIAN"}, {0x22, "UKRAINIAN"},
    {0x23, "BELARUSIAN"}, {0x24, "SLOVENIAN"}, {0x25, "ESTONIAN"}, {0x26, "LATVIAN"},
    {0x27, "LITHUANIAN"}, {0x28, "MAORI"}, {0x29, "FARSI"}, {0x2a, "VIETNAMESE"},
    {0x2b, "ARMENIAN"}, {0x2c, "AZERI"}, {0x2d, "BASQUE"}, {0x2e, "SORBIAN"},
    {0x2f, "MACEDONIAN"}, {0x30, "SUTU"}, {0x31, "TSONGA"}, {0x32, "TSWANA"},
    {0x33, "VENDA"}, {0x34, "XHOSA"}, {0x35, "ZULU"}, {0x36, "AFRIKAANS"},
    {0x37, "GEORGIAN"}, {0x38, "FAEROESE"}, {0x39, "HINDI"}, {0x3a, "MALTESE"},
    {0x3b, "SAAMI"}, {0x3c, "GAELIC"}, {0x3e, "MALAY"}, {0x3f, "KAZAK"},
    {0x40, "KYRGYZ"}, {0x41, "SWAHILI"}, {0x43, "UZBEK"}, {0x44, "TATAR"},
    {0x45, "BENGALI"}, {0x46, "PUNJABI"}, {0x47, "GUJARATI"}, {0x48, "ORIYA"},
    {0x49, "TAMIL"}, {0x4a, "TELUGU"}, {0x4b, "KANNADA"}, {0x4c, "MALAYALAM"},
    {0x4d, "ASSAMESE"}, {0x4e, "MARATHI"}, {0x4f, "SANSKRIT"}, {0x50, "MONGOLIAN"},
    {0x56, "GALICIAN"}, {0x57, "KONKANI"}, {0x58, "MANIPURI"}, {0x59, "SINDHI"},
    {0x5a, "SYRIAC"}, {0x60, "KASHMIRI"}, {0x61, "NEPALI"}, {0x65, "DIVEHI"},
    {0x7f, "INVARIANT"}, {0x8f, "ESPERANTO"}, {0x90, "WALON"}, {0x91, "CORNISH"},
    {0x92, "WELSH"}, {0x93, "BRETON"},
};

/* The order decides between equal numbers. */
static const struct row sublanguages[] = {
    {0x00, "NEUTRAL"}, {0x01, "DEFAULT"}, {0x02, "SYS_DEFAULT"},
    {0x01, "ARABIC_SAUDI_ARABIA"}, {0x02, "ARABIC_IRAQ"}, {0x03, "ARABIC_EGYPT"},
    {0x04, "ARABIC_LIBYA"}, {0x05, "ARABIC_ALGERIA"}, {0x06, "ARABIC_MOROCCO"},
    {0x07, "ARABIC_TUNISIA"}, {0x08, "ARABIC_OMAN"}, {0x09, "ARABIC_YEMEN"},
    {0x0a, "ARABIC_SYRIA"}, {0x0b, "ARABIC_JORDAN"}, {0x0c, "ARABIC_LEBANON"},
    {0x0d, "ARABIC_KUWAIT"}, {0x0e, "ARABIC_UAE"}, {0x0f, "ARABIC_BAHRAIN"},
    {0x10, "ARABIC_QATAR"}, {0x01, "AZERI_LATIN"}, {0x02, "AZERI_CYRILLIC"},
    {0x01, "CHINESE_TRADITIONAL"}, {0x02, "CHINESE_SIMPLIFIED"},
    {0x03, "CHINESE_HONGKONG"}, {0x04, "CHINESE_SINGAPORE"}, {0x05, "CHINESE_MACAU"},
    {0x01, "DUTCH"}, {0x02, "DUTCH_BELGIAN"}, {0x01, "ENGLISH_US"},
    {0x02, "ENGLISH_UK"}, {0x03, "ENGLISH_AUS"}, {0x04, "ENGLISH_CAN"},
    {0x05, "ENGLISH_NZ"}, {0x06, "ENGLISH_EIRE"}, {0x07, "ENGLISH_SOUTH_AFRICA"},
    {0x08, "ENGLISH_JAMAICA"}, {0x09, "ENGLISH_CARIBBEAN"}, {0x0a, "ENGLISH_BELIZE"},
    {0x0b, "ENGLISH_TRINIDAD"}, {0x0c, "ENGLISH_ZIMBABWE"},
    {0x0d, "ENGLISH_PHILIPPINES"}, {0x01, "FRENCH"}, {0x02, "FRENCH_BELGIAN"},
    {0x03, "FRENCH_CANADIAN"}, {0x04, "FRENCH_SWISS"}, {0x05, "FRENCH_LUXEMBOURG"},
    {0x06, "FRENCH_MONACO"}, {0x01, "GERMAN"}, {0x02, "GERMAN_SWISS"},
    {0x03, "GERMAN_AUSTRIAN"}, {0x04, "GERMAN_LUXEMBOURG"},
    {0x05, "GERMAN_LIECHTENSTEIN"}, {0x01, "ITALIAN"}, {0x02, "ITALIAN_SWISS"},
    {0x02, "KASHMIRI_SASIA"}, {0x02, "KASHMIRI_INDIA"}, {0x01, "KOREAN"},
    {0x01, "LITHUANIAN"}, {0x01, "MALAY_MALAYSIA"}, {0x02, "MALAY_BRUNEI_DARUSSALAM"},
    {0x02, "NEPALI_INDIA"}, {0x01, "NORWEGIAN_BOKMAL"}, {0x02, "NORWEGIAN_NYNORSK"},
    {0x02, "PORTUGUESE"}, {0x01, "PORTUGUESE_BRAZILIAN"}, {0x02, "SERBIAN_LATIN"},
    {0x03, "SERBIAN_CYRILLIC"}, {0x01, "SPANISH"}, {0x02, "SPANISH_MEXICAN"},
    {0x03, "SPANISH_MODERN"}, {0x04, "SPANISH_GUATEMALA"}, {0x05, "SPANISH_COSTA_RICA"},
    {0x06, "SPANISH_PANAMA"}, {0x07, "SPANISH_DOMINICAN_REPUBLIC"},
    {0x08, "SPANISH_VENEZUELA"}, {0x09, "SPANISH_COLOMBIA"}, {0x0a, "SPANISH_PERU"},
    {0x0b, "SPANISH_ARGENTINA"}, {0x0c, "SPANISH_ECUADOR"}, {0x0d, "SPANISH_CHILE"},
    {0x0e, "SPANISH_URUGUAY"}, {0x0f, "SPANISH_PARAGUAY"}, {0x10, "SPANISH_BOLIVIA"},
    {0x11, "SPANISH_EL_SALVADOR"}, {0x12, "SPANISH_HONDURAS"},
    {0x13, "SPANISH_NICARAGUA"}, {0x14, "SPANISH_PUERTO_RICO"}, {0x01, "SWEDISH"},
    {0x02, "SWEDISH_FINLAND"}, {0x01, "URDU_PAKISTAN"}, {0x02, "URDU_INDIA"},
    {0x01, "UZBEK_LATIN"}, {0x02, "UZBEK_CYRILLIC"}, {0x03, "DUTCH_SURINAM"},
    {0x01, "ROMANIAN"}, {0x02, "ROMANIAN_MOLDAVIA"}, {0x01, "RUSSIAN"},
    {0x02, "RUSSIAN_MOLDAVIA"}, {0x01, "CROATIAN"}, {0x02, "LITHUANIAN_CLASSIC"},
    {0x01, "GAELIC"}, {0x02, "GAELIC_SCOTTISH"}, {0x03, "GAELIC_MANX"},
};
/* clang-format on */

#define COUNT(a)      (sizeof(a) / sizeof(*(a)))
#define LANGUAGE_BITS 10U
#define LANGUAGE_MASK 0x3ffU

static const char *
name_of(const struct row *rows, size_t n, uint32_t number)
{
    for (size_t i = 0; i < n; i++) {
        if (rows[i].number == number)
            return rows[i].name;
    }
    return NULL;
}

const char *
pe_resource_type(uint32_t type)
{
    return name_of(types, COUNT(types), type);
}

const char *
pe_language(uint32_t language, char buffer[64])
{
    const char *name = name_of(languages, COUNT(languages), language & LANGUAGE_MASK);
    if (!name)
        return "unknown";
    (void)snprintf(buffer, 64, "LANG_%s", name);
    return buffer;
}

const char *
pe_sublanguage(uint32_t language, char buffer[64])
{
    const char *name = name_of(languages, COUNT(languages), language & LANGUAGE_MASK);
    uint32_t number = language >> LANGUAGE_BITS;
    char wanted[64] = "*unknown*";
    const char *first = NULL;
    if (name)
        (void)snprintf(wanted, sizeof(wanted), "LANG_%s", name);
    for (size_t i = 0; i < COUNT(sublanguages); i++) {
        if (sublanguages[i].number != number)
            continue;
        (void)snprintf(buffer, 64, "SUBLANG_%s", sublanguages[i].name);
        if (strstr(buffer, wanted))
            return buffer;
        first = first ? first : sublanguages[i].name;
    }
    if (!first)
        return "*unknown*";
    (void)snprintf(buffer, 64, "SUBLANG_%s", first);
    return buffer;
}
