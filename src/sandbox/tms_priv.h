/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_TMS_PRIV_H
#define SANDBOX_TMS_PRIV_H

/* Between the parts of the simulated network:
 *
 *     tms.c ─► tms_auth.c     is the request signed by our merchant?
 *       │  └─► tms_store.c    tokens and cryptograms
 *       └────► tms_life.c     states, and what changes by itself ─► tms_notice.c    tells the merchant
 *     tms_control.c           /_sandbox/… */

#include "sandbox/fields.h"
#include "sandbox/tms.h"
#include "sign/jwe.h"
#include "tms_store.h"

enum tms_mode { TMS_NORMAL, TMS_RESET, TMS_DOWN };

struct tms_notifier;
struct tms {
    struct loop *loop;
    const struct tms_options *options;
    struct buf secret; /* decoded */
    struct rsa_key *jwt_key, *answer_key;
    struct tms_store *store;
    struct tms_notifier *notifier; /* NULL: nobody to tell */
    enum tms_mode mode;
    uint64_t latency_ms, refused; /* refused: requests with a wrong or missing signature */
};

bool tms_is_authorized(const struct tms *t, const struct sandbox_request *q);

/* Starts what comes by itself. */
MUST_USE result tms_life_begin(struct tms *t, struct tms_token *token);
enum tms_event {
    TMS_EVENT_ACTIVE,
    TMS_EVENT_SUSPENDED,
    TMS_EVENT_DELETED,
    TMS_EVENT_RENEWED,
    TMS_EVENT_REPLACED,
    TMS_EVENT_COUNT
};
bool tms_event_parse(slice name, enum tms_event *out);
/* False: not possible in its state. */
bool tms_life_event(struct tms *t, struct tms_token *token, enum tms_event event);

/* ERR_USAGE, ERR_BASE64, ERR_CRYPTO; *why says more. */
MUST_USE result tms_notifier_new(struct loop *loop, const struct tms_options *options, struct tms_notifier **out,
                                 const char **why);
void tms_notifier_free(struct tms_notifier *n);
/* Tells of it until a 2xx status comes, at most NOTICE_TRIES times. Copies what it needs of the token. n may be NULL.
 */
void tms_notify(struct tms_notifier *n, const struct tms_token *token, bool provisioned);
void tms_notifier_write(const struct tms_notifier *n, struct json *j); /* "notifications": {…} */

#endif
