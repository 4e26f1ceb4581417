/* SPDX-License-Identifier: Apache-2.0 */
/* What ExifTool derives from several tags, as far as this worker has it. */

#include <math.h>
#include <stdio.h>

#include "parts.h"

static const char *
text_at(const struct result *out, const char *key)
{
    return json_string_value(json_object_get(out->object, key));
}

static void
put_size(struct result *out)
{
    char text[64];
    double width = get_real(out, "ImageWidth", (double)NAN),
           height = get_real(out, "ImageHeight", (double)NAN);
    if (!isfinite(width) || !isfinite(height))
        return;
    (void)snprintf(text, sizeof text, "%.15g %.15g", width, height);
    put_string(out, "ImageSize", text);
    put_real(out, "Megapixels", width * height / 1e6, 15);
}

/* The first of two tags that is there, under a name of its own. */
static void
put_either(struct result *out, const char *key, const char *first, const char *second)
{
    json_t *value = json_object_get(out->object, first);
    if (!value)
        value = json_object_get(out->object, second);
    if (value)
        put(out, key, json_incref(value));
}

/* South and west are negative. */
static void
sign_by(struct result *out, const char *key, const char *ref_key, char negative)
{
    const char *ref = text_at(out, ref_key);
    double value = get_real(out, key, (double)NAN);
    if (ref && isfinite(value) && (ref[0] == negative || ref[0] == negative + 32))
        put_real(out, key, -value, 15);
}

static void
put_position(struct result *out)
{
    char text[80];
    sign_by(out, "GPSLatitude", "GPSLatitudeRef", 'S');
    sign_by(out, "GPSLongitude", "GPSLongitudeRef", 'W');
    double latitude = get_real(out, "GPSLatitude", (double)NAN);
    double longitude = get_real(out, "GPSLongitude", (double)NAN);
    if (isfinite(latitude) && isfinite(longitude) && text_at(out, "GPSLatitudeRef") &&
        text_at(out, "GPSLongitudeRef")) {
        (void)snprintf(text, sizeof text, "%.15g %.15g", latitude, longitude);
        put_string(out, "GPSPosition", text);
    }
    double altitude = get_real(out, "GPSAltitude", (double)NAN);
    if (isfinite(altitude) && get_real(out, "GPSAltitudeRef", 0) == 1)
        put_real(out, "GPSAltitude", -altitude, 15);
}

/* Date and time joined with what follows them: "date time.fraction+zone". */
static void
put_when(struct result *out, const char *key, const char *when_key, const char *sub_key,
         const char *zone_key)
{
    const char *when = text_at(out, when_key), *zone = text_at(out, zone_key);
    const json_t *sub = json_object_get(out->object, sub_key);
    char digits[24] = "";
    if (json_is_integer(sub))
        (void)snprintf(digits, sizeof digits, ".%lld", json_integer_value(sub));
    else if (json_is_string(sub) && json_string_length(sub) > 0)
        (void)snprintf(digits, sizeof digits, ".%.20s", json_string_value(sub));
    if (!when || strlen(when) != 19 || (digits[0] == '\0' && !zone))
        return;
    char text[64];
    (void)snprintf(text, sizeof text, "%.19s%s%.8s", when, digits, zone ? zone : "");
    put_string(out, key, text);
}

void
put_composite(struct result *out)
{
    char text[64];
    put_size(out);
    put_either(out, "Aperture", "FNumber", "ApertureValue");
    put_either(out, "ShutterSpeed", "ExposureTime", "ShutterSpeedValue");
    put_position(out);
    const char *date = text_at(out, "GPSDateStamp"),
               *time = text_at(out, "GPSTimeStamp");
    if (date && time) {
        (void)snprintf(text, sizeof text, "%.20s %.30sZ", date, time);
        put_string(out, "GPSDateTime", text);
    }
    put_when(out, "SubSecDateTimeOriginal", "DateTimeOriginal", "SubSecTimeOriginal",
             "OffsetTimeOriginal");
    put_when(out, "SubSecCreateDate", "CreateDate", "SubSecTimeDigitized",
             "OffsetTimeDigitized");
    put_when(out, "SubSecModifyDate", "ModifyDate", "SubSecTime", "OffsetTime");
}
