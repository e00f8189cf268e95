"""Which windows of a source are landed, empty, rejected or missing, from the names of objects alone.

`names` reads a listing, `tiling` knows how windows follow each other, `check` puts both together for each source,
`fill` has the way to fill a gap, `snapshot` and `table` are the forms for programs and for people. Only `listing`
calls a store.
"""
