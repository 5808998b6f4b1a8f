"""What KIE reads and writes: JSON, or YAML where the client says so. Protocol: KIE sections A.1 and A.12."""

from __future__ import annotations

import asyncio
import io

import orjson
from ruamel.yaml import YAML

from governance.rules.parsing import ParseError
from registry.api.call import NO_HEADERS, Call, Reply
from registry.api.kie.yaml_bodies import parse_yaml
from registry.api.shapes import Shape, decode, parse
from registry.errors import ConfigError, Refusal

JSON_TYPE = "application/json"
YAML_TYPE = "text/yaml"
NO_CONTENT = Reply(204)
UNSUPPORTED = Reply(415, b"415: Unsupported Media Type")
_IN_OUR_WORDS = {500011: 500001, 500003: 500001}
_DECODING = "decode request body failed: "
_one_at_a_time = asyncio.Lock()


def reply(body: bytes, headers: dict[str, str] | None = None) -> Reply:
    """200 with JSON that is ready."""
    return Reply(200, body, JSON_TYPE, headers or NO_HEADERS)


async def document_reply(call: Call, document: object) -> Reply:
    """200 with a document, as YAML where the client accepts nothing else."""
    body = orjson.dumps(document)
    if call.header("Accept") != YAML_TYPE:
        return reply(body)
    return Reply(200, await asyncio.to_thread(_as_yaml, body), YAML_TYPE)


def readable(call: Call) -> bool:
    """Whether the media type of a body is one that the route reads; a body without one is not."""
    return call.header("Content-Type").partition(";")[0].strip().lower() in (JSON_TYPE, YAML_TYPE)


async def read(call: Call, shape: Shape) -> dict[str, object]:
    """The known members of the body. Raises 400001."""
    try:
        value = await _yaml(shape, call.body) if call.header("Content-Type") == YAML_TYPE else parse(call.body)
        return decode(shape, value)
    except (Refusal, ParseError) as error:
        why = error.detail if isinstance(error, Refusal) else f"the body is not YAML: {error}"
        raise ConfigError(400001, _DECODING + why) from error


async def _yaml(shape: Shape, body: bytes) -> object:
    """Parsed on a thread, one body at a time: a large one takes seconds, in which others must be served."""
    async with _one_at_a_time:
        return await asyncio.to_thread(parse_yaml, shape, body)


def _as_yaml(body: bytes) -> bytes:
    text, writer = io.StringIO(), YAML(typ="safe")
    writer.default_flow_style = False
    writer.dump(orjson.loads(body), text)
    return text.getvalue().encode()


def in_our_words(refusal: Refusal) -> Refusal:
    """A refusal in the config centre's words, whoever made it."""
    if isinstance(refusal, ConfigError):
        return refusal
    detail = f"{_DECODING}{refusal.detail}" if refusal.detail.startswith("http: ") else refusal.detail
    return ConfigError(_IN_OUR_WORDS.get(refusal.error.code, 400001), detail)
