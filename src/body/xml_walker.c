/* SPDX-License-Identifier: Apache-2.0 */
#include "xml_walker.h"

#include "finder.h"
#include "fingerprint.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* A comment or attribute as long as the body costs expat three times its length, measured; a body of nothing but different names
 * nine times, which is refused. */
enum { NAME_MAX_BYTES = 1024, FIRST_BYTES = 4, MEMORY_FIXED_BYTES = 1 << 20, MEMORY_TIMES_HELD = 4 };

/* --- where we are --- */

static uint64_t *state_of(struct xml_walker *x, unsigned depth)
{
    return x->states + depth * x->words;
}

bool xml_stop(struct xml_walker *x, enum error err, uint64_t offset)
{
    if (x->stopped == ERR_NONE) {
        x->stopped = err;
        x->stopped_at = offset;
        (void)XML_StopParser(x->parser, XML_FALSE);
    }
    return false;
}

static void add_name(struct xml_walker *x, slice name)
{
    char clean[NAME_MAX_BYTES];
    if (name.len > sizeof clean) name.len = sizeof clean;
    for (size_t i = 0; i < name.len; i++) clean[i] = x->is_latin1 && (unsigned char)name.at[i] >= 0x80 ? '?' : name.at[i];
    walk_fault_text(x->walk, (slice){clean, name.len});
}

/* With the path to it; names as the sender wrote them. A streamed body has forgotten the names it passed on. */
static result xml_fault(struct xml_walker *x, enum error err, uint64_t offset)
{
    struct walk *w = x->walk;
    x->is_failed = true;
    if (w->fault.err != ERR_NONE) return (result){err};
    for (unsigned d = 1; d <= x->depth; d++) {
        const struct xml_level *l = &x->levels[d];
        walk_fault_text(w, SLICE("/"));
        add_name(x, l->name_at >= w->base ? walk_raw(w, l->name_at, l->name_at + l->name_len) : SLICE("?"));
    }
    if (x->attribute.at) {
        walk_fault_text(w, SLICE("/@"));
        add_name(x, x->attribute);
    }
    return walk_fail(w, err, offset);
}

/* The raw bytes of what expat is telling. */
struct event {
    uint64_t start, end;
};

static struct event event_now(struct xml_walker *x)
{
    uint64_t start = x->origin + (uint64_t)XML_GetCurrentByteIndex(x->parser);
    struct event e = {start, start + (uint64_t)XML_GetCurrentByteCount(x->parser)};
    if (e.end > x->event_end) x->event_end = e.end;
    return e;
}

/* --- pieces of text --- */

static bool end_piece(struct xml_walker *x, uint64_t at)
{
    if (x->depth == 0) return true; /* white space, the XML declaration, a DOCTYPE */
    bool ok = xml_take_value(x, buf_slice(&x->text), x->piece_start, at, x->kind, x->levels[x->depth].field);
    buf_clear(&x->text);
    return ok;
}

static void begin_piece(struct xml_walker *x, uint64_t at, enum xml_kind kind)
{
    x->piece_start = at;
    x->kind = kind;
}

static void on_text(void *context, const XML_Char *text, int len)
{
    struct xml_walker *x = context;
    if (x->stopped) return;
    struct event e = event_now(x);
    result r = buf_append(&x->text, (slice){text, (size_t)len});
    if (failed(r)) (void)xml_stop(x, r.err == ERR_TOO_LARGE ? ERR_BODY_TOO_LARGE : r.err, e.start);
}

static void on_cdata_start(void *context)
{
    struct xml_walker *x = context;
    struct event e = event_now(x);
    if (!x->stopped && end_piece(x, e.start)) begin_piece(x, e.end, XML_CDATA);
}

static void on_cdata_end(void *context)
{
    struct xml_walker *x = context;
    struct event e = event_now(x);
    if (!x->stopped && end_piece(x, e.start)) begin_piece(x, e.end, XML_TEXT);
}

static void on_comment(void *context, const XML_Char *text)
{
    struct xml_walker *x = context;
    struct event e = event_now(x);
    if (x->stopped || !end_piece(x, e.start)) return;
    uint64_t from = e.start + strlen("<!--"), to = e.end - strlen("-->");
    if (xml_take_value(x, slice_of(text), from, to, XML_ASIDE, NULL)) begin_piece(x, e.end, XML_TEXT);
}

/* A name stands in two tags, and is what readers look for: a number in it is not replaced, the document is refused. */
static bool check_name(struct xml_walker *x, slice name, uint64_t at)
{
    if (!x->walk->finder || !finder_has_number(x->walk->finder, name)) return true;
    return xml_stop(x, ERR_XML_NAME, at);
}

/* "<?target data?>": expat leaves out the white space before the data. */
static void on_instruction(void *context, const XML_Char *target, const XML_Char *data)
{
    struct xml_walker *x = context;
    struct event e = event_now(x);
    if (x->stopped || !end_piece(x, e.start) || !check_name(x, slice_of(target), e.start)) return;
    uint64_t from = e.start + strlen("<?"), to = e.end - strlen("?>");
    while (from < to && !xml_is_space(*walk_at(x->walk, from))) from++;
    while (from < to && xml_is_space(*walk_at(x->walk, from))) from++;
    if (xml_take_value(x, slice_of(data), from, to, XML_ASIDE, NULL)) begin_piece(x, e.end, XML_TEXT);
}

/* --- elements and attributes --- */

static slice local_name(slice name)
{
    size_t colon = slice_find(name, ':');
    return colon + 1 < name.len ? slice_after(name, colon + 1) : name;
}

static const struct plan_field *field_at(struct xml_walker *x, const uint64_t *here)
{
    const struct plan *plan = x->walk->plan;
    for (size_t i = 0; i < plan->field_count; i++)
        if (path_bit(here, path_set_end(plan->paths, plan->fields[i].path))) return &plan->fields[i];
    return NULL;
}

static void match_element(struct xml_walker *x, slice name)
{
    struct xml_level *l = &x->levels[x->depth];
    uint64_t *here = state_of(x, x->depth);
    name = local_name(name);
    l->is_live = x->levels[x->depth - 1].is_live &&
                 path_match_name(x->walk->plan->paths, state_of(x, x->depth - 1), name, fingerprint_of(name), here);
    l->field = l->is_live ? field_at(x, here) : NULL;
}

/* Declarations of namespaces are in no path. */
static const struct plan_field *match_attribute(struct xml_walker *x, slice name)
{
    char step[NAME_MAX_BYTES + 1] = "@";
    if (!x->levels[x->depth].is_live || slice_is(name, "xmlns") || slice_starts(name, SLICE("xmlns:"))) return NULL;
    name = local_name(name);
    if (name.len > NAME_MAX_BYTES) return NULL;
    memcpy(step + 1, name.at, name.len);
    slice whole = {step, name.len + 1};
    uint64_t *here = state_of(x, x->depth + 1);
    bool is_live = path_match_name(x->walk->plan->paths, state_of(x, x->depth), whole, fingerprint_of(whole), here);
    return is_live ? field_at(x, here) : NULL;
}

/* expat's attributes and those of the raw tag go together one by one, or the tag is refused. */
static bool take_attributes(struct xml_walker *x, const struct event *e, const XML_Char **attributes)
{
    slice tag = walk_raw(x->walk, e->start, e->end);
    struct xml_attribute raw;
    struct xml_span all;
    size_t at = 0;
    for (; *attributes; attributes += 2) {
        slice name = slice_of(attributes[0]);
        if (!xml_next_attribute(tag, &at, &raw)) return xml_stop(x, ERR_XML_MISREAD, e->start);
        struct xml_reader r = {.raw = raw.name, .kind = XML_CDATA, .is_latin1 = x->is_latin1};
        x->attribute = raw.name;
        if (!check_name(x, name, e->start)) return false;
        if (failed(xml_compare(r, name, (struct xml_span){0}, &all))) return xml_stop(x, ERR_XML_MISREAD, e->start);
        if (!xml_take_value(x, slice_of(attributes[1]), e->start + raw.from, e->start + raw.to, XML_ATTRIBUTE,
                            match_attribute(x, name)))
            return false;
        x->attribute = SLICE_NONE;
    }
    return !xml_next_attribute(tag, &at, &raw) || xml_stop(x, ERR_XML_MISREAD, e->start);
}

static void end_run(struct xml_walker *x)
{
    x->has_number_text = false;
    x->tail_digits = 0;
}

static void on_start(void *context, const XML_Char *name, const XML_Char **attributes)
{
    struct xml_walker *x = context;
    struct event e = event_now(x);
    if (x->stopped || !end_piece(x, e.start)) return;
    end_run(x);
    if (x->depth == XML_MAX_DEPTH) {
        (void)xml_stop(x, ERR_XML_DEPTH, e.start);
        return;
    }
    x->depth++;
    x->has_root = true;
    slice raw = walk_raw(x->walk, e.start + 1, e.end);
    size_t len = 0;
    while (len < raw.len && !xml_is_space(raw.at[len]) && raw.at[len] != '/' && raw.at[len] != '>') len++;
    x->levels[x->depth] = (struct xml_level){.name_at = e.start + 1, .name_len = (uint32_t)len};
    match_element(x, slice_of(name));
    if (!check_name(x, slice_of(name), e.start)) return;
    if (x->walk->finder) {
        result r = finder_open(x->walk->finder);
        if (failed(r)) {
            (void)xml_stop(x, r.err, e.start);
            return;
        }
    }
    if (take_attributes(x, &e, attributes)) begin_piece(x, e.end, XML_TEXT);
}

static void on_end(void *context, const XML_Char *name)
{
    struct xml_walker *x = context;
    struct event e = event_now(x);
    (void)name;
    if (x->stopped || !end_piece(x, e.start)) return;
    end_run(x);
    if (x->walk->finder) {
        result r = finder_close(x->walk->finder);
        if (failed(r)) {
            (void)xml_stop(x, r.err, e.start);
            return;
        }
    }
    x->depth--;
    begin_piece(x, e.end, XML_TEXT);
}

/* --- what stands before the root --- */

static void on_declaration(void *context, const XML_Char *version, const XML_Char *encoding, int standalone)
{
    struct xml_walker *x = context;
    (void)version, (void)standalone;
    (void)event_now(x);
    if (x->is_declared || !encoding) return;
    x->is_latin1 = slice_ieq(slice_of(encoding), SLICE("iso-8859-1"));
    x->is_utf8 = slice_ieq(slice_of(encoding), SLICE("utf-8"));
}

static void on_doctype(void *context, const XML_Char *name, const XML_Char *system_id, const XML_Char *public_id, int has_subset)
{
    struct xml_walker *x = context;
    (void)name, (void)system_id, (void)public_id;
    struct event e = event_now(x);
    if (has_subset || x->walk->finder) (void)xml_stop(x, ERR_XML_DOCTYPE, e.start);
}

static void on_entity_declaration(void *context, const XML_Char *name, int is_parameter, const XML_Char *value, int len,
                                  const XML_Char *base, const XML_Char *system_id, const XML_Char *public_id, const XML_Char *notation)
{
    struct xml_walker *x = context;
    (void)name, (void)is_parameter, (void)value, (void)len, (void)base, (void)system_id, (void)public_id, (void)notation;
    (void)xml_stop(x, ERR_XML_DOCTYPE, event_now(x).start);
}

/* A document with an external type may name entities of it, which expat would skip. */
static void on_skipped_entity(void *context, const XML_Char *name, int is_parameter)
{
    struct xml_walker *x = context;
    (void)name, (void)is_parameter;
    if (!x->stopped) (void)xml_stop(x, ERR_XML_ENTITY, event_now(x).start);
}

/* --- encodings --- */

/* RFC 7303 section 3: a byte order mark goes before the charset of the content type, and that before the document's own word. */
static const char *encoding_from_outside(slice first, slice charset, enum error *err)
{
    static const char *const names[][2] = {{"utf-8", "UTF-8"},           {"utf8", "UTF-8"},    {"us-ascii", "US-ASCII"},
                                           {"ascii", "US-ASCII"},        {"latin1", "ISO-8859-1"}, {"iso-8859-1", "ISO-8859-1"}};
    if (slice_starts(first, SLICE("\xef\xbb\xbf"))) return "UTF-8";
    bool is_wide = slice_starts(first, SLICE("\xfe\xff")) || slice_starts(first, SLICE("\xff\xfe")) ||
                   slice_find(first, 0) < first.len; /* UTF-16 or UTF-32, with or without a mark */
    *err = is_wide ? ERR_XML_ENCODING : ERR_NONE;
    if (is_wide || !charset.at) return NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_ieq(charset, slice_of(names[i][0]))) return names[i][1];
    *err = ERR_XML_ENCODING;
    return NULL;
}

static result start(struct xml_walker *x)
{
    struct walk *w = x->walk;
    enum error err = ERR_NONE;
    uint64_t end = walk_end(w);
    slice first = walk_raw(w, x->origin, end - x->origin < FIRST_BYTES ? end : x->origin + FIRST_BYTES);
    const char *encoding = encoding_from_outside(first, w->charset, &err);
    if (err) return xml_fault(x, err, x->origin);
    x->is_started = true;
    x->is_declared = encoding != NULL;
    x->is_latin1 = encoding && strcmp(encoding, "ISO-8859-1") == 0;
    x->is_utf8 = !encoding || strcmp(encoding, "UTF-8") == 0;
    if (!encoding) return OK;
    xml_memory_enter(&x->memory);
    enum XML_Status set = XML_SetEncoding(x->parser, encoding);
    xml_memory_leave();
    return set == XML_STATUS_OK ? OK : xml_fault(x, ERR_MEMORY, x->origin);
}

/* --- feeding --- */

/* Behind the root expat gives up sooner or later, with one error or another, as the bytes were cut: it is always told of what
 * stands first there. */
static uint64_t error_at(struct xml_walker *x)
{
    uint64_t at = x->origin + (uint64_t)XML_GetCurrentByteIndex(x->parser);
    if (at > x->fed || at < x->walk->base) at = x->fed;
    if (x->depth > 0 || !x->has_root) return at;
    for (at = x->event_end; at < x->fed && xml_is_space(*walk_at(x->walk, at)); at++) continue;
    return at;
}

static enum error error_of(struct xml_walker *x, uint64_t offset)
{
    switch (XML_GetErrorCode(x->parser)) {
    case XML_ERROR_NO_MEMORY:
        return x->memory.is_spent ? ERR_XML_SIZE : ERR_MEMORY;
    case XML_ERROR_UNKNOWN_ENCODING:
    case XML_ERROR_INCORRECT_ENCODING:
        return ERR_XML_ENCODING;
    case XML_ERROR_UNDEFINED_ENTITY:
    case XML_ERROR_RECURSIVE_ENTITY_REF:
    case XML_ERROR_EXTERNAL_ENTITY_HANDLING:
    case XML_ERROR_AMPLIFICATION_LIMIT_BREACH:
        return ERR_XML_ENTITY;
    case XML_ERROR_NO_ELEMENTS:
    case XML_ERROR_UNCLOSED_TOKEN:
    case XML_ERROR_UNCLOSED_CDATA_SECTION:
        return ERR_XML_CUT_OFF;
    case XML_ERROR_PARTIAL_CHAR:
        return x->is_utf8 ? ERR_UTF8 : ERR_XML_ENCODING;
    case XML_ERROR_INVALID_TOKEN:
        if (x->has_root && x->depth == 0) break;
        if (offset < x->fed && (unsigned char)*walk_at(x->walk, offset) >= 0x80) return x->is_utf8 ? ERR_UTF8 : ERR_XML_ENCODING;
        break;
    default:
        break;
    }
    return ERR_XML_SYNTAX;
}

static result parse(struct xml_walker *x, uint64_t end, bool is_final)
{
    slice bytes = walk_raw(x->walk, x->fed, end);
    xml_memory_enter(&x->memory);
    enum XML_Status status = XML_Parse(x->parser, bytes.at, (int)bytes.len, is_final);
    xml_memory_leave();
    x->fed = end;
    if (x->stopped) return xml_fault(x, x->stopped, x->stopped_at);
    if (status == XML_STATUS_OK) return OK;
    uint64_t at = error_at(x);
    return xml_fault(x, error_of(x, at), at);
}

static result parse_up_to(struct xml_walker *x, uint64_t end)
{
    enum { STEP_BYTES = 1 << 30 }; /* expat counts in ints */
    if (x->is_failed) return (result){x->walk->fault.err};
    while (x->fed < end) TRY(parse(x, end - x->fed > STEP_BYTES ? x->fed + STEP_BYTES : end, false));
    return OK;
}

/* expat reads a tag or comment that came in part again from its start when more comes (its own cure, since 2.6, is not in every
 * Debian). A large one in tiny pieces would cost the square of its length, so we wait until as much has come as there was. */
static bool is_worth_it(const struct xml_walker *x, uint64_t end)
{
    return end - x->fed >= x->fed - x->event_end;
}

result xml_walker_feed(struct xml_walker *x, bool all)
{
    uint64_t end = walk_end(x->walk);
    if (!x->is_started && end - x->origin < FIRST_BYTES && !all) return OK;
    if (!x->is_started) TRY(start(x));
    return all || is_worth_it(x, end) ? parse_up_to(x, end) : OK;
}

result xml_walker_end(struct xml_walker *x)
{
    TRY(xml_walker_feed(x, true));
    TRY(parse(x, walk_end(x->walk), true));
    return x->depth == 0 ? OK : xml_fault(x, ERR_XML_CUT_OFF, x->fed);
}

uint64_t xml_walker_sure(const struct xml_walker *x)
{
    return x->depth == 0 ? x->event_end : x->piece_start;
}

/* --- making it --- */

static bool set_parser(struct xml_walker *x)
{
    unsigned long salt = 0; /* so that nobody can choose names that fall into one bucket of expat's tables */
    if (getrandom(&salt, sizeof salt, 0) != (ssize_t)sizeof salt) return false;
    XML_Parser p = x->parser;
    XML_SetUserData(p, x);
    XML_SetElementHandler(p, on_start, on_end);
    XML_SetCharacterDataHandler(p, on_text);
    XML_SetCdataSectionHandler(p, on_cdata_start, on_cdata_end);
    XML_SetCommentHandler(p, on_comment);
    XML_SetProcessingInstructionHandler(p, on_instruction);
    XML_SetXmlDeclHandler(p, on_declaration);
    XML_SetStartDoctypeDeclHandler(p, on_doctype);
    XML_SetEntityDeclHandler(p, on_entity_declaration);
    XML_SetSkippedEntityHandler(p, on_skipped_entity);
    /* No declaration is read, so nothing can be amplified; if one were, these would end it: twice the input, from 64 KiB on. */
    return XML_SetHashSalt(p, salt | 1) && XML_SetParamEntityParsing(p, XML_PARAM_ENTITY_PARSING_NEVER) &&
           XML_SetBillionLaughsAttackProtectionMaximumAmplification(p, 2) &&
           XML_SetBillionLaughsAttackProtectionActivationThreshold(p, 64 * 1024);
}

struct xml_walker *xml_walker_new(struct walk *w)
{
    const struct plan *plan = w->plan;
    bool has_paths = plan->paths && path_set_count(plan->paths) > 0;
    size_t words = has_paths ? path_set_words(plan->paths) : 0, sets = words * (XML_MAX_DEPTH + 2);
    struct xml_walker *x = malloc(sizeof *x + sets * sizeof(uint64_t));
    if (!x) return NULL;
    memset(x, 0, sizeof *x);
    x->walk = w;
    x->origin = x->fed = x->event_end = w->base;
    x->words = words;
    x->levels[0].is_live = has_paths;
    if (has_paths) path_match_root(plan->paths, state_of(x, 0));
    size_t held = w->held.max < SIZE_MAX / MEMORY_TIMES_HELD / 2 ? w->held.max : SIZE_MAX / MEMORY_TIMES_HELD / 2;
    x->memory = (struct xml_memory){.max = MEMORY_FIXED_BYTES + held * MEMORY_TIMES_HELD, .is_secret = w->finder != NULL};
    (w->finder ? buf_init_secret : buf_init)(&x->text, held * 2); /* a byte of ISO-8859-1 is at most two */
    xml_memory_enter(&x->memory);
    x->parser = XML_ParserCreate_MM(NULL, &xml_memory_functions, NULL);
    bool made = x->parser && set_parser(x);
    xml_memory_leave();
    if (made) return x;
    xml_walker_free(x);
    return NULL;
}

void xml_walker_free(struct xml_walker *x)
{
    if (!x) return;
    if (x->parser) XML_ParserFree(x->parser);
    buf_done(&x->text);
    free(x);
}
