/// The layout of the database file.
///
/// A *stream* is what Timestream identifies a series by: a measure name and a set of dimensions. Each Timestream table has
/// three SQLite tables, `streams_N` (one column a dimension, so that conditions on dimensions are plain SQL),
/// `stream_keys_N` (the canonical dimension set, to find a stream again) and `points_N`, ordered by stream and time, so
/// that the points of one stream lie together.
///
/// Names and values of dimensions are BLOBs: compared byte by byte, NUL bytes and all. Doubles are stored as the integer
/// of their bit pattern: SQLite writes a REAL without fraction as an integer where a column has REAL affinity, and -0.0
/// would come back as 0.0.
enum StoreSchema {
    /// Rises with each change of the layout; a file of another version is refused.
    static let version: Int64 = 1

    static let catalogue = """
        CREATE TABLE databases (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            kms_key_id TEXT NOT NULL,
            created_ms INTEGER NOT NULL,
            updated_ms INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE tables (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            database_id INTEGER NOT NULL REFERENCES databases(id),
            name TEXT NOT NULL,
            memory_hours INTEGER NOT NULL,
            magnetic_days INTEGER NOT NULL,
            magnetic_writes TEXT,
            partition_schema TEXT,
            created_ms INTEGER NOT NULL,
            updated_ms INTEGER NOT NULL,
            UNIQUE (database_id, name)
        ) STRICT;
        CREATE TABLE tags (
            resource TEXT NOT NULL,
            key TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (resource, key)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE dimensions (
            table_id INTEGER NOT NULL,
            number INTEGER NOT NULL,
            name BLOB NOT NULL,
            PRIMARY KEY (table_id, name)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE measures (
            id INTEGER PRIMARY KEY,
            table_id INTEGER NOT NULL,
            name BLOB NOT NULL,
            type INTEGER NOT NULL,
            UNIQUE (table_id, name)
        ) STRICT;
        CREATE TABLE multi_columns (
            table_id INTEGER NOT NULL,
            number INTEGER NOT NULL,
            name BLOB NOT NULL,
            type INTEGER NOT NULL,
            PRIMARY KEY (table_id, name)
        ) STRICT, WITHOUT ROWID;
        """

    /// The SQLite tables of one Timestream table.
    static func table(_ id: Int64) -> String {
        """
        CREATE TABLE streams_\(id) (
            id INTEGER PRIMARY KEY,
            measure INTEGER NOT NULL
        );
        CREATE INDEX streams_\(id)_measure ON streams_\(id) (measure);
        CREATE TABLE stream_keys_\(id) (
            measure INTEGER NOT NULL,
            key BLOB NOT NULL,
            stream INTEGER NOT NULL,
            PRIMARY KEY (measure, key)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE points_\(id) (
            stream INTEGER NOT NULL,
            time INTEGER NOT NULL,
            version INTEGER NOT NULL,
            value NOT NULL,
            PRIMARY KEY (stream, time)
        ) WITHOUT ROWID;
        """
    }

    static func dropTable(_ id: Int64) -> String {
        """
        DROP TABLE points_\(id);
        DROP TABLE stream_keys_\(id);
        DROP TABLE streams_\(id);
        DELETE FROM dimensions WHERE table_id = \(id);
        DELETE FROM measures WHERE table_id = \(id);
        DELETE FROM multi_columns WHERE table_id = \(id);
        DELETE FROM tables WHERE id = \(id);
        """
    }

    /// Opens the file for writing and makes or checks its layout.
    ///
    /// - Throws: `SQLiteError`, also for a file of another layout.
    static func openWriter(path: String) throws(SQLiteError) -> SQLiteConnection {
        let connection = try SQLiteConnection(path: path, access: .readWrite)
        // FULL: a commit is on disk before it is acknowledged. Pages written again and again between checkpoints are
        // copied once, so the log may grow to 8,192 pages (32 MiB) before it is copied back.
        try connection.execute(
            """
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = FULL;
            PRAGMA wal_autocheckpoint = 8192;
            PRAGMA journal_size_limit = 67108864;
            PRAGMA cache_size = -16384;
            """
        )
        let found = try Self.userVersion(of: connection)
        switch found {
        case Self.version: break
        case 0:
            try connection.execute(
                "BEGIN IMMEDIATE;\(Self.catalogue)PRAGMA user_version = \(Self.version);COMMIT;"
            )
        default:
            throw SQLiteError(
                code: 0,
                message: "\(path) has layout \(found), this program writes layout \(Self.version)"
            )
        }
        return connection
    }

    static func openReader(path: String) throws(SQLiteError) -> SQLiteConnection {
        let connection = try SQLiteConnection(path: path, access: .readOnly)
        try connection.execute("PRAGMA query_only = 1; PRAGMA cache_size = -1024;")
        try SQLFunctions.register(on: connection)
        return connection
    }

    private static func userVersion(of connection: SQLiteConnection) throws(SQLiteError) -> Int64 {
        let statement = try connection.prepare("PRAGMA user_version")
        return try statement.step() ? statement.integer(0) : 0
    }
}
