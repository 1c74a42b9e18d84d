/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ca.h"

#include "cli/command.h"
#include "rules/config.h"
#include "rules/host.h"
#include "rules/url.h"
#include "vault/ca.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PEM_MAX_BYTES = 16 * 1024 };

static const char USAGE[] =
    "usage: cardveil ca init [-c cardveil.yaml] [--name HOST]… [--replace]\n"
    "       cardveil ca export [-c cardveil.yaml] > ca.pem\n\n"
    "The local certificate authority of listeners with 'forward_proxy: on': the vault process signs a certificate with it, for a day, for each\n"
    "host that is read on its way. Its key is sealed in the vault and never leaves it.\n\n"
    "init    makes it. Its certificate is good for the given names and names under them only; without --name for the names of the\n"
    "        configuration: each route's 'host', and its upstream's. With --replace a new one takes its place: 'serve' uses it after a\n"
    "        reload (SIGHUP), and clients must trust the new one.\n"
    "export  prints its certificate (PEM). Clients that use the forward proxy must trust it, and nobody else.\n\n"
    "Exit status: 0 done, 1 the work failed, 2 wrong usage or configuration.\n";

struct arguments {
    const char *file;
    bool replace;
    slice names[CA_NAMES_MAX];
    size_t count;
    char room[CA_NAMES_MAX][CA_NAME_MAX_BYTES]; /* lower case */
};

static int init(struct cli_vault *c, const void *arguments);
static int export(struct cli_vault *c, const void *arguments);
static const struct cli_action actions[] = {{"init", "ca init", init, CLI_VAULT_SHUT, 1, NULL, NULL},
                                            {"export", "ca export", export, CLI_VAULT_READ, 1, NULL, NULL},
                                            {NULL, NULL, NULL, CLI_VAULT_SHUT, 0, NULL, NULL}};
static const struct cli_command command = {"ca", USAGE, actions};

/* Of a pattern the name behind "*."; each name once. False: too many. */
static bool add_name(struct arguments *a, slice name)
{
    if (host_pattern_is_wildcard(name)) name = slice_after(name, 2);
    for (size_t i = 0; i < a->count; i++)
        if (slice_ieq(a->names[i], name)) return true;
    if (a->count == CA_NAMES_MAX || name.len > CA_NAME_MAX_BYTES) return false;
    char *at = a->room[a->count];
    for (size_t i = 0; i < name.len; i++) at[i] = name.at[i] >= 'A' && name.at[i] <= 'Z' ? (char)(name.at[i] | 0x20) : name.at[i];
    a->names[a->count++] = (slice){at, name.len};
    return true;
}

static bool is_name(slice host)
{
    return host.len > 0 && slice_find(host, ':') == host.len && !url_is_ipv4(host);
}

/* With the rules this time: an upstream may come from there. */
static int names_of_configuration(struct cli_vault *c, struct arguments *a)
{
    struct config *whole = NULL;
    bool fits = true;
    result r = config_load(c->source, slice_of(a->file), c->problems, &whole);
    if (failed(r)) {
        problems_print(c->problems, STDERR_FILENO);
        return r.err == ERR_MEMORY ? cli_vault_failed(c, r) : CLI_WRONG;
    }
    for (size_t i = 0; i < whole->route_count; i++) {
        const struct config_route *route = &whole->routes[i];
        if (is_name(route->host)) fits = add_name(a, route->host) && fits;
        if (is_name(route->upstream.host)) fits = add_name(a, route->upstream.host) && fits;
    }
    config_free(whole);
    if (!fits)
        return cli_wrong_usage(&command, "the configuration has more than 64 host names; choose them with --name, such as --name example.com "
                                         "for all under it");
    return a->count ? CLI_DONE : cli_wrong_usage(&command, "no route of the configuration has a host name; give some with --name");
}

static int init(struct cli_vault *c, const void *arguments)
{
    struct arguments a = *(const struct arguments *)arguments; /* names that were given lie in the original */
    int status = a.count ? CLI_DONE : names_of_configuration(c, &a);
    if (!status) status = cli_vault_open(c, false);
    if (status) return status;
    result r = vault_ca_init(c->v, a.names, a.count, a.replace);
    status = cli_vault_audit(c, a.replace ? "ca.replace" : "ca.init", SLICE_NONE, SLICE_NONE, r);
    if (failed(r)) return cli_vault_failed(c, r);
    printf("made a CA for:");
    for (size_t i = 0; i < a.count; i++) printf(" %.*s", SLICE_ARG(a.names[i]));
    printf("\nClients that use the forward proxy must trust it: cardveil ca export > ca.pem\n");
    return status;
}

static int export(struct cli_vault *c, const void *arguments)
{
    struct buf pem;
    (void)arguments;
    buf_init(&pem, PEM_MAX_BYTES);
    result r = vault_ca_certificate(c->v, &pem);
    if (!failed(r)) fwrite(pem.at, 1, pem.len, stdout);
    buf_done(&pem);
    return failed(r) ? cli_vault_failed(c, r) : CLI_DONE;
}

static const char *take_name(void *arguments, const char *name)
{
    if (host_pattern_check(slice_of(name)) || !is_name(slice_of(name))) return "--name takes a host name";
    return add_name(arguments, slice_of(name)) ? NULL : "more than 64 names; --name example.com is good for all under it";
}

int cli_ca(int argc, char **argv)
{
    struct arguments a = {0};
    const struct cli_option options[] = {{"name", .take = take_name}, {"replace", .flag = &a.replace}, {NULL}};
    struct cli_typed typed;
    int status;
    if (!cli_read(&command, options, &a, argc, argv, &typed, &status)) return status;
    if (typed.action->run == export && (a.count || a.replace)) return cli_wrong_usage(&command, "--name and --replace belong to init");
    a.file = typed.file;
    return cli_vault_run(&(struct cli_work){typed.action->command, a.file, NULL, typed.action->access, typed.action->run}, &a);
}
