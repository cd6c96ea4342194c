"""Importers bring a community in through the public API: they read a foreign dump and send backfill lines."""
