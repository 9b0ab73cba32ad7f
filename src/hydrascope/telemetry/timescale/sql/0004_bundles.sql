-- `predict` may answer windows that a watch has answered with another bundle. Numbers over time are
-- kept apart by bundle, as predictions are.

ALTER TABLE hydrascope.watches
    -- The bundle that last diagnosed a window; null before the first.
    ADD COLUMN bundle text;
UPDATE hydrascope.watches SET bundle = (
    SELECT bundle FROM hydrascope.predictions
    WHERE predictions.equipment_key = watches.equipment_key AND asked_by = 'watch'
    ORDER BY window_end DESC, created_at DESC LIMIT 1
);

-- What there is so far was written by watches.
ALTER TABLE hydrascope.series ADD COLUMN bundle text NOT NULL DEFAULT '';
UPDATE hydrascope.series SET bundle = watches.bundle
FROM hydrascope.watches
WHERE watches.equipment_key = series.equipment_key AND watches.bundle IS NOT NULL;
ALTER TABLE hydrascope.series
    ALTER COLUMN bundle DROP DEFAULT,
    DROP CONSTRAINT series_equipment_key_component_id_head_label_measure_key,
    ADD UNIQUE (equipment_key, bundle, component_id, head, label, measure);
