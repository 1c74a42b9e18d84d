/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/suite.h"
#include "fake_finder.h"
#include "help.h"

#include <stdio.h>
#include <string.h>

#define RULES                                                                                                                    \
    "field //Card/@No number\nfield //Card/@Cvc cvc\nfield //Card/Holder holder\nfield //*[local-name()='Number']/text() number\n" \
    "field /r/Exp expiry MMYY"

struct xml_case {
    const char *in;
    const char *told; /* NULL: refused with <err> */
    enum error err;
    const char *path; /* of the fault */
};

static struct plan *xml_plan(void)
{
    struct plan *plan = plan_of(BODY_XML, RULES);
    plan->find_pan = true;
    return plan;
}

static void check_in(const struct fake_options *options, const struct xml_case *c)
{
    slice in = slice_of(c->in);
    struct fake_run r = fake_every_split(options, in);
    ck_assert_msg(r.err == c->err, "%s: %s at %u '%s', not %s", c->in, error_name(r.err), (unsigned)r.fault.offset, r.fault.path,
                  error_name(c->err));
    if (c->told)
        ck_assert_msg(slice_is(buf_slice(&r.told), c->told), "%s\n tells %.*s\n   not %s", c->in, SLICE_ARG(buf_slice(&r.told)), c->told);
    if (c->path) ck_assert_str_eq(r.fault.path, c->path);
    fake_run_done(&r);
}

static void check_all(slice charset, const struct xml_case *cases, size_t count)
{
    struct plan *plan = xml_plan();
    const struct fake_options options = {.plan = plan, .charset = charset};
    for (size_t i = 0; i < count; i++) check_in(&options, &cases[i]);
    plan_drop(plan);
}
#define CHECK_ALL(charset, cases) check_all(charset, cases, sizeof(cases) / sizeof *(cases))

START_TEST(values_and_containers)
{
    static const struct xml_case cases[] = {
        {"<a/>", "()"},
        {"<a></a>", "()"},
        {" <a> <b>  </b>\n</a>\n", "(())"},
        {"<a>x</a>", "([x])"},
        {"<a>\n x y\t</a>", "([x y])"},
        {"<a>x<b>y</b>z</a>", "([x]([y])[z])"},
        {"<a k='v' l = \"w'\" m\n=\n''/>", "([v][w'])"},
        {"<r><Card No=' 4111111111111111 ' Cvc=\"123\"><Holder>A &amp; B</Holder></Card></r>",
         "(([4111111111111111=number][123=cvc]([A & B=holder])))"},
        {"<r xmlns:c='urn:c'><c:Card c:No='4111111111111111'/></r>", "([urn:c]([4111111111111111=number]))"},
        {"<Card xmlns:No='1' xmlns='2'/>", "([1][2])"},
        {"<r><Exp>1231</Exp><q><Exp>1231</Exp></q></r>", "(([1231=expiry])(([1231])))"},
        {"<Number><PlainText>1</PlainText> 2 </Number>", "(([1])[2=number])"},
        {"<a x='a&#52;b&#x34;&lt;&gt;&apos;&quot;&#233;'/>", "([a4b4<>'\"\xc3\xa9])"},
        {"<a>&#x1F600;</a>", "([\xf0\x9f\x98\x80])"},
        {"<a x='1\r\n2\t3\r4\n5'>1\r\n2\t3\r4\n5</a>", "([1 2 3 4 5][1\n2\t3\n4\n5])"},
        {"<a><![CDATA[1 & <b>]]></a>", "([1 & <b>])"},
        {"<a>x<![CDATA[y]]>z</a>", "([x][y][z])"},
        {"<a><![CDATA[ ]]><![CDATA[]]></a>", "()"},
        {"<a>x<!-- y -->z<!---->w</a>", "([x][y][z][w])"},
        {"<!-- p --><?q r?><a><?s?><?t   u v ?></a><!-- w -->", "[p][r]([u v])[w]"},
        {"<?xml version='1.0' encoding='utf-8' standalone='yes'?><a>\xc3\xa9</a>", "([\xc3\xa9])"},
        {"\xef\xbb\xbf<a>x</a>", "([x])"},
        {"<\xc3\xa9 \xc3\xa8='x'/>", "([x])"},
    };
    CHECK_ALL(SLICE_NONE, cases);
}
END_TEST

START_TEST(refusals)
{
    static const struct xml_case cases[] = {
        {"", NULL, ERR_XML_CUT_OFF},
        {"  ", NULL, ERR_XML_CUT_OFF},
        {"<a>", NULL, ERR_XML_CUT_OFF, "/a"},
        {"<a><b x='1", NULL, ERR_XML_CUT_OFF, "/a"},
        {"<a><![CDATA[x</a>", NULL, ERR_XML_CUT_OFF},
        {"<a><!-- x</a>", NULL, ERR_XML_CUT_OFF},
        {"<a><b></a>", NULL, ERR_XML_SYNTAX, "/a/b"},
        {"<a/><b/>", NULL, ERR_XML_SYNTAX, ""},
        {"<a/>x", NULL, ERR_XML_SYNTAX},
        {"<a/> 5555</a>", NULL, ERR_XML_SYNTAX, ""},
        {"<a/> 5\xff</a>", NULL, ERR_XML_SYNTAX},
        {"<a/>\n\xc3\xa9", NULL, ERR_XML_SYNTAX},
        {"<a/><!-- -- -->", NULL, ERR_XML_SYNTAX},
        {"<a/><!-- ", NULL, ERR_XML_CUT_OFF},
        {"x<a/>", NULL, ERR_XML_SYNTAX},
        {"<a x='1' x='2'/>", NULL, ERR_XML_SYNTAX},
        {"<a x=1/>", NULL, ERR_XML_SYNTAX},
        {"<a x/>", NULL, ERR_XML_SYNTAX},
        {"<a x='<'/>", NULL, ERR_XML_SYNTAX},
        {"<a>]]></a>", NULL, ERR_XML_SYNTAX},
        {"<a>\x01</a>", NULL, ERR_XML_SYNTAX},
        {"<a>&#0;</a>", NULL, ERR_XML_SYNTAX},
        {"<a>&#x110000;</a>", NULL, ERR_XML_SYNTAX},
        {"<a>&</a>", NULL, ERR_XML_SYNTAX},
        {"<a><!-- -- --></a>", NULL, ERR_XML_SYNTAX},
        {"<a>&nbsp;</a>", NULL, ERR_XML_ENTITY, "/a"},
        {"<a b='&nbsp;'/>", NULL, ERR_XML_ENTITY},
        {"<!DOCTYPE a><a>x</a>", NULL, ERR_XML_DOCTYPE, ""},
        {"<!DOCTYPE a PUBLIC \"-//X//Y\" \"http://127.0.0.1:1/x.dtd\"><a>x</a>", NULL, ERR_XML_DOCTYPE, ""},
        {"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", NULL, ERR_XML_DOCTYPE, ""},
        {"<!DOCTYPE a [<!ATTLIST a No CDATA '4111111111111111'>]><a/>", NULL, ERR_XML_DOCTYPE},
        {"<!DOCTYPE a []><a/>", NULL, ERR_XML_DOCTYPE},
        {"<!DOCTYPE a [<!ENTITY % p SYSTEM 'file:///etc/passwd'> %p;]><a/>", NULL, ERR_XML_DOCTYPE},
        {"<!DOCTYPE a SYSTEM 'x' [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>", NULL, ERR_XML_DOCTYPE},
        {"<a>\xff</a>", NULL, ERR_UTF8, "/a"},
        {"<a>\xc0\xaf</a>", NULL, ERR_UTF8},
        {"<a>\xed\xa0\x80</a>", NULL, ERR_UTF8},
        {"<a>\xe2\x28\x41</a>", NULL, ERR_UTF8},
        {"<a>\xe2\x82", NULL, ERR_UTF8},
    };
    CHECK_ALL(SLICE_NONE, cases);
}
END_TEST

/* What reads as one number to some readers must not pass in two pieces. */
START_TEST(numbers_in_two_pieces)
{
    static const struct xml_case cases[] = {
        {"<a>41111111<!-- -->11111111</a>", NULL, ERR_XML_SPLIT, "/a"},
        {"<a>4111 1111-<?p?> 1111<![CDATA[ 1111]]></a>", NULL, ERR_XML_SPLIT},
        {"<a><![CDATA[4111]]>111111111111</a>", NULL, ERR_XML_SPLIT},
        {"<a>4111<!---->1111<!---->1111<!---->1111</a>", NULL, ERR_XML_SPLIT},
        {"<a>4111x<!-- -->11111111111</a>", "([4111x][11111111111])"},
        {"<a>4111<!-- -->1111</a>", "([4111][1111])"},
        {"<a>41111111<b/>11111111</a>", "([41111111]()[11111111])"},
        {"<r><Number>4<!-- -->2</Number></r>", NULL, ERR_XML_SPLIT, "/r/Number"},
        {"<r><Number><![CDATA[4111111111111111]]></Number></r>", "(([4111111111111111=number]))"},
        {"<r><Number> <!-- x --> 4111111111111111 <!-- y --> </Number></r>", "(([x][4111111111111111=number][y]))"},
        {"<Card><Holder>A<!-- -->B</Holder></Card>", "(([A=holder][B=holder]))"},
    };
    CHECK_ALL(SLICE_NONE, cases);
}
END_TEST

START_TEST(encodings)
{
    static const struct xml_case latin1[] = {
        {"<a x='\xe9'>\xe9&#233;\xa0</a>", "([\xc3\xa9][\xc3\xa9\xc3\xa9\xc2\xa0])"},
        {"<\xe9 \xe8='x'>\xe9</\xe9>", "([x][\xc3\xa9])"},
        {"<?xml version='1.0' encoding='utf-8'?><a>\xe9</a>", "([\xc3\xa9])"}, /* RFC 7303: the content type's word goes first */
        {"\xef\xbb\xbf<a>\xc3\xa9</a>", "([\xc3\xa9])"},                       /* and before it that of a byte order mark */
        {"<\xe9>&x;", NULL, ERR_XML_ENTITY, "/?"},
    };
    static const struct xml_case declared[] = {
        {"<?xml version='1.0' encoding='ISO-8859-1'?><a x='\xe9'>\xe9</a>", "([\xc3\xa9][\xc3\xa9])"},
        {"<?xml version='1.0' encoding='us-ascii'?><a>x</a>", "([x])"},
        {"<?xml version='1.0' encoding='us-ascii'?><a>\xe9</a>", NULL, ERR_XML_ENCODING},
        {"<?xml version='1.0' encoding='windows-1252'?><a>x</a>", NULL, ERR_XML_ENCODING},
        {"<?xml version='1.0' encoding='UTF-7'?><a>x</a>", NULL, ERR_XML_ENCODING},
        {"<?xml version='1.0' encoding='UTF-16'?><a>x</a>", NULL, ERR_XML_ENCODING},
        {"\xfe\xff<a/>", NULL, ERR_XML_ENCODING},
        {"\xff\xfe<a/>", NULL, ERR_XML_ENCODING},
    };
    static const struct xml_case utf8[] = {
        {"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>", NULL, ERR_UTF8},
        {"<?xml version='1.0' encoding='nonsense'?><a>\xc3\xa9</a>", "([\xc3\xa9])"},
    };
    static const struct xml_case ascii[] = {{"<a>\xc3\xa9</a>", NULL, ERR_XML_ENCODING}, {"<a>x</a>", "([x])"}};
    static const struct xml_case unknown[] = {{"<a>x</a>", NULL, ERR_XML_ENCODING}, {"", NULL, ERR_XML_ENCODING}};
    CHECK_ALL(SLICE("ISO-8859-1"), latin1);
    CHECK_ALL(SLICE_NONE, declared);
    CHECK_ALL(SLICE("UTF-8"), utf8);
    CHECK_ALL(SLICE("us-ascii"), ascii);
    CHECK_ALL(SLICE("utf-16"), unknown);
    CHECK_ALL(SLICE("EBCDIC-CP-US"), unknown);
    struct plan *plan = xml_plan();
    const struct fake_options options = {.plan = plan};
    static const char utf16[] = "<\0a\0/\0>\0";
    struct fake_run r = fake_every_split(&options, (slice){utf16, sizeof utf16 - 1});
    ck_assert_int_eq(r.err, ERR_XML_ENCODING);
    fake_run_done(&r);
    plan_drop(plan);
}
END_TEST

static void repeat(struct buf *b, const char *text, size_t times)
{
    for (size_t i = 0; i < times; i++) ck_assert(!failed(buf_append(b, slice_of(text))));
}

START_TEST(depth_limit)
{
    struct plan *plan = xml_plan();
    const struct fake_options options = {.plan = plan};
    for (int over = 0; over < 2; over++) {
        struct buf in;
        buf_init(&in, 4096);
        repeat(&in, "<a>", 64 + (size_t)over);
        repeat(&in, "</a>", 64 + (size_t)over);
        struct fake_run r = fake_every_split(&options, buf_slice(&in));
        ck_assert_int_eq(r.err, over ? ERR_XML_DEPTH : ERR_NONE);
        fake_run_done(&r);
        buf_done(&in);
    }
    plan_drop(plan);
}
END_TEST

/* What is found is where the walker says it is: what stands around it stays, byte for byte. */
START_TEST(places)
{
    static const char *const cases[][2] = {
        {"<a x='4111111111111111' y=\"&#52;111111111111111\">&amp;4111111111111111&amp;</a>", "<a x='#' y=\"#\">&amp;#&amp;</a>"},
        {"<a>\r\n x\r\n 4111111111111111\r\n</a>", "<a>\r\n x\r\n #\r\n</a>"},
        {"<a><![CDATA[<4111111111111111>]]></a>", "<a><![CDATA[<#>]]></a>"},
        {"<!--4111111111111111--><?p 4111111111111111?><a/>", "<!--#--><?p #?><a/>"},
        {"<a x='\t4111111111111111\r\n5555555555554444 '/>", "<a x='\t#\r\n# '/>"},
        {"<a>\xc3\xa9 4111111111111111 \xc3\xa9 &#xe9; 5555555555554444</a>", "<a>\xc3\xa9 # \xc3\xa9 &#xe9; #</a>"},
    };
    static const char latin1[] = "<a x='\xe9 4111111111111111 \xe9'>\xe9\xe9 4111111111111111\xe9 5555555555554444 \xe9</a>";
    struct plan *plan = xml_plan();
    struct fake_options options = {.plan = plan};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fake_run r = fake_every_split(&options, slice_of(cases[i][0]));
        ck_assert_msg(slice_is(buf_slice(&r.out), cases[i][1]), "%.*s, not %s", SLICE_ARG(buf_slice(&r.out)), cases[i][1]);
        fake_run_done(&r);
    }
    options.charset = SLICE("iso-8859-1");
    struct fake_run r = fake_every_split(&options, slice_of(latin1));
    ck_assert(slice_is(buf_slice(&r.out), "<a x='\xe9 # \xe9'>\xe9\xe9 #\xe9 # \xe9</a>"));
    fake_run_done(&r);
    plan_drop(plan);
}
END_TEST

/* Where a route takes bare tokens, one alone at a number or CVC of the rules is a placeholder. */
START_TEST(bare_tokens)
{
    static const char in[] = "<r><Card No=' TOKEN1 ' Cvc=\"tmp_00000000-0000-0000-0000-000000000000\" Other='TOKEN1'><Holder>TOKEN1</Holder></Card>"
                             "<Number> T&#79;KEN1</Number><Number>TOKEN 1</Number><Number>4111111111111111</Number></r>";
    static const char out[] = "<r><Card No=' " PAN_TEXT " ' Cvc=\"123\" Other='TOKEN1'><Holder>TOKEN1</Holder></Card>"
                              "<Number> " PAN_TEXT "</Number><Number>TOKEN 1</Number><Number>4111111111111111</Number></r>";
    struct plan *plan = xml_plan();
    plan->bare_tokens = true;
    const struct fake_options options = {.plan = plan};
    struct fake_run r = fake_outbound_every_split(&options, SLICE(in));
    ck_assert_msg(slice_is(buf_slice(&r.out), out), "%s: %.*s", error_name(r.err), SLICE_ARG(buf_slice(&r.out)));
    fake_run_done(&r);
    plan->bare_tokens = false;
    r = fake_outbound_every_split(&options, SLICE(in));
    ck_assert(slice_is(buf_slice(&r.out), in));
    fake_run_done(&r);
    plan_drop(plan);
}
END_TEST

START_TEST(outbound)
{
    static const struct lines_case cases[] = {
        {"<r><Number>{{TOKEN1:detokenize}}</Number><Card No='{{TOKEN1:detokenize}}' Cvc=\"{{TOKEN1:detokenize}}\"/></r>",
         "<r><Number>" PAN_TEXT "</Number><Card No='" PAN_TEXT "' Cvc=\"123\"/></r>"},
        {"<Card><Holder>{{TOKEN1:detokenize}}</Holder></Card>", "<Card><Holder>ANA D&#39;\xc3\x81VILA &quot;A&quot;</Holder></Card>"},
        {"<a>&lt;&lt;TOKEN1:detokenize>> &#123;{TOKEN1:detokenize|extract:last4}}</a>", "<a>" PAN_TEXT " 1111</a>"},
        {"<a><![CDATA[<<TOKEN1:detokenize>>]]></a>", "<a><![CDATA[" PAN_TEXT "]]></a>"},
        {"<a><![CDATA[<<TOKEN1:detokenize|extract:name>>]]></a>", NULL, ERR_PLACEHOLDER_PLACE},
        {"<?xml version='1.0' encoding='iso-8859-1'?><a>{{TOKEN1:detokenize|extract:name}}</a>", NULL, ERR_PLACEHOLDER_PLACE},
        {"<a><!-- {{TOKEN1:detokenize}} --></a>", NULL, ERR_PLACEHOLDER_PLACE},
        {"<?p {{TOKEN1:detokenize}}?><a/>", NULL, ERR_PLACEHOLDER_PLACE},
        {"<a>{{TOKEN1:wrong}}</a>", NULL, ERR_PLACEHOLDER_KIND},
        {"<a>{{TOKEN1:<!-- -->detokenize}}</a>", "<a>{{TOKEN1:<!-- -->detokenize}}</a>"},
        {"<a>{ < }</a>", NULL, ERR_XML_SYNTAX},
        {"<a>{{ x }} 4111111111111111</a>", "<a>{{ x }} 4111111111111111</a>"},
    };
    struct plan *plan = xml_plan();
    const struct fake_options options = {.plan = plan};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fake_run r = fake_outbound_every_split(&options, slice_of(cases[i].in));
        ck_assert_msg(r.err == cases[i].err, "%s: %s", cases[i].in, error_name(r.err));
        if (cases[i].out) ck_assert_msg(slice_is(buf_slice(&r.out), cases[i].out), "%.*s", SLICE_ARG(buf_slice(&r.out)));
        fake_run_done(&r);
    }
    plan_drop(plan);
}
END_TEST

/* --- attacks on memory and time --- */

/* '%' becomes the number. */
static void put_numbered(struct buf *b, slice part, size_t number)
{
    size_t at = slice_find(part, '%');
    ck_assert(!failed(buf_append(b, slice_range(part, 0, at))));
    if (at == part.len) return;
    ck_assert(!failed(buf_append_u64(b, number)));
    ck_assert(!failed(buf_append(b, slice_after(part, at + 1))));
}

static struct fake_run run_repeated(const char *before, const char *part, size_t times, const char *after, size_t max, long split)
{
    struct plan *plan = xml_plan();
    const struct fake_options options = {.plan = plan, .max_held_bytes = max};
    struct buf in;
    buf_init(&in, 64u << 20);
    repeat(&in, before, 1);
    for (size_t i = 0; i < times; i++) put_numbered(&in, slice_of(part), i);
    repeat(&in, after, 1);
    struct fake_run r = fake_inbound(&options, buf_slice(&in), split);
    buf_done(&in);
    plan_drop(plan);
    return r;
}

static void check_repeated(const char *before, const char *part, size_t times, const char *after, size_t max, enum error err)
{
    struct fake_run r = run_repeated(before, part, times, after, max, WHOLE);
    ck_assert_msg(r.err == err, "%s%s: %s", before, part, error_name(r.err));
    fake_run_done(&r);
}

START_TEST(billion_laughs)
{
    struct plan *plan = xml_plan();
    const struct fake_options options = {.plan = plan};
    static const char in[] = "<?xml version='1.0'?><!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'><!ENTITY c "
                             "'&b;&b;&b;&b;&b;&b;&b;&b;'><!ENTITY d '&c;&c;&c;&c;&c;&c;&c;&c;'>]><l>&d;&d;&d;&d;</l>";
    static const char parameter[] = "<!DOCTYPE l [<!ENTITY % a 'ha'><!ENTITY % b '%a;%a;'>%b;]><l/>";
    const slice documents[] = {SLICE(in), SLICE(parameter)};
    for (size_t i = 0; i < 2; i++) {
        struct fake_run r = fake_every_split(&options, documents[i]);
        ck_assert_int_eq(r.err, ERR_XML_DOCTYPE);
        ck_assert_uint_eq(r.told.len, 0);
        fake_run_done(&r);
    }
    plan_drop(plan);
}
END_TEST

/* expat remembers each name it has seen to the document's end: memory ends before the process does. */
START_TEST(memory_is_bounded)
{
    enum { MIB = 1 << 20 };
    check_repeated("<r>", "<n%/>", 110000, "</r>", MIB, ERR_XML_SIZE);
    check_repeated("<r ", "n%='' ", 95000, "/>", MIB, ERR_XML_SIZE);
    check_repeated("<r>", "<name/>", 100000, "</r>", MIB, ERR_NONE);
    check_repeated("<r ", "name%='' ", 5000, "/>", MIB, ERR_NONE);
    check_repeated("<r x='", "xxxxxxxxxxxxxxxx", MIB / 16 - 1, "'/>", MIB, ERR_NONE);
    check_repeated("<r>", "xxxxxxxxxxxxxxxx", MIB / 16 - 1, "</r>", MIB, ERR_NONE);
    check_repeated("<r>", "xxxxxxxxxxxxxxxx", MIB / 16, "</r>", MIB, ERR_BODY_TOO_LARGE);
    check_repeated("<r><!--", "xxxxxxxxxxxxxxxx", MIB / 16 - 1, "--></r>", MIB, ERR_NONE);
    check_repeated("<r x='", "&#x%0;", 60000, "'/>", MIB, ERR_XML_SYNTAX); /* &#x00; */
    check_repeated("<r x='", "&#x3%;&#49;", 10, "'/>", MIB, ERR_NONE);
}
END_TEST

/* Byte by byte, one long token is not read from its start for each of them: that would be the square of its length, and this test
 * would not come to its end. */
START_TEST(long_tokens_in_tiny_pieces)
{
    static const char *const shells[][2] = {{"<r x='", "'/>"}, {"<r>", "</r>"}, {"<r><!--", "--></r>"}, {"<?p ", "?><r/>"},
                                            {"<r><![CDATA[", "]]></r>"}, {"<r ", "/>"}};
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++) {
        struct fake_run r = run_repeated(shells[i][0], "                ", (256 << 10) / 16, shells[i][1], 8 << 20, BYTEWISE);
        ck_assert_msg(r.err == ERR_NONE, "%s: %s", shells[i][0], error_name(r.err));
        fake_run_done(&r);
    }
}
END_TEST

/* Many numbers in one value: where each stands is found without reading the value again from its start. */
START_TEST(many_numbers_in_one_value)
{
    struct fake_run r = run_repeated("<r>", "&#52;111111111111111 ", 19000, "</r>", 8 << 20, WHOLE);
    ck_assert_int_eq(r.err, ERR_NONE);
    slice out = buf_slice(&r.out);
    ck_assert_uint_eq(out.len, strlen("<r></r>") + 2 * 19000);
    fake_run_done(&r);
}
END_TEST

/* --- property: any document, numbers planted in it --- */

struct planted {
    struct buf in, expected;
    unsigned seed;
    bool is_latin1;
    size_t numbers;
};

static unsigned any(struct planted *p, unsigned below)
{
    return (unsigned)rand_r(&p->seed) % below;
}

static void put(struct planted *p, const char *text)
{
    repeat(&p->in, text, 1);
    repeat(&p->expected, text, 1);
}

static void plant(struct planted *p, bool may_refer)
{
    static const char *const numbers[] = {"4111111111111111", "5555555555554444", "378282246310005", "6011000990139424"};
    for (const char *at = numbers[any(p, 4)]; *at; at++) {
        char text[16];
        unsigned how = may_refer && any(p, 4) == 0 ? 1 + any(p, 2) : 0;
        (void)snprintf(text, sizeof text, how == 0 ? "%c" : how == 1 ? "&#%d;" : "&#x%x;", *at);
        repeat(&p->in, text, 1);
    }
    repeat(&p->expected, "#", 1);
    p->numbers++;
}

static void put_text(struct planted *p, bool may_refer)
{
    static const char *const plain[] = {"word ", "\n", " x", "\r\n", "\t-", "12 ", "a;b", ">", "&quot;", "&#233;", "&amp;"};
    for (unsigned n = any(p, 4); n > 0; n--) put(p, plain[any(p, may_refer ? 11 : 8)]);
    if (any(p, 4) == 0) put(p, p->is_latin1 ? "\xe9" : "\xc3\xa9");
    if (any(p, 2)) return;
    put(p, " w ");
    plant(p, may_refer);
    put(p, " w ");
}

static void put_element(struct planted *p, unsigned depth)
{
    static const char *const names[] = {"Card", "ota:Number", "Holder", "x", "y-z.1"};
    const char *name = names[any(p, 5)];
    char start[100], quote[2] = {"'\""[any(p, 2)], 0};
    (void)snprintf(start, sizeof start, "<%s", name);
    put(p, start);
    for (unsigned i = any(p, 3); i > 0; i--) {
        (void)snprintf(start, sizeof start, "%sa%u%s", any(p, 2) ? " " : "\r\n ", i, any(p, 2) ? "=" : " =\t");
        put(p, start);
        put(p, quote);
        put_text(p, true);
        put(p, quote);
    }
    if (any(p, 5) == 0) {
        put(p, " />");
        return;
    }
    put(p, ">");
    for (unsigned n = any(p, 5); n > 0; n--) {
        unsigned what = any(p, 6);
        if (what == 0) put(p, "<![CDATA[<&");
        if (what == 1) put(p, "<!-- ");
        if (what == 2) put(p, "<?pi ");
        if (what == 3 && depth < 6)
            put_element(p, depth + 1);
        else
            put_text(p, what >= 3);
        put(p, what == 0 ? "]]>" : what == 1 ? " -->" : what == 2 ? "?>" : "");
    }
    (void)snprintf(start, sizeof start, "</%s >", name);
    put(p, start);
}

START_TEST(planted_numbers_are_found_and_nothing_else_changes)
{
    struct plan *plan = plan_of(BODY_XML, "");
    plan->find_pan = true;
    size_t numbers = 0;
    for (unsigned seed = 1; seed <= 50; seed++) {
        struct planted p = {.seed = seed, .is_latin1 = seed % 3 == 0};
        buf_init(&p.in, 1 << 20);
        buf_init(&p.expected, 1 << 20);
        put(&p, p.is_latin1 ? "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n" : seed % 2 ? "\xef\xbb\xbf" : "");
        put_element(&p, 0);
        put(&p, "\n");
        const struct fake_options options = {.plan = plan};
        struct fake_run r = fake_every_split(&options, buf_slice(&p.in));
        ck_assert_msg(r.err == ERR_NONE, "%u: %s at %u: %.*s", seed, error_name(r.err), (unsigned)r.fault.offset,
                      SLICE_ARG(buf_slice(&p.in)));
        ck_assert_msg(slice_eq(buf_slice(&r.out), buf_slice(&p.expected)), "%u: %.*s\n not %.*s", seed, SLICE_ARG(buf_slice(&r.out)),
                      SLICE_ARG(buf_slice(&p.expected)));
        fake_run_done(&r);
        numbers += p.numbers;
        buf_done(&p.in);
        buf_done(&p.expected);
    }
    ck_assert_uint_gt(numbers, 60); /* else it tests nothing */
    plan_drop(plan);
}
END_TEST

RUN_TESTS("xml_walker", values_and_containers, refusals, numbers_in_two_pieces, encodings, depth_limit, places, bare_tokens, outbound, billion_laughs,
          memory_is_bounded, long_tokens_in_tiny_pieces, many_numbers_in_one_value,
          planted_numbers_are_found_and_nothing_else_changes)
