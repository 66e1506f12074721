"""The page of differences is the table."""

from pathlib import Path

from kasmd.web.kasmvnc_differences import DIFFERENCES, page

PAGE = Path(__file__).parents[2] / "docs" / "kasmvnc-api.rst"


def test_the_page_is_of_this_table() -> None:
    assert PAGE.read_text("utf-8") == page()


def test_every_row_says_all() -> None:
    assert all(all(cell.endswith(".") for cell in row[1:]) and row.where for row in DIFFERENCES)
    assert len({row[:2] for row in DIFFERENCES}) == len(DIFFERENCES)
