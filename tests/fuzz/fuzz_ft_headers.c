/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the value of ft-headers. What is taken of them writes a message whose reader finds these fields, all of them, each once,
 * and nothing else: no name or value can end a line or frame the message. */
#include "base/buf.h"
#include "http/reader.h"
#include "http/writer.h"
#include "proxy/ft_headers.h"

#include <stdlib.h>

enum { MESSAGE_MAX_BYTES = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) abort();
}

static void write_message(const struct ft_headers *h, struct buf *out)
{
    require(!failed(http_write_request_line(out, SLICE("GET"), SLICE("/"))) && !failed(http_write_field(out, SLICE("host"), SLICE("a.example"))));
    for (size_t i = 0; i < h->count; i++) require(!failed(http_write_field(out, h->fields[i].name, h->fields[i].value)));
    require(!failed(http_write_end_of_head(out)));
}

static void check_read_again(const struct ft_headers *h)
{
    const struct http_limits limits = {.head_bytes = MESSAGE_MAX_BYTES, .fields = FT_HEADERS_MAX + 2};
    struct http_reader *reader = http_reader_new(HTTP_REQUESTS, &limits);
    struct buf message;
    size_t used = 0;
    require(reader != NULL);
    buf_init(&message, MESSAGE_MAX_BYTES);
    write_message(h, &message);
    require(http_reader_feed(reader, buf_slice(&message), &used) == HTTP_HEAD);
    const struct http_head *head = http_reader_head(reader);
    require(used == message.len && head->framing == HTTP_NO_BODY && head->field_count == h->count);
    for (size_t i = 0; i < h->count; i++)
        require(slice_eq(head->fields[i].name, h->fields[i].name) && slice_eq(head->fields[i].value, h->fields[i].value));
    buf_done(&message);
    http_reader_free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pool *pool = pool_new(MESSAGE_MAX_BYTES);
    struct ft_headers h;
    require(pool != NULL);
    result r = ft_headers_read((slice){(const char *)data, size}, pool, &h);
    if (failed(r)) {
        bool is_of_text = r.err >= ERR_FT_HEADERS_JSON && r.err <= ERR_FT_HEADERS_COUNT;
        require(is_of_text || r.err == ERR_TOO_LARGE || r.err == ERR_MEMORY);
    } else {
        require(!h.blamed.at && h.count <= FT_HEADERS_MAX);
        check_read_again(&h);
    }
    pool_free(pool);
    return 0;
}
