/* SPDX-License-Identifier: Apache-2.0 */
#include "config_priv.h"

#include "net/listener.h"
#include "rules/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONFIG_MAX_BYTES = 256 * 1024 * 1024, /* certificates of up to 1,000 routes */
    TREE_MAX_BYTES = 64 * 1024 * 1024,
};
static const char HOSTS_FILE[] = "/etc/hosts";

void config_free(struct config *c)
{
    if (!c) return;
    struct config_whole *w = (struct config_whole *)c;
    while (!SLIST_EMPTY(&w->rules)) {
        struct loaded_rules *r = SLIST_FIRST(&w->rules);
        SLIST_REMOVE_HEAD(&w->rules, next);
        ruleset_free(r->rules);
        free(r);
    }
    secrets_free(w->secrets);
    pool_free(w->pool);
    free(w);
}

static struct config_whole *whole_new(void)
{
    struct config_whole *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    SLIST_INIT(&w->rules);
    w->pool = pool_new(CONFIG_MAX_BYTES);
    w->secrets = secrets_new();
    if (w->pool && w->secrets) return w;
    config_free(&w->config);
    return NULL;
}

int64_t config_merchant_index(const struct config *c, slice name)
{
    for (size_t i = 0; i < c->merchant_count; i++)
        if (slice_eq(c->merchants[i].name, name)) return (int64_t)i;
    return -1;
}

/* Files of the system that the relays need: missing ones are empty. */
static void read_system_file(struct config_loading *c, const char *path, slice *out)
{
    slice bytes;
    *out = SLICE("");
    result r = source_read(c->l.source, slice_of(path), &bytes);
    if (r.err == ERR_MEMORY) c->l.out_of_memory = true;
    if (!failed(r)) (void)loading_copy(&c->l, bytes, out);
}

static void check_admin(struct config_loading *c)
{
    struct address at;
    slice admin = c->draft.c.admin;
    const struct tree_node *place = setting_place(&c->places, SETTING_ID_ADMIN_AT);
    if (!admin.at) {
        if (c->places.at[SETTING_ID_ADMIN_INSECURE])
            loading_complain(&c->l, c->places.at[SETTING_ID_ADMIN_INSECURE], "'admin.insecure' without 'admin.at'");
        return;
    }
    if (failed(address_parse(admin, &at)) || address_is_loopback(&at) || c->draft.admin_insecure) return;
    loading_complain(
        &c->l, place,
        "metrics and health would be open beyond this machine, in plain HTTP; listen on 127.0.0.1 or unix:PATH, or "
        "set admin.insecure: yes");
}

static void check_keys(struct config_loading *c)
{
    const struct config *config = &c->draft.c;
    if (config->vault_old_key.at && slice_eq(config->vault_old_key, config->vault_key))
        loading_complain(&c->l, setting_place(&c->places, SETTING_ID_VAULT_OLD_KEY),
                         "'vault.old_key' is 'vault.key': a vault moves to a key of its own");
}

static void read_all(struct config_loading *c, const struct tree_node *root)
{
    if (!c->l.alone) {
        read_system_file(c, HOSTS_FILE, &c->draft.c.hosts_file);
        read_system_file(c, CONFIG_SYSTEM_CA_FILE, &c->draft.c.system_ca);
    }
    settings_read(&c->l, SCOPE_CONFIG, root, &c->draft, &c->places);
    check_keys(c);
    check_admin(c);
    config_read_networks(c);
    config_read_merchants(c);
    config_read_listens(c);
    config_read_routes(c);
}

static result read_root(struct config_loading *c, struct pool *tree_pool, struct tree_node **root)
{
    slice text;
    *root = NULL;
    result r = source_read(c->l.source, c->l.file, &text);
    if (!failed(r)) return tree_read(text, c->l.file, tree_pool, c->l.problems, root);
    if (r.err == ERR_MEMORY) return r;
    problems_add(c->l.problems, c->l.file, 0, 0, "cannot read the configuration: %s",
                 r.err == ERR_TOO_LARGE ? "larger than 1 MiB" : strerror(errno));
    return OK;
}

static result load(struct config_loading *c, struct pool *tree_pool)
{
    struct tree_node *root;
    size_t before = problems_count(c->l.problems);
    TRY(source_absolute(c->l.source, c->l.file, c->l.pool, &c->draft.c.file));
    TRY(read_root(c, tree_pool, &root));
    if (root) read_all(c, root);
    ENSURE(!c->l.out_of_memory, MEMORY);
    ENSURE(problems_count(c->l.problems) == before, CONFIG);
    return OK;
}

/* "etc/" of "etc/cardveil.yaml" */
static slice folder_of(slice file)
{
    size_t len = file.len;
    while (len > 0 && file.at[len - 1] != '/')
        len--;
    return (slice){file.at, len};
}

static result load_new(struct source *source, slice file, bool alone, struct problems *problems, struct config **out)
{
    *out = NULL;
    if (file.len == 0 || slice_find(file, '\0') != file.len) {
        problems_add(problems, SLICE("configuration"), 0, 0, "no file named");
        return FAIL(CONFIG);
    }
    struct config_whole *whole = whole_new();
    struct pool *tree_pool = pool_new(TREE_MAX_BYTES);
    struct config_loading *c = calloc(1, sizeof *c);
    result r = FAIL(MEMORY);
    if (whole && tree_pool && c) {
        c->whole = whole;
        c->l = (struct loading){.source = source,
                                .problems = problems,
                                .file = file,
                                .folder = folder_of(file),
                                .pool = whole->pool,
                                .secrets = whole->secrets,
                                .alone = alone};
        r = load(c, tree_pool);
    }
    pool_free(tree_pool);
    if (!failed(r)) {
        whole->config = c->draft.c;
        *out = &whole->config;
    } else if (whole) {
        config_free(&whole->config);
    }
    free(c);
    return r;
}

result config_load(struct source *source, slice file, struct problems *problems, struct config **out)
{
    return load_new(source, file, false, problems, out);
}

result config_load_alone(struct source *source, slice file, struct problems *problems, struct config **out)
{
    return load_new(source, file, true, problems, out);
}

const char *route_direction_name(enum route_direction d)
{
    static const char *const names[] = {[DIRECTION_FORWARD_PULL] = "forward-pull", [DIRECTION_FORWARD_PUSH] = "forward-push",
                                        [DIRECTION_FILTER_PULL] = "filter-pull", [DIRECTION_FILTER_PUSH] = "filter-push"};
    return names[d];
}

const char *route_compat_name(enum route_compat c)
{
    static const char *const names[] = {[COMPAT_NONE] = "none", [COMPAT_PCI_PROXY] = "pci-proxy", [COMPAT_FIRSTOKEN] = "firstoken"};
    return names[c];
}
