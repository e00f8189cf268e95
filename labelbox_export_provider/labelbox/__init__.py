"""How Labelbox is spoken to: documents, answers, retry policy, generator flows and the two drivers that run them."""
