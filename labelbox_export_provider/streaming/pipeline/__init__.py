"""How blocks of rows pass through workers into objects and their parts."""
