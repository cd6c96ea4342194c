"""Every attack of a penetration test, and its kin, against a running system; docs/attacks.md is the table."""
