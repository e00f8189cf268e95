"""Where bytes come from: the list of an export's files, and the hosts that serve them."""
