"""The index: what keel-lint remembers of a file, built by tree-sitter in one pass."""
