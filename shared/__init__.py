"""What the services stand on; it knows no service. A folder is a stage on the way of a command or of an event.

A command:  http → access → commands.py (decider.py, history.py, turns.py) → log, with vault.py in the same transaction.
An event:   log → relay → Kafka → stream → views; a service's own views take it straight from log.
A process:  runtime.py is what it is made of; service puts it together and runs it; backfill is many commands in one
            request.
An operator: cli; what it asks of a running system is in operations, what a process tells by itself in observability.py,
            service/gauges.py, service/health.py and tracing.py.

Imports go one way, from cli down to errors.py and event.py: the contract "The kernel is in layers" in pyproject.toml.
"""
