"""What an import did, so that every row is accounted for: read = applied + edited + repeated + rejected + left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from deploy.importers.answers import Answer, Problem
from deploy.importers.stackexchange import Census, Line
from deploy.terminal import MESSAGE, printable

SHOWN = 5  # rejections that the terminal shows
KINDS = 50  # of what was left out of rows
NAME = 40  # characters of a field's name


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that a service refused, and why."""

    table: str
    row: str
    why: str


@dataclass
class ImportReport:
    """Counts of rows: per table, or over all of them as `read`, `applied`, `edited`, `repeated`, …

    `parts` counts what services left out of rows that came in otherwise, by table, field and reason.
    """

    community: str
    founded: bool
    census: Census
    answers: dict[str, Counter[str]] = field(default_factory=dict)
    rejections: list[Rejection] = field(default_factory=list)
    parts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, line: Line, answer: Answer) -> None:
        self.answers.setdefault(line.table, Counter())[answer.status] += 1
        for part in answer.left_out:
            kind = line.table, printable(part.pointer[1:].partition("/")[0], NAME), printable(part.detail)
            known = kind in self.parts or len(self.parts) < KINDS
            self.parts[kind if known else (line.table, "", "for other reasons")] += 1
        if answer.status == "rejected" and len(self.rejections) < SHOWN:
            self.rejections.append(Rejection(line.table, line.row, (answer.problem or Problem()).why))

    @property
    def read(self) -> int:
        return self.census.rows.total()

    @property
    def applied(self) -> int:
        return self._answered("applied")

    @property
    def edited(self) -> int:
        return self._answered("edited")

    @property
    def repeated(self) -> int:
        return self._answered("repeated")

    @property
    def rejected(self) -> int:
        return self._answered("rejected")

    @property
    def left_out(self) -> int:
        return sum(reasons.total() for reasons in self.census.left_out.values())

    def _answered(self, status: str) -> int:
        return sum(counts[status] for counts in self.answers.values())

    def show(self, console: Console) -> None:
        table = Table(title=f"Imported into {self.community}", title_justify="left")
        table.add_column("rows of")
        columns = ("read", "applied", "edited", "repeated", "left out", "rejected")
        for column in columns:
            table.add_column(column, justify="right")
        for name, rows in self.census.rows.items():
            counts, left_out = self.answers.get(name, Counter()), self.census.left_out[name].total()
            given = (counts[status] for status in ("applied", "edited", "repeated"))
            numbers = (rows, *given, left_out, counts["rejected"])
            table.add_row(name, *(f"{number:,}" for number in numbers))
        table.add_section()
        sums = (self.read, self.applied, self.edited, self.repeated, self.left_out, self.rejected)
        table.add_row("all", *(f"{number:,}" for number in sums), style="bold")
        console.print(table)
        self._show_reasons(console)
        rate = (self.applied + self.edited + self.repeated) / self.seconds if self.seconds else 0
        console.print(f"{self.seconds:.1f} s, {rate:,.0f} rows a second.")

    def _show_reasons(self, console: Console) -> None:
        for name, reasons in self.census.left_out.items():
            for reason, rows in reasons.most_common():
                console.print(f"Left out: {rows:,} of {name}, {reason}.", markup=False)
        for (name, part, reason), times in self.parts.most_common():
            console.print(f"Left out of rows of {name}: {times:,} × {part}: {reason}", markup=False)
        for remark in self.census.remarks:
            console.print(f"Note: {printable(remark, MESSAGE)}", markup=False, soft_wrap=True)
        for note, rows in self.census.notes.items():
            console.print(f"Note: {rows:,} row{'' if rows == 1 else 's'} {note}.", markup=False)
        for rejection in self.rejections:
            said = f"Rejected: {rejection.table} {rejection.row}: {rejection.why}"
            console.print(said, markup=False, style="red")
        if self.rejected > len(self.rejections):
            console.print(f"… and {self.rejected - len(self.rejections):,} more; --rejected FILE writes them all.")
