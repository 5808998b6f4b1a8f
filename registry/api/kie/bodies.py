"""What KIE reads and writes: JSON, or YAML where the client says so. Protocol: KIE sections A.1 and A.12."""

from __future__ import annotations

import asyncio
import io

import orjson
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from registry.api.call import NO_HEADERS, Call, Reply
from registry.api.shapes import Shape, decode, parse
from registry.errors import ConfigError, Refusal

JSON_TYPE = "application/json"
YAML_TYPE = "text/yaml"
NO_CONTENT = Reply(204)
UNSUPPORTED = Reply(415, b"415: Unsupported Media Type")
_IN_OUR_WORDS = {500011: 500001, 500003: 500001}


def reply(body: bytes, headers: dict[str, str] | None = None) -> Reply:
    """200 with JSON that is ready."""
    return Reply(200, body, JSON_TYPE, headers or NO_HEADERS)


def document_reply(call: Call, document: object) -> Reply:
    """200 with a document, as YAML where the client accepts nothing else."""
    if call.header("Accept") != YAML_TYPE:
        return reply(orjson.dumps(document))
    text = io.StringIO()
    YAML(typ="safe").dump(orjson.loads(orjson.dumps(document)), text)
    return Reply(200, text.getvalue().encode(), YAML_TYPE)


def readable(call: Call) -> bool:
    """Whether the media type of a body is one that the route reads; a body without one is not."""
    return call.header("Content-Type").partition(";")[0].strip().lower() in (JSON_TYPE, YAML_TYPE)


async def read(call: Call, shape: Shape) -> dict[str, object]:
    """The known members of the body. Raises 400001."""
    try:
        value = await _yaml(call.body) if call.header("Content-Type") == YAML_TYPE else parse(call.body)
        return decode(shape, value)
    except Refusal as error:
        raise ConfigError(400001, f"decode request body failed: {error.detail}") from error


async def _yaml(body: bytes) -> object:
    """Parsed on a thread: a large document takes seconds, in which others must be served."""
    try:
        return await asyncio.to_thread(YAML(typ="safe", pure=True).load, body)
    except (YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(400001, f"the body is not YAML: {' '.join(str(error).split())[:300]}") from error


def in_our_words(refusal: Refusal) -> Refusal:
    """A refusal in the config centre's words, whoever made it."""
    if isinstance(refusal, ConfigError):
        return refusal
    return ConfigError(_IN_OUR_WORDS.get(refusal.error.code, 400001), refusal.detail)
