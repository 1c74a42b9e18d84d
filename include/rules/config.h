/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RULES_CONFIG_H
#define RULES_CONFIG_H

/* cardveil.yaml, checked. Read-only after loading; reload loads a new one. A configuration owns all that it points to (the
 * source may be freed), its private keys in secret memory. Every scalar setting is a row of settings.def, which serves the
 * parser, 'check', --help and the README's table. */

#include "body/alias.h"
#include "body/inbound.h"
#include "rules/ruleset.h"

struct upstream_url {
    bool tls;
    slice host;   /* without brackets */
    uint16_t port;
    slice path;   /* "" or "/base": put before the forwarded path */
};
struct config_certificate {
    slice certificate, key; /* PEM bytes */
};
struct config_target {
    struct upstream_url url;      /* host: a name, a pattern (rules/host.h) or an address; no path */
    bool may_be_private;          /* it may be, or resolve to, an address that is not of the public internet */
};
/* What a forward proxy does with hosts that no route reads. */
enum proxy_others { PROXY_OTHERS_REFUSE = 0, PROXY_OTHERS_TUNNEL };
struct config_listen {
    slice at;          /* "127.0.0.1:8080", "unix:PATH" */
    slice merchant;    /* stands for this merchant without an API key; loopback or unix only. Start NULL: a key is needed */
    bool tls, insecure;
    struct config_certificate *certificates; /* chosen by the host name that a client asks for (SNI); the first is the default */
    size_t certificate_count;
    slice client_ca; /* PEM bytes; for all of them */
    bool forward_proxy;              /* takes CONNECT and absolute-form requests */
    enum proxy_others proxy_others;
    struct config_target *tunnels;   /* with PROXY_OTHERS_TUNNEL: where to; none: any public host, port 443 */
    size_t tunnel_count;
};
/* Secrets marked "registrar" or "keeper" are there only in the bundle of that role (rules/source.h): elsewhere they are empty. */
enum network_type { NETWORK_TYPE_CYBERSOURCE };
enum network_auth { NETWORK_AUTH_HTTP_SIGNATURE, NETWORK_AUTH_JWT_SECRET /* HS256 */, NETWORK_AUTH_JWT_KEY /* RS256 */ };
enum notice_signs { NOTICE_SIGNS_EITHER /* both are tried, the log says which matched */, NOTICE_SIGNS_BODY, NOTICE_SIGNS_PAYLOAD };
struct config_network {
    slice name;
    enum network_type type;
    struct upstream_url upstream;
    slice ca;                     /* PEM; empty: the system's */
    slice merchant_id, key_id, profile_id;
    enum network_auth auth;
    slice secret;                 /* registrar: Base64, as the platform gives it */
    slice jwt_key;                /* registrar: PEM, with NETWORK_AUTH_JWT_KEY */
    slice answer_key;             /* registrar: PEM, opens encrypted answers */
    slice notice_key_id, notice_key; /* notice_key: registrar, Base64. Empty: notifications are refused */
    enum notice_signs notice_signs;
    bool notice_any_time;         /* how old a notification is counts for nothing */
    unsigned brands;              /* bit set of enum card_brand */
    uint64_t timeout_ms;          /* one call */
};
enum { CONFIG_WEBHOOK_URL_MAX_BYTES = 254 }; /* as written; with the "/" that may be missing, an event has room for it */
struct config_webhook {
    struct upstream_url url;      /* path: with the query */
    slice ca;                     /* PEM; empty: the system's */
    slice secret;                 /* registrar */
};
struct config_merchant {
    slice name;
    int64_t network;              /* index; -1: network tokens are not activated for this merchant */
    struct config_webhook *webhooks;
    size_t webhook_count;
    struct config_target *targets; /* where its requests may go on routes with target_header */
    size_t target_count;
    bool no_pan;                  /* a card's number is destroyed once its network token is ACTIVE */
};
/* After which payments a card is enrolled by itself; never before or during its first one (seed 003). On a filter route NEW and ALL enrol
 * a card that was captured, if it has no network record and its expiry is known: after the message's dialogue has ended, whether it has
 * been paid with or not. What a killed keeper forgot of that, the card's first payment makes good. */
enum provision { PROVISION_OFF, PROVISION_NEW /* after a card's first payment */, PROVISION_USED /* after later ones */, PROVISION_ALL };
/* Which way card data goes on a route, as PCI Proxy names it. Pull: the merchant asks; push: a partner asks. */
enum route_direction {
    DIRECTION_FORWARD_PULL = 0, /* request: tokens become card data */
    DIRECTION_FORWARD_PUSH,     /* answer: tokens become card data, for a caller from 'callers' */
    DIRECTION_FILTER_PULL,      /* answer: card data becomes aliases; a request's placeholders are filled as in forward-pull */
    DIRECTION_FILTER_PUSH,      /* request: card data becomes aliases */
};
const char *route_direction_name(enum route_direction d); /* "filter-push" */
/* What is done to a message. */
enum message_work {
    MESSAGE_PASSES = 0, /* as it is; from a processor that was sent card data, none of that comes back */
    MESSAGE_REVEALS,    /* tokens become card data */
    MESSAGE_CAPTURED,   /* card data becomes aliases */
};
enum route_compat { COMPAT_NONE = 0, COMPAT_PCI_PROXY, COMPAT_FIRSTOKEN };
const char *route_compat_name(enum route_compat c); /* "pci-proxy" */
struct config_alias {
    struct alias_wish wish;
    bool unique;         /* each time a new token, also for a number that is known */
};
struct config_route {
    slice name, prefix;
    slice host;                   /* only requests for this host name, or pattern (rules/host.h); start NULL: any */
    enum route_direction direction;
    enum route_compat compat;
    struct config_alias alias;
    enum invalid_policy invalid;  /* of values at ruled fields that are no card numbers */
    slice pass_types;             /* content types that go on without being looked at (body/media_type.h); start NULL: none */
    uint64_t cvc_ttl_s;           /* life of captured CVCs */
    slice callers;                /* CIDR list: who may push without an API key; start NULL: nobody */
    bool masked;                  /* x-cardveil-masked is told without being asked for */
    slice merchant;               /* start NULL: any merchant's */
    struct ruleset *rules;        /* owned by the config, may be shared by routes */
    struct upstream_url upstream; /* empty with target_header, and where !config_route_goes_on() */
    bool target_header;           /* each request names its target itself */
    slice upstream_ca;            /* PEM; default: the system's */
    slice upstream_certificate, upstream_key; /* PEM; client certificate towards the processor */
    bool stream;
    uint64_t body_buffer_bytes, placeholders;
    uint64_t connect_ms, first_byte_ms, whole_ms;
    unsigned volume_percent;      /* network_tokens */
    bool pan_retry;
    uint64_t budget_ms;
    enum provision provision;
    slice sign_key_id, sign_merchant_id; /* sign: what the rules' signature names */
    slice sign_secret;            /* keeper: bytes (hmac) or Base64 (cybersource), as the rules' kind wants it */
    slice sign_private_key;       /* keeper: PEM, for RS256 */
};
bool config_route_is_push(const struct config_route *r); /* a partner asks, the merchant answers */
/* False: a filter-push route of Firstoken's users without 'upstream': whoever pushes gets his own message back, with aliases. */
bool config_route_goes_on(const struct config_route *r);
enum message_work config_route_request_work(const struct config_route *r);
enum message_work config_route_answer_work(const struct config_route *r); /* rules: not NULL */
bool config_route_captures(const struct config_route *r); /* one of the two; rules: not NULL */
bool config_route_finds_pans(const struct config_route *r); /* find: pan, for the messages whose cards it captures; rules: not NULL */
struct config {
    slice file;                   /* absolute: what the roles load from the bundle */
    /* vault */
    slice vault_engine, vault_path /* absolute */, vault_key /* "file:ABSOLUTE" or "env:NAME" */;
    slice vault_old_key;          /* likewise; start NULL: none */
    uint64_t vault_size_bytes;
    slice user;                   /* whom to become when started as root; may be empty */
    struct config_listen *listens;
    size_t listen_count;
    slice admin;                  /* address; start NULL: off */
    struct config_network *networks;
    size_t network_count;
    struct config_merchant *merchants;
    size_t merchant_count;
    struct config_route *routes;
    size_t route_count;
    unsigned workers;             /* auto is resolved */
    uint64_t drain_ms;
    uint64_t head_bytes, head_fields, connections;
    uint64_t temporal_tokens;     /* of all merchants, in the keeper's memory */
    uint64_t tls_handshake_ms, head_ms, body_ms, body_min_rate;
    uint64_t keeper_ms, idle_client_ms, idle_upstream_ms;
    uint64_t bad_tokens, bad_tokens_window_ms;
    uint64_t rate_per_key;        /* requests a second for each API key; 0: none */
    uint64_t reveals_per_second;  /* per relay, enforced by the keeper: what a stolen relay could take; 0: none */
    enum log_level log_level;
    slice hosts_file;             /* text of /etc/hosts, for the resolver */
    slice system_ca;              /* PEM text of the system's trust anchors */
};

/* Loads and checks everything, rules files and certificates too. Adds every mistake to problems; ERR_CONFIG if there is any. */
MUST_USE result config_load(struct source *source, slice file, struct problems *problems, struct config **out);
/* The same for commands that want the vault and the merchants only: the files that the configuration names (certificates,
 * private keys, rules) are not opened, so their settings are empty, and whoever may open the vault need not own them. */
MUST_USE result config_load_alone(struct source *source, slice file, struct problems *problems, struct config **out);
void config_free(struct config *c);
int64_t config_merchant_index(const struct config *c, slice name); /* -1: unknown */
static inline bool config_route_serves(const struct config_route *route, slice merchant) /* it is this merchant's, or any merchant's */
{
    return !route->merchant.at || slice_eq(route->merchant, merchant);
}
void config_print_settings(int fd, bool markdown); /* the settings table: --help and the README */

#endif
