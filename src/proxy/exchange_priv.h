/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROXY_EXCHANGE_PRIV_H
#define PROXY_EXCHANGE_PRIV_H

#include "body/body.h"
#include "body/echo.h"
#include "proxy/credential_set.h"
#include "proxy/exchange.h"
#include "proxy/reply.h"
#include "proxy/signing.h"
#include "proxy/verdict.h"
#include "http/upstream.h"
#include "capture.h"
#include "proxy_priv.h"

enum { EXCHANGE_MAGIC = 0x78636867, KEY_ID_BYTES = 16, CONNECT_TRIES = 3, REVEALS_AT_ONCE = 64 };

enum exchange_state {
    EXCHANGE_HEAD = 0, EXCHANGE_BODY, EXCHANGE_RESOLVE, EXCHANGE_SEND, EXCHANGE_REPLY, EXCHANGE_REWRITE,
    EXCHANGE_REFUSE, EXCHANGE_ABORT, EXCHANGE_DONE, EXCHANGE_STATE_COUNT
};
/* How far the request went: decides what may be repeated. */
enum request_side { REQUEST_UNSENT = 0, REQUEST_PARTLY_SENT, REQUEST_SENT };
/* How far the answer came. COLLECTED: held until its length is known; PASSED: its head went to the client. */
enum answer_side { ANSWER_NONE = 0, ANSWER_INTERIM, ANSWER_COLLECTED, ANSWER_PASSED, ANSWER_COMPLETE };
enum answer_framing { ANSWER_WITHOUT_BODY = 0, ANSWER_WITH_LENGTH, ANSWER_CHUNKED, ANSWER_UNTIL_CLOSE };

/* One sending of the request and what came of it. The second is the PAN retry. */
struct attempt {
    struct choice choice;
    struct verdict verdict; /* PAYMENT_UNKNOWN until the whole answer was read and understood */
    int status;             /* of the processor's answer; 0: none */
};
struct held_answer;         /* the first attempt's, while the second is made */
/* A field of an answer that is written once it is known what its card data became. */
struct kept_field {
    slice name, value;      /* value: start NULL where card numbers were found in it */
    uint32_t text;          /* of the capture; 0: none */
};
/* What was replaced, for the caller, the log and the metrics. Cards and CVCs, not places. */
struct matches {
    struct capture_counts captured;
    struct token_counts revealed;
};

struct exchange {
    unsigned magic;
    enum exchange_state state;
    enum request_side request;
    enum answer_side answer;
    struct proxy *proxy;
    struct client *client; /* NULL once it is gone */
    struct gate *gate;     /* held */
    struct gate *call_gate; /* held; under which the service was called; NULL: not yet */
    const struct route *route; /* NULL: a service's request, or none found */
    uint64_t id;

    /* The request's head. NULL once the client is gone; what is needed after that is copied. */
    const struct http_head *head;
    bool is_proxied; /* it came through the forward proxy: in a tunnel, or in absolute-form */
    bool is_head_method, keep_alive, is_http_1_0, awaits_continue, body_complete;
    enum message_work request_work, answer_work;
    slice forwarded_path; /* head->path without the route's prefix */
    enum route_compat called;      /* by a path that takes the destination's URL from a field (compat.h): path and query are that URL's */
    slice called_path, called_query;
    struct pool *call_pool;        /* what such a call has beyond the request's head; NULL: none */
    size_t own_fields;             /* of head->fields: those that the caller sent as such; the others stood in his ft-headers */
    slice blamed;                  /* what of ft-headers is wrong; start NULL: nothing */
    bool has_envelope;             /* the answer goes back as {"status":…,"data":…} */
    bool is_upstream_itself;       /* nothing is put behind the upstream's own path */
    slice push_key;                /* the API key in the path of its /v1/push/KEY; start NULL: none */

    /* Tokens and what the keeper gave for them. */
    struct token_table *tokens;
    struct credential_set credentials;
    uint32_t waiting, head_tokens;
    enum wanted wanted;     /* as the caller's header has it */
    uint32_t undrained; /* streamed: reveals since the body was drained */
    uint32_t told_of;     /* index + 1 of the token whose choice is told to the caller */
    struct choice choice;
    bool awaits_initiator;  /* a field of the body tells who initiated the payment: tokens are asked for at its end */
    bool merchant_initiated;
    struct snippet *path_snippet, *query_snippet;
    struct snippet **field_snippets; /* by field index; NULL: none has any */
    size_t field_snippet_count;
    struct body *body;               /* NULL: no body */
    const struct plan *plan;
    enum content_coding coding;
    bool streamed, stream_ended;

    /* Card data that becomes aliases: of the request, or of the answer. */
    struct capture *capture;
    uint32_t path_text, query_text; /* texts of the capture, from 1 */
    uint32_t *field_texts;          /* by field index; NULL: none has any */
    struct capture_counts captured; /* once the capture is done */
    bool asks_masked;               /* x-cardveil-masked: yes */

    /* The keeper. */
    struct keeper_dialogue *dialogue;
    bool opened;
    enum error refusal_due; /* what is wrong with the request: told once the caller is known to be one of ours */
    uint32_t bad_token;     /* index + 1 of the token that could not be revealed */
    int64_t merchant;
    char key_id[KEY_ID_BYTES];
    size_t key_id_len;

    /* A service's request. */
    struct buf plain_body; /* secret: a service's request, or one that passes as it is */
    struct service_call *call;

    /* The processor. */
    struct request_target *target; /* with target_header, once it is read; NULL: the route's upstream */
    struct upstream_wish *wish;
    struct upstream *upstream;
    unsigned tries;
    struct attempt attempts[2];
    unsigned attempt;       /* 0 or 1 */
    struct held_answer *held;
    enum error retry_failure; /* why the second attempt did not come to be; told in the log only */
    struct signing *signing;
    bool is_signed;
    uint64_t sent_before; /* the link's sent total when it was taken */

    /* The answer. */
    struct echo_guard *guard; /* NULL: nothing secret was sent */
    struct inflater *inflater;
    struct buf collected;     /* secret: guarded text that waits for its length */
    struct buf answer_head;   /* fields of the processor's answer, guarded, while the body is collected */
    struct pool *kept_pool;
    bool is_foreign_text;     /* in a charset whose bytes are not those of UTF-8; of one with an envelope */
    struct kept_field *kept;  /* instead of answer_head, of an answer that is rewritten */
    size_t kept_count;
    slice answer_charset, answer_boundary; /* of its Content-Type; in kept_pool */
    const struct plan *answer_plan;
    enum answer_framing framing;
    bool upstream_keep_alive;
    int status, upstream_status;
    enum error error;
    enum http_refusal refusal, upstream_refusal; /* of the request's body framing; of the answer */
    unsigned echoes;
    uint64_t bytes_in, bytes_out;

    uint64_t started_us, asked_us, resolved_us, sent_us, answered_us;
};

/* exchange.c */
void exchange_step(struct exchange *x);
void exchange_refuse(struct exchange *x, enum error e);                  /* our answer; ends the exchange */
void exchange_refuse_unknown(struct exchange *x, enum error e);          /* the same, outcome unknown */
void exchange_abort(struct exchange *x, enum error e);                   /* cuts the client's connection; ends the exchange */
void exchange_finish(struct exchange *x, bool keep_alive);
void exchange_to(struct exchange *x, enum exchange_state next);
bool exchange_is_over(const struct exchange *x);
struct link *exchange_client_link(struct exchange *x); /* NULL: gone */
void exchange_done(struct exchange *x);            /* frees what it owns, not itself */

struct exchange *exchange_from(void *owner);

/* exchange_tokens.c: the dialogue with the keeper */
MUST_USE result tokens_open(struct exchange *x);
void tokens_on_new(void *owner, uint32_t index);        /* of the token table */
MUST_USE result tokens_body_ended(struct exchange *x);
MUST_USE result tokens_ask_again(struct exchange *x);
struct keeper_caller tokens_caller(const struct exchange *x);

/* exchange_service.c */
void service_call_start(struct exchange *x);

/* exchange_capture.c: card data on its way in */
MUST_USE result capture_open_body_of(struct exchange *x, const struct http_head *h, const struct plan *plan, enum content_coding coding);
MUST_USE result capture_open_request(struct exchange *x); /* a capture for what request_plan() found out */
MUST_USE result capture_scan_request(struct exchange *x); /* path, query and fields */
MUST_USE result capture_request_ended(struct exchange *x);
MUST_USE result capture_ask_all(struct exchange *x);      /* the capture is complete: every card's alias is asked for */
void capture_on_answer(void *owner, uint32_t card, result r, const struct captured *what);
void capture_done(struct exchange *x);                    /* what was found is counted, and its memory wiped */

/* exchange_matches.c: what was replaced, for callers and merchants */
struct matches matches_now(const struct exchange *x);
MUST_USE result matches_write_masked(const struct exchange *x, slice name, struct buf *out); /* while the capture lasts */
MUST_USE result matches_write_fields(const struct exchange *x, struct buf *out, bool to_merchant);

void capture_answer_caller(struct exchange *x);           /* nothing goes on: he gets his message back; ends the exchange */
MUST_USE result capture_write_answer(struct exchange *x, bool keep_alive, struct buf *out);

/* exchange_sign.c */
MUST_USE result exchange_make_signing(struct exchange *x); /* the text to be signed; the rules sign, and all tokens are revealed */
bool exchange_sign(struct exchange *x); /* true: nothing to sign, or signed. False: the keeper is asked, or the exchange is over */

/* exchange_attempt.c: what an attempt came to, and the second one */
bool attempt_again(struct exchange *x);                 /* the whole answer is collected; true: it is held, and a second attempt begins */
void attempt_answer_held(struct exchange *x, enum error why); /* the second attempt failed before a byte of it left; ends the exchange */
void attempt_forget_held(struct exchange *x);
void attempt_report(struct exchange *x);                /* at the end: to the keeper, for the report */

/* exchange_target.c: where the request goes, on routes with target_header; elsewhere these are the route's upstream */
bool target_is_field(slice name);                      /* never forwarded */
/* From the head: ERR_TARGET_…. <rest>: the path behind the route's prefix; *path: the one to ask for. */
MUST_USE result target_read(struct exchange *x, slice rest, slice *path);
MUST_USE result target_allow(struct exchange *x);      /* once the merchant is known; ERR_TARGET_NOT_ALLOWED */
MUST_USE result target_take_pool(struct exchange *x, struct upstream_pool **out); /* ERR_TARGET_BUSY, ERR_MEMORY */
void target_let_go(struct exchange *x);                /* of the pool; no connection of it may be in use */
void target_free(struct exchange *x);
slice target_host(const struct exchange *x);           /* for the log: once it is allowed; else start NULL */
/* Query of a call's URL and of its request, as one: x->called_query. */
MUST_USE result target_join_query(struct exchange *x, slice of_url);
const struct upstream_url *exchange_upstream(const struct exchange *x);
slice exchange_query(const struct exchange *x);        /* start NULL: none */

/* exchange_log.c */
void exchange_log(const struct exchange *x);

/* request.c: the request on its way out */
MUST_USE result request_plan(struct exchange *x, slice prefix); /* forwarded path, accept, content type, coding */
void request_tell_types(const struct exchange *x, struct reply *reply); /* ERR_ROUTE_CONTENT_TYPE: which came, if it is one, and which are taken */
MUST_USE result request_scan(struct exchange *x);  /* placeholders in path, query and fields */
MUST_USE result request_write_head(struct exchange *x, struct buf *out, bool has_body, bool chunked, uint64_t length);
MUST_USE result request_write_whole(struct exchange *x, struct buf *out);
bool request_withholds(const struct exchange *x, size_t field); /* that of head->fields does not go on */
void request_send(struct exchange *x);             /* takes or makes a connection, then writes */
bool request_may_have_left(const struct exchange *x); /* a byte of it may be at the processor */
MUST_USE result request_append_target(struct exchange *x, struct buf *out); /* rendered, with the upstream's own path before it */
void request_stream(struct exchange *x);           /* more of a streamed body */
void request_progress(struct exchange *x);           /* the processor's side took bytes */

/* answer_rewrite.c: an answer that is held whole, because its card data becomes aliases or its tokens card data */
MUST_USE result rewrite_begin(struct exchange *x, const struct http_head *h);
void rewrite_run(struct exchange *x);              /* it is complete */
void rewrite_step(struct exchange *x);

/* answer_envelope.c: {"status":…,"data":…}, as Firstoken's users expect it (compat.h) */
bool envelope_is_worn(const struct exchange *x);    /* by this answer; x->status is known */
bool envelope_replaces(slice name);                 /* a field that would speak of what is in it */
MUST_USE result envelope_begin(struct exchange *x, const struct http_head *h); /* ERR_ENVELOPE_SIZE */
/* The whole collected answer; nothing where none is worn. ERR_ENVELOPE_TEXT, ERR_ENVELOPE_SIZE. */
MUST_USE result envelope_put_on(struct exchange *x);

/* answer.c: the answer on its way back */
void answer_release_upstream(struct exchange *x);  /* gives the connection back, or drops it */
MUST_USE result answer_write_collected(struct exchange *x); /* head and body of a collected answer */
MUST_USE result answer_guard_value(struct exchange *x, const struct http_field *f, struct buf *out, bool *passes); /* false: left out */
void answer_complete(struct exchange *x);
void answer_on_upstream(void *owner, struct link *l, enum link_event event);

#endif
