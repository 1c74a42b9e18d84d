/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BODY_XML_MEMORY_H
#define BODY_XML_MEMORY_H

/* Memory for one expat parser: wiped when it is given back, and no more than its owner allows, so that a body of many different
 * names, which expat remembers to its end, costs a refusal and not the process.
 *
 * expat hands no context to its allocator (expat.h, XML_Memory_Handling_Suite). So whoever calls expat says first whose memory it
 * is; one process has one thread. What is given back or grown knows its owner. */

#include <stdbool.h>
#include <stddef.h>

#define XML_DTD /* expat.h declares its protection against amplification only with this; Debian's library has it */
#include <expat.h>

struct xml_memory {
    size_t used, max;
    bool is_secret; /* an inbound body's parser has card numbers in its buffers: base/secret.h */
    bool is_spent;  /* more than <max> was asked for */
};

extern const XML_Memory_Handling_Suite xml_memory_functions;
/* All that expat asks for until xml_memory_leave() is counted to <m>, which outlives the parser. */
void xml_memory_enter(struct xml_memory *m);
void xml_memory_leave(void);

#endif
