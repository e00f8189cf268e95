"""The fake's GraphQL API: schema, resolvers, and the form of its errors."""
