/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_RULES_HELP_H
#define TESTS_RULES_HELP_H

/* A temporary folder per test, files in it, and golden texts. */

#include <check.h>

#include "base/secret.h"
#include "rules/source.h"

extern char help_folder[]; /* absolute; the process is in it */
void help_enter(void);     /* makes it and goes there; starts secret memory */
void help_leave(void);     /* removes it */
void help_write(const char *name, const char *text);
/* name.pem and name.key: a fresh self-signed certificate and its key. */
void help_certificate(const char *name);
/* What the corpus's secrets refer to: files here (r.key: RSA, 2048 bits), and CARDVEIL_TEST_SHARED. */
void help_secrets(void);
/* Copies every regular file of a folder of the source tree into a folder here. */
void help_copy(const char *from, const char *to);
/* What problems_print() prints; returns owned. */
char *help_problems(const struct problems *p);
char *help_read_fd(int fd);                                                   /* from its start; returns owned */
char *help_read_file(const char *path);                                       /* returns owned */
char *help_replace(char *text /* takes */, const char *what, const char *by); /* every one; returns owned */
/* Every <case>.yaml of a corpus folder (copied to here): each(case file) gives what was said, to be equal to
 * <case>.txt. CARDVEIL_WRITE_GOLDEN=1 writes the .txt files instead. */
void help_corpus(const char *corpus, char *(*each)(const char *file));
void help_golden(const char *corpus_file, const char *got);
int help_run(Suite *s);

#endif
