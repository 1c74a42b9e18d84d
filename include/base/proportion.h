/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_PROPORTION_H
#define BASE_PROPORTION_H

/* Shares of counts and how sure one may be of them. Both intervals are right for small counts too, and never leave what is possible;
 * the usual p ± 1.96·sqrt(p(1−p)/n) does neither.
 *
 *     one share                Wilson's score interval (E. B. Wilson 1927, J. Am. Stat. Assoc. 22:209)
 *     difference of two        Newcombe's hybrid score interval (R. G. Newcombe 1998, Stat. Med. 17:873, method 10), without
 *                              continuity correction: the two samples are taken for independent                              */

#include <stdint.h>

struct proportion { /* hits of n; n 0: nothing is known */
    uint64_t hits, n;
};
struct interval { /* at 95 % */
    double value, low, high;
};
/* n must be above 0, hits at most n. */
double proportion_value(struct proportion p);
struct interval proportion_interval(struct proportion p);                        /* 0 ≤ low ≤ value ≤ high ≤ 1 */
struct interval proportion_difference(struct proportion a, struct proportion b); /* a − b; within −1 and 1 */

#endif
