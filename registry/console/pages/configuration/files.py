"""Items as files: export, and import with all that it would change shown before."""

from __future__ import annotations

from typing import Any

from registry.api.call import Reply
from registry.console.asking import ApiError, read
from registry.console.handling import Page, onwards
from registry.console.pages.configuration.naming import ROOT, changed_members, label_texts, labels_in, pairs_in
from registry.console.view import View

_FORMATS = ("yaml", "properties", "kie")
_ENDINGS = {"yaml": "yaml", "properties": "properties", "kie": "json"}
_OPTIONS = ("format", "override", "prune", "force")
_MOST_SHOWN = 100


async def show(view: View) -> Reply:
    """The forms of export and import."""
    labels = "\n".join(f"{name}={value}" for name, value in labels_in(view.call.pairs).items())
    return view.page("configuration/files.html", title=view.say("Export and import"), formats=_FORMATS, labels=labels)


async def export(view: View) -> Reply:
    """A file with the items that have the labels of the form."""
    form = view.query.get("format", "yaml")
    query = {"format": form, "label": label_texts(pairs_in(view.query.get("labels", "")))}
    found = await view.api.raw("GET", "/waggle/v1/config/export", b"", query)
    name = f"configuration.{_ENDINGS.get(form, 'txt')}"
    headers = {**found.headers, "Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Reply(200, found.body, found.content_type, headers)


async def preview(view: View) -> Reply:
    """What an import would do."""
    try:
        found = await _imported(view, dry_run=True)
    except ApiError as error:
        if error.status not in (400, 409, 422):
            raise
        return view.part("configuration/refusal.html", text=error.text)
    items = [{**one, "members": changed_members(one["before"], one["after"])} for one in found["items"][:_MOST_SHOWN]]
    sent = {name: view.form[name] for name in (*_OPTIONS, "labels") if view.form.get(name)}
    return view.part("configuration/import.html", found=found, items=items, sent=sent, file=view.form.get("file", ""))


async def import_file(view: View) -> Reply:
    """Do what was shown."""
    found = await _imported(view, dry_run=False)
    counts = {action: found[action] for action in ("added", "changed", "deleted")}
    said = view.say("Imported: {added} added, {changed} changed, {deleted} deleted.", **counts)
    return onwards(view, ROOT, view.done(said))


async def _imported(view: View, *, dry_run: bool) -> Any:
    form = view.form
    query: dict[str, object] = {name: form[name] for name in _OPTIONS if form.get(name)}
    labels = label_texts(pairs_in(form.get("labels", "")))
    body = form.get("file", "").replace("\r\n", "\n").encode()
    query |= {"label": labels, "dry_run": "1" if dry_run else ""}
    return read((await view.api.raw("POST", "/waggle/v1/config/import", body, query)).body)


PAGES = (
    Page("GET", f"{ROOT}/files", show),
    Page("GET", f"{ROOT}/export", export),
    Page("POST", f"{ROOT}/import/preview", preview, body_limit="max_config_body_bytes"),
    Page("POST", f"{ROOT}/import", import_file, body_limit="max_config_body_bytes"),
)
