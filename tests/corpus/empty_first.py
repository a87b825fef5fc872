# Databricks notebook source

# COMMAND ----------

x = 1
