-- Databricks notebook source
-- MAGIC %md
-- MAGIC # Islands
-- MAGIC A notebook in Databricks source form: it is pushed as it is.

-- COMMAND ----------

-- MAGIC %python
-- MAGIC from palmerpenguins import load_penguins
-- MAGIC
-- MAGIC spark.createDataFrame(load_penguins().dropna()).createOrReplaceTempView("penguins")

-- COMMAND ----------

select island, species, count(*) as penguins from penguins group by all order by all
