/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/key.h"

#include "base/clock.h"
#include "base/secret.h"
#include "cli/command.h"
#include "net/listener.h"
#include "vault/seal.h"

#include <stdio.h>
#include <string.h>

static const char USAGE[] =
    "usage: cardveil key create --merchant NAME [--permit LIST] [--allow CIDR,...] [-c cardveil.yaml] [--json]\n"
    "       cardveil key list   [-c cardveil.yaml] [--json]\n"
    "       cardveil key revoke ID [-c cardveil.yaml]\n\n"
    "create  makes an API key and prints it, once: only a hash of it is stored.\n"
    "        --permit  what it may do, of: proxy,tokenize,read,change,delete,credentials,report,enroll, or all\n"
    "                  (default: proxy,tokenize,read,change,delete)\n"
    "        --allow   the addresses it may be used from, at most 16 of: 10.0.0.0/8, 192.0.2.7, 2001:db8::/32 (default: any)\n"
    "list    prints each key's id, merchant, permissions and addresses; never the key.\n"
    "revoke  ends a key; a running 'serve' refuses it from the next request on.\n\n"
    "Exit status: 0 done, 1 the work failed, 2 wrong usage or configuration.\n";

struct arguments {
    const char *merchant, *permit, *allow, *id;
    unsigned permissions;
    bool json;
};

static void print_permissions(unsigned bits)
{
    const char *before = "";
    for (unsigned bit = 1; bit; bit <<= 1) {
        const char *name = bits & bit ? permission_name(bit) : NULL;
        if (!name) continue;
        printf("%s%s", before, name);
        before = ",";
    }
}

static const char *check_allow(slice list)
{
    slice part;
    size_t count = 0;
    struct cidr parsed;
    while (slice_next(&list, ',', &part)) {
        if (failed(cidr_parse(slice_trim(part), &parsed))) return "--allow takes addresses and networks: 10.0.0.0/8,192.0.2.7,2001:db8::/32";
        if (++count > API_KEY_CIDRS_MAX) return "--allow takes at most 16 addresses and networks";
    }
    return NULL;
}

/* --- create --- */

static void print_new_key(const struct arguments *a, const char *key)
{
    if (!a->json) {
        printf("%s\n", key);
        fprintf(stderr, "this key is shown once; keep it now\n");
        return;
    }
    printf("{\"id\":\"%.*s\",\"key\":\"%s\",\"merchant\":", API_KEY_ID_BYTES, key + strlen("cvk_"), key);
    cli_print_json_text(slice_of(a->merchant));
    printf(",\"permit\":\"");
    print_permissions(a->permissions);
    printf("\",\"allow\":");
    cli_print_json_text(slice_of(a->allow));
    printf("}\n");
}

static int create(struct cli_vault *c, const void *arguments)
{
    const struct arguments *a = arguments;
    char key[API_KEY_TEXT_BYTES + 1];
    result r = vault_key_create(c->v, slice_of(a->merchant), a->permissions, slice_of(a->allow), key);
    slice id = failed(r) ? SLICE_NONE : (slice){key + strlen("cvk_"), API_KEY_ID_BYTES};
    int status = cli_vault_audit(c, "key.create", slice_of(a->merchant), id, r);
    if (failed(r)) return cli_vault_failed(c, r);
    print_new_key(a, key);
    fflush(stdout);
    secret_wipe(key, sizeof key);
    return status;
}

/* --- list --- */

struct listing {
    bool json;
    size_t count;
};

static void print_key(void *owner, const struct api_key_info *k)
{
    struct listing *l = owner;
    char created[CLOCK_RFC3339_BYTES];
    clock_rfc3339(k->created_ms, created);
    l->count++;
    if (l->json) {
        printf("{\"id\":\"%s\",\"merchant\":", k->id);
        cli_print_json_text(k->merchant);
        printf(",\"permit\":\"");
        print_permissions(k->permissions);
        printf("\",\"allow\":");
        cli_print_json_text(k->allow);
        printf(",\"created\":\"%s\",\"revoked\":%s}\n", created, k->revoked ? "true" : "false");
        return;
    }
    printf("%s  %s  %-8s %.*s  ", k->id, created, k->revoked ? "revoked" : "active", SLICE_ARG(k->merchant));
    print_permissions(k->permissions);
    printf(k->allow.len ? "  from %.*s\n" : "%.*s\n", SLICE_ARG(k->allow));
}

static int list(struct cli_vault *c, const void *arguments)
{
    const struct arguments *a = arguments;
    struct listing l = {.json = a->json};
    result r = vault_key_list(c->v, print_key, &l);
    if (failed(r)) return cli_vault_failed(c, r);
    if (l.count == 0) fprintf(stderr, "no API keys; make one with 'cardveil key create --merchant NAME'\n");
    return CLI_DONE;
}

/* --- revoke --- */

struct owner { /* of the key with this id */
    slice id;
    size_t len;
    char merchant[SEAL_MERCHANT_MAX_BYTES];
};

static void find_owner(void *arg, const struct api_key_info *k)
{
    struct owner *o = arg;
    if (!slice_eq(slice_of(k->id), o->id)) return;
    o->len = k->merchant.len;
    memcpy(o->merchant, k->merchant.at, k->merchant.len);
}

static int revoke(struct cli_vault *c, const void *arguments)
{
    const struct arguments *a = arguments;
    struct owner owner = {.id = slice_of(a->id)};
    result r = vault_key_list(c->v, find_owner, &owner);
    if (!failed(r)) r = vault_key_revoke(c->v, owner.id);
    int status = cli_vault_audit(c, "key.revoke", (slice){owner.merchant, owner.len}, owner.id, r);
    if (r.err == ERR_NOT_FOUND) {
        fprintf(stderr, "cardveil key revoke: no key has this id; 'cardveil key list' prints the ids\n");
        return CLI_FAILED;
    }
    if (failed(r)) return cli_vault_failed(c, r);
    printf("revoked %s\n", a->id);
    return status;
}

/* --- arguments --- */

static const struct cli_action actions[CLI_ACTIONS_MAX] = {
    {"create", "key create", create, CLI_VAULT_WRITE, .words = 1},
    {"list", "key list", list, CLI_VAULT_READ, .words = 1},
    {"revoke", "key revoke", revoke, CLI_VAULT_WRITE, .words = 2, .lacking = "revoke needs the key's id; 'cardveil key list' prints the ids"},
};
static const struct cli_command command = {"key", USAGE, actions};

static const char *check_arguments(const struct cli_action *action, struct arguments *a)
{
    bool creates = action->run == create;
    if (!creates && (a->merchant || a->permit || a->allow)) return "--merchant, --permit and --allow belong to create";
    if (!creates) return NULL;
    if (!a->merchant) return "create needs --merchant NAME";
    a->permissions = PERMIT_DEFAULT;
    if (a->permit && !permission_parse(slice_of(a->permit), &a->permissions))
        return "--permit takes a list of proxy,tokenize,read,change,delete,credentials,report,enroll, or all";
    if (!a->allow) a->allow = "";
    return a->allow[0] ? check_allow(slice_of(a->allow)) : NULL;
}

int cli_key(int argc, char **argv)
{
    struct arguments a = {0};
    const struct cli_option options[] = {{"merchant", .value = &a.merchant}, {"permit", .value = &a.permit}, {"allow", .value = &a.allow},
                                         {"json", .flag = &a.json}, {NULL}};
    struct cli_typed typed;
    int status;
    if (!cli_read(&command, options, &a, argc, argv, &typed, &status)) return status;
    a.id = typed.word;
    const char *why = check_arguments(typed.action, &a);
    if (why) return cli_wrong_usage(&command, why);
    return cli_vault_run(&(struct cli_work){typed.action->command, typed.file, a.merchant, typed.action->access, typed.action->run}, &a);
}
