DROP TABLE mqtt_process;
DROP TABLE mqtt_session;
DROP TABLE mqtt_connection;
