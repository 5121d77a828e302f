"""Airflow operators, sensors and assets for ModelKits."""
