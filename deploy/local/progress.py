"""One visible line per step: what is being done while it is done, how long it took when it is."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.status import Status


class Step:
    """The line of one step; `tell` changes what stands behind its name."""

    def __init__(self, name: str, status: Status) -> None:
        self.name, self.detail, self._status = name, "", status

    def tell(self, detail: str) -> None:
        self.detail = detail
        self._status.update(f"{self.name}  [dim]{escape(detail)}[/dim]")


class Terminal(Console):
    """A console whose end (a closed pipe) ends the words, not the system."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still in its buffer goes nowhere


class Progress:
    def __init__(self, console: Console) -> None:
        self.console = console

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Step]:
        began = time.monotonic()
        with self.console.status(name) as status:  # draws nothing where there is no terminal
            line = Step(name, status)
            try:
                yield line
            except BaseException:
                self.console.print(f"[red]✗[/red] {name}")
                raise
        took = time.monotonic() - began
        self.console.print(
            f"[green]✓[/green] {name:<24} [dim]{took:6.1f} s  {escape(line.detail)}[/dim]", soft_wrap=True
        )

    def say(self, text: str) -> None:
        """A line between the steps, with the time: what happened to a process."""
        stamp = time.strftime("%H:%M:%S")
        self.console.print(f"[yellow]·[/yellow] [dim]{stamp}[/dim] {escape(text)}", soft_wrap=True)
