-- Databricks notebook source
-- MAGIC %md
-- MAGIC # Queries
-- MAGIC
-- MAGIC -- COMMAND ----------

-- COMMAND ----------

-- DBTITLE 1,All stations
select * from river.stations -- all

-- COMMAND ----------

-- MAGIC %python
-- MAGIC display(spark.sql('select 1'))

-- COMMAND ----------

-- MAGIC %sql
-- MAGIC select 'explicit'
