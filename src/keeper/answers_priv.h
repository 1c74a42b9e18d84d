/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_ANSWERS_PRIV_H
#define KEEPER_ANSWERS_PRIV_H

/* Answers to questions, by what they are about: answers.c has what is common, and stored cards; answers_create.c cards
 * that the API brings, temporal ones too; answers_reveal.c the credentials of payments; answers_capture.c cards that were found in
 * messages; answers_network.c what the API asks about network tokens; answers_notice.c notifications and the report. Each answer ends
 * with answer_finish(). */

#include "server_priv.h"
#include "vault/alias.h"

void answer_error(struct relay *r, enum wire_type answer, uint64_t dialogue, uint32_t sequence, enum error e);
MUST_USE result answer_audit(const struct question *q, const char *action, slice token, result outcome);
void answer_count_guess(const struct question *q, result r); /* tokens that are not there */
slice answer_merchant(const struct question *q);
void answer_finish(struct question *q);
/* Asks the vault whose alias q->token is; <then> gets what vault_alias_resolve gives, and passes it on to answer_take_token(). */
void answer_resolve(struct question *q, vault_resolve_callback then);
/* q->token is the card's own from now on. Where nobody has that alias it stays as it was asked: nobody's, then. */
MUST_USE result answer_take_token(struct question *q, result r, slice token);
/* The card of a frame, checked. number: at least of one. ERR_CARD_…. */
MUST_USE result answer_read_card(slice number, slice holder, uint8_t month, uint16_t year, struct card *out);
/* Is the record still that of the token that the network was asked about? Meanwhile the card may have got another. */
static inline bool answer_asked_about(const struct question *q, const struct network_record *record)
{
    return slice_eq(network_text_slice(&record->ref), network_text_slice(&q->ref));
}

/* Where not, its state is to be read back: nobody has told of the renewal. */
static inline bool answer_is_expiry_of(const struct credential *c, const struct network_record *record)
{
    return record->month == c->month && record->year == c->year;
}

/* The answer WIRE_TOKEN, with its line in the audit trail, and the end; a vault_info_callback. */
void answer_info(void *owner, result r, const struct card_info *info, enum card_deed deed);
void answer_create(struct question *q, const struct wire_frame *f);
void answer_temporal_create(struct question *q, struct dialogue *d, const struct wire_frame *f);
void answer_temporal(struct question *q, const struct wire_frame *f); /* TEMPORAL_GET, _DELETE, _STORE */
void answer_reveal(struct question *q, struct dialogue *d, const struct wire_frame *f);
void answer_capture(struct question *q, const struct wire_frame *f);
void answer_enrol(struct question *q, struct dialogue *d, const struct wire_frame *f);
void answer_credentials(struct question *q, const struct wire_frame *f);
void answer_network_token(struct question *q, const struct wire_frame *f);
void answer_notice(struct question *q, const struct wire_frame *f);
void answer_fields(struct question *q, struct dialogue *d, const struct wire_frame *f);
/* What a dialogue opened by a session may ask for; takes one of its uses with the dialogue's first card. */
enum error answer_check_fields(struct dialogue *d, enum wire_type type);
void answer_leaf(struct question *q, const struct wire_frame *f);
void answer_report(struct question *q, const struct wire_frame *f);

#endif
