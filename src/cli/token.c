/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/token.h"

#include "api/card_json.h"
#include "base/buf.h"
#include "base/clock.h"
#include "cli/command.h"
#include "vault/alias.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char USAGE[] =
    "usage: cardveil token create --merchant NAME [--unique] [--format FORMAT] [-c cardveil.yaml] [--json] < cards.ndjson\n\n"
    "Reads one JSON card a line from stdin and prints its token, a line each, in the same order:\n"
    "  {\"number\":\"DIGITS\",\"expiration_date\":\"12/30\",\"holder\":\"A. Person\",\"unique\":false,\"format\":\"uuid\"}\n"
    "holder, unique and format may be left out. The same number of the same merchant gives the same token in each format;\n"
    "with --unique, or \"unique\":true in the line, always a new one. FORMAT is what tokens look like whose line has none:\n"
    "  uuid (the default), 32 (characters), length (as long as the number), six-four, eight-four (first six or eight, letters,\n"
    "  last four), digits, eight-digits (the same in digits, with a wrong check digit), or a text around {uuid}: tok_{uuid}\n\n"
    "A bad line is reported on stderr as 'stdin:LINE: what is wrong', gives an empty line on stdout (so line N of the output\n"
    "always belongs to line N of the input), and the rest goes on; the exit status is 1 then. An empty line gives an empty line.\n"
    "With --json each line of the output is an object: {\"line\":1,\"token\":\"...\",\"created\":true}, or {\"line\":2,\"error\":\"...\"}.\n"
    "A token that was printed is on disk.\n\n"
    "Exit status: 0 done, 1 a line was bad or the work failed, 2 wrong usage or configuration.\n";

struct arguments {
    const char *merchant;
    bool unique, json;
    struct alias_form format;
};
enum { LINE_MAX_BYTES = 4096, READ_BYTES = 64 << 10, BATCH_LINES = 2500, RETRY_PAUSE_US = 20000, TICK_MS = 1000 };

/* --- one line: a card in JSON --- */

static result parse_line(slice line, struct card_json_list *one)
{
    ENSURE(line.len <= LINE_MAX_BYTES, TOO_LARGE);
    TRY(card_json_parse(line, CARD_JSON_NEW, 1, one));
    result r = one->is_array ? FAIL(CARD_FIELD) : one->cards[0].verdict;
    if (failed(r)) card_json_done(one);
    return r;
}

/* --- the import --- */

struct slot { /* one line of a batch */
    uint64_t line;
    struct import *import;
    enum { SLOT_EMPTY, SLOT_BAD, SLOT_WAITS, SLOT_DONE } state;
    result r;
    enum card_deed deed;
    struct alias_form format;
    struct token_id token, alias; /* alias: in its format; len 0: the token is */
};
struct import {
    struct cli_vault *c;
    slice merchant;
    bool unique, json;
    struct alias_form format;
    struct slot *slots;      /* BATCH_LINES */
    size_t count, waiting;
    uint64_t line, created, known, bad, last_tick_ms;
    struct cli_progress progress;
};

static void settle(struct slot *s, result r)
{
    s->state = SLOT_DONE;
    s->r = r;
    s->import->waiting--;
}

static void on_alias(void *owner, result r, slice alias, bool fell)
{
    struct slot *s = owner;
    if (!failed(r) && !token_id_from(alias, &s->alias)) r = FAIL(INTERNAL);
    if (!failed(r) && fell) fprintf(stderr, "stdin:%" PRIu64 ": its format has no room left for this number, so it has another token\n", s->line);
    settle(s, r);
}

static void on_put(void *owner, result r, const struct card_info *info, enum card_deed deed)
{
    struct slot *s = owner;
    const struct alias_wish wish = alias_form_wish(&s->format);
    s->deed = deed;
    if (info) s->token = info->token;
    if (failed(r) || !info || alias_is_own_id(&wish))
        settle(s, r);
    else
        vault_alias_make(s->import->c->v, s->import->merchant, token_id_slice(&s->token), &wish, on_alias, s);
}

static void add_line(struct import *m, slice line)
{
    struct slot *s = &m->slots[m->count++];
    *s = (struct slot){.line = ++m->line, .import = m, .state = SLOT_EMPTY};
    if (line.len && line.at[line.len - 1] == '\r') line.len--;
    if (slice_trim(line).len == 0) return;
    struct card_json_list one;
    s->r = parse_line(line, &one);
    if (failed(s->r)) {
        s->state = SLOT_BAD;
        return;
    }
    s->state = SLOT_WAITS;
    m->waiting++;
    const struct card_put_options options = {.unique = m->unique || one.cards[0].unique, .may_change = true};
    s->format = one.cards[0].has_format ? one.cards[0].format : m->format;
    vault_card_put(m->c->v, m->merchant, &one.cards[0].card, options, on_put, s);
    card_json_done(&one);
}

static void report_bad(const struct slot *s)
{
    fprintf(stderr, "stdin:%" PRIu64 ": %s\n", s->line, error_text(s->r.err));
}

static void print_slot(const struct import *m, const struct slot *s)
{
    slice made = token_id_slice(s->alias.len ? &s->alias : &s->token);
    if (!m->json) {
        printf("%.*s\n", s->state == SLOT_DONE ? (int)made.len : 0, made.at);
    } else if (s->state == SLOT_DONE) {
        printf("{\"line\":%" PRIu64 ",\"token\":\"%.*s\",\"created\":%s}\n", s->line, SLICE_ARG(made), s->deed == CARD_CREATED ? "true" : "false");
    } else if (s->state == SLOT_BAD) {
        printf("{\"line\":%" PRIu64 ",\"error\":\"%s\"}\n", s->line, error_name(s->r.err));
    }
}

static int finish_slot(struct import *m, struct slot *s)
{
    if (s->state == SLOT_BAD) {
        m->bad++;
        report_bad(s);
    }
    if (s->state == SLOT_DONE && failed(s->r)) { /* not the line's fault: the next would fail too */
        report_bad(s);
        return CLI_FAILED;
    }
    if (s->state == SLOT_DONE) m->created += s->deed == CARD_CREATED;
    if (s->state == SLOT_DONE) m->known += s->deed != CARD_CREATED;
    print_slot(m, s);
    return CLI_DONE;
}

static const char *action_of(const struct slot *s)
{
    static const char *const actions[] = {[CARD_FOUND] = "token.find", [CARD_CREATED] = "token.create", [CARD_CHANGED] = "token.change"};
    return actions[s->deed];
}

static result audit_batch(struct import *m)
{
    for (size_t i = 0; i < m->count; i++) {
        const struct slot *s = &m->slots[i];
        if (s->state != SLOT_DONE) continue;
        struct audit_entry e = {.action = action_of(s), .merchant = m->merchant, .actor = SLICE("command"), .peer = cli_vault_peer(),
                                .token = token_id_slice(&s->token), .outcome = s->r};
        TRY(vault_audit(m->c->v, &e));
    }
    vault_flush(m->c->v);
    ENSURE(!vault_audit_is_failing(m->c->v), VAULT_AUDIT);
    return OK;
}

/* Commits the batch; only what is on disk and in the audit trail is printed. */
static int finish_batch(struct import *m)
{
    for (;;) {
        vault_flush(m->c->v);
        if (m->waiting == 0) break;
        (void)usleep(RETRY_PAUSE_US); /* a rotation is moving the store; writes wait for it */
    }
    result r = audit_batch(m);
    if (failed(r)) return cli_vault_failed(m->c, r);
    int status = CLI_DONE;
    for (size_t i = 0; i < m->count && !status; i++) status = finish_slot(m, &m->slots[i]);
    m->count = 0;
    if (fflush(stdout) != 0) return CLI_FAILED; /* reported by cli_finish_output */
    if (clock_now_ms() - m->last_tick_ms >= TICK_MS) {
        vault_tick(m->c->v);
        vault_flush(m->c->v);
        m->last_tick_ms = clock_now_ms();
    }
    cli_progress_show(&m->progress, m->line, 0);
    return status;
}

/* Takes the whole lines out of what was read; at the end, what is left is a line too. */
static int take_lines(struct import *m, struct buf *in, bool ended, bool *skipping)
{
    slice rest = buf_slice(in);
    int status = CLI_DONE;
    while (rest.len && !status) {
        size_t end = slice_find(rest, '\n');
        bool whole = end < rest.len;
        if (!whole && !ended && rest.len <= LINE_MAX_BYTES) break;
        if (!*skipping) add_line(m, slice_range(rest, 0, end));
        *skipping = !whole; /* the rest of a line that is too long */
        rest = slice_after(rest, whole ? end + 1 : end);
        if (m->count == BATCH_LINES) status = finish_batch(m);
    }
    buf_consume(in, in->len - rest.len);
    return status;
}

static int read_cards(struct import *m, struct buf *in)
{
    bool skipping = false, ended = false;
    int status = CLI_DONE;
    while (!ended && !status) {
        result r = buf_reserve(in, READ_BYTES);
        if (failed(r)) return cli_vault_failed(m->c, r);
        ssize_t got = read(STDIN_FILENO, buf_room(in), READ_BYTES);
        if (got == -1 && errno == EINTR) continue;
        if (got == -1) {
            fprintf(stderr, "cardveil token create: cannot read stdin: %s\n", strerror(errno));
            status = CLI_FAILED;
            break;
        }
        ended = got == 0;
        buf_added(in, (size_t)got);
        status = take_lines(m, in, ended, &skipping);
    }
    if (m->count) { /* also after a failure: what is queued points into the batch */
        int last = finish_batch(m);
        if (!status) status = last;
    }
    return status;
}

static void print_summary(struct import *m)
{
    uint64_t took_ms;
    if (!cli_progress_end(&m->progress, &took_ms)) return;
    fprintf(stderr, "%" PRIu64 " lines: %" PRIu64 " tokens made, %" PRIu64 " known already, %" PRIu64 " bad; %" PRIu64 ".%" PRIu64 " s\n", m->line,
            m->created, m->known, m->bad, took_ms / 1000, took_ms % 1000 / 100);
}

static int import_cards(struct cli_vault *c, const void *arguments)
{
    const struct arguments *a = arguments;
    struct import m = {.c = c, .merchant = slice_of(a->merchant), .unique = a->unique, .json = a->json, .format = a->format, .last_tick_ms = clock_now_ms()};
    struct buf in;
    buf_init_secret(&in, 4 * READ_BYTES);
    m.slots = calloc(BATCH_LINES, sizeof *m.slots);
    int status = CLI_FAILED;
    if (m.slots) {
        if (isatty(STDIN_FILENO) == 1) fprintf(stderr, "reading cards from the terminal, one JSON object a line; end with Ctrl-D\n");
        cli_progress_start(&m.progress, "cards");
        status = read_cards(&m, &in);
        print_summary(&m);
    } else {
        (void)cli_vault_failed(c, FAIL(MEMORY));
    }
    buf_done(&in);
    free(m.slots);
    return !status && m.bad ? CLI_FAILED : status;
}

/* --- arguments --- */

static const struct cli_action actions[CLI_ACTIONS_MAX] = {{"create", "token create", import_cards, CLI_VAULT_WRITE, .words = 1, .surplus = "too many words; cards are read from stdin"}};
static const struct cli_command command = {"token", USAGE, actions};

static const char *take_format(void *arguments, const char *text)
{
    static char why[160];
    struct arguments *a = arguments;
    const char *wrong = alias_form_read(slice_of(text), &a->format);
    if (wrong) (void)snprintf(why, sizeof why, "--format: %s", wrong);
    return wrong ? why : NULL;
}

int cli_token(int argc, char **argv)
{
    struct arguments a = {.merchant = NULL};
    const struct cli_option options[] = {{"merchant", .value = &a.merchant}, {"unique", .flag = &a.unique}, {"format", .take = take_format},
                                         {"json", .flag = &a.json}, {NULL}};
    struct cli_typed typed;
    int status;
    if (!cli_read(&command, options, &a, argc, argv, &typed, &status)) return status;
    if (!a.merchant) return cli_wrong_usage(&command, "create needs --merchant NAME");
    return cli_vault_run(&(struct cli_work){typed.action->command, typed.file, a.merchant, typed.action->access, typed.action->run}, &a);
}
