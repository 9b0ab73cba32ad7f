-- What a watch writes: how far each machine was diagnosed, numbers over time, alarms, notifications.
-- The instants of windows and alarms are those of the telemetry; columns named *_on are clock times
-- of who wrote the row.

ALTER TABLE hydrascope.predictions
    -- The lowest health of the machine and its components; null where no answer is reliable.
    ADD COLUMN health real,
    -- Whether there are answers and none is reliable.
    ADD COLUMN cannot_tell boolean NOT NULL DEFAULT false,
    -- Who asked: 'service', 'watch' or 'predict'.
    ADD COLUMN asked_by text NOT NULL DEFAULT 'service';

-- One row for each number that is drawn over time: a health, a probability, a value.
CREATE TABLE hydrascope.series (
    series_key integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    equipment_key integer NOT NULL REFERENCES hydrascope.equipment,
    -- Empty for the machine itself.
    component_id text NOT NULL DEFAULT '',
    -- Empty for the lowest health over all heads.
    head text NOT NULL DEFAULT '',
    -- A class or a label; empty for a head without them.
    label text NOT NULL DEFAULT '',
    measure text NOT NULL CHECK (measure IN ('health', 'probability', 'value', 'normality')),
    unit text NOT NULL DEFAULT '',
    UNIQUE (equipment_key, component_id, head, label, measure)
);

-- Sums by hour and by day, written in the transaction that writes the predictions. Only reliable
-- answers count.
CREATE TABLE hydrascope.series_hourly (
    series_key integer NOT NULL,
    hour timestamptz NOT NULL,
    windows integer NOT NULL,
    total double precision NOT NULL,
    lowest real NOT NULL,
    highest real NOT NULL,
    PRIMARY KEY (series_key, hour)
) WITH (fillfactor = 70);  -- rows of the present hour and day are updated again and again
CREATE TABLE hydrascope.series_daily (
    series_key integer NOT NULL,
    day timestamptz NOT NULL,
    windows integer NOT NULL,
    total double precision NOT NULL,
    lowest real NOT NULL,
    highest real NOT NULL,
    PRIMARY KEY (series_key, day)
) WITH (fillfactor = 70);

-- How far a watch has come with a machine. A worker that finds it changed since it read the row
-- writes nothing: another one was faster.
CREATE TABLE hydrascope.watches (
    equipment_key integer PRIMARY KEY REFERENCES hydrascope.equipment,
    -- Where the next window starts if the telemetry goes on without a gap.
    upto timestamptz NOT NULL,
    -- The end of the last window, or the start of the stretch before its first one.
    covered timestamptz NOT NULL,
    -- Whether it is settled where the windows of this stretch start.
    begun boolean NOT NULL,
    -- The newest sample, and equipment.revision, when all that was due had been diagnosed.
    newest timestamptz,
    revision bigint,
    -- What the alarm rules remember of the last windows.
    rules jsonb NOT NULL DEFAULT '{}',
    -- Samples that came when their windows had been diagnosed, and their times.
    late_samples bigint NOT NULL DEFAULT 0,
    late_first timestamptz,
    late_last timestamptz,
    written_on timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE hydrascope.alarms (
    alarm_key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    equipment_key integer NOT NULL REFERENCES hydrascope.equipment,
    rule text NOT NULL,
    -- Empty for the machine itself.
    component_id text NOT NULL DEFAULT '',
    head text NOT NULL,
    -- The class or label that was found; empty for a value or a health.
    finding text NOT NULL DEFAULT '',
    severity text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    state text NOT NULL CHECK (state IN ('open', 'acknowledged', 'closed')),
    -- The start of the first window that counted for it.
    since timestamptz NOT NULL,
    -- The end of the window with which it opened.
    raised_at timestamptz NOT NULL,
    -- The end of the last window that showed it.
    last_at timestamptz NOT NULL,
    -- The end of the window with which it was over; null while it lasts.
    over_at timestamptz,
    -- The windows that showed it.
    windows integer NOT NULL,
    -- The highest probability or value, or the lowest health, of these.
    peak double precision NOT NULL,
    model text NOT NULL,
    -- [{"sensor": ID, "share": number}], by how much each sensor drove the finding; null: unknown.
    drivers json,
    verdict text CHECK (verdict IN ('confirmed', 'false_alarm', 'repaired')),
    closed_on timestamptz
);
-- Duplicates fold: a finding has at most one alarm that is not closed.
CREATE UNIQUE INDEX alarms_not_closed
    ON hydrascope.alarms (equipment_key, rule, component_id, head, finding)
    WHERE state <> 'closed';
CREATE INDEX alarms_of_machine ON hydrascope.alarms (equipment_key, raised_at DESC);

-- What happened to an alarm, and who did it.
CREATE TABLE hydrascope.alarm_events (
    event_key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alarm_key bigint NOT NULL REFERENCES hydrascope.alarms ON DELETE CASCADE,
    action text NOT NULL CHECK (action IN
        ('raised', 'acknowledged', 'over', 'reopened', 'closed', 'commented')),
    -- The name of the key, or 'watch'.
    actor text NOT NULL,
    note text NOT NULL DEFAULT '',
    happened_on timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX events_of_alarm ON hydrascope.alarm_events (alarm_key, event_key);

-- When nobody is to be notified. A null matches everything.
CREATE TABLE hydrascope.silences (
    silence_key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    equipment_key integer REFERENCES hydrascope.equipment,
    component_id text,
    rule text,
    starts timestamptz NOT NULL,
    ends timestamptz NOT NULL CHECK (ends > starts),
    actor text NOT NULL,
    note text NOT NULL DEFAULT '',
    written_on timestamptz NOT NULL DEFAULT now()
);

-- Messages that wait, were sent or were given up, written in the transaction of their event.
CREATE TABLE hydrascope.notifications (
    notification_key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_key bigint NOT NULL REFERENCES hydrascope.alarm_events ON DELETE CASCADE,
    -- The name of a channel in the rule file; its address is not stored.
    channel text NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'given_up')),
    tries integer NOT NULL DEFAULT 0,
    next_try_on timestamptz NOT NULL DEFAULT now(),
    -- Why the last try failed.
    error text NOT NULL DEFAULT '',
    sent_on timestamptz
);
CREATE INDEX notifications_waiting ON hydrascope.notifications (next_try_on) WHERE state = 'waiting';
