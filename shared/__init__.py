"""What the services stand on; it knows no service. Five layers, and a line imports only what stands below it.

service                               one declaration makes an API, a worker, or both
web                                   requests, who may, paging, problems, fields, many commands in one request
processes · projections · replicas    what follows from events
commands · relay · subscription       decide and append · log to topic · topic to batches
events · log · vault · kafka          what is written, and where to; with db, lease, lag, settings, tables,
                                      telemetry, polling and cancellation

A command:  web/dependencies.py → commands/commands.py → events/decider.py → log/writer.py
An event:   log → relay/session.py → Kafka → subscription/kafka_source.py → projections/feed.py → batches.py →
            store_postgres.py; a service's own read models take it straight from its log (subscription/log_source.py)

The order is the contract "The kernel is in layers" in pyproject.toml. docs/reading-the-kernel.md is the way
through it, docs/glossary.md has the words.
"""
