# Databricks notebook source
# /// script
# [tool.databricks.environment]
x = 1

# COMMAND ----------

# /// script
# ///
only the first cell can have one
