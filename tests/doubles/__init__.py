"""Implementations of ports in memory, for tests. The conformance suites of the real ones hold them too."""
