/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/settings.h"

#include <stdio.h>
#include <string.h>

/* The settings table for people: 'cardveil check --help' and the README. */

static const char *const HEADINGS[] = {"Top level", "Each entry of 'listen'", "Each entry of a listener's 'tls'", "Each entry of 'networks'",
                                       "Each entry of 'merchants'", "Each entry of a merchant's 'webhooks'", "Each entry of a merchant's 'targets'",
                                       "Each entry of 'routes'"};

static const char *kind_of(const struct setting *s)
{
    switch (s->type) {
    case SETTING_BOOL:
        return "on, off";
    case SETTING_COUNT:
        return "number";
    case SETTING_COUNT_OR_NONE:
        return "number, none";
    case SETTING_WORKERS:
        return "auto, number";
    case SETTING_PERCENT:
        return "percentage";
    case SETTING_DURATION:
        return "duration";
    case SETTING_SIZE:
        return "size";
    case SETTING_WORD:
    case SETTING_CHOICE:
        return s->words;
    case SETTING_NAME:
        return "name";
    case SETTING_TEXT:
        return "text";
    case SETTING_ADDRESS:
        return "address";
    case SETTING_PATH:
        return "path";
    case SETTING_KEY_REFERENCE:
    case SETTING_KEEPER_SECRET:
    case SETTING_KEEPER_KEY:
    case SETTING_REGISTRAR_SECRET:
    case SETTING_REGISTRAR_KEY:
        return "file:PATH, env:NAME";
    case SETTING_BRANDS:
        return "list of brands";
    case SETTING_CERTIFICATES:
    case SETTING_PRIVATE_KEY:
        return "PEM file";
    case SETTING_LIST:
        return "list";
    case SETTING_ENTRIES:
        return "mapping, list";
    }
    return "";
}

static void write_bounds(const struct setting *s, char out[80])
{
    char low[32], high[32];
    out[0] = '\0';
    if (s->type == SETTING_DURATION) {
        setting_write_duration(s->min, low);
        setting_write_duration(s->max, high);
    } else if (s->type == SETTING_SIZE) {
        setting_write_size(s->min, low);
        setting_write_size(s->max, high);
    } else if (s->type == SETTING_COUNT || s->type == SETTING_COUNT_OR_NONE || s->type == SETTING_WORKERS) {
        (void)snprintf(low, sizeof low, "%llu", (unsigned long long)s->min);
        (void)snprintf(high, sizeof high, "%llu", (unsigned long long)s->max);
    } else {
        return;
    }
    (void)snprintf(out, 80, "%s to %s", low, high);
}

static const char *initial_of(const struct setting *s)
{
    if (s->initial) return s->initial;
    if (s->flags & SETTING_FLAG_REQUIRED) return "required";
    return s->flags & SETTING_FLAG_INHERITED ? "top level's" : "none";
}

static const char *change_of(const struct setting *s)
{
    return s->flags & SETTING_FLAG_RESTART ? "restart" : "reload";
}

static void print_row(int fd, const struct setting *s, bool markdown)
{
    char bounds[80];
    write_bounds(s, bounds);
    const char *gap = bounds[0] ? ", " : "";
    if (markdown)
        (void)dprintf(fd, "| `%s` | %s%s%s | %s | %s | %s |\n", s->path, kind_of(s), gap, bounds, initial_of(s),
                      change_of(s), s->help);
    else
        (void)dprintf(fd, "  %-24s %s\n  %-24s   %s%s%s; default: %s; takes a %s\n", s->path, s->help, "", kind_of(s),
                      gap, bounds, initial_of(s), change_of(s));
}

void config_print_settings(int fd, bool markdown)
{
    for (int scope = SCOPE_CONFIG; scope <= SCOPE_ROUTE; scope++) {
        if (markdown)
            (void)dprintf(fd,
                          "%s**%s**\n\n| setting | value | default | takes a | what it is |\n|---|---|---|---|---|\n",
                          scope ? "\n" : "", HEADINGS[scope]);
        else
            (void)dprintf(fd, "%s%s:\n", scope ? "\n" : "", HEADINGS[scope]);
        for (int id = 0; id < SETTING_ID_COUNT; id++) {
            const struct setting *s = settings_row((enum setting_id)id);
            if ((int)s->scope == scope) print_row(fd, s, markdown);
        }
    }
}
