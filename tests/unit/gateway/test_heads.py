"""Heads of messages: what is refused, what goes on, and that no bytes do harm."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from governance.gateway.bodies import Chunks, body_of
from governance.gateway.heads import (
    CHUNKED,
    UNTIL_CLOSE,
    AnswerHeads,
    BadHeadError,
    RequestHeads,
    answer_head,
    read_block,
    request_line,
)

GOOD = b"\r\nHost: a\r\n\r\n"
BAD_LINES = [
    b"",
    b"GET",
    b"GET /",
    b"GET  / HTTP/1.1",
    b"GET / HTTP/1.1 ",
    b"GET / HTTP/2.0",
    b"GET / http/1.1",
    b"GET /a b HTTP/1.1",
    b"GET /\x00 HTTP/1.1",
    b"GET /\x7f HTTP/1.1",
    b"GET /\xc3\xa4 HTTP/1.1",
    b"GE T / HTTP/1.1",
    b"G(T / HTTP/1.1",
    b"GET\t/ HTTP/1.1",
    b"GET a HTTP/1.1",
    b"GET * HTTP/1.1",
    b"GET ftp://a/ HTTP/1.1",
    b"GET http:///a HTTP/1.1",
    b"GET http://a@b/ HTTP/1.1",
    b"GET http://a?b HTTP/1.1",
    b"GET / HTTP/1.1\n",
    b" GET / HTTP/1.1",
    b"A" * 33 + b" / HTTP/1.1",
]
BAD_BLOCKS = [
    b"Content-Length: 1\r\nTransfer-Encoding: chunked",
    b"Content-Length: 1\r\nContent-Length: 1",
    b"Content-Length: 1, 1",
    b"Content-Length: +1",
    b"Content-Length: -1",
    b"Content-Length: 0x1",
    b"Content-Length: 1 1",
    b"Content-Length:",
    b"Content-Length: 9999999999999999",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: \x0bchunked",
    b"Transfer-Encoding:",
    b"Transfer-Encoding : chunked",
    b" Transfer-Encoding: chunked",
    b"X: a\r\n b",
    b"X: a\nTransfer-Encoding: chunked",
    b"X: a\rTransfer-Encoding: chunked",
    b"X\x00: a",
    b"X: a\x00",
    b"X: a\x7f",
    b"X",
    b": a",
    b"X y: a",
    b"Host: b",
    b"Upgrade: websocket\r\nUpgrade: h2c",
]
BAD_HOSTS = [b"a/b", b"a b", b"a,b", b"a@b", b"a:b", b"[::1", b"a\xc3", b"a:123456"]


@pytest.mark.parametrize("line", BAD_LINES)
def test_a_request_line_that_could_be_read_in_two_ways_is_refused(line: bytes) -> None:
    with pytest.raises(BadHeadError):
        request_line(line)


@pytest.mark.parametrize("lines", BAD_BLOCKS)
def test_fields_that_could_be_read_in_two_ways_are_refused(lines: bytes) -> None:
    for block in (b"\r\nHost: a\r\n" + lines, b"\r\n" + lines + b"\r\nHost: a"):
        with pytest.raises(BadHeadError):
            read_block(block + b"\r\n\r\n", trusted=True)


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_a_host_that_is_none_is_refused(host: bytes) -> None:
    with pytest.raises(BadHeadError):
        read_block(b"\r\nHost: " + host + b"\r\n\r\n", trusted=False)


@pytest.mark.parametrize(
    ("target", "path", "authority"),
    [
        (b"/a?b", b"/a?b", b""),
        (b"http://x:1/a?b", b"/a?b", b"x:1"),
        (b"HTTPS://x", b"/", b"x"),
        (b"//x/y", b"//x/y", b""),
    ],
)
def test_a_target_is_a_path_or_a_url(target: bytes, path: bytes, authority: bytes) -> None:
    line = request_line(b"GET " + target + b" HTTP/1.1")
    assert (line.path, line.authority, line.old) == (path, authority, False)


def test_what_concerns_the_connection_alone_does_not_go_on() -> None:
    block = read_block(
        b"\r\nHost: a:80\r\nConnection: close, X-Mine, Host\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\n"
        b"Trailer: X\r\nProxy-Authorization: secret\r\nUpgrade: h2c\r\nX-Kept:  a b \t\r\nX-Kept: c\r\n\r\n",
        trusted=False,
    )
    assert block.passed == b"X-Kept: a b\r\nX-Kept: c\r\nVia: 1.1 waggle\r\n"
    assert (block.host, block.hostname, block.close, block.websocket) == (b"a:80", "a", True, False)
    assert block.headers["x-kept"] == "a b, c"


def test_a_client_cannot_take_away_what_the_gateway_writes() -> None:
    block = read_block(
        b"\r\nHost: a\r\nConnection: content-length, x-forwarded-for\r\nContent-Length: 3\r\n\r\n", trusted=False
    )
    assert block.length == 3


@pytest.mark.parametrize(
    "name",
    [
        *(b"X-Forwarded-For", b"X_Forwarded_For", b"X-Forwarded_Proto", b"X-FORWARDED-SSL", b"X-Forwarded-Port"),
        *(b"Forwarded", b"X-Real-IP", b"x_real_ip", b"x_cse_context", b"X_Invocation-Context"),
    ],
)
def test_a_client_cannot_lie_about_the_way_however_it_writes_the_name(name: bytes) -> None:
    block = read_block(b"\r\nHost: a\r\n" + name + b": 6.6.6.6\r\nX-Mine: 1\r\n\r\n", trusted=False)
    assert (block.passed, block.context, block.forwarded_for) == (b"X-Mine: 1\r\nVia: 1.1 waggle\r\n", b"", b"")
    assert dict(block.headers) == {"host": "a", "x-mine": "1"}


@pytest.mark.parametrize("name", [b"x_cse_canary", b"X-CSE-Canary", b"x-cse-context", b"X-Invocation-Context"])
def test_the_context_of_a_call_is_believed_of_trusted_peers_alone(name: bytes) -> None:
    data = b"\r\nHost: a\r\n" + name + b": {}\r\n\r\n"
    trusted, other = read_block(data, trusted=True), read_block(data, trusted=False)
    assert (trusted.context, other.context) == (name + b": {}\r\n", b"")
    assert (name.decode().lower() in trusted.headers, name.decode().lower() in other.headers) == (True, False)
    assert name not in trusted.passed + other.passed


@pytest.mark.parametrize("name", [b"x_lane", b"X-Lane", b"X_LANE"])
def test_a_header_that_carries_lanes_is_believed_of_trusted_peers_alone(name: bytes) -> None:
    data, lanes = b"\r\nHost: a\r\n" + name + b": gray\r\n\r\n", frozenset((b"x_lane", b"x-lane"))
    trusted, other = read_block(data, trusted=True, lanes=lanes), read_block(data, trusted=False, lanes=lanes)
    assert (trusted.context, other.context) == (name + b": gray\r\n", b"")
    assert name not in trusted.passed + other.passed
    assert "gray" not in other.headers.values()
    assert name in read_block(data, trusted=False).passed, "it is a header as any other where it carries no lanes"


def test_a_block_is_remembered_and_memory_is_bounded() -> None:
    heads = RequestHeads(trusted=False)
    first = heads.block(GOOD)
    assert heads.block(GOOD) is first
    for number in range(10_000):
        heads.block(b"\r\nHost: a\r\nX-Number: %d\r\nX-Long: %b\r\n\r\n" % (number, b"x" * 1000))
    assert len(heads._known) <= 4096
    assert sum(map(len, heads._known)) < 6 * 2**20


ANSWERS = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX: y", 200, 3, True, b"Content-Length: 3\r\nX: y\r\n"),
    (
        b"HTTP/1.1 200 \r\nContent-Length: 3\r\nConnection: keep-alive\r\nX: y",
        200,
        3,
        True,
        b"Content-Length: 3\r\nX: y\r\n",
    ),
    (b"HTTP/1.1 200 OK\r\nconnection: Close\r\ncontent-length: 3", 200, 3, False, b"content-length: 3\r\n"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nX: y", 200, CHUNKED, True, b"X: y\r\n"),
    (b"HTTP/1.1 200 OK\r\nX: y", 200, UNTIL_CLOSE, False, b"X: y\r\n"),
    (b"HTTP/1.1 200", 200, UNTIL_CLOSE, False, b""),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 3", 200, 3, False, b"Content-Length: 3\r\n"),
    (b"HTTP/1.1 204 No Content\r\nX: y", 204, 0, True, b"X: y\r\n"),
    (b"HTTP/1.1 204 No Content\r\nContent-Length: 0", 204, 0, True, b"Content-Length: 0\r\n"),
    (b"HTTP/1.1 204 No Content\r\nContent-Length: 9", 204, 0, False, b"Content-Length: 9\r\n"),
    (b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked", 204, 0, False, b""),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9", 304, 0, True, b"Content-Length: 9\r\n"),
    (
        b"HTTP/1.1 200 OK\r\nConnection: X, content-length\r\nX: y\r\nContent-Length: 1",
        200,
        1,
        True,
        b"Content-Length: 1\r\n",
    ),
]


@pytest.mark.parametrize(("head", "status", "length", "reusable", "passed"), ANSWERS)
def test_an_answer_says_where_its_body_ends(
    head: bytes, status: int, length: int, *, reusable: bool, passed: bytes
) -> None:
    for read in (answer_head, AnswerHeads().head):
        found = read(head + b"\r\n\r\n", bodiless=False)
        assert found == (status, length, reusable, passed + b"Via: 1.1 waggle\r\n", b"")
        assert read(head + b"\r\n\r\n", bodiless=True).length == 0


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 20 OK",
        b"HTTP/2 200 OK",
        b"200 OK",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2",
        b"HTTP/1.1 200 OK\r\nContent-Length: x",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip",
        b"HTTP/1.1 200 OK\r\n folded",
        b"HTTP/1.1 200 OK\r\nX y: z",
    ],
)
def test_an_answer_that_could_be_read_in_two_ways_is_refused(head: bytes) -> None:
    with pytest.raises(BadHeadError):
        answer_head(head + b"\r\n\r\n", bodiless=False)


def test_answers_that_differ_in_their_date_are_read_once() -> None:
    heads, date = AnswerHeads(), b"\r\nDate: Tue, 24 Nov 2026 21:28:%02d GMT"
    for second in range(10):
        said = date % second
        found = heads.head(b"HTTP/1.1 200 OK\r\nX: y" + said + b"\r\nContent-Length: 0\r\n\r\n", bodiless=False)
        assert sorted(found.passed.split(b"\r\n")) == sorted(
            [b"", b"X: y", said[2:], b"Content-Length: 0", b"Via: 1.1 waggle"]
        )
    assert len(heads._known) == 1
    with pytest.raises(BadHeadError):
        heads.head(b"HTTP/1.1 200 OK\r\nDate: Tue, 24 Nov\x00 2026 21:28:01 GMT\r\n\r\n", bodiless=False)


@given(st.binary(max_size=200))
@example(b"GET / HTTP/1.1")
def test_no_bytes_make_a_reader_raise_anything_else(data: bytes) -> None:
    for read in (
        lambda: request_line(data),
        lambda: read_block(b"\r\n" + data + b"\r\n\r\n", trusted=True),
        lambda: answer_head(data + b"\r\n\r\n", bodiless=False),
        lambda: AnswerHeads().head(b"HTTP/1.1 200 OK\r\nDate: " + data + b"\r\n\r\n", bodiless=False),
    ):
        try:
            read()
        except BadHeadError as error:
            assert str(error)


@given(st.lists(st.sampled_from([*BAD_BLOCKS, b"X: y", b"A: b", b"Connection: close"]), max_size=6))
def test_what_goes_on_frames_no_body_of_its_own(lines: list[bytes]) -> None:
    try:
        block = read_block(b"\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n", trusted=True)
    except BadHeadError:
        return
    assert not re.search(rb"(?i)^(content-length|transfer-encoding|connection|host)\s*:", block.passed, re.MULTILINE)


BAD_CHUNKS = [
    b"x\r\n",
    b"\r\n",
    b"1\nA\r\n",
    b"1\r\nAB\r\n",
    b"1\r\nA\n0\r\n\r\n",
    b"-1\r\n",
    b"0x1\r\n",
    b"1;a=\x00\r\nA\r\n",
    b"1;\n0\r\n\r\n",
    b"1" * 16 + b"\r\n",
    b"0\r\nbad trailer\r\n\r\n",
    b"0\r\n folded: x\r\n\r\n",
    b"0\r\n" + b"X: " + b"y" * 2000,
    b"0\r\n" + b"X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n" * 300,
]


@pytest.mark.parametrize("data", BAD_CHUNKS)
def test_chunks_that_could_be_read_in_two_ways_are_refused(data: bytes) -> None:
    with pytest.raises(BadHeadError):
        Chunks().feed(data)
    with pytest.raises(BadHeadError):
        _feed_bytes(Chunks(), data)


def _feed_bytes(body: Chunks, data: bytes) -> None:
    for byte in data:
        body.feed(bytes([byte]))


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=5),
    st.sampled_from([b"", b";a=b", b' ; q="x"']),
    st.sampled_from([b"", b"X-Sum: 1\r\n"]),
    st.binary(max_size=5),
    st.lists(st.integers(1, 7), min_size=1),
)
def test_chunks_end_where_they_say_however_they_come(
    parts: list[bytes], extension: bytes, trailer: bytes, behind: bytes, steps: list[int]
) -> None:
    body = b"".join(b"%x%b\r\n%b\r\n" % (len(part), extension, part) for part in parts)
    body += b"0\r\n" + trailer + b"\r\n"
    data, chunks, payload, taken = body + behind, Chunks(), list[bytes](), 0
    for number in range(len(data)):
        if chunks.done:
            break
        step = data[taken : taken + steps[number % len(steps)]]
        taken += chunks.feed(step, payload)
    assert (taken, chunks.done, b"".join(payload)) == (len(body), True, b"".join(parts))


def test_a_counted_body_ends_after_its_bytes() -> None:
    body = body_of(5)
    assert (body.feed(b"abc"), body.done, body.feed(b"defg"), body.done) == (3, False, 2, True)
