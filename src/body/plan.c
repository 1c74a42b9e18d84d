/* SPDX-License-Identifier: Apache-2.0 */
#include "body/plan.h"

#include <stdlib.h>

void plan_done(struct plan *p)
{
    path_set_free(p->paths);
    free(p->fields);
    free(p->edits);
    *p = (struct plan){.format = p->format};
}
