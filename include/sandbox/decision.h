/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_DECISION_H
#define SANDBOX_DECISION_H

/* What the simulated processors decide: one table, by card number or by the last four digits of the amount, in decisions.def.
 * 'cardveil sandbox --help' prints the same table. */

#include "base/slice.h"

#include <stdio.h>

enum manner {
    MANNER_ANSWER, /* at once */
    MANNER_SLOW,   /* after 3 seconds */
    MANNER_HANG,   /* after 120 seconds: longer than any proxy waits */
    MANNER_DROP,   /* closes the connection without an answer, the payment made */
    MANNER_RESET,  /* resets the connection without an answer */
    MANNER_CUT,    /* closes in the middle of the answer */
    MANNER_ECHO,   /* approves, and repeats the card in the answer's body and in a header, as careless processors do */
};
struct decision {
    const char *card;         /* "" : any */
    int amount_ends;          /* amount in minor units modulo 10,000; -1: any */
    const char *brand_code;   /* the card network's response code; "00" approves */
    const char *rede_code, *rede_text;
    int action_code;          /* Credibanco's; 0 approves */
    const char *action_text;
    enum manner manner;
    const char *help;
};
/* Amounts that end in 9100 to 9199 are decided as those in 9000 to 9099 when a network token pays, and approved when a card does:
 * what a PAN retry is for. */
const struct decision *decision_for(slice card_number, uint64_t amount, bool by_network_token);
void decision_print_table(FILE *out);

#endif
