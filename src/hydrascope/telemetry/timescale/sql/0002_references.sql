-- What a machine's sensors said when it was known to be sound, as the service was told.

CREATE TABLE hydrascope.reference_windows (
    equipment_key integer PRIMARY KEY REFERENCES hydrascope.equipment,
    -- Of the content, so that whoever has read it knows whether it is still the same.
    sha256 text NOT NULL,
    -- As serving/references.py writes it; json, not jsonb: numbers are kept as they were written.
    content json NOT NULL,
    given_at timestamptz NOT NULL DEFAULT now()
);
