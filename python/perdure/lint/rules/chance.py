"""PRD22: chance. Inside a workflow randomness comes from the run's seed, secrets from nowhere.

`random.choice(…)`, `random.Random()` and `uuid.uuid4()` answer from the run. The functions of
`random` are bound to the process's own generator when they are imported by name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perdure.lint._finding import Finding, Rule
from perdure.lint._reach import Code

__all__ = ["RULES", "SECRETS", "VERBS", "check"]

_BY_NAME = Rule(
    "PRD2201", "random-by-name", "Taken out of `random` by name, it is not seeded by the run."
)
_SECRET = Rule("PRD2202", "system-randomness", "Randomness of the operating system is refused.")
_FOREIGN = Rule("PRD2203", "unseeded-generator", "This generator is not seeded by the run.")
_NODE = Rule("PRD2204", "machine-identity", "It tells which machine this is.")
RULES = (_BY_NAME, _SECRET, _FOREIGN, _NODE)

VERBS = frozenset({
    "betavariate", "binomialvariate", "choice", "choices", "expovariate", "gammavariate", "gauss",
    "getrandbits", "lognormvariate", "normalvariate", "paretovariate", "randbytes", "randint",
    "random", "randrange", "sample", "seed", "shuffle", "triangular", "uniform",
    "vonmisesvariate", "weibullvariate",
})  # fmt: skip
"""Called through the module, these answer from the run."""
SECRETS = frozenset({
    "os.getrandom", "os.urandom", "random.SystemRandom", "secrets.SystemRandom", "secrets.choice",
    "secrets.randbelow", "secrets.randbits", "secrets.token_bytes", "secrets.token_hex",
    "secrets.token_urlsafe", "ssl.RAND_bytes",
})  # fmt: skip
_STATE = frozenset({"random.getstate", "random.setstate"})
_NUMPY = "numpy.random."
_NUMPY_SEEDED = frozenset({
    "Generator", "MT19937", "PCG64", "Philox", "RandomState", "SFC64", "SeedSequence",
    "default_rng",
})  # fmt: skip
_STREAM = "write `workflow.random()`: a generator that the run seeds"


def check(code: Code, node: ast.AST) -> Iterator[Finding]:
    """Judges one node of workflow code."""
    match node:
        case ast.Call(func=function):
            seeded = bool(node.args or node.keywords)
            yield from _judge(code, node, function, seeded=seeded)
        case ast.keyword(arg="default_factory" | "factory", value=value):
            yield from _judge(code, value, value, seeded=False, kept=True)
        case _:
            pass


def _judge(
    code: Code, node: ast.expr, function: ast.expr, *, seeded: bool, kept: bool = False
) -> Iterator[Finding]:
    found = code.names.resolve(function)
    if found is None:
        return
    text, name = ast.unparse(function), found.qualified
    module, _, verb = name.rpartition(".")
    if module == "random" and verb in VERBS and (found.by_name or kept):
        yield code.finding(
            node,
            _BY_NAME.code,
            f"`{text}` was taken out of `random` at import: the run does not seed it",
            f"call `random.{verb}(…)` through the module, or `workflow.random().{verb}(…)`",
        )
    elif name in SECRETS:
        yield code.finding(
            node,
            _SECRET.code,
            f"`{text}` asks the operating system for randomness, which workflows are refused",
            "make secrets in an activity: what is recorded is no secret; else write "
            "`workflow.random()`",
        )
    elif name in _STATE:
        yield code.finding(
            node, _FOREIGN.code, f"`{text}` reaches for the process's own generator", _STREAM
        )
    elif name.startswith(_NUMPY) and not (seeded and verb in _NUMPY_SEEDED):
        yield code.finding(
            node,
            _FOREIGN.code,
            f"`{text}` is not seeded by the run",
            "seed a generator: `numpy.random.default_rng(workflow.random().getrandbits(128))`",
        )
    elif name == "uuid.getnode":
        yield code.finding(
            node,
            _NODE.code,
            f"`{text}()` is the address of the machine's network card",
            "write `workflow.uuid4()`, or ask in an activity",
        )
