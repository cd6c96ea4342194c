"""The kernel's own code on a virtual clock, over a PostgreSQL and a broker in memory that fail as told by a seed."""
