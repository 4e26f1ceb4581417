/* SPDX-License-Identifier: Apache-2.0 */
/* g_types: every kind of value there is in JSON, and bytes as text. */

#include "../golden.h"

GOLDEN_ON_PAYLOAD(scan)
{
    json_t *o = json_pack("{s:i, s:i, s:f, s:f, s:f, s:f, s:b, s:n}", "int", 7, "neg",
                          -1, "float", 0.1, "exp", 1e22, "small", 1e-7, "whole", 3.0,
                          "true", 1, "none");
    static const char text[] = "tab\t nl\n quote\" slash/ back\\ del\x7f nul\0 "
                               "e\xc3\xa9 \xe7\x8c\xab \xf0\x9f\x98\x80 \xe2\x80\xa8";
    json_object_set_new(o, "str", json_stringn(text, sizeof(text) - 1));
    unsigned char binary[16];
    for (size_t i = 0; i < sizeof(binary); i++)
        binary[i] = (unsigned char)(17 * i);
    int r = stoq_json_set_text(o, "ascii_bytes", "plain", 5);
    if (r == 0)
        r = stoq_json_set_text(o, "utf8_bytes", "h\xc3\xa9 \xe7\x8c\xab", 7);
    if (r == 0)
        r = stoq_json_set_text(o, "latin1_bytes", "caf\xe9", 4);
    if (r == 0)
        r = stoq_json_set_text(o, "bin_bytes", binary, sizeof(binary));
    if (r == 0)
        r = stoq_json_set_text(o, "empty_bytes", "", 0);
    json_object_set_new(o, "tuple", json_pack("[i, s]", 1, "a"));
    json_object_set_new(o, "list", json_array());
    json_object_set_new(o, "dict", json_object());
    stoq_reply_results(reply, o);
    return r;
}

GOLDEN_PLUGIN(g_types, .scan = scan);
