/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_API_STAGE_H
#define TESTS_API_STAGE_H

/* One call of the API against a fake of keeper/client.h: what was asked is kept, the test answers through the handlers. */

#include "api/api.h"
#include "../base/suite.h"

struct asked { /* of the keeper */
    char questions[512];      /* "open 16 api; create 0; …" */
    const struct keeper_handlers *handlers;
    void *owner;
    struct keeper_caller caller;
    char key[128];            /* the caller's; "(none)" */
    char text[4][40 * 1024];  /* of the last question, by what it took: token, signature field; cvc, body; … */
    uint32_t from_hour[2], to_hour[2], network;
    const char *ended;        /* "", "used", "untold", "unsent" */
    struct alias_form alias;  /* of the last card to be stored */
    bool unique;
    enum error refuses;       /* what the next question gets instead of being asked */
};
extern struct asked asked;
extern bool has_no_key;         /* in x-api-key, of the next calls */

extern struct config config; /* merchants shop (with a network) and other; networks visa-tms, its type the only one */
void set_up(void);
void tear_down(void);
/* "GET", "/v1/…?query", fields as "name: value\n"…; false: the answer is there already. */
bool call(const char *method, const char *target, const char *fields, const char *body);
void admit(uint32_t merchant);        /* on_opened */
void refuse(enum error e);
extern struct service_call *running;
extern unsigned answers;              /* that came */
extern int status;
extern enum error error;
extern char json[1024 * 1024], allow[64], challenge[64], answer_fields[2048]; /* with the content type, where it is not JSON */
/* <part> stands in the answer. */
void answered(int wanted, const char *part);
void lacks(const char *part);

#endif
