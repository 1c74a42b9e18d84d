/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/check.h"

#include "base/secret.h"
#include "rules/config.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_GOOD = 0, EXIT_WORK = 1, EXIT_WRONG = 2, SECRET_HEAP_BYTES = 1 << 20 };

struct arguments {
    const char *file;
    bool json, markdown, help;
};

static const char USAGE[] =
    "usage: cardveil check [-c cardveil.yaml] [--json]\n"
    "       cardveil check --settings | --settings=markdown\n\n"
    "Reads the configuration, its rules and certificates, and prints every mistake as file:line:column: message;\n"
    "nothing is started. Exit status: 0 good, 2 mistakes. --settings prints every setting with its default.\n";

static bool parse_arguments(int argc, char **argv, struct arguments *a, bool *settings)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},
        {"settings", optional_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    *a = (struct arguments){.file = "cardveil.yaml"};
    *settings = false;
    optind = 1;
    for (int option; (option = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
        switch (option) {
        case 'c':
            a->file = optarg;
            break;
        case 'j':
            a->json = true;
            break;
        case 's':
            *settings = true;
            a->markdown = optarg && strcmp(optarg, "markdown") == 0;
            if (optarg && !a->markdown) return false;
            break;
        case 'h':
            a->help = true;
            break;
        default:
            return false;
        }
    }
    return optind == argc;
}

/* --- for people --- */

static void print_listen(const struct config_listen *l)
{
    printf("  listens at  %.*s", SLICE_ARG(l->at));
    if (l->tls)
        printf(l->client_ca.at ? ", TLS with client certificates" : ", TLS");
    if (l->certificate_count > 1) printf(", %zu certificates", l->certificate_count);
    if (!l->tls)
        printf(", plain HTTP%s", l->insecure ? " (insecure: yes)" : "");
    if (l->merchant.at)
        printf(", callers are merchant %.*s", SLICE_ARG(l->merchant));
    else
        printf(", API key needed");
    if (l->forward_proxy) printf(", forward proxy, others are %s", l->proxy_others == PROXY_OTHERS_TUNNEL ? "tunnelled" : "refused");
    printf("\n");
}

static void print_url(const struct upstream_url *u)
{
    bool is_ipv6 = slice_find(u->host, ':') < u->host.len;
    printf(is_ipv6 ? "%s://[%.*s]:%u%.*s" : "%s://%.*s:%u%.*s", u->tls ? "https" : "http", SLICE_ARG(u->host),
           (unsigned)u->port, SLICE_ARG(u->path));
}

/* Who is given card numbers, and where cards become aliases: what an auditor asks of a route first. */
static void print_direction(const struct config_route *r)
{
    enum message_work request = config_route_request_work(r), answer = config_route_answer_work(r);
    printf("              %s:", route_direction_name(r->direction));
    if (request == MESSAGE_REVEALS) printf(" requests are given card data%s", answer == MESSAGE_CAPTURED ? "," : "");
    if (answer == MESSAGE_REVEALS) printf(" answers are given card data");
    if (config_route_captures(r)) {
        slice alias = alias_wish_text(&r->alias.wish);
        printf(" cards in %s become aliases (%.*s%s%s)", answer == MESSAGE_CAPTURED ? "answers" : "requests", SLICE_ARG(alias),
               r->alias.unique ? ", unique" : "", config_route_finds_pans(r) ? ", find: pan" : "");
    }
    if (r->callers.at) printf("; callers %.*s%s", SLICE_ARG(r->callers), r->direction == DIRECTION_FORWARD_PUSH ? " only" : ", others by API key");
    if (r->compat != COMPAT_NONE) printf("; compat %s", route_compat_name(r->compat));
    printf("\n");
}

static void print_route(const struct config_route *r)
{
    printf("  route       %.*s: %.*s%.*s to ", SLICE_ARG(r->name), SLICE_ARG(r->host), SLICE_ARG(r->prefix));
    if (r->target_header)
        printf("the URL in x-cardveil-url");
    else if (config_route_goes_on(r))
        print_url(&r->upstream);
    else
        printf("the caller, as its answer");
    printf(", rules %.*s", SLICE_ARG(r->rules->name));
    if (r->merchant.at) printf(", merchant %.*s", SLICE_ARG(r->merchant));
    if (r->volume_percent) printf(", network tokens %u%%", r->volume_percent);
    printf("\n");
    print_direction(r);
}

static void print_config(const char *file, const struct config *c)
{
    printf("%s is good: %zu listener%s, %zu route%s, %u relay%s\n", file, c->listen_count,
           c->listen_count == 1 ? "" : "s", c->route_count, c->route_count == 1 ? "" : "s", c->workers,
           c->workers == 1 ? "" : "s");
    for (size_t i = 0; i < c->listen_count; i++)
        print_listen(&c->listens[i]);
    for (size_t i = 0; i < c->route_count; i++)
        print_route(&c->routes[i]);
}

static void print_problems(const char *file, const struct problems *problems)
{
    fflush(stdout);
    problems_print(problems, STDOUT_FILENO);
    size_t count = problems_count(problems);
    printf("%s: %zu mistake%s\n", file, count, count == 1 ? "" : "s");
}

/* --- for programs --- */

static void print_json_text(slice text)
{
    putchar('"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 0x20)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void print_json_member(const char *before, slice value)
{
    printf("%s", before);
    print_json_text(value);
}

static void print_json_direction(const struct config_route *r)
{
    static const char *const works[] = {[MESSAGE_PASSES] = "passes", [MESSAGE_REVEALS] = "revealed", [MESSAGE_CAPTURED] = "captured"};
    printf(",\"direction\":\"%s\",\"request\":\"%s\",\"answer\":\"%s\"", route_direction_name(r->direction), works[config_route_request_work(r)],
           works[config_route_answer_work(r)]);
    if (config_route_captures(r)) {
        print_json_member(",\"alias\":", alias_wish_text(&r->alias.wish));
        printf(",\"unique\":%s,\"find_pan\":%s", r->alias.unique ? "true" : "false", config_route_finds_pans(r) ? "true" : "false");
    }
    if (r->callers.at) print_json_member(",\"callers\":", r->callers);
    if (r->compat != COMPAT_NONE) printf(",\"compat\":\"%s\"", route_compat_name(r->compat));
}

static void print_json_config(const struct config *c)
{
    printf(",\"listen\":[");
    for (size_t i = 0; i < c->listen_count; i++) {
        const struct config_listen *l = &c->listens[i];
        print_json_member(i ? ",{\"at\":" : "{\"at\":", l->at);
        printf(",\"tls\":%s", l->tls ? "true" : "false");
        if (l->merchant.at) print_json_member(",\"merchant\":", l->merchant);
        printf("}");
    }
    printf("],\"routes\":[");
    for (size_t i = 0; i < c->route_count; i++) {
        const struct config_route *r = &c->routes[i];
        print_json_member(i ? ",{\"name\":" : "{\"name\":", r->name);
        if (r->host.at) print_json_member(",\"host\":", r->host);
        print_json_member(",\"prefix\":", r->prefix);
        print_json_member(",\"rules\":", r->rules->name);
        if (r->target_header) {
            printf(",\"target_header\":true");
        } else if (config_route_goes_on(r)) {
            printf(",\"upstream\":\"");
            print_url(&r->upstream); /* url_parse() let no character through that JSON would escape */
            printf("\"");
        }
        if (r->merchant.at) print_json_member(",\"merchant\":", r->merchant);
        print_json_direction(r);
        printf("}");
    }
    printf("]");
}

static void print_json(const char *file, const struct config *c, const struct problems *problems)
{
    print_json_member("{\"file\":", slice_of(file));
    printf(",\"good\":%s,\"problems\":[", c ? "true" : "false");
    const struct problem *p;
    for (size_t i = 0; (p = problems_get(problems, i)) != NULL; i++) {
        print_json_member(i ? ",{\"file\":" : "{\"file\":", p->file);
        printf(",\"line\":%u,\"column\":%u", p->line, p->column);
        print_json_member(",\"message\":", slice_of(p->text));
        printf("}");
    }
    printf("]");
    if (c) print_json_config(c);
    printf("}\n");
}

static int check(const struct arguments *a, struct source *source, struct problems *problems)
{
    struct config *config = NULL;
    result r = config_load(source, slice_of(a->file), problems, &config);
    if (r.err == ERR_MEMORY) return EXIT_WORK;
    if (a->json)
        print_json(a->file, config, problems);
    else if (config)
        print_config(a->file, config);
    else
        print_problems(a->file, problems);
    bool good = config != NULL;
    config_free(config);
    return good ? EXIT_GOOD : EXIT_WRONG;
}

int cli_check(int argc, char **argv)
{
    struct arguments a;
    bool settings;
    if (!parse_arguments(argc, argv, &a, &settings)) {
        fputs(USAGE, stderr);
        return EXIT_WRONG;
    }
    if (a.help) printf("%s\n", USAGE);
    if (a.help || settings) {
        fflush(stdout);
        config_print_settings(STDOUT_FILENO, a.markdown);
        return EXIT_GOOD;
    }
    struct source *source = NULL;
    struct problems *problems = NULL;
    int status = EXIT_WORK;
    if (!failed(secret_start(SECRET_HEAP_BYTES)) && (source = source_disk()) != NULL &&
        (problems = problems_new()) != NULL)
        status = check(&a, source, problems);
    if (status == EXIT_WORK) fputs("cardveil check: out of memory\n", stderr);
    problems_free(problems);
    source_free(source);
    fflush(stdout);
    return ferror(stdout) ? EXIT_WORK : status;
}
