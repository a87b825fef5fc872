-- Databricks notebook source
-- /// script
-- [tool.databricks.environment]
-- environment_version = "4"
-- ///
select 1
