"""From Jupyter to production on Databricks, without leaving the notebook."""
