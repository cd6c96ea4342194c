"""What an operator asks of a running system from outside: how far everything is (lag), and what is wrong (doctor)."""
