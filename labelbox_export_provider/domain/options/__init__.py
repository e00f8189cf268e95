"""How options of operators are checked, templated and rendered."""
