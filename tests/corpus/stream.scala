// Databricks notebook source
// MAGIC %md
// MAGIC # Stream

// COMMAND ----------

// MAGIC %run ./setup

// COMMAND ----------

val gauges = spark.readStream.table("river.gauges") // live

// COMMAND ----------

# COMMAND ----------
// another language's mark is code
