"""What the browser loads: files that `npm run build` made in web/, named by their contents. The engine runs without them."""

from __future__ import annotations

import json
import mimetypes
from dataclasses import dataclass, field
from pathlib import Path

from registry.api.call import Call, Reply

BUILT = Path(__file__).parent / "static"
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
_FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Assets:
    """The built files in memory, and which of them a page begins with."""

    script: str = ""
    style: str = ""
    icon: str = ""
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def built(self) -> bool:
        """Whether there is anything to show pages with."""
        return bool(self.script)

    async def get(self, call: Call) -> Reply:
        """GET: one file, compressed as the browser takes it; browsers keep it for ever, as its name is that of its contents."""
        name = call.params["name"]
        if name not in self.files or name.endswith((".br", ".gz")):
            return Reply(404, b"no such file\n")
        accepted = call.request.headers.get("Accept-Encoding", "")
        headers = {"Cache-Control": _FOREVER, "X-Content-Type-Options": "nosniff"}
        for coding, ending in (("br", ".br"), ("gzip", ".gz")):
            if coding in accepted and name + ending in self.files:
                return Reply(200, self.files[name + ending], _type(name), {**headers, "Content-Encoding": coding})
        return Reply(200, self.files[name], _type(name), headers)


def load(folder: Path = BUILT) -> Assets:
    """Read what was built; nothing where it was not."""
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        return Assets()
    names = json.loads(manifest.read_text(encoding="utf-8"))
    files = {one.name: one.read_bytes() for one in folder.iterdir() if one != manifest}
    return Assets(names["script"], names["style"], names["icon"], files)


def _type(name: str) -> str:
    ending = Path(name).suffix
    return _TYPES.get(ending) or mimetypes.guess_type(name)[0] or "application/octet-stream"
