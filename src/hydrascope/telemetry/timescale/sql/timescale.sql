-- What TimescaleDB adds, where it is installed in the server; applied at every upgrade, so that an
-- extension that is installed later is used from the next one on. The two settings are set by the
-- caller for its transaction.
DO $$
DECLARE
    compress_after text := current_setting('hydrascope.compress_after_days');
    retain text := current_setting('hydrascope.retain_days');
BEGIN
    IF NOT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb') THEN
        EXECUTE 'CREATE OR REPLACE VIEW hydrascope.telemetry_hourly AS
            SELECT date_trunc(''hour'', time) AS hour, sensor_key, count(*) AS samples,
                   avg(value) AS mean, min(value) AS lowest, max(value) AS highest
            FROM hydrascope.telemetry WHERE quality = 0 GROUP BY 1, 2';
        RETURN;
    END IF;
    CREATE EXTENSION IF NOT EXISTS timescaledb;
    IF NOT EXISTS (SELECT FROM timescaledb_information.hypertables
                   WHERE hypertable_schema = 'hydrascope' AND hypertable_name = 'telemetry') THEN
        DROP VIEW IF EXISTS hydrascope.telemetry_hourly;
        PERFORM create_hypertable('hydrascope.telemetry', 'time',
                                  chunk_time_interval => interval '1 day', migrate_data => true);
        EXECUTE 'ALTER TABLE hydrascope.telemetry SET (timescaledb.compress,
            timescaledb.compress_segmentby = ''sensor_key'', timescaledb.compress_orderby = ''time'')';
        EXECUTE 'CREATE MATERIALIZED VIEW hydrascope.telemetry_hourly
            WITH (timescaledb.continuous) AS
            SELECT time_bucket(interval ''1 hour'', time) AS hour, sensor_key, count(*) AS samples,
                   avg(value) AS mean, min(value) AS lowest, max(value) AS highest
            FROM hydrascope.telemetry WHERE quality = 0 GROUP BY 1, 2 WITH NO DATA';
        PERFORM add_continuous_aggregate_policy('hydrascope.telemetry_hourly',
            start_offset => interval '3 days', end_offset => interval '1 hour',
            schedule_interval => interval '30 minutes');
    END IF;
    PERFORM remove_compression_policy('hydrascope.telemetry', if_exists => true);
    IF compress_after <> '' THEN
        PERFORM add_compression_policy('hydrascope.telemetry',
                                       make_interval(days => compress_after::integer));
    END IF;
    PERFORM remove_retention_policy('hydrascope.telemetry', if_exists => true);
    IF retain <> '' THEN
        PERFORM add_retention_policy('hydrascope.telemetry',
                                     make_interval(days => retain::integer));
    END IF;
END $$;
