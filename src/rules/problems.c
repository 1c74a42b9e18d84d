/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/source.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nobody reads more than that many mistakes, and a hostile file must not fill the memory with them. */
enum { KEPT_MAX = 500 };

struct problems {
    struct problem *kept[KEPT_MAX]; /* sorted; each with its file's name behind it */
    size_t kept_count, count;
};

struct problems *problems_new(void)
{
    return calloc(1, sizeof(struct problems));
}

void problems_free(struct problems *p)
{
    if (!p) return;
    for (size_t i = 0; i < p->kept_count; i++)
        free(p->kept[i]);
    free(p);
}

static int compare_slices(slice a, slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.at, b.at, common) : 0;
    if (order) return order;
    return (a.len > b.len) - (a.len < b.len);
}

static int compare(const struct problem *a, const struct problem *b)
{
    int order = compare_slices(a->file, b->file);
    if (order) return order;
    if (a->line != b->line) return a->line < b->line ? -1 : 1;
    return (a->column > b->column) - (a->column < b->column);
}

/* The text may quote what a stranger wrote: nothing in it may steer a terminal (C0, DEL, and C1 as UTF-8: C2 80 to C2
 * 9F), and a character that vsnprintf() cut in two goes. */
static void make_printable(char *text)
{
    unsigned char *c = (unsigned char *)text;
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        bool is_c1 = c[i] == 0xC2 && i + 1 < len && c[i + 1] < 0xA0;
        if (c[i] < 0x20 || c[i] == 0x7F) c[i] = '?';
        if (is_c1) c[i] = c[i + 1] = '?';
    }
    size_t start = len;
    while (start > 0 && (c[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0 || c[start - 1] < 0xC0) return;
    size_t want = c[start - 1] >= 0xF0 ? 3 : c[start - 1] >= 0xE0 ? 2 : 1;
    if (len - start < want) text[start - 1] = '\0';
}

void problems_add(struct problems *p, slice file, unsigned line, unsigned column, const char *format, ...)
{
    p->count++;
    if (p->kept_count == KEPT_MAX) return;
    struct problem *one = calloc(1, sizeof *one + file.len);
    if (!one) return;
    char *name = (char *)(one + 1);
    if (file.len) memcpy(name, file.at, file.len);
    one->file = (slice){name, file.len};
    one->line = line;
    one->column = column;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(one->text, sizeof one->text, format, arguments);
    va_end(arguments);
    make_printable(one->text);

    size_t at = p->kept_count++;
    for (; at > 0 && compare(p->kept[at - 1], one) > 0; at--)
        p->kept[at] = p->kept[at - 1];
    p->kept[at] = one;
}

size_t problems_count(const struct problems *p)
{
    return p->count;
}

const struct problem *problems_get(const struct problems *p, size_t i)
{
    return i < p->kept_count ? p->kept[i] : NULL;
}

void problems_print(const struct problems *p, int fd)
{
    for (size_t i = 0; i < p->kept_count; i++) {
        const struct problem *one = p->kept[i];
        if (one->line)
            (void)dprintf(fd, "%.*s:%u:%u: %s\n", SLICE_ARG(one->file), one->line, one->column, one->text);
        else
            (void)dprintf(fd, "%.*s: %s\n", SLICE_ARG(one->file), one->text);
    }
    if (p->count > p->kept_count) (void)dprintf(fd, "and %zu more\n", p->count - p->kept_count);
}
