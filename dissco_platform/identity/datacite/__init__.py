"""What DataCite is told about our DOIs: `metadata` makes payloads, `client` sends them, `drain` empties the outbox."""
