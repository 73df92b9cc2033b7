"""Workbooks: reopened by openpyxl and, where there is one, by LibreOffice."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment
from openpyxl.formatting.rule import CellIsRule, ColorScaleRule, FormulaRule
from openpyxl.styles import Font, PatternFill
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.hyperlink import Hyperlink
from openpyxl.worksheet.pagebreak import Break
from openpyxl.worksheet.table import Table

from qwebhook.deliver.targets.sheets import xlsx_file
from tests.deliver.sheets.writing import COLUMNS, CREATED, DELETED, UPDATED, at, user, write

JOINED = datetime(2026, 1, 2)  # noqa: DTZ001 a workbook knows no time zones
KEYED: dict[str, Any] = {"columns": COLUMNS, "key": "Id", "mode": "upsert", "modes": {DELETED: "delete"}}


def values(file: Path, tab: str | None = None) -> list[list[Any]]:
    workbook = load_workbook(file)
    sheet = workbook[tab] if tab else workbook.worksheets[0]
    return [list(row) for row in sheet.iter_rows(values_only=True)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A user's own workbook: formulas, formats, a table, a comment, rules, and another sheet."""
    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.title = "Members"
    for row in (
        ["Id", "Name", "Mail", "Joined", "Length"],
        ["u1", "One", "one@example.com", JOINED, "=LEN(B2)"],
        ["u2", "Two", None, JOINED, "=LEN(B3)"],
        ["u3", "Three", None, None, "=LEN(B4)"],
    ):
        sheet.append(row)
    sheet["D2"].number_format = sheet["D3"].number_format = "dd.mm.yyyy"
    sheet["B4"].font = Font(italic=True, color="FFFF0000")
    sheet["A2"].comment = Comment("The first", "Robin")
    sheet.column_dimensions["B"].width = 33
    sheet.conditional_formatting.add(
        "E2:E9", CellIsRule("greaterThan", ["4"], fill=PatternFill("solid", bgColor="FFFF00"))
    )
    rule = DataValidation("list", '"a,b"')
    rule.add("F2")
    sheet.add_data_validation(rule)
    sheet.add_table(Table(displayName="Members", ref="A1:E4"))
    other = workbook.create_sheet("Totals")
    other["A1"] = "=COUNTA(Members!A2:A100)"
    other["A1"].font = Font(bold=True)
    path = tmp_path / "members.xlsx"
    workbook.save(path)
    return path


def test_a_workbook_is_made_and_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "new.xlsx"
    to = at(f"xlsx:{path}", columns={"Id": "data.id", "Size": "data.size", "Ok": "data.ok"})
    write(to, [user(1, size=5, ok=True), user(2, size=1.5)], tmp_path)
    write(to, [user(2), user(3)], tmp_path)
    assert values(path) == [
        ["Id", "Size", "Ok", "event_id"],
        ["u1", 5, True, f"e1-{CREATED}"],
        ["u2", 1.5, None, f"e2-{CREATED}"],
        ["u3", None, None, f"e3-{CREATED}"],
    ]
    sheet = load_workbook(path).worksheets[0]
    assert (sheet.title, sheet.freeze_panes, sheet["A1"].font.bold) == ("Events", "A2", True)


def test_what_is_the_user_s_stays(file: Path, tmp_path: Path) -> None:
    results = write(at(f"xlsx:{file}", **KEYED), [user(1, UPDATED), user(2, DELETED), user(4)], tmp_path)
    assert [one.words for one in results] == ["the row was changed", "the row was deleted", "a row was added"]
    workbook = load_workbook(file)
    sheet, other = workbook["Members"], workbook["Totals"]
    assert [list(row) for row in sheet.iter_rows(min_row=2, max_col=5, values_only=True)] == [
        ["u1", "User 1", "u1@example.com", JOINED, "=LEN(B2)"],
        ["u3", "Three", None, None, "=LEN(B3)"],
        ["u4", "User 4", "u4@example.com", None, None],
    ]
    assert sheet["D2"].number_format == "dd.mm.yyyy"
    assert sheet["B3"].font.i
    assert sheet["A2"].comment.text == "The first"
    assert sheet.column_dimensions["B"].width == 33
    assert len(sheet.conditional_formatting) == 1
    assert len(sheet.data_validations.dataValidation) == 1
    assert sheet.tables["Members"].ref == "A1:E4"
    assert (other["A1"].value, other["A1"].font.bold) == ("=COUNTA(Members!A2:A100)", True)


def test_a_table_grows_with_its_rows_and_they_look_alike(file: Path, tmp_path: Path) -> None:
    write(at(f"xlsx:{file}", **KEYED), [user(4), user(5)], tmp_path)
    sheet = load_workbook(file)["Members"]
    assert sheet.tables["Members"].ref == "A1:E6"
    assert sheet["B6"].font.i


def test_the_sheet_may_be_named(file: Path, tmp_path: Path) -> None:
    write(at(f"xlsx:{file}#Log", columns={"Id": "data.id"}), [user(1)], tmp_path)
    write(at(f"xlsx:{file}#Log", columns={"Id": "data.id"}), [user(2)], tmp_path)
    assert [row[0] for row in values(file, "Log")] == ["Id", "u1", "u2"]
    assert load_workbook(file).sheetnames == ["Members", "Totals", "Log"]


@pytest.mark.parametrize("value", ["=1+1", "=cmd|' /C calc'!A0", "@x", "nul\x00 and \x1b", "line\nbreak"])
def test_nothing_in_an_event_is_a_formula_or_breaks_the_file(tmp_path: Path, value: str) -> None:
    path = tmp_path / "new.xlsx"
    write(at(f"xlsx:{path}", **KEYED), [user(1, name=value)], tmp_path)
    write(at(f"xlsx:{path}", **KEYED), [user(2)], tmp_path)
    cell = load_workbook(path).worksheets[0]["B2"]
    assert (cell.data_type, cell.value) == ("s", value.replace("\x00", "").replace("\x1b", ""))


@pytest.mark.parametrize("character", ["\ufffe", "\uffff", "\x01"])
def test_no_event_leaves_a_workbook_that_nobody_can_read(tmp_path: Path, character: str) -> None:
    """XML has no such characters, wherever in an event they are; openpyxl would write some of them."""
    path = tmp_path / "a.xlsx"
    columns = {"Id": "data.id", "About": "data.about", "In": "{{ data.about.in }}"}
    to = at(f"xlsx:{path}", columns=columns, key="Id", mode="upsert", modes={DELETED: "mark"})
    kind, body = user(1, DELETED)
    late = json.dumps(json.loads(body) | {"time": f"a{character}b"}).encode()
    write(to, [user(1, about={"in": f"a{character}b"}), (kind, late)], tmp_path)
    header, row = values(path)
    assert (row[0], row[2], header[3], row[3]) == ("u1", "ab", "deleted", "ab")
    assert json.loads(row[1]) == {"in": "a\x01b" if character == "\x01" else "ab"}


def test_a_workbook_that_would_lose_something_is_left_alone(file: Path, tmp_path: Path) -> None:
    workbook = load_workbook(file)
    chart = BarChart()
    chart.add_data(Reference(workbook["Members"], min_col=5, min_row=1, max_row=4))
    workbook["Members"].add_chart(chart, "H2")
    workbook.save(file)
    before = file.read_bytes()
    (result,) = write(at(f"xlsx:{file}", **KEYED), [user(1)], tmp_path)
    assert result.verdict == "never"
    assert re.search(r"holds [a-z ,]*charts, which would be lost", result.words)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("xl/connections.xml", "data connections or queries"),
        ("xl/queryTables/queryTable1.xml", "data connections or queries"),
        ("xl/model/item.data", "a data model"),
        ("xl/xmlMaps.xml", "XML maps"),
        ("xl/macrosheets/sheet1.xml", "macros"),
        ("xl/dialogsheets/sheet1.xml", "dialogs"),
        ("xl/webextensions/taskpanes.xml", "add-ins"),
    ],
)
def test_so_is_one_with_a_part_that_is_not_written_again(file: Path, tmp_path: Path, part: str, words: str) -> None:
    with zipfile.ZipFile(file, "a") as parts:
        parts.writestr(part, "<a/>")
    before = file.read_bytes()
    (result,) = write(at(f"xlsx:{file}", **KEYED), [user(1)], tmp_path)
    assert (result.verdict, f"holds {words}, which would be lost" in result.words) == ("never", True)
    assert file.read_bytes() == before


def test_so_is_one_with_formats_that_are_kept_as_extensions(file: Path, tmp_path: Path) -> None:
    extended = tmp_path / "extended.xlsx"
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(extended, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "xl/worksheets/sheet2.xml":
                content = content.replace(b"</worksheet>", b'<extLst><ext uri="{}"/></extLst></worksheet>')
            new.writestr(name, content)
    before = extended.read_bytes()
    (result,) = write(at(f"xlsx:{extended}", **KEYED), [user(1)], tmp_path)
    assert (result.verdict, "sparklines" in result.words) == ("never", True)
    assert extended.read_bytes() == before


def test_a_damaged_workbook_is_left_alone(file: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(file) as parts:
        names = parts.namelist()
        contents = {name: parts.read(name) for name in names}
    damaged = [b"", b"no zip", file.read_bytes()[:500]]
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as parts:
        for name in names:
            parts.writestr(name, b"<broken" if name.endswith("sheet1.xml") else contents[name])
    damaged.append((tmp_path / "x.zip").read_bytes())
    for content in damaged:
        file.write_bytes(content)
        (result,) = write(at(f"xlsx:{file}", **KEYED), [user(1)], tmp_path)
        assert (result.verdict, "damaged, or no workbook" in result.words) == ("again", True), result
        assert file.read_bytes() == content


def test_a_zip_that_blows_up_is_not_read(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_file, "LARGEST", 1000)
    (result,) = write(at(f"xlsx:{file}", **KEYED), [user(1)], tmp_path)
    assert (result.verdict, "too large" in result.words) == ("never", True)


def test_nor_is_one_with_more_cells_than_memory_holds(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Empty ones are a few bytes each, of which a zip leaves nothing."""
    before = file.read_bytes()
    monkeypatch.setattr(xlsx_file, "MOST_ELEMENTS", 100)
    (result,) = write(at(f"xlsx:{file}", **KEYED), [user(1)], tmp_path)
    assert (result.verdict, "too large" in result.words) == ("never", True)
    assert file.read_bytes() == before


def damaged(path: Path, before: str, after: str) -> bytes:
    """What a workbook holds that has a text in its sheet's XML in place of another, and lies at the path."""
    made = path.with_name("whole.xlsx")
    Workbook().save(made)
    with zipfile.ZipFile(made) as whole, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as parts:
        for name in whole.namelist():
            part = whole.read(name)
            if name == "xl/worksheets/sheet1.xml":
                assert before.encode() in part
                part = part.replace(before.encode(), after.encode())
            parts.writestr(name, part)
    return path.read_bytes()


@pytest.mark.parametrize("area", ["A2:XFD1048576", "A1:Z1000000"])
def test_cells_that_are_merged_count_each(tmp_path: Path, area: str) -> None:
    """openpyxl makes one of each."""
    path = tmp_path / "a.xlsx"
    before = damaged(
        path,
        "<sheetData></sheetData>",
        f'<sheetData></sheetData><mergeCells count="1"><mergeCell ref="{area}"/></mergeCells>',
    )
    (result,) = write(at(f"xlsx:{path}"), [user(1)], tmp_path)
    assert (result.verdict, "too large" in result.words) == ("never", True)
    assert path.read_bytes() == before


@pytest.mark.parametrize("place", ["A0", "A99999999", "ZZZ1"])
def test_a_cell_where_none_can_be_is_damage(tmp_path: Path, place: str) -> None:
    path = tmp_path / "a.xlsx"
    row = f'<row r="{re.sub("[A-Z]", "", place)}"><c r="{place}"><v>1</v></c></row>'
    before = damaged(path, "<sheetData></sheetData>", f"<sheetData>{row}</sheetData>")
    (result,) = write(at(f"xlsx:{path}"), [user(1)], tmp_path)
    assert (result.verdict, "damaged" in result.words) == ("again", True)
    assert path.read_bytes() == before


def test_a_workbook_that_lacks_a_sheet_is_damaged(file: Path, tmp_path: Path) -> None:
    """openpyxl would leave out its name, too."""
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(file) as whole, zipfile.ZipFile(path, "w") as parts:
        for name in whole.namelist():
            if name != "xl/worksheets/sheet2.xml":
                parts.writestr(name, whole.read(name))
    before = path.read_bytes()
    (result,) = write(at(f"xlsx:{path}", **KEYED), [user(1)], tmp_path)
    assert (result.verdict, "is damaged" in result.words) == ("again", True)
    assert path.read_bytes() == before


def test_a_number_that_is_shown_as_a_date_stays_the_number_that_it_is(tmp_path: Path) -> None:
    """1e10 is no date, 60 is one that there never was, and others have more than microseconds."""
    path = tmp_path / "a.xlsx"
    workbook = Workbook()
    sheet = workbook.worksheets[0]
    sheet.append(["event_id", "when", "how long"])
    numbers = [1e10, -5, 60, 0.5, 45_000.123456]
    for row, number in enumerate(numbers, 2):
        for column, shown in ((2, "yyyy-mm-dd"), (3, "[h]:mm:ss")):
            sheet.cell(row, column, number).number_format = shown
    workbook.save(path)
    before = numbers_in(path)
    write(at(f"xlsx:{path}"), [user(1)], tmp_path)
    assert numbers_in(path) == before == [number for number in numbers for _ in "ab"]
    with pytest.warns(UserWarning, match="outside the limits for dates"):
        assert load_workbook(path).worksheets[0].cell(5, 2).number_format == "yyyy-mm-dd"


def numbers_in(path: Path) -> list[float]:
    """Those of the first sheet as the file has them, and not as openpyxl reads them."""
    with zipfile.ZipFile(path) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()
    return [float(number) for number in re.findall(r't="n"><v>([^<]+)</v>', sheet)]


def test_a_format_in_the_last_cell_of_a_sheet_makes_it_no_larger(tmp_path: Path) -> None:
    """What a format for whole rows or columns leaves, or a slip of the hand; with the cells between, it would take
    all memory that there is.
    """
    path = tmp_path / "a.xlsx"
    workbook = Workbook()
    workbook.worksheets[0].append(["event_id", "what"])
    workbook.worksheets[0].cell(1_048_576, 16_384).font = Font(bold=True)
    workbook.save(path)
    (result,) = write(at(f"xlsx:{path}"), [user(1)], tmp_path)
    assert result.words == "a row was added"
    sheet = load_workbook(path).worksheets[0]
    assert sheet.cell(2, 1).value == f"e1-{CREATED}"
    assert sheet.cell(1_048_576, 16_384).font.b


def test_a_sheet_with_something_in_its_last_row_is_full(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    workbook = Workbook()
    workbook.worksheets[0].append(["event_id"])
    workbook.worksheets[0].cell(1_048_576, 3).value = "here"
    workbook.save(path)
    before = path.read_bytes()
    (result,) = write(at(f"xlsx:{path}"), [user(1)], tmp_path)
    assert (result.verdict, result.words) == (
        "again",
        "the sheet 'Sheet' is full: something stands in its row 1048576",
    )
    assert path.read_bytes() == before


def test_ten_thousand_rows_are_a_few_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[Path] = []
    replace = xlsx_file.replace
    monkeypatch.setattr(xlsx_file, "replace", lambda path, write: (saved.append(path), replace(path, write)))
    path = tmp_path / "new.xlsx"
    to = at(f"xlsx:{path}", columns={"Id": "data.id"})
    for start in range(0, 10_000, 2000):
        write(to, [user(number) for number in range(start, start + 2000)], tmp_path)
    assert len(saved) == 5
    assert [row[0] for row in values(path)[1:]] == [f"u{number}" for number in range(10_000)]


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_libreoffice_shows_what_was_written(file: Path, tmp_path: Path) -> None:
    write(at(f"xlsx:{file}", **KEYED), [user(1, UPDATED, name="=1+1"), user(2, DELETED), user(4)], tmp_path)
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    subprocess.run(
        ["soffice", profile, "--headless", "--convert-to", "csv", "--outdir", tmp_path, file],
        capture_output=True,
        timeout=120,
        check=True,
    )
    rows = list(csv.reader((tmp_path / "members.csv").open()))
    assert "2026" in rows[1].pop(3)  # in the form that the locale has
    assert rows == [
        ["Id", "Name", "Mail", "Joined", "Length"],
        ["u1", "=1+1", "u1@example.com", "4"],
        ["u3", "Three", "", "", "5"],
        ["u4", "User 4", "u4@example.com", "", ""],
    ]


def test_the_name_of_a_sheet_is_the_same_in_any_case(file: Path, tmp_path: Path) -> None:
    for number in (5, 6):
        write(at(f"xlsx:{file}#MEMBERS", **KEYED), [user(number)], tmp_path)
    assert load_workbook(file).sheetnames == ["Members", "Totals"]
    assert [row[0] for row in values(file)][4:] == ["u5", "u6"]


def test_a_cell_that_is_merged_with_others_is_not_written(file: Path, tmp_path: Path) -> None:
    workbook = load_workbook(file)
    workbook["Members"].merge_cells("A3:C3")
    workbook.save(file)
    before = file.read_bytes()
    (result,) = write(at(f"xlsx:{file}", **KEYED), [user(2, UPDATED)], tmp_path)
    assert (result.verdict, result.words) == ("again", "the cell B3 of 'Members' is merged with others")
    assert file.read_bytes() == before


def test_what_refers_to_rows_goes_along_when_others_are_deleted(file: Path, tmp_path: Path) -> None:
    workbook = load_workbook(file)
    sheet, other = workbook["Members"], workbook["Totals"]
    del sheet.tables["Members"]
    sheet["A6"] = "=SUM(E2:E4)"
    sheet["B6"] = "=E4+E$2+E3+1"
    sheet["C6"] = '=COUNTA(A:A)+SUM(3:4)+LEN("E4")'
    sheet["A7"] = "A note over three cells"
    sheet.merge_cells("A7:C7")
    sheet["B4"].hyperlink = "https://example.com/three"
    sheet["B3"].hyperlink = "https://example.com/two"
    sheet.row_dimensions[4].height = 40
    sheet.auto_filter.ref = "A1:E4"
    other["A2"] = "=Members!E4&'members'!$E$4&Members!E3&E4"
    workbook.defined_names["Third"] = DefinedName("Third", attr_text="Members!$A$4:$E$4")
    workbook.save(file)

    (result,) = write(at(f"xlsx:{file}", **KEYED), [user(2, DELETED)], tmp_path)
    assert result.words == "the row was deleted"
    workbook = load_workbook(file)
    sheet, other = workbook["Members"], workbook["Totals"]
    assert [sheet["E2"].value, sheet["E3"].value] == ["=LEN(B2)", "=LEN(B3)"]
    assert sheet["A5"].value == "=SUM(E2:E3)"
    assert sheet["B5"].value == "=E3+E$2+#REF!+1"
    assert sheet["C5"].value == '=COUNTA(A:A)+SUM(3:3)+LEN("E4")'
    assert sheet["A6"].value == "A note over three cells"
    assert [str(area) for area in sheet.merged_cells.ranges] == ["A6:C6"]
    assert [cell.hyperlink.target for (cell,) in sheet["B1:B9"] if cell.hyperlink] == ["https://example.com/three"]
    assert sheet["B3"].hyperlink.ref == "B3"
    assert (sheet.row_dimensions[3].height, sheet.row_dimensions[4].height) == (40, None)
    assert sheet.auto_filter.ref == "A1:E3"
    assert sheet.conditional_formatting["E2:E9"]
    assert other["A2"].value == "=Members!E3&'members'!$E$3&Members!#REF!&E4"
    assert other["A1"].value == "=COUNTA(Members!A2:A100)"  # which is for the rows to come
    assert workbook.defined_names["Third"].attr_text == "Members!$A$3:$E$3"


def test_a_table_whose_rows_are_all_deleted_takes_new_ones(file: Path, tmp_path: Path) -> None:
    to = at(f"xlsx:{file}", **KEYED)
    write(to, [user(number, DELETED) for number in (1, 2, 3)], tmp_path)
    assert load_workbook(file)["Members"].tables["Members"].ref == "A1:E2"
    write(to, [user(4), user(5)], tmp_path)
    assert load_workbook(file)["Members"].tables["Members"].ref == "A1:E3"
    assert [row[0] for row in values(file)] == ["Id", "u4", "u5"]


@pytest.fixture
def ruled(tmp_path: Path) -> Path:
    """A workbook with rules, lists to choose from, a printed area and page breaks, above and below what is deleted."""
    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.title = "Members"
    sheet.append(["Id", "Name", "Mail", "Size"])
    for number in range(1, 9):
        sheet.append([f"u{number}", f"User {number}", None, number])
    sheet["A12"], sheet["B12"], sheet["D12"] = "Limits", "a note", 5
    fill = PatternFill("solid", bgColor="FFFF00")
    formatting = sheet.conditional_formatting
    formatting.add("D2:D9", FormulaRule(formula=["AND($D2>$D$12,D1<>D2)"], fill=fill))
    formatting.add("D6:D7", FormulaRule(formula=["$D6>Limits!$A$2"], fill=fill))
    formatting.add("A3:A3", CellIsRule("equal", ['"x"'], fill=fill))
    formatting.add("A2:D50", FormulaRule(formula=["$A2=$A$12"], fill=fill))
    for area, formula in (("C2:C9", "$B$5:$B$9"), ("C12", "$D$12"), ("B12", "B9")):
        validation = DataValidation("list", formula)
        validation.add(area)
        sheet.add_data_validation(validation)
    formatting.add("D8:D9", ColorScaleRule("min", None, "FFFF00", end_type="formula", end_value="$D$12"))
    sheet.print_area = "A1:D9,A12:D12"
    sheet.print_title_rows = "1:1"
    for row in (3, 4, 9):
        sheet.row_breaks.append(Break(id=row))
    other = workbook.create_sheet("Limits")
    other["A2"] = 3
    other["A3"].hyperlink = Hyperlink(ref="A3", location="Members!A9")
    choice = DataValidation("list", "Members!$A$2:$A$9")
    choice.add("B2:B5")
    other.add_data_validation(choice)
    other.conditional_formatting.add("A2:A5", FormulaRule(formula=["A2>Members!$D$12"], fill=fill))
    other.print_area = "A1:B9"
    path = tmp_path / "ruled.xlsx"
    workbook.save(path)
    return path


def rules(sheet: Any) -> dict[str, list[str]]:
    return {str(one.sqref): list(one.rules[0].formula) for one in sheet.conditional_formatting}


def choices(sheet: Any) -> dict[str, str]:
    return {str(one.sqref): one.formula1 for one in sheet.data_validations.dataValidation}


def test_rules_choices_and_what_is_printed_go_along_when_rows_are_deleted(ruled: Path, tmp_path: Path) -> None:
    results = write(at(f"xlsx:{ruled}", **KEYED), [user(number, DELETED) for number in (1, 2, 4)], tmp_path)
    assert {result.words for result in results} == {"the row was deleted"}
    workbook = load_workbook(ruled)
    sheet, other = workbook["Members"], workbook["Limits"]
    assert [sheet["A2"].value, sheet["A6"].value, sheet["A9"].value] == ["u3", "u8", "Limits"]
    assert rules(sheet) == {
        "D2:D6": ["AND($D2>$D$9,D1<>D2)"],  # of the first row that is left, though that of before is gone
        "D3:D4": ["$D3>Limits!$A$2"],
        "A2:D50": ["$A2=$A$9"],
        "D5:D6": [],
    }
    (scale,) = sheet.conditional_formatting["D5:D6"]
    assert scale.colorScale.cfvo[1].val == "$D$9"
    assert choices(sheet) == {"C2:C6": "$B$3:$B$6", "C9": "$D$9", "B9": "B6"}
    assert sheet.print_area == "'Members'!$A$1:$D$6,'Members'!$A$9:$D$9"
    assert sheet.print_title_rows == "$1:$1"
    assert [one.id for one in sheet.row_breaks.brk] == [1, 2, 6]
    assert rules(other) == {"A2:A5": ["A2>Members!$D$9"]}
    assert choices(other) == {"B2:B5": "Members!$A$2:$A$6"}
    assert other.print_area == "'Limits'!$A$1:$B$9"
    assert other["A3"].hyperlink.location == "Members!A6"


def test_what_was_printed_and_is_gone_leaves_nothing_behind(ruled: Path, tmp_path: Path) -> None:
    workbook = load_workbook(ruled)
    workbook["Members"].print_area = "A3:D4"
    workbook.save(ruled)
    write(at(f"xlsx:{ruled}", **KEYED), [user(number, DELETED) for number in (2, 3)], tmp_path)
    assert not load_workbook(ruled)["Members"].print_area
