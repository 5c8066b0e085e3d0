"""What the terminal shows while the audit runs: a bar a language, the rate, what ran again."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import TextIO

from examples.code_audit.languages import LANGUAGES, language_of
from examples.code_audit.witness import WitnessReader

TITLES = {
    "go": "Go",
    "typescript": "TypeScript",
    "javascript": "JavaScript",
    "python": "Python",
}
COLORS = {"go": 44, "typescript": 105, "javascript": 178, "python": 175}
"""Colors of the 256-color palette, the same hues as in the report."""

BAR_WIDTH = 32
EIGHTHS = " ▏▎▍▌▋▊▉"
QUIET_INTERVAL_S = 2.0
"""How often a line is written where lines cannot be drawn over: in a log, in a pipe."""


class Progress:
    """Draws the same lines over and over on a terminal; elsewhere it writes one now and then."""

    def __init__(
        self, paths: Sequence[str], witness: WitnessReader, out: TextIO = sys.stdout
    ) -> None:
        self._witness = witness
        self._out = out
        self._is_terminal = out.isatty()
        self._total = Counter(language_of(path) for path in paths)
        self._started_at = time.monotonic()
        witness.read()
        self._attempts_before = witness.attempts
        """Attempts of an engine before this one, which has nothing to do with our pace."""
        self._written_at = self._started_at
        self._lines_drawn = 0

    def say(self, text: str) -> None:
        """A line that stays, above the bars."""
        self._clear()
        print(text, file=self._out, flush=True)

    def draw(self) -> None:
        """Shows how far the workers are."""
        self._witness.read()
        if self._is_terminal:
            lines = self._lines()
            self._clear()
            self._out.write("".join(f"{line}\n" for line in lines))
            self._out.flush()
            self._lines_drawn = len(lines)
        elif time.monotonic() - self._written_at >= QUIET_INTERVAL_S:
            self._written_at = time.monotonic()
            print(f"  {self._summary()}", file=self._out, flush=True)

    def finish(self) -> None:
        """Leaves the last state on the screen."""
        self._written_at = 0.0
        self.draw()
        self._lines_drawn = 0

    def _lines(self) -> list[str]:
        done = Counter(language_of(path) for path in self._witness.ended)
        bars = [
            f"  {TITLES[name]:<11}{self._bar(done[name], self._total[name], COLORS[name])}"
            f" {done[name]:>6,} of {self._total[name]:,}"
            for name in LANGUAGES
            if self._total[name]
        ]
        return [*bars, f"  {self._summary()}"]

    def _summary(self) -> str:
        elapsed_s = time.monotonic() - self._started_at
        attempts = self._witness.attempts - self._attempts_before
        return (
            f"{len(self._witness.ended):,} of {self._total.total():,} files · "
            f"{attempts / max(elapsed_s, 0.001):,.0f} attempts a second · "
            f"{self._witness.again:,} ran again · {elapsed_s:.1f} s"
        )

    def _bar(self, done: int, total: int, color: int) -> str:
        eighths = min(done, total) * BAR_WIDTH * 8 // total
        full, rest = divmod(eighths, 8)
        bar = "█" * full + (EIGHTHS[rest] if rest else "")
        return f"\x1b[38;5;{color}m{bar:<{BAR_WIDTH}}\x1b[0m"

    def _clear(self) -> None:
        if self._lines_drawn:
            self._out.write(f"\x1b[{self._lines_drawn}F\x1b[J")
            self._lines_drawn = 0
