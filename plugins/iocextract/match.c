/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks things up in what was loaded: the top-level domain at a place of a text, and
 * whether the whitelist has a normalised indicator.
 */

#include <arpa/inet.h>
#include <string.h>

#include "parts.h"

/* A top-level domain longer than a label of DNS is none. */
#define TLD_MAX 64
/* Longest normalised address, with a NUL. */
#define ADDRESS_TEXT 64

size_t
known_tld(const struct known *k, const struct text *t, size_t at)
{
    unsigned char lower[TLD_MAX];
    size_t size = 0, end = 0;
    int64_t best = INT64_MAX;

    while (size < TLD_MAX && size < k->longest_tld && at + size < t->size) {
        unsigned char c = t->at[at + size];

        if (size == 0 && !text_is(t, at, WORD))
            return 0;
        if (c >= 'A' && c <= 'Z')
            c = (unsigned char)(c - 'A' + 'a');
        else if (!text_is(t, at + size, LABEL))
            break;
        lower[size++] = c;
        if (!text_edge(t, at + size))
            continue;
        int64_t index = set_find(&k->tlds, lower, size);
        if (index >= 0 && index < best) { /* the one that the file names first */
            best = index;
            end = at + size;
        }
    }
    return end;
}

/* The address without zeros before the numbers of IPv4, as Python wants it. */
static bool
parse_address(const unsigned char *data, size_t size, int family, unsigned char *out)
{
    char text[ADDRESS_TEXT];
    size_t n = 0;

    for (size_t i = 0; i < size && n + 1 < sizeof text; i++) {
        bool first = i == 0 || data[i - 1] == '.';
        bool more = i + 1 < size && data[i + 1] >= '0' && data[i + 1] <= '9';

        while (family == AF_INET && first && data[i] == '0' && more) {
            i++;
            more = i + 1 < size && data[i + 1] >= '0' && data[i + 1] <= '9';
        }
        text[n++] = (char)data[i];
    }
    text[n] = '\0';
    return inet_pton(family, text, out) == 1;
}

static bool
in_net(const struct net *net, const unsigned char *address)
{
    unsigned whole = net->bits / 8, rest = net->bits % 8;

    if (memcmp(net->address, address, whole) != 0)
        return false;
    return rest == 0 || (net->address[whole] ^ address[whole]) >> (8 - rest) == 0;
}

static bool
good_address(const struct known *k, enum ioc type, const unsigned char *data,
             size_t size)
{
    unsigned char address[16];
    int family = type == IOC_IPV4 ? AF_INET : AF_INET6;

    if (!parse_address(data, size, family, address))
        return false;
    for (size_t i = 0; i < k->net_count; i++)
        if (k->nets[i].type == type && k->nets[i].family == family &&
            in_net(&k->nets[i], address))
            return true;
    return false;
}

/* A name is good when a pattern is its end or, with a dot before the name, all of it.
 */
static bool
good_name(const struct list *list, const unsigned char *name, size_t size)
{
    unsigned char dotted[256];

    if (set_has_end(&list->names, list->longest, name, size))
        return true;
    if (size + 1 > sizeof dotted || size + 1 > list->longest)
        return false;
    dotted[0] = '.';
    memcpy(dotted + 1, name, size);
    return set_find(&list->names, dotted, size + 1) >= 0;
}

/* The host of a URL with what else is between the slashes. */
static struct bytes
net_location(const unsigned char *url, size_t size)
{
    const unsigned char *from = memmem(url, size, "://", 3);
    size_t start = from ? (size_t)(from - url) + 3 : size, end = start;

    while (end < size && url[end] != '/' && url[end] != '?' && url[end] != '#')
        end++;
    return (struct bytes){url + start, end - start};
}

bool
known_good(const struct known *k, enum ioc type, const unsigned char *data, size_t size)
{
    if (type == IOC_IPV4 || type == IOC_IPV6)
        return good_address(k, type, data, size);
    if (type != IOC_DOMAIN && type != IOC_URL)
        return set_find(&k->white[type].names, data, size) >= 0;
    if (set_find(&k->white[IOC_DOMAIN].names, data, size) >= 0 ||
        set_find(&k->white[type].names, data, size) >= 0)
        return true;
    struct bytes host = {data, size};
    if (type == IOC_URL)
        host = net_location(data, size);
    return good_name(&k->white[IOC_DOMAIN], host.data, host.size) ||
           good_name(&k->white[type], host.data, host.size);
}
