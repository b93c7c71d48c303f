# SPDX-License-Identifier: Apache-2.0
"""The front pages: short, and in groups that a person can look through."""

import re

import pytest

from tests.unit.docs import README, SOURCE

INDEX = (SOURCE / "index.rst").read_text(encoding="utf-8")
GROUPS = dict(
    re.findall(
        r"\.\. toctree::\n(?: +:maxdepth.*\n) +:caption: (.+)\n\n"
        r"((?: {3}\S+\n)+)",
        INDEX,
    )
)
MOST_PAGES = 7
MOST_LINES = 80


def test_readme_fits_on_a_screen_and_a_half():
    assert len(README.read_text().splitlines()) <= MOST_LINES


@pytest.mark.parametrize("caption", GROUPS)
def test_a_group_has_few_pages(caption):
    assert 1 <= len(GROUPS[caption].split()) <= MOST_PAGES


def test_every_page_of_an_operator_is_in_one_group():
    pages = [page for listed in GROUPS.values() for page in listed.split()]
    assert len(pages) == len(set(pages))
    written = {
        path.relative_to(SOURCE).with_suffix("").as_posix()
        for path in (SOURCE / "admin").glob("*.rst")
        if path.name != "evidence.rst"
    }
    assert written <= set(pages)


def test_the_front_page_answers_three_questions_first():
    first = INDEX[: INDEX.index(".. toctree::")]
    questions = re.findall(r"^- \*\*(.+\?)\*\* +:(?:doc|ref):`", first, re.M)
    assert len(questions) == 3
    assert "touch /etc/nova-vhard/policy.yaml.disabled" in first


def test_pages_have_titles_of_their_own():
    """The theme's row above a page had one for all of them."""
    row = (SOURCE / "_templates" / "titlerow.html").read_text()
    assert "<h1" not in row
