"""The documentation shows the configurations that were tested, and says of them what the tests say."""

from __future__ import annotations

import pytest
from deployment.pages import PAGES, written
from deployment.rows import ROWS
from servers.deployed import DEPLOY, ROOT


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_as_it_is_written_from_the_tested_files(page):
    assert page.read_text() == written(page), "run `make pages`"


@pytest.mark.parametrize("row", ROWS)
def test_every_file_of_a_row_is_shown_on_its_page(row):
    page = (ROOT / "docs" / "servers" / f"{ROWS[row].page}.md").read_text()
    assert f"\n## {row}\n" in page
    for path in (DEPLOY / row).iterdir():
        if path.is_file():
            assert f"<!-- file: {row}/{path.name} -->" in page


@pytest.mark.parametrize("path", [path for path in DEPLOY.iterdir() if path.is_file()], ids=lambda path: path.name)
def test_what_rows_share_is_shown_somewhere(path):
    assert any(f"<!-- file: {path.name} -->" in page.read_text() for page in PAGES)


@pytest.mark.parametrize("row", ROWS)
def test_a_row_names_the_setting_of_its_configuration_that_hands_on_authorization(row):
    lines = [line.strip() for path in (DEPLOY / row).glob("site.conf") for line in path.read_text().splitlines()]
    assert [line for line in lines if "PassAuth" in line] == list(filter(None, [ROWS[row].authorization]))


def test_every_folder_of_deploy_is_a_row():
    assert {path.name for path in DEPLOY.iterdir() if path.is_dir() and path.name != "__pycache__"} == {*ROWS}
