"""Windows of recorded telemetry in which a machine was sound, for its calibration."""
