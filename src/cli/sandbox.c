/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sandbox.h"

#include "base/log.h"
#include "base/secret.h"
#include "sandbox/decision.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_DONE = 0, EXIT_WORK = 1, EXIT_USAGE = 2, FILE_MAX_BYTES = 64 * 1024, SECRET_HEAP_BYTES = 1 << 20, DELAY_MAX_MS = 600 * 1000 };

/* Public test values: they protect nothing. */
static const char TEST_MERCHANT[] = "cardveil_sandbox", TEST_KEY_ID[] = "cardveil-sandbox-key",
                  TEST_SECRET[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", TEST_NOTIFY_KEY_ID[] = "cardveil-sandbox-notify-key",
                  TEST_NOTIFY_KEY[] = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=", DEVELOPMENT_CERTIFICATE[] = "certs/dev/network.pem";

enum file { FILE_CERTIFICATE, FILE_KEY, FILE_SECRET, FILE_JWT, FILE_ANSWER, FILE_NOTIFY_CA, FILE_NOTIFY_KEY, FILES };

struct arguments {
    const char *listen, *merchant, *key_id, *notify_url, *notify_key_id;
    const char *files[FILES]; /* paths; NULL: not given */
    uint64_t delay_ms;
    bool notify_whole_body, help;
};

static void print_help(FILE *out)
{
    fputs("usage: cardveil sandbox [--listen 127.0.0.1:9100] [--tls-certificate FILE --tls-key FILE] [--network-… --notify-…]\n\n"
          "Simulated payment processors and a simulated card network, for trying and testing with test cards: no money moves,\n"
          "nothing is stored on disk. Listens on loopback addresses only.\n\n"
          "  e.Rede       POST /erede/v1/transactions        Authorization: Basic, any affiliation and token\n"
          "               POST /erede/v2/transactions        Authorization: Bearer, any token\n"
          "               GET  /erede/v1/transactions/TID    what became of a payment\n"
          "  Credibanco   POST /payment/rest/register.do, paymentorder.do, getOrderStatusExtended.do\n"
          "               POST /proxy/rest/...               the same with the field names of MCC 4722\n"
          "  A shop       POST /shop/...                     the merchant's own system behind an inbound route: takes anything\n"
          "  Cybersource TMS, network tokens; HTTP Signature or JWT, as the real one:\n"
          "               POST /tms/v2/tokenized-cards       GET /tms/v2/tokenized-cards/ID, POST .../ID/delete\n"
          "               POST /tms/v2/tokens/ID/payment-credentials\n"
          "               GET  /tms/v1/instrumentidentifiers/ID\n\n"
          "  GET  /_sandbox/requests[?mask=1]   the last 100 requests to processors, as received; DELETE empties it\n"
          "  GET  /_sandbox/last[?mask=1]       the last one, as plain text\n"
          "  GET  /_sandbox/network[?mask=1]    network tokens and cryptograms given out, and their use; DELETE forgets them\n"
          "  POST /_sandbox/network             {\"latency_ms\": 5000, \"mode\": \"normal\", \"reset\" or \"down\" (503)}, for /tms/\n"
          "  POST /_sandbox/tms/ID/event        {\"state\": \"ACTIVE\", \"SUSPENDED\", \"DELETED\", \"RENEWED\" or \"REPLACED\"}\n\n",
          out);
    fprintf(out,
            "The card network. The values that stand here are public and for tests only:\n"
            "  --network-merchant ID               %s\n"
            "  --network-key-id ID                 %s\n"
            "  --network-secret FILE               Base64, of the two kinds of signature; %s\n"
            "  --network-jwt-certificate FILE      of JWTs signed with RS256 (or a public key); none: they are refused\n"
            "  --network-answer-certificate FILE   payment credentials are encrypted to it; %s, if it is there\n"
            "  --network-delay MS                  from enrolment to ACTIVE; 500\n"
            "  --notify-url URL                    tms.networktoken.provisioned and .updated go there; http:// on loopback only\n"
            "  --notify-ca FILE                    trusted for an https:// URL\n"
            "  --notify-key-id ID                  %s\n"
            "  --notify-key FILE                   Base64, of v-c-signature; %s\n"
            "  --notify-signs payload|body         what is signed: the member 'payload' (default), or the whole body\n\n",
            TEST_MERCHANT, TEST_KEY_ID, TEST_SECRET, DEVELOPMENT_CERTIFICATE, TEST_NOTIFY_KEY_ID, TEST_NOTIFY_KEY);
    fputs("Which cards get a network token:\n\n", out);
    tms_print_cards(out);
    fputs("\nEvery field is checked as the processor does. e.Rede takes a network token only with the cryptogram, ECI and expiry that\n"
          "the network gave for it, once. What is decided, by the first row that fits (amounts in minor units):\n\n",
          out);
    decision_print_table(out);
}

enum { OPTION_FILE = 256, OPTION_MERCHANT = OPTION_FILE + FILES, OPTION_KEY_ID, OPTION_DELAY, OPTION_NOTIFY_URL, OPTION_NOTIFY_KEY_ID, OPTION_NOTIFY_SIGNS };

static bool take_option(struct arguments *a, int option, const char *value)
{
    if (option >= OPTION_FILE && option < OPTION_FILE + FILES) {
        a->files[option - OPTION_FILE] = value;
        return true;
    }
    switch (option) {
    case 'l': a->listen = value; return true;
    case 'h': a->help = true; return true;
    case OPTION_MERCHANT: a->merchant = value; return true;
    case OPTION_KEY_ID: a->key_id = value; return true;
    case OPTION_DELAY: return slice_to_u64(slice_of(value), DELAY_MAX_MS, &a->delay_ms);
    case OPTION_NOTIFY_URL: a->notify_url = value; return true;
    case OPTION_NOTIFY_KEY_ID: a->notify_key_id = value; return true;
    case OPTION_NOTIFY_SIGNS:
        a->notify_whole_body = strcmp(value, "body") == 0;
        return a->notify_whole_body || strcmp(value, "payload") == 0;
    default: return false;
    }
}

static bool parse_arguments(int argc, char **argv, struct arguments *a)
{
    static const struct option options[] = {
        {"listen", required_argument, NULL, 'l'},
        {"tls-certificate", required_argument, NULL, OPTION_FILE + FILE_CERTIFICATE},
        {"tls-key", required_argument, NULL, OPTION_FILE + FILE_KEY},
        {"network-merchant", required_argument, NULL, OPTION_MERCHANT},
        {"network-key-id", required_argument, NULL, OPTION_KEY_ID},
        {"network-secret", required_argument, NULL, OPTION_FILE + FILE_SECRET},
        {"network-jwt-certificate", required_argument, NULL, OPTION_FILE + FILE_JWT},
        {"network-answer-certificate", required_argument, NULL, OPTION_FILE + FILE_ANSWER},
        {"network-delay", required_argument, NULL, OPTION_DELAY},
        {"notify-url", required_argument, NULL, OPTION_NOTIFY_URL},
        {"notify-ca", required_argument, NULL, OPTION_FILE + FILE_NOTIFY_CA},
        {"notify-key-id", required_argument, NULL, OPTION_NOTIFY_KEY_ID},
        {"notify-key", required_argument, NULL, OPTION_FILE + FILE_NOTIFY_KEY},
        {"notify-signs", required_argument, NULL, OPTION_NOTIFY_SIGNS},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    *a = (struct arguments){.listen = "127.0.0.1:9100",
                            .merchant = TEST_MERCHANT,
                            .key_id = TEST_KEY_ID,
                            .notify_key_id = TEST_NOTIFY_KEY_ID,
                            .delay_ms = 500};
    optind = 1;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;)
        if (!take_option(a, option, optarg)) return false;
    if (!a->files[FILE_ANSWER] && access(DEVELOPMENT_CERTIFICATE, R_OK) == 0) a->files[FILE_ANSWER] = DEVELOPMENT_CERTIFICATE;
    return a->help || (optind == argc && !a->files[FILE_CERTIFICATE] == !a->files[FILE_KEY]);
}

/* Reads a file into memory that is wiped when freed. */
static bool read_file(const char *path, char *at, slice *out)
{
    if (!path) return true;
    FILE *file = fopen(path, "re");
    size_t len = file ? fread(at, 1, FILE_MAX_BYTES, file) : 0;
    bool good = file && !ferror(file) && len > 0 && len < FILE_MAX_BYTES;
    if (file) fclose(file);
    if (!good) fprintf(stderr, "cardveil sandbox: cannot read %s: %s\n", path, file ? "empty, too large, or no file" : strerror(errno));
    *out = (slice){at, len};
    return good;
}

static slice without_newline(slice text)
{
    while (text.len && (text.at[text.len - 1] == '\n' || text.at[text.len - 1] == '\r')) text.len--;
    return text;
}

static bool read_options(const struct arguments *a, char *room, struct sandbox_options *o)
{
    *o = (struct sandbox_options){.listen = slice_of(a->listen),
                                  .network = {.merchant_id = slice_of(a->merchant),
                                              .key_id = slice_of(a->key_id),
                                              .secret = slice_of(TEST_SECRET),
                                              .provision_ms = a->delay_ms,
                                              .notify_key_id = slice_of(a->notify_key_id),
                                              .notify_key = slice_of(TEST_NOTIFY_KEY),
                                              .notify_whole_body = a->notify_whole_body}};
    if (a->notify_url) o->network.notify_url = slice_of(a->notify_url);
    slice *const places[FILES] = {&o->certificate,        &o->key,               &o->network.secret,    &o->network.jwt_key,
                                  &o->network.answer_key, &o->network.notify_ca, &o->network.notify_key};
    for (int i = 0; i < FILES; i++)
        if (!read_file(a->files[i], room + (size_t)i * FILE_MAX_BYTES, places[i])) return false;
    o->network.secret = without_newline(o->network.secret);
    o->network.notify_key = without_newline(o->network.notify_key);
    return true;
}

static int run(const struct arguments *a, const struct sandbox_options *options)
{
    struct sandbox *sandbox;
    const char *why;
    result made = sandbox_new(options, &sandbox, &why);
    if (failed(made) && why) {
        fprintf(stderr, "cardveil sandbox: %s\n", why);
        return EXIT_USAGE;
    }
    if (failed(made)) {
        why = made.err == ERR_IO ? strerror(errno) : error_text(made.err);
        fprintf(stderr, "cardveil sandbox: cannot listen on %s: %s\n", a->listen, why);
        return EXIT_WORK;
    }
    fprintf(stderr, "cardveil sandbox: simulated e.Rede, Credibanco and Cybersource TMS on %s://%s; for test cards only, no money moves\n",
            a->files[FILE_CERTIFICATE] ? "https" : "http", a->listen);
    if (!options->network.answer_key.len)
        fputs("cardveil sandbox: no --network-answer-certificate: no payment credentials are given out\n", stderr);
    sandbox_run(sandbox);
    sandbox_free(sandbox);
    return EXIT_DONE;
}

int cli_sandbox(int argc, char **argv)
{
    struct arguments a;
    if (!parse_arguments(argc, argv, &a)) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (a.help) {
        print_help(stdout);
        return EXIT_DONE;
    }
    log_start("sandbox", 0, LOG_LEVEL_WARN);
    if (failed(secret_start(SECRET_HEAP_BYTES))) return EXIT_WORK;

    struct sandbox_options options;
    char *room = secret_alloc(FILES * FILE_MAX_BYTES);
    int status = room && read_options(&a, room, &options) ? run(&a, &options) : EXIT_WORK;
    secret_free(room, FILES * FILE_MAX_BYTES);
    return status;
}
