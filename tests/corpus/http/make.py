#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the refusal corpus: one file per case, in this folder (requests) and in answers/ (what a processor sends).

    # why, and where the case is from
    expect: 400            statuses the client gets, in order; answers: what the client gets, '502 or cut' when the head may
                           have been passed on already
    close: yes             the connection the bytes came on is closed, and not used again
    reason: CHUNK_SYNTAX   a row of include/http/refusals.def; absent when nothing is refused
    upstream: 0            requests the processor saw
    body: abc              what it (or, for answers, the client) got as the last body, percent-encoded
    eof: yes               after the bytes the sender ends its side
    request: HEAD          answers only: the method asked with; GET if absent
    ---
    the bytes exactly as sent

Run without arguments to write the files; with --check to fail if they are not what this script writes.
'garden' is narfindustries/http-garden's TROPHIES.md, 'h2o', 'haproxy' and 'varnish' their test suites, 'conformance'
cispa/http-conformance; the wording and bytes are our own.
"""

import os
import sys
from urllib.parse import quote

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = {}

HOST = b"Host: shop.test\r\n"
TEXT = b"Content-Type: text/plain\r\n"
GET = b"GET /pass/echo HTTP/1.1\r\n" + HOST
POST = b"POST /pass/echo HTTP/1.1\r\n" + HOST + TEXT
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SMUGGLED = b"GET /pass/smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
LAST = b"0\r\n\r\n"


def put(folder, name, title, raw, lines):
    path = os.path.join(folder, name + ".http")
    assert path not in FILES, path
    text = "# " + title + "\n" + "".join("%s: %s\n" % line for line in lines if line[1] is not None) + "---\n"
    FILES[path] = text.encode() + raw


def quoted(body):
    return None if body is None else quote(body, safe="")


def bad(name, reason, title, raw, status=400, eof=False):
    """One request, refused before the processor sees a byte."""
    put("", name, title, raw, [("expect", status), ("close", "yes"), ("reason", reason), ("upstream", 0),
                               ("eof", "yes" if eof else None)])


def good(name, title, raw, body=None, close=False, count=1, eof=False):
    """Forwarded, once per request."""
    put("", name, title, raw, [("expect", " ".join(["200"] * count)), ("close", "yes" if close else "no"),
                               ("upstream", count), ("body", quoted(body)), ("eof", "yes" if eof else None)])


def then_bad(name, reason, title, raw, status=400):
    """A good request, then one that is refused on the same connection."""
    put("", name, title, raw, [("expect", "200 %d" % status), ("close", "yes"), ("reason", reason), ("upstream", 1)])


def request_line():
    bad("line-two-blanks-after-method", "REQUEST_LINE", "two blanks after the method: llhttp takes them",
        b"GET  /pass/echo HTTP/1.1\r\n" + HOST + b"\r\n")
    bad("line-two-blanks-before-version", "REQUEST_LINE", "two blanks before the version: llhttp takes them",
        b"GET /pass/echo  HTTP/1.1\r\n" + HOST + b"\r\n")
    bad("line-blank-after-version", "REQUEST_LINE", "a blank after the version", b"GET /pass/echo HTTP/1.1 \r\n" + HOST + b"\r\n")
    bad("line-tab-after-method", "REQUEST_LINE", "a tab for the blank (varnish)", b"GET\t/pass/echo HTTP/1.1\r\n" + HOST + b"\r\n")
    bad("line-bare-lf", "REQUEST_LINE", "LF alone ends the request line", b"GET /pass/echo HTTP/1.1\n" + HOST + b"\r\n")
    bad("line-bare-cr", "BARE_CR", "CR alone ends the request line", b"GET /pass/echo HTTP/1.1\r" + HOST + b"\r\n")
    bad("line-lower-case-http", "REQUEST_LINE", "the protocol name is case-sensitive", b"GET /pass/echo http/1.1\r\n" + HOST + b"\r\n")
    bad("line-rtsp", "REQUEST_LINE", "RTSP: llhttp takes it", b"OPTIONS /pass/echo RTSP/1.0\r\n" + HOST + b"\r\n")
    bad("line-tls-hello", "REQUEST_LINE", "a TLS client on the plain port", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + b"\x00" * 8)
    bad("line-nul-first", "REQUEST_LINE", "NUL before the method", b"\0" + GET + b"\r\n")
    bad("line-blank-first", "REQUEST_LINE", "a blank before the method", b" " + GET + b"\r\n")
    bad("method-lower-case", "METHOD", "methods are case-sensitive (RFC 9110 9.1)", b"get /pass/echo HTTP/1.1\r\n" + HOST + b"\r\n", 501)
    bad("method-unknown", "METHOD", "an unknown method", b"PAY /pass/echo HTTP/1.1\r\n" + HOST + b"\r\n", 501)
    bad("method-longer", "METHOD", "a known method with more letters", b"GETX /pass/echo HTTP/1.1\r\n" + HOST + b"\r\n", 501)
    bad("method-trace", "METHOD", "TRACE would show the API key to its caller", b"TRACE /pass/echo HTTP/1.1\r\n" + HOST + b"\r\n", 501)
    bad("method-source", "METHOD", "SOURCE over ICE: llhttp takes it", b"SOURCE /pass/echo ICE/1.0\r\n" + HOST + b"\r\n", 501)
    bad("method-setup", "METHOD", "SETUP over RTSP: llhttp takes it", b"SETUP rtsp://shop.test/ RTSP/1.0\r\n" + HOST + b"\r\n", 501)
    bad("method-connect", "CONNECT", "no tunnel passes here", b"CONNECT shop.test:443 HTTP/1.1\r\n" + HOST + b"\r\n", 501)
    bad("version-0-9", "VERSION", "no version: HTTP/0.9, which llhttp takes", b"GET /pass/echo\r\n" + HOST + b"\r\n", 505)
    bad("version-1-9", "VERSION", "a minor version that does not exist", b"GET /pass/echo HTTP/1.9\r\n" + HOST + b"\r\n", 505)
    bad("version-2-0", "VERSION", "HTTP/2.0 in HTTP/1 form: llhttp takes it", b"GET /pass/echo HTTP/2.0\r\n" + HOST + b"\r\n", 505)
    bad("version-0-9-told", "VERSION", "HTTP/0.9 by name: llhttp takes it", b"GET /pass/echo HTTP/0.9\r\n" + HOST + b"\r\n", 505)
    bad("version-1-10", "REQUEST_LINE", "a version of two digits", b"GET /pass/echo HTTP/1.10\r\n" + HOST + b"\r\n")
    bad("version-h2-preface", "VERSION", "HTTP/2 with prior knowledge", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505)
    good("leading-crlf-two", "two empty lines before the request line (RFC 9112 2.2)", b"\r\n\r\n" + GET + b"\r\n")
    bad("leading-crlf-three", "LEADING_CRLF", "three empty lines; llhttp would take 50 MB of them", b"\r\n\r\n\r\n" + GET + b"\r\n")
    bad("leading-lf", "LEADING_CRLF", "LF before the request line", b"\n" + GET + b"\r\n")
    bad("leading-cr", "LEADING_CRLF", "CR before the request line", b"\r" + GET + b"\r\n")
    bad("line-cut", "INCOMPLETE", "the connection ends inside the request line", b"GET /pass/ec", eof=True)
    bad("head-cut", "INCOMPLETE", "the connection ends inside the head", GET, eof=True)


def targets():
    bad("target-asterisk", "TARGET_FORM", "GET *: llhttp takes it", b"GET * HTTP/1.1\r\n" + HOST + b"\r\n")
    bad("target-asterisk-options", "TARGET_FORM", "OPTIONS * asks about the server, which is no route", b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n")
    bad("target-authority", "TARGET_SYNTAX", "authority-form is for CONNECT only", b"GET shop.test:80 HTTP/1.1\r\n" + HOST + b"\r\n")
    bad("target-relative", "TARGET_SYNTAX", "a path without its slash", b"GET pass/echo HTTP/1.1\r\n" + HOST + b"\r\n")
    bad("target-fragment", "TARGET_FRAGMENT", "a fragment: llhttp takes it", b"GET /pass/echo#top HTTP/1.1\r\n" + HOST + b"\r\n")
    bad("target-fragment-in-query", "TARGET_FRAGMENT", "a fragment after the query", b"GET /pass/echo?a#b HTTP/1.1\r\n" + HOST + b"\r\n")
    bad("target-userinfo", "TARGET_USERINFO", "user and password in the URI: llhttp takes them",
        b"GET http://user:secret@shop.test/pass/echo HTTP/1.1\r\n" + HOST + b"\r\n")
    bad("target-ftp", "TARGET_FORM", "another scheme", b"GET ftp://shop.test/pass/echo HTTP/1.1\r\n" + HOST + b"\r\n")
    bad("target-other-host", "HOST_TARGET_MISMATCH", "the target's host and Host differ: llhttp takes it",
        b"GET http://evil.test/pass/echo HTTP/1.1\r\n" + HOST + b"\r\n")
    bad("target-other-port", "HOST_TARGET_MISMATCH", "the target's port and Host differ",
        b"GET http://shop.test:81/pass/echo HTTP/1.1\r\n" + HOST + b"\r\n")
    bad("target-no-host", "HOST_TARGET_MISMATCH", "no host in the absolute form", b"GET http:///pass/echo HTTP/1.1\r\n" + HOST + b"\r\n")
    good("target-absolute", "absolute-form, as clients of a proxy send it (RFC 9112 3.2.2)",
         b"GET http://SHOP.test/pass/echo HTTP/1.1\r\n" + HOST + b"\r\n")
    good("target-absolute-https", "absolute-form with https", b"GET https://shop.test/pass/echo?a=b HTTP/1.1\r\n" + HOST + b"\r\n")
    bad("target-backslash", "TARGET_SYNTAX", "a backslash, which some servers read as '/'", b"GET /pass\\echo HTTP/1.1\r\n" + HOST + b"\r\n")
    bad("target-quote", "TARGET_SYNTAX", "a quotation mark", b'GET /pass/echo?" HTTP/1.1\r\n' + HOST + b"\r\n")
    bad("target-utf8", "TARGET_SYNTAX", "raw UTF-8 (llhttp 8 loose took it)", "GET /pass/café HTTP/1.1\r\n".encode() + HOST + b"\r\n")
    bad("target-tab", "TARGET_SYNTAX", "a tab (llhttp 8 loose took it)", b"GET /pass/\techo HTTP/1.1\r\n" + HOST + b"\r\n")
    bad("target-nul", "TARGET_SYNTAX", "NUL in the target", b"GET /pass/\0echo HTTP/1.1\r\n" + HOST + b"\r\n")
    bad("target-del", "TARGET_SYNTAX", "DEL in the target", b"GET /pass/\x7fecho HTTP/1.1\r\n" + HOST + b"\r\n")
    bad("target-large", "TARGET_SIZE", "a target larger than the head may be", b"GET /pass/echo?" + b"x" * 17000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414)
    good("target-percent", "percent-encoded CR LF stays encoded", b"GET /pass/echo?a=%0d%0aHost:%20evil HTTP/1.1\r\n" + HOST + b"\r\n")


def hosts():
    line = b"GET /pass/echo HTTP/1.1\r\n"
    bad("host-missing", "HOST_MISSING", "no Host: llhttp takes it", line + b"\r\n")
    bad("host-missing-1-0", "HOST_MISSING", "no Host in HTTP/1.0", b"GET /pass/echo HTTP/1.0\r\n\r\n")
    bad("host-empty", "HOST_MISSING", "an empty Host: llhttp takes it", line + b"Host:\r\n\r\n")
    bad("host-twice", "HOST_MANY", "two different Hosts: llhttp takes them", line + HOST + b"Host: evil.test\r\n\r\n")
    bad("host-twice-equal", "HOST_MANY", "two equal Hosts", line + HOST + HOST + b"\r\n")
    bad("host-list", "HOST_BAD", "a list: llhttp takes it", line + b"Host: shop.test, evil.test\r\n\r\n")
    bad("host-userinfo", "HOST_BAD", "user name in Host", line + b"Host: a@shop.test\r\n\r\n")
    bad("host-path", "HOST_BAD", "a path in Host", line + b"Host: shop.test/pass\r\n\r\n")
    bad("host-blank", "HOST_BAD", "a blank in Host", line + b"Host: shop.test evil.test\r\n\r\n")
    bad("host-port-word", "HOST_BAD", "a port that is no number", line + b"Host: shop.test:http\r\n\r\n")
    bad("host-port-large", "HOST_BAD", "a port above 65535", line + b"Host: shop.test:65536\r\n\r\n")
    bad("host-high-byte", "HOST_BAD", "a byte above 0x7f", line + b"Host: sh\xf6p.test\r\n\r\n")
    bad("host-bracket", "HOST_BAD", "an address without its bracket", line + b"Host: [::1\r\n\r\n")
    good("host-port", "Host with a port", line + b"Host: shop.test:8080\r\n\r\n")
    good("host-ipv6", "Host with an IPv6 address", line + b"Host: [::1]:8080\r\n\r\n")


def fields():
    for c, name in ((b" ", "blank"), (b"\t", "tab")):
        bad("name-%s-before-colon" % name, "FIELD_NAME", "white space before the colon (RFC 9112 5.1, conformance)", GET + b"X-A" + c + b": b\r\n\r\n")
    bad("name-blank-before-colon-te", "FIELD_NAME", "the same on a framing field (garden)", POST + b"Transfer-Encoding : chunked\r\n\r\n" + LAST)
    bad("name-blank-before-colon-length", "FIELD_NAME", "the same on Content-Length (garden)", POST + b"Content-Length : 3\r\n\r\nabc")
    bad("name-blank-inside", "FIELD_NAME", "a blank in a name (llhttp 8 loose took it)", GET + b"X A: b\r\n\r\n")
    bad("name-empty", "FIELD_NAME", "an empty name (llhttp 8 took it)", GET + b": b\r\n\r\n")
    bad("name-no-colon", "FIELD_NAME", "a line without colon (garden)", GET + b"Bogus\r\n\r\n")
    bad("name-high-byte", "FIELD_NAME", "a byte above 0x7f in a name (garden)", GET + b"X-\xc3\x89: b\r\n\r\n")
    bad("name-nul", "FIELD_NAME", "NUL in a name (garden)", GET + b"X\0A: b\r\n\r\n")
    bad("name-cr", "FIELD_NAME", "CR in a name", GET + b"X\rA: b\r\n\r\n")
    bad("name-slash", "FIELD_NAME", "a delimiter in a name", GET + b"X/A: b\r\n\r\n")
    bad("name-vt-before-te", "FIELD_NAME", "VT before a framing name (garden)", POST + b"\x0bTransfer-Encoding: chunked\r\n\r\n" + LAST)
    bad("value-nul", "FIELD_VALUE", "NUL in a value (garden)", GET + b"X-A: b\0c\r\n\r\n")
    bad("value-control", "FIELD_VALUE", "a control byte in a value", GET + b"X-A: b\x01c\r\n\r\n")
    bad("value-del", "FIELD_VALUE", "DEL in a value", GET + b"X-A: b\x7f\r\n\r\n")
    bad("value-esc", "FIELD_VALUE", "an escape sequence aimed at who reads logs", GET + b"X-A: \x1b[31m\r\n\r\n")
    bad("value-bare-cr", "BARE_CR", "CR in a value (garden)", GET + b"X-A: b\rX-B: c\r\n\r\n")
    bad("value-bare-lf", "BARE_LF", "LF alone ends a field (garden)", GET + b"X-A: b\nX-B: c\r\n\r\n")
    bad("value-cr-cr-lf", "BARE_CR", "CR CR LF", GET + b"X-A: b\r\r\n\r\n")
    bad("fold", "OBS_FOLD", "a folded line (RFC 9112 5.2; llhttp 8 took it)", GET + b"X-A: b\r\n c\r\n\r\n")
    bad("fold-tab", "OBS_FOLD", "a line folded with a tab", GET + b"X-A: b\r\n\tc\r\n\r\n")
    bad("fold-te", "OBS_FOLD", "Transfer-Encoding folded (garden)", POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + LAST)
    bad("fold-length", "OBS_FOLD", "Content-Length folded", POST + b"Content-Length:\r\n 3\r\n\r\nabc")
    bad("fold-first", "OBS_FOLD", "white space before the first field (RFC 9112 2.2)", b"GET /pass/echo HTTP/1.1\r\n Host: shop.test\r\n\r\n")
    bad("end-lf-lf", "BARE_LF", "the head ends in LF LF", GET.rstrip(b"\r\n") + b"\n\n")
    bad("end-crlf-lf", "FIELD_NAME", "the head ends in CRLF LF", GET + b"\n")
    bad("end-cr-x", "BARE_CR", "CR and another byte end the head (garden, llhttp CVE-2023-30589)", GET + b"X-A: b\r\n\rX")
    bad("underscore-te", "FIELD_UNDERSCORE", "Transfer_Encoding: a twin for servers that read '_' as '-'", POST + b"Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + LAST)
    bad("underscore-length", "FIELD_UNDERSCORE", "Content_Length", POST + b"Content_Length: 3\r\n\r\n")
    bad("underscore-length-both", "FIELD_UNDERSCORE", "Content_Length beside the true one", POST + b"Content-Length: 3\r\ncontent_length: 30\r\n\r\nabc")
    good("value-obs-text", "bytes above 0x7f pass as they are (RFC 9110 5.5)", GET + b"X-A: caf\xe9 \xf0\x9f\x92\xb3\r\n\r\n")
    good("value-empty", "an empty value", GET + b"X-A:\r\nX-B: \t \r\n\r\n")
    bad("fields-101", "FIELD_COUNT", "one field more than the limit", GET + b"X-A: b\r\n" * 100 + b"\r\n", 431)
    good("fields-100", "as many fields as may be", GET + b"X-A: b\r\n" * 99 + b"\r\n")
    bad("head-large", "HEAD_SIZE", "a head over 16 KiB", GET + b"X-A: " + b"x" * 17000 + b"\r\n\r\n", 431)
    bad("head-large-many", "HEAD_SIZE", "a head over 16 KiB in many fields", GET + (b"X-A: " + b"x" * 400 + b"\r\n") * 45 + b"\r\n", 431)


def lengths():
    for name, value in (("plus", b"+3"), ("minus", b"-3"), ("hex", b"0x3"), ("underscore", b"3_0"), ("list", b"3, 3"), ("list-other", b"3, 4"),
                        ("vt", b"\x0b3"), ("nul", b"3\0"), ("point", b"3.0"), ("words", b"3 3"), ("letter", b"3a"), ("semicolon", b"3;"),
                        ("2-64", b"18446744073709551616"), ("huge", b"9" * 40), ("quoted", b'"3"'), ("comma", b"3,")):
        bad("length-" + name, "CONTENT_LENGTH", "Content-Length: %s" % ascii(value)[2:-1], POST + b"Content-Length: " + value + b"\r\n\r\nabc")
    bad("length-empty", "CONTENT_LENGTH", "an empty Content-Length (garden)", POST + b"Content-Length:\r\n\r\nabc")
    bad("length-blank", "CONTENT_LENGTH", "a blank Content-Length", POST + b"Content-Length: \r\n\r\nabc")
    bad("length-twice", "CONTENT_LENGTH", "two equal Content-Lengths", POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc")
    bad("length-twice-differ", "CONTENT_LENGTH", "the last Content-Length would win (garden)", POST + b"Content-Length: 3\r\nContent-Length: 60\r\n\r\nabc" + SMUGGLED)
    bad("length-twice-case", "CONTENT_LENGTH", "two in different letters", POST + b"Content-Length: 3\r\ncontent-length: 4\r\n\r\nabc")
    good("length-zeros", "leading zeros: forwarded as our own number", POST + b"Content-Length: 003\r\n\r\nabc", b"abc")
    good("length-blank-after", "a blank after the number", POST + b"Content-Length: 3 \r\n\r\nabc", b"abc")
    good("length-zero", "no content", POST + b"Content-Length: 0\r\n\r\n", b"")
    good("length-none", "POST without framing has no content", POST + b"\r\n", b"")
    good("get-with-body", "GET with content: neither content nor its length may be stripped alone (garden)", b"GET /pass/echo HTTP/1.1\r\n" + HOST + TEXT + b"Content-Length: 3\r\n\r\nabc", b"abc")
    good("delete-with-body", "DELETE with content", b"DELETE /pass/echo HTTP/1.1\r\n" + HOST + TEXT + b"Content-Length: 3\r\n\r\nabc", b"abc")
    good("get-with-chunked-body", "GET with chunked content", b"GET /pass/echo HTTP/1.1\r\n" + HOST + TEXT + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n" + LAST, b"abc")
    bad("length-short", "INCOMPLETE", "fewer bytes than announced (h2o: truncated)", POST + b"Content-Length: 9\r\n\r\nabc", eof=True)
    then_bad("length-more", "METHOD", "more bytes than announced are the next request", POST + b"Content-Length: 3\r\n\r\nabcdef\r\n", 501)


def codings():
    both = b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG"
    bad("te-cl", "TE_AND_LENGTH", "Transfer-Encoding, then Content-Length (garden)", POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + LAST)
    bad("cl-te", "TE_AND_LENGTH", "Content-Length, then Transfer-Encoding (garden)", POST + both)
    bad("cl-te-unknown", "TE_AND_LENGTH", "Content-Length with a coding nobody knows (garden)", POST + b"Content-Length: 3\r\nTransfer-Encoding: x\r\n\r\nabc")
    bad("cl-0-te", "TE_AND_LENGTH", "Content-Length: 0 with chunked", POST + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n" + LAST)
    bad("cl-te-1-0", "TE_AND_LENGTH", "both in HTTP/1.0", b"POST /pass/echo HTTP/1.0\r\n" + HOST + both)
    for name, value in (("x-chunked", b"xchunked"), ("chunkedx", b"chunkedx"), ("identity", b"identity"), ("gzip", b"gzip"), ("chunked-gzip", b"chunked, gzip"),
                        ("chunked-twice", b"chunked, chunked"), ("quoted", b'"chunked"'), ("parameter", b"chunked;x=1"), ("comma-after", b"chunked,"),
                        ("comma-before", b",chunked"), ("gzip-chunked", b"gzip, chunked"), ("identity-chunked", b"identity, chunked"), ("blank-inside", b"chun ked"),
                        ("semicolon", b"chunked;"), ("tab-after", b"chunked\t"), ("x-gzip-chunked", b"x-gzip,chunked"), ("dot", b"chunked.")):
        bad("te-" + name, "TRANSFER_ENCODING", "Transfer-Encoding: %s" % ascii(value)[2:-1], POST + b"Transfer-Encoding: " + value + b"\r\n\r\n3\r\nabc\r\n" + LAST)
    bad("te-vt", "FIELD_VALUE", "VT before chunked (garden)", POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + LAST)
    bad("te-nul", "FIELD_VALUE", "NUL after chunked", POST + b"Transfer-Encoding: chunked\0\r\n\r\n" + LAST)
    bad("te-empty", "TRANSFER_ENCODING", "an empty Transfer-Encoding", POST + b"Transfer-Encoding:\r\n\r\n")
    bad("te-two-identity", "TRANSFER_ENCODING", "two fields, identity first: llhttp takes them (garden)", POST + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST)
    bad("te-two-chunked", "TRANSFER_ENCODING", "two fields, both chunked (garden)", POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST)
    bad("te-two-gzip-last", "TRANSFER_ENCODING", "two fields, gzip last", POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n" + LAST)
    bad("te-two-empty-first", "TRANSFER_ENCODING", "an empty field, then chunked", POST + b"Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST)
    bad("te-1-0", "TE_ON_1_0", "chunked in HTTP/1.0: llhttp takes it (RFC 9112 6.1)", b"POST /pass/echo HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + LAST)
    bad("te-1-0-keep-alive", "TE_ON_1_0", "the same, kept alive, with a request behind it (h2o)",
        b"POST /pass/echo HTTP/1.0\r\n" + HOST + b"Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST + SMUGGLED)
    good("te-capitals", "codings have no case", POST + b"Transfer-Encoding: CHUNKED\r\n\r\n3\r\nabc\r\n" + LAST, b"abc")
    good("te-blanks", "white space around the value", POST + b"Transfer-Encoding:  chunked \r\n\r\n3\r\nabc\r\n" + LAST, b"abc")


def chunk(name, title, rest, reason="CHUNK_SYNTAX"):
    bad("chunk-" + name, reason, title, CHUNKED + rest, 431 if reason == "TRAILER_SIZE" else 400)


def chunks():
    good("chunk-plain", "two chunks", CHUNKED + b"3\r\nabc\r\nA\r\n0123456789\r\n" + LAST, b"abc0123456789")
    good("chunk-zeros", "leading zeros, last chunk of many zeros", CHUNKED + b"003\r\nabc\r\n0000\r\n\r\n", b"abc")
    good("chunk-extension", "extensions are dropped", CHUNKED + b'3;a;b=c;d="e f"\r\nabc\r\n0;z\r\n\r\n', b"abc")
    good("chunk-empty-body", "nothing but the last chunk", CHUNKED + LAST, b"")
    for name, size in (("plus", b"+3"), ("minus", b"-3"), ("hex-prefix", b"0x3"), ("underscore", b"0_3"), ("blank-before", b" 3"), ("blank-after", b"3 "),
                       ("tab-after", b"3\t"), ("letter", b"3g"), ("empty", b""), ("quoted", b'"3"'), ("point", b"3.0"), ("nul", b"3\0"), ("vt", b"\x0b3"),
                       ("overflow", b"10000000000000003"), ("huge", b"f" * 17), ("comma", b"3,")):
        chunk("size-" + name, "chunk size %s (garden)" % (ascii(size)[2:-1] or "missing"), size + b"\r\nabc\r\n" + LAST)
    chunk("lf-after-size", "LF alone after the size (garden)", b"3\nabc\r\n" + LAST)
    chunk("cr-after-size", "CR alone after the size", b"3\rabc\r\n" + LAST)
    chunk("lf-after-data", "LF alone after the data", b"3\r\nabc\n" + LAST)
    chunk("cr-after-data", "CR alone after the data", b"3\r\nabc\r" + LAST)
    chunk("nothing-after-data", "no line break after the data", b"3\r\nabc" + LAST)
    chunk("data-longer", "more data than the size says (garden: longest valid prefix)", b"3\r\nabcdef\r\n" + LAST)
    chunk("data-shorter", "less data than the size says", b"5\r\nabc\r\n" + LAST)
    chunk("crlf-before-last", "an empty line before the last chunk (garden)", b"3\r\nabc\r\n\r\n" + LAST)
    chunk("crlf-first", "an empty line before the first chunk", b"\r\n3\r\nabc\r\n" + LAST)
    chunk("extension-cr", "CR in an extension's white space (garden)", b"3;\rabc\r\nabc\r\n" + LAST)
    chunk("extension-lf", "LF ends an extension (garden, terminator of 2025)", b"3;a\nabc\r\n" + LAST)
    chunk("extension-quoted-crlf", "CRLF in quotes in an extension", b'3;a="\r\nabc\r\n0\r\n\r\n"\r\nabc\r\n' + LAST)
    chunk("extension-no-name", "an extension without a name", b"3;\r\nabc\r\n" + LAST)
    chunk("extension-nul", "NUL in an extension", b"3;a\0\r\nabc\r\n" + LAST)
    chunk("extension-blank-semicolon", "a blank before the semicolon", b"3 ;a\r\nabc\r\n" + LAST)
    chunk("one-byte", "20,000 chunks of one byte (h2o: chunk overhead)", b"1\r\nx\r\n" * 20000 + LAST, "CHUNK_OVERHEAD")
    chunk("extension-1k", "1 KiB of extension on every byte (h2o, Node's CVE-2024-22019)", (b"1;" + b"e" * 1024 + b"\r\nx\r\n") * 20 + LAST, "CHUNK_OVERHEAD")
    chunk("extension-endless", "an extension that does not end", b"1;" + b"e" * 20000, "CHUNK_OVERHEAD")
    chunk("size-zeros-endless", "a size of zeros that does not end", b"0" * 20000, "CHUNK_OVERHEAD")
    good("chunk-six-bytes", "small chunks are fine", CHUNKED + b"6\r\nabcdef\r\n" * 200 + LAST, b"abcdef" * 200)
    bad("chunk-cut", "INCOMPLETE", "the connection ends before the last chunk (h2o: truncated)", CHUNKED + b"3\r\nabc\r\n", eof=True)
    bad("chunk-cut-in-data", "INCOMPLETE", "the connection ends inside a chunk", CHUNKED + b"9\r\nabc", eof=True)
    good("trailers", "trailers are dropped, never merged (libevent's CVE-2026-63379)", CHUNKED + b"3\r\nabc\r\n0\r\nX-Api-Key: stolen\r\nContent-Type: text/html\r\n\r\n", b"abc")
    for name in ("Content-Length", "Transfer-Encoding", "Host", "Content_Length", "transfer_encoding"):
        chunk("trailer-" + name.lower().replace("_", "-twin-"), "%s after the last chunk (RFC 9110 6.5.1)" % name, b"3\r\nabc\r\n0\r\n" + name.encode() + b": 3\r\n\r\n", "TRAILER_FIELD")
    chunk("trailer-no-colon", "a trailer line without colon", b"3\r\nabc\r\n0\r\nbogus\r\n\r\n", "TRAILER_SYNTAX")
    chunk("trailer-fold", "a folded trailer", b"3\r\nabc\r\n0\r\nX-A: b\r\n c\r\n\r\n", "TRAILER_SYNTAX")
    chunk("trailer-lf", "LF in a trailer", b"3\r\nabc\r\n0\r\nX-A: b\nX-B: c\r\n\r\n", "TRAILER_SYNTAX")
    chunk("trailer-cr-x", "CR and another byte end the trailers (garden)", b"3\r\nabc\r\n0\r\n\rX", "TRAILER_SYNTAX")
    chunk("trailer-large", "9,000 bytes of trailer", b"3\r\nabc\r\n0\r\nX-A: " + b"x" * 9000 + b"\r\n\r\n", "TRAILER_SIZE")
    chunk("trailer-many", "101 trailer fields", b"3\r\nabc\r\n0\r\n" + b"X-A: b\r\n" * 101 + b"\r\n", "TRAILER_SIZE")


def connections():
    good("pipeline-two", "two requests in one packet, answered in order", GET + b"\r\n" + POST + b"Content-Length: 3\r\n\r\nabc", b"abc", count=2)
    good("pipeline-three-chunked", "chunked in between", POST + b"Content-Length: 1\r\n\r\na" + CHUNKED + b"1\r\nb\r\n" + LAST + POST + b"Content-Length: 1\r\n\r\nc", b"c", count=3)
    good("pipeline-crlf-between", "an empty line between requests (RFC 9112 2.2)", POST + b"Content-Length: 1\r\n\r\na\r\n" + GET + b"\r\n", count=2)
    then_bad("pipeline-then-te-cl", "TE_AND_LENGTH", "a good request, then a bad one", GET + b"\r\n" + POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + LAST)
    then_bad("pipeline-then-no-host", "HOST_MISSING", "a good request, then one without Host", GET + b"\r\nGET /pass/echo HTTP/1.1\r\n\r\n")
    good("close", "Connection: close", GET + b"Connection: close\r\n\r\n", close=True)
    good("close-1-0", "HTTP/1.0 closes by itself", b"GET /pass/echo HTTP/1.0\r\n" + HOST + b"\r\n", close=True)
    good("keep-alive-1-0", "HTTP/1.0 that asks to be kept", b"GET /pass/echo HTTP/1.0\r\n" + HOST + b"Connection: keep-alive\r\n\r\n")
    good("close-among-others", "close among other options", GET + b"Connection: X-Hop , CLOSE\r\nX-Hop: 1\r\n\r\n", close=True)
    put("", "close-then-more", "what follows a request that said close is never a request (RFC 9112 9.6)", GET + b"Connection: close\r\n\r\n" + SMUGGLED,
        [("expect", 200), ("close", "yes"), ("upstream", 1)])
    for name in ("Host", "Transfer-Encoding", "Content-Length", "Authorization", "Content-Type", "X-Api-Key"):
        bad("connection-names-" + name.lower(), "CONNECTION_OPTION", "Connection may not remove %s" % name, POST + b"Connection: close, " + name.encode() + b"\r\nContent-Length: 3\r\n\r\nabc")
    good("connection-names-other", "other named fields are removed (RFC 9110 7.6.1)", GET + b"Connection: X-Internal\r\nX-Internal: 1\r\n\r\n")
    good("hop-by-hop", "hop-by-hop fields are not forwarded", GET + b"Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\nTrailer: X\r\n\r\n")
    bad("upgrade-websocket", "UPGRADE", "no tunnel behind an Upgrade", GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n", 501)
    bad("upgrade-without-connection", "UPGRADE", "Upgrade that Connection does not name", GET + b"Upgrade: TLS/1.0\r\n\r\n", 501)
    bad("upgrade-h2c-and-other", "UPGRADE", "h2c with another protocol", GET + b"Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n\r\n", 501)
    good("upgrade-h2c", "h2c, as Java's HttpClient offers by itself: ignored, never forwarded (RFC 9110 7.8; h2c smuggling)",
         GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n\r\n")
    good("upgrade-h2c-body", "h2c offered with content; the next request is read as HTTP/1.1",
         POST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEA\r\nContent-Length: 3\r\n\r\nabc" + GET + b"\r\n", count=2)
    bad("expect-other", "EXPECT", "an expectation nobody knows (RFC 9110 10.1.1)", POST + b"Expect: payment\r\nContent-Length: 3\r\n\r\nabc", 417)
    bad("expect-two", "EXPECT", "100-continue and another", POST + b"Expect: 100-continue, payment\r\nContent-Length: 3\r\n\r\nabc", 417)
    good("expect-continue", "100-continue whose content is already here", POST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", b"abc")
    good("expect-continue-1-0", "100-continue in HTTP/1.0 is ignored", b"POST /pass/echo HTTP/1.0\r\n" + HOST + TEXT + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", b"abc", close=True)


OK = b"HTTP/1.1 200 OK\r\n"
OK_CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def answer(name, title, raw, expect=200, reason=None, close=False, body=None, eof=False, request=None):
    put("answers", name, title, raw, [("expect", expect), ("close", "yes" if close else "no"), ("reason", reason), ("body", quoted(body)),
                                      ("eof", "yes" if eof else None), ("request", request)])


def bad_answer(name, reason, title, raw, expect="502", eof=False):
    answer(name, title, raw, expect, reason, True, None, eof)


def cut_answer(name, reason, title, raw, eof=False):
    """The head is right, what follows is not: 502, or a cut connection if the head was passed on."""
    bad_answer(name, reason, title, raw, "502 or cut", eof)


def answers():
    answer("length", "Content-Length", OK + b"Content-Length: 3\r\n\r\nabc", body=b"abc")
    answer("chunked", "chunked", OK_CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n" + LAST, body=b"abcde")
    answer("chunked-trailers", "trailers are dropped", OK_CHUNKED + b"3\r\nabc\r\n0\r\nX-A: b\r\n\r\n", body=b"abc")
    answer("until-close", "content until the connection closes", OK + b"\r\nabc", close=True, body=b"abc", eof=True)
    answer("until-close-1-0", "the same in HTTP/1.0", b"HTTP/1.0 200 OK\r\n\r\nabc", close=True, body=b"abc", eof=True)
    answer("no-phrase", "no reason phrase", b"HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\nabc", body=b"abc")
    answer("no-phrase-blank", "no reason phrase, nor its blank", b"HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc", body=b"abc")
    answer("phrase-latin1", "a reason phrase in Latin 1", b"HTTP/1.1 200 Aprova\xe7\xe3o\r\nContent-Length: 3\r\n\r\nabc", body=b"abc")
    answer("interim-100", "100 Continue first (RFC 9110 15.2)", b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 3\r\n\r\nabc", body=b"abc")
    answer("interim-chain", "a chain of interim answers", b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK + b"Content-Length: 3\r\n\r\nabc", body=b"abc")
    answer("interim-length-zero", "Content-Length: 0 on an interim answer", b"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n" + OK + b"Content-Length: 3\r\n\r\nabc", body=b"abc")
    bad_answer("interim-length", "ANSWER_INTERIM_BODY", "Content-Length on an interim answer (conformance)", b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello" + OK + b"Content-Length: 3\r\n\r\nabc")
    bad_answer("interim-chunked", "ANSWER_INTERIM_BODY", "Transfer-Encoding on an interim answer (conformance)", b"HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST + OK + b"Content-Length: 3\r\n\r\nabc")
    answer("204", "204", b"HTTP/1.1 204 No Content\r\n\r\n", 204, body=b"")
    answer("204-length-zero", "204 with Content-Length: 0, which many send", b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 204, body=b"")
    answer("204-length", "204 with content: ends at its head; the rest is surplus (RFC 9112 6.3)", b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc", 204, "ANSWER_SURPLUS", True, b"")
    answer("204-chunked", "204 with Transfer-Encoding (conformance)", b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST, 204, "ANSWER_SURPLUS", True, b"")
    answer("304-length", "304 tells what a 200 would have", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", 304, body=b"")
    answer("head-length", "answer to HEAD: no content whatever it says", OK + b"Content-Length: 3\r\n\r\n", body=b"", request="HEAD")
    answer("head-chunked", "answer to HEAD with Transfer-Encoding", OK_CHUNKED, body=b"", request="HEAD")
    answer("head-with-body", "answer to HEAD with content: surplus", OK + b"Content-Length: 3\r\n\r\nabc", 200, "ANSWER_SURPLUS", True, b"", request="HEAD")
    answer("surplus-bytes", "bytes after the answer", OK + b"Content-Length: 3\r\n\r\nabcdef", 200, "ANSWER_SURPLUS", True, b"abc")
    answer("surplus-answer", "a second answer to one request (response splitting)", OK + b"Content-Length: 3\r\n\r\nabc" + OK + b"Content-Length: 4\r\n\r\nevil", 200, "ANSWER_SURPLUS", True, b"abc")
    answer("surplus-chunked", "bytes after the last chunk", OK_CHUNKED + b"3\r\nabc\r\n" + LAST + b"x", 200, "ANSWER_SURPLUS", True, b"abc")
    answer("close", "Connection: close", OK + b"Connection: close\r\nContent-Length: 3\r\n\r\nabc", close=True, body=b"abc")
    answer("close-1-0", "HTTP/1.0 with a length", b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", close=True, body=b"abc")
    answer("upgrade-advertised", "Upgrade in a plain answer only advertises; Apache does (RFC 9110 7.8)", OK + b"Connection: Upgrade\r\nUpgrade: h2,h2c\r\nContent-Length: 3\r\n\r\nabc", body=b"abc")
    bad_answer("101", "ANSWER_UPGRADE", "101 that nobody asked for", b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    bad_answer("101-bare", "ANSWER_UPGRADE", "101 without Upgrade", b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    answer("underscore", "Content_Length is dropped", OK + b"Content_Length: 30\r\nContent-Length: 3\r\n\r\nabc", body=b"abc")
    answer("connection-names-type", "Connection may not remove Content-Type", OK + b"Connection: Content-Type\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nabc", body=b"abc")
    bad_answer("te-gzip", "ANSWER_TE", "a coding other than chunked: llhttp reads until close", OK + b"Transfer-Encoding: gzip\r\n\r\nabc", eof=True)
    bad_answer("te-gzip-chunked", "ANSWER_TE", "gzip, chunked", OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + LAST)
    bad_answer("te-chunked-gzip", "ANSWER_TE", "chunked, gzip: llhttp reads until close", OK + b"Transfer-Encoding: chunked, gzip\r\n\r\nabc", eof=True)
    bad_answer("te-two", "ANSWER_TE", "two Transfer-Encoding fields", OK + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST)
    bad_answer("te-1-0", "ANSWER_TE", "chunked in HTTP/1.0 (RFC 9112 6.1)", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST)
    bad_answer("te-cl", "TE_AND_LENGTH", "both framings", OK + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n" + LAST)
    bad_answer("cl-te", "TE_AND_LENGTH", "both framings, the other way", OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST)
    bad_answer("length-twice", "CONTENT_LENGTH", "two lengths", OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc")
    bad_answer("length-plus", "CONTENT_LENGTH", "a signed length", OK + b"Content-Length: +3\r\n\r\nabc")
    bad_answer("length-empty", "CONTENT_LENGTH", "an empty length", OK + b"Content-Length:\r\n\r\nabc")
    bad_answer("status-two-digits", "ANSWER_STATUS", "a status of two digits", b"HTTP/1.1 20 OK\r\n\r\n")
    bad_answer("status-four-digits", "ANSWER_STATUS", "a status of four digits", b"HTTP/1.1 2000 OK\r\n\r\n")
    bad_answer("status-zero", "ANSWER_STATUS", "a status below 100", b"HTTP/1.1 099 OK\r\n\r\n")
    bad_answer("status-two-blanks", "ANSWER_STATUS", "two blanks before the status", b"HTTP/1.1  200 OK\r\n\r\n")
    bad_answer("status-word", "ANSWER_STATUS", "no number", b"HTTP/1.1 OK\r\n\r\n")
    bad_answer("status-lf", "BARE_LF", "LF ends the status line (llhttp before 9.4.2 was loose)", b"HTTP/1.1 200 OK\nContent-Length: 3\r\n\r\nabc")
    bad_answer("status-cr", "BARE_CR", "CR ends the status line", b"HTTP/1.1 200 OK\rContent-Length: 3\r\n\r\nabc")
    bad_answer("phrase-nul", "ANSWER_STATUS", "NUL in the reason phrase: llhttp takes it", b"HTTP/1.1 200 O\0K\r\n\r\n")
    bad_answer("phrase-control", "ANSWER_STATUS", "a control byte in the reason phrase", b"HTTP/1.1 200 O\x1bK\r\n\r\n")
    bad_answer("version-2-0", "VERSION", "HTTP/2.0 in HTTP/1 form", b"HTTP/2.0 200 OK\r\n\r\n")
    bad_answer("not-http", "ANSWER_STATUS", "another protocol", b"SSH-2.0-OpenSSH_9.2p1\r\n")
    bad_answer("leading-crlf", "ANSWER_STATUS", "an empty line before the status line", b"\r\n" + OK + b"Content-Length: 3\r\n\r\nabc")
    bad_answer("name-blank", "FIELD_NAME", "white space before a colon: a proxy must not forward it (RFC 9112 5.1)", OK + b"X-A : b\r\nContent-Length: 3\r\n\r\nabc")
    bad_answer("fold", "OBS_FOLD", "a folded line", OK + b"X-A: b\r\n c\r\nContent-Length: 3\r\n\r\nabc")
    bad_answer("value-nul", "FIELD_VALUE", "NUL in a value", OK + b"X-A: b\0\r\nContent-Length: 3\r\n\r\nabc")
    bad_answer("value-cr", "BARE_CR", "CR in a value (conformance)", OK + b"X-A: b\rSet-Cookie: c\r\nContent-Length: 3\r\n\r\nabc")
    bad_answer("head-large", "HEAD_SIZE", "a head over 16 KiB", OK + b"X-A: " + b"x" * 17000 + b"\r\n\r\n")
    bad_answer("fields-101", "FIELD_COUNT", "101 fields", OK + b"X-A: b\r\n" * 101 + b"\r\n")
    bad_answer("head-cut", "ANSWER_CUT_OFF", "the connection ends inside the head", OK + b"Content-Le", eof=True)
    cut_answer("length-short", "ANSWER_CUT_OFF", "the connection ends before the length (h2o: truncated)", OK + b"Content-Length: 9\r\n\r\nabc", eof=True)
    cut_answer("chunked-short", "ANSWER_CUT_OFF", "the connection ends before the last chunk (h2o: truncated-chunked)", OK_CHUNKED + b"3\r\nabc\r\n", eof=True)
    cut_answer("chunked-short-trailer", "ANSWER_CUT_OFF", "the connection ends inside the trailers", OK_CHUNKED + b"3\r\nabc\r\n0\r\n", eof=True)
    cut_answer("chunk-size-hex-prefix", "CHUNK_SYNTAX", "a chunk size with 0x", OK_CHUNKED + b"0x3\r\nabc\r\n" + LAST)
    cut_answer("chunk-lf", "CHUNK_SYNTAX", "LF after a chunk size", OK_CHUNKED + b"3\nabc\r\n" + LAST)
    cut_answer("chunk-data-longer", "CHUNK_SYNTAX", "more data than the size says", OK_CHUNKED + b"3\r\nabcdef\r\n" + LAST)
    cut_answer("chunk-endless", "CHUNK_OVERHEAD", "an extension that does not end", OK_CHUNKED + b"1;" + b"e" * 140000)
    cut_answer("chunk-trailer-length", "TRAILER_FIELD", "Content-Length after the last chunk", OK_CHUNKED + b"3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n")
    answer("nothing", "the processor closes without a word: the outcome is unknown", b"", 504, "UPSTREAM_CLOSED", True, eof=True)
    answer("nothing-after-100", "the processor closes after an interim answer", b"HTTP/1.1 100 Continue\r\n\r\n", 504, "UPSTREAM_CLOSED", True, eof=True)


def build():
    for part in (request_line, targets, hosts, fields, lengths, codings, chunks, connections, answers):
        part()


def main():
    build()
    if sys.argv[1:] == ["--check"]:
        there = {os.path.relpath(os.path.join(d, f), HERE) for d, _, fs in os.walk(HERE) for f in fs if f.endswith(".http")}
        wrong = sorted(there ^ set(FILES))
        for name in sorted(there & set(FILES)):
            with open(os.path.join(HERE, name), "rb") as f:
                if f.read() != FILES[name]:
                    wrong.append(name)
        for name in wrong:
            print("not as make.py writes it:", name)
        return 1 if wrong else 0
    os.makedirs(os.path.join(HERE, "answers"), exist_ok=True)
    for name, raw in FILES.items():
        with open(os.path.join(HERE, name), "wb") as f:
            f.write(raw)
    requests = sum(1 for name in FILES if not name.startswith("answers"))
    print("%d requests, %d answers" % (requests, len(FILES) - requests))
    return 0


if __name__ == "__main__":
    sys.exit(main())
