/* SPDX-License-Identifier: Apache-2.0 */

/*
 * decompress: the formats that it reads itself. The samples are the plugin's fuzzing
 * seeds, made for this; most hold one text of 41 bytes.
 */

#include "plugins_archives.h"

#define SEEDS SOURCE_DIR "/plugins/decompress/fuzz/"

static const char text[] = "hello hello hello world, said the archive";

struct sample {
    const char *file, *expected, *mime;
};

static const struct sample samples[] = {
    {"arj.arj", "stored.txt:41 lzh.txt:41 fast.txt:41 ", NULL},
    {"arj_garbled.arj", "a:41 <encrypted 1> ", NULL},
    {"arj_volume.arj", "a=hello hello hello wo !Unable to extract a: sizes differ ",
     NULL},
    {"autoit5.exe", "a.au3:41 ", "application/x-dosexec"},
    {"autoit6.exe", "a.au3:41 ", "application/x-dosexec"},
    {"data1.cab", "tmpd1c4fcec~:32809 tmpd1c4fcec~=second ", NULL},
    {"encrypted.pdf", "<encrypted 1> ", "application/pdf"},
    {"encrypted.7z", "<encrypted 2> ", NULL},
    {"encrypted_names.7z", "<encrypted 1> ", NULL},
    {"encrypted.rar", "<encrypted 1> ", NULL},
    {"encrypted_names.rar", "<encrypted 1> ", NULL},
    {"encrypted5.rar", "<encrypted 1> ", NULL},
    {"encrypted5_file.rar", "secret:48 <encrypted 1> ", NULL},
    {"ishield_plain.exe", "a.txt:41 ", NULL},
    {"ishield_table.exe", "setup.ini:41 ", NULL},
#ifdef HAVE_MSPACK
    {"kwaj.tx_", "tmp23164d02~:41 ", NULL},
    {"szdd.tx_", "tmpcd6d2bb5~:41 ", NULL},
#endif
    {"mail.mbox", "b64.txt:41 uu.txt:41 tmp2878fc1a~=Subject: plain\n\nonly text\n ",
     "text/plain"},
    {"methods.zip",
     "store:41 shrink:41 implode:41 deflate64:41 !Unable to extract reduce: "
     "Unsupported "
     "ZIP compression method (2: reduced-1) ",
     NULL},
    {"nsis_each.exe", "a.txt:41 b.txt=second ", NULL},
    {"nsis_solid.exe", "a.txt:41 b.txt=second ", NULL},
    {"package.bin", "a.txt:41 ", "application/octet-stream"},
    {"packed.sis", "a.txt:41 ", NULL},
    {"page.html", "tmpad2e4c72~:41 ", "text/html"},
    {"powerpoint.bin", "tmpc70c2678~:41 ", NULL},
    {"stored.sis", "a.txt:41 ", NULL},
    {"streams.pdf", "stream-0:41 stream-1:41 stream-2:41 stream-3:41 ", NULL},
    {"text.hqx", "a.txt:41 a.txt=rsr ", "application/mac-binhex40"},
    {"text.uu", "a.txt:41 ", "text/plain"},
    {"upx_lzma.exe", "unpacked_exe:576 ", NULL},
    {"upx_nrv2b.exe", "unpacked_exe:576 ", NULL},
    {"upx_nrv2d.exe", "unpacked_exe:576 ", NULL},
    {"upx_nrv2e.exe", "unpacked_exe:576 ", NULL},
};

static struct made
read_sample(const struct sample *sample)
{
    char path[512];
    struct made m = {.data = malloc(ROOM)};
    (void)snprintf(path, sizeof path, SEEDS "%s", sample->file);
    FILE *f = fopen(path, "re");
    ck_assert_ptr_nonnull(f);
    ck_assert_ptr_nonnull(m.data);
    m.size = fread(m.data, 1, ROOM, f);
    ck_assert_uint_gt(m.size, 0);
    (void)fclose(f);
    return m;
}

START_TEST(test_samples)
{
    const struct sample *sample = &samples[_i];
    struct stoq_loaded *p = LOADED("decompress", NULL, NULL);
    struct made m = read_sample(sample);
    CHECK_SCAN(p, m, sample->expected, .mime = sample->mime);
    struct job j = {.mime = sample->mime};
    run(&j, p, m.data, m.size);
    for (const struct stoq_child *c = j.reply.children; c; c = c->next) {
        if (c->size == sizeof text - 1)
            ck_assert_mem_eq(c->data, text, sizeof text - 1);
        if (c->size == 576)
            ck_assert_mem_eq(c->data + 512, text, sizeof text - 1);
    }
    stoq_reply_fini(&j.reply);
    free(m.data);
    stoq_loaded_free(p);
}
END_TEST

/* Cut short anywhere, or with any byte changed: it ends within its budgets. */
START_TEST(test_mangled)
{
    const struct sample *sample = &samples[_i];
    struct stoq_loaded *p = LOADED("decompress", NULL, "maximum_size=100000");
    struct made m = read_sample(sample);
    const size_t step = m.size > 1500 ? 7 : 1;
    for (size_t n = 0; n < m.size; n += step) {
        struct job j = {.bytes = 1 << 20, .children = 100, .mime = sample->mime};
        unsigned char *copy = malloc(n + 1);
        ck_assert_ptr_nonnull(copy);
        memcpy(copy, m.data, n);
        run(&j, p, copy, n);
        free(copy);
        ck_assert_uint_le(j.reply.child_count, 100);
        stoq_reply_fini(&j.reply);
    }
    for (size_t n = 0; n < m.size; n += step) {
        struct job j = {.bytes = 1 << 20, .children = 100, .mime = sample->mime};
        m.data[n] ^= 0xff;
        run(&j, p, m.data, m.size);
        m.data[n] ^= 0xff;
        ck_assert_uint_le(j.reply.child_count, 100);
        stoq_reply_fini(&j.reply);
    }
    free(m.data);
    stoq_loaded_free(p);
}
END_TEST

/* Budgets hold in these readers as in libarchive's. */
START_TEST(test_budgets)
{
    const struct sample sample = {"data1.cab", "", NULL};
    struct made m = read_sample(&sample);
    struct stoq_loaded *p = LOADED("decompress", NULL, "maximum_size=1000");
    CHECK_SCAN(p, m,
               "!Extracted object is too large (16384 > 1000) "
               "<maximum_size 16384> ",
               0);
    stoq_loaded_free(p);
    p = LOADED("decompress", NULL, NULL);
    CHECK_SCAN(p, m, "<extracted_bytes 16384> ", .bytes = 1000);
    CHECK_SCAN(p, m, "tmpd1c4fcec~:32809 <children 2> ", .children = 1);
    free(m.data);
    stoq_loaded_free(p);
}
END_TEST

/* With `nested`, children of these formats are decompressed too; what looks like one by
 * its type alone is left as it was. */
START_TEST(test_nested)
{
    const struct sample sample = {"text.uu", "", NULL};
    struct made inner = read_sample(&sample), m = {0};
    begin(&m, "zip", NULL, NULL);
    add(&m, "text.uu", inner.data, inner.size);
    add(&m, "a.txt", "hello", 5);
    end(&m);
    struct stoq_loaded *p = LOADED("decompress", NULL, "nested=yes");
    struct job j = {0};
    run(&j, p, m.data, m.size);
    ck_assert_uint_eq(j.reply.child_count, 2);
    ck_assert_uint_eq(j.reply.children->dispatch_to.count, 1);
    ck_assert_str_eq(j.reply.children->dispatch_to.items[0], "decompress");
    ck_assert_uint_eq(j.reply.children->next->dispatch_to.count, 0);
    stoq_reply_fini(&j.reply);
    const struct made page = {.data = (unsigned char *)(uintptr_t) "<html>", .size = 6};
    CHECK_SCAN(p, page,
               "stoq.exceptions.StoqPluginException: Unable to determine archive type, "
               "mimetype: text/html",
               .mime = "text/html");
    stoq_loaded_free(p);
    free(inner.data);
    free(m.data);
}
END_TEST

static void
fill(TCase *tc)
{
    const int count = (int)(sizeof samples / sizeof *samples);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, test_samples, 0, count);
    tcase_add_loop_test(tc, test_mangled, 0, count);
    tcase_add_test(tc, test_budgets);
    tcase_add_test(tc, test_nested);
}

int
main(void)
{
    return run_suite("plugins_decompress_forms", fill);
}
