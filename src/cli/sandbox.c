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

enum { EXIT_DONE = 0, EXIT_WORK = 1, EXIT_USAGE = 2, PEM_MAX_BYTES = 64 * 1024, SECRET_HEAP_BYTES = 1 << 20 };

struct arguments {
    const char *listen, *certificate, *key;
};

static void print_help(FILE *out)
{
    fputs("usage: cardveil sandbox [--listen 127.0.0.1:9100] [--tls-certificate FILE --tls-key FILE]\n\n"
          "Simulated payment processors, for trying and testing with test cards: no money moves, nothing is stored on disk.\n"
          "Listens on loopback addresses only.\n\n"
          "  e.Rede       POST /erede/v1/transactions        Authorization: Basic, any affiliation and token\n"
          "               POST /erede/v2/transactions        Authorization: Bearer, any token\n"
          "               GET  /erede/v1/transactions/TID    what became of a payment\n"
          "  Credibanco   POST /payment/rest/register.do, paymentorder.do, getOrderStatusExtended.do\n"
          "               POST /proxy/rest/...               the same with the field names of MCC 4722\n\n"
          "  GET /_sandbox/requests[?mask=1]    the last 100 requests, as received, as JSON; DELETE empties the list\n"
          "  GET /_sandbox/last[?mask=1]        the last one, as plain text\n\n"
          "Every field is checked as the processor does. What is decided, by the first row that fits (amounts in minor units):\n\n",
          out);
    decision_print_table(out);
}

static bool parse_arguments(int argc, char **argv, struct arguments *a, bool *help)
{
    static const struct option options[] = {
        {"listen", required_argument, NULL, 'l'},  {"tls-certificate", required_argument, NULL, 'c'},
        {"tls-key", required_argument, NULL, 'k'}, {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    *a = (struct arguments){.listen = "127.0.0.1:9100"};
    optind = 1;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        switch (option) {
        case 'l': a->listen = optarg; break;
        case 'c': a->certificate = optarg; break;
        case 'k': a->key = optarg; break;
        case 'h': *help = true; return true;
        default: return false;
        }
    }
    return optind == argc && (a->certificate == NULL) == (a->key == NULL);
}

/* Reads a PEM file into memory that is wiped when freed. */
static bool read_pem(const char *path, char *at, slice *out)
{
    if (!path) return true;
    FILE *file = fopen(path, "re");
    size_t len = file ? fread(at, 1, PEM_MAX_BYTES, file) : 0;
    bool good = file && !ferror(file) && len > 0 && len < PEM_MAX_BYTES;
    if (file) fclose(file);
    if (!good) fprintf(stderr, "cardveil sandbox: cannot read %s: %s\n", path, file ? "not a PEM file" : strerror(errno));
    *out = (slice){at, len};
    return good;
}

static int run(const struct arguments *a, const struct sandbox_options *options)
{
    struct sandbox *sandbox;
    result made = sandbox_new(options, &sandbox);
    if (made.err == ERR_USAGE) {
        fprintf(stderr, "cardveil sandbox: %s is not a loopback address; a simulated processor listens on 127.0.0.1:PORT or [::1]:PORT only\n",
                a->listen);
        return EXIT_USAGE;
    }
    if (failed(made)) {
        const char *why = made.err == ERR_IO ? strerror(errno) : error_text(made.err);
        fprintf(stderr, "cardveil sandbox: cannot listen on %s: %s\n", a->listen, why);
        return EXIT_WORK;
    }
    fprintf(stderr, "cardveil sandbox: simulated e.Rede and Credibanco on %s://%s; for test cards only, no money moves\n",
            a->certificate ? "https" : "http", a->listen);
    sandbox_run(sandbox);
    sandbox_free(sandbox);
    return EXIT_DONE;
}

int cli_sandbox(int argc, char **argv)
{
    struct arguments a;
    bool help = false;
    if (!parse_arguments(argc, argv, &a, &help)) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (help) {
        print_help(stdout);
        return EXIT_DONE;
    }
    log_start("sandbox", 0, LOG_LEVEL_WARN);
    if (failed(secret_start(SECRET_HEAP_BYTES))) return EXIT_WORK;

    struct sandbox_options options = {.listen = slice_of(a.listen)};
    char *pem = secret_alloc(2 * PEM_MAX_BYTES);
    int status = EXIT_WORK;
    if (pem && read_pem(a.certificate, pem, &options.certificate) && read_pem(a.key, pem + PEM_MAX_BYTES, &options.key))
        status = run(&a, &options);
    secret_free(pem, 2 * PEM_MAX_BYTES);
    return status;
}
