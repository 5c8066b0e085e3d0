"""The linter: what workflow code asks for that a replay could not repeat, seen before it runs.

It reads source text and nothing else: no code is imported or run.
"""

from perdure.lint._finding import Finding, LintWarning, Rule
from perdure.lint._lint import lint_file, lint_text
from perdure.lint._sarif import sarif
from perdure.lint._table import RULES

__all__ = ["RULES", "Finding", "LintWarning", "Rule", "lint_file", "lint_text", "sarif"]
