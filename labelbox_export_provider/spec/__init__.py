"""What may be asked and what is recorded: sources, params, filters, windows, handle, manifest, layout, errors. Pure."""
