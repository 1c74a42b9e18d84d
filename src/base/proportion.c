/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proportion.h"

#include <assert.h>
#include <math.h>

static const double z = 1.9599639845400545; /* 97.5th percentile of the standard normal distribution */

static double within(double x, double low, double high)
{
    if (x < low) return low;
    return x > high ? high : x;
}

double proportion_value(struct proportion p)
{
    assert(p.n > 0 && p.hits <= p.n);
    return (double)p.hits / (double)p.n;
}

struct interval proportion_interval(struct proportion p)
{
    double value = proportion_value(p), n = (double)p.n;
    double centre = (value + z * z / (2 * n)) / (1 + z * z / n);
    double half = z / (1 + z * z / n) * sqrt(value * (1 - value) / n + z * z / (4 * n * n));
    /* At 0 of n and n of n the exact limits are 0 and 1; rounding may pass them. */
    return (struct interval){value, within(centre - half, 0, value), within(centre + half, value, 1)};
}

struct interval proportion_difference(struct proportion a, struct proportion b)
{
    struct interval one = proportion_interval(a), two = proportion_interval(b);
    double value = one.value - two.value;
    double down = hypot(one.value - one.low, two.high - two.value), up = hypot(one.high - one.value, two.value - two.low);
    return (struct interval){value, within(value - down, -1, value), within(value + up, value, 1)};
}
