"""Every threat of docs/threat-model.md names the tests that show what the engine does about it, and they exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "threat-model.md"
_CITED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def _rows() -> list[list[str]]:
    """Threat, control and tests of every row."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in rows if row[0] != "What could go wrong"]


def _tests(file: Path) -> set[str]:
    """The names of a module's tests."""
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, functions) and node.name.startswith("test_")}


@pytest.mark.parametrize("row", _rows(), ids=lambda row: row[0][:60])
def test_a_threat_names_tests_that_exist(row: list[str]) -> None:
    threat, control, named = row
    assert threat
    assert control
    cited = _CITED.findall(named)
    assert cited, "a threat without a test"
    assert ", ".join(f"`{path}::{name}`" for path, name in cited) == named, "nothing else stands in this column"
    for path, name in cited:
        assert (ROOT / path).is_file(), path
        assert name in _tests(ROOT / path), f"{path} has no {name}"


_KNOWN_HOLES = {
    "a default key": "test_two_engines_never_have_the_same_key",
    "no signature, or the public key as a secret": "test_a_token_that_the_engine_did_not_sign_lets_nobody_in",
    "a header that opens the door": "test_no_header_but_authorization_lets_anybody_in",
    "tricks with paths, prefixes before normalisation": "test_no_way_of_writing_a_path_goes_around_the_door",
    "an answer that is tampered with": "test_what_answers_without_credentials_is_a_short_list",
    "objects made of bytes": "test_no_object_is_made_of_bytes",
    "statements made of text": "test_hostile_text_is_stored_as_text",
    "a port that nobody knows of": "test_it_listens_where_it_is_told_and_nowhere_else",
    "requests forged by the server": "test_no_registered_address_is_ever_called",
    "checks by script": "test_the_engine_runs_no_program",
    "a dump for anybody": "test_switches_of_metrics_and_descriptions",
    "secrets that are shown": "test_nothing_secret_is_written_anywhere",
    "files that are served": "test_no_path_leads_to_a_file",
    "a route without a permission": "test_every_route_has_a_permission",
    "two hashers": "test_all_passwords_are_written_by_one_hasher",
    "guessed passwords": "test_many_guesses_at_once_are_no_more_than_three",
    "a lock for others": "test_a_lock_is_for_one_name_from_one_address",
    "a forged address": "test_behind_a_trusted_proxy_each_client_has_its_own_lock",
    "timing of unknown names": "test_a_name_that_there_is_not_takes_as_much_work_as_one_that_there_is",
    "enumeration of names": "test_three_wrong_passwords_lock_a_name_whether_there_is_such_an_account_or_not",
    "a flood of sign-ins": "test_a_crowd_that_signs_in_takes_neither_time_nor_threads_nor_other_peoples_turn",
    "scripts in names": "test_hostile_names_are_never_answered_as_a_page",
    "requests of other sites": "test_a_browser_lends_nobody_its_rights",
    "a mode half on": "test_observing_lets_nobody_make_accounts_without_a_token",
    "input without a bound": "test_bodies_above_their_bound_are_refused",
    "bodies that unpack": "test_a_small_body_that_would_unpack_to_a_large_one_is_not_unpacked",
    "smuggling between the paths": "test_requests_in_one_packet_are_each_judged_by_their_own_credentials",
    "waiting beyond the token": "test_who_waits_is_let_go_with_the_end_of_the_token",
    "a token in an address": "test_a_token_in_the_query_or_the_body_counts_for_nothing",
    "dependencies": "test_constraints_pin_every_dependency",
}


@pytest.mark.parametrize("hole", _KNOWN_HOLES)
def test_what_other_servers_of_this_kind_are_known_for_has_its_row(hole: str) -> None:
    assert any(f"::{_KNOWN_HOLES[hole]}`" in named for _, _, named in _rows())


def test_the_tables_are_read() -> None:
    assert len(_rows()) > 40
