/* SPDX-License-Identifier: Apache-2.0 */
#include "body/plan.h"

#include <stdlib.h>

enum path_language plan_language(enum body_format format)
{
    switch (format) {
    case BODY_FORM:
    case BODY_MULTIPART:
    case BODY_CSV:
        return PATH_FORM;
    case BODY_XML:
        return PATH_XML;
    case BODY_JSON:
    case BODY_NDJSON:
    case BODY_TEXT: /* these have none */
    case BODY_PARTS:
    case BODY_UNTYPED:
    case BODY_OPAQUE:
    case BODY_FORMAT_COUNT:
        break;
    }
    return PATH_JSON;
}

void plan_done(struct plan *p)
{
    path_set_free(p->paths);
    free(p->fields);
    free(p->edits);
    *p = (struct plan){.format = p->format};
}
