// Databricks notebook source exported at Fri, 3 Jun 2016 10:11:12 UTC
// MAGIC %md ## Tides

// COMMAND ----------

val tides = sc.parallelize(1 to 24)

// COMMAND ----------

// MAGIC %python
// MAGIC print('from Scala')