/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The main of a fuzz target where there is no fuzzer: it replays a corpus.
 * Each argument is a file or a folder of files.  A target sees each file
 * whole, cut short at every length and with each byte bent, always in a block
 * of exactly that size, so that reading one byte too far is caught.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer files are cut and bent only at every so many bytes. */
enum { PLACES_MAX = 1024, FILE_MAX = 1 << 20, PATH_BYTES = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static size_t runs;

static void run(const uint8_t *data, size_t len)
{
    uint8_t *block = malloc(len > 0 ? len : 1);
    if (block == NULL)
        abort();
    if (len > 0)
        memcpy(block, data, len);
    /* A block of one byte for an input of none would hide an over-read. */
    (void)LLVMFuzzerTestOneInput(len > 0 ? block : block + 1, len);
    free(block);
    runs++;
}

static void run_variants(uint8_t *data, size_t len)
{
    static const uint8_t bends[] = {0x01, 0x80, 0xff};
    size_t step = len / PLACES_MAX + 1;

    run(data, len);
    for (size_t cut = 0; cut < len; cut += step)
        run(data, cut);
    for (size_t at = 0; at < len; at += step) {
        for (size_t i = 0; i < sizeof(bends); i++) {
            data[at] ^= bends[i];
            run(data, len);
            data[at] ^= bends[i];
        }
    }
}

static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(FILE_MAX);
    if (file == NULL || data == NULL) {
        perror(path);
        free(data);
        if (file != NULL)
            fclose(file);
        return -1;
    }
    size_t len = fread(data, 1, FILE_MAX, file);
    int failed = ferror(file);
    fclose(file);
    if (failed)
        fprintf(stderr, "%s: cannot be read\n", path);
    else
        run_variants(data, len);
    free(data);
    return failed ? -1 : 0;
}

static int run_path(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        return run_file(path);
    int rc = 0;
    const struct dirent *entry;
    while (rc == 0 && (entry = readdir(folder)) != NULL) {
        char name[PATH_BYTES];
        if (entry->d_name[0] == '.')
            continue;
        int n = snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        rc = n < (int)sizeof(name) ? run_file(name) : -1;
    }
    closedir(folder);
    return rc;
}

int main(int argc, char **argv)
{
    run((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        if (run_path(argv[i]) != 0)
            return EXIT_FAILURE;
    }
    printf("%zu inputs\n", runs);
    return EXIT_SUCCESS;
}
