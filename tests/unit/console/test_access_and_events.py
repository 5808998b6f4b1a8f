"""What pages make of the API's answers: permissions as rows of a form, facts of two versions, and refusals beside their fields."""

from __future__ import annotations

import pytest

from registry.console.asking import ApiError
from registry.console.pages.access.roles import perms_of, rows_of
from registry.console.pages.events import compared, text_of
from registry.console.wrong import wrong_of


def test_resources_that_are_restricted_alike_are_one_row() -> None:
    mall = {"appId": "mall"}
    perms = [
        {"resources": [{"type": "service", "labels": mall}, {"type": "config"}, {"type": "ops"}], "verbs": ["get"]},
        {"resources": [{"type": "role"}], "verbs": ["*"]},
    ]
    rows = rows_of(perms)
    assert [(row["resources"], row["labels"]) for row in rows] == [
        (["service"], mall),
        (["config", "ops"], {}),
        (["role"], {}),
    ]
    assert rows_of(perms_of(rows)) == rows


def test_a_role_that_allows_nothing_has_no_row() -> None:
    assert rows_of([]) == []
    assert rows_of([{"verbs": ["get"]}]) == []


def test_only_what_differs_is_compared_and_not_what_every_event_has() -> None:
    before = {"id": "1", "at": 1, "author": "a", "kind": "account", "name": "orders", "roles": ["developer"]}
    after = {**before, "id": "2", "at": 2, "roles": ["admin", "developer"]}
    assert compared(before, after) == [("roles", "developer", "admin, developer")]
    assert compared({}, after) == [("name", "", "orders"), ("roles", "", "admin, developer")]
    assert compared(before, before) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (12.5, "12.5"), (["a", "b"], "a, b"), ({"app": "mall", "on": False}, "app=mall on=false")],
)
def test_a_fact_is_text(value: object, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("detail", "wrong"),
    [
        ("clear: at most 5", {"clear": "at most 5"}),
        ("other: at most 5", {"": "other: at most 5"}),
        ("something else", {"": "something else"}),
    ],
)
def test_a_refusal_is_said_at_its_field(detail: str, wrong: dict[str, str]) -> None:
    assert wrong_of(ApiError(400, {"errorCode": "400001", "detail": detail}), ("clear",)) == wrong
