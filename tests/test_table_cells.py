"""What tables hold and how they are written: each cell is read as it stands, or a sentence says no.

The right values are written out by hand; files are small ones of the kinds that people have.
"""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from narrows.data import prepare
from narrows.data.datasets import table
from narrows.data.datasets._base import Dataset, NothingLeft
from narrows.data.tables import dates, reading
from narrows.errors import UserError


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(content: str | bytes | pa.Table, **options: Any) -> Dataset:
    file = Path("t.parquet" if isinstance(content, pa.Table) else "t.csv")
    if isinstance(content, pa.Table):
        parquet.write_table(content, file)
    else:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    cfg = table.Config(path=str(file), **options)
    table.fetch(cfg, Path("raw"))
    return table.load(cfg, Path("raw"))


def encode(data: Dataset, text: str) -> Dataset:
    Path("new.csv").write_text(text)
    return table.encode(data.schema, {}, Path("new.csv"))


def csv(columns: dict[str, list[Any]], end: str = "") -> str:
    rows = [
        ",".join(columns),
        *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True)),
    ]
    return "\n".join(rows[:1] + [row + end for row in rows[1:]]) + "\n"


def column(data: Dataset, name: str) -> dict[str, Any]:
    return next(c for c in data.schema["columns"] if c["name"] == name)


def ends(data: Dataset, name: str) -> tuple[str, float, float]:
    c = column(data, name)
    return c["kind"], c["least"], c["largest"]


PLAN = ["a", "b"] * 30
AGE = [18 + i * 7 % 50 for i in range(60)]


# Rows and headers


def test_a_separator_at_the_end_of_rows_moves_no_value() -> None:
    data = load(csv({"age": AGE, "plan": PLAN}, end=","))
    assert ends(data, "age") == ("numeric", 18, 67)
    assert column(data, "plan")["categories"] == ["a", "b"]
    assert "rows end with a separator that the header does not have" in data.warnings


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (csv({"a": AGE, "b": PLAN}) + "1,x,9\n", "row 61 has 3 values and the header 2"),
        ("Report of 2024\n\n" + csv({"a": AGE, "b": PLAN}), "by dataset.skip_rows: 2$"),
        ("Report\n\nby us\n\n" + csv({"a": AGE, "b": PLAN}), "by dataset.skip_rows: 4$"),
        ("Report,,\n,,\n" + csv({"a": AGE, "b": PLAN, "c": AGE}), "by dataset.skip_rows: 2$"),
        ("a\n" + "1,2\n" * 30, "if its first name is missing, write it; if it is a title"),
        (
            csv({"a": AGE, "b": PLAN}).replace(",", ";"),
            "',' does not separate its columns, by ';' there are 2; set dataset.separator: ';'$",
        ),
        (
            "a;b;c\n" + "1,5;2,25;x\n" * 30,
            "by ';' there are 3; set dataset.separator: ';' and dataset.decimal: ','$",
        ),
        (
            "a;b, c;d\n" + "1,5;2,25;3,0\n" * 30,  # a comma in the header, too
            "by ';' there are 3; set dataset.separator: ';' and dataset.decimal: ','$",
        ),
        ('a,b\n1,x\n2,"y\n3,x\n', "unexpected end of data; a quote is not closed"),
        ('a,b\n1,"x"y\n', "not a table that can be read: ',' expected after '\"'"),
        (
            ",".join(map(str, range(2000))) + "\n1" * 2000,
            "most rows have fewer values than the header",
        ),
        ("a" + "," * 100_001, "t.csv has 100,002 columns; 100,000 at most are taken"),
        ("", "not a table that can be read: it has no header"),
        (",,\n", "not a table that can be read: it has no header"),
    ],
)
def test_rows_that_do_not_fit_their_header_are_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        load(text)


def test_lines_above_the_header_are_left_out() -> None:
    text = csv({"a": AGE, "b": PLAN})
    expected = load(text)
    data = load("Report of 2024\n\n" + text, skip_rows=2)
    np.testing.assert_array_equal(data.x, expected.x)
    np.testing.assert_array_equal(encode(data, "Report of 2025\n\n" + text).x, expected.x)


def test_short_rows_repeated_names_and_spaces_are_told_of() -> None:
    data = load("a, b ,a,\n" + "1, x ,3,\n2,y,5,\n" * 15 + "7,y\n")
    assert [c["name"] for c in data.schema["columns"]] == ["a", "b", "a.1", "Unnamed: 3"]
    assert column(data, "b")["categories"] == ["y", "x"]
    assert column(data, "a.1")["n_missing"] == 1
    assert data.warnings[1:3] == [
        "1 row has fewer values than the header, for example row 31: the last columns there are "
        "gaps",
        "there are two columns 'a'; the second is called 'a.1'",
    ]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8-sig", "utf-16", "utf-32"])
def test_letters_are_those_that_were_written(encoding: str) -> None:
    words = ["Köln", "Ulm", "Würzburg"] * 20
    data = load(csv({"Größe": AGE, "Ort": words}).encode(encoding))
    assert data.schema["features"] == ["Größe", "Ort=Köln", "Ort=Ulm", "Ort=Würzburg"]
    assert any("read as" in text for text in data.warnings) is (encoding != "utf-8-sig")


def test_lines_may_end_as_on_old_computers() -> None:
    text = csv({"n": AGE, "plan": PLAN})
    for end in ("\r\n", "\r"):
        np.testing.assert_array_equal(load(text.replace("\n", end)).x, load(text).x)


def test_an_encoding_can_be_named() -> None:
    content = csv({"n": AGE, "Ort": ["Łódź", "Ulm"] * 30}).encode("cp1250")
    assert column(load(content, encoding="cp1250"), "Ort")["categories"] == ["Ulm", "Łódź"]
    with pytest.raises(UserError, match=r"t\.csv is not written in utf-8"):
        load(content, encoding="utf-8")
    without_mark = csv({"n": AGE, "Ort": PLAN}).encode("utf-16-le")
    assert column(load(without_mark, encoding="utf-16-le"), "Ort")["categories"] == ["a", "b"]
    with pytest.raises(UserError, match=r"set dataset\.encoding, for example utf-16-le"):
        load(without_mark)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"encoding": "latin-99"}, "encoding: accepted are null and an encoding of Python"),
        ({"encoding": "base64"}, "encoding: accepted are null and an encoding of Python"),
        ({"separator": ", "}, "separator: accepted is one character"),
        ({"decimal": ",", "thousands": ","}, "thousands: ',' is the decimal point already"),
    ],
)
def test_keys_are_checked(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        table.Config(path="t.csv", **options)


# Numbers


@pytest.mark.parametrize("mark", ["?", "-", "n/a.", "k.A.", "unknown", "NA", "nan", "oops"])
def test_a_few_words_among_numbers_are_gaps(mark: str) -> None:
    """Five of sixty; of usual marks there may be more."""
    power = [mark if i % 12 == 7 else 46 + i for i in range(60)]
    data = load(csv({"power": power, "plan": PLAN}))
    assert ends(data, "power") == ("numeric", 46, 105)
    assert data.x[[6, 7], 1].tolist() == [0, 0.5]
    sentence = f"column 'power': 5 values are no numbers and count as missing, for example {mark}"
    assert sentence in data.warnings


def test_usual_marks_say_nothing_against_numbers() -> None:
    power = ["?" if i % 2 else 46 + i for i in range(60)]
    assert column(load(csv({"power": power, "plan": PLAN})), "power")["kind"] == "numeric"


@pytest.mark.parametrize(
    ("cells", "options", "numbers"),
    [
        (['"1,234.50"', "12.5", '"-3,000"'], {}, [1234.5, 12.5, -3000]),
        (["1.234,50", "12,5", "-3.000"], {"decimal": ",", "separator": ";"}, [1234.5, 12.5, -3000]),
        (["1'234.5", "12", "7"], {}, [1234.5, 12, 7]),
        (["1 234", "12", "7"], {}, [1234, 12, 7]),
        (["12 %", "7%", "1.5 %"], {}, [0.12, 0.07, 0.015]),
        (["€ 12", "$7", "-3 €"], {}, [12, 7, -3]),
        (["1_234", "5", "7"], {"thousands": "_"}, [1234, 5, 7]),
        (["1e3", "+5", "7."], {}, [1000, 5, 7]),
    ],
)
def test_numbers_are_what_people_write(
    cells: list[str], options: dict[str, Any], numbers: list[float]
) -> None:
    separator = options.get("separator", ",")
    data = load(f"n{separator}p\n" + "".join(f"{c}{separator}x\n" for c in cells * 10), **options)
    assert ends(data, "n") == ("numeric", pytest.approx(min(numbers)), pytest.approx(max(numbers)))
    middle = pytest.approx(sorted(numbers)[1])
    assert column(data, "n")["middle"] == middle


def test_a_decimal_comma_is_no_thousand() -> None:
    """0,500 and 12,5 cannot group thousands; what they are is said."""
    data = load(csv({"n": ['"1,234"', '"0,500"', '"12,5"'] * 20, "m": AGE}))
    assert column(data, "n")["kind"] == "categorical"
    assert column(data, "n")["why"] == "numbers with another decimal point: set dataset.decimal"


def test_codes_keep_their_zeros() -> None:
    codes = ["007", "0815", "8010", "1234"] * 15
    data = load(csv({"code": codes, "age": AGE}))
    assert data.schema["features"][:4] == ["code=007", "code=0815", "code=1234", "code=8010"]
    assert column(data, "code")["why"] == "codes with a zero in front"


def test_four_digits_are_no_date() -> None:
    codes = [str(8000 + 37 * i % 1500) for i in range(60)]
    data = load(pa.table({"code": codes, "age": AGE}))
    assert column(data, "code")["kind"] == "numeric"


def test_na_among_words_is_a_word() -> None:
    """The country code of Namibia."""
    data = load(csv({"land": ["NA", "DE", ""] * 20, "age": AGE}))
    assert column(data, "land")["categories"] == ["(missing)", "DE", "NA"]


def test_words_of_params_yaml_are_gaps_everywhere() -> None:
    text = csv({"n": ["-99.00", 1, 2] * 20, "w": ["none", "x", "y"] * 20})
    data = load(text, missing=(-99.0, "none"))
    assert ends(data, "n") == ("numeric", 1, 2)
    assert column(data, "w")["categories"] == ["(missing)", "x", "y"]
    typed = load(pa.table({"n": [-99, 1, 2] * 20, "m": AGE}), missing=("-99",))
    assert ends(typed, "n") == ("numeric", 1, 2)


# Parquet


def test_every_type_of_parquet_is_used_or_left_out_with_a_reason() -> None:
    n = range(40)
    columns: dict[str, pa.Array] = {
        "decimal": pa.array([Decimal(i) / 4 for i in n], pa.decimal128(10, 2)),
        "wide": pa.array([Decimal(i * i) for i in n], pa.decimal256(50, 2)),
        "half": pa.array(np.array([i / 2 for i in n], np.float16)),
        "large": pa.array([2**63 + 5 * i * i for i in n], pa.uint64()),
        "length": pa.array([timedelta(seconds=i * i) for i in n], pa.duration("ms")),
        "at": pa.array([time(i % 24, i) for i in n], pa.time32("s")),
        "day": pa.array([date(2024, 1, 1 + i % 20) for i in n]),
        "stamp": pa.array([datetime(2024, 1, 1 + i % 20) for i in n], pa.timestamp("us", "UTC")),
        "old": pa.array([-(10**17) + 10**11 * i for i in n], pa.int64()).cast(pa.timestamp("us")),
        "flag": pa.array([i % 3 == 0 for i in n]),
        "word": pa.array([f"w{i % 3}" for i in n]).dictionary_encode(),
        "bytes": pa.array([b"\xff\x00", b"x"] * 20),
        "text": pa.array([b"a", b"b"] * 20, pa.large_binary()),
        "key": pa.array([bytes([i] * 16) for i in n], pa.binary(16)),
        "list": pa.array([[i] for i in n]),
        "struct": pa.array([{"a": i} for i in n]),
        "map": pa.array([[("a", i)] for i in n], pa.map_(pa.string(), pa.int64())),
        "null": pa.nulls(40),
    }
    data = load(pa.table(columns))
    assert {c["name"]: c["kind"] for c in data.schema["columns"]} == {
        **dict.fromkeys(("decimal", "wide", "half", "large", "length", "at"), "numeric"),
        **dict.fromkeys(("day", "stamp", "old"), "date"),
        **dict.fromkeys(("flag", "word", "text"), "categorical"),
        **{"bytes": "bytes", "key": "identifier", "list": "nested", "struct": "nested"},
        **{"map": "nested", "null": "empty"},
    }
    assert ends(data, "decimal") == ("numeric", 0, 9.75)
    assert ends(data, "length") == ("numeric", 0, 39**2)
    assert column(data, "old")["first"] == -1e11
    assert column(data, "large")["n_different"] == 40
    assert column(data, "flag")["categories"] == ["False", "True"]
    for key, sentence in (("labels", "holds lists, mappings or bytes"), ("names", "holds lists")):
        with pytest.raises(UserError, match=sentence):
            load(pa.table(columns), **{key: "list"})
    with pytest.raises(UserError, match="column 'list' holds no value of the kind given"):
        load(pa.table(columns), categorical=("list",))


@pytest.mark.parametrize("file", ["new.csv", "new.parquet"])
def test_parts_are_encoded_as_the_whole_is(file: str) -> None:
    """Five rows, two at a time; of the CSV the fourth row lacks a value, which that part says."""
    data = load(csv({"n": AGE, "Ort": ["Bonn", "Ulm"] * 30}))
    Path("new.csv").write_text("n,Ort\n1,Ulm\n2,Bonn\n3,Ulm\n4\n5,Jena\n")
    columns = {"n": [1, 2, 3, 4, 5], "Ort": ["Ulm", "Bonn", "Ulm", None, "Jena"]}
    parquet.write_table(pa.table(columns), "new.parquet")
    parts = list(table.parts(data.schema, Path(file), 2))
    assert [(part.first, part.n) for part in parts] == [(0, 2), (2, 2), (4, 1)]
    whole, *some = (table.encode(data.schema, {}, Path(file), part) for part in (None, *parts))
    np.testing.assert_array_equal(np.concatenate([own.x for own in some]), whole.x)
    if file == "new.csv":
        has_remark = [any("row 4: the last" in line for line in own.warnings) for own in some]
        assert has_remark == [False, True, False]


@pytest.mark.parametrize("file", ["new.csv", "new.parquet"])
def test_a_table_without_rows_is_a_part_of_none(file: str) -> None:
    data = load(csv({"n": AGE}))
    Path("new.csv").write_text("n\n")
    parquet.write_table(pa.table({"n": pa.array([], pa.int64())}), "new.parquet")
    (part,) = table.parts(data.schema, Path(file), 2)
    with pytest.raises(NothingLeft, match="has a header and no rows"):
        table.encode(data.schema, {}, Path(file), part)


def test_bytes_and_lists_where_there_were_values_are_told_of() -> None:
    data = load(pa.table({"plan": ["free", "pro"] * 20, "age": AGE[:40]}))
    new = pa.table({"plan": [b"\xff", b"\xfe", b"\xfd"], "age": [[1], [2], [3]]})
    parquet.write_table(new, "new.parquet")
    first, second = table.encode(data.schema, {}, Path("new.parquet")).warnings
    assert first.endswith("column 'plan': 3 values are bytes and count as missing")
    assert "column 'age': 3 values are lists or mappings and count as missing; " in second


def test_a_claim_of_more_rows_than_memory_holds_is_a_sentence() -> None:
    """Runs of equal values say so in a few bytes: 8 bytes each of 10^12 are 7,450.6 GiB."""
    with pytest.raises(UserError, match=r"1,000,000 rows of 1,000,000 columns need 7,450\.6 GiB"):
        reading._check_size(10**6, 10**6, Path("t.csv"))


# Dates


@pytest.mark.parametrize("end", ["9999-12-31", "0001-01-01", "1900-01-01", "2999-12-31"])
def test_no_end_is_no_date(end: str) -> None:
    """Real ends are the 28th of January to December 2024, 334 days from the first to the last."""
    until = [end if i % 5 < 3 else f"2024-{i % 12 + 1:02}-28" for i in range(60)]
    data = load(csv({"fee": AGE, "until": until}))
    start, stop = column(data, "until")["features"]
    assert ends(data, "until") == ("date", *dates_of("2024-01-28", "2024-12-28"))
    assert data.x[[0, 1, 2, 3], stop - 1].tolist() == [0.5, 0.5, 0.5, 0]
    of_april = (31 - 28 + 29 + 31 + 28) / 335
    assert data.x[3, start] == pytest.approx(of_april)
    assert f'stand for "no date" and count as missing, for example {end}' in data.warnings[-1]
    new = encode(data, f"fee,until\n20,{end}\n20,9999-01-01\n20,2024-04-28\n")
    assert new.x[:, stop - 1].tolist() == [0.5, 0.5, 0]
    assert new.x[2, start] == pytest.approx(of_april)


def dates_of(*days: str) -> list[float]:
    return [float(np.datetime64(day, "s").astype(int)) for day in days]


def test_dates_of_all_years_are_read_and_an_odd_one_is_told_of() -> None:
    """2204 for 2024 is a mistake and no sign of an open end: it lies beyond the others."""
    days = [f"2024-01-{i % 28 + 1:02}" for i in range(60)]
    data = load(csv({"day": [*days[:-1], "2204-05-01"], "n": AGE}))
    assert ends(data, "day") == ("date", *dates_of("2024-01-01", "2204-05-01"))
    assert data.beyond[-1, 0] > 2000
    assert "lie far beyond 2024-01-01 to 2024-01-28, for example 2204-05-01" in data.warnings[-1]


@pytest.mark.parametrize(
    ("days", "name", "first"),
    [
        (["31.12.24", "1.2.99"], "%d.%m.%y", "1999-02-01"),
        (["12/31/24", "01/02/23"], "%m/%d/%y", "2023-01-02"),
        (["31/12/2024", "01/02/2023"], "%d/%m/%Y", "2023-02-01"),
        (["31.12.2024 10:30", "01.02.2023 07:00"], "%d.%m.%Y %H:%M", "2023-02-01T07:00"),
        (["2024-12-31T10:00:00+02:00", "2023-02-01"], "ISO8601", "2023-02-01"),
    ],
)
def test_dates_are_read_by_one_format(days: list[str], name: str, first: str) -> None:
    data = load(csv({"day": days * 15, "n": AGE[:30]}))
    assert column(data, "day")["format"] == name
    assert column(data, "day")["least"] == dates_of(first)[0]


def test_birthdays_of_two_digits_are_of_the_past() -> None:
    """1940 to 1999, of which 40 to 68 would be 2040 to 2068 by POSIX. Half of the empty years, 2000
    to 2039, come after the last year that is meant, also in a new file."""
    days = [f"1.{i % 12 + 1}.{year % 100:02}" for i, year in enumerate(range(1940, 2000))]
    data = load(csv({"born": days, "n": AGE[:60]}))
    assert column(data, "born")["format"] == "%d.%m.%y since 1920"
    assert ends(data, "born") == ("date", *dates_of("1940-01-01", "1999-12-01"))
    assert any("year (two digits: 1920 to 2019)" in line for line in data.account)
    new = encode(data, "born,n\n1.1.40,20\n1.12.99,20\n1.1.03,20\n")
    assert new.x[:2, 0].tolist() == [0, 1]
    assert new.beyond is not None
    assert 0 < new.beyond[2, 0] < 0.1


def test_two_orders_of_day_and_month_are_said() -> None:
    data = load(csv({"day": ["01/02/2024", "03/04/2024"] * 15, "n": AGE[:30]}))
    assert any("as month/day/year, though day/month/year fits as well" in t for t in data.warnings)


def test_real_ends_are_the_nearer_ones_where_all_are_ends_of_years() -> None:
    assert dates.ends(np.array(dates_of("2024-12-31", "9999-12-31"))) == tuple(
        dates_of("2024-12-31", "2024-12-31")
    )


# Identifiers

GENERATOR = np.random.default_rng(0)
GAPS = sorted(GENERATOR.permutation(100_000)[:300].tolist())


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("", GAPS),
        ("UserNumber", GAPS),
        ("uid", [i * i for i in range(300)]),
        ("account", [i * i for i in range(300)]),
        ("customer_no", [1000 + i // 3 * 17 for i in range(300)]),
        ("whatever", GAPS),
        ("line", list(range(300))),
    ],
)
def test_numbers_of_rows_and_things_are_left_out(name: str, numbers: list[int]) -> None:
    data = load(csv({name: numbers, "age": AGE * 5}))
    assert column(data, name or "Unnamed: 0")["kind"] == "identifier"
    assert data.schema["features"] == ["age"]


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("income", GENERATOR.lognormal(10, 0.5, 300).astype(int).tolist()),
        ("height", (GENERATOR.normal(0, 1, 300) * 1e6).astype(int).tolist()),
        ("number of doors", [2 + i % 4 for i in range(300)]),
        ("mass index", [round(18 + i % 30 / 7, 1) for i in range(300)]),
        ("plan_id", [i % 5 for i in range(300)]),
    ],
)
def test_measured_numbers_are_no_identifiers(name: str, numbers: list[float]) -> None:
    assert column(load(csv({name: numbers, "age": AGE * 5})), name)["kind"] == "numeric"


def test_lines_of_the_terminal_are_few_and_legible() -> None:
    """Each of thirty columns has a gap that is told of; names may hold anything."""
    evil, ages = "\x1b[2J" + "x" * 500, "19 to 67, in all 18 to 67"
    columns = {evil if i == 0 else f"c{i}": [f"\x07oops{i}", *AGE[1:]] for i in range(30)}
    data = load(csv(columns))
    lines = prepare.summary(data, Path("data/table"))
    assert len(lines) == 15
    assert lines[1:3] == [
        "30 columns: 30 numeric",
        f"numeric: ?[2J{'x' * 55}… ({ages}), c1 ({ages}), c2 ({ages}), c3 ({ages}), c4 ({ages}), "
        f"c5 ({ages}) and 24 more",
    ]
    assert lines[3].endswith("1 values are no numbers and count as missing, for example ?oops0")
    assert lines[-2:] == [
        "and 20 more",
        "all that was assumed is in data/table/schema/assumed.txt",
    ]
    assert len(data.account) == 31
    assert all(line.isprintable() for line in [*lines, *data.account])


# New rows


def test_a_new_row_is_the_same_in_every_file() -> None:
    """Alone 007 looks like a number, beside A12 like a word."""
    data = load(csv({"fee": AGE, "code": ["A12", "B77", "007"] * 20}))
    alone = encode(data, "fee,code\n80,007\n").x
    together = encode(data, "fee,code\n80,007\n20,A12\n").x
    np.testing.assert_array_equal(alone[0], together[0])
    assert alone[0, data.schema["features"].index("code=007")] > 0
    parquet.write_table(pa.table({"fee": [80.0], "code": ["007"]}), "new.parquet")
    np.testing.assert_array_equal(table.encode(data.schema, {}, Path("new.parquet")).x, alone)


def test_a_table_without_rows_is_a_sentence() -> None:
    data = load(csv({"fee": AGE, "seats": AGE}))
    with pytest.raises(NothingLeft, match=r"new\.csv has a header and no rows"):
        encode(data, "fee,seats\n")
    with pytest.raises(NothingLeft, match="has 0 rows and no column to learn from"):
        load("fee,seats\n")
    with pytest.raises(NothingLeft, match="has 0 rows and no column to learn from"):
        load(csv({"fee": AGE, "label": [""] * 60}), labels="label")


def test_how_far_values_lie_outside_is_said_in_ranges() -> None:
    """Of 0 to 1000 the quantiles are 1 and 999; 1997 lies once this range above it."""
    text = csv({"n": list(range(1001)), "plan": ["a", *PLAN[:50] * 20]})
    data = load(text, numeric=("n",))
    expected = [-1 / 998, 0, 0, 1 / 998]
    assert data.beyond[[0, 1, 999, 1000], 0].tolist() == pytest.approx(expected)
    new = encode(data, "n,plan\n1997,a\n-997,a\n500,zzz\n")
    np.testing.assert_allclose(new.beyond, [[1, 0], [-1, 0], [0, 0]], atol=1e-6)
    assert new.x.max() <= 1
    assert encode(data, "n,plan\n1e300,a\n").beyond[0, 0] == np.float32(1e30)
    far = encode(data, "n,plan\n1e6,a\n5,b\n")
    assert "new.csv: column 'n': 1 values lie far beyond 1 to 999, for example 1e6" in far.warnings


def test_an_older_schema_is_a_sentence() -> None:
    Path("new.csv").write_text("a\n1\n")
    with pytest.raises(UserError, match="older version; run `dvc repro prepare`"):
        table.encode({"dataset": "table", "columns": []}, {}, Path("new.csv"))


@pytest.mark.parametrize(
    ("header", "odd"),
    [
        ("0,0,x0", "0, 0"),
        ("Anna,34,2024-05-01", "34, 2024-05-01"),
        ("Anna,01.02.1980,x", "01.02.1980"),
        ("1,2,3,4,5,6,8", "1, 2, 3, 4, 5 and 2 more"),
        ("name,age,2x", ""),
        ("country,2019,2020", ""),  # a table with a column a year
        ("0,1,2", ""),  # as pandas names columns
        ("400.5,401,401.5", ""),  # a spectrum
        ("x,2024-01-01,2024-02-01,2024-03-01", ""),
    ],
)
def test_a_first_line_that_is_data_is_told_of(header: str, odd: str) -> None:
    rows = [",".join([value] * (header.count(",") + 1)) for value in ("1.5", "2.5")]
    warnings = load("\n".join([header, *rows])).warnings
    said = [warning for warning in warnings if "looks like data" in warning]
    expected = "the first line looks like data, not like names of columns: "
    assert [warning.partition("; ")[0] for warning in said] == ([expected + odd] if odd else [])


def test_a_first_line_that_is_data_is_told_of_where_nothing_is_left() -> None:
    with pytest.raises(NothingLeft, match=r"the first line looks like data, .*: 0; if it is"):
        load("0,x0\n" * 30)
