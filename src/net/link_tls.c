/* SPDX-License-Identifier: Apache-2.0 */
#include "link_priv.h"

#include <openssl/err.h>

/* One call of link_tls_write makes at most that many bytes into records, so that a fast reader cannot hold the turn. */
enum { WRITE_BURST_BYTES = 256 * 1024 };

/* What an SSL call that returned <code> waits for. The error queue was empty before the call; without that SSL_get_error()
 * may report another connection's failure (SSL_get_error(3)). */
static enum link_io_status status_of(struct link *l, int code)
{
    switch (SSL_get_error(l->ssl, code)) {
    case SSL_ERROR_WANT_READ:
        return LINK_IO_WANTS_READ;
    case SSL_ERROR_WANT_WRITE:
        return LINK_IO_WANTS_WRITE;
    case SSL_ERROR_ZERO_RETURN: /* close_notify, and only that: a bare FIN is "unexpected eof", a fatal error */
        return LINK_IO_END;
    default:
        l->tls_dead = true;
        l->tls_error = ERR_peek_error();
        l->verify_error = SSL_get_verify_result(l->ssl);
        ERR_clear_error();
        return LINK_IO_BROKEN;
    }
}

enum link_io_status link_tls_handshake(struct link *l)
{
    ERR_clear_error();
    int code = SSL_do_handshake(l->ssl);
    return code == 1 ? LINK_IO_DONE : status_of(l, code);
}

struct link_io link_tls_read(struct link *l, char *at, size_t room)
{
    struct link_io got = {0, LINK_IO_MORE};
    while (got.bytes < room) {
        size_t n = 0;
        ERR_clear_error();
        int code = SSL_read_ex(l->ssl, at + got.bytes, room - got.bytes, &n);
        if (code != 1) {
            got.status = status_of(l, code);
            if (got.status == LINK_IO_WANTS_READ) got.status = LINK_IO_DONE;
            return got;
        }
        got.bytes += n;
        /* Nothing decrypted and nothing undecrypted inside: the kernel knows of all that is left. SSL_pending() would not do:
         * it does not count records that were read ahead. */
        if (!SSL_has_pending(l->ssl)) {
            got.status = LINK_IO_DONE;
            return got;
        }
    }
    return got;
}

struct link_io link_tls_write(struct link *l, slice bytes)
{
    struct link_io put = {0, LINK_IO_DONE};
    while (put.bytes < bytes.len) {
        size_t n = 0;
        if (put.bytes >= WRITE_BURST_BYTES) return (struct link_io){put.bytes, LINK_IO_WANTS_WRITE};
        ERR_clear_error();
        int code = SSL_write_ex(l->ssl, bytes.at + put.bytes, bytes.len - put.bytes, &n);
        if (code != 1) {
            put.status = status_of(l, code);
            if (put.status == LINK_IO_END) put.status = LINK_IO_BROKEN;
            return put;
        }
        put.bytes += n;
    }
    return put;
}

enum link_io_status link_tls_close_notify(struct link *l)
{
    if (l->tls_dead || !SSL_is_init_finished(l->ssl)) return LINK_IO_DONE;
    ERR_clear_error();
    int code = SSL_shutdown(l->ssl); /* 0: ours is sent; whether the peer's comes is not waited for */
    return code >= 0 ? LINK_IO_DONE : status_of(l, code);
}
