"""Readers of what XGBoost, LightGBM and CatBoost write."""
