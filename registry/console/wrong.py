"""What the API refuses of a form, said beside the field that it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from registry.access import Mode
from registry.api.call import Reply
from registry.console.asking import ApiError
from registry.console.view import View

Wrong = Mapping[str, str]
"""Texts by the names of fields; under the empty name what is about none of them."""
_STATUS = 422


def wrong_of(error: ApiError, names: Sequence[str]) -> Wrong:
    """Which of the fields `names` an answer is about: those that it begins with, as `clear: at most 5`."""
    name, colon, text = error.text.partition(":")
    return {name: text.strip()} if colon and name in names else {"": error.text}


def form_again(view: View, template: str, error: ApiError, names: Sequence[str], **facts: Any) -> Reply:
    """The form as it was filled in, with what is wrong with it. Raises the error where it is that nobody has signed in."""
    if error.status == 401 and view.mode is not Mode.OFF and view.identity is None:
        raise error
    return view.part(template, status=_STATUS, wrong=wrong_of(error, names), **facts)


def form_wrong(view: View, template: str, wrong: Wrong, **facts: Any) -> Reply:
    """The form as it was filled in, with what a page sees by itself."""
    return view.part(template, status=_STATUS, wrong=wrong, **facts)
