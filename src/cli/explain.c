/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/explain.h"

#include "base/secret.h"
#include "proxy/explain.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, INPUT_MAX_BYTES = 32 * 1024 * 1024, READ_BYTES = 65536 };

static const char help[] =
    "usage: cardveil explain [-c FILE] --route NAME [--credential CARD_PAN|NETWORK_TOKEN] < request.http\n"
    "\n"
    "Reads one HTTP request, as a client would send it to Cardveil, and shows what the other side would receive: with masked\n"
    "stand-ins for the card data and why each slot gets its value, or, where card data becomes tokens (direction: filter-push),\n"
    "with what was found masked. Answers are not shown. Needs no network and no vault: tokens are neither looked up nor made.\n"
    "\n"
    "  -c, --config FILE      the configuration (cardveil.yaml)\n"
    "      --route NAME       the route, by its name in the configuration\n"
    "      --credential KIND  what goes out for the card: CARD_PAN (the default) or NETWORK_TOKEN\n"
    "  -h, --help             this text\n"
    "\n"
    "The path may be written with the route's prefix or as the processor knows it; Host and Content-Length may be left out.\n"
    "Exit status: 0 shown, 1 the request would be refused (and why), 2 wrong usage or configuration.\n";

struct wishes {
    const char *config, *route;
    enum credential_kind kind;
};

static bool parse_kind(const char *text, enum credential_kind *kind)
{
    for (int k = CREDENTIAL_PAN; k <= CREDENTIAL_NETWORK_TOKEN; k++) {
        if (strcmp(text, credential_kind_name((enum credential_kind)k)) != 0) continue;
        *kind = (enum credential_kind)k;
        return true;
    }
    return false;
}

/* -1: go on. */
static int parse_options(int argc, char **argv, struct wishes *w)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'}, {"route", required_argument, NULL, 'r'},
                                            {"credential", required_argument, NULL, 'k'}, {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (option) {
        case 'c': w->config = optarg; break;
        case 'r': w->route = optarg; break;
        case 'k':
            if (parse_kind(optarg, &w->kind)) break;
            fprintf(stderr, "cardveil explain: --credential takes CARD_PAN or NETWORK_TOKEN, not '%s'\n", optarg);
            return EXIT_USAGE;
        case 'h': fputs(help, stdout); return 0;
        default: fputs("Try 'cardveil explain --help'.\n", stderr); return EXIT_USAGE;
        }
    }
    if (optind < argc || !w->route) {
        fputs(optind < argc ? "cardveil explain: too many arguments; the request comes on standard input\n"
                            : "cardveil explain: --route NAME is missing\n", stderr);
        return EXIT_USAGE;
    }
    return -1;
}

static result read_all(struct buf *in)
{
    for (;;) {
        TRY(buf_reserve(in, READ_BYTES));
        ssize_t n = read(STDIN_FILENO, buf_room(in), READ_BYTES);
        ENSURE(n >= 0, IO);
        if (n == 0) return OK;
        buf_added(in, (size_t)n);
    }
}

static struct config *load(const char *file)
{
    struct config *config = NULL;
    struct source *source = source_disk();
    struct problems *problems = problems_new();
    if (source && problems && failed(config_load(source, slice_of(file), problems, &config))) {
        problems_print(problems, STDERR_FILENO);
        config = NULL;
    }
    problems_free(problems);
    source_free(source);
    return config;
}

struct listing {
    const struct explanation *e;
    size_t shown;
    bool is_counted_only; /* nothing is printed yet */
};

static void print_element(enum element element, enum date_format format, bool as_number)
{
    const char *as = format == DATE_DEFAULT ? "" : date_format_name(format);
    printf("%s%s%s%s", element_name(element), *as ? " as " : "", as, as_number ? " as a number" : "");
}

static void print_why(const struct explain_slot *s)
{
    printf(", because of: %s", s->info.why);
    if (s->info.only_network_token) printf(" (only with a network token)");
    if (s->token.len) printf("; token %.*s", SLICE_ARG(s->token));
    putchar('\n');
}

/* False: only counted. */
static bool print_begin(struct listing *l, const struct explain_slot *s)
{
    l->shown++;
    if (!l->is_counted_only) printf("%3zu. byte %llu: ", l->shown, (unsigned long long)s->info.start);
    return !l->is_counted_only;
}

/* What the rules set there, one line each: an object that is made may hold several. */
static void print_edits(struct listing *l, size_t slot, const struct explain_slot *s)
{
    const struct plan_edit *edit;
    slice path;
    for (size_t n = 0; (edit = explain_edit_at(l->e, slot, n, &path)) != NULL; n++) {
        if (!print_begin(l, s)) continue;
        if (edit->literal.at || edit->by_brand)
            printf("a literal%s", edit->by_brand ? " for this brand" : "");
        else
            print_element(edit->element, edit->format, edit->as_number);
        printf(" to %.*s", SLICE_ARG(path));
        print_why(s);
    }
}

static void print_slot(struct listing *l, size_t slot)
{
    struct explain_slot s = explain_slot_at(l->e, slot);
    if (!s.applies) return;
    if (s.info.is_edit && !s.info.dropped) {
        print_edits(l, slot, &s);
        return;
    }
    if (!print_begin(l, &s)) return;
    if (s.info.dropped)
        printf("dropped");
    else
        print_element(s.info.element, s.info.format, s.info.as_number);
    print_why(&s);
}

static void print_slots(const struct explanation *e)
{
    struct listing count = {.e = e, .is_counted_only = true}, listing = {.e = e};
    for (size_t i = 0; i < explain_slot_count(e); i++) print_slot(&count, i);
    if (count.shown == 0) {
        printf("\n\n# no slots in the body\n");
        return;
    }
    printf("\n\n# %zu slot%s in the body\n", count.shown, count.shown == 1 ? "" : "s");
    for (size_t i = 0; i < explain_slot_count(e); i++) print_slot(&listing, i);
}

/* What the signature is over, as the rules have it. */
static void print_signed_parts(const struct sign_rule *sign)
{
    for (size_t i = 0; i < sign->over_count; i++) {
        const struct sign_piece *p = &sign->over[i];
        printf("%s", i ? ", " : " over ");
        if (sign_part_name(p->part))
            printf("%s", sign_part_name(p->part));
        else if (slice_is(p->text, "\n"))
            printf("newline");
        else
            printf(p->part == SIGN_PART_FIELD ? "the field %.*s" : "'%.*s'", SLICE_ARG(p->text));
    }
}

static void print_signing(const struct sign_rule *sign)
{
    static const char *const over[] = {[SIGN_DIGEST] = " of the body",
                                       [SIGN_CYBERSOURCE] = " over host, date, request-target, the body's digest and v-c-merchant-id",
                                       [SIGN_CYBERSOURCE_JWT] = " with the body's digest, the path, the time and the account as its claims",
                                       [SIGN_HMAC_SHA256] = ""};
    if (sign->kind == SIGN_NONE) return;
    printf("# %s: %s%s%s", sign->kind == SIGN_DIGEST ? "digest" : "signed", sign_kind_name(sign->kind), sign->rs256 ? ", RS256," : "",
           over[sign->kind]);
    print_signed_parts(sign);
    printf("\n  Made anew for each attempt, over the bytes that go out%s.\n"
           "  The caller's own fields of these names are left out. Masked above, where it is over stand-ins.\n",
           sign->kind == SIGN_DIGEST ? "" : ", with the route's 'sign' key, which only the keeper has");
}

static void print_explanation(const struct explanation *e, const struct wishes *w)
{
    const struct config_route *route = explain_route(e);
    const struct upstream_url *to = explain_upstream(e);
    slice text = explain_text(e);
    printf("# route %.*s, rules %.*s, ", SLICE_ARG(route->name), SLICE_ARG(route->rules->name));
    if (config_route_goes_on(route))
        printf("to %s://%.*s:%u, with %s\n\n", to->tls ? "https" : "http", SLICE_ARG(to->host), (unsigned)to->port,
               credential_kind_name(w->kind));
    else
        printf("back to the caller\n\n");
    fwrite(text.at, 1, text.len, stdout);
    print_slots(e);
    print_signing(&route->rules->sign);
}

static void print_refusal(const struct explanation *e, result r, const char *route)
{
    const struct body_fault *fault = e ? explain_fault(e) : NULL;
    enum http_refusal why = e ? explain_refusal(e) : REFUSAL_NONE;
    if (r.err == ERR_NOT_FOUND) {
        fprintf(stderr, "cardveil explain: no route is named '%s'; see 'routes' in the configuration\n", route);
    } else if (why != REFUSAL_NONE) {
        fprintf(stderr, "refused with %d %s: %s\n%s\n", refusal_status(why), refusal_name(why), refusal_text(why),
                refusal_rfc(why));
    } else {
        fprintf(stderr, "refused with %d %s: %s\n", error_status(r.err), error_name(r.err), error_text(r.err));
        if (fault && fault->err == r.err)
            fprintf(stderr, "at byte %llu of the body%s%s\n", (unsigned long long)fault->offset,
                    fault->path[0] ? ", " : "", fault->path);
    }
}

int cli_explain(int argc, char **argv)
{
    struct wishes w = {.config = "cardveil.yaml", .kind = CREDENTIAL_PAN};
    struct explanation *e = NULL;
    struct buf in;
    int code = parse_options(argc, argv, &w);
    if (code != -1) return code;
    if (failed(secret_start(1 << 16))) return 1;
    struct config *config = load(w.config);
    if (!config) return EXIT_USAGE;
    buf_init(&in, INPUT_MAX_BYTES);
    result r = read_all(&in);
    if (!failed(r) && in.len == 0) {
        fputs("cardveil explain: no request on standard input\n", stderr);
        config_free(config);
        buf_done(&in);
        return EXIT_USAGE;
    }
    if (failed(r))
        config_free(config);
    else
        r = explain_request(config, slice_of(w.route), buf_slice(&in), w.kind, &e);
    if (failed(r))
        print_refusal(e, r, w.route);
    else
        print_explanation(e, &w);
    explain_free(e);
    buf_done(&in);
    return r.err == ERR_NOT_FOUND ? EXIT_USAGE : failed(r) ? 1 : 0;
}
