/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ctl/print.c - answers for people: keys and values a line each, as etcdctl
 * has it.
 */
#include "ctl.h"

void print_bytes(const struct ctl *ctl, struct bytes bytes)
{
    const unsigned char *at = bytes.at;

    if (!ctl->hex) {
        fwrite(bytes.at, 1, bytes.len, stdout);
    } else {
        for (size_t i = 0; i < bytes.len; i++)
            printf("\\x%02x", at[i]);
    }
    putchar('\n');
}

void print_item(const struct ctl *ctl, const struct rkv_item *item)
{
    if (!ctl->print_value_only)
        print_bytes(ctl, bytes_of(item->key, item->key_len));
    if (!ctl->keys_only)
        print_bytes(ctl, bytes_of(item->value, item->value_len));
}

void print_answer(struct ctl *ctl)
{
    fwrite(ctl->answer.at, 1, ctl->answer.len, stdout);
    putchar('\n');
}
