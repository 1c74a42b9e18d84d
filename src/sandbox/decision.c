/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/decision.h"

enum { ANY = -1, AMOUNT_ENDS = 10000, TOKEN_ENDS = 9100 };

static const struct decision decisions[] = {
#define DECISION(card, amount, brand, rede, rede_text, action, action_text, manner, help)                              \
    {card, amount, brand, rede, rede_text, action, action_text, MANNER_##manner, help},
#include "sandbox/decisions.def"
#undef DECISION
};
enum { DECISION_COUNT = sizeof decisions / sizeof *decisions };

const struct decision *decision_for(slice card_number, uint64_t amount, bool by_network_token)
{
    uint64_t ends = amount % AMOUNT_ENDS;
    if (by_network_token && ends >= TOKEN_ENDS && ends < TOKEN_ENDS + 100) ends -= 100;
    const struct decision *d = decisions;
    for (const struct decision *last = d + DECISION_COUNT - 1; d < last; d++) {
        bool card_fits = *d->card == '\0' || slice_is(card_number, d->card);
        if (card_fits && (d->amount_ends == ANY || (uint64_t)d->amount_ends == ends)) break;
    }
    return d; /* the last row takes everything */
}

void decision_print_table(FILE *out)
{
    fprintf(out, "  %-17s %-11s %-6s %-7s %-11s %s\n", "card", "amount ends", "brand", "e.Rede", "actionCode", "what happens");
    for (const struct decision *d = decisions; d < decisions + DECISION_COUNT; d++) {
        char amount[16] = "any";
        if (d->amount_ends != ANY) snprintf(amount, sizeof amount, "%04d", d->amount_ends);
        fprintf(out, "  %-17s %-11s %-6s %-7s %-11d %s\n", *d->card ? d->card : "any", amount, d->brand_code, d->rede_code,
                d->action_code, d->help);
    }
    fprintf(out, "  Amounts that end in 91xx: as 90xx when a network token pays e.Rede, approved when a card number does\n");
}
