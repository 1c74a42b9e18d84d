/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as cardveil.yaml: loaded, or refused with at least one problem, each printable; never a crash. */
#include "bundle_of.h"

#include "rules/config.h"

#include <stdlib.h>

static const char RULES[] = "processor: pay\nupstream: https://api.example.com\naccept: [ POST /pay ]\nbody: json\n"
                            "card: { number: $.pan }\nnetwork_token: { set: { $.c: cryptogram } }\n"
                            "reply: { approved: { $.a: ok }, decline_code: $.b, pan_retry: [ \"05\" ] }\n";
static const char SIGNED[] = "processor: signed\nupstream: https://api.example.com\naccept: [ POST /pay ]\nbody: json\n"
                             "sign: { type: cybersource-http-signature }\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct bundle_file files[] = {
        {"/c/cardveil.yaml", {(const char *)data, size}},
        {"/c/rules/pay.yaml", SLICE(RULES)},
        {"/c/rules/signed.yaml", SLICE(SIGNED)},
        {"file:/c/secret", SLICE("c2hhcmVkLXNlY3JldA==\n")},
        {"env:SECRET", SLICE("not Base64")},
        {"/etc/ssl/certs/ca-certificates.crt", SLICE("anchors")},
    };
    struct source *source = bundle_of(files, sizeof files / sizeof files[0]);
    struct problems *problems = problems_new();
    struct config *config;
    result r = config_load(source, SLICE("/c/cardveil.yaml"), problems, &config);
    if (failed(r) != (config == NULL)) abort();
    if ((r.err == ERR_CONFIG) != (problems_count(problems) > 0)) abort();
    const struct problem *p;
    for (size_t i = 0; (p = problems_get(problems, i)) != NULL; i++)
        for (const char *c = p->text; *c; c++)
            if ((unsigned char)*c < 0x20) abort();
    config_free(config);
    problems_free(problems);
    source_free(source);
    return 0;
}
