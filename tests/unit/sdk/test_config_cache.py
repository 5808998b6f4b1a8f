"""What is kept on disk, for whom, and what is wrong with a file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from governance.sdk import ServiceSettings
from governance.sdk.configuration.cache import Cache
from governance.sdk.configuration.levels import Value

VALUES = {"app": {"a": Value("1", "a", "app", 0), "b": Value("${env:X}", "y", "app", 0)}, "label": {}}


def cache(folder: Path | str, **given: object) -> Cache:
    return Cache(ServiceSettings(**{"name": "cart", "config_cache": str(folder), **given}))  # type: ignore[arg-type]


async def kept(folder: Path) -> Cache:
    made = cache(folder)
    await made.keep(lambda: VALUES)
    return made


async def test_what_is_kept_is_there_again_for_this_user_alone(tmp_path: Path) -> None:
    made = await kept(tmp_path / "new" / "folder")
    assert cache(tmp_path / "new" / "folder").load() == VALUES
    assert [file.name for file in made.path.parent.iterdir()] == [made.path.name], "nothing is left beside it"
    assert made.path.name.startswith("cart-")
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert made.path.parent.stat().st_mode & 0o777 == 0o700
    await made.keep(dict)
    assert made.load() == {}


@pytest.mark.parametrize(
    "other",
    [
        {"name": "pay"},
        {"app": "shop"},
        {"version": "2.0"},
        {"environment": "testing"},
        {"project": "other"},
        {"addresses": "http://127.0.0.1:1"},
        {"config_addresses": "http://127.0.0.1:1"},
        {"config_label": "team"},
        {"config_label_value": "red"},
    ],
)
async def test_every_service_has_a_file_of_its_own(other: dict[str, str], tmp_path: Path) -> None:
    made, stranger = await kept(tmp_path), cache(tmp_path, **other)
    assert made.path != stranger.path
    assert stranger.load() == {}
    made.path.rename(stranger.path)
    assert stranger.load() == {}, "and does not take another's for it"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[]", b'{"format":"other","of":{},"levels":{}}', b"\0" * 99]
)
async def test_a_torn_or_foreign_file_is_ignored_and_told_without_its_values(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = await kept(tmp_path)
    whole = made.path.read_bytes()
    for broken in (content, whole[:-1], whole.replace(b'"1"', b"{}")):
        caplog.clear()
        made.path.write_bytes(broken)
        assert made.load() == {}
        assert "config.cache_ignored" in caplog.text
        assert "it is not what was kept" in caplog.text
        assert "env:X" not in caplog.text


async def test_another_users_file_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = await kept(tmp_path)
    made.path.chmod(0o644)
    monkeypatch.setattr("os.getuid", lambda: 12345)
    owner = made.path.stat().st_uid
    assert (made.load() == {}) is (owner != 0), "root may put one there for others"
    assert ("another user's" in caplog.text) is (owner != 0)


async def test_a_disk_that_cannot_be_written_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "file"
    file.write_text("no folder")
    made = await kept(file)
    assert "config.not_kept" in caplog.text
    assert made.load() == {}
    assert file.read_text() == "no folder"


def test_no_folder_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = cache("")
    asyncio.run(made.keep(lambda: VALUES))
    assert made.load() == {}
    assert [*tmp_path.iterdir()] == []


async def test_the_home_folder_is_found_or_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    made = await kept(Path("~/.cache/waggle"))
    assert made.path.parent == tmp_path / ".cache" / "waggle"
    assert made.load() == VALUES
    nowhere = cache("~nobody-of-this-name/x")
    await nowhere.keep(lambda: VALUES)
    assert nowhere.load() == {}
    assert "config.not_kept" in caplog.text
