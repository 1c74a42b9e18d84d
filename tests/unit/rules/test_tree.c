/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"

#include "rules/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pool *pool;
static struct problems *problems;

static void enter(void)
{
    pool = pool_new(64 * 1024 * 1024);
    problems = problems_new();
}

static void leave(void)
{
    pool_free(pool);
    problems_free(problems);
}

static struct tree_node *read_tree(slice text)
{
    struct tree_node *root;
    ck_assert(!failed(tree_read(text, SLICE("f"), pool, problems, &root)));
    return root;
}

/* A tree on one line: {key=value@line:column …}, [ … ]; quoted values in "". */
static void dump(const struct tree_node *n, FILE *out)
{
    if (n->kind == TREE_SCALAR) fprintf(out, n->quoted ? "\"%.*s\"" : "%.*s", SLICE_ARG(n->text));
    if (n->kind == TREE_REFUSED) fputs("?", out);
    if (n->kind == TREE_SCALAR || n->kind == TREE_REFUSED) {
        fprintf(out, "@%u:%u", n->line, n->column);
        return;
    }
    fputs(n->kind == TREE_MAP ? "{" : "[", out);
    for (const struct tree_node *c = n->first; c; c = c->next) {
        if (n->kind == TREE_MAP) fprintf(out, "%.*s@%u:%u=", SLICE_ARG(c->key), c->key_line, c->key_column);
        dump(c, out);
        if (c->next) fputs(" ", out);
    }
    fputs(n->kind == TREE_MAP ? "}" : "]", out);
}

START_TEST(trees)
{
    static const struct {
        const char *yaml, *tree;
    } cases[] = {
        {"a: 1\n", "{a@1:1=1@1:4}"},
        {"a:\n  b: 'x'\n  c: [ 1, \"2\" ]\n", "{a@1:1={b@2:3=\"x\"@2:6 c@3:3=[1@3:8 \"2\"@3:11]}}"},
        {"a:\nb: on # note\n", "{a@1:1=@1:3 b@2:1=on@2:4}"},
        {"- at: 127.0.0.1:80\n- {}\n", "[{at@1:3=127.0.0.1:80@1:7} {}]"},
        {"\xC3\xA9: \xC3\xA9 # \xC3\xA9\nb: 1", "{\xC3\xA9@1:1=\xC3\xA9@1:4 b@2:1=1@2:4}"},
        {"---\na: |-\n  text\n...\n", "{a@2:1=\"text\"@2:4}"},
        {"\xEF\xBB\xBF"
         "a: 1",
         "{a@1:2=1@1:5}"},
        {"$.a['b c']: x", "{$.a['b c']@1:1=x@1:13}"},
        {"{ $.a: [ '00' ] }", "{$.a@1:3=[\"00\"@1:10]}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = NULL;
        size_t len;
        FILE *out = open_memstream(&text, &len);
        struct tree_node *root = read_tree(slice_of(cases[i].yaml));
        ck_assert_msg(root != NULL && problems_count(problems) == 0, "%s: %s", cases[i].yaml, help_problems(problems));
        dump(root, out);
        fclose(out);
        ck_assert_str_eq(text, cases[i].tree);
        free(text);
    }
}
END_TEST

START_TEST(refusals)
{
    static const struct {
        const char *yaml;
        bool has_tree;
        const char *said;
    } cases[] = {
        {"", false, "f: the file is empty\n"},
        {"# nothing\n", false, "f: the file is empty\n"},
        {"a: &x 1\nb: *x\n", true,
         "f:1:4: anchors (&name) are not supported; write the value out\n"
         "f:2:4: aliases (*name) are not supported; write the value out, or put it in quotes if it is meant as text\n"},
        {"a: !!str 1\nb: !x {}\n", true,
         "f:1:4: tags (!name) are not supported\nf:2:4: tags (!name) are not supported\n"},
        {"&a a: 1\n", true, "f:1:1: anchors (&name) are not supported; write the value out\n"},
        {"a: 1\nb: 2\na: 3\n", true, "f:3:1: 'a' stands here twice; first in line 1\n"},
        {"x: { a: 1, a: { b: 1 } }\n", true, "f:1:12: 'a' stands here twice; first in line 1\n"},
        {"a: 1\n---\nb: 2\n", false, "f:2:1: a second document ('---') in one file; keep one\n"},
        {"? [a]\n: 1\n", false, "f:1:3: expected a name before ':', found something else\n"},
        {"a: \"x\\ny\"\n", true, "f:1:4: a line break or control character inside a value is not allowed\n"},
        {"a: \"\\0\"\n", true, "f:1:4: a line break or control character inside a value is not allowed\n"},
        {"a: |\n  one\n  two\n", true, "f:1:4: a line break or control character inside a value is not allowed\n"},
        {"a: [ 1\nb: 2\n", false,
         "f:2:2: not valid YAML: did not find expected ',' or ']' (while parsing a flow sequence)\n"},
        {"\ta: 1\n", false,
         "f:1:1: not valid YAML: found character that cannot start any token (while scanning for the next token)\n"},
        {"a: 1\nb: \xFF\n", false, "f:2:4: not valid YAML: invalid leading UTF-8 octet\n"},
        {"a: \x01\n", false, "f:1:4: not valid YAML: control characters are not allowed\n"},
        {"* : 1\n", false,
         "f:1:2: not valid YAML: did not find expected alphabetic or numeric character (while scanning an alias)\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        problems_free(problems);
        problems = problems_new();
        struct tree_node *root = read_tree(slice_of(cases[i].yaml));
        char *said = help_problems(problems);
        ck_assert_msg(strcmp(said, cases[i].said) == 0, "%s\n%s", cases[i].yaml, said);
        ck_assert_msg((root != NULL) == cases[i].has_tree, "%s", cases[i].yaml);
        free(said);
    }
}
END_TEST

/* Text made of <count> times <part>, between before and after. */
static slice repeat(const char *before, const char *part, size_t count, const char *after)
{
    size_t first = strlen(before), each = strlen(part), last = strlen(after);
    char *at = pool_alloc(pool, first + each * count + last);
    ck_assert_ptr_nonnull(at);
    memcpy(at, before, first);
    for (size_t i = 0; i < count; i++)
        memcpy(at + first + i * each, part, each);
    memcpy(at + first + count * each, after, last);
    return (slice){at, first + each * count + last};
}

static const char *first_problem(void)
{
    ck_assert_ptr_nonnull(problems_get(problems, 0));
    return problems_get(problems, 0)->text;
}

START_TEST(depth_limit)
{
    ck_assert_ptr_nonnull(read_tree(repeat("", "[", 32, "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]")));
    ck_assert_ptr_null(read_tree(repeat("", "[", 33, "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]")));
    ck_assert_str_eq(first_problem(), "nested deeper than 32 levels");
}
END_TEST

START_TEST(hostile_nesting_ends)
{
    ck_assert_ptr_null(read_tree(repeat("", "[", 1000000, "")));
    ck_assert_str_eq(first_problem(), "nested deeper than 32 levels");
}
END_TEST

START_TEST(size_limit)
{
    ck_assert_ptr_nonnull(read_tree(repeat("a: 1\n#", "x", 1024 * 1024 - 6, "")));
    ck_assert_ptr_null(read_tree(repeat("a: 1\n#", "x", 1024 * 1024 - 5, "")));
    ck_assert_str_eq(first_problem(), "larger than 1 MiB");
}
END_TEST

START_TEST(node_limit)
{
    ck_assert_ptr_null(read_tree(repeat("", "- \n", 100001, "")));
    ck_assert_str_eq(first_problem(), "more than 100000 values in one file");
}
END_TEST

START_TEST(key_limit)
{
    char *text = pool_alloc(pool, 32 * 1024);
    size_t len = 0;
    for (int i = 0; i < 1001; i++)
        len += (size_t)snprintf(text + len, 32, "k%d: 1\n", i);
    ck_assert_ptr_null(read_tree((slice){text, len}));
    ck_assert_str_eq(first_problem(), "more than 1000 keys in one mapping");
}
END_TEST

START_TEST(a_small_pool_is_out_of_memory_not_a_crash)
{
    for (size_t bytes = 0; bytes < 40000; bytes += 997) {
        struct pool *small = pool_new(bytes);
        struct tree_node *root;
        result r = tree_read(repeat("", "- { a: 1 }\n", 300, ""), SLICE("f"), small, problems, &root);
        ck_assert_int_eq(r.err, ERR_MEMORY);
        pool_free(small);
    }
    ck_assert_uint_eq(problems_count(problems), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tree");
    TCase *t = tcase_create("tree");
    tcase_add_checked_fixture(t, enter, leave);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, trees);
    tcase_add_test(t, refusals);
    tcase_add_test(t, depth_limit);
    tcase_add_test(t, hostile_nesting_ends);
    tcase_add_test(t, size_limit);
    tcase_add_test(t, node_limit);
    tcase_add_test(t, key_limit);
    tcase_add_test(t, a_small_pool_is_out_of_memory_not_a_crash);
    suite_add_tcase(s, t);
    return help_run(s);
}
