/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"

#include "rules/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void enter(void)
{
    help_enter();
    help_copy("tests/corpus/config", ".");
    help_copy("tests/corpus/config/rules", "rules");
    help_certificate("a");
    help_certificate("b");
    help_secrets();
}

static struct config *load(struct source *s, const char *file, char **said)
{
    struct problems *p = problems_new();
    struct config *c;
    result r = config_load(s, slice_of(file), p, &c);
    ck_assert((c != NULL) == !failed(r));
    ck_assert((problems_count(p) > 0) == (r.err == ERR_CONFIG));
    *said = help_problems(p);
    problems_free(p);
    return c;
}

static struct config *must_load(const char *file)
{
    char *said;
    struct source *s = source_disk();
    struct config *c = load(s, file, &said);
    source_free(s); /* what is loaded stands on its own */
    ck_assert_msg(c != NULL, "%s", said);
    free(said);
    return c;
}

static char *on_case(const char *file)
{
    char *said;
    struct source *s = source_disk();
    struct config *c = load(s, file, &said);
    source_free(s);
    if (c) {
        free(said);
        said = strdup("good\n");
    }
    config_free(c);
    return help_replace(said, RULES_FOLDER, "INSTALLED");
}

/* What 'vault', 'key' and 'token' load: none of the files that it names is there, and mistakes are still mistakes. */
START_TEST(alone_needs_no_other_file)
{
    char *said;
    struct problems *p = problems_new();
    struct source *s = source_disk();
    struct config *c;
    help_write("lonely.yaml", "vault: { path: v, key: file:k }\n"
                              "listen:\n"
                              "  - at: 127.0.0.1:1\n"
                              "    merchant: shop\n"
                              "  - at: 0.0.0.0:2\n"
                              "    tls: { certificate: none.pem, key: none.key, client_ca: none.pem }\n"
                              "routes:\n"
                              "  - { name: r, rules: nowhere, prefix: /r, merchant: other, upstream: https://localhost, ca: none.pem,"
                              " certificate: none.pem, key: none.key, network_tokens: { volume: 50% } }\n");
    ck_assert_int_eq(config_load(s, SLICE("lonely.yaml"), p, &c).err, ERR_CONFIG);
    problems_free(p);
    p = problems_new();
    ck_assert_int_eq(config_load_alone(s, SLICE("lonely.yaml"), p, &c).err, ERR_NONE);
    ck_assert(slice_ends(c->vault_path, SLICE("/v")) && slice_ends(c->vault_key, SLICE("/k")));
    ck_assert_int_ge(config_merchant_index(c, SLICE("shop")), 0);
    ck_assert_int_ge(config_merchant_index(c, SLICE("other")), 0);
    config_free(c);
    help_write("lonely.yaml", "listen: [ { at: 127.0.0.1:1, tls: { certificate: a.pem } } ]\nwhat: 1\n");
    source_free(s);
    s = source_disk();
    ck_assert_int_eq(config_load_alone(s, SLICE("lonely.yaml"), p, &c).err, ERR_CONFIG);
    said = help_problems(p);
    ck_assert_msg(strstr(said, "unknown key 'what'") && strstr(said, "'key' is missing"), "%s", said);
    free(said);
    problems_free(p);
    source_free(s);
}
END_TEST

START_TEST(every_case_says_what_is_expected)
{
    help_corpus("config", on_case);
}
END_TEST

START_TEST(defaults_are_as_documented)
{
    struct config *c = must_load("good_minimal.yaml");
    char path[5000];
    (void)snprintf(path, sizeof path, "%s/var/vault", help_folder);
    ck_assert(slice_is(c->vault_engine, "lmdb") && slice_is(c->vault_path, path));
    (void)snprintf(path, sizeof path, "file:%s/var/vault.key", help_folder);
    ck_assert(slice_is(c->vault_key, path));
    (void)snprintf(path, sizeof path, "%s/good_minimal.yaml", help_folder);
    ck_assert(slice_is(c->file, path));
    ck_assert_uint_eq(c->vault_size_bytes, 64ULL << 30);
    ck_assert(c->user.len == 0 && !c->admin.at);
    ck_assert_uint_eq(c->listen_count, 1);
    ck_assert(!c->listens[0].merchant.at && !c->listens[0].tls);
    ck_assert(c->merchant_count == 0 && c->route_count == 0);
    ck_assert_uint_ge(c->workers, 1);
    ck_assert_uint_eq(c->drain_ms, 30000);
    ck_assert_uint_eq(c->head_bytes, 16384);
    ck_assert_uint_eq(c->head_fields, 100);
    ck_assert_uint_eq(c->connections, 10000);
    ck_assert_uint_eq(c->tls_handshake_ms, 10000);
    ck_assert_uint_eq(c->head_ms, 10000);
    ck_assert_uint_eq(c->body_ms, 10000);
    ck_assert_uint_eq(c->body_min_rate, 1024);
    ck_assert_uint_eq(c->keeper_ms, 1000);
    ck_assert_uint_eq(c->idle_client_ms, 60000);
    ck_assert_uint_eq(c->idle_upstream_ms, 4000);
    ck_assert_uint_eq(c->bad_tokens, 20);
    ck_assert_uint_eq(c->bad_tokens_window_ms, 900000);
    ck_assert_uint_eq(c->rate_per_key, 0);
    ck_assert_uint_eq(c->reveals_per_second, 0);
    ck_assert_int_eq(c->log_level, LOG_LEVEL_INFO);
    ck_assert_uint_gt(c->hosts_file.len, 0);
    config_free(c);
}
END_TEST

static void check_whole(const struct config *c)
{
    ck_assert_uint_eq(c->listen_count, 4);
    ck_assert(c->listens[1].tls && c->listens[1].certificate_count == 1 && c->listens[1].client_ca.len > 0);
    ck_assert(slice_starts(c->listens[1].certificates[0].key, SLICE("-----BEGIN")));
    ck_assert(c->listens[2].insecure && !c->listens[2].merchant.at);
    /* listed first, then those that are only named: by the listeners, then by the routes */
    static const char *const merchants[] = {"shop", "third", "fourth", "other"};
    ck_assert_uint_eq(c->merchant_count, 4);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(config_merchant_index(c, slice_of(merchants[i])), i);
    ck_assert_int_eq(config_merchant_index(c, SLICE("fifth")), -1);
    ck_assert_int_eq(config_merchant_index(c, SLICE("")), -1);
    ck_assert_uint_eq(c->workers, 3);
    ck_assert_int_eq(c->log_level, LOG_LEVEL_DEBUG);
    ck_assert_uint_eq(c->route_count, 4);

    const struct config_route *r = &c->routes[0];
    ck_assert(r->rules == c->routes[2].rules); /* shared */
    ck_assert(r->upstream.tls && slice_is(r->upstream.host, "api.example.com") && slice_is(r->upstream.path, "/base"));
    ck_assert_uint_eq(r->upstream.port, 443);
    ck_assert(r->volume_percent == 50 && r->pan_retry && r->budget_ms == 1000);
    ck_assert(r->body_buffer_bytes == 2 << 20 && r->placeholders == 10); /* inherited */
    ck_assert(r->connect_ms == 6000 && r->first_byte_ms == 7000 && r->whole_ms == 8000 && !r->stream);

    r = &c->routes[1];
    ck_assert(!r->merchant.at && r->volume_percent == 0 && !r->pan_retry && r->budget_ms == 2000);
    ck_assert(!r->upstream.tls && r->upstream.port == 9100 && slice_is(r->upstream.path, "/x"));
    ck_assert(r->stream && r->body_buffer_bytes == 4 << 20 && r->placeholders == 20);
    ck_assert(r->connect_ms == 1000 && r->first_byte_ms == 2000 && r->whole_ms == 3000);
    ck_assert(c->routes[2].upstream_ca.len && c->routes[2].upstream_certificate.len && c->routes[2].upstream_key.len);
}

START_TEST(everything_that_can_be_set_is_set)
{
    struct config *c = must_load("good_whole.yaml");
    check_whole(c);
    config_free(c);
}
END_TEST

/* What the roles do: the same configuration out of the bundle, in another folder, after the files are gone. */
static void check_work(const struct config *c, size_t route, enum message_work request, enum message_work answer)
{
    const struct config_route *r = &c->routes[route];
    ck_assert_msg(config_route_request_work(r) == request && config_route_answer_work(r) == answer, "%.*s", SLICE_ARG(r->name));
}

START_TEST(directions_say_what_is_done_to_each_message)
{
    struct config *c = must_load("good_inbound.yaml");
    const struct config_route *pushed = &c->routes[0];
    check_work(c, 0, MESSAGE_CAPTURED, MESSAGE_PASSES);
    check_work(c, 1, MESSAGE_REVEALS, MESSAGE_CAPTURED);
    check_work(c, 2, MESSAGE_REVEALS, MESSAGE_CAPTURED); /* forward-pull: for what its rules say of answers */
    check_work(c, 3, MESSAGE_PASSES, MESSAGE_REVEALS);
    check_work(c, 4, MESSAGE_REVEALS, MESSAGE_PASSES);
    ck_assert(config_route_is_push(pushed) && config_route_is_push(&c->routes[3]) && !config_route_is_push(&c->routes[1]));
    ck_assert(pushed->invalid == INVALID_PASS && pushed->cvc_ttl_s == 600 && pushed->masked && pushed->compat == COMPAT_PCI_PROXY);
    ck_assert(slice_is(pushed->callers, "192.0.2.0/24") && pushed->alias.unique && !c->routes[1].alias.unique);
    ck_assert(pushed->alias.wish.format == ALIAS_SIX_FOUR && c->routes[3].alias.wish.format == ALIAS_UUID);
    ck_assert(c->routes[5].compat == COMPAT_PCI_PROXY && c->routes[5].alias.wish.format == ALIAS_32);
    static const bool captures[] = {true, true, true, false, false, true, true}, finds[] = {true, true, true, false, false, true, false};
    ck_assert_uint_eq(c->route_count, 7);
    for (size_t i = 0; i < c->route_count; i++) {
        ck_assert_msg(config_route_captures(&c->routes[i]) == captures[i] && config_route_finds_pans(&c->routes[i]) == finds[i], "%zu", i);
    }
    config_free(c);
}
END_TEST

START_TEST(a_bundle_gives_the_same_configuration)
{
    struct source *disk = source_disk();
    char *said, name[5000];
    struct config *c = load(disk, "good_whole.yaml", &said);
    ck_assert_msg(c != NULL, "%s", said);
    free(said);
    (void)snprintf(name, sizeof name, "%.*s", SLICE_ARG(c->file));
    slice vault = c->vault_path;
    int fd = source_bundle(disk, SOURCE_FOR_NOBODY);
    ck_assert_int_ge(fd, 0);
    source_free(disk);

    ck_assert_int_eq(unlink("good_whole.yaml") | unlink("a.key") | unlink("rules/pay.yaml"), 0);
    ck_assert_int_eq(chdir("/"), 0);
    const char *names[] = {"good_whole.yaml", name}; /* as the user named it, and absolute */
    for (int i = 0; i < 2; i++) {
        struct source *bundle = source_from_bundle(fd);
        struct config *again = load(bundle, names[i], &said);
        source_free(bundle);
        ck_assert_msg(again != NULL, "%s", said);
        free(said);
        check_whole(again);
        ck_assert(slice_eq(again->vault_path, vault));
        config_free(again);
    }
    config_free(c);
    close(fd);
}
END_TEST

static void check_networks(const struct config *c, unsigned role)
{
    bool registrar = role & SOURCE_FOR_REGISTRAR, keeper = role & SOURCE_FOR_KEEPER;
    static const char shared[] = "c2hhcmVkLXNlY3JldC1vZi10aGUtdGVzdHM=";
    ck_assert_uint_eq(c->network_count, 3);
    const struct config_network *n = &c->networks[0];
    ck_assert(n->type == NETWORK_TYPE_CYBERSOURCE && n->auth == NETWORK_AUTH_HTTP_SIGNATURE && n->timeout_ms == 3000);
    ck_assert(!n->upstream.tls && n->upstream.port == 9200 && slice_is(n->upstream.path, "/tms"));
    ck_assert(slice_is(n->merchant_id, "demo_mid") && slice_starts(n->key_id, SLICE("08c9")) && slice_starts(n->profile_id, SLICE("93B3")));
    ck_assert(slice_is(n->secret, registrar ? shared : "") && slice_is(n->notice_key, registrar ? "ZW52aXJvbm1lbnQ=" : ""));
    ck_assert(slice_starts(n->answer_key, SLICE("-----BEGIN")) == registrar && (n->answer_key.len > 0) == registrar);
    ck_assert(slice_is(n->notice_key_id, "a-notice-key") && n->notice_signs == NOTICE_SIGNS_PAYLOAD && n->notice_any_time);
    ck_assert_uint_eq(n->brands, 1u << BRAND_VISA | 1u << BRAND_AMEX);
    n = &c->networks[1];
    ck_assert(n->upstream.tls && slice_is(n->upstream.host, "api.cybersource.com") && n->ca.len && n->timeout_ms == 10000);
    ck_assert(n->auth == NETWORK_AUTH_JWT_KEY && (n->jwt_key.len > 0) == registrar && n->notice_signs == NOTICE_SIGNS_EITHER && !n->notice_any_time);
    ck_assert_uint_eq(n->brands, 1u << BRAND_VISA | 1u << BRAND_MASTERCARD | 1u << BRAND_AMEX);
    ck_assert(c->networks[2].auth == NETWORK_AUTH_JWT_SECRET && !c->networks[2].notice_key.at);

    ck_assert_uint_eq(c->merchant_count, 3);
    ck_assert(c->merchants[0].network == 0 && c->merchants[1].network == 1 && c->merchants[2].network == -1);
    ck_assert(c->merchants[0].webhook_count == 2 && c->merchants[1].webhook_count == 0);
    const struct config_webhook *w = c->merchants[0].webhooks;
    ck_assert(w[0].url.tls && slice_is(w[0].url.path, "/hook?for=tokens&x=%20") && w[0].ca.len && slice_is(w[1].url.path, "/"));
    ck_assert(slice_is(w[0].secret, registrar ? "a-secret-of-a-webhook" : ""));

    static const enum provision provisions[] = {PROVISION_USED, PROVISION_ALL, PROVISION_OFF, PROVISION_OFF, PROVISION_NEW};
    for (size_t i = 0; i < 5; i++) ck_assert_int_eq(c->routes[i].provision, provisions[i]);
    ck_assert(slice_is(c->routes[1].sign_key_id, "key-1") && slice_is(c->routes[1].sign_secret, keeper ? shared : ""));
    ck_assert(slice_is(c->routes[2].sign_merchant_id, "mid") && (c->routes[2].sign_secret.len > 0) == keeper);
    ck_assert((c->routes[3].sign_private_key.len > 0) == keeper);
}

START_TEST(secrets_reach_their_role_only)
{
    static const unsigned roles[] = {SOURCE_FOR_RELAY, SOURCE_FOR_KEEPER, SOURCE_FOR_REGISTRAR};
    struct source *disk = source_disk();
    char *said;
    struct config *c = load(disk, "good_networks.yaml", &said);
    ck_assert_msg(c != NULL, "%s", said);
    free(said);
    check_networks(c, SOURCE_FOR_KEEPER | SOURCE_FOR_REGISTRAR);
    config_free(c);
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        int fd = source_bundle(disk, roles[i]);
        char *bytes = help_read_fd(fd);
        slice all = {bytes, (size_t)lseek(fd, 0, SEEK_END)};
        ck_assert((slice_find_slice(all, SLICE("a-secret-of-a-webhook")) < all.len) == (roles[i] == SOURCE_FOR_REGISTRAR));
        ck_assert((slice_find_slice(all, SLICE("BEGIN PRIVATE KEY")) < all.len) == (roles[i] != SOURCE_FOR_RELAY));
        free(bytes);
        struct source *bundle = source_from_bundle(fd);
        c = load(bundle, "good_networks.yaml", &said);
        ck_assert_msg(c != NULL, "%s", said);
        free(said);
        source_free(bundle);
        close(fd);
        check_networks(c, roles[i]);
        config_free(c);
    }
    source_free(disk);
}
END_TEST

START_TEST(the_vault_s_key_never_travels)
{
    help_write("vault.key", "key-encryption-key");
    help_write("k.yaml", "vault.key: file:vault.key\nlisten: [ at: 127.0.0.1:1 ]\n");
    struct source *disk = source_disk();
    char *said;
    struct config *c = load(disk, "k.yaml", &said);
    ck_assert_msg(c != NULL, "%s", said);
    free(said);
    config_free(c);
    int fd = source_bundle(disk, SOURCE_FOR_NOBODY);
    char *bytes = help_read_fd(fd);
    off_t len = lseek(fd, 0, SEEK_END);
    ck_assert(slice_find_slice((slice){bytes, (size_t)len}, SLICE("key-encryption-key")) == (size_t)len);
    free(bytes);
    close(fd);
    source_free(disk);
}
END_TEST

START_TEST(a_missing_file_is_said)
{
    char *said;
    struct source *s = source_disk();
    ck_assert_ptr_null(load(s, "nowhere.yaml", &said));
    ck_assert_str_eq(said, "nowhere.yaml: cannot read the configuration: No such file or directory\n");
    free(said);
    ck_assert_ptr_null(load(s, "rules", &said));
    ck_assert_str_eq(said, "rules: cannot read the configuration: Is a directory\n");
    free(said);
    ck_assert_ptr_null(load(s, "", &said));
    free(said);
    source_free(s);
}
END_TEST

START_TEST(files_are_named_as_the_user_named_them)
{
    char *said;
    help_write("d.yaml", "listen: [ at: 127.0.0.1:1 ]\nroutes: [ { name: a, rules: broken, prefix: /a } ]\n");
    ck_assert_int_eq(mkdir("sub", 0700), 0);
    ck_assert_int_eq(chdir("sub"), 0);
    struct source *s = source_disk();
    ck_assert_ptr_null(load(s, "../d.yaml", &said));
    ck_assert_msg(strstr(said, "../rules/broken.yaml:2:1: unknown key 'acept'; did you mean 'accept'?\n") != NULL, "%s",
                  said);
    free(said);
    source_free(s);
}
END_TEST

/* The examples, as one who copies them has them: rules and certificates beside them. */
START_TEST(the_examples_are_good)
{
    help_copy("examples", "example");
    help_copy("rules", "example/rules");
    ck_assert_int_eq(mkdir("example/certs", 0700), 0);
    help_certificate("example/certs/server");
    struct config *c = must_load("example/cardveil.yaml");
    ck_assert_uint_eq(c->route_count, 3);
    config_free(c);
    c = must_load("example/sidecar.yaml");
    ck_assert(slice_is(c->listens[0].merchant, "shop") && c->merchant_count == 1);
    config_free(c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("config");
    TCase *t = tcase_create("config");
    tcase_add_checked_fixture(t, enter, help_leave);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, alone_needs_no_other_file);
    tcase_add_test(t, every_case_says_what_is_expected);
    tcase_add_test(t, defaults_are_as_documented);
    tcase_add_test(t, everything_that_can_be_set_is_set);
    tcase_add_test(t, directions_say_what_is_done_to_each_message);
    tcase_add_test(t, a_bundle_gives_the_same_configuration);
    tcase_add_test(t, secrets_reach_their_role_only);
    tcase_add_test(t, the_vault_s_key_never_travels);
    tcase_add_test(t, a_missing_file_is_said);
    tcase_add_test(t, files_are_named_as_the_user_named_them);
    tcase_add_test(t, the_examples_are_good);
    suite_add_tcase(s, t);
    return help_run(s);
}
