"""What Prometheus and Grafana need, made from the code or held against it; docs/operations.md is the run book."""
