"""The whole system on one bare machine: real PostgreSQL, Kafka and Caddy from packages, supervised."""
