/* SPDX-License-Identifier: BSD-2-Clause
 *
 * build/replay [--aloud] FILE: plays what rkv_node_recording() gave.  Exits 0
 * when the core answers now as it did then, 1 when not, 2 when there is no
 * such file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"

static void *read_all(const char *name, size_t *len)
{
    FILE *file = fopen(name, "rb");
    size_t cap = 0, got = 1;
    char *bytes = NULL;

    *len = 0;
    if (file == NULL)
        return NULL;
    while (got > 0) {
        if (*len == cap) {
            cap = cap == 0 ? 1 << 20 : 2 * cap;
            bytes = realloc(bytes, cap);
            if (bytes == NULL)
                abort();
        }
        got = fread(bytes + *len, 1, cap - *len, file);
        *len += got;
    }
    (void)fclose(file);
    return bytes;
}

int main(int argc, char **argv)
{
    bool aloud = argc == 3 && strcmp(argv[1], "--aloud") == 0;
    struct replayed out;
    size_t len;
    void *bytes;
    bool good;

    if (argc != 2 + aloud) {
        fputs("usage: replay [--aloud] FILE\n", stderr);
        return 2;
    }
    bytes = read_all(argv[argc - 1], &len);
    if (bytes == NULL) {
        perror(argv[argc - 1]);
        return 2;
    }
    good = (aloud ? replay_aloud : replay)(bytes, len, &out);
    free(bytes);
    printf("replay: %llu inputs, %llu of them refused, %llu drains, %llu gaps "
           "before\n",
           (unsigned long long)out.inputs, (unsigned long long)out.refused,
           (unsigned long long)out.drains, (unsigned long long)out.gaps);
    if (good)
        printf("replay: the same, digest %016llx\n",
               (unsigned long long)out.digest);
    else
        printf("replay: %s\n", out.said);
    return good ? 0 : 1;
}
