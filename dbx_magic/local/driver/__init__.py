"""What runs inside a context's Python process, and makes it a Databricks notebook's driver."""
