"""The evaluation of the thresholds: the evaluator, its report, forecasts and chart series."""
