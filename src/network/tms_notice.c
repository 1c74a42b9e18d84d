/* SPDX-License-Identifier: Apache-2.0 */
#include "tms_priv.h"

#include "base/ascii.h"
#include "base/log.h"
#include "json.h"
#include "sign/cybersource.h"

/* --- what is signed --- */

static result take_payload(void *owner, size_t path, slice bytes)
{
    (void)path;
    *(slice *)owner = bytes;
    return OK;
}

/* The bytes of the payload member as they came. */
static result find_payload(slice body, slice *out)
{
    static const char *const paths[] = {"payload{}"};
    *out = SLICE_NONE;
    TRY(json_take(body, paths, 1, take_payload, out));
    ENSURE(out->len, NETWORK_ANSWER);
    return OK;
}

/* JSON without the white space between its tokens: what a sender signs who writes the member anew. */
static result write_compact(slice json, struct buf *out)
{
    bool in_string = false;
    size_t from = 0;
    for (size_t i = 0; i < json.len; i++) {
        if (in_string && json.at[i] == '\\') {
            i++; /* whatever is escaped, it ends no string; valid JSON has it */
        } else if (json.at[i] == '"') {
            in_string = !in_string;
        } else if (!in_string && ascii_is_white(json.at[i])) {
            TRY(buf_append(out, slice_range(json, from, i)));
            from = i + 1;
        }
    }
    return buf_append(out, slice_after(json, from));
}

static bool matches_compact(const struct cybersource_notice_signature *s, slice key, slice payload)
{
    struct buf compact;
    buf_init(&compact, payload.len);
    bool yes = !failed(write_compact(payload, &compact)) && cybersource_notice_matches(s, key, buf_slice(&compact));
    buf_done(&compact);
    return yes;
}

/* Where the configuration has pinned nothing, the log says what to pin: once for each form. */
static void tell_form(struct tms *t, enum notice_signs form)
{
    if (t->connector.config->notice_signs != NOTICE_SIGNS_EITHER || t->notice_told >> form & 1) return;
    t->notice_told |= 1U << form;
    log_begin(LOG_LEVEL_WARN, "network_notice");
    log_word("network", t->connector.config->name);
    log_text("signed", form == NOTICE_SIGNS_BODY ? "body" : "payload");
    log_text("reason",
             form == NOTICE_SIGNS_BODY
                 ? "this network signs the whole body; pin it in its configuration: notice.signs: body"
                 : "this network signs the payload member; pin it in its configuration: notice.signs: payload");
    log_end();
}

static result check_signature(struct tms *t, const struct cybersource_notice_signature *s, slice body, slice *payload)
{
    enum notice_signs form = t->connector.config->notice_signs;
    slice key = buf_slice(&t->notice_key);
    if (form != NOTICE_SIGNS_PAYLOAD && cybersource_notice_matches(s, key, body)) {
        tell_form(t, NOTICE_SIGNS_BODY);
        result found = find_payload(body, payload);
        if (failed(found)) *payload = SLICE_NONE; /* genuine all the same: it speaks of nobody */
        return found.err == ERR_MEMORY ? found : OK;
    }
    ENSURE(form != NOTICE_SIGNS_BODY, SIGNATURE_WRONG);
    result found = find_payload(body, payload);
    ENSURE(found.err != ERR_MEMORY, MEMORY);
    ENSURE(!failed(found), SIGNATURE_WRONG); /* nobody vouches for what cannot even be read */
    ENSURE(cybersource_notice_matches(s, key, *payload) || matches_compact(s, key, *payload), SIGNATURE_WRONG);
    tell_form(t, NOTICE_SIGNS_PAYLOAD);
    return OK;
}

/* --- when --- */

/* The sources disagree on what the time in the signature is: the notification's, or that of the key. An old one played back can do no
 * more than have a state read back, so a network of the second kind may be let off. */
static result check_age(const struct tms *t, slice time_ms, int64_t now_ms)
{
    uint64_t at;
    ENSURE(slice_to_u64(time_ms, INT64_MAX, &at), SIGNATURE_FORMAT);
    int64_t age_ms = now_ms - (int64_t)at; /* neither is below zero */
    if (t->connector.config->notice_any_time) return OK;
    if (age_ms <= TMS_NOTICE_AGE_MS && age_ms >= -TMS_NOTICE_AGE_MS) return OK;
    log_begin(LOG_LEVEL_WARN, "network_notice");
    log_word("network", t->connector.config->name);
    log_text("reason", "rightly signed, but its time is more than ten minutes from this clock: an old one played back, "
                       "or a wrong clock; if every one is so, this network signs another time: notice.any_time: yes");
    log_i64("age_ms", age_ms);
    log_end();
    return FAIL(SIGNATURE_WRONG);
}

/* --- which tokens --- */

struct found {
    struct network_ref *refs;
    size_t room, count;
    bool has_more, has_unreadable;
};

static bool has(const struct found *f, const struct network_ref *ref)
{
    for (size_t i = 0; i < f->count; i++)
        if (slice_eq(network_ref_slice(&f->refs[i]), network_ref_slice(ref))) return true;
    return false;
}

static result add_ref(void *owner, size_t path, slice value)
{
    struct found *f = owner;
    struct network_ref ref;
    slice rest = value, segment = value;
    bool is_link = path % 2 == 1;
    while (is_link && slice_next(&rest, '/', &segment))
        continue; /* the last segment of its path */
    if (!network_ref_from(segment, &ref))
        f->has_unreadable = true;
    else if (has(f, &ref))
        return OK;
    else if (f->count == f->room)
        f->has_more = true;
    else
        f->refs[f->count++] = ref;
    return OK;
}

/* An object, or an array of such: both have been seen. Every second one is a link. */
static const char *const ref_paths[] = {"data.id", "data._links.instrumentIdentifiers.[].href", "[].data.id",
                                        "[].data._links.instrumentIdentifiers.[].href"};

static void tell_lack(const struct tms *t, const struct found *f)
{
    if (f->count && !f->has_more && !f->has_unreadable) return;
    log_begin(LOG_LEVEL_WARN, "network_notice");
    log_word("network", t->connector.config->name);
    log_u64("read_back", f->count);
    log_text("reason",
             f->has_more         ? "genuine, but it names more tokens than one may: the states of the first are read back"
             : f->has_unreadable ? "genuine, but not all of it could be read: the states of the tokens found in it are read back"
                                 : "genuine, but it names no token: no state is read back");
    log_end();
}

/* A genuine one is taken, whatever stands in it: to be told it again would change nothing. */
static result read_names(const struct tms *t, slice payload, struct found *f)
{
    result r = payload.len ? json_take(payload, ref_paths, sizeof ref_paths / sizeof ref_paths[0], add_ref, f) : OK;
    ENSURE(r.err != ERR_MEMORY, MEMORY);
    f->has_unreadable |= failed(r);
    tell_lack(t, f);
    return OK;
}

result tms_notice(struct tms *t, slice field, slice body, int64_t now_ms, struct network_ref *refs, size_t room,
                  size_t *count)
{
    struct cybersource_notice_signature s;
    slice payload;
    slice key_id = t->connector.config->notice_key_id;
    struct found found = {.refs = refs, .room = room};
    *count = 0;
    ENSURE(t->notice_key.len, SIGNATURE_WRONG);
    TRY(cybersource_notice_parse(field, &s));
    ENSURE(!key_id.len || slice_eq(key_id, s.key_id), SIGNATURE_WRONG);
    TRY(check_signature(t, &s, body, &payload));
    TRY(check_age(t, s.time_ms, now_ms));
    TRY(read_names(t, payload, &found));
    *count = found.count;
    return OK;
}
