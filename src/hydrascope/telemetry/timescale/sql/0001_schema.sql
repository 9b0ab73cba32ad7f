-- Tables of Hydrascope. Everything lives in a schema of its own, beside whatever there is.

CREATE TABLE hydrascope.topologies (
    topology_id text NOT NULL,
    version integer NOT NULL,
    -- As in a machine file; json, not jsonb: the order of keys is kept.
    content json NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topology_id, version)
);

CREATE TABLE hydrascope.equipment (
    equipment_key integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    equipment_id text NOT NULL UNIQUE,
    metadata json NOT NULL,
    topology_id text NOT NULL,
    topology_version integer NOT NULL,
    -- Counts the writes to the machine's telemetry; see telemetry/timescale/changes.py.
    revision bigint NOT NULL DEFAULT 0,
    FOREIGN KEY (topology_id, topology_version) REFERENCES hydrascope.topologies
);

CREATE TABLE hydrascope.sensors (
    sensor_key integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    equipment_key integer NOT NULL REFERENCES hydrascope.equipment,
    sensor_id text NOT NULL,
    component_id text NOT NULL,
    kind text NOT NULL,
    unit text NOT NULL,
    rate_hz double precision NOT NULL,
    UNIQUE (equipment_key, sensor_id)
);

CREATE TABLE hydrascope.telemetry (
    time timestamptz NOT NULL,
    -- No foreign key: it would be looked up for each of millions of rows. Keys are given out by
    -- sensors and never used again.
    sensor_key integer NOT NULL,
    -- In the unit of its sensor.
    value double precision NOT NULL,
    -- 0 good, 1 flagged bad, 2 outside the sensor's range; others as their writer means them.
    quality smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (sensor_key, time)
);

CREATE TABLE hydrascope.labels (
    equipment_key integer NOT NULL REFERENCES hydrascope.equipment,
    starts timestamptz NOT NULL,
    ends timestamptz NOT NULL CHECK (ends > starts),
    -- {label: number or text}; a label of one component among several is <component_id>.<label>.
    content json NOT NULL,
    PRIMARY KEY (equipment_key, starts)
);

CREATE TABLE hydrascope.events (
    equipment_key integer NOT NULL REFERENCES hydrascope.equipment,
    time timestamptz NOT NULL,
    kind text NOT NULL,
    content json NOT NULL DEFAULT '{}',
    PRIMARY KEY (equipment_key, time, kind)
);

CREATE TABLE hydrascope.predictions (
    equipment_key integer NOT NULL REFERENCES hydrascope.equipment,
    window_start timestamptz NOT NULL,
    window_end timestamptz NOT NULL CHECK (window_end > window_start),
    bundle text NOT NULL,
    content jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (equipment_key, window_end, bundle)
);

-- How far each ingestion has come, in the transaction that writes its rows.
CREATE TABLE hydrascope.ingests (
    origin text PRIMARY KEY,
    upto_us bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
