"""How bytes move: files of an export stream to verified, whole objects in a store."""
