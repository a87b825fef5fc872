# Databricks notebook source
levels <- c(1, 2)

# COMMAND ----------

mean(levels)
