/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_PAN_EDGES_H
#define BODY_PAN_EDGES_H

/* What may stand between the groups of a card number, and in touch with its ends.
 *
 *   CCVI4111-1111-1111-1111EXP1225        Letters in touch make it no number, but for a scheme's code in front of a number that may be
 *   └┬─┘    └┬┘            └┬┘            that scheme's, and for what opens the expiry or the CVC behind it. Beyond ASCII everything is
 *   code    gap             mark          a boundary: Chinese text puts a number right behind a word.                            */

#include "base/slice.h"

enum gap {
    GAP_NONE = 0,
    GAP_BLANK, /* one, of any kind: U+0020, U+00A0, U+2007, U+2009, U+202F, &nbsp; */
    GAP_DASH,  /* one, of any kind: U+002D, U+2010 to U+2015, U+2212 */
    GAP_ODD,   /* two blanks, " - ", a tab, '.', '/' or '+': only in a number that is grouped as cards show it, all of one kind */
};
static inline char at_or_nul(slice text, size_t i)
{
    return i < text.len ? text.at[i] : 0;
}
/* The gap that begins at <at>, or that ends before it: its bytes; 0: none. */
size_t gap_at(slice text, size_t at, enum gap *kind);
size_t gap_before(slice text, size_t at, enum gap *kind);

/* Digits begin at <at>, or end before <end>: may a number's group do so there? *is_named: a scheme's code stands in front. */
bool edge_begins(slice text, size_t at, bool *is_named);
bool edge_ends(slice text, size_t end, bool is_named);

#endif
