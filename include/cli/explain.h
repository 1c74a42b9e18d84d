/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

/* cardveil explain: shows, masked, the exact request that would go to the processor, and why each slot gets its value. */
int cli_explain(int argc, char **argv);

#endif
