-- Many plants in one report: views in an empty PostgreSQL that reads the plants' own by postgres_fdw.
-- Run once: psql -d reports -f plants.sql. Then for each plant, as whoever may create servers:
--
--   SELECT add_plant('north', 'host ''db.north.example'', dbname ''yieldline'', sslmode ''verify-full''',
--                    'yieldline_reports', 'its password');
--   SELECT * FROM plant_day WHERE day >= current_date - 7;
--
-- In the plant's database the login needs no more than this:
--
--   CREATE ROLE yieldline_reports LOGIN PASSWORD '...';
--   GRANT SELECT ON name, run_hour, unit_hour TO yieldline_reports;
--
-- Days are days of UTC. A plant that cannot be reached is an error in every question that would read it. After an upgrade of
-- a plant that changes these tables: add_plant again.

CREATE EXTENSION IF NOT EXISTS postgres_fdw;

CREATE OR REPLACE FUNCTION add_plant(plant text, address text, login text, word text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    place text := 'plant_' || plant;
    every text;
BEGIN
    EXECUTE format('DROP SERVER IF EXISTS %I CASCADE', place);
    EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', place);
    EXECUTE format('CREATE SERVER %I FOREIGN DATA WRAPPER postgres_fdw OPTIONS (%s)', place,
                   address || ', fetch_size ''10000'', use_remote_estimate ''true''');
    EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER %I OPTIONS (user %L, password %L)',
                   place, login, word);
    EXECUTE format('CREATE SCHEMA %I', place);
    EXECUTE format('IMPORT FOREIGN SCHEMA public LIMIT TO (name, run_hour, unit_hour)'
                   ' FROM SERVER %I INTO %I', place, place);

    -- The plant adds up, and sends a row a day, line, product and procedure.
    EXECUTE format($view$
        CREATE VIEW %1$I.plant_day AS
        SELECT %2$L::text AS plant, d.day, l.text AS line, p.text AS product, o.text AS procedure,
               d.runs, d.passed, d.failed, d.units, d.first_passed
        FROM (SELECT day, line, product, procedure, sum(runs)::bigint AS runs,
                     sum(passed)::bigint AS passed, sum(failed)::bigint AS failed,
                     sum(units)::bigint AS units, sum(first_passed)::bigint AS first_passed
              FROM (SELECT (date '1970-01-01' + hour / 24) AS day, line, product, procedure,
                           sum(passed + failed + errors + unjudged) AS runs, sum(passed) AS passed,
                           sum(failed) AS failed, 0 AS units, 0 AS first_passed
                    FROM %1$I.run_hour GROUP BY 1, 2, 3, 4
                    UNION ALL
                    SELECT (date '1970-01-01' + hour / 24), line, product, procedure,
                           0, 0, 0, sum(units), sum(first_passed)
                    FROM %1$I.unit_hour GROUP BY 1, 2, 3, 4) both_tables
              GROUP BY 1, 2, 3, 4) d
        JOIN %1$I.name l ON l.id = d.line
        JOIN %1$I.name p ON p.id = d.product
        JOIN %1$I.name o ON o.id = d.procedure
    $view$, place, plant);

    SELECT string_agg(format('SELECT * FROM %I.plant_day', nspname), ' UNION ALL ' ORDER BY nspname)
    INTO every FROM pg_namespace WHERE nspname LIKE 'plant\_%';
    EXECUTE 'CREATE OR REPLACE VIEW plant_day AS ' || every;
END
$$;
