/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_SERVICE_H
#define KEEPER_SERVICE_H

/* A service answers requests itself, out of the keeper, on the same listeners as the proxy: the REST API. The proxy knows it
 * only by this table, so neither room includes the other; the relay's main introduces them. */

#include "http/head.h"
#include "keeper/client.h"
#include "rules/config.h"

struct service_call; /* the service's own */
struct service_answer {
    int status;
    slice json;       /* the body; valid for the call */
    slice content_type; /* start NULL: application/json */
    slice fields;     /* further header fields, each line with its CRLF; ours, not a stranger's; may be empty */
    enum error error; /* for log and metrics */
    slice key_id;     /* for the log; may be empty */
    slice allow;      /* the methods of this path, for a 405 (RFC 9110 10.2.1); empty otherwise */
    slice challenge;  /* what is wanted instead, for a 401 (RFC 9110 11.6.1); empty: an API key */
};
typedef void (*service_done)(void *owner, const struct service_answer *answer);
struct service_request {
    struct loop *loop;
    const struct http_head *head; /* borrows for the call's life */
    slice body;                   /* borrows for the call's life */
    struct keeper_client *keeper;
    const struct config *config;  /* the keeper client's current generation; borrows for the call's life */
    struct keeper_caller caller;  /* purpose and permission are the service's to set */
};
struct service {
    bool (*takes)(slice path);
    size_t max_body_bytes;
    /* done may come before start returns (then NULL is returned), or later, once. */
    struct service_call *(*start)(const struct service_request *request, service_done done, void *owner);
    void (*cancel)(struct service_call *call); /* no done after it */
};

#endif
