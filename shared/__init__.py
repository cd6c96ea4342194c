"""What the services stand on; it knows no service. A folder is a stage on the way of a command or of an event.

A command:  http → access → commands.py (decider.py, history.py, turns.py) → log, with vault.py in the same transaction.
An event:   log → relay → Kafka → stream → views; a service's own views take it straight from log.
A process:  service puts the above together and runs it; backfill is many commands in one request.
An operator: cli; what it asks of a running system is in operations, what a process tells by itself in observability.py,
            http/gauges.py and tracing.py.
"""
