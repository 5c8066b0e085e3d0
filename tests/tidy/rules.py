"""Every house measure by its name."""

from tests.tidy import (
    brace_rules,
    layout_rules,
    python_rules,
    rust_rules,
    text_rules,
    word_rules,
)
from tests.tidy.tree import Rule

RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        text_rules.file_length,
        text_rules.line_length,
        text_rules.banner_comment,
        text_rules.one_title,
        text_rules.forbidden_words,
        python_rules.python_function_length,
        python_rules.class_size,
        python_rules.init_attributes,
        python_rules.package_front,
        brace_rules.go_function_length,
        brace_rules.typescript_function_length,
        rust_rules.crate_dependencies,
        rust_rules.no_std,
        rust_rules.clock,
        rust_rules.crate_front,
        layout_rules.bare_root,
        layout_rules.no_binaries,
        layout_rules.dead_python,
        layout_rules.dead_rust,
        layout_rules.dead_typescript,
        layout_rules.sleeping_tests,
        layout_rules.asserting_tests,
        word_rules.whole_words,
    )
}
