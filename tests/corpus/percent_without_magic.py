# Databricks notebook source
%pip install tides

# COMMAND ----------

!ls /tmp

# COMMAND ----------

x = 1
%matplotlib inline

# COMMAND ----------

  %sql select 1
