-- What people found at a machine after an alarm: labels beside those that were ingested. Their rows
-- stay when a later verdict takes their place, so that a training can be repeated.

ALTER TABLE hydrascope.labels
    DROP CONSTRAINT labels_pkey,
    ADD COLUMN label_key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The alarm that a verdict is about; null: the label was ingested.
    ADD COLUMN alarm_key bigint REFERENCES hydrascope.alarms,
    ADD COLUMN verdict text CHECK (verdict IN ('confirmed', 'false_alarm', 'repaired')),
    -- The name of the key that gave the verdict; empty for what was ingested.
    ADD COLUMN author text NOT NULL DEFAULT '',
    ADD COLUMN given_on timestamptz NOT NULL DEFAULT now(),
    -- When a later verdict on the same alarm took its place.
    ADD COLUMN superseded_on timestamptz,
    ADD CHECK ((alarm_key IS NULL) = (verdict IS NULL));
-- One row for each start, as ingestion has it; verdicts may overlap these and each other.
CREATE UNIQUE INDEX labels_ingested
    ON hydrascope.labels (equipment_key, starts) WHERE alarm_key IS NULL;
CREATE INDEX labels_of_alarm ON hydrascope.labels (alarm_key) WHERE alarm_key IS NOT NULL;

-- What a verdict on the alarm labels, as monitoring/meaning.py has it; null where its finding is no
-- label of the task.
ALTER TABLE hydrascope.alarms ADD COLUMN meaning json;

ALTER TABLE hydrascope.alarm_events
    ADD COLUMN verdict text CHECK (verdict IN ('confirmed', 'false_alarm', 'repaired')),
    DROP CONSTRAINT alarm_events_action_check,
    ADD CONSTRAINT alarm_events_action_check CHECK (action IN
        ('raised', 'acknowledged', 'over', 'reopened', 'closed', 'commented', 'judged'));
