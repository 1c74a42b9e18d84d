/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/shop.h"

bool shop_takes(slice path)
{
    return slice_starts(path, SLICE("/shop/"));
}

result shop_handle(const struct sandbox_request *q, struct sandbox_answer *a)
{
    bool is_xml = request_has_content_type(q, "text/xml") || request_has_content_type(q, "application/xml");
    a->status = slice_is(q->head->method, "POST") ? 200 : 405;
    if (a->status == 405) return buf_append(&a->body, SLICE("{\"error\":\"the simulated shop takes POST only\"}"));
    if (!is_xml) return buf_append(&a->body, SLICE("{\"received\":true}"));
    a->content_type = "text/xml; charset=utf-8";
    return buf_append(&a->body, SLICE("<OTA_HotelResNotifRS xmlns=\"http://www.opentravel.org/OTA/2003/05\"><Success/></OTA_HotelResNotifRS>"));
}
