# Databricks notebook source
# /// script
# [tool.databricks.environment]
# environment_version = "5"
# dependencies = [
#   "tides",
# ]
# ///
# DBTITLE 1,Tides
# MAGIC %md
# MAGIC Text
