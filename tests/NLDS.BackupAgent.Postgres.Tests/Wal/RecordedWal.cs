using Npgsql;

namespace NLDS.BackupAgent.Postgres.Tests.Wal;

/// <summary>
/// The write-ahead log of a server that did a little of everything, and what PostgreSQL's own reader says of it. The last segment ends in zeros.
/// </summary>
public abstract class RecordedWal(int segmentMegabytes) : IAsyncLifetime
{
    internal uint SegmentBytes { get; private set; }

    internal ulong Start { get; private set; }

    /// <summary>All segments, one after the other.</summary>
    internal byte[] Bytes { get; private set; } = [];

    internal DumpedRecord[] Records { get; private set; } = [];

    internal string SystemIdentifier { get; private set; } = "";

    /// <summary>Each restore point's name with the server's clock before and after it was made.</summary>
    internal Dictionary<string, (DateTimeOffset After, DateTimeOffset Before)> RestorePointTimes { get; } = [];

    public async ValueTask InitializeAsync()
    {
        await using var server = await ScratchServer.StartAsync(segmentMegabytes);
        await server.BenchAsync("-q", "-i", "-s", "1");
        await server.BenchAsync("-n", "-c", "2", "-t", "400");
        await using (var connection = await server.ConnectAsync())
        {
            await WorkAsync(connection);
        }

        await server.BenchAsync("-n", "-c", "2", "-t", "100");
        await server.StopAsync("fast");

        SegmentBytes = server.SegmentBytes;
        (Start, var files) = server.Segments();
        Bytes = [.. files.SelectMany(File.ReadAllBytes)];
        Records = DumpedRecord.Parse(await server.DumpAsync(Start), SegmentBytes);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    internal int OffsetOf(ulong position) => checked((int)(position - Start));

    private async Task WorkAsync(NpgsqlConnection connection)
    {
        SystemIdentifier = (await AskAsync<long>(connection, "SELECT system_identifier FROM pg_control_system()")).ToString();
        await DoAsync(connection, "CREATE TABLE things (id int, what text)");
        await MakeRestorePointAsync(connection, "before the work");

        // One record each; the second is longer than a segment of 1 MB, so that whole segments have no record's start.
        await DoAsync(connection, "SELECT pg_logical_emit_message(false, 'test', repeat('x', 100000))");
        await DoAsync(connection, "SELECT pg_logical_emit_message(true, 'test', repeat('y', 3500000))");

        await DoAsync(connection, "BEGIN", "INSERT INTO things VALUES (1, 'never')", "ROLLBACK");
        await DoAsync(
            connection, "BEGIN", "INSERT INTO things VALUES (2, 'outer')", "SAVEPOINT one", "INSERT INTO things VALUES (3, 'inner')", "ROLLBACK TO one",
            "SAVEPOINT two", "INSERT INTO things VALUES (4, 'inner')", "RELEASE two", "COMMIT");
        await DoAsync(connection, "BEGIN", "INSERT INTO things VALUES (5, 'prepared')", "PREPARE TRANSACTION 'kept'", "COMMIT PREPARED 'kept'");
        await DoAsync(connection, "BEGIN", "INSERT INTO things VALUES (6, 'prepared')", "PREPARE TRANSACTION 'lost'", "ROLLBACK PREPARED 'lost'");
        await DoAsync(
            connection, "SELECT pg_replication_origin_create('elsewhere')", "SELECT pg_replication_origin_session_setup('elsewhere')", "BEGIN",
            "SELECT pg_replication_origin_xact_setup('0/ABCDEF', '2001-02-03 04:05:06+00')", "INSERT INTO things VALUES (7, 'from afar')", "COMMIT",
            "BEGIN", "INSERT INTO things VALUES (8, 'from afar')", "ROLLBACK", "SELECT pg_replication_origin_session_reset()");

        // Many subtransactions and dropped files make a commit's main data longer than 255 bytes.
        await DoAsync(connection, "CREATE TABLE gone AS SELECT 1 AS one", "BEGIN");
        for (var one = 0; one < 80; one++)
        {
            await DoAsync(connection, "SAVEPOINT s", "INSERT INTO things VALUES (9, 'sub')", "RELEASE s");
        }

        await DoAsync(connection, "DROP TABLE gone", "COMMIT");
        await MakeRestorePointAsync(connection, new string('n', 63));
        await DoAsync(connection, "SELECT pg_switch_wal()", "INSERT INTO things VALUES (10, 'in a new segment')", "SELECT pg_switch_wal()", "CHECKPOINT");
        await MakeRestorePointAsync(connection, "nach der Arbeit: Grüße");
    }

    private async Task MakeRestorePointAsync(NpgsqlConnection connection, string name)
    {
        var after = await AskAsync<DateTime>(connection, "SELECT clock_timestamp()");
        await DoAsync(connection, $"SELECT pg_create_restore_point('{name}')");
        RestorePointTimes.Add(name, (after, await AskAsync<DateTime>(connection, "SELECT clock_timestamp()")));
    }

    private static async Task DoAsync(NpgsqlConnection connection, params string[] statements)
    {
        foreach (var statement in statements)
        {
            await using var command = new NpgsqlCommand(statement, connection);
            await command.ExecuteNonQueryAsync();
        }
    }

    private static async Task<T> AskAsync<T>(NpgsqlConnection connection, string question)
    {
        await using var command = new NpgsqlCommand(question, connection);
        return (T)(await command.ExecuteScalarAsync())!;
    }
}
