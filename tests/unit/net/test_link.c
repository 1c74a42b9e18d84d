/* SPDX-License-Identifier: Apache-2.0 */
/* Plain links: bytes, back-pressure, ends, deadlines. tests/unit/net/test_link_tls.c has the same over TLS. */
#include "../../../src/net/link_priv.h"
#include "tools.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static struct loop *loop;
static struct owner owner;
static struct link *link_; /* link() is unistd.h's */
static int peer;
static char large[4 * 1024 * 1024];

static void start(void)
{
    int ends[2];
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof large; i++) large[i] = (char)(i * 7 + i / 251);
    loop = loop_new();
    owner_init(&owner);
    tcp_pair(ends);
    peer = ends[0];
    link_ = link_accept(loop, ends[1], NULL, 0, on_link, &owner);
    ck_assert_ptr_nonnull(link_);
    TURN_UNTIL(loop, owner.count[LINK_CONNECTED] == 1);
}

static void finish(void)
{
    link_end(link_, LINK_END_ABORT);
    if (peer != -1) close(peer);
    owner_done(&owner);
    loop_free(loop);
}

static void send_all(const char *at, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = write(peer, at + done, len - done);
        if (n > 0) done += (size_t)n;
        if (done < len) turn(loop);
    }
}

static void few_turns(void)
{
    for (int i = 0; i < 10; i++) turn(loop);
}

START_TEST(bytes_both_ways)
{
    char got[16];
    start();
    send_all("ping", 4);
    TURN_UNTIL(loop, owner.got.len == 4);
    ck_assert(slice_is(buf_slice(&owner.got), "ping"));
    ck_assert_uint_eq(link_received_total(link_), 4);
    ck_assert(!failed(link_write(link_, SLICE("po"))));
    ck_assert(!failed(buf_append(link_output(link_), SLICE("ng"))));
    link_flush(link_);
    ck_assert_uint_eq(link_sent_total(link_), 4);
    ck_assert_uint_eq(link_unsent(link_), 0);
    ck_assert_uint_eq(read_some(peer, got, sizeof got), 4); /* at once: no turn in between */
    ck_assert_mem_eq(got, "pong", 4);
    ck_assert_str_eq(owner.order, "CR");
    ck_assert(link_is_alive(link_) && !link_is_tls(link_));
    ck_assert_int_eq(link_peer(link_)->sa_family, AF_INET);
    finish();
}
END_TEST

START_TEST(an_idle_link_holds_no_buffer)
{
    char got[8192];
    start();
    send_all(large, 5000);
    TURN_UNTIL(loop, owner.got.len == 5000);
    ck_assert(!failed(link_write(link_, (slice){large, 5000})));
    ck_assert_uint_eq(read_some(peer, got, sizeof got), 5000);
    ck_assert_ptr_null(link_->in.at);
    ck_assert_ptr_null(link_->out.at);
    ck_assert(link_->view.len == 0);
    finish();
}
END_TEST

START_TEST(nothing_stays_in_shared_memory)
{
    start();
    send_all(large + 1, 3000);
    TURN_UNTIL(loop, owner.got.len == 3000);
    const char *scratch = loop_scratch(loop);
    for (size_t i = 0; i < LOOP_SCRATCH_BYTES; i++) ck_assert_int_eq(scratch[i], 0);
    ck_assert(!failed(link_write(link_, (slice){large + 1, 3000})));
    struct buf *b = link_output(link_); /* the one that was given back */
    ck_assert_uint_ge(b->cap, 3000);
    for (size_t i = 0; i < b->cap; i++) ck_assert_int_eq(b->at[i], 0);
    link_flush(link_);
    ck_assert_ptr_null(link_->out.at);
    finish();
}
END_TEST

/* facts: bufferevent stalled for ever here over TLS; the plain link must pass the same test. */
START_TEST(slow_consumer_that_pauses_at_each_step)
{
    start();
    owner.take_at_most = 1000;
    owner.pause_each_time = true;
    send_all(large, 16000);
    for (int i = 0; i < 200 && owner.got.len < 16000; i++) {
        turn(loop);
        link_resume(link_);
    }
    ck_assert_uint_eq(owner.got.len, 16000);
    ck_assert_mem_eq(owner.got.at, large, 16000);
    finish();
}
END_TEST

START_TEST(left_input_is_kept_and_told_once)
{
    start();
    owner.leave_input = true;
    send_all("abc", 3);
    TURN_UNTIL(loop, owner.count[LINK_READABLE] == 1);
    few_turns();
    ck_assert_uint_eq(owner.count[LINK_READABLE], 1);
    send_all("def", 3);
    TURN_UNTIL(loop, owner.count[LINK_READABLE] == 2);
    ck_assert(slice_is(link_input(link_), "abcdef"));
    link_consume(link_, 2);
    ck_assert(slice_is(link_input(link_), "cdef"));
    send_all("ghi", 3);
    TURN_UNTIL(loop, owner.count[LINK_READABLE] == 3);
    ck_assert(slice_is(link_input(link_), "cdefghi"));
    link_consume(link_, 7);
    ck_assert_uint_eq(link_input(link_).len, 0);
    ck_assert_ptr_null(link_->in.at);
    finish();
}
END_TEST

START_TEST(resume_gives_what_was_kept)
{
    start();
    owner.leave_input = true;
    send_all("abc", 3);
    TURN_UNTIL(loop, owner.count[LINK_READABLE] == 1);
    link_pause(link_);
    send_all("def", 3);
    few_turns();
    ck_assert_uint_eq(owner.count[LINK_READABLE], 1);
    owner.leave_input = false;
    link_resume(link_);
    ck_assert_uint_eq(owner.count[LINK_READABLE], 1); /* never from inside the call */
    TURN_UNTIL(loop, owner.got.len == 6);
    ck_assert(slice_is(buf_slice(&owner.got), "abcdef"));
    finish();
}
END_TEST

START_TEST(reading_stops_at_the_input_limit)
{
    size_t sent = 0;
    start();
    owner.leave_input = true;
    for (int i = 0; i < 300; i++) {
        ssize_t n = write(peer, large + sent % 65536, 65536 - sent % 65536);
        if (n > 0) sent += (size_t)n;
        turn(loop);
    }
    size_t kept = link_input(link_).len;
    ck_assert_uint_ge(kept, LINK_INPUT_MAX_BYTES);
    ck_assert_uint_lt(kept, LINK_INPUT_MAX_BYTES + LOOP_SCRATCH_BYTES);
    ck_assert_uint_lt(kept, sent); /* the kernel holds the rest, and the peer waits */
    owner.leave_input = false;
    slice in = link_input(link_);
    ck_assert(!failed(buf_append(&owner.got, in)));
    link_consume(link_, in.len);
    TURN_UNTIL(loop, owner.got.len == sent);
    /* In blocks: each assertion writes to a file, and a kernel with large buffers takes megabytes. */
    for (size_t i = 0; i < sent; i += 65536) ck_assert_mem_eq(owner.got.at + i, large, sent - i < 65536 ? sent - i : 65536);
    finish();
}
END_TEST

START_TEST(slow_reader_holds_the_writer)
{
    static char got[65536];
    size_t read_so_far = 0;
    start();
    ck_assert(!failed(link_write(link_, (slice){large, sizeof large})));
    ck_assert_uint_gt(link_unsent(link_), LINK_LOW_WATER_BYTES);
    few_turns();
    ck_assert_uint_eq(owner.count[LINK_WRITABLE], 0);
    ck_assert_uint_eq(link_unsent(link_) + link_sent_total(link_), sizeof large);
    for (int i = 0; i < 100000 && read_so_far < sizeof large; i++) {
        size_t n = read_some(peer, got, i % 3 ? 4000 : sizeof got);
        ck_assert_mem_eq(got, large + read_so_far, n);
        read_so_far += n;
        if (n == 0) turn(loop);
    }
    ck_assert_uint_eq(read_so_far, sizeof large);
    TURN_UNTIL(loop, owner.count[LINK_WRITABLE] == 1);
    ck_assert_uint_eq(link_unsent(link_), 0);
    ck_assert_ptr_null(link_->out.at);
    few_turns();
    ck_assert_uint_eq(owner.count[LINK_WRITABLE], 1);
    finish();
}
END_TEST

START_TEST(appending_while_the_kernel_is_full)
{
    static char got[65536];
    size_t total = 0, want = 0;
    start();
    for (int i = 0; i < 40; i++) {
        ck_assert(!failed(link_write(link_, (slice){large + want % 1000000, 100003})));
        want += 100003;
    }
    ck_assert_uint_gt(link_unsent(link_), 0);
    size_t from = 0, at = 0;
    for (int i = 0; i < 100000 && total < want; i++) {
        size_t n = read_some(peer, got, sizeof got), good = 0;
        for (size_t k = 0; k < n; k++) {
            good += got[k] == large[from % 1000000 + at];
            if (++at == 100003) {
                at = 0;
                from += 100003;
            }
        }
        ck_assert_uint_eq(good, n); /* once a read: an assertion for each of four million bytes takes too long */
        total += n;
        turn(loop);
    }
    ck_assert_uint_eq(total, want);
    finish();
}
END_TEST

/* facts 5.2, the rows for a plain link. */
START_TEST(fin_is_a_clean_end_and_leaves_writing)
{
    char got[64];
    start();
    send_all("last", 4);
    ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
    TURN_UNTIL(loop, owner.count[LINK_CLOSED] == 1);
    ck_assert_str_eq(owner.order, "CRc");
    ck_assert(slice_is(buf_slice(&owner.got), "last"));
    ck_assert(!link_is_alive(link_));
    few_turns(); /* an end that is level-triggered must not be told again */
    ck_assert(!failed(link_write(link_, SLICE("answer"))));
    ck_assert_uint_eq(read_some(peer, got, sizeof got), 6);
    link_end(link_, LINK_END_FLUSH);
    ck_assert_int_eq(link_->state, LINK_STATE_GONE); /* the peer has ended: no lingering */
    link_ = NULL;
    turn(loop);
    ck_assert(at_end(peer));
    ck_assert_str_eq(owner.order, "CRc");
    finish();
}
END_TEST

START_TEST(a_reset_is_a_cut)
{
    start();
    reset_peer(peer);
    peer = -1;
    TURN_UNTIL(loop, owner.count[LINK_CUT_OFF] == 1);
    ck_assert_str_eq(owner.order, "Cx");
    ck_assert(!link_is_alive(link_));
    ck_assert(!failed(link_write(link_, SLICE("into the void"))));
    ck_assert_uint_eq(link_unsent(link_), 0);
    few_turns();
    ck_assert_str_eq(owner.order, "Cx");
    finish();
}
END_TEST

START_TEST(a_failed_write_is_a_cut_told_later)
{
    start();
    link_pause(link_); /* so that only writing can notice */
    send_all("x", 1);
    few_turns();
    reset_peer(peer);
    peer = -1;
    turn(loop);
    ck_assert(!failed(link_write(link_, SLICE("answer"))));
    ck_assert_uint_eq(owner.count[LINK_CUT_OFF], 0);
    ck_assert(!link_is_alive(link_));
    TURN_UNTIL(loop, owner.count[LINK_CUT_OFF] == 1);
    finish();
}
END_TEST

/* An answer that was sent before the peer closed on our unfinished request must still be read. */
START_TEST(an_early_answer_is_read_though_writing_fails)
{
    start();
    send_all("HTTP/1.1 413\r\n", 14);
    ck_assert_int_eq(shutdown(peer, SHUT_RD), 0);
    close(peer);
    peer = -1;
    for (int i = 0; i < 20 && !link_->write_failed; i++) {
        ck_assert(!failed(link_write(link_, (slice){large, 100000})));
        usleep(1000); /* no turn: the link does not know yet that there is an answer */
    }
    TURN_UNTIL(loop, owner.count[LINK_CUT_OFF] + owner.count[LINK_CLOSED] == 1);
    ck_assert(slice_is(buf_slice(&owner.got), "HTTP/1.1 413\r\n"));
    finish();
}
END_TEST

START_TEST(an_end_waits_for_a_paused_owner)
{
    start();
    owner.take_at_most = 1;
    owner.pause_each_time = true;
    send_all("abc", 3);
    ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
    few_turns();
    ck_assert_str_eq(owner.order, "CR");
    owner.take_at_most = 0;
    owner.pause_each_time = false;
    link_resume(link_);
    TURN_UNTIL(loop, owner.count[LINK_CLOSED] == 1);
    ck_assert(slice_is(buf_slice(&owner.got), "abc"));
    finish();
}
END_TEST

static void end_on_event(void *arg, struct link *l, enum link_event e)
{
    struct owner *o = arg;
    o->count[e]++;
    if (e == (enum link_event)o->take_at_most) {
        link_end(l, o->leave_input ? LINK_END_ABORT : LINK_END_FLUSH);
        link_ = NULL;
    }
}

/* Ending a link inside any of its callbacks is safe, and nothing is told after. Sanitizers watch. */
START_TEST(ending_inside_callbacks)
{
    static const enum link_event events[] = {LINK_READABLE, LINK_WRITABLE, LINK_CLOSED, LINK_CUT_OFF, LINK_TIMED_OUT};
    for (size_t i = 0; i < 2 * sizeof events / sizeof *events; i++) {
        start();
        memset(owner.count, 0, sizeof owner.count);
        link_set_owner(link_, end_on_event, &owner);
        owner.take_at_most = events[i / 2];
        owner.leave_input = i % 2;
        if (events[i / 2] == LINK_WRITABLE) {
            ck_assert(!failed(link_write(link_, (slice){large, sizeof large})));
        } else {
            send_all("abc", 3);
        }
        if (events[i / 2] == LINK_CLOSED) shutdown(peer, SHUT_WR);
        if (events[i / 2] == LINK_CUT_OFF) {
            turn(loop);
            turn(loop);
            reset_peer(peer);
            peer = -1;
        }
        if (events[i / 2] == LINK_TIMED_OUT) link_set_deadline(link_, 3);
        for (int k = 0; k < 3000 && link_; k++) {
            static char got[65536];
            if (events[i / 2] == LINK_WRITABLE) (void)read_some(peer, got, sizeof got);
            turn(loop);
        }
        ck_assert_ptr_null(link_);
        unsigned told = 0;
        for (size_t k = 0; k < sizeof owner.count / sizeof *owner.count; k++) told += owner.count[k];
        few_turns();
        for (size_t k = 0; k < sizeof owner.count / sizeof *owner.count; k++) told -= owner.count[k];
        ck_assert_uint_eq(told, 0);
        finish();
    }
}
END_TEST

START_TEST(end_delivers_every_byte_to_a_slow_reader)
{
    static char got[30000];
    size_t done = 0;
    start();
    ck_assert(!failed(link_write(link_, (slice){large, sizeof large})));
    link_end(link_, LINK_END_FLUSH);
    link_ = NULL;
    while (!at_end(peer)) {
        size_t n = read_some(peer, got, sizeof got);
        ck_assert_uint_le(done + n, sizeof large);
        ck_assert_mem_eq(got, large + done, n);
        done += n;
        turn(loop);
    }
    ck_assert_uint_eq(done, sizeof large);
    finish();
}
END_TEST

/* RFC 9112 9.6: the answer to a request that was not read whole must not be lost to a reset. */
START_TEST(end_lingers_for_what_the_peer_still_sends)
{
    char got[64];
    start();
    link_pause(link_);
    send_all(large, 100000);
    ck_assert(!failed(link_write(link_, SLICE("HTTP/1.1 413\r\n"))));
    link_end(link_, LINK_END_FLUSH);
    struct link *ended = link_;
    link_ = NULL;
    send_all(large, 100000);
    few_turns();
    ck_assert_int_eq(ended->state, LINK_STATE_LINGERING);
    ck_assert_uint_eq(read_some(peer, got, sizeof got), 14);
    ck_assert(at_end(peer));
    close(peer);
    peer = -1;
    unsigned before = open_descriptors();
    TURN_UNTIL(loop, open_descriptors() < before);
    finish();
}
END_TEST

START_TEST(lingering_is_short)
{
    start();
    link_end(link_, LINK_END_FLUSH); /* the peer neither sends nor ends */
    link_ = NULL;
    unsigned before = open_descriptors();
    TURN_UNTIL(loop, open_descriptors() < before);
    finish();
}
END_TEST

START_TEST(a_lingering_link_dies_with_the_loop)
{
    start();
    ck_assert(!failed(link_write(link_, (slice){large, sizeof large})));
    link_end(link_, LINK_END_FLUSH);
    link_ = NULL;
    finish(); /* LeakSanitizer tells */
}
END_TEST

START_TEST(abort_resets)
{
    start();
    ck_assert(!failed(link_write(link_, (slice){large, sizeof large})));
    link_end(link_, LINK_END_ABORT);
    link_ = NULL;
    ck_assert_uint_gt(recv(peer, large, sizeof large, 0) >= 0 ? 1 : errno == ECONNRESET, 0);
    for (ssize_t n = 1; n > 0;) n = recv(peer, large, sizeof large, 0);
    ck_assert_int_eq(errno, ECONNRESET);
    finish();
}
END_TEST

START_TEST(deadlines)
{
    start();
    uint64_t began = loop_now_ms(loop);
    link_set_deadline(link_, 5);
    link_set_deadline(link_, 40);
    TURN_UNTIL(loop, owner.count[LINK_TIMED_OUT] == 1);
    ck_assert_uint_ge(loop_now_ms(loop), began + 40);
    ck_assert(link_is_alive(link_)); /* the owner decides */
    link_set_deadline(link_, 1);
    link_set_deadline(link_, 0);
    few_turns();
    ck_assert_uint_eq(owner.count[LINK_TIMED_OUT], 1);
    link_set_deadline(link_, 3600000);
    link_set_deadline(link_, 5);
    TURN_UNTIL(loop, owner.count[LINK_TIMED_OUT] == 2);
    finish();
}
END_TEST

START_TEST(setting_a_deadline_often_costs_no_rearming)
{
    start();
    link_set_deadline(link_, 10000);
    uint64_t armed = link_->timer.armed_ms;
    for (int i = 0; i < 1000; i++) link_set_deadline(link_, 10000 + (uint64_t)i);
    ck_assert_uint_eq(link_->timer.armed_ms, armed);
    finish();
}
END_TEST

START_TEST(a_loud_link_leaves_the_others_their_turn)
{
    int ends[2];
    struct owner quiet;
    start();
    owner_init(&quiet);
    tcp_pair(ends);
    struct link *other = link_accept(loop, ends[1], NULL, 0, on_link, &quiet);
    for (int i = 0; i < 20; i++)
        if (write(peer, large, 200000) == -1) break; /* the kernel is full: loud enough */
    ck_assert_int_eq(write(ends[0], "me too", 6), 6);
    turn(loop);
    turn(loop);
    turn(loop);
    ck_assert_uint_eq(quiet.got.len, 6);
    ck_assert_uint_le(owner.got.len, 3 * LOOP_SCRATCH_BYTES);
    link_end(other, LINK_END_ABORT);
    close(ends[0]);
    owner_done(&quiet);
    finish();
}
END_TEST

START_TEST(names_of_events)
{
    for (int e = LINK_CONNECTED; e <= LINK_TIMED_OUT; e++) ck_assert_ptr_nonnull(link_event_name((enum link_event)e));
    ck_assert_str_eq(link_event_name(LINK_CUT_OFF), "cut_off");
}
END_TEST

RUN_TESTS("link", bytes_both_ways, an_idle_link_holds_no_buffer, nothing_stays_in_shared_memory,
          slow_consumer_that_pauses_at_each_step, left_input_is_kept_and_told_once, resume_gives_what_was_kept,
          reading_stops_at_the_input_limit, slow_reader_holds_the_writer, appending_while_the_kernel_is_full,
          fin_is_a_clean_end_and_leaves_writing, a_reset_is_a_cut, a_failed_write_is_a_cut_told_later,
          an_early_answer_is_read_though_writing_fails, an_end_waits_for_a_paused_owner, ending_inside_callbacks,
          end_delivers_every_byte_to_a_slow_reader, end_lingers_for_what_the_peer_still_sends, lingering_is_short,
          a_lingering_link_dies_with_the_loop, abort_resets, deadlines, setting_a_deadline_often_costs_no_rearming,
          a_loud_link_leaves_the_others_their_turn, names_of_events)
