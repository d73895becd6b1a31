-- Statistics of tables that grow fast (docs/decisions/0028): a plan that was made for an empty table is thrown away when the
-- table is analysed, and autovacuum looks once a minute.

CREATE FUNCTION analyze_grown_table() RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '1s'
AS $$
DECLARE
    grown regclass;
BEGIN
    -- One process at a time.
    IF NOT pg_try_advisory_xact_lock(hashtextextended('analyze_grown_table', 0)) THEN
        RETURN NULL;
    END IF;
    SELECT c.oid::regclass INTO grown
    FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND pg_has_role(c.relowner, 'USAGE')
      AND pg_relation_size(c.oid) / current_setting('block_size')::bigint >= 4 * greatest(c.relpages, 8)
    ORDER BY pg_relation_size(c.oid) DESC
    LIMIT 1;
    IF grown IS NOT NULL THEN
        EXECUTE format('ANALYZE %s', grown);
    END IF;
    RETURN grown::text;
END
$$;
COMMENT ON FUNCTION analyze_grown_table() IS 'Analyses the largest table that has four times the pages of its last statistics, 32 at least; its name, or NULL when there is none.';
REVOKE ALL ON FUNCTION analyze_grown_table() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION analyze_grown_table() TO afferent_worker;
