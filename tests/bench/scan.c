/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slice.h"
#include "body/pan_scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* usage: bench_scan FOLDER
 *
 * How well and how fast card numbers are found by looking: precision and recall over the corpora in FOLDER
 * (tests/corpus/pans), what is taken for a card in a million random texts of each kind that has none, and bytes per
 * second. Prints figures and judges nothing. */

enum { TEXT_MAX = 1 << 20, TEXTS = 1000000, NUMBERS_MAX = 64 };

/* --- corpora --- */

struct counts {
    unsigned right, missed, wrong, texts;
};

static slice load(const char *folder, const char *name, char *room)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(1);
    }
    size_t len = fread(room, 1, TEXT_MAX, f);
    fclose(f);
    return (slice){room, len};
}

static void take_wanted(slice wanted, slice found[], size_t count, struct counts *c)
{
    slice number;
    bool is_taken[NUMBERS_MAX] = {false};
    while (wanted.len && slice_next(&wanted, ' ', &number)) {
        size_t i = 0;
        while (i < count && (is_taken[i] || !slice_eq(found[i], number)))
            i++;
        if (i < count) is_taken[i] = true;
        *(i < count ? &c->right : &c->missed) += 1;
    }
    for (size_t i = 0; i < count; i++)
        c->wrong += !is_taken[i];
}

static void take_text(slice text, slice wanted, struct counts *c)
{
    struct pan_found p[NUMBERS_MAX];
    slice found[NUMBERS_MAX];
    size_t count = 0;
    for (size_t from = 0; count < NUMBERS_MAX && pan_scan(text, from, &p[count]); from = p[count++].end)
        found[count] = (slice){p[count].digits, p[count].len};
    take_wanted(wanted, found, count, c);
    c->texts++;
}

static void take_corpus(slice rest, struct counts *c)
{
    slice line;
    while (slice_next(&rest, '\n', &line)) {
        if (!line.len || slice_starts(line, SLICE("# "))) continue;
        size_t arrow = slice_find_slice(line, SLICE(" => "));
        take_text(slice_range(line, 0, arrow), arrow < line.len ? slice_after(line, arrow + 4) : SLICE_NONE, c);
    }
}

static void report_corpora(const char *folder)
{
    static char cards[TEXT_MAX], misses[TEXT_MAX];
    struct counts c = {0};
    take_corpus(load(folder, "cards.txt", cards), &c);
    unsigned with = c.texts;
    take_corpus(load(folder, "near_misses.txt", misses), &c);
    printf("corpora: %u texts with cards, %u near misses: recall %.2f %% (%u of %u numbers), precision %.2f %% (%u of "
           "%u found)\n",
           with, c.texts - with, 100.0 * c.right / (c.right + c.missed), c.right, c.right + c.missed,
           100.0 * c.right / (c.right + c.wrong), c.right, c.right + c.wrong);
}

/* --- random texts without cards --- */

static uint64_t state = 4;

static unsigned below(unsigned n) /* splitmix64 */
{
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (unsigned)((z ^ z >> 31) >> 32) % n;
}

/* '#': a digit, '%': hexadecimal, '*': Base64, '^': a capital; else itself. */
static size_t fill(const char *form, char *out)
{
    static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = strlen(form);
    for (size_t i = 0; i < len; i++) {
        char c = form[i];
        out[i] = c == '#'   ? (char)('0' + below(10))
                 : c == '%' ? "0123456789abcdef"[below(16)]
                 : c == '*' ? base64[below(64)]
                 : c == '^' ? (char)('A' + below(26))
                            : c;
    }
    return len;
}

static void report_random(void)
{
    static const struct {
        const char *name, *form;
    } kinds[] = {
        {"16 digits", "################"},
        {"15 digits", "###############"},
        {"19 digits", "###################"},
        {"two letters and 16 digits", "^^################"},
        {"order_ and 16 digits", "order_################"},
        {"16 digits and a letter", "################^"},
        {"16 digits, _ and 4 digits", "################_####"},
        {"fours with points", "####.####.####.####"},
        {"order number 3-7-7", "###-#######-#######"},
        {"UUID", "%%%%%%%%-%%%%-4%%%-8%%%-%%%%%%%%%%%%"},
        {"MD5", "%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%"},
        {"SHA-256", "%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%"},
        {"Base64", "*******************************************="},
        {"fraction", "#.################"},
        {"time with microseconds", "20##-0#-1# 1#:2#:3#.######"},
        {"+ and 12 digits", "+############"},
    };
    printf("taken for a card in a million random texts of one kind:\n");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        unsigned hits = 0;
        for (unsigned n = 0; n < TEXTS; n++) {
            char text[96];
            struct pan_found p;
            hits += pan_scan((slice){text, fill(kinds[i].form, text)}, 0, &p);
        }
        printf("  %-28s %7u\n", kinds[i].name, hits);
    }
}

/* --- speed --- */

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void report_speed(void)
{
    static const struct {
        const char *name, *form;
    } kinds[] = {
        {"prose", "The guest asks for a quiet room on a high floor, and for breakfast in it. "},
        {"booking", "{\"id\":\"%%%%%%%%-%%%%-4%%%-8%%%-%%%%%%%%%%%%\",\"room\":###,\"from\":\"2026-1#-1#\",\"price\":##"
                    "##.##,\"phone\":\"+49 30 #######\"},"},
        {"Base64", "****************************************************************"},
        {"digits", "#### #### #### "},
    };
    static char text[TEXT_MAX];
    printf("speed of the scan alone:\n");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t len = 0, rounds = 0, form = strlen(kinds[i].form);
        while (len + form <= sizeof text)
            len += fill(kinds[i].form, text + len);
        double begun = seconds(), used;
        do {
            struct pan_found p;
            for (size_t from = 0; pan_scan((slice){text, len}, from, &p); from = p.end)
                continue;
            rounds++;
        } while ((used = seconds() - begun) < 0.5);
        printf("  %-28s %7.0f MB/s\n", kinds[i].name, (double)(len * rounds) / used / 1e6);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: bench_scan FOLDER\n");
        return 2;
    }
    report_corpora(argv[1]);
    report_random();
    report_speed();
    return 0;
}
