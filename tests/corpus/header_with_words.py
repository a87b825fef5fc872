# Databricks notebook source (moved from the old workspace)
x = 1
