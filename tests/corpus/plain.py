# Databricks notebook source
import datetime as dt

# COMMAND ----------

levels = spark.table('river.levels')
levels.printSchema()

# COMMAND ----------

display(levels)
