"""The local runner: it runs the steps of Azure pipeline files here. It is not Azure Pipelines."""
