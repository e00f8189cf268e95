"""The Labelbox client: GraphQL over HTTP, retries, polling, and starts that are adopted instead of repeated."""
