DROP FUNCTION analyze_grown_table();
