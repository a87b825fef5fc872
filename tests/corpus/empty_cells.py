# Databricks notebook source


# COMMAND ----------

x = 1

# COMMAND ----------



# COMMAND ----------



# COMMAND ----------


