"""The local workspace: Databricks' REST API on this machine, with real Spark behind it."""
