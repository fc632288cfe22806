"""Pages that need nothing beside themselves."""

from __future__ import annotations

import base64
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from socsim.results.html import Head, document, drawn, image, paragraph, section, table

PLAIN = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=20)


def parsed(html: str) -> ET.Element:
    return ET.fromstring(html.removeprefix("<!DOCTYPE html>\n"))


def test_a_table_as_it_is_written() -> None:
    heads = [Head("name"), Head("latency [ms]", 'of "all"', number=True)]
    assert table(heads, [["a<b", "1.0"], ["c", "-"]], ["D"]) == (
        '<div class="wide"><table>\n'
        '<thead><tr><th>name</th><th class="number" title="of &quot;all&quot;">latency [ms]</th></tr></thead>\n'
        '<tbody>\n<tr class="D"><td>a&lt;b</td><td class="number">1.0</td></tr>\n'
        '<tr><td>c</td><td class="number">-</td></tr>\n</tbody>\n</table></div>'
    )


def test_a_table_without_rows_is_nothing() -> None:
    assert table([Head("name")], []) == ""


def test_a_row_has_as_many_cells_as_there_are_heads() -> None:
    with pytest.raises(ValueError, match="shorter"):
        table([Head("a"), Head("b")], [["1"]])


def test_sections_without_content_are_nothing() -> None:
    assert section("Empty", ["", ""]) == ""
    assert section("A&B", ["<p>x</p>", ""], "a") == '<h2 id="a">A&amp;B</h2>\n<p>x</p>'
    assert paragraph("") == "" and paragraph("<x>", "small") == '<p class="small">&lt;x&gt;</p>'


@given(PLAIN, PLAIN, PLAIN)
def test_whatever_text_there_is_stays_text(title: str, cell: str, about: str) -> None:
    page = parsed(
        document(title, [table([Head(title, about)], [[cell]]), paragraph(cell), image(b"x", cell, title)])
    )
    assert "".join(page.find("head/title").itertext()) == title
    assert [td.text or "" for td in page.iter("td")] == [cell]
    assert [th.get("title", "") for th in page.iter("th")] == [about]
    assert [img.get("alt") for img in page.iter("img")] == [cell]
    assert not list(page.iter("script"))


def test_pictures_are_within_the_page() -> None:
    (img,) = parsed(document("t", [image(b"\x89PNG", "alt", form="png", width=40)])).iter("img")
    assert img.get("width") == "40"
    assert img.get("src") == "data:image/png;base64," + base64.b64encode(b"\x89PNG").decode()


@pytest.mark.parametrize("form", ["svg", "png"])
def test_a_figure_gives_the_same_bytes_again(form: str) -> None:
    def made() -> bytes:
        figure = Figure(figsize=(2, 1))
        figure.subplots().plot([0, 1], [1, 0])
        return drawn(figure, form)

    first = made()
    assert first == made() and (b"<dc:date>" not in first)
    assert first.startswith(b"\x89PNG" if form == "png" else b"<?xml")
